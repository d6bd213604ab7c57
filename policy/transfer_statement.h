/*
 * Transfer statements: what two owners sign when a dataset changes hands
 *
 *   glovebox dataset transfer v1
 *   site: gbx.example/demo-1f2e
 *   dataset: credit
 *   from: fund
 *   to: ministry
 *   made: 2026-11-25T00:00:00Z
 *   nonce: 00112233445566778899aabbccddeeff
 *
 * Both sign the same text. The form is that of policy/statement.h. Parsing
 * accepts nothing but what gbx_transfer_text writes.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "policy/statement.h"

#include <stddef.h>
#include <stdint.h>

struct gbx_transfer {
        char site[GBX_SITE_NAME_MAX + 1];
        char dataset[65];
        char from[65], to[65];
        int64_t made; /* UTC seconds since 1970 */
        char nonce[GBX_NONCE_TEXT_SIZE];
};

/* Appends the text. -EINVAL for parts that cannot stand in a statement. */
int gbx_transfer_text(const struct gbx_transfer *transfer, struct gbx_buffer *buffer, struct gbx_error *err);

/* Errors: -EINVAL, with the line. */
int gbx_transfer_parse(const char *text, size_t size, struct gbx_transfer *ret, struct gbx_error *err);
