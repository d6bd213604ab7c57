/*
 * Exact values that must not leave, without the values
 *
 * The set holds keyed hashes (SHA-256 of a random key and the value, cut to 64
 * bits) of up to GBX_TOKENS_MAX values, so that neither the proxy's memory nor
 * the memory file that brings it there has a list of a dataset's identifiers.
 *
 * A value is compared as a whole token: letters (lower case), digits and bytes
 * above 127; what stands between is taken out, of the value and of up to
 * GBX_TOKENS_JOINED neighbouring tokens of a text: "110105-1949 1231" is found where
 * 11010519491231 is a value, "x11010519491231x" is not. Values of fewer than
 * GBX_TOKENS_SHORTEST such bytes would be found in every other text, those of
 * more than GBX_TOKENS_LONGEST are no identifiers: both are left out.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_TOKENS_MAX = 1000000,
        GBX_TOKENS_SHORTEST = 6,
        GBX_TOKENS_LONGEST = 63,
        GBX_TOKENS_JOINED = 4,
        GBX_TOKENS_KEY = 16, /* bytes */
};

struct gbx_tokens;

/* An empty set with a new key. */
int gbx_tokens_new(struct gbx_tokens **ret, struct gbx_error *err);
/* An empty set with the key of another, whose hashes can be imported there. */
int gbx_tokens_new_with_key(struct gbx_tokens **ret, const uint8_t key[static GBX_TOKENS_KEY], struct gbx_error *err);
const uint8_t *gbx_tokens_key(const struct gbx_tokens *tokens);
struct gbx_tokens *gbx_tokens_free(struct gbx_tokens *tokens);
static inline void gbx_tokens_freep(struct gbx_tokens **tokens) { *tokens = gbx_tokens_free(*tokens); }

/* 0: added. 1: left out for its length. -E2BIG: the set is full. */
int gbx_tokens_add(struct gbx_tokens *tokens, const char *value, size_t size, struct gbx_error *err);

size_t gbx_tokens_count(const struct gbx_tokens *tokens);

/* All of a set in bytes, for gbx_tokens_import by another one of the same key: gbx-parse's way to hand on what it found.
 * -EINVAL: these bytes are not such an export; nothing was added. */
int gbx_tokens_export(const struct gbx_tokens *tokens, struct gbx_buffer *ret_bytes, struct gbx_error *err);
int gbx_tokens_import(struct gbx_tokens *tokens, const void *data, size_t size, struct gbx_error *err);

/* The set as a memory file without a name, at its start; returns the descriptor. */
int gbx_tokens_write(struct gbx_tokens *tokens, struct gbx_error *err);
int gbx_tokens_read(struct gbx_tokens **ret, int fd, struct gbx_error *err);

/* Whether a value of the set stands in the text. The set was written or read before. */
bool gbx_tokens_find(const struct gbx_tokens *tokens, const char *text, size_t size);
