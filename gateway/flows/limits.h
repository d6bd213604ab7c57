/*
 * What flows of several runs share: circuit breakers and the quotas of the day
 *
 * Both come from the view, and so from the log: a restart forgets nothing.
 *
 * A breaker belongs to an analyst or a dataset. When its refusals and failures
 * in the policy's window are too many, it opens (an entry, breaker.open), and
 * flows of that analyst, or of runs on that dataset, are refused until an
 * administrator closes it (`gbx flows close-breaker`, breaker.close). Only what
 * happens afterwards is counted then.
 *
 * The proxy counts its own run. What other runs use meanwhile is seen with
 * each record that this one makes.
 */
#pragma once

#include "base/error.h"
#include "gateway/run/plan.h"
#include "gateway/store/transaction.h"
#include "policy/flow_refusal.h"

#include <jansson.h>

/* Adds "used-today" and "quotas" to a proxy's configuration (egress/config.h). */
int gbx_flow_limits_configure(struct gbx_site *site, const struct gbx_run_plan *plan, json_t *config, struct gbx_error *err);

/* Opens the breakers that have failures enough, if the last record was of one; then says whether the run's flows must end:
 * GBX_REFUSAL_BREAKER, GBX_REFUSAL_QUOTA or GBX_REFUSAL_NONE. */
int gbx_flow_limits_check(struct gbx_transaction *transaction, const struct gbx_run_plan *plan, const char *id, bool failed,
                          enum gbx_refusal *ret, struct gbx_error *err);

/* What was used on a day ("2026-11-25"; NULL: today), as rows of the view, one for each analyst, purpose, dataset and rule. */
int gbx_flow_usage(struct gbx_site *site, const char *day, json_t **ret, struct gbx_error *err);

/* The breakers that are open, as rows of the view. */
int gbx_flow_breakers(struct gbx_site *site, json_t **ret, struct gbx_error *err);

/* Closes one. -ENOENT: it is not open. */
int gbx_flow_breaker_close(struct gbx_site *site, const struct gbx_caller *caller, const char *kind, const char *name, struct gbx_error *err);
