#include "gateway/audit/checks.h"

#include "base/cleanup.h"
#include "gateway/store/authorise.h"
#include "gateway/store/objects.h"
#include "gateway/store/view.h"
#include "policy/decision.h"
#include "policy/sshsig.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int gbx_replay_diverge(struct gbx_replay_state *state, struct gbx_error *err, const char *format, ...) {
        char text[1024];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(text, sizeof text, format, args);
        va_end(args);
        if (json_array_append_new(state->report->divergences, json_pack("{s:I, s:s, s:s}", "entry", (json_int_t)state->index, "action",
                                                                        state->action, "what", text)) < 0)
                return gbx_fail_memory(err);
        return 0;
}

static const char *top(const struct gbx_replay_state *state, const char *field) {
        const char *text = json_string_value(json_object_get(state->entry, field));

        return text ? text : "";
}

static const char *detail(const struct gbx_replay_state *state, const char *field) {
        const char *text = json_string_value(json_object_get(json_object_get(state->entry, "details"), field));

        return text ? text : "";
}

/* --- when ----------------------------------------------------------------------- */

static int check_time(struct gbx_replay_state *state, struct gbx_error *err) {
        char what[160];
        int r = gbx_entry_times_follow(&state->times, state->entry, what, sizeof what);

        if (r == GBX_ENTRY_TIME_FAULT)
                return gbx_replay_diverge(state, err, "%s", what);
        if (r == GBX_ENTRY_GAP_NOTE &&
            json_array_append_new(state->report->notes, json_pack("{s:I, s:s, s:s}", "entry", (json_int_t)state->index, "action",
                                                                  state->action, "what", what)) < 0)
                return gbx_fail_memory(err);
        return 0;
}

/* --- who ------------------------------------------------------------------------ */

/* Actions that people do, and the command whose authorisation they need. */
static const struct {
        const char *action, *command;
} commands[] = {
        { "user.add", "user add" },           { "user.remove", "user remove" },       { "policy.apply", "policy apply" },
        { "data.add", "data add" },           { "data.revoke", "data revoke" },       { "data.destroy", "data destroy" },
        { "algo.submit", "algo submit" },     { "review.approve", "review approve" }, { "review.reject", "review reject" },
        { "release.approve", "review approve" }, { "release.reject", "review reject" }, { "release.fetch", "job fetch" },
        { "trace.run", "trace" },
};

static int check_actor(struct gbx_replay_state *state, struct gbx_error *err) {
        const char *actor = top(state, "actor");

        for (size_t i = 0; i < gbx_array_size(commands); i++) {
                gbx_auto(gbx_json_freep) json_t *row = NULL, *list = NULL;
                unsigned roles = GBX_ROLE_ADMIN | GBX_ROLE_OWNER;
                struct gbx_error problem = {};

                if (strcmp(commands[i].action, state->action) != 0)
                        continue;
                if (strcmp(actor, GBX_OPERATOR) != 0) {
                        if (gbx_view_query_one(state->view, &row, err, "SELECT roles FROM user WHERE name=?1 AND state='active'", actor,
                                               NULL) != 0)
                                return gbx_replay_diverge(state, err, "'%s' was not an active user", actor);
                        list = json_loads(json_string_value(json_object_get(row, "roles")), 0, NULL);
                        if (gbx_roles_from_list(list, &roles, &problem) < 0)
                                return gbx_replay_diverge(state, err, "%s", problem.message);
                }
                if (gbx_decide_action(roles, commands[i].command, &problem) < 0)
                        return gbx_replay_diverge(state, err, "'%s' was not allowed: %s", actor, problem.message);
        }
        return 0;
}

/* --- approvals ------------------------------------------------------------------- */

static int check_approval(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer statement = {}, signature = {};
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        struct gbx_error problem = {};
        struct gbx_ssh_key key;
        int r = gbx_view_query_one(state->view, &row, err, "SELECT ssh_key FROM user WHERE name=?1 AND state='active'", top(state, "actor"),
                                   NULL);

        if (r < 0)
                return r;
        state->report->signatures++;
        if (r > 0 || strcmp(json_string_value(json_object_get(row, "ssh_key")), detail(state, "ssh_key")) != 0)
                return gbx_replay_diverge(state, err, "the key is not the one that '%s' had", top(state, "actor"));
        r = gbx_object_get(state->site->directory, detail(state, "statement"), &statement, &problem);
        if (r >= 0)
                r = gbx_object_get(state->site->directory, detail(state, "signature"), &signature, &problem);
        if (r >= 0)
                r = gbx_ssh_key_parse(detail(state, "ssh_key"), &key, &problem);
        if (r >= 0)
                r = gbx_sshsig_verify(&key, GBX_SSHSIG_NAMESPACE, statement.data, statement.size, gbx_buffer_text(&signature),
                                      signature.size, &problem);
        return r < 0 ? gbx_replay_diverge(state, err, "%s", problem.message) : 0;
}

