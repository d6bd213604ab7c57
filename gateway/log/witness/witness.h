/*
 * A witness (C2SP tlog-witness, v1.0.0): remembers the newest checkpoint of
 * each log that it knows and cosigns only what extends it
 *
 * This is all but the HTTP around it (witness_main.c). The new checkpoint is on
 * disk before the cosignature is given out, and one process at a time owns the state.
 *
 *   request   old SIZE LF, up to 63 lines of base64, empty line, checkpoint
 *   200       cosignature lines
 *   400       malformed, or the old size is above the checkpoint's
 *   403       no valid signature by a key that is trusted for the origin
 *   404       unknown origin
 *   409       the old size is not the recorded one, which is the body (text/x.tlog.size)
 *   422       the consistency proof does not verify
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/log/format/merkle.h"
#include "gateway/log/format/note.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_witness;

enum { GBX_WITNESS_REQUEST_MAX = GBX_NOTE_SIZE_MAX + 8 * 1024 };

/* Opens the state in directory `path` (made if it is missing). `signer` is copied; a key of type 01 is used as a
 * cosigner's. -EBUSY: another witness uses the state. */
int gbx_witness_open(struct gbx_witness **ret, int directory, const char *path, const struct gbx_note_signer *signer,
                     struct gbx_error *err);

/* Takes NULL; returns NULL. */
struct gbx_witness *gbx_witness_free(struct gbx_witness *witness);
static inline void gbx_witness_freep(struct gbx_witness **witness) { *witness = gbx_witness_free(*witness); }

/* Trusts a log; its origin is the name of the key. Several keys may share an origin. */
int gbx_witness_trust(struct gbx_witness *witness, const struct gbx_note_verifier *log, struct gbx_error *err);

/* The key that verifies this witness's cosignatures. */
const struct gbx_note_verifier *gbx_witness_verifier(const struct gbx_witness *witness);

struct gbx_witness_answer {
        unsigned status;          /* of HTTP */
        const char *content_type; /* static */
        struct gbx_buffer body;   /* the caller's to free */
};

/* Answers an add-checkpoint request at time `now` (seconds since 1970). Negative only where the witness itself
 * fails (its disk, say): answer 500. */
int gbx_witness_add_checkpoint(struct gbx_witness *witness, const void *request, size_t size, uint64_t now,
                               struct gbx_witness_answer *answer, struct gbx_error *err);

/* --- requests, for both ends ---------------------------------------------- */

struct gbx_witness_request {
        uint64_t old_size;
        struct gbx_merkle_proof proof;
        const char *message; /* the checkpoint; points into the request */
        size_t message_size;
};

/* Reads a request; strict (-EINVAL). */
int gbx_witness_request_parse(const void *request, size_t size, struct gbx_witness_request *ret, struct gbx_error *err);

/* Appends a request. */
int gbx_witness_request_format(uint64_t old_size, const struct gbx_merkle_proof *proof, const struct gbx_buffer *message,
                               struct gbx_buffer *ret, struct gbx_error *err);
