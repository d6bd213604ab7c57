/*
 * The five types of a column, read from text
 *
 *   integer  -?digits, within 64 bits
 *   decimal  -?digits[.digits][e±digits], read as the nearest double
 *   text     any bytes
 *   date     YYYY-MM-DD, a day that exists (proleptic Gregorian calendar)
 *   boolean  true or false
 *
 * Strict: nothing is skipped, and a leading '+', white space, "inf" and "nan"
 * are wrong. The empty text means "missing" to callers and is not handled here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gbx_value_type {
        GBX_VALUE_INTEGER,
        GBX_VALUE_DECIMAL,
        GBX_VALUE_TEXT,
        GBX_VALUE_DATE,
        GBX_VALUE_BOOLEAN,
        GBX_VALUE_COUNT_,
};

const char *gbx_value_type_name(enum gbx_value_type type);
bool gbx_value_type_parse(const char *name, enum gbx_value_type *ret);

/* Each returns false, and leaves `ret` alone, if the text is no such value. */
bool gbx_typed_integer(const char *text, size_t size, int64_t *ret);
bool gbx_typed_decimal(const char *text, size_t size, double *ret); /* text[size] is a zero byte */
bool gbx_typed_date(const char *text, size_t size);
bool gbx_typed_boolean(const char *text, size_t size, bool *ret);
