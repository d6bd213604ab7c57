/*
 * Statements: what people sign
 *
 * A statement is a short text, a first line that names its kind and then lines
 * "key: value" in a fixed order. Lines end with LF, the last one too. A text
 * has one meaning and a meaning one text: parsers read loosely and compare
 * what a formatter makes of the result with what was given.
 *
 * Each carries a nonce and the time it was made, both from the site, so that
 * no two are the same and a withdrawn one can be told from the next.
 *
 * For policy/approval.c and policy/output_statement.c.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_STATEMENT_MAX_BYTES = 16 * 1024,
        GBX_SITE_NAME_MAX = 255, /* of the site's origin */
        GBX_NONCE_SIZE = 16,
        GBX_NONCE_TEXT_SIZE = 2 * GBX_NONCE_SIZE + 1, /* lower-case digits and a zero byte */
};

/* A nonce as it stands in a statement. The bytes are the caller's: from gbx_random(). */
void gbx_nonce_text(const uint8_t nonce[static GBX_NONCE_SIZE], char ret_text[static GBX_NONCE_TEXT_SIZE]);

/* The forms that values may have: the origin of a site as it stands in a log's checkpoint (printable, without spaces
 * and '+'), a digest with lower-case digits, a nonce. */
bool gbx_statement_site_valid(const char *text);
bool gbx_statement_digest_valid(const char *text);
bool gbx_statement_nonce_valid(const char *text);

/* Reads a text line by line. */
struct gbx_statement_reader {
        const char *what; /* "approval statement", for messages */
        const char *next;
        size_t left;
        unsigned number; /* of the line read last; the first one is 1 */
        char key[16];
        char value[512];
};

/* Takes the first line, which must be `first_line`. All readers: -EINVAL with the line's number. */
int gbx_statement_start(struct gbx_statement_reader *reader, const char *what, const char *first_line, const char *text,
                        size_t size, struct gbx_error *err);
/* The next line into `key` and `value`. */
int gbx_statement_next(struct gbx_statement_reader *reader, struct gbx_error *err);
/* The next line, which must have this key; its value must fit into `size` bytes. */
int gbx_statement_expect(struct gbx_statement_reader *reader, const char *key, char *ret, size_t size, struct gbx_error *err);
int gbx_statement_expect_time(struct gbx_statement_reader *reader, const char *key, int64_t *ret_seconds, struct gbx_error *err);
/* The value read last into a field of `size` bytes. */
int gbx_statement_take(const struct gbx_statement_reader *reader, char *ret, size_t size, struct gbx_error *err);
/* Says that the value read last is not valid: -EINVAL. */
int gbx_statement_wrong(const struct gbx_statement_reader *reader, struct gbx_error *err);
/* Whether `again`, the text made of what was read, is the text that was given; nothing may be left over. */
int gbx_statement_canonical(const struct gbx_statement_reader *reader, const struct gbx_buffer *again, const char *text,
                            size_t size, struct gbx_error *err);
