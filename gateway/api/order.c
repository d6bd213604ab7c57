#include "gateway/api/order.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/store/policies.h"

#include <string.h>

static const struct gbx_policy_parameter *find(const struct gbx_policy *policy, const char *name) {
        const struct gbx_policy_parameter *list = policy ? policy->parameters.items : NULL;

        for (size_t i = 0; list && i < policy->parameters.count; i++)
                if (strcmp(list[i].name, name) == 0)
                        return &list[i];
        return NULL;
}

static json_t *typed(unsigned type, const char *text) {
        char *end;
        long long number;

        if (type == GBX_TYPE_BOOLEAN && (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0))
                return json_true();
        if (type == GBX_TYPE_BOOLEAN && (strcmp(text, "false") == 0 || strcmp(text, "no") == 0))
                return json_false();
        if (type == GBX_TYPE_INTEGER) {
                errno = 0;
                number = strtoll(text, &end, 10);
                if (*text && !*end && errno == 0)
                        return json_integer(number);
        }
        return json_string(text);
}

static json_t *typed_list(unsigned type, const char *text) {
        gbx_auto(gbx_free_pointer) char *copy = strdup(text);
        char *rest = copy, *part;
        json_t *list = json_array();

        while (copy && *text && (part = strsep(&rest, ",")))
                (void)json_array_append_new(list, typed(type, part));
        return list;
}

static int take(json_t *parameters, const struct gbx_policy *policy, const char *text, struct gbx_error *err) {
        const char *equals = strchr(text, '=');
        gbx_auto(gbx_free_pointer) char *name = equals ? strndup(text, (size_t)(equals - text)) : NULL;
        const struct gbx_policy_parameter *parameter;
        json_t *value;

        if (!name || !*name)
                return gbx_fail(err, -EINVAL, "--param %s: expected NAME=VALUE", text);
        if (json_object_get(parameters, name))
                return gbx_fail(err, -EINVAL, "--param %s is given twice", name);
        parameter = find(policy, name);
        value = parameter && parameter->list ? typed_list(parameter->type, equals + 1)
                                             : typed(parameter ? parameter->type : GBX_TYPE_TEXT, equals + 1);
        return json_object_set_new(parameters, name, value) < 0 ? gbx_fail_memory(err) : 0;
}

int gbx_api_parameters(struct gbx_session *session, const json_t *request, json_t **ret_parameters, struct gbx_error *err) {
        const json_t *given = json_object_get(request, "params"), *text;
        gbx_auto(gbx_json_freep) json_t *parameters = given ? json_copy((json_t *)(uintptr_t)given) : json_object();
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        size_t index;
        int r = gbx_policy_in_force(session->site, gbx_json_text(request, "purpose"), &policy, err);

        if (r < 0 && r != -ENOENT)
                return r;
        json_array_foreach(json_object_get(request, "param"), index, text) {
                r = take(parameters, policy, json_string_value(text), err);
                if (r < 0)
                        return r;
        }
        *ret_parameters = gbx_take_ptr(parameters);
        return 0;
}

static void pass_progress(void *userdata, double fraction) {
        const struct gbx_api_order *asked = userdata;

        if (asked->sink->progress)
                asked->sink->progress(asked->sink->context, "running", fraction);
}

int gbx_api_order(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, struct gbx_api_order *ret,
                  struct gbx_error *err) {
        const json_t *datasets = json_object_get(request, "data");
        int r;

        if (json_array_size(datasets) > GBX_ORDER_DATASETS)
                return gbx_fail(err, -EINVAL, "more than %d datasets", GBX_ORDER_DATASETS);
        for (size_t i = 0; i < json_array_size(datasets); i++)
                ret->datasets[i] = json_string_value(json_array_get(datasets, i));
        r = gbx_api_parameters(session, request, &ret->parameters, err);
        ret->sink = sink;
        ret->order = (struct gbx_run_order){
                .requester = gbx_caller_name(session->caller),
                .algorithm = gbx_json_text(request, "algo"),
                .purpose = gbx_json_text(request, "purpose"),
                .datasets = ret->datasets,
                .dataset_count = json_array_size(datasets),
                .parameters = ret->parameters,
                .cancel = session->cancel,
                .progress = pass_progress,
                .userdata = ret,
        };
        return r;
}

void gbx_api_order_free(struct gbx_api_order *order) {
        json_decref(order->parameters);
        order->parameters = NULL;
}
