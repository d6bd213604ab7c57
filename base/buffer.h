/*
 * Growable byte buffers
 *
 * A buffer owns its bytes. One zero byte always stands behind the last byte
 * (not counted in `size`), so `(const char *)buffer.data` may be read as text.
 * A secret buffer is zeroed whenever memory is given back.
 *
 * Start from `struct gbx_buffer b = {};` (or `{ .secret = true }`) with
 * gbx_auto(gbx_buffer_free).
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_buffer {
        uint8_t *data; /* NULL while nothing was ever appended */
        size_t size;
        size_t capacity;
        bool secret;
};

/* A run of bytes that somebody else owns. */
struct gbx_bytes {
        const void *data;
        size_t size;
};

/* Makes room for `extra` more bytes. Errors: -ENOMEM. */
int gbx_buffer_reserve(struct gbx_buffer *buffer, size_t extra, struct gbx_error *err);
int gbx_buffer_append(struct gbx_buffer *buffer, const void *data, size_t size, struct gbx_error *err);
int gbx_buffer_append_text(struct gbx_buffer *buffer, const char *text, struct gbx_error *err);
int gbx_buffer_append_byte(struct gbx_buffer *buffer, uint8_t byte, struct gbx_error *err);
int gbx_buffer_printf(struct gbx_buffer *buffer, struct gbx_error *err, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The content as text; "" for a buffer never written. Valid until the next change. */
const char *gbx_buffer_text(const struct gbx_buffer *buffer);

/* Empties the buffer and keeps its memory. */
void gbx_buffer_clear(struct gbx_buffer *buffer);
void gbx_buffer_free(struct gbx_buffer *buffer);
