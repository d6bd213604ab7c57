/*
 * Chunks of an age file, spread over threads
 *
 * Each worker takes the next few chunks from a common counter, so a slow core
 * holds nobody up. The first error stops all; it is the one reported.
 */
#pragma once

#include "runtime/vault/age_internal.h"

enum { GBX_AGE_SPAN = 4 }; /* chunks taken at once: 256 KiB, which stays in the second-level cache */

/* What one thread has to itself. */
struct gbx_age_worker {
        EVP_CIPHER_CTX *cipher;
        struct gbx_secret plain; /* GBX_AGE_SPAN chunks */
        uint8_t *sealed;         /* GBX_AGE_SPAN sealed chunks */
};

/* Makes the worker's cipher. */
typedef int (*gbx_age_cipher_function)(void *context, EVP_CIPHER_CTX **ret, struct gbx_error *err);
/* Works on the chunks [first, first + count). */
typedef int (*gbx_age_span_function)(void *context, struct gbx_age_worker *worker, uint64_t first, size_t count,
                                     struct gbx_error *err);

/* `threads` 0: one for each CPU that this process may use. The caller is one of them. */
int gbx_age_on_all_chunks(gbx_age_cipher_function new_cipher, gbx_age_span_function span, void *context,
                          uint64_t chunks, unsigned threads, struct gbx_error *err);
