#include "gateway/run/request.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/objects.h"

#include <string.h>

static const char *text_of(const json_t *row, const char *field) {
        return json_string_value(json_object_get(row, field));
}

static int add_dataset(struct gbx_site *site, const char *name, json_t *datasets, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *owner = NULL;
        int r = gbx_fact_one(site, &row, err, "dataset", "name=?1", name, NULL);

        if (r == 0)
                r = gbx_fact_one(site, &owner, err, "ownership", "name=?1", name, NULL);
        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no dataset '%s' (gbx data ls)", name);
        if (json_array_append_new(datasets, json_pack("{s:s, s:I, s:s, s:s, s:b}", "name", name, "version",
                                                      json_integer_value(json_object_get(row, "version")), "digest",
                                                      text_of(row, "manifest"), "owner", text_of(owner, "owner"), "available",
                                                      strcmp(text_of(row, "state"), "active") == 0)) < 0)
                return gbx_fail_memory(err);
        return 0;
}

/* Who somebody is now; 1: nobody of that name ever was. */
static int find_user(struct gbx_site *site, const char *name, json_t **ret, struct gbx_error *err) {
        return gbx_fact_one(site, ret, err, "user", "name=?1", name, NULL);
}

static int add_approval(struct gbx_site *site, const json_t *row, json_t *approvals, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer statement = {}, signature = {};
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        bool active;
        int r = gbx_object_get(site->directory, text_of(row, "statement"), &statement, err);

        if (r >= 0)
                r = gbx_object_get(site->directory, text_of(row, "signature"), &signature, err);
        if (r >= 0)
                r = find_user(site, text_of(row, "reviewer"), &user, err);
        if (r < 0)
                return r;
        active = text_of(user, "state") && strcmp(text_of(user, "state"), "active") == 0;
        if (json_array_append_new(approvals,
                                  json_pack("{s:s, s:o, s:s?, s:I, s:s, s:s, s:I, s:b}", "reviewer", text_of(row, "reviewer"), "roles",
                                            gbx_roles_column_text(text_of(user, "roles")), "key", active ? text_of(user, "ssh_key") : NULL, "key_since",
                                            gbx_json_number(user, "since"), "statement", gbx_buffer_text(&statement), "signature",
                                            gbx_buffer_text(&signature), "seq", gbx_json_number(row, "seq"), "revoked",
                                            strcmp(text_of(row, "state"), "revoked") == 0)) < 0)
                return gbx_fail_memory(err);
        return 0;
}

/* All approvals ever given to the algorithm: which of them count is the policy's to say. */
static int add_approvals(struct gbx_site *site, const char *algorithm, json_t *approvals, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        size_t index;
        json_t *row;
        int r = gbx_fact_rows(site, &rows, err, "approval", "algorithm=?1 AND decision='approve'", algorithm, NULL);

        json_array_foreach(rows, index, row)
                if (r >= 0)
                        r = add_approval(site, row, approvals, err);
        return r;
}

static int requester_roles(struct gbx_site *site, const char *requester, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(site, &row, err, "user", "name=?1 AND state='active'", requester, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -EKEYREJECTED, "there is no active user '%s'", requester);
        *ret = gbx_roles_column_text(text_of(row, "roles"));
        return 0;
}

/* The key of somebody, also of one who was removed: a second name does not make a second person. NULL: none known. */
static int key_of(struct gbx_site *site, const char *name, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = find_user(site, name, &row, err);

        if (r < 0)
                return r;
        *ret = r > 0 ? json_null() : json_incref(json_object_get(row, "ssh_key"));
        return 0;
}

int gbx_request_build(struct gbx_site *site, const struct gbx_run_order *order, const json_t *algorithm, const struct gbx_policy *policy,
                      int64_t time, json_t **ret, struct gbx_error *err) {
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
        gbx_time_text(time, now);
        *ret = json_pack("{s:s, s:s, s:s, s:O, s:O, s:s, s:O, s:s, s:s, s:s, s:s?, s:O, s:O, s:O}", "site", site->origin, "now", now,
                         "requester", order->requester, "requester_roles", roles, "requester_key", requester_key, "submitter",
                         text_of(algorithm, "submitter"), "submitter_key", submitter_key, "algorithm", text_of(algorithm, "digest"), "engine",
                         text_of(algorithm, "engine"), "purpose", order->purpose, "policy", policy ? policy->digest : NULL, "datasets", datasets, "parameters", order->parameters,
                         "approvals", approvals);
        return *ret ? 0 : gbx_fail_memory(err);
}

/* --- whether what was allowed still is ------------------------------------------------ */

/* A version that a newer one replaced may still be released from; one that was revoked or destroyed may not. */
static int refresh_datasets(struct gbx_site *site, json_t *datasets, struct gbx_error *err) {
        size_t i;
        json_t *dataset;

        json_array_foreach(datasets, i, dataset) {
                gbx_auto(gbx_json_freep) json_t *row = NULL;
                const char *state;
                int r = gbx_fact_one(site, &row, err, "dataset", "name=?1 AND manifest=?2", text_of(dataset, "name"), text_of(dataset, "digest"),
                                     NULL);

                if (r < 0)
                        return r;
                state = r > 0 ? "" : text_of(row, "state");
                if (json_object_set_new(dataset, "available", json_boolean(strcmp(state, "active") == 0 || strcmp(state, "replaced") == 0)) < 0)
                        return gbx_fail_memory(err);
        }
        return 0;
}

static int refresh(struct gbx_site *site, json_t *json, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *approvals = json_array(), *roles = NULL, *key = NULL;
        int r = requester_roles(site, text_of(json, "requester"), &roles, err);

        if (r >= 0)
                r = key_of(site, text_of(json, "requester"), &key, err);
        if (r >= 0)
                r = add_approvals(site, text_of(json, "algorithm"), approvals, err);
        if (r >= 0)
                r = refresh_datasets(site, json_object_get(json, "datasets"), err);
        if (r >= 0 && (json_object_set(json, "requester_roles", roles) < 0 || json_object_set(json, "requester_key", key) < 0 ||
                       json_object_set(json, "approvals", approvals) < 0))
                r = gbx_fail_memory(err);
        return r;
}

int gbx_request_withdrawn(struct gbx_site *site, const struct gbx_run_request *recorded, const struct gbx_policy *policy, bool *ret,
                          struct gbx_error *err) {
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        int r = gbx_run_request_to_json(recorded, &json, err);

        if (r >= 0)
                r = refresh(site, json, err);
        if (r == -EKEYREJECTED) { /* the requester is no user any more */
                *ret = true;
                return 0;
        }
        if (r >= 0)
                r = gbx_run_request_from_json(json, &request, err);
        if (r >= 0)
                r = gbx_decide_run(policy, &request, &verdict, err);
        if (r >= 0)
                *ret = verdict.outcome != GBX_OUTCOME_ALLOWED;
        return r < 0 ? r : 0;
}
