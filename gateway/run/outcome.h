/*
 * How a run came out, as its requester may know it
 *
 * What an analyst learns of a run is in gbx_run_outcome and nothing else; its
 * words are a fixed vocabulary.
 */
#pragma once

#include "gateway/run/executor.h"
#include "gateway/run/order.h"

enum gbx_run_state {
        GBX_RUN_DENIED,   /* by policy: nothing ran */
        GBX_RUN_FAILED,   /* the job ended in an error */
        GBX_RUN_LIMITED,  /* the job reached a limit */
        GBX_RUN_HELD,     /* outputs wait for a reviewer */
        GBX_RUN_REFUSED,  /* outputs may not leave */
        GBX_RUN_RELEASED,
        GBX_RUN_CANCELLED, /* ended by who asked for it */
};

struct gbx_run_outcome {
        enum gbx_run_state state;
        char id[GBX_RUN_ID_SIZE];
        json_t *reasons; /* array of texts, fixed vocabulary */
        json_t *report;  /* resources used; NULL if nothing ran */
};

void gbx_run_outcome_free(struct gbx_run_outcome *outcome);
const char *gbx_run_state_name(enum gbx_run_state state);

/* How an execution ended, in the words an analyst may see (words.h, and of a job's own what `messages` passes on);
 * GBX_RUN_RELEASED stands for "ran to its end". `ret_reason` gets a text or NULL. */
enum gbx_run_state gbx_run_judge(const struct gbx_execution_result *result, const struct gbx_policy_messages *messages,
                                 json_t **ret_reason);
