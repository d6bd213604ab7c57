#include "policy/flows.h"

#include "base/cleanup.h"
#include "policy/flow_rule.h"

#include <string.h>

#define MIB (1024ULL * 1024)
#define AT(structure, name) .offset = offsetof(struct structure, name)
#define FLOW(name) AT(gbx_policy_flow, name)
#define END { .key = NULL }

static const char *const scheme_words[] = { "http", "https", "tcp", NULL };
static const char *const tls_words[] = { "none", "verify", "inspect", NULL };

static const struct gbx_yaml_field tls_fields[] = {
        { .key = "mode", .type = GBX_YAML_CHOICE, AT(gbx_policy_flow_tls, mode), .words = tls_words, .fallback = "none" },
        { .key = "pins", .type = GBX_YAML_TEXTS, AT(gbx_policy_flow_tls, pins), .min = 1, .max = 64 },
        { .key = "client-certificate", .type = GBX_YAML_NAME, AT(gbx_policy_flow_tls, client_certificate) },
        END,
};

static const struct gbx_yaml_field window_fields[] = {
        { .key = "days", .type = GBX_YAML_TEXTS, AT(gbx_policy_flow_window, days), .min = 1, .max = 7 },
        { .key = "from", .type = GBX_YAML_TEXT, AT(gbx_policy_flow_window, from) },
        { .key = "to", .type = GBX_YAML_TEXT, AT(gbx_policy_flow_window, to) },
        END,
};

const struct gbx_yaml_field gbx_policy_flow_fields[] = {
        { .key = "name", .type = GBX_YAML_NAME, FLOW(name), .required = true },
        { .key = "scheme", .type = GBX_YAML_CHOICE, FLOW(scheme), .words = scheme_words, .required = true },
        { .key = "host", .type = GBX_YAML_TEXT, FLOW(host), .required = true },
        { .key = "port", .type = GBX_YAML_INTEGER, FLOW(port), .min = 1, .max = 65535 },
        { .key = "methods", .type = GBX_YAML_TEXTS, FLOW(methods), .min = 1, .max = 64 },
        { .key = "paths", .type = GBX_YAML_TEXTS, FLOW(paths), .min = 1, .max = 64 },
        { .key = "request-types", .type = GBX_YAML_TEXTS, FLOW(request_types), .min = 1, .max = 64 },
        { .key = "response-types", .type = GBX_YAML_TEXTS, FLOW(response_types), .min = 1, .max = 64 },
        { .key = "addresses", .type = GBX_YAML_TEXTS, FLOW(addresses), .min = 1, .max = 64 },
        { .key = "scan", .type = GBX_YAML_BOOLEAN, FLOW(scan), .fallback = "no" },
        { .key = "hash-path", .type = GBX_YAML_BOOLEAN, FLOW(hash_path), .fallback = "no" },
        { .key = "digest-responses", .type = GBX_YAML_BOOLEAN, FLOW(digest_responses), .fallback = "no" },
        { .key = "tls", .type = GBX_YAML_RECORD, FLOW(tls), .fields = tls_fields },
        { .key = "window", .type = GBX_YAML_RECORD, FLOW(window), .fields = window_fields },
        { .key = "body-size", .type = GBX_YAML_SIZE, FLOW(body_bytes), .fallback = "1M", .max = 1024 * MIB },
        { .key = "request-size", .type = GBX_YAML_SIZE, FLOW(request_bytes), .fallback = "16M", .min = 1, .max = INT64_MAX },
        { .key = "response-size", .type = GBX_YAML_SIZE, FLOW(response_bytes), .fallback = "256M", .min = 1, .max = INT64_MAX },
        { .key = "request-size-day", .type = GBX_YAML_SIZE, FLOW(request_bytes_day), .min = 1, .max = INT64_MAX },
        { .key = "response-size-day", .type = GBX_YAML_SIZE, FLOW(response_bytes_day), .min = 1, .max = INT64_MAX },
        { .key = "rate", .type = GBX_YAML_SIZE, FLOW(rate), .min = 1024, .max = UINT32_MAX },
        { .key = "connections", .type = GBX_YAML_INTEGER, FLOW(connections), .fallback = "64", .min = 1, .max = 65536 },
        { .key = "connections-run", .type = GBX_YAML_INTEGER, FLOW(connections_run), .min = 1, .max = INT64_MAX },
        { .key = "connections-day", .type = GBX_YAML_INTEGER, FLOW(connections_day), .min = 1, .max = INT64_MAX },
        { .key = "names", .type = GBX_YAML_INTEGER, FLOW(names), .fallback = "16", .min = 1, .max = 1024 },
        { .key = "breaker-failures", .type = GBX_YAML_INTEGER, FLOW(breaker_failures), .fallback = "20", .min = 1, .max = 1000000 },
        END,
};

