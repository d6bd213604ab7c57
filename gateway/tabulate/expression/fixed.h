/*
 * Numbers of tables: 64-bit integers with a fixed number of decimals
 *
 * A number of scale s is an integer m that stands for m / 10^s. The scale is
 * part of the type and known before any row is read, so that sums are exact and
 * two programs that compute the same get the same digits. What does not fit
 * into 64 bits is an error, never a wrapped value.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_FIXED_MAX_SCALE = 18,
        GBX_FIXED_DIVISION_SCALE = 6, /* a quotient has at least so many decimals */
        GBX_FIXED_TEXT_SIZE = 48,
};

/* 10^exponent, for 0 to 18. */
int64_t gbx_power_of_ten(unsigned exponent);

/* Each returns false, and leaves `ret` alone, if the result does not fit. */
bool gbx_fixed_rescale(int64_t value, unsigned from, unsigned to, int64_t *ret); /* to >= from */
bool gbx_fixed_divide(int64_t a, unsigned scale_a, int64_t b, unsigned scale_b, unsigned scale, int64_t *ret); /* b != 0; halves away from zero */

/* Less than, equal to, greater than zero; never overflows. */
int gbx_fixed_compare(int64_t a, unsigned scale_a, int64_t b, unsigned scale_b);

/* Reads "-12.50" or "1.2e3" with `scale` decimals. What has more is rounded, halves to even, if `round` says so. False if
 * it is no number, has more decimals that are not to be rounded, or does not fit. */
bool gbx_fixed_parse(const char *text, size_t size, unsigned scale, bool round, int64_t *ret);

/* Exactly `scale` decimals: "-0.05". */
void gbx_fixed_text(int64_t value, unsigned scale, char ret_text[static GBX_FIXED_TEXT_SIZE]);

/* Days since 1970 of a date that runtime/engine/typed.h takes for one, and back (proleptic Gregorian calendar). */
int64_t gbx_days_from_text(const char text[static 10]);
void gbx_days_split(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
