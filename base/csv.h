/*
 * CSV (RFC 4180), read as a stream
 *
 * Strict: a quote may stand only around a whole field, rows end with LF or
 * CRLF, a lone CR or a NUL byte is an error, and every row has as many fields
 * as the first one unless ragged rows are allowed. A UTF-8 byte order mark at
 * the start is passed over. Errors name line and column (-EINVAL).
 *
 * Memory is bounded by the limits, never by the length of the input.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_csv; /* a reader */

struct gbx_csv_options {
        char separator;     /* 0 means ',' */
        bool allow_ragged;  /* rows may differ in their number of fields */
        size_t max_columns; /* 0 means 4,096 */
        size_t max_row;     /* bytes of one row; 0 means 1 MiB */
};

struct gbx_csv_field {
        const char *data; /* zero-terminated behind `size` bytes; quotes are taken off */
        size_t size;
        bool quoted; /* "" is text, an unquoted empty field is usually "missing" */
};

struct gbx_csv_row {
        const struct gbx_csv_field *fields; /* valid until the next call on the reader */
        size_t count;
        uint64_t line;   /* of the row's first byte, from 1 */
        uint64_t offset; /* of the row's first byte in the input, from 0 */
};

/* A reader on `fd`, which stays the caller's and is read from where it stands. */
int gbx_csv_new(struct gbx_csv **ret, int fd, const struct gbx_csv_options *options, struct gbx_error *err);

/* A reader on bytes that the caller keeps alive. */
int gbx_csv_new_memory(struct gbx_csv **ret, const void *data, size_t size, const struct gbx_csv_options *options,
                       struct gbx_error *err);

/* 1: a row is in `ret_row`. 0: the input ended. Negative: error. */
int gbx_csv_next(struct gbx_csv *csv, struct gbx_csv_row *ret_row, struct gbx_error *err);

/* Takes NULL; returns NULL. */
struct gbx_csv *gbx_csv_free(struct gbx_csv *csv);
static inline void gbx_csv_freep(struct gbx_csv **csv) { *csv = gbx_csv_free(*csv); }

/* Appends one field, quoted where RFC 4180 asks for it (or where `quote` says so). */
int gbx_csv_write_field(struct gbx_buffer *buffer, const char *data, size_t size, bool quote, struct gbx_error *err);
