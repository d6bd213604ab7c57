#include "gateway/job/rehearse.h"

#include "base/cleanup.h"
#include "gateway/executor/local.h"
#include "gateway/gate/check.h"
#include "gateway/handover/handover.h"
#include "base/json.h"
#include "gateway/store/fact.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void gbx_rehearsal_free(struct gbx_rehearsal *rehearsal) {
        json_decref(rehearsal->reasons);
        gbx_gate_result_free(&rehearsal->gate);
        *rehearsal = (struct gbx_rehearsal){};
}

/* The active versions of the policy's datasets: only their schemas are used. */
static int find_datasets(struct gbx_site *site, const struct gbx_policy *policy, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *list = json_array();

        for (size_t i = 0; i < policy->datasets.count; i++) {
                json_t *row;
                int r = gbx_fact_one(site, &row, err, "dataset", "name=?1 AND state='active'", policy->datasets.items[i], NULL);

                if (r < 0)
                        return r;
                if (r == 0 && json_array_append_new(list, row) < 0)
                        return gbx_fail_memory(err);
        }
        if (json_array_size(list) == 0)
                return gbx_fail(err, -ENOENT, "the site has none of the datasets of the policy '%s'", policy->name);
        *ret = gbx_take_ptr(list);
        return 0;
}

static json_t *first_value(const struct gbx_policy_parameter *parameter) {
        const char *text = parameter->values.count ? parameter->values.items[0] : parameter->min ? parameter->min : NULL;
        json_t *value;

        switch (parameter->type) {
        case GBX_TYPE_INTEGER:
                value = json_integer(text ? strtoll(text, NULL, 10) : 1);
                break;
        case GBX_TYPE_DECIMAL:
                value = json_real(text ? strtod(text, NULL) : 1);
                break;
        case GBX_TYPE_BOOLEAN:
                value = json_true();
                break;
        case GBX_TYPE_DATE:
                value = json_string(text ? text : "2020-01-01");
                break;
        default:
                value = json_string(text ? text : "x");
                break;
        }
        return parameter->list ? json_pack("[o]", value) : value;
}

static json_t *default_parameters(const struct gbx_policy *policy) {
        const struct gbx_policy_parameter *list = policy->parameters.items;
        json_t *parameters = json_object();

        for (size_t i = 0; i < policy->parameters.count; i++)
                if (list[i].required)
                        (void)json_object_set_new(parameters, list[i].name, first_value(&list[i]));
        return parameters;
}

/* One run on dummy data; `ret_gate` is filled if it ran to its end. */
static int run_once(const struct gbx_execution *execution, const struct gbx_policy *policy, enum gbx_run_state *ret_state,
                    json_t **ret_reason, struct gbx_gate_result *ret_gate, struct gbx_error *err) {
        gbx_auto(gbx_execution_result_free) struct gbx_execution_result result = {};
        const struct gbx_policy_messages all = { .line = true, .progress = true }; /* nothing of it comes from real data */
        int r = gbx_execute(execution, &result, err);

        if (r < 0)
                return r;
        *ret_state = gbx_run_judge(&result, &all, ret_reason);
        return *ret_state == GBX_RUN_RELEASED ? gbx_check_outputs(execution->id, policy, result.out, ret_gate, err) : 0;
}

static int compare_again(const struct gbx_execution *execution, const struct gbx_policy *policy, struct gbx_rehearsal *rehearsal,
                         struct gbx_error *err) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result gate = {};
        gbx_auto(gbx_json_freep) json_t *reason = NULL;
        char first[GBX_SHA256_TEXT_SIZE], second[GBX_SHA256_TEXT_SIZE];
        enum gbx_run_state state;
        int r = run_once(execution, policy, &state, &reason, &gate, err);

        if (r >= 0)
                r = gbx_output_digest(&rehearsal->gate, first, err);
        if (r >= 0)
                r = gbx_output_digest(&gate, second, err);
        if (r >= 0)
                rehearsal->deterministic = state == rehearsal->state && strcmp(first, second) == 0;
        return r;
}

int gbx_rehearse(struct gbx_site *site, const struct gbx_rehearsal_order *order, struct gbx_rehearsal *ret, struct gbx_error *err) {
        gbx_auto(gbx_rehearsal_free) struct gbx_rehearsal rehearsal = { .reasons = json_array() };
        gbx_auto(gbx_json_freep) json_t *datasets = NULL, *reason = NULL;
        gbx_auto(gbx_json_freep) json_t *parameters = order->parameters ? json_incref(order->parameters) : default_parameters(order->policy);
        struct gbx_execution execution = { .site = site->directory, .engine = order->engine, .program = order->program,
                                           .parameters = parameters, .dummy = true, .cancel = order->cancel };
        char id[GBX_RUN_ID_SIZE];
        int r = find_datasets(site, order->policy, &datasets, err);

        if (r < 0)
                return r;
        (void)snprintf(id, sizeof id, "rehearsal-%d", (int)getpid());
        execution.id = id;
        execution.datasets = datasets;
        execution.limits = gbx_execution_limits(order->policy);
        execution.sandbox = order->policy->sandbox;
        r = run_once(&execution, order->policy, &rehearsal.state, &reason, &rehearsal.gate, err);
        if (r >= 0 && reason)
                (void)json_array_append(rehearsal.reasons, reason);
        if (r >= 0 && order->twice && rehearsal.state == GBX_RUN_RELEASED)
                r = compare_again(&execution, order->policy, &rehearsal, err);
        if (r < 0)
                return r;
        *ret = rehearsal;
        rehearsal = (struct gbx_rehearsal){};
        return 0;
}