enum { SECOND = 1000, HOUR = 3600 * SECOND, DAY = 24 * HOUR };

const struct gbx_yaml_field gbx_policy_flow_breakers_fields[] = {
        { .key = "analyst-failures", .type = GBX_YAML_INTEGER, AT(gbx_policy_flow_breakers, analyst_failures), .fallback = "500", .min = 1, .max = 1000000 },
        { .key = "dataset-failures", .type = GBX_YAML_INTEGER, AT(gbx_policy_flow_breakers, dataset_failures), .fallback = "1000", .min = 1, .max = 1000000 },
        { .key = "window", .type = GBX_YAML_DURATION, AT(gbx_policy_flow_breakers, window_ms), .fallback = "1h", .min = SECOND, .max = 31ULL * DAY },
        END,
};

static const struct gbx_yaml_field quota_fields[] = {
        { .key = "request-size-day", .type = GBX_YAML_SIZE, AT(gbx_policy_flow_quota, request_bytes_day), .min = 1, .max = INT64_MAX },
        { .key = "response-size-day", .type = GBX_YAML_SIZE, AT(gbx_policy_flow_quota, response_bytes_day), .min = 1, .max = INT64_MAX },
        { .key = "connections-day", .type = GBX_YAML_INTEGER, AT(gbx_policy_flow_quota, connections_day), .min = 1, .max = INT64_MAX },
        END,
};

const struct gbx_yaml_field gbx_policy_flow_quotas_fields[] = {
        { .key = "analyst", .type = GBX_YAML_RECORD, AT(gbx_policy_flow_quotas, analyst), .fields = quota_fields },
        { .key = "dataset", .type = GBX_YAML_RECORD, AT(gbx_policy_flow_quotas, dataset), .fields = quota_fields },
        END,
};

static void decref(json_t **json) { json_decref(*json); }

static int put(json_t *object, const char *name, json_t *value) { return json_object_set_new(object, name, value) < 0 ? -ENOMEM : 0; }

/* Lists and numbers that are not given stay out, so that the defaults are flow_rule.h's. */
static int put_texts(json_t *object, const char *name, const struct gbx_texts *texts) {
        json_t *list;

        if (texts->count == 0)
                return 0;
        list = json_array();
        for (size_t i = 0; list && i < texts->count; i++)
                (void)json_array_append_new(list, json_string(texts->items[i]));
        return put(object, name, list);
}

static int put_number(json_t *object, const char *name, uint64_t value, bool always) {
        return value || always ? put(object, name, json_integer((json_int_t)value)) : 0;
}

static int put_tls(json_t *rule, const struct gbx_policy_flow_tls *tls) {
        json_t *object;
        int r;

        if (tls->mode == 0 && tls->pins.count == 0 && !tls->client_certificate)
                return 0;
        object = json_object();
        r = put(rule, "tls", object);
        if (r == 0 && tls->mode)
                r = put(object, "mode", json_string(tls_words[tls->mode]));
        if (r == 0)
                r = put_texts(object, "pins", &tls->pins);
        if (r == 0 && tls->client_certificate)
                r = put(object, "client-certificate", json_string(tls->client_certificate));
        return r;
}

static int put_window(json_t *rule, const struct gbx_policy_flow_window *window) {
        json_t *object;
        int r;

        if (window->days.count == 0 && !window->from && !window->to)
                return 0;
        object = json_object();
        r = put(rule, "window", object);
        if (r == 0)
                r = put_texts(object, "days", &window->days);
        if (r == 0 && window->from)
                r = put(object, "from", json_string(window->from));
        if (r == 0 && window->to)
                r = put(object, "to", json_string(window->to));
        return r;
}

