/*
 * Approval statements
 *
 * What a reviewer signs. The text is deterministic, so that it can be made
 * again from its parts and read by the signer:
 *
 *   glovebox approval v2
 *   site: gbx.example/demo-1f2e
 *   decision: approve
 *   algorithm: sha256:…
 *   engine: lua
 *   dataset: credit 1 sha256:…      (one line each, sorted by name)
 *   purpose: credit-scoring
 *   policy: sha256:…
 *   reviewer: wang
 *   made: 2026-11-25T00:00:00Z
 *   expires: 2027-02-23T00:00:00Z
 *   nonce: 00112233445566778899aabbccddeeff
 *
 * The site makes time and nonce when it makes the statement: no two statements
 * are the same, and one that was withdrawn stays withdrawn. Lines end with LF,
 * the last one too. Parsing accepts nothing but what gbx_approval_text writes.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "policy/policy.h"
#include "policy/statement.h"

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_APPROVAL_MAX_DATASETS = 64,
        GBX_APPROVAL_MAX_BYTES = GBX_STATEMENT_MAX_BYTES,
};

struct gbx_approval_dataset {
        char name[65];
        uint64_t version;
        char digest[GBX_SHA256_TEXT_SIZE]; /* of the dataset's manifest */
};

struct gbx_approval {
        char site[GBX_SITE_NAME_MAX + 1];
        char algorithm[GBX_SHA256_TEXT_SIZE];
        enum gbx_engine engine;
        struct gbx_approval_dataset datasets[GBX_APPROVAL_MAX_DATASETS];
        size_t dataset_count;
        char purpose[65];
        char policy[GBX_SHA256_TEXT_SIZE];
        char reviewer[65];
        int64_t made, expires; /* UTC seconds since 1970 */
        char nonce[GBX_NONCE_TEXT_SIZE];
};

/* Checks and sorts the parts, then appends the text. -EINVAL for parts that cannot stand in a statement. */
int gbx_approval_text(const struct gbx_approval *approval, struct gbx_buffer *buffer, struct gbx_error *err);

/* Errors: -EINVAL, with the line. */
int gbx_approval_parse(const char *text, size_t size, struct gbx_approval *ret, struct gbx_error *err);
