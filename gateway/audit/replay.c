#include "gateway/audit/replay.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/audit/checks.h"
#include "gateway/executor/local.h"
#include "gateway/gate/check.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"
#include "gateway/run/plan.h"
#include "gateway/store/fact.h"
#include "gateway/store/rebuild.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

void gbx_replay_free(struct gbx_replay *replay) {
        json_decref(replay->divergences);
        json_decref(replay->notes);
        json_decref(replay->differences);
        *replay = (struct gbx_replay){};
}

/* The file may hold anything. Whatever it says otherwise than the log, or that it cannot be read, is a difference. */
static int compare_view(struct gbx_site *site, sqlite3 *view, sqlite3 *file, struct gbx_replay *report, struct gbx_error *err) {
        struct gbx_error problem = {};
        int r = 0;

        if (!file)
                r = json_array_append_new(report->differences, json_string("the file could not be read")) < 0 ? gbx_fail_memory(err) : 0;
        else if (gbx_view_check_seal(site, file, &problem) < 0)
                r = json_array_append_new(report->differences, json_string("the seal is broken")) < 0 ? gbx_fail_memory(err) : 0;
        if (r >= 0 && file)
                r = gbx_view_differences(view, file, report->differences, err);
        report->view_equal = json_array_size(report->differences) == 0;
        return r;
}

/* Others go on writing: the view is compared where the walk is as far as it was when the walk began. */
struct walk {
        struct gbx_replay_state state;
        struct gbx_site *site;
        sqlite3 *file;  /* NULL: cannot be read */
        uint64_t until; /* entries that the file holds */
        bool compared;
};

static int compare_here(struct walk *walk, struct gbx_error *err) {
        walk->compared = true;
        return compare_view(walk->site, walk->state.then.view, walk->file, walk->state.report, err);
}

static int visit(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        struct walk *walk = context;
        struct gbx_replay_state *state = &walk->state;
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        struct gbx_error problem = {};
        int r;

        if (index == walk->until) {
                r = compare_here(walk, err);
                if (r < 0)
                        return r;
        }
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
        return r < 0 ? r : gbx_view_apply(state->then.view, NULL, index, data, size, err);
}

/* The view as it is in its file, at one moment, and how many entries it holds. Where it cannot be read, the whole log is. */
static void open_file(struct gbx_site *site, sqlite3 **ret_file, uint64_t *ret_until) {
        gbx_auto(gbx_view_closep) sqlite3 *file = NULL;
        struct gbx_error ignored = {};
        uint64_t applied;

        *ret_until = gbx_log_size(site->log);
        if (gbx_view_open_read(&file, site->view_path, site->seal_key, &ignored) != 0 || gbx_view_begin_read(file, &ignored) < 0 ||
            gbx_view_applied(file, &applied, &ignored) < 0)
                return;
        if (applied < *ret_until)
                *ret_until = applied;
        *ret_file = gbx_take_ptr(file);
}

int gbx_replay_log(struct gbx_site *site, gbx_replay_right *right, struct gbx_replay *ret, struct gbx_error *err) {
        gbx_auto(gbx_replay_free) struct gbx_replay report = { .divergences = json_array(), .notes = json_array(), .differences = json_array() };
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL, *file = NULL;
        struct walk walk = { .state = { .report = &report, .right = right }, .site = site };
        int r = gbx_view_open(&view, ":memory:", NULL, err);

        if (r >= 0)
                r = gbx_log_refresh(site->log, err);
        if (r < 0)
                return r;
        open_file(site, &file, &walk.until);
        walk.file = file;
        walk.state.then = gbx_site_as_of(site, view);
        r = gbx_log_each(site->log, 0, visit, &walk, err);
        if (r >= 0 && !walk.compared)
                r = compare_here(&walk, err);
        if (r < 0)
                return r;
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
