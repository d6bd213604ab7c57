#include "gateway/egress/config.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "policy/json_fields.h"
#include "policy/host.h"

#include <string.h>

struct draft {
        struct gbx_egress_config config;
        uint64_t version;
        const json_t *listen, *rules, *authority, *limits, *quotas;
};

#define CONFIG(member) .offset = offsetof(struct draft, config.member)
#define DRAFT(member) .offset = offsetof(struct draft, member)

static const struct gbx_field config_fields[] = {
        { "version", GBX_FIELD_NUMBER, DRAFT(version), .required = true, .minimum = 1, .maximum = 1 },
        { "run", GBX_FIELD_TEXT, CONFIG(run), .required = true },
        { "analyst", GBX_FIELD_TEXT, CONFIG(analyst), .required = true },
        { "purpose", GBX_FIELD_TEXT, CONFIG(purpose), .required = true },
        { "datasets", GBX_FIELD_TEXTS, CONFIG(datasets), .required = true },
        { "listen", GBX_FIELD_JSON, DRAFT(listen), .required = true },
        { "events", GBX_FIELD_NUMBER, CONFIG(events), .required = true, .minimum = 0, .maximum = 65535 },
        { "control", GBX_FIELD_NUMBER, CONFIG(control), .minimum = 3, .maximum = 65535 },
        { "rules", GBX_FIELD_JSON, DRAFT(rules), .required = true },
        { "nameservers", GBX_FIELD_TEXTS, CONFIG(nameservers) },
        { "hosts", GBX_FIELD_JSON, CONFIG(hosts) },
        { "aliases", GBX_FIELD_JSON, CONFIG(aliases) },
        { "authority", GBX_FIELD_JSON, DRAFT(authority) },
        { "trust", GBX_FIELD_TEXT, CONFIG(trust) },
        { "client-certificates", GBX_FIELD_JSON, CONFIG(client_certificates) },
        { "scan-rules", GBX_FIELD_TEXT, CONFIG(scan_rules) },
        { "scan-values", GBX_FIELD_JSON, CONFIG(scan_values) },
        { "scan-tokens", GBX_FIELD_NUMBER, CONFIG(scan_tokens), .minimum = 3, .maximum = 65535 },
        { "used-today", GBX_FIELD_JSON, CONFIG(used_today) },
        { "quotas", GBX_FIELD_JSON, DRAFT(quotas) },
        { "limits", GBX_FIELD_JSON, DRAFT(limits) },
        { "confine", GBX_FIELD_BOOLEAN, CONFIG(confine) },
        {}
};

static const struct gbx_field authority_fields[] = {
        { "certificate", GBX_FIELD_TEXT, CONFIG(authority_certificate), .required = true },
        { "key", GBX_FIELD_TEXT, CONFIG(authority_key), .required = true },
        {}
};

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

static const struct gbx_field limits_fields[] = {
        { "connections", GBX_FIELD_NUMBER, CONFIG(limits.connections), .minimum = 1, .maximum = 30000 },
        { "head-ms", GBX_FIELD_NUMBER, CONFIG(limits.head_ms), .minimum = 100, .maximum = HOUR_MS },
        { "idle-ms", GBX_FIELD_NUMBER, CONFIG(limits.idle_ms), .minimum = 100, .maximum = DAY_MS },
        { "connect-ms", GBX_FIELD_NUMBER, CONFIG(limits.connect_ms), .minimum = 100, .maximum = HOUR_MS },
        { "duration-ms", GBX_FIELD_NUMBER, CONFIG(limits.duration_ms), .minimum = 100, .maximum = DAY_MS },
        { "minimum-rate", GBX_FIELD_NUMBER, CONFIG(limits.minimum_rate), .maximum = 1 << 20 },
        { "failures", GBX_FIELD_NUMBER, CONFIG(limits.failures), .maximum = 1 << 20 },
        {}
};

static void free_draft(struct draft *draft) {
        gbx_fields_free(authority_fields, draft);
        gbx_fields_free(config_fields, draft);
        gbx_flow_rules_free(&draft->config.rules);
        free(draft->config.quotas);
        json_decref(draft->config.json);
}

void gbx_egress_config_free(struct gbx_egress_config *config) {
        struct draft draft = { .config = *config };

        free_draft(&draft);
        *config = (struct gbx_egress_config){};
}

