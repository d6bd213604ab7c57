/* algo submit | try | ls | show */
#include "gateway/api/order.h"
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/algorithm/algorithm.h"
#include "gateway/algorithm/find.h"
#include "gateway/algorithm/startable.h"
#include "gateway/api/tables.h"
#include "gateway/job/rehearse.h"
#include "gateway/store/objects.h"
#include "gateway/store/policies.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"

#include <string.h>

/* What the bytes are (all is read by gbx-parse); its engine must be the one the user names, if any. */
static int inspect(struct gbx_session *session, const json_t *request, const struct gbx_buffer *bytes, struct gbx_algorithm **ret,
                   struct gbx_error *err) {
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = NULL;
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        const char *engine = gbx_json_text(request, "engine"), *label = gbx_session_label(session, "file");
        int r = gbx_bundle_read(&bundle, bytes->data, bytes->size, NULL, err);

        if (r >= 0)
                r = gbx_algorithm_read(&algorithm, bundle, &problems, err);
        if (r >= 0)
                r = gbx_algorithm_startable(algorithm, bundle, err);
        if (r < 0)
                gbx_session_refuse(session, &problems);
        if (r >= 0 && engine)
                r = gbx_algorithm_choose(algorithm, engine, err);
        if (r < 0)
                return gbx_context(err, r, "%s", label);
        *ret = gbx_take_ptr(algorithm);
        return 0;
}

/* --- whether it gives the same outputs each time ------------------------------------ */

/* The policy of the purpose that was named, or the only one in force that allows the engine. 1: there is none or no only
 * one. */
static int find_policy(struct gbx_session *session, const char *purpose, const char *engine, struct gbx_policy **ret,
                       struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        gbx_auto(gbx_policy_freep) struct gbx_policy *found = NULL;
        size_t index;
        json_t *row;
        int r;

        if (purpose)
                return gbx_policy_in_force(session->site, purpose, ret, err);
        r = gbx_view_query(session->site->view, &rows, err, "SELECT purpose FROM policy WHERE state='in-force'", NULL);
        json_array_foreach(rows, index, row) {
                gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;

                r = gbx_policy_in_force(session->site, gbx_json_text(row, "purpose"), &policy, err);
                if (r < 0)
                        return r;
                if (!(policy->engines & 1U << gbx_engine_parse(engine)))
                        continue;
                if (found)
                        return 1;
                found = gbx_take_ptr(policy);
        }
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(found);
        return *ret ? 0 : 1;
}

/* 1: it could not be told; `ret_why` says why. */
static int run_twice(struct gbx_session *session, const json_t *request, const struct gbx_buffer *program, const char *engine,
                     bool *ret_deterministic, const char **ret_why, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_rehearsal_free) struct gbx_rehearsal rehearsal = {};
        struct gbx_rehearsal_order order = { .program = program, .engine = engine, .twice = true, .cancel = session->cancel };
        int r = find_policy(session, gbx_json_text(request, "purpose"), engine, &policy, err);

        if (r < 0)
                return r;
        *ret_why = "name the purpose with --purpose";
        if (r > 0)
                return 1;
        order.policy = policy;
        r = gbx_rehearse(session->site, &order, &rehearsal, err);
        *ret_why = "it did not run to its end on dummy data (gbx algo try shows why)";
        if (r < 0 || rehearsal.state != GBX_RUN_RELEASED)
                return 1;
        *ret_deterministic = rehearsal.deterministic;
        return 0;
}

/* --- submit ---------------------------------------------------------------------------- */

static int find_name(struct gbx_session *session, const json_t *request, const char **ret, struct gbx_error *err) {
        const char *label = gbx_session_label(session, "file"), *slash = strrchr(label, '/'), *name = gbx_json_text(request, "name");

        *ret = name ? name : slash ? slash + 1 : label;
        return gbx_name_valid(*ret) ? 0
                                    : gbx_fail(err, -EINVAL,
                                               "'%s' cannot be an algorithm's name; give one with --name (a-z, 0-9, '.', '_', '-')",
                                               *ret);
}

/* Whoever it was is told to nobody here: whose algorithms there are is for reviewers (gbx algo ls). */
static int refuse_known(struct gbx_session *session, const char *digest, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *known = NULL;
        int r = gbx_view_query_one(session->site->view, &known, err, "SELECT 1 AS yes FROM algorithm WHERE digest=?1", digest, NULL);

        if (r == 0)
                return gbx_fail(err, -EEXIST, "these bytes were submitted before: %s", digest);
        return r < 0 ? r : 0;
}

