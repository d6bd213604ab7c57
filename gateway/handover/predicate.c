#include "gateway/handover/predicate.h"

#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

static json_t *approvals_json(const struct gbx_run_request *request) {
        json_t *list = json_array();

        for (size_t i = 0; i < request->approval_count; i++) {
                char text[GBX_SHA256_TEXT_SIZE];

                gbx_sha256_text_of(request->approvals[i].statement, strlen(request->approvals[i].statement), text);
                (void)json_array_append_new(list, json_pack("{s:s, s:s}", "reviewer", request->approvals[i].reviewer, "statement", text));
        }
        return list;
}

static json_t *body_json(const struct gbx_predicate_parts *parts) {
        const struct gbx_run_request *request = &parts->plan->request;
        json_t *datasets = json_array();
        char now[GBX_TIME_TEXT_SIZE];

        gbx_time_text(gbx_time_now(), now);
        for (size_t i = 0; i < request->dataset_count; i++)
                (void)json_array_append_new(datasets, json_pack("{s:s, s:I, s:s}", "name", request->datasets[i].name, "version",
                                                                (json_int_t)request->datasets[i].version, "manifest",
                                                                request->datasets[i].digest));
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:O, s:o, s:s, s:s, s:o, s:s, s:O}", "site", parts->origin,
                         "run", parts->run, "release", parts->release, "recipient", request->requester, "time", now, "algorithm",
                         "digest", request->algorithm, "engine", request->engine, "submitter", request->submitter, "parameters",
                         request->parameters, "datasets", datasets, "purpose", request->purpose, "policy", request->policy,
                         "approvals", approvals_json(request), "findings", parts->findings, "marks", parts->marks);
}

/* What people decided about held outputs, and the findings they let pass: by rule and output, without values. */
static int add_reviews(const struct gbx_predicate_parts *parts, json_t *predicate, struct gbx_error *err) {
        json_t *overridden = NULL;
        int r = parts->reviews ? gbx_findings_public(parts->found, &overridden, err) : 0;

        if (r < 0 || !parts->reviews)
                return r;
        if (json_object_set(predicate, "reviews", (json_t *)(uintptr_t)parts->reviews) < 0 ||
            json_object_set_new(predicate, "overridden", overridden) < 0)
                return gbx_fail_memory(err);
        return 0;
}

int gbx_predicate_make(const struct gbx_predicate_parts *parts, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *predicate = body_json(parts);
        int r = predicate ? add_reviews(parts, predicate, err) : gbx_fail_memory(err);

        if (r >= 0)
                *ret = gbx_take_ptr(predicate);
        return r;
}
