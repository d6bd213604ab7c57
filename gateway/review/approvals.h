/*
 * Approvals: what a reviewer signs, and taking a signature in
 *
 * A statement (policy/approval.h) is made from what the site knows: the
 * algorithm, the policy in force for a purpose and the current versions of the
 * datasets it covers. A signature over exactly these bytes is verified against
 * the reviewer's key before it is recorded, and again whenever a run is decided.
 * An approval that would not count (policy/reviewer.h) is neither made nor taken.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "policy/approval.h"

#include <jansson.h>

/* The statement for a reviewer. -EKEYREJECTED: it would not count. `expires` 0: as long as the policy lets approvals live. */
int gbx_make_statement(struct gbx_site *site, const json_t *algorithm, const char *purpose, const char *reviewer, int64_t expires,
                       struct gbx_buffer *ret_text, struct gbx_error *err);

/* A statement's bytes and the armored SSHSIG over them. */
struct gbx_signed_statement {
        const void *statement;
        size_t statement_size;
        const void *signature;
        size_t signature_size;
};

/* Whether a statement is the one that the site would have made at `time` about the algorithm, and neither withdrawn nor
 * older than the reviewer's last rejection. `digest` is that of its bytes. 0: yes. GBX_STATEMENT_STANDS: yes, and an
 * approval with it stands already. */
enum { GBX_STATEMENT_STANDS = 1 };
int gbx_check_statement(struct gbx_site *site, const json_t *algorithm, const struct gbx_approval *approval, const void *statement,
                        size_t size, int64_t time, const char *digest, struct gbx_error *err);

/* Takes an approval in: the caller must be the statement's reviewer, the statement about this site and algorithm as they
 * stand now and never used before, the signature good; and the approval must count under the policy. */
int gbx_take_approval(struct gbx_site *site, const struct gbx_caller *caller, const json_t *algorithm,
                      const struct gbx_signed_statement *given, struct gbx_error *err);

/* Rejects an algorithm: approvals that the caller gave it are withdrawn for good. */
int gbx_reject_algorithm(struct gbx_site *site, const struct gbx_caller *caller, const json_t *algorithm, const char *reason,
                         struct gbx_error *err);
