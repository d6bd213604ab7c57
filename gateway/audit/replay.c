#include "gateway/audit/replay.h"

#include "base/cleanup.h"
#include "gateway/executor/local.h"
#include "gateway/gate/check.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"
#include "gateway/audit/checks.h"
#include "gateway/run/plan.h"
#include "base/json.h"
#include "gateway/store/fact.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

void gbx_replay_free(struct gbx_replay *replay) {
        json_decref(replay->divergences);
        json_decref(replay->notes);
        *replay = (struct gbx_replay){};
}

static int visit(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        struct gbx_replay_state *state = context;
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        struct gbx_error problem = {};
        int r;

        state->index = index;
        state->report->entries++;
        if (gbx_entry_parse(data, size, &entry, &problem) < 0) {
                state->action = "?";
                r = gbx_replay_diverge(state, err, "not a well-formed entry: %s", problem.message);
                return r < 0 ? r : 1; /* what follows cannot be applied */
        }
        state->entry = entry;
        state->action = json_string_value(json_object_get(entry, "action"));
        r = gbx_replay_check(state, err);
        return r < 0 ? r : gbx_view_apply(state->view, NULL, index, data, size, err);
}

int gbx_replay_log(struct gbx_site *site, struct gbx_replay *ret, struct gbx_error *err) {
        gbx_auto(gbx_replay_free) struct gbx_replay report = { .divergences = json_array(), .notes = json_array() };
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        struct gbx_replay_state state = { .site = site, .report = &report };
        uint8_t expected[GBX_SHA256_SIZE], found[GBX_SHA256_SIZE];
        int r = gbx_view_open(&view, ":memory:", NULL, err);

        state.view = view;
        if (r >= 0)
                r = gbx_transaction_begin_system(&transaction, site, err);
        if (r < 0)
                return r;
        r = gbx_log_each(site->log, 0, visit, &state, err);
        if (r >= 0)
                r = gbx_view_digest(view, expected, err);
        if (r >= 0)
                r = gbx_view_digest(site->view, found, err);
        if (r < 0)
                return r;
        report.view_equal = memcmp(expected, found, sizeof found) == 0;
        *ret = report;
        report = (struct gbx_replay){};
        return 0;
}

int gbx_replay_run(struct gbx_site *site, const char *run, char ret_recorded[static 72], char ret_found[static 72],
                   struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        gbx_auto(gbx_run_plan_free) struct gbx_run_plan plan = {};
        gbx_auto(gbx_execution_result_free) struct gbx_execution_result result = {};
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result gate = {};
        struct gbx_execution execution;
        const char *output;
        int r = gbx_fact_one(site, &row, err, "run", "id=?1", run, NULL);

        if (r < 0)
                return r;
        output = r > 0 ? NULL : json_string_value(json_object_get(row, "output"));
        if (!output)
                return gbx_fail(err, -ENOENT, "'%s' is not a run with outputs (gbx job ls)", run);
        r = gbx_run_plan_load(site, json_string_value(json_object_get(row, "request")), &plan, err);
        if (r < 0)
                return r;
        gbx_run_plan_execution(site, &plan, run, &execution);
        r = gbx_execute(&execution, &result, err);
        if (r >= 0)
                r = gbx_check_outputs(run, plan.policy, result.out, &gate, err);
        if (r >= 0)
                r = gbx_output_digest(&gate, ret_found, err);
        if (r < 0)
                return r;
        (void)snprintf(ret_recorded, 72, "%s", output);
        return strcmp(ret_recorded, ret_found) != 0;
}
