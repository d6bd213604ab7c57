/* policy check | apply | withdraw | ls | show | explain */
#include "gateway/api/order.h"
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/run/decide.h"
#include "gateway/store/objects.h"
#include "gateway/store/policies.h"
#include "gateway/store/view.h"
#include "policy/policy.h"

#include <string.h>

static int parse(struct gbx_session *session, const json_t *request, struct gbx_policy **ret, struct gbx_error *err) {
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        const json_t *text = json_object_get(request, "policy");
        int r = gbx_policy_parse(ret, gbx_session_label(session, "policy"), json_string_value(text), json_string_length(text), &problems,
                                 err);

        if (r < 0)
                gbx_session_refuse(session, &problems);
        return r;
}

static int perform_check(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                         struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        int r = parse(session, request, &policy, err);

        (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:s, s:s, s:s, s:s}", "file", gbx_session_label(session, "policy"), "policy", policy->name,
                                        "purpose",
                                        policy->purpose, "digest", policy->digest);
        return r;
}

/* What is lost by the change, for the sentence. */
static void tell(json_t *report, const char *policy, bool dry_run) {
        (void)json_object_set_new(report, "policy", json_string(policy));
        (void)json_object_set_new(report, "lost", json_integer((json_int_t)json_array_size(json_object_get(report, "approvals_lost"))));
        (void)json_object_set_new(report, "dry_run", json_boolean(dry_run));
}

static int perform_apply(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                         struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        struct gbx_policy_change change = { gbx_session_label(session, "policy"), gbx_request_is(request, "dry-run"),
                                            gbx_request_is(request, "unknown-names") };
        int r = parse(session, request, &policy, err);

        (void)sink;
        if (r >= 0)
                r = gbx_policy_apply(session->site, session->caller, policy, &change, ret_answer, err);
        if (r >= 0)
                tell(*ret_answer, policy->name, change.dry_run);
        return r;
}

static int perform_withdraw(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                            struct gbx_error *err) {
        bool dry_run = gbx_request_is(request, "dry-run");
        int r = gbx_policy_withdraw(session->site, session->caller, gbx_json_text(request, "purpose"), dry_run, ret_answer, err);

        (void)sink;
        if (r >= 0)
                tell(*ret_answer, gbx_json_text(*ret_answer, "name"), dry_run);
        return r;
}

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        (void)request, (void)sink;
        return gbx_view_query(session->site->view, ret_answer, err, "SELECT * FROM policy ORDER BY seq", NULL);
}

static int perform_show(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                        struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {}, text = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        const char *name = gbx_json_text(request, "name");
        int r = gbx_view_query_one(session->site->view, &row, err,
                                   "SELECT digest FROM policy WHERE (name=?1 OR purpose=?1) AND state='in-force'", name, NULL);

        (void)sink;
        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "no policy of that name or purpose is in force: '%s'", name);
        r = gbx_object_get(session->site->directory, gbx_json_text(row, "digest"), &source, err);
        if (r >= 0)
                r = gbx_policy_parse(&policy, name, source.data, source.size, NULL, err);
        if (r >= 0)
                r = gbx_policy_describe(policy, &text, err);
        if (r >= 0)
                *ret_answer = json_pack("{s:s, s:s, s:s}", "digest", policy->digest, "source", gbx_buffer_text(&source), "explained",
                                        gbx_buffer_text(&text));
        return r;
}

static int perform_explain(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        gbx_auto(gbx_api_order_free) struct gbx_api_order asked = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        int r = gbx_api_order(session, request, sink, &asked, err);

        if (r >= 0)
                r = gbx_decide_explain(session->site, &asked.order, &verdict, err);
        if (r >= 0)
                r = gbx_verdict_json(&verdict, ret_answer, err);
        return r < 0 ? r : verdict.outcome == GBX_OUTCOME_ALLOWED ? GBX_EXIT_DONE : GBX_EXIT_DENIED;
}

static const struct gbx_column changed[] = {
        { "policy", NULL, GBX_COLUMN_TEXT, 0 },   { "name", NULL, GBX_COLUMN_TEXT, 0 },           { "purpose", NULL, GBX_COLUMN_TEXT, 0 },
        { "digest", NULL, GBX_COLUMN_TEXT, 0 },   { "before", NULL, GBX_COLUMN_TEXT, 0 },         { "approvals_lost", NULL,
                                                                                                    GBX_COLUMN_LIST, 0 },
        { "held", NULL, GBX_COLUMN_NUMBER, 0 },   { "applied", NULL, GBX_COLUMN_BOOLEAN, 0 },     { "lost", NULL, GBX_COLUMN_NUMBER, 0 },
        { "dry_run", NULL, GBX_COLUMN_BOOLEAN, 0 }, {},
};