/* --- decisions -------------------------------------------------------------------- */

/* The request must be what the view said at that moment. */
static int check_request(struct gbx_replay_state *state, const struct gbx_run_request *request, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *policy = NULL, *count = NULL;
        const char *in_force;
        int r = gbx_view_query_one(state->view, &policy, err, "SELECT digest FROM policy WHERE purpose=?1 AND state='in-force'",
                                   request->purpose, NULL);

        if (r >= 0)
                in_force = r > 0 ? NULL : json_string_value(json_object_get(policy, "digest"));
        if (r >= 0)
                r = gbx_view_query_one(state->view, &count, err,
                                       "SELECT count(*) AS n FROM approval WHERE algorithm=?1 AND decision='approve'", request->algorithm, NULL);
        if (r < 0)
                return r;
        if ((in_force == NULL) != (request->policy == NULL) || (in_force && strcmp(in_force, request->policy) != 0))
                return gbx_replay_diverge(state, err, "the policy in force for '%s' was another one", request->purpose);
        if ((size_t)json_integer_value(json_object_get(count, "n")) != request->approval_count)
                return gbx_replay_diverge(state, err, "the request has %zu approvals, the log had %lld", request->approval_count,
                                          (long long)json_integer_value(json_object_get(count, "n")));
        for (size_t i = 0; i < request->dataset_count; i++) {
                gbx_auto(gbx_json_freep) json_t *row = NULL;

                r = gbx_view_query_one(state->view, &row, err, "SELECT state FROM dataset WHERE name=?1 AND manifest=?2",
                                       request->datasets[i].name, request->datasets[i].digest, NULL);
                if (r < 0)
                        return r;
                if (r > 0 || (strcmp(json_string_value(json_object_get(row, "state")), "active") == 0) != request->datasets[i].available) {
                        r = gbx_replay_diverge(state, err, "the dataset '%s' was in another state", request->datasets[i].name);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int load_policy(struct gbx_replay_state *state, const char *digest, struct gbx_policy **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        int r = gbx_object_get(state->site->directory, digest, &source, err);

        return r < 0 ? r : gbx_policy_parse(ret, digest, source.data, source.size, NULL, err);
}

static int load_request(struct gbx_replay_state *state, const char *digest, struct gbx_run_request *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        int r = gbx_object_get(state->site->directory, digest, &text, err);

        if (r < 0)
                return r;
        json = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
        return gbx_run_request_from_json(json, ret, err);
}

/* Outcome and reasons must be those of the entry. */
static int compare_verdict(struct gbx_replay_state *state, const struct gbx_verdict *verdict, struct gbx_error *err) {
        const json_t *reasons = json_object_get(state->entry, "reasons");

        state->report->decisions++;
        if (strcmp(gbx_outcome_name(verdict->outcome), top(state, "outcome")) != 0)
                return gbx_replay_diverge(state, err, "decided '%s', the entry says '%s'", gbx_outcome_name(verdict->outcome),
                                          top(state, "outcome"));
        if (json_array_size(reasons) != verdict->count)
                return gbx_replay_diverge(state, err, "decided with %zu reasons, the entry has %zu", verdict->count, json_array_size(reasons));
        for (size_t i = 0; i < verdict->count; i++) {
                gbx_auto(gbx_json_freep) json_t *text = json_sprintf("%s: %s", verdict->reasons[i].code, verdict->reasons[i].text);

                if (!json_equal(text, json_array_get(reasons, i)))
                        return gbx_replay_diverge(state, err, "reason %zu was another one: %s", i + 1, json_string_value(text));
        }
        return 0;
}

static int check_run_decision(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        struct gbx_error problem = {};
        int r = load_request(state, detail(state, "request"), &request, &problem);

        if (r >= 0 && request.policy)
                r = load_policy(state, request.policy, &policy, &problem);
        if (r >= 0)
                r = gbx_decide_run(policy, &request, &verdict, &problem);
        if (r < 0)
                return gbx_replay_diverge(state, err, "%s", problem.message);
        if (strcmp(request.algorithm, detail(state, "algorithm")) != 0 || strcmp(request.requester, top(state, "actor")) != 0)
                return gbx_replay_diverge(state, err, "the request is about another algorithm or requester");
        r = check_request(state, &request, err);
        return r < 0 ? r : compare_verdict(state, &verdict, err);
}

/* --- runs and releases -------------------------------------------------------------- */

/* Which state of the run an action needs. */
static const struct {
        const char *action;
        const char *states[3];
} transitions[] = {
        { "run.start", { "allowed" } },
        { "run.end", { "running" } },
        { "gate.check", { "ended" } },
        { "gate.hold", { "hold" } },
        { "release.approve", { "held" } },
        { "release.reject", { "held" } },
        { "release.create", { "release", "approved" } },
};

static int find_run(struct gbx_replay_state *state, json_t **ret_row, struct gbx_error *err) {
        const char *run = strcmp(state->action, "release.create") == 0 ? detail(state, "run") : top(state, "object");

        return gbx_view_query_one(state->view, ret_row, err, "SELECT * FROM run WHERE id=?1", run, NULL);
}

static int check_transition(struct gbx_replay_state *state, struct gbx_error *err) {
        for (size_t i = 0; i < gbx_array_size(transitions); i++) {
                gbx_auto(gbx_json_freep) json_t *row = NULL;
                const char *found;
                int r;

                if (strcmp(transitions[i].action, state->action) != 0)
                        continue;
                r = find_run(state, &row, err);
                if (r < 0)
                        return r;
                found = r > 0 ? "unknown" : json_string_value(json_object_get(row, "state"));
                for (size_t k = 0; k < gbx_array_size(transitions[i].states) && transitions[i].states[k]; k++)
                        if (strcmp(transitions[i].states[k], found) == 0)
                                return 0;
                return gbx_replay_diverge(state, err, "illegal in the state '%s' of the run", found);
        }
        return 0;
}

static int check_gate(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *json = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_findings_free) struct gbx_findings findings = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        const json_t *details = json_object_get(state->entry, "details");
        struct gbx_release_request request = { .recipient = detail(state, "recipient") };
        struct gbx_error problem = {};
        int r = find_run(state, &row, err);

        if (r != 0)
                return r < 0 ? r : 0; /* an unknown run is a divergence already */
        request.requester = json_string_value(json_object_get(row, "requester"));
        request.table_count = (size_t)json_integer_value(json_object_get(details, "tables"));
        request.opaque_count = (size_t)json_integer_value(json_object_get(details, "opaque"));
        request.declared_counts = json_is_true(json_object_get(details, "declared_counts"));
        r = load_policy(state, json_string_value(json_object_get(row, "policy")), &policy, &problem);
        if (r >= 0)
                r = gbx_object_get(state->site->directory, detail(state, "findings"), &text, &problem);
        if (r >= 0) {
                json = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
                r = gbx_findings_from_json(json, &findings, &problem);
        }
        if (r >= 0)
                r = gbx_decide_release(policy, &request, &findings, &verdict, &problem);
        return r < 0 ? gbx_replay_diverge(state, err, "%s", problem.message) : compare_verdict(state, &verdict, err);
}

static int check_reviewer(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = find_run(state, &row, err);

        if (r == 0 && strcmp(json_string_value(json_object_get(row, "requester")), top(state, "actor")) == 0)
                return gbx_replay_diverge(state, err, "the requester reviewed outputs of the own run");
        return r < 0 ? r : 0;
}

static int check_fetch(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(state->view, &row, err, "SELECT recipient FROM release WHERE id=?1", top(state, "object"), NULL);

        if (r < 0)
                return r;
        if (r > 0 || strcmp(json_string_value(json_object_get(row, "recipient")), top(state, "actor")) != 0)
                return gbx_replay_diverge(state, err, "'%s' was not the recipient", top(state, "actor"));
        return 0;
}

static const struct {
        const char *action;
        int (*check)(struct gbx_replay_state *state, struct gbx_error *err);
} checks[] = {
        { "review.approve", check_approval }, { "run.decide", check_run_decision }, { "gate.check", check_gate },
        { "release.approve", check_reviewer }, { "release.reject", check_reviewer }, { "release.fetch", check_fetch },
};

int gbx_replay_check(struct gbx_replay_state *state, struct gbx_error *err) {
        int r = check_time(state, err);

        if (r >= 0)
                r = check_actor(state, err);
        if (r >= 0)
                r = check_transition(state, err);
        for (size_t i = 0; i < gbx_array_size(checks) && r >= 0; i++)
                if (strcmp(checks[i].action, state->action) == 0)
                        r = checks[i].check(state, err);
        return r;
}
