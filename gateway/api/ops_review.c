/* review ls | show | statement | approve | reject: algorithms, and outputs that are held */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/algorithm/find.h"
#include "gateway/api/tables.h"
#include "gateway/review/approvals.h"
#include "gateway/review/outputs.h"
#include "gateway/store/view.h"
#include "policy/decision.h"

#include <string.h>

/* Runs have names, algorithms have digests. */
static bool is_run(const json_t *request) {
        return strncmp(gbx_json_text(request, "what"), "run-", 4) == 0;
}

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        (void)request, (void)sink;
        return gbx_view_query(session->site->view, ret_answer, err,
                              "SELECT 'algorithm' AS what, digest AS id, name, submitter AS 'by', (SELECT count(DISTINCT reviewer)"
                              " FROM approval p WHERE p.algorithm=digest AND p.decision='approve' AND p.state='active') AS approvals"
                              " FROM algorithm UNION ALL SELECT 'outputs', id, purpose, requester, 0 FROM run"
                              " WHERE state IN ('held', 'approved') AND requester<>?1",
                              gbx_caller_name(session->caller), NULL);
}

static int perform_show(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                        struct gbx_error *err) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_json_freep) json_t *findings = NULL, *tables = NULL, *reviews = NULL;
        const char *what = gbx_json_text(request, "what");
        int r;

        (void)sink;
        if (!is_run(request))
                return gbx_fail(err, -EINVAL, "'%s' is not a run; for an algorithm: gbx algo show %s --source", what, what);
        r = gbx_outputs_show(session->site, session->caller, what, &result, &reviews, err);
        if (r >= 0)
                r = gbx_findings_to_json(&result.findings, &findings, err);
        if (r >= 0)
                r = gbx_api_tables(&result, &tables, err);
        if (r >= 0)
                *ret_answer = json_pack("{s:s, s:O, s:O, s:O*}", "run", what, "findings", json_object_get(findings, "findings"), "tables",
                                        tables, "reviews", reviews);
        return r;
}

static int statement_text(struct gbx_session *session, const json_t *request, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL;
        const char *what = gbx_json_text(request, "what"), *purpose = gbx_json_text(request, "purpose");
        enum gbx_output_decision decision = gbx_request_is(request, "reject") ? GBX_OUTPUT_REJECT : GBX_OUTPUT_APPROVE;
        int r;

        if (is_run(request))
                return gbx_outputs_statement(session->site, session->caller, what, decision, gbx_json_text(request, "reason"), ret, err);
        if (!purpose)
                return gbx_fail(err, -EINVAL, "say for which purpose: --purpose PURPOSE");
        r = gbx_find_algorithm(session->site, what, &algorithm, err);
        return r < 0 ? r : gbx_make_statement(session->site, algorithm, purpose, gbx_caller_name(session->caller),
                                              gbx_request_time(request, "expires"), ret, err);
}

static int perform_statement(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                             struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = statement_text(session, request, &text, err);

        (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:s}", "statement", gbx_buffer_text(&text));
        return r;
}

static struct gbx_signed_statement given(const json_t *request) {
        const json_t *statement = json_object_get(request, "statement"), *signature = json_object_get(request, "signature");

        return (struct gbx_signed_statement){ json_string_value(statement), json_string_length(statement), json_string_value(signature),
                                              json_string_length(signature) };
}

/* A reviewer's signed word on held outputs, and what follows from all words so far. */
static int review_run(struct gbx_session *session, const json_t *request, json_t **ret_answer, struct gbx_error *err) {
        static const char *const means[] = { [GBX_OUTCOME_RELEASE] = "released", [GBX_OUTCOME_HOLD] = "held",
                                             [GBX_OUTCOME_REFUSE] = "refused" };
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        const struct gbx_signed_statement word = given(request);
        const char *run = gbx_json_text(request, "what"), *reason = gbx_json_text(request, "reason");
        int r;

        if (!reason)
                return gbx_fail(err, -EINVAL, "say why the held outputs may leave, or may not: --reason TEXT");
        if (!word.statement || !word.signature)
                return gbx_fail(err, -EINVAL, "sign with --key FILE, or give --statement and --signature made with ssh-keygen");
        r = gbx_outputs_review(session->site, session->caller, run, &word, reason, &verdict, err);
        if (r >= 0)
                r = gbx_verdict_json(&verdict, &json, err);
        if (r < 0)
                return r;
        (void)json_object_set_new(json, "run", json_string(run));
        (void)json_object_set_new(json, means[verdict.outcome],
                                  json_string(verdict.count ? verdict.reasons[0].text : "more must agree"));
        *ret_answer = gbx_take_ptr(json);
        return verdict.outcome == GBX_OUTCOME_HOLD ? GBX_EXIT_HELD : GBX_EXIT_DONE;
}

