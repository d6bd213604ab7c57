/* Run requests as JSON, to and fro. */
#include "policy/decision.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

enum { MAX_APPROVALS = 1000 };

static void decref(json_t **json) {
        json_decref(*json);
}

static void free_dataset(struct gbx_run_dataset *dataset) {
        free(dataset->name);
        free(dataset->digest);
        free(dataset->owner);
}

static void free_approval(struct gbx_run_approval *approval) {
        free(approval->reviewer);
        free(approval->key);
        free(approval->statement);
        free(approval->signature);
}

void gbx_run_request_free(struct gbx_run_request *request) {
        for (size_t i = 0; i < request->dataset_count; i++)
                free_dataset(request->datasets + i);
        for (size_t i = 0; i < request->approval_count; i++)
                free_approval(request->approvals + i);
        free(request->datasets);
        free(request->approvals);
        free(request->site);
        free(request->requester);
        free(request->requester_key);
        free(request->submitter);
        free(request->submitter_key);
        free(request->algorithm);
        free(request->engine);
        free(request->purpose);
        free(request->policy);
        json_decref(request->parameters);
        *request = (struct gbx_run_request){};
}

/* --- reading ------------------------------------------------------------------------ */

/* An empty text is no role at all: somebody who was removed. */
static int read_roles(const char *text, unsigned *ret, struct gbx_error *err) {
        *ret = 0;
        return *text ? gbx_roles_parse(text, ret, err) : 0;
}

static int copy_text(const char *text, char **ret, struct gbx_error *err) {
        *ret = strdup(text);
        return *ret ? 0 : gbx_fail_memory(err);
}

/* Of a text or null. */
static int copy_text_or_null(const json_t *json, char **ret, struct gbx_error *err) {
        return json_is_string(json) ? copy_text(json_string_value(json), ret, err) : 0;
}

static bool is_text_or_null(const json_t *json) {
        return json_is_string(json) || json_is_null(json);
}

static int read_dataset(json_t *json, struct gbx_run_dataset *ret, struct gbx_error *err) {
        const char *name, *digest, *owner;
        json_int_t version;
        int available, r;

        if (json_unpack(json, "{s:s, s:I, s:s, s:s, s:b !}", "name", &name, "version", &version, "digest", &digest,
                        "owner", &owner, "available", &available) < 0 ||
            version < 0)
                return gbx_fail(err, -EINVAL, "run request: a dataset is malformed");
        ret->version = (uint64_t)version;
        ret->available = available;
        r = copy_text(name, &ret->name, err);
        if (r >= 0)
                r = copy_text(digest, &ret->digest, err);
        return r < 0 ? r : copy_text(owner, &ret->owner, err);
}

static int read_approval(json_t *json, struct gbx_run_approval *ret, struct gbx_error *err) {
        const char *reviewer, *roles, *statement, *signature;
        json_t *key;
        json_int_t key_since, seq;
        int revoked, r;

        if (json_unpack(json, "{s:s, s:s, s:o, s:I, s:s, s:s, s:I, s:b !}", "reviewer", &reviewer, "roles", &roles, "key", &key,
                        "key_since", &key_since, "statement", &statement, "signature", &signature, "seq", &seq, "revoked",
                        &revoked) < 0 ||
            !is_text_or_null(key) || key_since < 0 || seq < 0)
                return gbx_fail(err, -EINVAL, "run request: an approval is malformed");
        ret->revoked = revoked;
        ret->key_since = (uint64_t)key_since;
        ret->seq = (uint64_t)seq;
        r = read_roles(roles, &ret->roles, err);
        if (r >= 0)
                r = copy_text(reviewer, &ret->reviewer, err);
        if (r >= 0)
                r = copy_text_or_null(key, &ret->key, err);
        if (r >= 0)
                r = copy_text(statement, &ret->statement, err);
        return r < 0 ? r : copy_text(signature, &ret->signature, err);
}

static int read_lists(json_t *datasets, json_t *approvals, struct gbx_run_request *ret, struct gbx_error *err) {
        size_t index;
        json_t *item;
        int r;

        if (!json_is_array(datasets) || json_array_size(datasets) > GBX_APPROVAL_MAX_DATASETS ||
            !json_is_array(approvals) || json_array_size(approvals) > MAX_APPROVALS)
                return gbx_fail(err, -EINVAL, "run request: datasets and approvals must be lists (of at most %d and %d)",
                                GBX_APPROVAL_MAX_DATASETS, MAX_APPROVALS);
        ret->datasets = calloc(json_array_size(datasets) + 1, sizeof *ret->datasets);
        ret->approvals = calloc(json_array_size(approvals) + 1, sizeof *ret->approvals);
        if (!ret->datasets || !ret->approvals)
                return gbx_fail_memory(err);
        json_array_foreach(datasets, index, item) {
                r = read_dataset(item, ret->datasets + ret->dataset_count++, err);
                if (r < 0)
                        return r;
        }
        json_array_foreach(approvals, index, item) {
                r = read_approval(item, ret->approvals + ret->approval_count++, err);
                if (r < 0)
                        return r;
                if (index > 0 && ret->approvals[index].seq <= ret->approvals[index - 1].seq)
                        return gbx_fail(err, -EINVAL, "run request: the approvals do not stand in the order of their entries");
        }
        return 0;
}