static int perform_submit(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        char digest[GBX_SHA256_TEXT_SIZE];
        const char *why = "", *name, *engine = NULL;
        bool deterministic = false;
        int told = 0, r = find_name(session, request, &name, err);

        (void)sink;
        if (r >= 0)
                r = gbx_session_read(session, "file", GBX_OBJECT_LIMIT, &bytes, err);
        if (r >= 0)
                r = inspect(session, request, &bytes, &algorithm, err);
        if (r >= 0)
                engine = gbx_engine_name((enum gbx_engine)algorithm->engine);
        if (r >= 0)
                r = gbx_object_put(session->site->directory, bytes.data, bytes.size, digest, err);
        if (r >= 0)
                r = refuse_known(session, digest, err);
        if (r >= 0)
                r = told = run_twice(session, request, &bytes, engine, &deterministic, &why, err);
        if (r < 0)
                return r;
        details = json_pack("{s:s, s:s, s:I}", "name", name, "engine", engine, "bytes", (json_int_t)bytes.size);
        if (told == 0)
                (void)json_object_set_new(details, "deterministic", json_boolean(deterministic));
        r = gbx_record(session->site, session->caller, "algo submit", &(struct gbx_action){ "algo.submit", digest, "done", NULL, details },
                       err);
        if (r < 0)
                return r;
        (void)json_object_set_new(details, "digest", json_string(digest));
        if (told > 0)
                (void)json_object_set_new(details, "untold", json_string(why));
        else
                (void)json_object_set_new(details, deterministic ? "same" : "different", json_true());
        *ret_answer = gbx_take_ptr(details);
        return 0;
}

/* --- try ------------------------------------------------------------------------------- */

static int record_try(struct gbx_session *session, const struct gbx_buffer *program, const struct gbx_policy *policy,
                      const struct gbx_rehearsal *rehearsal, struct gbx_error *err) {
        uint8_t digest[GBX_SHA256_SIZE];
        char text[GBX_SHA256_TEXT_SIZE];
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:s, s:b}", "purpose", policy->purpose, "deterministic",
                                                             rehearsal->deterministic);

        gbx_sha256(program->data, program->size, digest);
        gbx_sha256_text(digest, text);
        return gbx_record(session->site, session->caller, "algo try",
                          &(struct gbx_action){ "algo.try", text, rehearsal->state == GBX_RUN_RELEASED ? "done" : "failed", NULL,
                                                details }, err);
}

static int tell(const struct gbx_rehearsal *rehearsal, json_t **ret_answer, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *findings = NULL, *tables = NULL;
        bool whole = rehearsal->state == GBX_RUN_RELEASED;
        int r = gbx_findings_to_json(&rehearsal->gate.findings, &findings, err);

        if (r >= 0)
                r = gbx_api_tables(&rehearsal->gate, &tables, err);
        if (r < 0)
                return r;
        *ret_answer = json_pack("{s:s, s:b, s:b, s:b, s:O, s:O, s:O}", "state", whole ? "done" : gbx_run_state_name(rehearsal->state),
                                "deterministic", rehearsal->deterministic, "same", whole && rehearsal->deterministic, "different",
                                whole && !rehearsal->deterministic, "reasons", rehearsal->reasons, "findings",
                                json_object_get(findings, "findings"), "tables", tables);
        return rehearsal->state == GBX_RUN_LIMITED ? GBX_EXIT_LIMIT : whole ? GBX_EXIT_DONE : GBX_EXIT_FAILED;
}

static int perform_try(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                       struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer program = {};
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_json_freep) json_t *parameters = NULL;
        gbx_auto(gbx_rehearsal_free) struct gbx_rehearsal rehearsal = {};
        struct gbx_rehearsal_order order = { .program = &program, .twice = true, .cancel = session->cancel };
        int r = gbx_session_read(session, "file", GBX_OBJECT_LIMIT, &program, err);

        (void)sink;
        if (r >= 0)
                r = inspect(session, request, &program, &algorithm, err);
        if (r >= 0)
                r = gbx_policy_in_force(session->site, gbx_json_text(request, "purpose"), &policy, err);
        if (r >= 0 && (json_object_get(request, "param") || json_object_get(request, "params")))
                r = gbx_api_parameters(session, request, &parameters, err);
        if (r < 0)
                return r;
        order.engine = gbx_engine_name((enum gbx_engine)algorithm->engine);
        order.policy = policy;
        order.parameters = parameters;
        r = gbx_rehearse(session->site, &order, &rehearsal, err);
        if (r >= 0)
                r = record_try(session, &program, policy, &rehearsal, err);
        return r < 0 ? r : tell(&rehearsal, ret_answer, err);
}

