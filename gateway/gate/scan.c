#define PCRE2_CODE_UNIT_WIDTH 8
#include "gateway/gate/scan.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/gate/scan_check.h"
#include "policy/yaml.h"

#include <openssl/crypto.h>
#include <pcre2.h>
#include <string.h>

enum {
        MATCH_LIMIT = 100000, /* steps from one starting point */
        DEPTH_LIMIT = 1000,
        HEAP_LIMIT_KIB = 1024,
        MAX_RULES = 200,
        MAX_VALUES = 10000,
};

/* A rule as it stands in the file. */
struct rule {
        char *name;
        char *pattern;
        unsigned check;
        unsigned severity; /* an index into severity_words */
        char *description;
};

struct file {
        struct gbx_records rules; /* struct rule */
};

/* Bytes that must not appear anywhere. */
struct value {
        char *name;
        enum gbx_severity severity;
        unsigned char *bytes;
        size_t size;
};

struct gbx_scan_rules {
        struct file file;
        pcre2_code **codes; /* one a rule */
        pcre2_match_context *context;
        struct value *values;
        size_t value_count;
};

static const char *const check_words[] = { "none", "luhn", "resident-id", "credit-code", NULL };
static const char *const severity_words[] = { "review", "fail", NULL };
static const enum gbx_severity severities[] = { GBX_SEVERITY_REVIEW, GBX_SEVERITY_FAIL };

#define AT(structure, name) .offset = offsetof(struct structure, name)
#define END { .key = NULL }

static const struct gbx_yaml_field rule_fields[] = {
        { .key = "name", .type = GBX_YAML_NAME, AT(rule, name), .required = true },
        { .key = "pattern", .type = GBX_YAML_TEXT, AT(rule, pattern), .required = true, .min = 1, .max = 2000 },
        { .key = "check", .type = GBX_YAML_CHOICE, AT(rule, check), .words = check_words, .fallback = "none" },
        { .key = "severity", .type = GBX_YAML_CHOICE, AT(rule, severity), .words = severity_words, .required = true },
        { .key = "description", .type = GBX_YAML_TEXT, AT(rule, description) },
        END,
};

static const struct gbx_yaml_field file_fields[] = {
        { .key = "rules", .type = GBX_YAML_RECORDS, AT(file, rules), .fields = rule_fields, .size = sizeof(struct rule), .required = true, .max = MAX_RULES },
        END,
};

struct gbx_scan_rules *gbx_scan_rules_free(struct gbx_scan_rules *rules) {
        if (!rules)
                return NULL;
        for (size_t i = 0; rules->codes && i < rules->file.rules.count; i++)
                pcre2_code_free(rules->codes[i]);
        for (size_t i = 0; i < rules->value_count; i++) {
                OPENSSL_cleanse(rules->values[i].bytes, rules->values[i].size);
                free(rules->values[i].bytes);
                free(rules->values[i].name);
        }
        free(rules->codes);
        free(rules->values);
        pcre2_match_context_free(rules->context);
        gbx_yaml_release(file_fields, &rules->file);
        free(rules);
        return NULL;
}

size_t gbx_scan_rules_count(const struct gbx_scan_rules *rules) {
        return rules->file.rules.count;
}

