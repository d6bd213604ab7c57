/* Decisions, the gate and releases, decided again (checks.h) */
#include "gateway/audit/checks.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/algorithm/find.h"
#include "gateway/review/outputs.h"
#include "gateway/run/order.h"
#include "gateway/run/request.h"
#include "gateway/store/authorise.h"
#include "gateway/store/caller.h"
#include "gateway/store/fact.h"
#include "gateway/store/objects.h"
#include "gateway/store/policies.h"
#include "policy/decision.h"
#include "policy/output_statement.h"

#include <stdio.h>
#include <string.h>

/* --- decisions -------------------------------------------------------------------- */

static int load_policy(struct gbx_replay_state *state, const char *digest, struct gbx_policy **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        int r = gbx_object_get(state->then.directory, digest, &source, err);

        return r < 0 ? r : gbx_policy_parse(ret, digest, source.data, source.size, NULL, err);
}

static int load_json(struct gbx_replay_state *state, const char *digest, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_object_get(state->then.directory, digest, &text, err);

        if (r < 0)
                return r;
        *ret = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
        return *ret ? 0 : gbx_fail(err, -EBADMSG, "object %s is not JSON", digest);
}

/* Outcome and reasons must be those of the entry. */
static int compare_verdict(struct gbx_replay_state *state, const struct gbx_verdict *verdict, struct gbx_error *err) {
        const json_t *reasons = json_object_get(state->entry, "reasons");

        state->report->decisions++;
        if (strcmp(gbx_outcome_name(verdict->outcome), gbx_replay_top(state, "outcome")) != 0)
                return gbx_replay_diverge(state, err, "decided '%s', the entry says '%s'", gbx_outcome_name(verdict->outcome),
                                          gbx_replay_top(state, "outcome"));
        if (json_array_size(reasons) != verdict->count)
                return gbx_replay_diverge(state, err, "decided with %zu reasons, the entry has %zu", verdict->count, json_array_size(reasons));
        for (size_t i = 0; i < verdict->count; i++) {
                gbx_auto(gbx_json_freep) json_t *text = json_sprintf("%s: %s", verdict->reasons[i].code, verdict->reasons[i].text);

                if (!json_equal(text, json_array_get(reasons, i)))
                        return gbx_replay_diverge(state, err, "reason %zu was another one: %s", i + 1, json_string_value(text));
        }
        return 0;
}

/* The order that the request answers; names of datasets are borrowed from it. */
static void read_order(const struct gbx_run_request *request, const char **datasets, struct gbx_run_order *ret) {
        for (size_t i = 0; i < request->dataset_count; i++)
                datasets[i] = request->datasets[i].name;
        *ret = (struct gbx_run_order){ .requester = request->requester, .algorithm = request->algorithm, .purpose = request->purpose,
                                       .datasets = datasets, .dataset_count = request->dataset_count, .parameters = request->parameters };
}

/* Built again from the facts as they were then, by the same function: nothing that was decided on came from elsewhere. */
static int check_request(struct gbx_replay_state *state, const struct gbx_run_request *request, const json_t *recorded, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL, *again = NULL;
        gbx_auto(gbx_free_pointer) const char **datasets = calloc(request->dataset_count + 1, sizeof *datasets);
        struct gbx_error problem = {};
        struct gbx_run_order order;
        const char *field;
        json_t *value;
        int r;

        if (!datasets)
                return gbx_fail_memory(err);
        read_order(request, datasets, &order);
        r = gbx_find_algorithm(&state->then, request->algorithm, &algorithm, &problem);
        if (r >= 0)
                r = gbx_policy_in_force(&state->then, request->purpose, &policy, &problem);
        if (r >= 0 || r == -ENOENT)
                r = algorithm ? gbx_request_build(&state->then, &order, algorithm, policy, request->now, &again, &problem) : r;
        if (r < 0)
                return gbx_replay_diverge(state, err, "the request cannot have been made then: %s", problem.message);
        json_object_foreach(again, field, value)
                if (r >= 0 && !json_equal(value, json_object_get(recorded, field)))
                        r = gbx_replay_diverge(state, err, "the request's '%s' was not what the log said at that moment", field);
        return r;
}

static int check_number(struct gbx_replay_state *state, struct gbx_error *err) {
        char expected[GBX_RUN_ID_SIZE];
        uint64_t count;
        int r = gbx_fact_count(&state->then, "run", &count, err);

        if (r < 0)
                return r;
        (void)snprintf(expected, sizeof expected, "run-%06llu", (unsigned long long)count + 1);
        return strcmp(expected, gbx_replay_top(state, "object")) == 0 ? 0 : gbx_replay_diverge(state, err, "the next one was %s", expected);
}

