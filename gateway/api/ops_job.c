/* job run | ls | show | cancel | fetch; service recover */
#include "gateway/api/order.h"
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/interrupt.h"
#include "gateway/handover/deliver.h"
#include "gateway/job/cancel.h"
#include "gateway/job/job.h"
#include "gateway/job/recover.h"
#include "gateway/run/state.h"
#include "gateway/run/usage.h"
#include "gateway/store/view.h"
#include "policy/decision.h"

#include <stdio.h>
#include <string.h>

/* What each outcome means for the exit code and for the reader. */
static const struct {
        enum gbx_exit exit;
        const char *text;
} outcomes[] = {
        [GBX_RUN_DENIED] = { GBX_EXIT_DENIED, "denied by policy; nothing ran" },
        [GBX_RUN_FAILED] = { GBX_EXIT_FAILED, "the job failed; nothing was released" },
        [GBX_RUN_LIMITED] = { GBX_EXIT_LIMIT, "the job reached a limit; nothing was released" },
        [GBX_RUN_HELD] = { GBX_EXIT_HELD, "the outputs are held for review" },
        [GBX_RUN_REFUSED] = { GBX_EXIT_DENIED, "the outputs may not leave" },
        [GBX_RUN_CANCELLED] = { GBX_EXIT_FAILED, "cancelled by a signal; nothing was released" },
        [GBX_RUN_RELEASED] = { GBX_EXIT_DONE, "released" },
};

/* By what it was cancelled: the caller's own wish is known here, and otherwise somebody gave the command. */
static const char *outcome_text(const struct gbx_session *session, enum gbx_run_state state) {
        return state == GBX_RUN_CANCELLED && !gbx_interrupt_asked(session->cancel) ? "cancelled by gbx job cancel; nothing was released"
                                                                                    : outcomes[state].text;
}

static bool sees_figures(const struct gbx_session *session) {
        return session->roles & (GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR);
}

/* In steps for those who may not know more (gateway/run/usage.h). */
static json_t *usage_text(const json_t *report) {
        const json_t *denied = json_object_get(report, "denied");
        double cpu = (double)gbx_json_number(report, "cpu_ms") / 1000, wall = (double)gbx_json_number(report, "wall_ms") / 1000;
        double memory = (double)gbx_json_number(report, "memory_bytes") / (1024 * 1024);
        char text[160];

        if (denied)
                (void)snprintf(text, sizeof text, "%.3f s CPU, %.3f s wall, %.1f MiB memory, %lld denied system calls", cpu, wall, memory,
                               (long long)json_integer_value(denied));
        else
                (void)snprintf(text, sizeof text, "at most %.0f s CPU, %.0f s wall, %.0f MiB memory", cpu, wall, memory);
        return json_string(text);
}

static int find_limits(struct gbx_session *session, const char *run, struct gbx_policy_limits *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(session->site->view, &row, err, "SELECT policy FROM run WHERE id=?1", run, NULL);

        if (r >= 0)
                gbx_usage_limits(session->site, r > 0 ? NULL : gbx_json_text(row, "policy"), ret);
        return r < 0 ? r : 0;
}

static int perform_run(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                       struct gbx_error *err) {
        gbx_auto(gbx_api_order_free) struct gbx_api_order asked = {};
        gbx_auto(gbx_run_outcome_free) struct gbx_run_outcome outcome = {};
        struct gbx_policy_limits limits;
        json_t *answer;
        int r = gbx_api_order(session, request, sink, &asked, err);

        if (r >= 0)
                r = gbx_run_job(session->site, session->caller, &asked.order, &outcome, err);
        if (sink->progress)
                sink->progress(sink->context, "", -1);
        if (r >= 0 && !sees_figures(session)) {
                r = find_limits(session, outcome.id, &limits, err);
                if (r >= 0)
                        gbx_usage_coarsen(outcome.report, &limits);
        }
        if (r < 0)
                return r;
        answer = json_pack("{s:s, s:s, s:s, s:i, s:O, s:O?}", "run", outcome.id, "state", gbx_run_state_name(outcome.state), "means",
                           outcome_text(session, outcome.state), "exit", (int)outcomes[outcome.state].exit, "reasons", outcome.reasons, "report",
                           outcome.report);
        if (outcome.report)
                (void)json_object_set_new(answer, "used", usage_text(outcome.report));
        if (outcome.state == GBX_RUN_RELEASED)
                (void)json_object_set_new(answer, "released", json_true());
        *ret_answer = answer;
        return (int)outcomes[outcome.state].exit;
}

