/*
 * Text forms of bytes: hexadecimal and base64 (RFC 4648)
 *
 * Decoders are strict: no white space, no missing or surplus padding, no
 * non-canonical trailing bits. Callers that get wrapped text unwrap it first.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gbx_base64 {
        GBX_BASE64_PADDED,   /* '=' to a multiple of four, required */
        GBX_BASE64_UNPADDED, /* no '=' allowed */
};

/* Writes 2 * size lower-case digits and a zero byte to `text`. */
void gbx_hex_encode(const void *data, size_t size, char *text);

/* Decodes exactly 2 * size digits, upper or lower case. -EINVAL for anything else. */
int gbx_hex_decode(const char *text, size_t length, uint8_t *ret_data, size_t size, struct gbx_error *err);

/* Appends the encoded text to `buffer`. */
int gbx_base64_encode(enum gbx_base64 kind, const void *data, size_t size, struct gbx_buffer *buffer,
                      struct gbx_error *err);

/* Appends the decoded bytes to `buffer`. -EINVAL for text that is not canonical. */
int gbx_base64_decode(enum gbx_base64 kind, const char *text, size_t length, struct gbx_buffer *buffer,
                      struct gbx_error *err);