static int flow_to_json(const struct gbx_policy_flow *flow, json_t **ret, struct gbx_error *err) {
        gbx_auto(decref) json_t *rule = json_pack("{s:s, s:s, s:s}", "name", flow->name, "scheme", scheme_words[flow->scheme], "host", flow->host);
        const struct {
                const char *name;
                const struct gbx_texts *texts;
        } lists[] = { { "methods", &flow->methods }, { "paths", &flow->paths }, { "request-types", &flow->request_types },
                      { "response-types", &flow->response_types }, { "addresses", &flow->addresses } };
        const struct {
                const char *name;
                uint64_t value;
                bool always;
        } numbers[] = {
                { "port", flow->port, false },
                { "body-bytes", flow->body_bytes, true },
                { "request-bytes", flow->request_bytes, true },
                { "response-bytes", flow->response_bytes, true },
                { "request-bytes-day", flow->request_bytes_day, false },
                { "response-bytes-day", flow->response_bytes_day, false },
                { "rate", flow->rate, false },
                { "connections", flow->connections, true },
                { "connections-run", flow->connections_run, false },
                { "connections-day", flow->connections_day, false },
                { "names", flow->names, true },
                { "breaker-failures", flow->breaker_failures, true },
        };
        int r = rule ? 0 : -ENOMEM;

        for (size_t i = 0; i < gbx_array_size(lists) && r == 0; i++)
                r = put_texts(rule, lists[i].name, lists[i].texts);
        for (size_t i = 0; i < gbx_array_size(numbers) && r == 0; i++)
                r = put_number(rule, numbers[i].name, numbers[i].value, numbers[i].always);
        if (r == 0 && flow->scan)
                r = put(rule, "scan", json_true());
        if (r == 0 && flow->hash_path)
                r = put(rule, "hash-path", json_true());
        if (r == 0 && flow->digest_responses)
                r = put(rule, "digest-responses", json_true());
        if (r == 0)
                r = put_tls(rule, &flow->tls);
        if (r == 0)
                r = put_window(rule, &flow->window);
        if (r < 0)
                return gbx_fail_memory(err);
        *ret = rule;
        rule = NULL;
        return 0;
}

int gbx_policy_flows_to_json(const struct gbx_policy *policy, json_t **ret, struct gbx_error *err) {
        const struct gbx_policy_flow *flows = policy->flows.items;
        gbx_auto(decref) json_t *rules = json_array();

        for (size_t i = 0; i < policy->flows.count; i++) {
                json_t *rule = NULL;
                int r = flow_to_json(&flows[i], &rule, err);

                if (r < 0)
                        return r;
                if (json_array_append_new(rules, rule) < 0)
                        return gbx_fail_memory(err);
        }
        *ret = rules;
        rules = NULL;
        return 0;
}

/* Each by itself, so that each gets its own line. */
static int check_one(const struct gbx_policy_flow *flow, const struct gbx_yaml_node *node, struct gbx_problems *problems,
                     struct gbx_error *err) {
        gbx_auto(gbx_flow_rules_free) struct gbx_flow_rules parsed = {};
        gbx_auto(decref) json_t *list = json_array();
        struct gbx_error problem = {};
        json_t *rule = NULL;
        const char *message;
        int r;

        if (!flow->name || !flow->host) /* reported already */
                return 0;
        r = flow_to_json(flow, &rule, err);
        if (r < 0)
                return r;
        if (json_array_append_new(list, rule) < 0)
                return gbx_fail_memory(err);
        if (gbx_flow_rules_parse(&parsed, list, &problem) >= 0)
                return 0;
        message = strncmp(problem.message, "rules[0]", 8) == 0 ? problem.message + 8 : problem.message;
        return gbx_problems_add(problems, node->line, node->column, err, "flow '%s': %s", flow->name,
                                message + strspn(message, ".: "));
}

int gbx_policy_flows_check(const struct gbx_policy *policy, const struct gbx_yaml_node *flows, struct gbx_problems *problems,
                           struct gbx_error *err) {
        const struct gbx_policy_flow *items = policy->flows.items;
        int r = 0;

        for (size_t i = 0; flows && i < policy->flows.count && i < flows->count && r >= 0; i++) {
                r = check_one(&items[i], flows->children[i], problems, err);
                for (size_t other = 0; other < i && r >= 0; other++)
                        if (items[i].name && items[other].name && strcmp(items[i].name, items[other].name) == 0)
                                r = gbx_problems_add(problems, flows->children[i]->line, flows->children[i]->column, err,
                                                     "two flows have the name '%s'", items[i].name);
        }
        return r;
}
