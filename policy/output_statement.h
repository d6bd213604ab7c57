/*
 * Output statements: what a reviewer signs to let held outputs go, or to stop them
 *
 *   glovebox output decision v1
 *   site: gbx.example/demo-1f2e
 *   run: run-000007
 *   decision: approve               (or reject)
 *   outputs: sha256:…               (gbx_outputs_digest, below)
 *   findings: sha256:…              (what the gate found, as the log names it)
 *   recipient: bank-a
 *   policy: sha256:…
 *   reason: sha256:…                (of the bytes of the reviewer's reason)
 *   reviewer: wang
 *   made: 2026-11-25T00:00:00Z
 *   nonce: 00112233445566778899aabbccddeeff
 *
 * The form is that of policy/statement.h. Parsing accepts nothing but what
 * gbx_output_statement_text writes.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "policy/statement.h"

#include <stddef.h>
#include <stdint.h>

enum gbx_output_decision { GBX_OUTPUT_APPROVE, GBX_OUTPUT_REJECT };

struct gbx_output_statement {
        char site[GBX_SITE_NAME_MAX + 1];
        char run[65];
        enum gbx_output_decision decision;
        char outputs[GBX_SHA256_TEXT_SIZE];
        char findings[GBX_SHA256_TEXT_SIZE];
        char recipient[65];
        char policy[GBX_SHA256_TEXT_SIZE];
        char reason[GBX_SHA256_TEXT_SIZE];
        char reviewer[65];
        int64_t made; /* UTC seconds since 1970 */
        char nonce[GBX_NONCE_TEXT_SIZE];
};

/* Appends the text. -EINVAL for parts that cannot stand in a statement. */
int gbx_output_statement_text(const struct gbx_output_statement *statement, struct gbx_buffer *buffer, struct gbx_error *err);

/* Errors: -EINVAL, with the line. */
int gbx_output_statement_parse(const char *text, size_t size, struct gbx_output_statement *ret, struct gbx_error *err);

/* One output that would leave: its name and the digest of its canonical bytes, "sha256:…". */
struct gbx_output_item {
        const char *name;
        const char *digest;
};

/* The one digest of all outputs of a run: SHA-256 of the lines "DIGEST NAME\n", sorted by name. -EINVAL for no
 * outputs, a name that is none (base/text.h), stands twice, or a malformed digest. */
int gbx_outputs_digest(const struct gbx_output_item *items, size_t count, char ret_digest[static GBX_SHA256_TEXT_SIZE],
                       struct gbx_error *err);
