/*
 * The request: every input of the decision on a run, gathered from facts
 *
 * Built once when a run is decided, and again by replay from the view as it was
 * then: the two must be the same, field by field.
 */
#pragma once

#include "base/error.h"
#include "gateway/run/order.h"
#include "gateway/store/site.h"
#include "policy/decision.h"
#include "policy/policy.h"

#include <stdbool.h>

/* `algorithm` is a row of the view; `policy` is the one in force for the order's purpose, NULL if there is none; `time`
 * in seconds since 1970. The JSON is that of policy/decision.h. */
int gbx_request_build(struct gbx_site *site, const struct gbx_run_order *order, const json_t *algorithm, const struct gbx_policy *policy,
                      int64_t time, json_t **ret, struct gbx_error *err);

/* Whether what a run was allowed by is gone: its requester, a dataset, an approval, by the facts of now under the run's
 * own policy. Time is that of the request: an approval that ran out meanwhile was good when it was needed. */
int gbx_request_withdrawn(struct gbx_site *site, const struct gbx_run_request *recorded, const struct gbx_policy *policy, bool *ret,
                          struct gbx_error *err);
