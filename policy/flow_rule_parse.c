#include "policy/flow_rule.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/json_fields.h"
#include "policy/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const schemes[] = { "http", "https", "tcp", NULL };
static const char *const tls_modes[] = { "verify", "inspect", NULL };
static const char *const weekdays[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

/* A rule while it is read: what needs a second look stands behind it. */
struct draft {
        struct gbx_flow_rule rule; /* first: its fields are addressed from the draft's start */
        const json_t *tls, *window;
        char **pins, **addresses, **days;
        char *from, *to;
};

#define RULE(member) .offset = offsetof(struct draft, rule.member)

static const struct gbx_field rule_fields[] = {
        { "name", GBX_FIELD_TEXT, RULE(name), .required = true },
        { "scheme", GBX_FIELD_CHOICE, RULE(scheme), .required = true, .choices = schemes },
        { "host", GBX_FIELD_TEXT, RULE(host), .required = true },
        { "port", GBX_FIELD_NUMBER, RULE(port), .minimum = 1, .maximum = UINT16_MAX },
        { "methods", GBX_FIELD_TEXTS, RULE(methods), .minimum = 1 },
        { "paths", GBX_FIELD_TEXTS, RULE(paths), .minimum = 1 },
        { "request-types", GBX_FIELD_TEXTS, RULE(request_types), .minimum = 1 },
        { "response-types", GBX_FIELD_TEXTS, RULE(response_types), .minimum = 1 },
        { "scan", GBX_FIELD_BOOLEAN, RULE(scan) },
        { "hash-path", GBX_FIELD_BOOLEAN, RULE(hash_path) },
        { "digest-responses", GBX_FIELD_BOOLEAN, RULE(digest_responses) },
        { "tls", GBX_FIELD_JSON, .offset = offsetof(struct draft, tls) },
        { "addresses", GBX_FIELD_TEXTS, .offset = offsetof(struct draft, addresses), .minimum = 1 },
        { "body-bytes", GBX_FIELD_NUMBER, RULE(body_bytes), .minimum = 0, .maximum = INT64_MAX },
        { "request-bytes", GBX_FIELD_NUMBER, RULE(request_bytes), .minimum = 1, .maximum = INT64_MAX },
        { "response-bytes", GBX_FIELD_NUMBER, RULE(response_bytes), .minimum = 1, .maximum = INT64_MAX },
        { "request-bytes-day", GBX_FIELD_NUMBER, RULE(request_bytes_day), .maximum = INT64_MAX },
        { "response-bytes-day", GBX_FIELD_NUMBER, RULE(response_bytes_day), .maximum = INT64_MAX },
        { "rate", GBX_FIELD_NUMBER, RULE(rate), .maximum = UINT32_MAX },
        { "connections", GBX_FIELD_NUMBER, RULE(connections), .minimum = 1, .maximum = 65536 },
        { "connections-run", GBX_FIELD_NUMBER, RULE(connections_run), .maximum = INT64_MAX },
        { "connections-day", GBX_FIELD_NUMBER, RULE(connections_day), .maximum = INT64_MAX },
        { "names", GBX_FIELD_NUMBER, RULE(names), .minimum = 1, .maximum = 1024 },
        { "breaker-failures", GBX_FIELD_NUMBER, RULE(breaker_failures), .maximum = 1000000 },
        { "window", GBX_FIELD_JSON, .offset = offsetof(struct draft, window) },
        {}
};

static const struct gbx_field tls_fields[] = {
        { "mode", GBX_FIELD_CHOICE, RULE(tls), .required = true, .choices = tls_modes },
        { "pins", GBX_FIELD_TEXTS, .offset = offsetof(struct draft, pins), .minimum = 1 },
        { "client-certificate", GBX_FIELD_TEXT, RULE(client_certificate) },
        {}
};

static const struct gbx_field window_fields[] = {
        { "days", GBX_FIELD_TEXTS, .offset = offsetof(struct draft, days), .minimum = 1, .maximum = 7 },
        { "from", GBX_FIELD_TEXT, .offset = offsetof(struct draft, from) },
        { "to", GBX_FIELD_TEXT, .offset = offsetof(struct draft, to) },
        {}
};

static void free_rule(struct gbx_flow_rule *rule) {
        struct draft draft = { .rule = *rule };

        gbx_fields_free(rule_fields, &draft);
        gbx_fields_free(tls_fields, &draft);
        free(rule->pins);
        free(rule->addresses);
}

static void free_draft(struct draft *draft) {
        gbx_fields_free(window_fields, draft);
        gbx_fields_free(tls_fields, draft);
        gbx_fields_free(rule_fields, draft);
        free(draft->rule.pins);
        free(draft->rule.addresses);
}

static size_t count_texts(char **texts) {
        size_t count = 0;

        while (texts && texts[count])
                count++;
        return count;
}

static int parse_pins(struct draft *draft, const char *path, struct gbx_error *err) {
        struct gbx_flow_rule *rule = &draft->rule;
        size_t count = count_texts(draft->pins);

        if (count == 0)
                return 0;
        rule->pins = calloc(count, sizeof *rule->pins);
        if (!rule->pins)
                return gbx_fail_memory(err);
        for (; rule->pin_count < count; rule->pin_count++) {
                int r = gbx_sha256_parse(draft->pins[rule->pin_count], rule->pins[rule->pin_count], err);

                if (r < 0)
                        return gbx_context(err, r, "%s.tls.pins", path);
        }
        return 0;
}

static int parse_addresses(struct draft *draft, const char *path, struct gbx_error *err) {
        struct gbx_flow_rule *rule = &draft->rule;
        size_t count = count_texts(draft->addresses);

        if (count == 0)
                return 0;
        rule->addresses = calloc(count, sizeof *rule->addresses);
        if (!rule->addresses)
                return gbx_fail_memory(err);
        for (; rule->address_count < count; rule->address_count++) {
                int r = gbx_address_range_parse(draft->addresses[rule->address_count],
                                                &rule->addresses[rule->address_count], err);

                if (r < 0)
                        return gbx_context(err, r, "%s.addresses", path);
        }
        return 0;
}

static int parse_minute(const char *text, uint16_t *ret) {
        static const char form[] = "00:00";
        int hour, minute;

        if (strlen(text) != 5 || text[2] != ':')
                return -EINVAL;
        for (size_t i = 0; i < 5; i++)
                if (form[i] == '0' && (text[i] < '0' || text[i] > '9'))
                        return -EINVAL;
        hour = (text[0] - '0') * 10 + text[1] - '0';
        minute = (text[3] - '0') * 10 + text[4] - '0';
        if (minute > 59 || hour > 24 || (hour == 24 && minute != 0))
                return -EINVAL;
        *ret = (uint16_t)(hour * 60 + minute);
        return 0;
}

static int parse_window(struct draft *draft, const char *path, struct gbx_error *err) {
        struct gbx_flow_rule *rule = &draft->rule;
        char inner[64];
        int r;

        rule->days = 0x7f;
        if (!draft->window)
                return 0;
        (void)snprintf(inner, sizeof inner, "%s.window", path);
        r = gbx_fields_read(window_fields, draft->window, inner, draft, err);
        if (r < 0)
                return r;
        if (draft->days)
                rule->days = 0;
        for (char **day = draft->days; day && *day; day++) {
                uint8_t bits = 0;

                for (unsigned i = 0; i < gbx_array_size(weekdays); i++)
                        if (strcmp(*day, weekdays[i]) == 0)
                                bits = (uint8_t)(1U << i);
                if (!bits)
                        return gbx_fail(err, -EINVAL, "%s.days: a day is mon, tue, wed, thu, fri, sat or sun", inner);
                rule->days |= bits;
        }
        if (!draft->from != !draft->to)
                return gbx_fail(err, -EINVAL, "%s: needs both 'from' and 'to', or none", inner);
        if (draft->from && (parse_minute(draft->from, &rule->from) < 0 || parse_minute(draft->to, &rule->to) < 0 ||
                            rule->from == rule->to || rule->from == 24 * 60))
                return gbx_fail(err, -EINVAL, "%s: times are HH:MM in UTC, and two different ones", inner);
        return 0;
}

static int check_lists(const struct gbx_flow_rule *rule, const char *path, struct gbx_error *err) {
        for (char **method = rule->methods; method && *method; method++)
                if (**method == '\0' || (*method)[strspn(*method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")] ||
                    strcmp(*method, "CONNECT") == 0 || strcmp(*method, "TRACE") == 0)
                        return gbx_fail(err, -EINVAL, "%s.methods: '%.32s' is not a method that can be allowed", path, *method);
        for (char **prefix = rule->paths; prefix && *prefix; prefix++)
                if (**prefix != '/' || strpbrk(*prefix, "?#% \\") || strstr(*prefix, "/."))
                        return gbx_fail(err, -EINVAL, "%s.paths: '%.128s' is not a plain path from '/'", path, *prefix);
        for (int list = 0; list < 2; list++)
                for (char **type = list ? rule->response_types : rule->request_types; type && *type; type++)
                        if (!strchr(*type, '/') || (*type)[strspn(*type, "abcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-/")])
                                return gbx_fail(err, -EINVAL, "%s: '%.64s' is not a media type in lower case", path, *type);
        return 0;
}

/* What cannot be enforced must not be promised. */
static int check_sense(struct draft *draft, const char *path, struct gbx_error *err) {
        struct gbx_flow_rule *rule = &draft->rule;
        struct gbx_address address;
        bool readable = gbx_flow_readable(rule);

        if (!gbx_name_valid(rule->name))
                return gbx_fail(err, -EINVAL, "%s.name: must be lower-case letters, digits, '.', '_' and '-'", path);
        if (!gbx_host_pattern_valid(rule->host))
                return gbx_fail(err, -EINVAL, "%s.host: must be a host name in lower case, '*.' and such a name, or an IP address", path);
        if ((rule->scheme == GBX_FLOW_HTTPS) != (draft->tls != NULL))
                return gbx_fail(err, -EINVAL, "%s.tls: goes with the scheme https, and is needed there", path);
        if (!readable && (rule->methods || rule->paths || rule->request_types || rule->response_types || rule->scan ||
                          rule->hash_path || rule->digest_responses))
                return gbx_fail(err, -EINVAL,
                                "%s: methods, paths, types, scan, hash-path and digest-responses need the scheme http, or https with tls.mode inspect",
                                path);
        if (rule->scheme == GBX_FLOW_HTTPS && rule->host[0] != '*' && gbx_address_parse(rule->host, &address, NULL) == 0)
                return gbx_fail(err, -EINVAL, "%s.host: https needs a host name, for server name and certificate to agree with", path);
        if (rule->client_certificate && rule->tls != GBX_FLOW_TLS_INSPECT)
                return gbx_fail(err, -EINVAL, "%s.tls.client-certificate: needs the mode inspect", path);
        if (rule->port == 0) {
                if (rule->scheme == GBX_FLOW_TCP)
                        return gbx_fail(err, -EINVAL, "%s.port: is missing", path);
                rule->port = rule->scheme == GBX_FLOW_HTTP ? 80 : 443;
        }
        return check_lists(rule, path, err);
}

static int parse_rule(struct gbx_flow_rule *ret, const json_t *json, const char *path, struct gbx_error *err) {
        gbx_auto(free_draft) struct draft draft = { .rule = { .body_bytes = 1 << 20,
                                                              .request_bytes = 16 << 20,
                                                              .response_bytes = 256 << 20,
                                                              .connections = 64,
                                                              .names = 16,
                                                              .breaker_failures = 20 } };
        char inner[64];
        int r;

        r = gbx_fields_read(rule_fields, json, path, &draft, err);
        if (r < 0)
                return r;
        if (draft.tls) {
                (void)snprintf(inner, sizeof inner, "%s.tls", path);
                r = gbx_fields_read(tls_fields, draft.tls, inner, &draft, err);
                if (r < 0)
                        return r;
        }
        r = check_sense(&draft, path, err);
        if (r < 0)
                return r;
        r = parse_pins(&draft, path, err);
        if (r < 0)
                return r;
        r = parse_addresses(&draft, path, err);
        if (r < 0)
                return r;
        r = parse_window(&draft, path, err);
        if (r < 0)
                return r;
        *ret = draft.rule;
        draft.rule = (struct gbx_flow_rule){};
        return 0;
}

int gbx_flow_rules_parse(struct gbx_flow_rules *ret, const json_t *json, struct gbx_error *err) {
        gbx_auto(gbx_flow_rules_free) struct gbx_flow_rules rules = {};
        size_t count = json_array_size(json);

        if (!json_is_array(json) || count > GBX_FLOW_MAX_RULES)
                return gbx_fail(err, -EINVAL, "rules: must be a list of at most %d rules", GBX_FLOW_MAX_RULES);
        rules.rules = calloc(count ? count : 1, sizeof *rules.rules);
        if (!rules.rules)
                return gbx_fail_memory(err);
        for (; rules.count < count; rules.count++) {
                char path[32];
                int r;

                (void)snprintf(path, sizeof path, "rules[%zu]", rules.count);
                r = parse_rule(&rules.rules[rules.count], json_array_get(json, rules.count), path, err);
                if (r < 0)
                        return r;
                for (size_t i = 0; i < rules.count; i++)
                        if (strcmp(rules.rules[i].name, rules.rules[rules.count].name) == 0) {
                                free_rule(&rules.rules[rules.count]);
                                return gbx_fail(err, -EINVAL, "%s.name: is the name of another rule too", path);
                        }
        }
        *ret = rules;
        rules = (struct gbx_flow_rules){};
        return 0;
}

void gbx_flow_rules_free(struct gbx_flow_rules *rules) {
        for (size_t i = 0; i < rules->count; i++)
                free_rule(&rules->rules[i]);
        free(rules->rules);
        *rules = (struct gbx_flow_rules){};
}
