/*
 * Rehearsal: an algorithm on dummy data, before anybody has approved it
 *
 * Runs in the same sandbox, under the same limits and through the same gate as
 * the real thing, on the dummy twins of the datasets (dummy.h). Since nothing
 * real is touched, its outputs and findings are shown to the analyst in full.
 * Running twice tells whether the outputs are the same bytes each time, which
 * replay will need.
 */
#pragma once

#include "base/error.h"
#include "gateway/gate/gate.h"
#include "gateway/run/outcome.h"
#include "gateway/store/site.h"

struct gbx_rehearsal {
        enum gbx_run_state state; /* GBX_RUN_RELEASED: it ran to its end */
        json_t *reasons;          /* why it did not, in the words of a real run */
        struct gbx_gate_result gate;
        bool deterministic; /* two runs gave the same outputs; false if not run twice */
};

struct gbx_rehearsal_order {
        const struct gbx_buffer *program;
        const char *engine;
        const struct gbx_policy *policy; /* limits, gate and datasets */
        json_t *parameters;              /* NULL: the first allowed value of each required one */
        bool twice;
        int cancel; /* once it can be read, the rehearsal is ended; 0: it cannot be */
};

int gbx_rehearse(struct gbx_site *site, const struct gbx_rehearsal_order *order, struct gbx_rehearsal *ret, struct gbx_error *err);
void gbx_rehearsal_free(struct gbx_rehearsal *rehearsal);