/* --- ls, show ---------------------------------------------------------------------------- */

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        (void)request, (void)sink;
        return gbx_view_query(session->site->view, ret_answer, err,
                              "SELECT a.*, (SELECT count(DISTINCT reviewer) FROM approval p WHERE p.algorithm=a.digest AND"
                              " p.decision='approve' AND p.state='active') AS approvals FROM algorithm a ORDER BY a.seq",
                              NULL);
}

static int perform_show(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                        struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        const char *digest, *what = gbx_json_text(request, "algo");
        json_t *approvals = NULL;
        bool source = gbx_request_is(request, "source");
        int r = gbx_find_algorithm(session->site, what, &row, err);

        if (r >= 0 && session->scope == GBX_SCOPE_OWN && strcmp(gbx_json_text(row, "submitter"), gbx_caller_name(session->caller)) != 0)
                r = gbx_fail(err, -ENOENT, "there is no algorithm '%s' of yours (gbx algo ls)", what);
        if (r < 0)
                return r;
        digest = gbx_json_text(row, "digest");
        r = gbx_view_query(session->site->view, &approvals, err, "SELECT * FROM approval WHERE algorithm=?1 ORDER BY seq", digest, NULL);
        if (r >= 0)
                (void)json_object_set_new(row, "given", approvals);
        if (r >= 0) /* read in any case: what was changed on the disk is not shown as if it were good */
                r = gbx_object_get(session->site->directory, digest, &bytes, err);
        if (r >= 0 && source && sink->chunk)
                r = sink->chunk(sink->context, bytes.data, bytes.size, err);
        if (r < 0)
                return r;
        (void)json_object_set_new(row, "shown", json_boolean(!source));
        *ret_answer = gbx_take_ptr(row);
        return 0;
}

static const struct gbx_column columns[] = {
        { "digest", "DIGEST", GBX_COLUMN_DIGEST, 0 },        { "name", "NAME", GBX_COLUMN_TEXT, 0 },
        { "engine", "ENGINE", GBX_COLUMN_TEXT, 0 },          { "submitter", "SUBMITTER", GBX_COLUMN_TEXT, 0 },
        { "approvals", "APPROVALS", GBX_COLUMN_NUMBER, 0 },  { "bytes", "BYTES", GBX_COLUMN_NUMBER, 0 },
        { "deterministic", NULL, GBX_COLUMN_BOOLEAN, 0 },    {},
};

static const struct gbx_column approval_columns[] = {
        { "reviewer", "REVIEWER", GBX_COLUMN_TEXT, 0 }, { "decision", "DECISION", GBX_COLUMN_TEXT, 0 },
        { "purpose", "PURPOSE", GBX_COLUMN_TEXT, 0 },   { "expires", "EXPIRES", GBX_COLUMN_TEXT, 0 },
        { "state", "STATE", GBX_COLUMN_TEXT, 0 },       { "time", NULL, GBX_COLUMN_TIME, 0 },
        { "policy", NULL, GBX_COLUMN_DIGEST, 0 },       { "statement", NULL, GBX_COLUMN_DIGEST, 0 },
        { "signature", NULL, GBX_COLUMN_DIGEST, 0 },    {},
};

static const struct gbx_column submitted[] = {
        { "digest", NULL, GBX_COLUMN_TEXT, 0 }, { "name", NULL, GBX_COLUMN_TEXT, 0 },          { "engine", NULL, GBX_COLUMN_TEXT, 0 },
        { "bytes", NULL, GBX_COLUMN_NUMBER, 0 }, { "deterministic", NULL, GBX_COLUMN_BOOLEAN, 0 }, {},
};

#define ENGINE_FIELD                                                                                                       \
        { .name = "engine", .value = "NAME", .help = "lua-sql: Lua with data.query (default: by what the file is)", \
          .words = "lua native lua-sql" }
#define FILE_FIELD { .name = "file", .type = GBX_FIELD_FILE, .value = "FILE", .required = true, .positional = true }

