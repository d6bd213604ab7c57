/*
 * Arithmetic modulo a prime below 2^31
 *
 * Elimination over whole numbers lets them grow without end; modulo a prime they
 * stay small. A combination that exists over whole numbers exists modulo every
 * prime but the few that divide a determinant; the prime is derived from a secret,
 * so that nobody can build tables around it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct gbx_field {
        uint32_t prime;
        uint64_t inverse; /* 2^64 / prime, rounded down */
};

static inline uint64_t gbx_mix(uint64_t value) {
        value += 0x9e3779b97f4a7c15U;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
        value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
        return value ^ (value >> 31);
}

/* The field that belongs to a seed. */
struct gbx_field gbx_field_of(uint64_t seed);

static inline uint32_t gbx_field_reduce(const struct gbx_field *field, uint64_t value) {
        uint64_t quotient = (uint64_t)(((unsigned __int128)value * field->inverse) >> 64), rest = value - quotient * field->prime;

        return (uint32_t)(rest >= field->prime ? rest - field->prime : rest);
}

static inline uint32_t gbx_field_multiply(const struct gbx_field *field, uint32_t a, uint32_t b) {
        return gbx_field_reduce(field, (uint64_t)a * b);
}

static inline uint32_t gbx_field_add(const struct gbx_field *field, uint32_t a, uint32_t b) {
        uint32_t sum = a + b;

        return sum >= field->prime ? sum - field->prime : sum;
}

static inline uint32_t gbx_field_negate(const struct gbx_field *field, uint32_t a) { return a ? field->prime - a : 0; }

/* Any whole number as an element. */
static inline uint32_t gbx_field_from(const struct gbx_field *field, int64_t value) {
        int64_t rest = value % (int64_t)field->prime;

        return (uint32_t)(rest < 0 ? rest + field->prime : rest);
}

/* The element as a whole number near zero, for people. */
static inline int64_t gbx_field_near(const struct gbx_field *field, uint32_t a) {
        return a > field->prime / 2 ? (int64_t)a - field->prime : (int64_t)a;
}

uint32_t gbx_field_invert(const struct gbx_field *field, uint32_t a); /* a is not 0 */

/* target -= factor * source */
void gbx_field_subtract(const struct gbx_field *field, uint32_t *restrict target, const uint32_t *restrict source, uint32_t factor,
                        size_t count);
void gbx_field_scale(const struct gbx_field *field, uint32_t *target, uint32_t factor, size_t count);
