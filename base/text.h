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
 * and hidden characters and bytes that are not UTF-8 become \xNN. Truncates to fit. */
void gbx_text_printable(const char *text, size_t length, char *ret, size_t ret_size);

/* Whether the bytes are well-formed UTF-8 (RFC 3629). */
bool gbx_utf8_valid(const char *text, size_t length);

/* The next character of well-formed UTF-8; moves `*at` behind it. */
uint32_t gbx_utf8_next(const char **at);

/* Whether a character does not show, or shows others in another place than they stand: controls (tab and newline among
 * them), line and paragraph separators, zero-width and bidirectional controls, variation selectors, tags, private use
 * (Unicode 15: Cc, Cf, Zl, Zp, Co and what is drawn as nothing). */
bool gbx_character_hidden(uint32_t character);

/* A place in a text. Lines end with LF and nothing else; columns count characters, a byte that is not UTF-8 as one. */
struct gbx_text_place {
        size_t offset;       /* in bytes, from 0 */
        size_t line, column; /* from 1 */
        uint32_t character;  /* what stands there */
};

/* Looks for the first character from `place` on (zeroed: from the start) that hides something from people who read the
 * text: a hidden one other than tab, newline, CR in front of LF, and a byte order mark at the very beginning. True: found,
 * and `place` says where; called again it goes on behind it. Bytes that are not UTF-8 are passed over. */
bool gbx_text_hidden(const char *text, size_t length, struct gbx_text_place *place);