static int check_run_decision(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        gbx_auto(gbx_json_freep) json_t *recorded = NULL;
        struct gbx_error problem = {};
        int r = load_json(state, gbx_replay_detail(state, "request"), &recorded, &problem);

        if (r >= 0)
                r = gbx_run_request_from_json(recorded, &request, &problem);
        if (r >= 0 && request.policy)
                r = load_policy(state, request.policy, &policy, &problem);
        if (r >= 0)
                r = gbx_decide_run(policy, &request, &verdict, &problem);
        if (r < 0)
                return gbx_replay_diverge(state, err, "%s", problem.message);
        if (strcmp(request.algorithm, gbx_replay_detail(state, "algorithm")) != 0 ||
            strcmp(request.requester, gbx_replay_top(state, "actor")) != 0 ||
            strcmp(request.purpose, gbx_replay_detail(state, "purpose")) != 0 ||
            strcmp(request.policy ? request.policy : "", gbx_replay_detail(state, "policy")) != 0)
                return gbx_replay_diverge(state, err, "the request is about another algorithm, requester, purpose or policy");
        r = check_number(state, err);
        if (r >= 0)
                r = check_request(state, &request, recorded, err);
        return r < 0 ? r : compare_verdict(state, &verdict, err);
}

/* Whether what the entry's run was allowed by was gone at that moment. */
static int find_withdrawn(struct gbx_replay_state *state, bool *ret, struct gbx_error *err) {
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL, *recorded = NULL;
        int r = gbx_replay_find_run(state, &row, err);

        if (r > 0)
                return gbx_fail(err, -ENOENT, "the run is unknown");
        if (r >= 0)
                r = load_json(state, gbx_json_text(row, "request"), &recorded, err);
        if (r >= 0)
                r = gbx_run_request_from_json(recorded, &request, err);
        if (r >= 0)
                r = load_policy(state, request.policy, &policy, err);
        return r < 0 ? r : gbx_request_withdrawn(&state->then, &request, policy, ret, err);
}

static int check_gate(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *json = NULL;
        gbx_auto(gbx_findings_free) struct gbx_findings findings = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        const json_t *details = json_object_get(state->entry, "details");
        struct gbx_release_request request = { .recipient = gbx_replay_detail(state, "recipient") };
        struct gbx_error problem = {};
        int r = gbx_replay_find_run(state, &row, err);

        if (r != 0)
                return r < 0 ? r : 0; /* an unknown run is a divergence already */
        request.requester = json_string_value(json_object_get(row, "requester"));
        request.table_count = (size_t)json_integer_value(json_object_get(details, "tables"));
        request.opaque_count = (size_t)json_integer_value(json_object_get(details, "opaque"));
        request.declared_counts = json_is_true(json_object_get(details, "declared_counts"));
        r = load_policy(state, json_string_value(json_object_get(row, "policy")), &policy, &problem);
        if (r >= 0)
                r = load_json(state, gbx_replay_detail(state, "findings"), &json, &problem);
        if (r >= 0)
                r = gbx_findings_from_json(json, &findings, &problem);
        if (r >= 0)
                r = find_withdrawn(state, &request.withdrawn, &problem);
        if (r >= 0)
                r = gbx_decide_release(policy, &request, &findings, &verdict, &problem);
        return r < 0 ? gbx_replay_diverge(state, err, "%s", problem.message) : compare_verdict(state, &verdict, err);
}

/* What the entry says of the word is what was signed. */
static bool says_the_same(const struct gbx_replay_state *state, const struct gbx_output_statement *statement) {
        return strcmp(gbx_replay_detail(state, "decision"), statement->decision == GBX_OUTPUT_APPROVE ? "approve" : "reject") == 0 &&
               strcmp(gbx_replay_detail(state, "output"), statement->outputs) == 0 &&
               strcmp(gbx_replay_detail(state, "findings"), statement->findings) == 0 &&
               strcmp(gbx_replay_detail(state, "policy"), statement->policy) == 0;
}

/* A reviewer's signed word on held outputs: of the key of that moment, and about what was held. */
static int check_word(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_output_statement *statement = calloc(1, sizeof *statement);
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        struct gbx_error problem = {};
        int r = statement ? gbx_replay_find_run(state, &row, err) : gbx_fail_memory(err);

        if (r != 0) /* a word moves no run, so nobody else has named it */
                return r < 0 ? r : gbx_replay_diverge(state, err, "a word about a run that was not decided");
        if (strcmp(gbx_json_text(row, "requester"), gbx_replay_top(state, "actor")) == 0)
                return gbx_replay_diverge(state, err, "the requester reviewed outputs of the own run");
        r = gbx_replay_check_signed(state, gbx_replay_top(state, "actor"), gbx_replay_detail(state, "statement"),
                                    gbx_replay_detail(state, "signature"), &text, &problem);
        if (r >= 0)
                r = gbx_output_statement_parse(gbx_buffer_text(&text), text.size, statement, &problem);
        if (r >= 0 && !says_the_same(state, statement))
                r = gbx_fail(&problem, -EBADMSG, "the entry says something else than the statement");
        if (r >= 0)
                r = gbx_replay_check_key(state, &problem);
        if (r < 0)
                return gbx_replay_diverge(state, err, "%s", problem.message);
        if (strcmp(statement->run, gbx_json_text(row, "id")) != 0 || strcmp(statement->outputs, gbx_json_text(row, "output")) != 0 ||
            strcmp(statement->findings, gbx_json_text(row, "findings")) != 0 || strcmp(statement->policy, gbx_json_text(row, "policy")) != 0 ||
            strcmp(statement->recipient, gbx_json_text(row, "requester")) != 0 ||
            strcmp(statement->reviewer, gbx_replay_top(state, "actor")) != 0)
                return gbx_replay_diverge(state, err, "the statement is about something else than what was held");
        return 0;
}

