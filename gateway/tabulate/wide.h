/*
 * Exact sums: integers of 256 bits, and quotients of them as decimal text
 *
 * A product of three 64-bit numbers fits, and so does the sum of as many of
 * them as there are rows. What is divided at the end is divided with GMP, once,
 * and rounded once: the digits of a result do not depend on the order of rows.
 */
#pragma once

#include "base/error.h"

#include <gmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_wide {
        uint64_t limbs[4]; /* two's complement, least significant first; {} is zero */
};

void gbx_wide_add(struct gbx_wide *sum, const struct gbx_wide *other);
void gbx_wide_add_number(struct gbx_wide *sum, int64_t a);
void gbx_wide_add_product3(struct gbx_wide *sum, int64_t a, int64_t b, int64_t c);
void gbx_wide_negate(struct gbx_wide *sum);

/* Here and not in wide.c, for it is done for each row. */
static inline void gbx_wide_add_wide_number(struct gbx_wide *sum, __int128 a) {
        unsigned __int128 low = (unsigned __int128)sum->limbs[1] << 64 | sum->limbs[0], high = (unsigned __int128)sum->limbs[3] << 64 | sum->limbs[2];

        low += (unsigned __int128)a;
        high += (unsigned __int128)(low < (unsigned __int128)a) - (unsigned __int128)(a < 0);
        sum->limbs[0] = (uint64_t)low;
        sum->limbs[1] = (uint64_t)(low >> 64);
        sum->limbs[2] = (uint64_t)high;
        sum->limbs[3] = (uint64_t)(high >> 64);
}

static inline void gbx_wide_add_product(struct gbx_wide *sum, int64_t a, int64_t b) { gbx_wide_add_wide_number(sum, (__int128)a * b); }

/* `ret` is initialised by the caller (mpz_init). */
void gbx_wide_to_mpz(const struct gbx_wide *sum, mpz_t ret);
void gbx_int128_to_mpz(__int128 value, mpz_t ret);

enum { GBX_WIDE_TEXT_SIZE = 128 };

/* The quotient a / b, rounded to `decimals`, halves to even: "-12.50". False if b is zero or it does not fit. */
bool gbx_quotient_text(const mpz_t a, const mpz_t b, unsigned decimals, char ret_text[static GBX_WIDE_TEXT_SIZE]);

/* The signed square root of a / b (the sign of `sign`), rounded to `decimals`. False if b is not above zero or a below it. */
bool gbx_root_text(int sign, const mpz_t a, const mpz_t b, unsigned decimals, char ret_text[static GBX_WIDE_TEXT_SIZE]);
