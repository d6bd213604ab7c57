/*
 * A job from order to outcome
 *
 *   decide   run/decide.h: policy/decision.h on (policy in force, request, state); recorded with the digest of its inputs
 *   run      executor/local.h; start, end, resources and every denied system call are recorded
 *   gate     handover/handover.h: check, then release, hold or refuse
 */
#pragma once

#include "base/error.h"
#include "gateway/run/order.h"
#include "gateway/run/outcome.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

/* The requester is the caller. */
int gbx_run_job(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_run_order *order, struct gbx_run_outcome *ret,
                struct gbx_error *err);