static int perform_approve(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL;
        const struct gbx_signed_statement word = given(request);
        int r;

        (void)sink;
        if (is_run(request))
                return review_run(session, request, ret_answer, err);
        if (!word.statement || !word.signature)
                return gbx_fail(err, -EINVAL, "give --purpose and --key, or --statement and --signature made with ssh-keygen");
        r = gbx_find_algorithm(session->site, gbx_json_text(request, "what"), &algorithm, err);
        if (r >= 0)
                r = gbx_take_approval(session->site, session->caller, algorithm, &word, err);
        if (r >= 0)
                *ret_answer = json_pack("{s:O, s:O, s:s}", "algorithm", json_object_get(algorithm, "digest"), "name",
                                        json_object_get(algorithm, "name"), "approved", gbx_json_text(algorithm, "name"));
        return r;
}

static int perform_reject(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL;
        int r;

        (void)sink;
        if (is_run(request))
                return review_run(session, request, ret_answer, err);
        r = gbx_find_algorithm(session->site, gbx_json_text(request, "what"), &algorithm, err);
        if (r >= 0)
                r = gbx_reject_algorithm(session->site, session->caller, algorithm, gbx_json_text(request, "reason"), err);
        if (r >= 0)
                *ret_answer = json_pack("{s:O, s:O, s:s}", "algorithm", json_object_get(algorithm, "digest"), "name",
                                        json_object_get(algorithm, "name"), "rejected", gbx_json_text(algorithm, "name"));
        return r;
}

static const struct gbx_column ls_columns[] = {
        { "what", "WHAT", GBX_COLUMN_TEXT, 0 }, { "id", "ID", GBX_COLUMN_DIGEST, 0 },           { "name", "NAME", GBX_COLUMN_TEXT, 0 },
        { "by", "BY", GBX_COLUMN_TEXT, 0 },     { "approvals", "APPROVALS", GBX_COLUMN_NUMBER, 0 }, {},
};

/* What follows, of an algorithm or of held outputs. */
static const struct gbx_column word_columns[] = {
        { "algorithm", NULL, GBX_COLUMN_TEXT, 0 }, { "name", NULL, GBX_COLUMN_TEXT, 0 },     { "run", NULL, GBX_COLUMN_TEXT, 0 },
        { "outcome", NULL, GBX_COLUMN_TEXT, 0 },   { "reasons", NULL, GBX_COLUMN_LIST, 0 },  { "approved", NULL, GBX_COLUMN_TEXT, 0 },
        { "rejected", NULL, GBX_COLUMN_TEXT, 0 },  { "released", NULL, GBX_COLUMN_TEXT, 0 }, { "refused", NULL, GBX_COLUMN_TEXT, 0 },
        { "held", NULL, GBX_COLUMN_TEXT, 0 },      {},
};

static const struct gbx_part word_answer[] = {
        { .kind = GBX_PART_NOTE, .when = "approved", .text = "Approved '{name}'." },
        { .kind = GBX_PART_NOTE, .when = "rejected", .text = "Rejected. Approvals that you gave it are revoked." },
        { .kind = GBX_PART_NOTE, .when = "released", .text = "Released the outputs of {run} to their requester." },
        { .kind = GBX_PART_NOTE, .when = "refused", .text = "Refused the outputs of {run}: they will not leave." },
        { .kind = GBX_PART_NOTE, .when = "held", .text = "Recorded. The outputs of {run} stay held: {held}." },
        { .kind = GBX_PART_FIELDS, .columns = word_columns },
        {},
};

