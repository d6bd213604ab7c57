/*
 * Deciding on a run, and writing the decision down
 *
 * The request object holds every input of the decision (policy digest,
 * datasets with versions, all approvals with statements, signatures and keys,
 * the time); the log entry carries its digest, so that replay decides again
 * from the same bytes.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "gateway/run/order.h"
#include "gateway/store/living.h"
#include "gateway/store/transaction.h"
#include "policy/decision.h"

struct gbx_decision {
        char id[GBX_RUN_ID_SIZE];
        bool allowed;
        json_t *reasons; /* array of texts "code: sentence" */
        char request[GBX_SHA256_TEXT_SIZE];
        uint64_t entry; /* of the log */
        struct gbx_living *living; /* if it is allowed: the run's mark, made before the entry, so that nobody takes it for dead */
};

/* What would be decided now; nothing is recorded. `ret_verdict` is freed with gbx_verdict_free. */
int gbx_decide_explain(struct gbx_site *site, const struct gbx_run_order *order, struct gbx_verdict *ret_verdict,
                       struct gbx_error *err);

/* The requester is the caller. One transaction from gathering to recording. */
int gbx_decide_and_record(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_run_order *order, struct gbx_decision *ret,
                          struct gbx_error *err);
void gbx_decision_free(struct gbx_decision *decision);

/* Reasons as texts for the log and for people. */
json_t *gbx_verdict_reasons(const struct gbx_verdict *verdict);