/* Compiles every pattern; each that cannot be is a problem at its place. */
static int compile(struct gbx_scan_rules *rules, const struct gbx_yaml_node *list, struct gbx_problems *problems,
                   struct gbx_error *err) {
        const struct rule *items = rules->file.rules.items;

        rules->codes = calloc(rules->file.rules.count + 1, sizeof(pcre2_code *));
        rules->context = pcre2_match_context_create(NULL);
        if (!rules->codes || !rules->context)
                return gbx_fail_memory(err);
        (void)pcre2_set_match_limit(rules->context, MATCH_LIMIT);
        (void)pcre2_set_depth_limit(rules->context, DEPTH_LIMIT);
        (void)pcre2_set_heap_limit(rules->context, HEAP_LIMIT_KIB);
        for (size_t i = 0; i < rules->file.rules.count && i < list->count; i++) {
                const struct gbx_yaml_node *node = gbx_yaml_get(list->children[i], "pattern");
                PCRE2_UCHAR message[128];
                PCRE2_SIZE offset;
                int code, r;

                if (!items[i].pattern || !node)
                        continue; /* its absence is a problem already */
                rules->codes[i] = pcre2_compile((PCRE2_SPTR)items[i].pattern, PCRE2_ZERO_TERMINATED,
                                                PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &offset, NULL);
                if (rules->codes[i])
                        continue;
                (void)pcre2_get_error_message(code, message, sizeof message);
                r = gbx_problems_add(problems, node->line, node->column, err, "pattern: %s (at its character %zu)",
                                     (const char *)message, (size_t)offset + 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Two rules of one name could not be told apart in a finding. */
static int check_names(const struct gbx_scan_rules *rules, const struct gbx_yaml_node *list,
                       struct gbx_problems *problems, struct gbx_error *err) {
        const struct rule *items = rules->file.rules.items;

        for (size_t i = 0; i < rules->file.rules.count && i < list->count; i++)
                for (size_t j = 0; j < i; j++)
                        if (items[i].name && items[j].name && strcmp(items[i].name, items[j].name) == 0) {
                                int r = gbx_problems_add(problems, list->children[i]->line, list->children[i]->column,
                                                         err, "the rule '%s' stands twice", items[i].name);

                                if (r < 0)
                                        return r;
                        }
        return 0;
}

int gbx_scan_rules_parse(struct gbx_scan_rules **ret, const char *file, const void *data, size_t size,
                         struct gbx_problems *problems, struct gbx_error *err) {
        gbx_auto(gbx_scan_rules_freep) struct gbx_scan_rules *rules = calloc(1, sizeof *rules);
        gbx_auto(gbx_problems_free) struct gbx_problems own = {};
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *root = NULL;
        struct gbx_problems *list = problems ? problems : &own;
        const struct gbx_yaml_node *nodes;
        int r;

        if (!rules)
                return gbx_fail_memory(err);
        r = gbx_problems_start(list, file, err);
        if (r >= 0)
                r = gbx_yaml_parse(&root, data, size, list, err);
        if (r >= 0)
                r = gbx_yaml_read(root, file_fields, &rules->file, list, err);
        if (r < 0)
                return r;
        nodes = gbx_yaml_get(root, "rules");
        if (nodes && nodes->kind == GBX_YAML_SEQUENCE) {
                r = compile(rules, nodes, list, err);
                if (r >= 0)
                        r = check_names(rules, nodes, list, err);
        }
        if (r >= 0)
                r = gbx_problems_result(list, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(rules);
        return 0;
}

int gbx_scan_rules_load(struct gbx_scan_rules **ret, const char *path, struct gbx_problems *problems,
                        struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        int r = gbx_read_file(AT_FDCWD, path, GBX_YAML_MAX_BYTES, &bytes, err);

        return r < 0 ? r : gbx_scan_rules_parse(ret, path, gbx_buffer_text(&bytes), bytes.size, problems, err);
}

int gbx_scan_rules_add_value(struct gbx_scan_rules *rules, const char *name, enum gbx_severity severity,
                             const void *value, size_t size, struct gbx_error *err) {
        struct value added = { .severity = severity, .size = size };
        struct value *grown;

        if (size == 0)
                return gbx_fail(err, -EINVAL, "an empty value is everywhere; it cannot be scanned for");
        if (rules->value_count == MAX_VALUES)
                return gbx_fail(err, -EINVAL, "more than %d exact values to scan for", MAX_VALUES);
        grown = reallocarray(rules->values, rules->value_count + 1, sizeof *grown);
        if (!grown)
                return gbx_fail_memory(err);
        rules->values = grown;
        added.name = strdup(name);
        added.bytes = malloc(size);
        if (!added.name || !added.bytes) {
                free(added.name);
                free(added.bytes);
                return gbx_fail_memory(err);
        }
        memcpy(added.bytes, value, size);
        rules->values[rules->value_count++] = added;
        return 0;
}

/* --- scanning ----------------------------------------------------------------- */

struct scan {
        const struct gbx_scan_rules *rules;
        const char *data;
        size_t size;
        int (*report)(const struct gbx_scan_match *match, void *userdata);
        void *userdata;
        bool found;
        bool stopped;
};

static void tell(struct scan *scan, const char *name, enum gbx_severity severity, size_t offset, size_t length) {
        struct gbx_scan_match match = { name, severity, offset, length };

        scan->found = true;
        scan->stopped = scan->report && scan->report(&match, scan->userdata) != 0;
}

static int scan_rule(struct scan *scan, size_t index, pcre2_match_data *matches, struct gbx_error *err) {
        const struct rule *rule = (const struct rule *)scan->rules->file.rules.items + index;
        size_t at = 0;

        while (at <= scan->size && !scan->stopped) {
                const PCRE2_SIZE *range = pcre2_get_ovector_pointer(matches);
                int r = pcre2_match(scan->rules->codes[index], (PCRE2_SPTR)scan->data, scan->size, at, 0, matches,
                                    scan->rules->context);

                if (r == PCRE2_ERROR_NOMATCH)
                        return 0;
                if (r == PCRE2_ERROR_NOMEMORY)
                        return gbx_fail_memory(err);
                if (r < 0) { /* a limit: the text resists the rule, so it is not clean */
                        tell(scan, rule->name, severities[rule->severity], at, 0);
                        return 0;
                }
                if (gbx_scan_check(rule->check, scan->data + range[0], range[1] - range[0])) {
                        tell(scan, rule->name, severities[rule->severity], range[0], range[1] - range[0]);
                        at = range[1] > at ? range[1] : at + 1;
                } else
                        at = range[0] + 1; /* a number may begin inside of what was none */
        }
        return 0;
}

static void scan_value(struct scan *scan, const struct value *value) {
        size_t at = 0;

        while (at < scan->size && !scan->stopped) {
                const char *found = memmem(scan->data + at, scan->size - at, value->bytes, value->size);

                if (!found)
                        return;
                tell(scan, value->name, value->severity, (size_t)(found - scan->data), value->size);
                at = (size_t)(found - scan->data) + value->size;
        }
}

int gbx_scan(const struct gbx_scan_rules *rules, const void *data, size_t size,
             int (*report)(const struct gbx_scan_match *match, void *userdata), void *userdata, struct gbx_error *err) {
        struct scan scan = { rules, size ? data : "", size, report, userdata, false, false };
        pcre2_match_data *matches = pcre2_match_data_create(1, NULL);
        int r = matches ? 0 : gbx_fail_memory(err);

        for (size_t i = 0; r >= 0 && i < rules->file.rules.count && !scan.stopped; i++)
                r = scan_rule(&scan, i, matches, err);
        for (size_t i = 0; r >= 0 && i < rules->value_count && !scan.stopped; i++)
                scan_value(&scan, rules->values + i);
        pcre2_match_data_free(matches);
        return r < 0 ? r : scan.found;
}
