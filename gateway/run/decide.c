/* The decision on a run: gathers request and state, asks policy/decision.h, records the verdict */
#include "gateway/run/decide.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/algorithm/find.h"
#include "gateway/store/authorise.h"
#include "gateway/store/objects.h"
#include "gateway/store/policies.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *row, const char *field) {
        return json_string_value(json_object_get(row, field));
}

/* The roles column (a JSON array) as the comma-separated text of a request. */
static json_t *roles_text(const char *list_text) {
        gbx_auto(gbx_json_freep) json_t *list = list_text ? json_loads(list_text, 0, NULL) : NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        size_t index;
        json_t *role;

        json_array_foreach(list, index, role)
                (void)gbx_buffer_printf(&text, NULL, "%s%s", index ? "," : "", json_string_value(role));
        return json_string(gbx_buffer_text(&text));
}

static int add_dataset(struct gbx_site *site, const char *name, json_t *datasets, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(site->view, &row, err,
                                   "SELECT name, version, manifest, owner, state FROM dataset WHERE name=?1 ORDER BY version DESC LIMIT 1",
                                   name, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no dataset '%s' (gbx data ls)", name);
        if (json_array_append_new(datasets, json_pack("{s:s, s:I, s:s, s:s, s:b}", "name", name, "version",
                                                      json_integer_value(json_object_get(row, "version")), "digest",
                                                      text_of(row, "manifest"), "owner", text_of(row, "owner"), "available",
                                                      strcmp(text_of(row, "state"), "active") == 0)) < 0)
                return gbx_fail_memory(err);
        return 0;
}

/* All approvals ever given to the algorithm: which of them count is the policy's to say. */
static int add_approvals(struct gbx_site *site, const char *algorithm, json_t *approvals, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        size_t index;
        json_t *row;
        int r = gbx_view_query(site->view, &rows, err,
                               "SELECT a.*, u.roles AS roles, u.ssh_key AS key_now, u.state AS user_state, u.seq AS key_since FROM approval a"
                               " LEFT JOIN user u ON u.name = a.reviewer WHERE a.algorithm=?1 AND a.decision='approve' ORDER BY a.seq",
                               algorithm, NULL);

        if (r < 0)
                return r;
        json_array_foreach(rows, index, row) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer statement = {}, signature = {};
                bool active = text_of(row, "user_state") && strcmp(text_of(row, "user_state"), "active") == 0;
                json_t *approval;

                r = gbx_object_get(site->directory, text_of(row, "statement"), &statement, err);
                if (r >= 0)
                        r = gbx_object_get(site->directory, text_of(row, "signature"), &signature, err);
                if (r < 0)
                        return r;
                approval = json_pack("{s:s, s:o, s:s?, s:I, s:s, s:s, s:I, s:b}", "reviewer", text_of(row, "reviewer"), "roles",
                                     roles_text(text_of(row, "roles")), "key", active ? text_of(row, "key_now") : NULL, "key_since",
                                     json_integer_value(json_object_get(row, "key_since")), "statement", gbx_buffer_text(&statement),
                                     "signature", gbx_buffer_text(&signature), "seq", json_integer_value(json_object_get(row, "seq")),
                                     "revoked", strcmp(text_of(row, "state"), "revoked") == 0);
                if (json_array_append_new(approvals, approval) < 0)
                        return gbx_fail_memory(err);
        }
        return 0;
}

static int requester_roles(struct gbx_site *site, const char *requester, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(site->view, &row, err, "SELECT roles FROM user WHERE name=?1 AND state='active'", requester, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -EKEYREJECTED, "there is no active user '%s'", requester);
        *ret = roles_text(text_of(row, "roles"));
        return 0;
}

/* The key of somebody, also of one who was removed: a second name does not make a second person. NULL: none known. */
static int key_of(struct gbx_site *site, const char *name, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(site->view, &row, err, "SELECT ssh_key FROM user WHERE name=?1", name, NULL);

        if (r < 0)
                return r;
        *ret = r > 0 ? json_null() : json_incref(json_object_get(row, "ssh_key"));
        return 0;
}

