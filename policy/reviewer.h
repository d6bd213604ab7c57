/*
 * Who counts as a reviewer
 *
 * Under a policy and for one algorithm or run: a principal with a key and the
 * role, whom the policy names (or anybody, where it names nobody), and who is
 * neither the submitter nor the requester under another name. What is signed
 * is another question (decision.h, decision_outputs.h).
 */
#pragma once

#include "base/error.h"
#include "policy/decision.h"
#include "policy/person.h"

enum gbx_review {
        GBX_REVIEW_ALGORITHM, /* approvals: reasons are "approval-…" */
        GBX_REVIEW_OUTPUTS,   /* held outputs: reasons are "review-…" */
};

/* What is known of somebody; `key` is a public key line or NULL. */
struct gbx_reviewer {
        const char *name;
        unsigned roles;
        const char *key;
};

/* Whether what this reviewer signs can count: outcome GBX_OUTCOME_ALLOWED, or GBX_OUTCOME_DENIED with all reasons (key,
 * role, reviewer, submitter, requester). `requester` may be NULL: an algorithm is approved before anybody runs it.
 * -EINVAL for a malformed key line. */
int gbx_policy_reviewer_counts(const struct gbx_policy *policy, enum gbx_review review, const struct gbx_reviewer *reviewer,
                               const struct gbx_reviewer *submitter, const struct gbx_reviewer *requester,
                               struct gbx_verdict *ret, struct gbx_error *err);

/* The same question inside a decision: adds the reasons to `verdict`. 0: counts, 1: does not. `key_known`: the reviewer
 * has a key line now, well-formed or not. */
int gbx_reviewer_check(const struct gbx_policy *policy, enum gbx_review review, const struct gbx_person *reviewer, bool key_known,
                       unsigned roles, const struct gbx_person *submitter, const struct gbx_person *requester,
                       struct gbx_verdict *verdict, struct gbx_error *err);
