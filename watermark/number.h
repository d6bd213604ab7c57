/*
 * Decimal numbers, exactly: read as people write them, moved by whole units
 *
 * A number is mantissa / 10^decimals with at most 18 digits; longer ones are
 * no numbers here, but for digits behind the point in what people or programs
 * wrote (gbx_number_parse_loose), which are left out. No floating point, so that marking and tracing agree on
 * every digit.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_NUMBER_DIGITS = 18,
        GBX_NUMBER_TEXT_SIZE = 48,
};

struct gbx_number {
        int64_t mantissa;
        uint8_t decimals;
};

/* How a column writes its numbers, found out by looking at them. */
struct gbx_number_style {
        uint64_t decimal[2];   /* for '.' and ',': values in which it can only be the decimal separator */
        uint64_t grouping[2];  /* … only the thousands separator */
        uint64_t ambiguous[2]; /* 1,234: either */
};

/* The strict form -12.50: what the gate emits. False: not a number. */
bool gbx_number_parse(const char *text, size_t size, struct gbx_number *ret);

/* Adds one value's evidence to a style. */
void gbx_number_observe(struct gbx_number_style *style, const char *text, size_t size);

/* The decimal separator that the style speaks for; `fallback` (the file's) where it does not say. */
char gbx_number_separator(const struct gbx_number_style *style, char fallback);

/* As people write them: white space and currency signs around, + or a typographic minus, thousands separated by
 * comma, point, apostrophe, underscore or (narrow, no-break) space, an exponent, a percent sign (divides by 100),
 * parentheses for negative. `separator` is '.' or ','. */
bool gbx_number_parse_loose(const char *text, size_t size, char separator, struct gbx_number *ret);

/* The number times 10^shift. False if it does not fit. */
bool gbx_number_shift(struct gbx_number *number, int shift);

/* Nearest whole number of units, halves upwards. False if it does not fit 63 bits; unit must be positive. */
bool gbx_number_units(struct gbx_number number, struct gbx_number unit, int64_t *ret_units);

/* floor(number / unit), and the rest as a fraction of the unit in 2^-32. */
bool gbx_number_floor_units(struct gbx_number number, struct gbx_number unit, int64_t *ret_units, uint32_t *ret_rest);

/* number + count * unit, with the finer of both precisions. False if it does not fit. */
bool gbx_number_add_units(struct gbx_number number, struct gbx_number unit, int64_t count, struct gbx_number *ret);

/* Negative, 0, positive: a below, equal to, above b. */
int gbx_number_compare(struct gbx_number a, struct gbx_number b);

/* To 15 digits, as many as double precision keeps, if there are more and the last ones stand behind the point: what
 * binary fractions add or lose on the way through other programs. */
struct gbx_number gbx_number_round(struct gbx_number number);

/* Without trailing zeros behind the point. */
struct gbx_number gbx_number_reduce(struct gbx_number number);

double gbx_number_double(struct gbx_number number);

/* Writes the strict form; returns its length. */
size_t gbx_number_print(struct gbx_number number, char ret_text[static GBX_NUMBER_TEXT_SIZE]);

/* A unit or limit in a declaration; -EINVAL names it as `what` of column `column`. */
int gbx_number_declared(const char *text, const char *what, const char *column, struct gbx_number *ret,
                        struct gbx_error *err);