/* Whose runs alone one may see, for what others ask tells of their business: an analyst's own, and an owner's those on
 * the own data. Empty: everybody's. */
#define OF_WHOSE(requester, owner) \
        " ((" requester "='' AND " owner "='') OR r.requester=" requester " OR EXISTS(SELECT 1 FROM json_each(r.datasets) j" \
        " JOIN dataset d ON d.name=j.value WHERE d.owner=" owner "))"

static const char *whose(const struct gbx_session *session, unsigned role) {
        return session->scope == GBX_SCOPE_OWN && session->roles & role ? gbx_caller_name(session->caller) : "";
}

/* Of the policy that the last row named: most rows name the same. */
struct caps {
        char policy[GBX_SHA256_TEXT_SIZE];
        struct gbx_policy_limits limits;
};

/* A row of the view as the caller may see it. */
static void show_run(struct gbx_session *session, json_t *row, struct caps *caps) {
        const char *state = gbx_json_text(row, "state"), *policy = gbx_json_text(row, "policy");

        (void)json_object_set_new(row, "state", json_string(gbx_run_state_of(state, gbx_json_text(row, "outcome"))));
        if (sees_figures(session))
                return;
        if (strcmp(caps->policy, policy ? policy : "") != 0) {
                (void)snprintf(caps->policy, sizeof caps->policy, "%s", policy ? policy : "");
                gbx_usage_limits(session->site, policy, &caps->limits);
        }
        gbx_usage_coarsen(row, &caps->limits);
}

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        struct caps caps = {};
        json_t *rows, *row;
        size_t index;
        int r = gbx_view_query(session->site->view, &rows, err,
                               "SELECT r.*, a.name AS name, l.id AS release FROM run r"
                               " LEFT JOIN algorithm a ON a.digest = r.algorithm LEFT JOIN release l ON l.run = r.id"
                               " WHERE" OF_WHOSE("?1", "?2") " ORDER BY r.seq",
                               whose(session, GBX_ROLE_ANALYST), whose(session, GBX_ROLE_OWNER), NULL);

        (void)request, (void)sink;
        if (r < 0)
                return r;
        json_array_foreach(rows, index, row)
                show_run(session, row, &caps);
        *ret_answer = rows;
        return 0;
}

static int perform_show(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                        struct gbx_error *err) {
        const char *run = gbx_json_text(request, "run");
        json_t *row;
        int r = gbx_view_query_one(session->site->view, &row, err,
                                   "SELECT r.*, a.name AS name, l.id AS release FROM run r"
                                   " LEFT JOIN algorithm a ON a.digest = r.algorithm LEFT JOIN release l ON l.run = r.id"
                                   " WHERE r.id=?1 AND" OF_WHOSE("?2", "?3"),
                                   run, whose(session, GBX_ROLE_ANALYST), whose(session, GBX_ROLE_OWNER), NULL);

        (void)sink;
        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no run '%s' (gbx job ls)", run);
        show_run(session, row, &(struct caps){});
        *ret_answer = row;
        return 0;
}

static int perform_cancel(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        int r = gbx_cancel_run(session->site, session->caller, gbx_json_text(request, "run"), err);

        (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:s, s:b}", "run", gbx_json_text(request, "run"), "living", r != GBX_CANCEL_DEAD);
        return r < 0 ? r : 0;
}

static int perform_recover(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        struct gbx_recovery recovery = {};
        int r = gbx_recover(session->site, &recovery, err);

        (void)request, (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:I, s:I, s:I, s:I}", "runs", (json_int_t)recovery.runs, "versions", (json_int_t)recovery.versions,
                                        "files", (json_int_t)recovery.files, "living", (json_int_t)recovery.living);
        return r;
}