static int build_request(struct gbx_site *site, const struct gbx_run_order *order, const json_t *algorithm,
                         const struct gbx_policy *policy, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *datasets = json_array(), *approvals = json_array(), *roles = NULL;
        gbx_auto(gbx_json_freep) json_t *requester_key = NULL, *submitter_key = NULL;
        char now[GBX_TIME_TEXT_SIZE];
        int r = requester_roles(site, order->requester, &roles, err);

        if (r >= 0)
                r = key_of(site, order->requester, &requester_key, err);
        if (r >= 0)
                r = key_of(site, text_of(algorithm, "submitter"), &submitter_key, err);
        for (size_t i = 0; i < order->dataset_count && r >= 0; i++)
                r = add_dataset(site, order->datasets[i], datasets, err);
        if (r >= 0)
                r = add_approvals(site, text_of(algorithm, "digest"), approvals, err);
        if (r < 0)
                return r;
        gbx_time_text(gbx_time_now(), now);
        *ret = json_pack("{s:s, s:s, s:s, s:O, s:O, s:s, s:O, s:s, s:s, s:s, s:s?, s:O, s:O, s:O}", "site", site->origin, "now", now,
                         "requester", order->requester, "requester_roles", roles, "requester_key", requester_key, "submitter",
                         text_of(algorithm, "submitter"), "submitter_key", submitter_key, "algorithm", text_of(algorithm, "digest"), "engine", text_of(algorithm, "engine"), "purpose", order->purpose,
                         "policy", policy ? policy->digest : NULL, "datasets", datasets, "parameters", order->parameters,
                         "approvals", approvals);
        return *ret ? 0 : gbx_fail_memory(err);
}

static int next_id(struct gbx_site *site, char ret_id[static GBX_RUN_ID_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(site->view, &row, err, "SELECT count(*) + 1 AS next FROM run", NULL);

        if (r >= 0)
                (void)snprintf(ret_id, GBX_RUN_ID_SIZE, "run-%06lld", (long long)json_integer_value(json_object_get(row, "next")));
        return r;
}

json_t *gbx_verdict_reasons(const struct gbx_verdict *verdict) {
        json_t *reasons = json_array();

        for (size_t i = 0; i < verdict->count; i++)
                (void)json_array_append_new(reasons, json_sprintf("%s: %s", verdict->reasons[i].code, verdict->reasons[i].text));
        return reasons;
}

static int record_verdict(struct gbx_site *site, const char *id, const json_t *request, const struct gbx_verdict *verdict,
                          struct gbx_decision *decision, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *details = NULL, *names = json_array();
        size_t index;
        json_t *dataset;
        int r = gbx_json_canonical(request, &text, err);

        if (r >= 0)
                r = gbx_object_put(site->directory, text.data, text.size, decision->request, err);
        if (r < 0)
                return r;
        json_array_foreach(json_object_get(request, "datasets"), index, dataset)
                (void)json_array_append(names, json_object_get(dataset, "name"));
        decision->reasons = gbx_verdict_reasons(verdict);
        decision->allowed = verdict->outcome == GBX_OUTCOME_ALLOWED;
        details = json_pack("{s:s, s:s, s:s*, s:s, s:O}", "algorithm", text_of(request, "algorithm"), "purpose",
                            text_of(request, "purpose"), "policy", text_of(request, "policy"), "request", decision->request, "datasets",
                            names);
        (void)snprintf(decision->id, sizeof decision->id, "%s", id);
        return gbx_site_record(site, &(struct gbx_action){ text_of(request, "requester"), "run.decide", id,
                                                           gbx_outcome_name(verdict->outcome), decision->reasons, details },
                               &decision->entry, err);
}

/* Gathers the inputs and decides. `ret_request` gets them as they are recorded. */
static int decide(struct gbx_site *site, const struct gbx_run_order *order, json_t **ret_request,
                  struct gbx_verdict *ret_verdict, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL, *json = NULL;
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        int r;

        r = gbx_find_algorithm(site, order->algorithm, &algorithm, err);
        if (r < 0)
                return r;
        r = gbx_policy_in_force(site, order->purpose, &policy, err);
        if (r < 0 && r != -ENOENT)
                return r;
        r = build_request(site, order, algorithm, policy, &json, err);
        if (r >= 0)
                r = gbx_run_request_from_json(json, &request, err);
        if (r >= 0)
                r = gbx_decide_run(policy, &request, ret_verdict, err);
        if (r >= 0)
                *ret_request = gbx_take_ptr(json);
        return r;
}

int gbx_decide_explain(struct gbx_site *site, const struct gbx_run_order *order, struct gbx_verdict *ret_verdict,
                       struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = NULL;

        return decide(site, order, &json, ret_verdict, err);
}

int gbx_decide_and_record(struct gbx_site *site, const struct gbx_run_order *order, struct gbx_decision *ret, struct gbx_error *err) {
        gbx_auto(gbx_site_unlockp) struct gbx_site *locked = NULL;
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        gbx_auto(gbx_decision_free) struct gbx_decision decision = {};
        char id[GBX_RUN_ID_SIZE];
        int r = gbx_site_lock(site, err);

        if (r < 0)
                return r;
        locked = site;
        r = decide(site, order, &json, &verdict, err);
        if (r >= 0)
                r = next_id(site, id, err);
        if (r >= 0)
                r = record_verdict(site, id, json, &verdict, &decision, err);
        if (r < 0)
                return r;
        *ret = decision;
        decision = (struct gbx_decision){};
        return 0;
}

void gbx_decision_free(struct gbx_decision *decision) {
        json_decref(decision->reasons);
        decision->reasons = NULL;
}
