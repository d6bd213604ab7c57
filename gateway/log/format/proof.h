/*
 * Offline proofs (C2SP tlog-proof, file name ending .tlog-proof)
 *
 *   c2sp.org/tlog-proof@v1
 *   [extra BASE64]
 *   index N
 *   BASE64 hash, a line each
 *   (empty line)
 *   signed checkpoint, as it was
 *
 * A receipt: together with an entry and the log's verifier key it shows that
 * the entry stands in the log, without the log. `extra` is not authenticated by
itself; our proofs carry the entry there, which the path then authenticates.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/format/merkle.h"

#include <stddef.h>
#include <stdint.h>

struct gbx_proof {
        uint64_t index;
        struct gbx_merkle_proof path;
        const char *extra; /* base64, points into the text; NULL if there is none */
        size_t extra_size;
        const char *message; /* the signed checkpoint, points into the text */
        size_t message_size;
};

/* Reads a proof; strict (-EINVAL). It points into `text`. Nothing is verified yet. */
int gbx_proof_parse(const char *text, size_t size, struct gbx_proof *ret, struct gbx_error *err);

/* Appends a proof. `extra` (may be NULL) goes into the extra line. */
int gbx_proof_format(uint64_t index, const struct gbx_merkle_proof *path, const char *message, size_t message_size,
                     const struct gbx_bytes *extra, struct gbx_buffer *ret, struct gbx_error *err);

/* 0 if the log of `verifier` (and `origin`, NULL: the verifier's name) holds `entry` at the proof's index;
 * -EBADMSG if that is not shown. `ret_checkpoint` may be NULL. */
int gbx_proof_verify(const struct gbx_proof *proof, const void *entry, size_t entry_size,
                     const struct gbx_note_verifier *verifier, const char *origin,
                     struct gbx_checkpoint *ret_checkpoint, struct gbx_error *err);
