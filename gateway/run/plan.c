#include "gateway/run/plan.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/store/objects.h"
#include "gateway/store/fact.h"

#include <stdio.h>
#include <string.h>

void gbx_run_plan_free(struct gbx_run_plan *plan) {
        gbx_run_request_free(&plan->request);
        plan->policy = gbx_policy_free(plan->policy);
        json_decref(plan->datasets);
        gbx_buffer_free(&plan->program);
        *plan = (struct gbx_run_plan){};
}

static int load_policy(struct gbx_site *site, struct gbx_run_plan *plan, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        int r = gbx_object_get(site->directory, plan->request.policy, &source, err);

        return r < 0 ? r : gbx_policy_parse(&plan->policy, plan->request.policy, source.data, source.size, NULL, err);
}

/* The rows of exactly the versions that the request names. */
static int load_datasets(struct gbx_site *site, struct gbx_run_plan *plan, struct gbx_error *err) {
        plan->datasets = json_array();
        for (size_t i = 0; i < plan->request.dataset_count; i++) {
                const struct gbx_run_dataset *dataset = &plan->request.datasets[i];
                json_t *row;
                int r = gbx_fact_one(site, &row, err, "dataset", "name=?1 AND manifest=?2", dataset->name, dataset->digest, NULL);

                if (r < 0)
                        return r;
                if (r > 0)
                        return gbx_fail(err, -ENOENT, "the site has no dataset '%s' with the manifest %s", dataset->name,
                                        dataset->digest);
                if (strcmp(json_string_value(json_object_get(row, "state")), "destroyed") == 0) {
                        json_decref(row);
                        return gbx_fail(err, -ENOENT, "the dataset '%s' was destroyed", dataset->name);
                }
                if (json_array_append_new(plan->datasets, row) < 0)
                        return gbx_fail_memory(err);
        }
        return 0;
}

int gbx_run_plan_load(struct gbx_site *site, const char *request_digest, struct gbx_run_plan *ret, struct gbx_error *err) {
        gbx_auto(gbx_run_plan_free) struct gbx_run_plan plan = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        int r = gbx_object_get(site->directory, request_digest, &text, err);

        if (r < 0)
                return r;
        json = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
        r = gbx_run_request_from_json(json, &plan.request, err);
        if (r < 0)
                return r;
        if (!plan.request.policy)
                return gbx_fail(err, -EINVAL, "the request names no policy: nothing was run");
        r = load_policy(site, &plan, err);
        if (r >= 0)
                r = load_datasets(site, &plan, err);
        if (r >= 0)
                r = gbx_object_get(site->directory, plan.request.algorithm, &plan.program, err);
        if (r < 0)
                return r;
        *ret = plan;
        plan = (struct gbx_run_plan){};
        return 0;
}

void gbx_run_plan_execution(struct gbx_site *site, const struct gbx_run_plan *plan, const char *id,
                            struct gbx_execution *ret_execution) {
        *ret_execution = (struct gbx_execution){
                .site = site->directory,
                .id = id,
                .engine = plan->request.engine,
                .program = &plan->program,
                .parameters = plan->request.parameters,
                .datasets = plan->datasets,
                .limits = gbx_execution_limits(plan->policy),
                .sandbox = plan->policy->sandbox,
        };
}
