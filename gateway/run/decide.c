/* The decision on a run: gathers request and state, asks policy/decision.h, records the verdict */
#include "gateway/run/decide.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/algorithm/find.h"
#include "gateway/run/request.h"
#include "gateway/store/fact.h"
#include "gateway/store/objects.h"
#include "gateway/store/policies.h"

#include <stdio.h>
#include <string.h>

static int next_id(struct gbx_site *site, char ret_id[static GBX_RUN_ID_SIZE], struct gbx_error *err) {
        uint64_t number;
        int r = gbx_fact_count(site, "run", &number, err);

        if (r >= 0)
                (void)snprintf(ret_id, GBX_RUN_ID_SIZE, "run-%06llu", (unsigned long long)number + 1);
        return r;
}

json_t *gbx_verdict_reasons(const struct gbx_verdict *verdict) {
        json_t *reasons = json_array();

        for (size_t i = 0; i < verdict->count; i++)
                (void)json_array_append_new(reasons, json_sprintf("%s: %s", verdict->reasons[i].code, verdict->reasons[i].text));
        return reasons;
}

static int record_verdict(struct gbx_transaction *transaction, const char *id, const json_t *request, const struct gbx_verdict *verdict,
                          struct gbx_decision *decision, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *details = NULL, *names = json_array();
        size_t index;
        json_t *dataset;
        int r = gbx_json_canonical(request, &text, err);

        if (r >= 0)
                r = gbx_object_put(gbx_transaction_site(transaction)->directory, text.data, text.size, decision->request, err);
        if (r < 0)
                return r;
        json_array_foreach(json_object_get(request, "datasets"), index, dataset)
                (void)json_array_append(names, json_object_get(dataset, "name"));
        decision->reasons = gbx_verdict_reasons(verdict);
        decision->allowed = verdict->outcome == GBX_OUTCOME_ALLOWED;
        details = json_pack("{s:s, s:s, s:s*, s:s, s:O}", "algorithm", gbx_json_text(request, "algorithm"), "purpose",
                            gbx_json_text(request, "purpose"), "policy", gbx_json_text(request, "policy"), "request", decision->request, "datasets",
                            names);
        (void)snprintf(decision->id, sizeof decision->id, "%s", id);
        return gbx_transaction_record(transaction,
                                      &(struct gbx_action){ "run.decide", id, gbx_outcome_name(verdict->outcome), decision->reasons, details },
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
        r = gbx_request_build(site, order, algorithm, policy, gbx_time_now(), &json, err);
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

int gbx_decide_and_record(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_run_order *order, struct gbx_decision *ret, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        gbx_auto(gbx_decision_free) struct gbx_decision decision = {};
        char id[GBX_RUN_ID_SIZE];
        int r = gbx_transaction_begin(&transaction, site, caller, "job run", err);

        if (r >= 0)
                r = decide(site, order, &json, &verdict, err);
        if (r >= 0)
                r = next_id(site, id, err);
        if (r >= 0 && verdict.outcome == GBX_OUTCOME_ALLOWED)
                r = gbx_living_begin(&decision.living, site->directory, id, err);
        if (r >= 0)
                r = record_verdict(transaction, id, json, &verdict, &decision, err);
        if (r < 0)
                return r;
        *ret = decision;
        decision = (struct gbx_decision){};
        return 0;
}

void gbx_decision_free(struct gbx_decision *decision) {
        decision->living = gbx_living_end(decision->living);
        json_decref(decision->reasons);
        decision->reasons = NULL;
}
