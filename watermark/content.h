/*
 * Content digests: the register that recognises small tables
 *
 * The digest of a table's content depends on neither the order of its rows or
 * columns, the names of the columns, the separator, quoting, nor the way a
 * number is written (1,250.50 and 1250.5 are the same). It changes if any value changes.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Of anything gbx_trace reads as a table. Errors: -EINVAL if it is none. */
int gbx_content_digest(const void *data, size_t size, uint8_t ret_digest[static GBX_SHA256_SIZE],
                       struct gbx_error *err);