static int perform_fetch(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                         struct gbx_error *err) {
        const char *folder = gbx_json_text(request, "output");
        json_t *files;
        int r = gbx_deliver(session->site, session->caller, gbx_json_text(request, "run"), folder ? folder : ".", &files, err);

        (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:o}", "files", files);
        return r;
}

/* `titles` of a table; where they are lower case, of fields. */
static const struct gbx_column run_columns[] = {
        { "id", "RUN", GBX_COLUMN_TEXT, 0 },
        { "name", "ALGORITHM", GBX_COLUMN_TEXT, 0 },
        { "requester", "BY", GBX_COLUMN_TEXT, 0 },
        { "purpose", "PURPOSE", GBX_COLUMN_TEXT, 0 },
        { "state", "STATE", GBX_COLUMN_TEXT, 0 },
        { "cpu_ms", "CPU MS", GBX_COLUMN_NUMBER, 0 },
        { "denied", "DENIED CALLS", GBX_COLUMN_NUMBER, 0 },
        { "wall_ms", NULL, GBX_COLUMN_NUMBER, 0 },
        { "memory_bytes", NULL, GBX_COLUMN_NUMBER, 0 },
        { "algorithm", NULL, GBX_COLUMN_DIGEST, 0 },
        { "datasets", NULL, GBX_COLUMN_LIST, 0 },
        { "policy", NULL, GBX_COLUMN_DIGEST, 0 },
        { "request", NULL, GBX_COLUMN_DIGEST, 0 },
        { "outcome", NULL, GBX_COLUMN_TEXT, 0 },
        { "output", NULL, GBX_COLUMN_DIGEST, 0 },
        { "findings", NULL, GBX_COLUMN_DIGEST, 0 },
        { "release", NULL, GBX_COLUMN_TEXT, 0 },
        { "seq", NULL, GBX_COLUMN_NUMBER, GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR },
        {},
};

static const struct gbx_column run_fields[] = {
        { "id", "run", GBX_COLUMN_TEXT, 0 },
        { "name", NULL, GBX_COLUMN_TEXT, 0 },
        { "algorithm", "algorithm", GBX_COLUMN_TEXT, 0 },
        { "requester", "requester", GBX_COLUMN_TEXT, 0 },
        { "purpose", "purpose", GBX_COLUMN_TEXT, 0 },
        { "datasets", "datasets", GBX_COLUMN_LIST, 0 },
        { "policy", "policy", GBX_COLUMN_TEXT, 0 },
        { "request", "request", GBX_COLUMN_TEXT, 0 },
        { "state", "state", GBX_COLUMN_TEXT, 0 },
        { "outcome", "outcome", GBX_COLUMN_TEXT, 0 },
        { "denied", "denied calls", GBX_COLUMN_NUMBER, 0 },
        { "cpu_ms", "cpu ms", GBX_COLUMN_NUMBER, 0 },
        { "wall_ms", "wall ms", GBX_COLUMN_NUMBER, 0 },
        { "memory_bytes", "memory", GBX_COLUMN_NUMBER, 0 },
        { "release", "release", GBX_COLUMN_TEXT, 0 },
        { "output", NULL, GBX_COLUMN_TEXT, 0 },
        { "findings", NULL, GBX_COLUMN_TEXT, 0 },
        { "seq", NULL, GBX_COLUMN_NUMBER, GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR },
        {},
};

static const struct gbx_column outcome_columns[] = {
        { "run", NULL, GBX_COLUMN_TEXT, 0 },
        { "state", NULL, GBX_COLUMN_TEXT, 0 },
        { "exit", NULL, GBX_COLUMN_NUMBER, 0 },
        { "report", NULL, GBX_COLUMN_OBJECT, 0 },
        { "means", NULL, GBX_COLUMN_TEXT, 0 },
        { "used", NULL, GBX_COLUMN_TEXT, 0 },
        { "released", NULL, GBX_COLUMN_BOOLEAN, 0 },
        {},
};