static int parse_listen(struct draft *draft, struct gbx_error *err) {
        size_t count = json_array_size(draft->listen);

        if (!json_is_array(draft->listen) || count < 1 || count > GBX_EGRESS_MAX_LISTENERS)
                return gbx_fail(err, -EINVAL, "listen: must be a list of 1 to %d descriptors", GBX_EGRESS_MAX_LISTENERS);
        for (size_t i = 0; i < count; i++) {
                const json_t *value = json_array_get(draft->listen, i);

                if (!json_is_integer(value) || json_integer_value(value) < 3 || json_integer_value(value) > 65535)
                        return gbx_fail(err, -EINVAL, "listen[%zu]: must be the number of a descriptor above 2", i);
                draft->config.listen[i] = (int)json_integer_value(value);
        }
        draft->config.listen_count = count;
        return 0;
}

/* An object from one kind of text to another, with the address on one side. */
static int check_names(const json_t *object, const char *field, bool address_is_key, struct gbx_error *err) {
        const char *key;
        json_t *value;

        if (object && !json_is_object(object))
                return gbx_fail(err, -EINVAL, "%s: must be an object", field);
        json_object_foreach((json_t *)(uintptr_t)object, key, value) {
                const char *text = json_string_value(value), *name = address_is_key ? text : key;
                struct gbx_authority host;
                struct gbx_address address;

                if (!text || gbx_host_parse(name, strlen(name), &host, NULL) < 0 || host.address ||
                    strcmp(host.host, name) != 0 || gbx_address_parse(address_is_key ? key : text, &address, NULL) < 0)
                        return gbx_fail(err, -EINVAL, "%s: '%.64s' is not an address and a host name in lower case", field, key);
        }
        return 0;
}

static bool rule_exists(const struct gbx_egress_config *config, const char *name) {
        for (size_t i = 0; i < config->rules.count; i++)
                if (strcmp(config->rules.rules[i].name, name) == 0)
                        return true;
        return false;
}

static bool read_use(const json_t *json, const char *format, struct gbx_day_use *ret, json_t **ret_used) {
        json_int_t request = 0, response = 0, connections = 0;

        if (json_unpack((json_t *)(uintptr_t)json, format, "request-bytes", &request, "response-bytes", &response, "connections",
                        &connections, "used", ret_used) < 0 || request < 0 || response < 0 || connections < 0)
                return false;
        *ret = (struct gbx_day_use){ { (uint64_t)request, (uint64_t)response }, (uint64_t)connections };
        return true;
}

bool gbx_egress_day_use(const json_t *used, struct gbx_day_use *ret) {
        *ret = (struct gbx_day_use){};
        return !used || read_use(used, "{s:I, s:I, s?:I !}", ret, NULL);
}

static int parse_quotas(struct draft *draft, struct gbx_error *err) {
        struct gbx_egress_config *config = &draft->config;
        size_t count = json_array_size(draft->quotas);

        if (draft->quotas && (!json_is_array(draft->quotas) || count > GBX_EGRESS_MAX_QUOTAS))
                return gbx_fail(err, -EINVAL, "quotas: must be a list of at most %d", GBX_EGRESS_MAX_QUOTAS);
        config->quotas = calloc(count ? count : 1, sizeof *config->quotas);
        if (!config->quotas)
                return gbx_fail_memory(err);
        for (; config->quota_count < count; config->quota_count++) {
                struct gbx_quota *quota = &config->quotas[config->quota_count];
                json_t *used = NULL;

                if (!read_use(json_array_get(draft->quotas, config->quota_count), "{s:I, s:I, s:I, s:o !}", &quota->limit, &used) ||
                    !gbx_egress_day_use(used, &quota->used))
                        return gbx_fail(err, -EINVAL, "quotas[%zu]: must be request-bytes, response-bytes, connections and used",
                                        config->quota_count);
        }
        return 0;
}

static int check_used(const struct gbx_egress_config *config, struct gbx_error *err) {
        const char *rule;
        json_t *used;

        if (config->used_today && !json_is_object(config->used_today))
                return gbx_fail(err, -EINVAL, "used-today: must be an object");
        json_object_foreach((json_t *)(uintptr_t)config->used_today, rule, used) {
                struct gbx_day_use use;

                if (!rule_exists(config, rule) || !gbx_egress_day_use(used, &use))
                        return gbx_fail(err, -EINVAL, "used-today.%.64s: must be a rule's request-bytes, response-bytes and connections",
                                        rule);
        }
        return 0;
}

static int check_certificates(const struct gbx_egress_config *config, struct gbx_error *err) {
        const char *name;
        json_t *value;

        if (config->client_certificates && !json_is_object(config->client_certificates))
                return gbx_fail(err, -EINVAL, "client-certificates: must be an object");
        json_object_foreach((json_t *)(uintptr_t)config->client_certificates, name, value) {
                const char *certificate, *key;

                if (json_unpack(value, "{s:s, s:s !}", "certificate", &certificate, "key", &key) < 0)
                        return gbx_fail(err, -EINVAL, "client-certificates.%.64s: must have a certificate and a key, and nothing else", name);
        }
        return 0;
}

