/*
 * Bech32 (BIP 173), the text form of age keys
 *
 * As age uses it: without BIP 173's limit of 90 characters, the text all upper
 * or all lower case. Here the data is at most GBX_BECH32_MAX_DATA bytes, enough
 * for every 32-byte key.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { GBX_BECH32_MAX_DATA = 64 };

/* Appends "<prefix>1<data><checksum>", all in lower case. `prefix` must be lower-case letters, digits and '-'. */
int gbx_bech32_encode(const char *prefix, const uint8_t *data, size_t size, struct gbx_buffer *buffer,
                      struct gbx_error *err);

/*
 * Decodes a text whose prefix, compared without regard to case, is `prefix`,
 * and whose data is exactly `size` bytes. -EINVAL for another prefix or size,
 * mixed case, a bad checksum, or padding bits that are not zero. The text
 * itself is never part of the message: it may be a secret.
 */
int gbx_bech32_decode(const char *prefix, const char *text, size_t length, uint8_t *ret_data, size_t size,
                      struct gbx_error *err);
