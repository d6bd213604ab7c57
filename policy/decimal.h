/*
 * Decimal numbers as text, exactly
 *
 * Numbers of tables are never turned into binary floating point: whoever reads
 * a release must get the digits that the gate checked. Grammar: an optional
 * minus, digits, optionally a point and digits. No exponent, no plus sign; what
 * programs write is read by gbx_decimal_read.
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

/* The looser grammar of what programs write: also `.5`, an exponent (`1e+05`, `2.5E-3`) and more digits. The value is
 * exact, in the fewest decimals (`3.0` is 3), unless `*ret_cut`: digits behind the 18th significant or the 18th decimal
 * place were cut off, in such a way that gbx_decimal_round to any unit with fewer decimals than the value has still
 * rounds the right way. -EINVAL if the text is no number, or has more than 18 digits before its point. */
int gbx_decimal_read(const char *text, struct gbx_decimal *ret, bool *ret_cut, struct gbx_error *err);

/* Less than, equal to, greater than zero, as strcmp. */
int gbx_decimal_compare(const struct gbx_decimal *a, const struct gbx_decimal *b);

/* The nearest multiple of `unit` (a positive number), halves to even: what remains carries nothing below the unit.
 * The result has the unit's scale. -EINVAL if it does not fit. */
int gbx_decimal_round(const struct gbx_decimal *value, const struct gbx_decimal *unit, struct gbx_decimal *ret,
                      struct gbx_error *err);

/* Exactly `scale` digits behind the point; "-0" is written "0". */
void gbx_decimal_text(const struct gbx_decimal *value, char ret_text[static GBX_DECIMAL_TEXT_SIZE]);