#define WHAT_FIELD                                                                           \
        { .name = "what", .value = "DIGEST|RUN", .required = true, .positional = true, \
          .help = "an algorithm, or a run whose outputs are held" }
#define KEY_FIELD                                             \
        { .name = "key", .value = "FILE", .client = true, \
          .help = "your SSH private key: gbx runs ssh-keygen to sign; it stays with you" }
#define SIGNED_FIELDS                                                                  \
        { .name = "statement", .type = GBX_FIELD_DOCUMENT, .value = "FILE",         \
          .help = "the statement that was signed (gbx review statement)" },         \
                { .name = "signature", .type = GBX_FIELD_DOCUMENT, .value = "FILE", \
                  .help = "its signature: ssh-keygen -Y sign -n glovebox -f KEY STATEMENT" }
#define EXPIRES_FIELD(client_)                                                                \
        { .name = "expires", .type = GBX_FIELD_TIME, .value = "TIME", .client = client_, \
          .help = "end of the approval, as 2026-12-31T00:00:00Z (default: as long as the policy allows)" }
#define PURPOSE_FIELD(client_)                                           \
        { .name = "purpose", .value = "PURPOSE", .client = client_, \
          .help = "of an algorithm: what it may be used for" }

const struct gbx_operation gbx_operations_review[] = {
        { GBX_OPERATION("review", "ls", "review ls", GBX_READ, perform_ls),
          .summary = "list algorithms, and held outputs that others asked for",
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_ROWS, .columns = ls_columns, .text = "nothing waits for review" }, {} } },
        { GBX_OPERATION("review", "show", "review show", GBX_WRITE, perform_show), /* reading is an entry */
          .summary = "show held outputs with the gate's findings",
          .fields = (const struct gbx_field[]){ { .name = "what", .value = "RUN", .required = true, .positional = true }, {} },
          .records = "output.read",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_ROWS, .member = "findings", .columns = gbx_api_finding_columns, .text = "no findings" },
                  { .kind = GBX_PART_TABLES, .member = "tables" },
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "run", NULL, GBX_COLUMN_TEXT, 0 },
                                                                                     { "reviews", NULL, GBX_COLUMN_LIST, 0 }, {} } },
                  {} } },
        { GBX_OPERATION("review", "statement", "review statement", GBX_READ, perform_statement),
          .summary = "print the statement to sign: it approves an algorithm, or judges held outputs",
          .fields = (const struct gbx_field[]){
                  WHAT_FIELD, PURPOSE_FIELD(false),
                  { .name = "reason", .value = "TEXT", .help = "of held outputs: why they may leave, or may not" },
                  { .name = "reject", .type = GBX_FIELD_BOOLEAN, .help = "of held outputs: the statement that refuses them" },
                  EXPIRES_FIELD(false),
                  { .name = "key", .value = "FILE", .help = "says who reviews, where --as does not", .client = true }, {} },
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_TEXT, .member = "statement" }, {} } },
        { GBX_OPERATION("review", "approve", "review approve", GBX_WRITE, perform_approve),
          .summary = "approve an algorithm with a signature, or let held outputs go",
          .details = "An approval is an SSH signature over algorithm, engine, datasets, purpose, policy and expiry. It is\n"
                     "checked when it is given and again at the start of each run.",
          .fields = (const struct gbx_field[]){
                  WHAT_FIELD, PURPOSE_FIELD(true), KEY_FIELD, SIGNED_FIELDS, EXPIRES_FIELD(true),
                  { .name = "reason", .value = "TEXT", .help = "for held outputs: why they may leave" }, {} },
          .records = "review.approve output.review release.approve", .answer = word_answer },
        { GBX_OPERATION("review", "reject", "review reject", GBX_WRITE, perform_reject),
          .summary = "reject an algorithm (and revoke your approval of it), or refuse held outputs",
          .fields = (const struct gbx_field[]){
                  WHAT_FIELD, { .name = "reason", .value = "TEXT", .help = "why", .required = true }, KEY_FIELD, SIGNED_FIELDS, {} },
          .records = "review.reject output.review release.reject", .answer = word_answer },
        {},
};
