/*
 * A job from request to outcome
 *
 *   decide   policy/decision.h on (policy in force, request, state); recorded with the digest of its inputs
 *   run      execute.h; start, end, resources and every denied system call are recorded
 *   gate     handover.h: check, then release, hold or refuse
 *
 * What an analyst learns of a run is in gbx_run_outcome and nothing else; its
 * words are a fixed vocabulary.
 */
#pragma once

#include "base/error.h"
#include "gateway/execute.h"
#include "gateway/store/site.h"
#include "policy/decision.h"

enum { GBX_RUN_ID_SIZE = 24 };

struct gbx_run_order {
        const char *requester;
        const char *algorithm; /* digest, first digits of one, or a unique name */
        const char *purpose;
        const char *const *datasets;
        size_t dataset_count;
        json_t *parameters; /* object; borrowed */
        void (*progress)(void *userdata, double fraction);
        void *userdata;
};

enum gbx_run_state {
        GBX_RUN_DENIED,   /* by policy: nothing ran */
        GBX_RUN_FAILED,   /* the job ended in an error */
        GBX_RUN_LIMITED,  /* the job reached a limit */
        GBX_RUN_HELD,     /* outputs wait for a reviewer */
        GBX_RUN_REFUSED,  /* outputs may not leave */
        GBX_RUN_RELEASED,
};

struct gbx_run_outcome {
        enum gbx_run_state state;
        char id[GBX_RUN_ID_SIZE];
        json_t *reasons; /* array of texts, fixed vocabulary */
        json_t *report;  /* resources used; NULL if nothing ran */
};

int gbx_run_job(struct gbx_site *site, const struct gbx_run_order *order, struct gbx_run_outcome *ret, struct gbx_error *err);
void gbx_run_outcome_free(struct gbx_run_outcome *outcome);
const char *gbx_run_state_name(enum gbx_run_state state);

/* How an execution ended, in the words an analyst may see; GBX_RUN_RELEASED stands for "ran to its end".
 * `ret_reason` gets a text or NULL. */
enum gbx_run_state gbx_run_judge(const struct gbx_execution_result *result, json_t **ret_reason);

/* What a request says must be executed: filled from a run's recorded request (objects). Used by replay too. */
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
