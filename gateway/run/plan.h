/* Plans: what a recorded request says must be executed. Used by a run and by its replay. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/run/executor.h"
#include "gateway/run/order.h"
#include "gateway/store/site.h"
#include "policy/decision.h"

/* Filled from a run's recorded request (an object of the site). */
struct gbx_run_plan {
        struct gbx_run_request request;
        struct gbx_policy *policy;
        json_t *datasets; /* rows of the view */
        struct gbx_buffer program;
};
int gbx_run_plan_load(struct gbx_site *site, const char *request_digest, struct gbx_run_plan *ret, struct gbx_error *err);
void gbx_run_plan_free(struct gbx_run_plan *plan);
void gbx_run_plan_execution(struct gbx_site *site, const struct gbx_run_plan *plan, const char *id,
                            struct gbx_execution *ret_execution);
