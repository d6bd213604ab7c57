/*
 * Decimal numbers as text, exactly
 *
 * Numbers of tables are never turned into binary floating point: whoever reads
 * a release must get the digits that the gate checked. Grammar: an optional
 * minus, digits, optionally a point and digits. No exponent, no plus sign.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
        GBX_DECIMAL_MAX_DIGITS = 18,
        GBX_DECIMAL_TEXT_SIZE = 48,
};

/* value = mantissa / 10^scale */
struct gbx_decimal {
        int64_t mantissa;
        unsigned scale; /* digits behind the point, 0 to 18 */
};

/* -EINVAL if the text is not such a number or has more than 18 significant digits. */
int gbx_decimal_parse(const char *text, struct gbx_decimal *ret, struct gbx_error *err);

/* Less than, equal to, greater than zero, as strcmp. */
int gbx_decimal_compare(const struct gbx_decimal *a, const struct gbx_decimal *b);

/* The nearest multiple of `unit` (a positive number), halves to even: what remains carries nothing below the unit.
 * The result has the unit's scale. -EINVAL if it does not fit. */
int gbx_decimal_round(const struct gbx_decimal *value, const struct gbx_decimal *unit, struct gbx_decimal *ret,
                      struct gbx_error *err);

/* Exactly `scale` digits behind the point; "-0" is written "0". */
void gbx_decimal_text(const struct gbx_decimal *value, char ret_text[static GBX_DECIMAL_TEXT_SIZE]);