const struct gbx_operation gbx_operations_algo[] = {
        { GBX_OPERATION("algo", "submit", "algo submit", GBX_JOB, perform_submit),
          .summary = "submit a Lua script, an ELF binary or a bundle for review",
          .details = "The algorithm's digest is the SHA-256 of the file's bytes: what was approved is what runs. A bundle is a\n"
                     "tar, tar.gz or zip with algorithm.yaml at its root (docs/lua.md); anything but plain files in it is refused.",
          .fields = (const struct gbx_field[]){
                  FILE_FIELD, ENGINE_FIELD,
                  { .name = "name", .value = "NAME", .help = "how people call it (default: the file's name)" },
                  { .name = "purpose", .value = "PURPOSE", .help = "whose policy the double run on dummy data is made under" }, {} },
          .records = "algo.submit",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "{digest}" },
                  { .kind = GBX_PART_NOTE,
                    .text = "Submitted '{name}' for the {engine} engine. It runs once reviewers have approved exactly these bytes." },
                  { .kind = GBX_PART_NOTE, .member = "untold", .when = "untold",
                    .text = "Whether it gives the same outputs each time was not told: {}." },
                  { .kind = GBX_PART_NOTE, .when = "same", .text = "Two runs on dummy data gave the same outputs: it can be replayed." },
                  { .kind = GBX_PART_NOTE, .when = "different",
                    .text = "WARNING: two runs on dummy data gave different outputs: it cannot be replayed." },
                  { .kind = GBX_PART_FIELDS, .columns = submitted },
                  { .kind = GBX_PART_LINES, .member = "same" }, { .kind = GBX_PART_LINES, .member = "different" },
                  {} } },
        { GBX_OPERATION("algo", "try", "algo try", GBX_JOB, perform_try),
          .summary = "run an algorithm on dummy data, in the same sandbox and through the same gate",
          .details = "Dummy twins are generated from the schemas of the policy's datasets; no real value is looked at, so the\n"
                     "outputs are shown in full. It runs twice, to tell whether it can be replayed. Nothing needs approval.\n"
                     "Without any parameter the first allowed values are taken.",
          .fields = (const struct gbx_field[]){
                  FILE_FIELD, ENGINE_FIELD,
                  { .name = "purpose", .value = "PURPOSE", .help = "whose policy gives limits, datasets and the gate's rules",
                    .required = true },
                  GBX_PARAMETER_FIELDS, {} },
          .records = "algo.try",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINES, .member = "reasons", .text = "on dummy data: {}" },
                  { .kind = GBX_PART_TABLES, .member = "tables", .text = "{name}, from dummy data:" },
                  { .kind = GBX_PART_LINE, .when = "same", .text = "two runs gave the same outputs" },
                  { .kind = GBX_PART_LINE, .when = "different",
                    .text = "two runs gave DIFFERENT outputs: this job cannot be replayed" },
                  { .kind = GBX_PART_ROWS, .member = "findings", .columns = gbx_api_finding_columns,
                    .text = "the gate found nothing to complain of" },
                  { .kind = GBX_PART_FIELDS,
                    .columns = (const struct gbx_column[]){ { "state", NULL, GBX_COLUMN_TEXT, 0 },
                                                            { "deterministic", NULL, GBX_COLUMN_BOOLEAN, 0 },
                                                            { "same", NULL, GBX_COLUMN_BOOLEAN, 0 },
                                                            { "different", NULL, GBX_COLUMN_BOOLEAN, 0 }, {} } },
                  {} } },
        { GBX_OPERATION("algo", "ls", "algo ls", GBX_READ, perform_ls),
          .summary = "list submitted algorithms (an analyst: one's own)", .own = "submitter",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_ROWS, .columns = columns, .text = "no algorithms yet; analysts submit them with: gbx algo submit" },
                  {} } },
        { GBX_OPERATION("algo", "show", "algo show", GBX_READ, perform_show),
          .summary = "show an algorithm and its approvals (an analyst: one's own)",
          .fields = (const struct gbx_field[]){
                  { .name = "algo", .value = "DIGEST", .help = "digest, its first digits, or a unique name", .required = true,
                    .positional = true },
                  { .name = "source", .type = GBX_FIELD_BOOLEAN, .help = "the bytes as they were submitted" }, {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_FIELDS, .when = "shown", .columns = columns },
                  { .kind = GBX_PART_LINE, .when = "shown", .text = "" },
                  { .kind = GBX_PART_ROWS, .member = "given", .when = "shown", .columns = approval_columns, .text = "no approvals yet" },
                  { .kind = GBX_PART_BYTES, .member = "source" },
                  {} } },
        {},
};
