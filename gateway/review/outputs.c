#include "gateway/review/outputs.h"

#include "base/cleanup.h"
#include "gateway/handover/handover.h"
#include "gateway/run/plan.h"
#include "base/json.h"
#include "gateway/store/fact.h"
#include "gateway/store/transaction.h"

#include <string.h>

static int find_held(struct gbx_site *site, const char *run, const struct gbx_caller *reviewer, json_t **ret_row, struct gbx_error *err) {
        int r = gbx_fact_one(site, ret_row, err, "run", "id=?1 AND state IN ('held', 'approved')", run, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there are no held outputs of '%s' (gbx review ls)", run);
        if (strcmp(json_string_value(json_object_get(*ret_row, "requester")), gbx_caller_name(reviewer)) == 0)
                return gbx_fail(err, -EKEYREJECTED, "'%s' asked for this run and cannot review its outputs", gbx_caller_name(reviewer));
        return 0;
}

int gbx_review_release(struct gbx_site *site, const char *run, const struct gbx_caller *reviewer, const char *reason, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL, *reasons = NULL;
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_run_plan_free) struct gbx_run_plan plan = {};
        int r;

        if (!reason || !*reason)
                return gbx_fail(err, -EINVAL, "say why the held outputs may leave: --reason TEXT");
        r = gbx_transaction_begin(&transaction, site, reviewer, "review approve", err);
        if (r >= 0)
                r = find_held(site, run, reviewer, &row, err);
        if (r >= 0)
                r = gbx_hold_load(site, run, &result, err);
        if (r >= 0 && result.table_count == 0)
                r = gbx_fail(err, -ENOENT, "the gate could not make a table of the outputs of %s: nothing can be released", run);
        if (r >= 0)
                r = gbx_run_plan_load(site, json_string_value(json_object_get(row, "request")), &plan, err);
        if (r < 0)
                return r;
        reasons = json_pack("[s]", reason);
        /* "approved" already: an earlier attempt died between its entry and the release, which is now made. */
        if (strcmp(json_string_value(json_object_get(row, "state")), "held") == 0)
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "release.approve", run, "done", reasons, NULL }, NULL, err);
        if (r >= 0)
                r = gbx_release(transaction, run, &plan, &result, json_string_value(json_object_get(row, "findings")), err);
        if (r >= 0)
                r = gbx_hold_drop(site, run, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}

int gbx_review_refuse(struct gbx_site *site, const char *run, const struct gbx_caller *reviewer, const char *reason, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL, *reasons = json_pack("[s]", reason);
        int r = gbx_transaction_begin(&transaction, site, reviewer, "review reject", err);

        if (r >= 0)
                r = find_held(site, run, reviewer, &row, err);
        if (r >= 0 && strcmp(json_string_value(json_object_get(row, "state")), "held") != 0)
                r = gbx_fail(err, -EKEYREJECTED, "the outputs of '%s' are approved already", run);
        if (r >= 0)
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "release.reject", run, "done", reasons, NULL }, NULL, err);
        if (r >= 0)
                r = gbx_hold_drop(site, run, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}