static const struct gbx_column applied[] = { { "policy", NULL, GBX_COLUMN_TEXT, 0 }, { "purpose", NULL, GBX_COLUMN_TEXT, 0 },
                                             { "digest", NULL, GBX_COLUMN_TEXT, 0 }, { "file", NULL, GBX_COLUMN_TEXT, 0 }, {} };

#define FILE_FIELD { .name = "policy", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .required = true, .positional = true }
#define DRY_RUN_FIELD { .name = "dry-run", .type = GBX_FIELD_BOOLEAN, .help = "change nothing; say what would be lost" }

const struct gbx_operation gbx_operations_policy[] = {
        { GBX_OPERATION("policy", "check", "policy check", GBX_LOCAL, perform_check),
          .summary = "read a policy file and list all its problems",
          .details = "Each problem comes with file, line and column. Exit code 2 if there are any. Needs no site.",
          .fields = (const struct gbx_field[]){ FILE_FIELD, {} },
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_LINE, .text = "{file}: well-formed, {digest}" },
                                               { .kind = GBX_PART_FIELDS, .columns = applied }, {} } },
        { GBX_OPERATION("policy", "apply", "policy apply", GBX_WRITE, perform_apply),
          .summary = "put a policy in force for its purpose",
          .details = "Approvals bind to the policy's digest: after a change, algorithms must be approved anew.",
          .fields = (const struct gbx_field[]){
                  FILE_FIELD, DRY_RUN_FIELD,
                  { .name = "unknown-names", .type = GBX_FIELD_BOOLEAN, .help = "accept datasets and people that the site has not yet" },
                  {} },
          .records = "policy.apply",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .when = "!dry_run",
                    .text = "Policy '{policy}' is in force for the purpose '{purpose}': {digest}\n{lost} approvals were lost." },
                  { .kind = GBX_PART_LINE, .when = "dry_run",
                    .text = "Policy '{policy}' would be in force for the purpose '{purpose}': {digest}\n{lost} approvals would be lost." },
                  { .kind = GBX_PART_FIELDS, .columns = changed }, {} } },
        { GBX_OPERATION("policy", "withdraw", "policy withdraw", GBX_WRITE, perform_withdraw),
          .summary = "take the policy of a purpose out of force",
          .fields = (const struct gbx_field[]){
                  { .name = "purpose", .value = "PURPOSE", .required = true, .positional = true }, DRY_RUN_FIELD, {} },
          .records = "policy.withdraw",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .when = "!dry_run",
                    .text = "The policy of the purpose '{purpose}' is no longer in force; {lost} approvals were lost." },
                  { .kind = GBX_PART_LINE, .when = "dry_run",
                    .text = "The policy of the purpose '{purpose}' would no longer be in force; {lost} approvals would be lost." },
                  { .kind = GBX_PART_FIELDS, .columns = changed }, {} } },
        { GBX_OPERATION("policy", "ls", "policy ls", GBX_READ, perform_ls),
          .summary = "list policies",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_ROWS, .text = "no policy yet; an admin applies one: gbx policy apply",
                    .columns = (const struct gbx_column[]){ { "name", "NAME", GBX_COLUMN_TEXT, 0 }, { "purpose", "PURPOSE",
                                                                                                      GBX_COLUMN_TEXT, 0 },
                                                            { "state", "STATE", GBX_COLUMN_TEXT, 0 },
                                                            { "digest", "DIGEST", GBX_COLUMN_DIGEST, 0 }, {} } },
                  {} } },
        { GBX_OPERATION("policy", "show", "policy show", GBX_READ, perform_show),
          .summary = "explain the policy in force, a line a rule",
          .fields = (const struct gbx_field[]){
                  { .name = "name", .value = "NAME", .help = "of the policy, or its purpose", .required = true, .positional = true }, {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_TEXT, .member = "explained" },
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "digest", NULL, GBX_COLUMN_DIGEST, 0 },
                                                                                     { "source", NULL, GBX_COLUMN_TEXT, 0 }, {} } },
                  {} } },
        { GBX_OPERATION("policy", "explain", "policy explain", GBX_READ, perform_explain),
          .summary = "say whether a run would be allowed, and why",
          .details = "Decides as gbx job run would at this moment, with all reasons, those of approvals that do not count among them.\n"
                     "Nothing runs and nothing is recorded. Exit code 3 if the run would be denied.",
          .fields = (const struct gbx_field[]){ GBX_ORDER_FIELDS, {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "The run would be {outcome}." },
                  { .kind = GBX_PART_LINES, .member = "reasons", .text = "  {code}: {text}" },
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "outcome", NULL, GBX_COLUMN_TEXT, 0 }, {} } },
                  {} } },
        {},
};