static int check_scan_values(const struct gbx_egress_config *config, struct gbx_error *err) {
        const char *name;
        json_t *values;

        if (config->scan_values && !json_is_object(config->scan_values))
                return gbx_fail(err, -EINVAL, "scan-values: must be an object");
        json_object_foreach((json_t *)(uintptr_t)config->scan_values, name, values) {
                size_t i;
                json_t *value;

                if (!json_is_array(values))
                        return gbx_fail(err, -EINVAL, "scan-values.%.64s: must be a list of texts", name);
                json_array_foreach(values, i, value)
                        if (!json_is_string(value) || json_string_length(value) < 4)
                                return gbx_fail(err, -EINVAL, "scan-values.%.64s[%zu]: must be a text of four bytes or more", name, i);
        }
        return 0;
}

/* What a rule needs must be there. */
static int check_needs(const struct gbx_egress_config *config, struct gbx_error *err) {
        for (size_t i = 0; i < config->rules.count; i++) {
                const struct gbx_flow_rule *rule = &config->rules.rules[i];

                if (rule->scheme == GBX_FLOW_HTTPS && rule->tls == GBX_FLOW_TLS_INSPECT && !config->authority_key)
                        return gbx_fail(err, -EINVAL, "authority: is missing, and the rule '%s' inspects TLS", rule->name);
                if (rule->scan && !config->scan_rules)
                        return gbx_fail(err, -EINVAL, "scan-rules: is missing, and the rule '%s' scans", rule->name);
                if (rule->client_certificate && !json_object_get(config->client_certificates, rule->client_certificate))
                        return gbx_fail(err, -EINVAL, "client-certificates: '%.64s' is missing, and the rule '%s' shows it",
                                        rule->client_certificate, rule->name);
        }
        return 0;
}

static int check(struct draft *draft, struct gbx_error *err) {
        struct gbx_egress_config *config = &draft->config;
        int r;

        r = parse_listen(draft, err);
        if (r < 0)
                return r;
        r = gbx_flow_rules_parse(&config->rules, draft->rules, err);
        if (r < 0)
                return r;
        r = check_names(config->hosts, "hosts", false, err);
        if (r < 0)
                return r;
        r = check_names(config->aliases, "aliases", true, err);
        if (r < 0)
                return r;
        for (char **server = config->nameservers; server && *server; server++) {
                struct gbx_address address;

                r = gbx_address_parse(*server, &address, err);
                if (r < 0)
                        return gbx_context(err, r, "nameservers");
        }
        r = check_used(config, err);
        if (r < 0)
                return r;
        r = parse_quotas(draft, err);
        if (r < 0)
                return r;
        r = check_certificates(config, err);
        if (r < 0)
                return r;
        r = check_scan_values(config, err);
        if (r < 0)
                return r;
        return check_needs(config, err);
}

int gbx_egress_config_parse(struct gbx_egress_config *ret, const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(free_draft) struct draft draft = {
                .config = { .control = UINT64_MAX,
                            .scan_tokens = UINT64_MAX,
                            .confine = true,
                            .limits = { .connections = 2048, .head_ms = 10000, .idle_ms = 60000, .connect_ms = 10000,
                                        .duration_ms = HOUR_MS, .minimum_rate = 64, .failures = 500 } },
        };
        json_error_t problem;
        int r;

        draft.config.json = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
        if (!draft.config.json)
                return gbx_fail(err, -EINVAL, "line %d: %s", problem.line, problem.text);
        r = gbx_fields_read(config_fields, draft.config.json, "", &draft, err);
        if (r < 0)
                return r;
        if (draft.authority) {
                r = gbx_fields_read(authority_fields, draft.authority, "authority", &draft, err);
                if (r < 0)
                        return r;
        }
        if (draft.limits) {
                r = gbx_fields_read(limits_fields, draft.limits, "limits", &draft, err);
                if (r < 0)
                        return r;
        }
        r = check(&draft, err);
        if (r < 0)
                return r;
        *ret = draft.config;
        draft = (struct draft){};
        return 0;
}

int gbx_egress_config_read(struct gbx_egress_config *ret, int fd, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        int r = gbx_read_fd(fd, GBX_EGRESS_CONFIG_LIMIT, &text, err);

        if (r >= 0)
                r = gbx_egress_config_parse(ret, gbx_buffer_text(&text), text.size, err);
        if (r < 0)
                return gbx_context(err, r, "configuration");
        return 0;
}