int gbx_run_request_from_json(const json_t *json, struct gbx_run_request *ret, struct gbx_error *err) {
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        json_t *policy, *datasets, *parameters, *approvals, *requester_key, *submitter_key;
        const char *site, *now, *requester, *roles, *submitter, *algorithm, *engine, *purpose;
        json_error_t problem;
        int r;

        if (json_unpack_ex((json_t *)(uintptr_t)json, &problem, 0,
                           "{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o !}", "site", &site, "now", &now,
                           "requester", &requester, "requester_roles", &roles, "requester_key", &requester_key, "submitter",
                           &submitter, "submitter_key", &submitter_key, "algorithm", &algorithm, "engine", &engine, "purpose",
                           &purpose, "policy", &policy, "datasets", &datasets, "parameters", &parameters, "approvals", &approvals) < 0)
                return gbx_fail(err, -EINVAL, "run request: %s", problem.text);
        if (!is_text_or_null(policy) || !json_is_object(parameters))
                return gbx_fail(err, -EINVAL, "run request: policy must be a digest or null, parameters an object");
        if (!is_text_or_null(requester_key) || !is_text_or_null(submitter_key))
                return gbx_fail(err, -EINVAL, "run request: the keys of requester and submitter must be key lines or null");
        r = gbx_time_parse(now, &request.now, err);
        if (r >= 0)
                r = read_roles(roles, &request.requester_roles, err);
        r = r < 0 ? r : copy_text(site, &request.site, err);
        r = r < 0 ? r : copy_text(requester, &request.requester, err);
        r = r < 0 ? r : copy_text_or_null(requester_key, &request.requester_key, err);
        r = r < 0 ? r : copy_text(submitter, &request.submitter, err);
        r = r < 0 ? r : copy_text_or_null(submitter_key, &request.submitter_key, err);
        r = r < 0 ? r : copy_text(algorithm, &request.algorithm, err);
        r = r < 0 ? r : copy_text(engine, &request.engine, err);
        r = r < 0 ? r : copy_text(purpose, &request.purpose, err);
        r = r < 0 ? r : copy_text_or_null(policy, &request.policy, err);
        if (r >= 0)
                r = read_lists(datasets, approvals, &request, err);
        if (r < 0)
                return r;
        request.parameters = json_deep_copy(parameters);
        if (!request.parameters)
                return gbx_fail_memory(err);
        *ret = request;
        request = (struct gbx_run_request){};
        return 0;
}

/* --- writing ------------------------------------------------------------------------ */

static int write_datasets(const struct gbx_run_request *request, json_t *list, struct gbx_error *err) {
        for (size_t i = 0; i < request->dataset_count; i++) {
                const struct gbx_run_dataset *dataset = request->datasets + i;

                if (json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:s, s:b}", "name", dataset->name, "version",
                                                          (json_int_t)dataset->version, "digest", dataset->digest,
                                                          "owner", dataset->owner, "available",
                                                          (int)dataset->available)) < 0)
                        return gbx_fail_memory(err);
        }
        return 0;
}

static int write_approvals(const struct gbx_run_request *request, json_t *list, struct gbx_error *err) {
        for (size_t i = 0; i < request->approval_count; i++) {
                const struct gbx_run_approval *approval = request->approvals + i;
                gbx_auto(gbx_buffer_free) struct gbx_buffer roles = {};
                int r = gbx_roles_text(approval->roles, &roles, err);

                if (r < 0)
                        return r;
                if (json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:I, s:s, s:s, s:I, s:b}", "reviewer",
                                                          approval->reviewer, "roles", gbx_buffer_text(&roles), "key",
                                                          approval->key, "key_since", (json_int_t)approval->key_since,
                                                          "statement", approval->statement, "signature", approval->signature,
                                                          "seq", (json_int_t)approval->seq, "revoked",
                                                          (int)approval->revoked)) < 0)
                        return gbx_fail_memory(err);
        }
        return 0;
}

int gbx_run_request_to_json(const struct gbx_run_request *request, json_t **ret, struct gbx_error *err) {
        gbx_auto(decref) json_t *datasets = json_array(), *approvals = json_array();
        gbx_auto(gbx_buffer_free) struct gbx_buffer roles = {};
        char now[GBX_TIME_TEXT_SIZE];
        json_t *object;
        int r;

        if (!datasets || !approvals)
                return gbx_fail_memory(err);
        r = write_datasets(request, datasets, err);
        if (r >= 0)
                r = write_approvals(request, approvals, err);
        if (r >= 0)
                r = gbx_roles_text(request->requester_roles, &roles, err);
        if (r < 0)
                return r;
        gbx_time_text(request->now, now);
        object = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:s, s:s?, s:O, s:O, s:O}", "site", request->site, "now",
                           now, "requester", request->requester, "requester_roles", gbx_buffer_text(&roles), "requester_key",
                           request->requester_key, "submitter", request->submitter, "submitter_key", request->submitter_key, "algorithm",
                           request->algorithm, "engine", request->engine,
                           "purpose", request->purpose, "policy", request->policy, "datasets", datasets, "parameters",
                           request->parameters, "approvals", approvals);
        if (!object)
                return gbx_fail(err, -EINVAL, "the run request has missing parts");
        *ret = object;
        return 0;
}
