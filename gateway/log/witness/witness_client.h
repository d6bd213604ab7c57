/*
 * The log's side of witnessing: submits checkpoints and collects cosignatures
 *
 * Each witness of the policy that has a URL is asked, all at the same time.
 * How far each one is stands in DIR/.state/witnesses. A witness that is away
 * costs nothing but the time limit; it is asked again with the next checkpoint
 * and then catches up.
 */
#pragma once

#include "base/error.h"
#include "gateway/log/writer/log.h"
#include "gateway/log/format/witness_policy.h"

#include <stdbool.h>
#include <stdint.h>

struct gbx_witness_status {
        char name[GBX_POLICY_NAME_SIZE];
        bool cosigned;     /* the newest checkpoint */
        uint64_t size;     /* of the newest checkpoint that it cosigned; 0: none yet */
        uint64_t time;     /* of that cosignature, seconds since 1970 */
        uint64_t behind;   /* entries of the newest checkpoint that it has not seen */
        uint64_t ahead;    /* entries that it has seen and the log does not have: the log is an older copy */
        char problem[192]; /* of this round; "" if it answered well */
};

/* Submits the newest checkpoint and adds the cosignatures to the published one. `ret_statuses` has
 * GBX_POLICY_WITNESSES_MAX elements; `*ret_count` of them are filled. 0 even if no witness answered. */
int gbx_witness_submit(struct gbx_log *log, const struct gbx_witness_policy *policy, unsigned timeout_ms,
                       struct gbx_witness_status *ret_statuses, size_t *ret_count, struct gbx_error *err);

/* The same without asking anybody: what is known from earlier rounds. */
int gbx_witness_known(struct gbx_log *log, const struct gbx_witness_policy *policy,
                      struct gbx_witness_status *ret_statuses, size_t *ret_count, struct gbx_error *err);