/* What follows from all words so far, decided again. */
static int check_outputs(struct gbx_replay_state *state, enum gbx_outcome wanted, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        struct gbx_error problem = {};
        int64_t time = 0;
        int r = gbx_replay_find_run(state, &row, err);

        if (r != 0)
                return r < 0 ? r : 0;
        (void)gbx_time_parse(gbx_replay_top(state, "time"), &time, NULL);
        r = gbx_outputs_decide(&state->then, row, time, &verdict, &problem);
        if (r < 0)
                return gbx_replay_diverge(state, err, "%s", problem.message);
        state->report->decisions++;
        return verdict.outcome == wanted ? 0
                                         : gbx_replay_diverge(state, err, "the reviewers' words came to '%s'", gbx_outcome_name(verdict.outcome));
}

static int check_approved(struct gbx_replay_state *state, struct gbx_error *err) {
        return check_outputs(state, GBX_OUTCOME_RELEASE, err);
}

/* Refused by reviewers, or because what the run was allowed by was withdrawn. */
static int check_rejected(struct gbx_replay_state *state, struct gbx_error *err) {
        bool withdrawn = false;
        struct gbx_error problem = {};
        int r = find_withdrawn(state, &withdrawn, &problem);

        if (r < 0)
                return gbx_replay_diverge(state, err, "%s", problem.message);
        return withdrawn ? 0 : check_outputs(state, GBX_OUTCOME_REFUSE, err);
}

/* Of one's own run, or by an administrator. */
static int check_cancel(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        const char *actor = gbx_replay_top(state, "actor");
        unsigned roles = GBX_ROLE_ADMIN;
        struct gbx_error problem = {};
        int r = gbx_replay_find_run(state, &row, err);

        if (r != 0)
                return r < 0 ? r : 0; /* an unknown run is a divergence already */
        if (strcmp(actor, GBX_OPERATOR) != 0 && gbx_user_roles(&state->then, actor, &roles, &problem) < 0)
                return 0; /* so is an unknown user */
        if (!(roles & GBX_ROLE_ADMIN) && strcmp(actor, gbx_json_text(row, "requester")) != 0)
                return gbx_replay_diverge(state, err, "'%s' cancelled another's run", actor);
        return 0;
}

static int check_fetch(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(&state->then, &row, err, "release", "id=?1", gbx_replay_top(state, "object"), NULL);

        if (r < 0)
                return r;
        if (r > 0 || strcmp(json_string_value(json_object_get(row, "recipient")), gbx_replay_top(state, "actor")) != 0)
                return gbx_replay_diverge(state, err, "'%s' was not the recipient", gbx_replay_top(state, "actor"));
        return 0;
}

/* A release goes to who asked for the run, and to nobody else; it has the run's number, and what the run was allowed by
 * stood. */
static int check_release(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        const char *run = gbx_replay_detail(state, "run"), *release = gbx_replay_top(state, "object");
        struct gbx_error problem = {};
        bool withdrawn = false;
        int r = gbx_replay_find_run(state, &row, err);

        if (r == 0 && strcmp(gbx_json_text(row, "requester"), gbx_replay_detail(state, "recipient")) != 0)
                r = gbx_replay_diverge(state, err, "'%s' did not ask for the run", gbx_replay_detail(state, "recipient"));
        if (r >= 0 && (strncmp(run, "run-", 4) != 0 || strncmp(release, "release-", 8) != 0 || strcmp(run + 4, release + 8) != 0))
                r = gbx_replay_diverge(state, err, "a release has the number of its run");
        if (r >= 0 && find_withdrawn(state, &withdrawn, &problem) < 0)
                r = gbx_replay_diverge(state, err, "%s", problem.message);
        if (r >= 0 && withdrawn)
                r = gbx_replay_diverge(state, err, "what the run was allowed by was withdrawn before");
        return r;
}

const struct gbx_replay_rule gbx_replay_runs[] = {
        { "run.decide", check_run_decision },  { "gate.check", check_gate },         { "output.review", check_word },
        { "release.approve", check_approved }, { "release.reject", check_rejected }, { "release.create", check_release },
        { "release.fetch", check_fetch },      { "run.cancel", check_cancel },
        {},
};
