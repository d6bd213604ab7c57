/*
 * Provenance: a signed statement of what a release is and how it came about
 *
 * An in-toto Statement v1 whose subjects are the released files by SHA-256,
 * in a DSSE v1 envelope signed with Ed25519. The predicate names run,
 * algorithm, datasets, policy, approvals, checks and mark by digest; it never
 * carries a value of the data.
 *
 * Sources: github.com/in-toto/attestation (spec/v1), github.com/secure-systems-lab/dsse
 * (protocol and envelope).
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <jansson.h>

#define GBX_PROVENANCE_PAYLOAD_TYPE "application/vnd.in-toto+json"
#define GBX_PROVENANCE_STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define GBX_PROVENANCE_PREDICATE_TYPE "https://glovebox.invalid/release/v1"

struct gbx_provenance_subject {
        const char *name;
        uint8_t digest[GBX_SHA256_SIZE];
};

/* Appends the bytes that DSSE signs (pre-authentication encoding). */
int gbx_dsse_encode(const char *type, const void *payload, size_t size, struct gbx_buffer *ret, struct gbx_error *err);

/* Makes the statement (the predicate is borrowed), signs it, appends the envelope as one line of JSON. */
int gbx_provenance_sign(const struct gbx_provenance_subject *subjects, size_t count, json_t *predicate,
                        const uint8_t seed[static GBX_ED25519_SEED_SIZE], struct gbx_buffer *ret_envelope,
                        struct gbx_error *err);

/* Checks the envelope's signature and returns the statement inside, the caller's to json_decref.
 * -EINVAL: not such an envelope; -EBADMSG: not signed by this key. */
int gbx_provenance_verify(const void *envelope, size_t size, const uint8_t public_key[static GBX_ED25519_PUBLIC_SIZE],
                          json_t **ret_statement, struct gbx_error *err);

/* Whether a file's digest is among the subjects: returns the subject's name or NULL. */
const char *gbx_provenance_find(const json_t *statement, const uint8_t digest[static GBX_SHA256_SIZE]);
