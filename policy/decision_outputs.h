/*
 * May held outputs leave? What reviewers decided about them
 *
 * The gate held the outputs of a run (gbx_decide_release, "hold"). Reviewers
 * read them and sign output statements (policy/output_statement.h); this pure
 * function says what follows from those, under the policy's `output-review`.
 *
 * release   enough eligible reviewers approved, and none rejected
 * hold      too few so far
 * refuse    an eligible reviewer rejected; a rejection stands until it is
 *           withdrawn, whatever the others or the same reviewer signed
 */
#pragma once

#include "base/error.h"
#include "policy/decision.h"
#include "policy/output_statement.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct gbx_outputs_decision {
        char *reviewer;     /* the principal who made it */
        unsigned roles;     /* of the reviewer now */
        char *key;          /* the reviewer's public key line now; NULL: removed */
        uint64_t key_since; /* the entry since which the reviewer is active with this key */
        char *statement;    /* the bytes that were signed */
        char *signature;    /* armored SSHSIG */
        uint64_t seq;       /* the entry that recorded it */
        bool withdrawn;
};

/*
 * As JSON (strict; every key is required, but keys of people may be null; decisions stand in the order of their
 * entries):
 *
 * {"site":"…","now":"2026-11-25T02:30:00Z","run":"run-000007","outputs":"sha256:…","findings":"sha256:…",
 *  "recipient":"bank-a","policy":"sha256:…","requester":"bank-a","requester_key":"ssh-ed25519 …","submitter":"bank-b",
 *  "submitter_key":"ssh-ed25519 …",
 *  "decisions":[{"reviewer":"wang","roles":"reviewer","key":"ssh-ed25519 …","key_since":3,"statement":"…",
 *                "signature":"…","seq":17,"withdrawn":false}]}
 */
struct gbx_outputs_request {
        char *site;
        int64_t now; /* UTC seconds since 1970 */
        char *run;
        char *outputs;       /* gbx_outputs_digest of the canonical outputs as they would leave */
        char *findings;      /* digest of the gate's findings */
        char *recipient;
        char *policy;        /* digest of the policy the run was decided by */
        char *requester;     /* of the run */
        char *requester_key; /* public key line, also of somebody who was removed; NULL: none known */
        char *submitter;     /* of the algorithm */
        char *submitter_key;
        struct gbx_outputs_decision *decisions;
        size_t decision_count;
};

int gbx_outputs_request_from_json(const json_t *json, struct gbx_outputs_request *ret, struct gbx_error *err);
int gbx_outputs_request_to_json(const struct gbx_outputs_request *request, json_t **ret, struct gbx_error *err);
void gbx_outputs_request_free(struct gbx_outputs_request *request);

/* `policy` is the one whose digest the request names: -EINVAL if it is another one.
 * Reason codes: recipient, too-few-reviews, outputs-rejected, outputs-approved (not a complaint); and for each decision
 * that does not count:
 *
 *   review-signature, review-statement     not signed by the reviewer's key, or no statement
 *   review-site, -run, -outputs, -findings,
 *   -recipient, -policy, -reviewer         about something else than these outputs
 *   review-made                            made at a time that has not come yet
 *   review-role, -reviewer, -key           of somebody who may not review outputs (any more)
 *   review-before-key                      recorded before the reviewer was (re-)added or got this key
 *   review-requester                       of the one who asked for the run, by name or by key: never counts
 *   review-submitter                       the same of the algorithm's submitter, where the policy excludes them
 *   review-withdrawn, -replayed            withdrawn, or the statement of one that was
 *   review-repeated                        an approval of a person or a key that counts already
 */
int gbx_decide_outputs(const struct gbx_policy *policy, const struct gbx_outputs_request *request, struct gbx_verdict *ret,
                       struct gbx_error *err);
