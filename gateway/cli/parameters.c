#include "gateway/cli/parameters.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/review/approvals.h"
#include "gateway/store/policies.h"
#include "gateway/store/view.h"

#include <string.h>

enum { FILE_LIMIT = 1024 * 1024 };

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

static int read_file(const char *path, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        json_error_t problem;
        json_t *json;
        int r = gbx_read_file(AT_FDCWD, path, FILE_LIMIT, &text, err);

        if (r < 0)
                return r;
        json = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, &problem);
        if (!json)
                return gbx_fail(err, -EINVAL, "%s:%d:%d: %s", path, problem.line, problem.column, problem.text);
        if (!json_is_object(json)) {
                json_decref(json);
                return gbx_fail(err, -EINVAL, "%s: expected a JSON object", path);
        }
        *ret = json;
        return 0;
}

int gbx_cli_parameters(const struct gbx_cli *cli, const char *purpose, json_t **ret_parameters, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *parameters = NULL;
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        const char *file = gbx_cli_option(cli, "params"), *text;
        int r = file ? read_file(file, &parameters, err) : 0;

        if (r < 0)
                return r;
        if (!parameters)
                parameters = json_object();
        r = gbx_policy_in_force(cli->site, purpose, &policy, err);
        if (r < 0 && r != -ENOENT)
                return r;
        for (size_t i = 0; (text = gbx_cli_option_at(cli, "param", i)); i++) {
                r = take(parameters, policy, text, err);
                if (r < 0)
                        return r;
        }
        *ret_parameters = gbx_take_ptr(parameters);
        return 0;
}

int gbx_cli_order(const struct gbx_cli *cli, struct gbx_cli_order *ret, struct gbx_error *err) {
        struct gbx_run_order *order = &ret->order;
        int r = gbx_cli_principal(cli, &order->requester, err);

        order->algorithm = gbx_cli_option(cli, "algo");
        order->purpose = gbx_cli_option(cli, "purpose");
        order->datasets = ret->datasets;
        while (order->dataset_count < gbx_array_size(ret->datasets) &&
               (ret->datasets[order->dataset_count] = gbx_cli_option_at(cli, "data", order->dataset_count)))
                order->dataset_count++;
        if (r >= 0)
                r = gbx_cli_parameters(cli, order->purpose, &ret->parameters, err);
        order->parameters = ret->parameters;
        return r;
}

void gbx_cli_order_free(struct gbx_cli_order *order) {
        json_decref(order->parameters);
        order->parameters = NULL;
}
