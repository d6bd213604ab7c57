/*
 * Small text: numbers, sizes, durations, times, names
 *
 * All parsers are strict: the whole text must match, nothing is skipped.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GBX_TIME_TEXT_SIZE = 21 }; /* "2026-11-25T01:57:37Z" and a zero byte */

/* Decimal digits only, no sign, no leading zero but "0" itself. */
int gbx_parse_u64(const char *text, uint64_t *ret, struct gbx_error *err);

/* Bytes: digits with an optional K, M, G or T (powers of 1,024). */
int gbx_parse_size(const char *text, uint64_t *ret_bytes, struct gbx_error *err);

/* Milliseconds: digits with a unit ms, s, m, h or d, which is required. */
int gbx_parse_duration(const char *text, uint64_t *ret_milliseconds, struct gbx_error *err);

/* UTC seconds since 1970 to and from RFC 3339 with a 'Z' and no fraction. */
void gbx_time_text(int64_t seconds, char ret_text[static GBX_TIME_TEXT_SIZE]);
int gbx_time_parse(const char *text, int64_t *ret_seconds, struct gbx_error *err);

/* Whether the text is a day that exists, such as 2026-11-25. */
bool gbx_date_valid(const char *text);

/* Seconds since 1970 by the system clock. */
int64_t gbx_time_now(void);

/* A name that is safe as a file name and in a log line:
 * [a-z0-9] first, then [a-z0-9._-], at most 64 characters. */
bool gbx_name_valid(const char *text);

/* Copies text so that a terminal or a log shows it and does not obey it: control
 * characters and bytes that are not UTF-8 become \xNN. Truncates to fit. */
void gbx_text_printable(const char *text, size_t length, char *ret, size_t ret_size);

/* Whether the bytes are well-formed UTF-8 (RFC 3629). */
bool gbx_utf8_valid(const char *text, size_t length);
