/* The question that policy/decision_outputs.h answers, gathered from facts (internal to gateway/review) */
#pragma once

#include "base/error.h"
#include "gateway/review/approvals.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "policy/decision.h"
#include "policy/policy.h"

#include <jansson.h>

/* The policy that a run was decided by. `row` is the run's. */
int gbx_outputs_policy(struct gbx_site *site, const json_t *row, struct gbx_policy **ret, struct gbx_error *err);

/* What would be decided with one more word, of the caller, that is not recorded yet. Reasons about the words before it
 * are left out. */
int gbx_outputs_decide_with(struct gbx_site *site, const json_t *row, int64_t time, const struct gbx_caller *caller,
                            const struct gbx_signed_statement *given, struct gbx_verdict *ret, struct gbx_error *err);