static const struct gbx_column cancel_columns[] = {
        { "run", NULL, GBX_COLUMN_TEXT, 0 }, { "living", NULL, GBX_COLUMN_BOOLEAN, 0 }, {},
};

static const struct gbx_column recovery_columns[] = {
        { "runs", "runs put in order", GBX_COLUMN_NUMBER, 0 },
        { "versions", "destructions finished", GBX_COLUMN_NUMBER, 0 },
        { "files", "files removed", GBX_COLUMN_NUMBER, 0 },
        { "living", "runs under way", GBX_COLUMN_NUMBER, 0 },
        {},
};

const struct gbx_operation gbx_operations_service[] = {
        { GBX_OPERATION("service", "recover", "service recover", GBX_WRITE, perform_recover),
          .summary = "put in order what a crash left: runs, held outputs, files",
          .details = "Every command does so at its start where there is a reason, and passes over what it cannot do. This one looks\n"
                     "at everything and says what fails. What a living process works on is not touched.",
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_FIELDS, .columns = recovery_columns }, {} } },
        {},
};

const struct gbx_operation gbx_operations_job[] = {
        { GBX_OPERATION("job", "run", "job run", GBX_JOB, perform_run),
          .summary = "run an approved algorithm on datasets, inside the sandbox",
          .details = "Exit codes: 0 released, 1 the job failed or was cancelled (Ctrl-C), 3 denied by policy, 4 outputs held for review,\n"
                     "6 a limit was reached. With --json the run's id, state, reasons and resources are printed.",
          .fields = (const struct gbx_field[]){ GBX_ORDER_FIELDS, {} }, .records = "run.decide",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "{run}: {means}" },
                  { .kind = GBX_PART_LINES, .member = "reasons", .text = "  {}" },
                  { .kind = GBX_PART_LINE, .when = "used", .text = "  used: {used}" },
                  { .kind = GBX_PART_LINE, .when = "released", .text = "  fetch it with: gbx job fetch {run} --output FOLDER --as NAME" },
                  { .kind = GBX_PART_FIELDS, .columns = outcome_columns },
                  {} } },
        { GBX_OPERATION("job", "ls", "job ls", GBX_READ, perform_ls),
          .summary = "list runs (an analyst: one's own; an owner: those on the own data)",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_ROWS, .columns = run_columns, .text = "no runs yet; analysts start them with: gbx job run" }, {} } },
        { GBX_OPERATION("job", "show", "job show", GBX_READ, perform_show),
          .summary = "show a run (an analyst: one's own; an owner: those on the own data)",
          .fields = (const struct gbx_field[]){ { .name = "run", .value = "RUN", .required = true, .positional = true }, {} },
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_FIELDS, .columns = run_fields }, {} } },
        { GBX_OPERATION("job", "cancel", "job cancel", GBX_WRITE, perform_cancel),
          .summary = "end a run (an analyst: one's own)",
          .details = "Whoever executes it ends the job and records that it was cancelled. Nothing is released. A run whose job has ended\n"
                     "cannot be cancelled.",
          .fields = (const struct gbx_field[]){ { .name = "run", .value = "RUN", .required = true, .positional = true }, {} },
          .records = "run.cancel",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .when = "living", .text = "{run}: is being ended" },
                  { .kind = GBX_PART_LINE, .when = "!living",
                    .text = "{run}: nobody executed it any more; it was put in order (gbx job show {run})" },
                  { .kind = GBX_PART_FIELDS, .columns = cancel_columns },
                  {} } },
        { GBX_OPERATION("job", "fetch", "job fetch", GBX_WRITE, perform_fetch),
          .summary = "fetch what a run released: tables encrypted to you, and the signed manifest",
          .details = "Open a table with: age -d -i YOUR-KEY FILE.age",
          .fields = (const struct gbx_field[]){
                  { .name = "run", .value = "RUN", .required = true, .positional = true },
                  { .name = "output", .type = GBX_FIELD_PATH, .value = "FOLDER", .help = "where to (default: here)" }, {} },
          .records = "release.fetch",
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_LINES, .member = "files", .text = "{}" }, {} } },
        {},
};
