#include "policy/finding.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

static const char *const severity_words[] = { "pass", "review", "fail" };

const char *gbx_severity_name(enum gbx_severity severity) {
        return severity_words[severity];
}

static void free_finding(struct gbx_finding *finding) {
        free(finding->rule);
        free(finding->output);
        free(finding->column);
        free(finding->detail);
}

void gbx_findings_free(struct gbx_findings *findings) {
        for (size_t i = 0; i < findings->count; i++)
                free_finding(findings->items + i);
        free(findings->items);
        *findings = (struct gbx_findings){};
}

static char *printable(const char *text) {
        char copy[256];

        if (!text)
                return NULL;
        gbx_text_printable(text, strlen(text), copy, sizeof copy);
        return strdup(copy);
}

static bool same_text(const char *a, const char *b) {
        return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* Whether the list knows this kind of finding already. */
static bool known(const struct gbx_findings *findings, const struct gbx_finding *finding) {
        for (size_t i = 0; i < findings->count; i++)
                if (findings->items[i].severity == finding->severity &&
                    same_text(findings->items[i].rule, finding->rule) &&
                    same_text(findings->items[i].output, finding->output))
                        return true;
        return false;
}

int gbx_findings_add(struct gbx_findings *findings, const struct gbx_finding *finding, struct gbx_error *err) {
        struct gbx_finding copy = { .severity = finding->severity, .row = finding->row };

        copy.rule = printable(finding->rule);
        copy.output = printable(finding->output);
        copy.column = printable(finding->column);
        copy.detail = printable(finding->detail);
        if (!copy.rule || (finding->output && !copy.output) || (finding->column && !copy.column) ||
            (finding->detail && !copy.detail)) {
                free_finding(&copy);
                return gbx_fail_memory(err);
        }
        if (findings->count >= GBX_FINDINGS_MAX && known(findings, &copy)) {
                findings->left_out++;
                free_finding(&copy);
                return 0;
        }
        if ((findings->count & (findings->count - 1)) == 0) { /* grow at powers of two */
                struct gbx_finding *grown =
                        reallocarray(findings->items, findings->count ? 2 * findings->count : 1, sizeof *grown);

                if (!grown) {
                        free_finding(&copy);
                        return gbx_fail_memory(err);
                }
                findings->items = grown;
        }
        findings->items[findings->count++] = copy;
        return 0;
}

enum gbx_severity gbx_findings_worst(const struct gbx_findings *findings) {
        enum gbx_severity worst = GBX_SEVERITY_PASS;

        for (size_t i = 0; i < findings->count; i++)
                if (findings->items[i].severity > worst)
                        worst = findings->items[i].severity;
        return worst;
}

int gbx_findings_to_json(const struct gbx_findings *findings, json_t **ret, struct gbx_error *err) {
        json_t *list = json_array(), *object;
        int r = list ? 0 : -1;

        for (size_t i = 0; r >= 0 && i < findings->count; i++) {
                const struct gbx_finding *finding = findings->items + i;
                json_t *item = json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "rule", finding->rule, "severity",
                                         severity_words[finding->severity], "output", finding->output, "column",
                                         finding->column, "detail", finding->detail);

                if (item && finding->row)
                        r = json_object_set_new(item, "row", json_integer((json_int_t)finding->row));
                if (r < 0)
                        json_decref(item);
                else
                        r = json_array_append_new(list, item);
        }
        if (r < 0) {
                json_decref(list);
                return gbx_fail_memory(err);
        }
        object = json_pack("{s:o, s:I}", "findings", list, "left_out", (json_int_t)findings->left_out);
        if (!object)
                return gbx_fail_memory(err);
        *ret = object;
        return 0;
}

static int severity_parse(const char *word) {
        for (int i = 0; i < (int)gbx_array_size(severity_words); i++)
                if (strcmp(severity_words[i], word) == 0)
                        return i;
        return -EINVAL;
}

static int read_finding(json_t *json, struct gbx_findings *findings, struct gbx_error *err) {
        struct gbx_finding finding = {};
        const char *severity, *rule, *output = NULL, *column = NULL, *detail = NULL;
        json_int_t row = 0;
        int number;

        if (json_unpack(json, "{s:s, s:s, s?s, s?s, s?s, s?I !}", "rule", &rule, "severity", &severity, "output",
                        &output, "column", &column, "detail", &detail, "row", &row) < 0)
                return gbx_fail(err, -EINVAL, "findings: an element is malformed");
        number = severity_parse(severity);
        if (number < 0 || row < 0 || !gbx_name_valid(rule))
                return gbx_fail(err, -EINVAL, "findings: an element has no valid rule, severity or row");
        finding = (struct gbx_finding){ (char *)(uintptr_t)rule, (enum gbx_severity)number, (char *)(uintptr_t)output,
                                        (uint64_t)row, (char *)(uintptr_t)column, (char *)(uintptr_t)detail };
        return gbx_findings_add(findings, &finding, err);
}

int gbx_findings_from_json(const json_t *json, struct gbx_findings *ret, struct gbx_error *err) {
        gbx_auto(gbx_findings_free) struct gbx_findings findings = {};
        json_t *list, *item;
        json_int_t left_out;
        size_t index;
        int r = 0;

        if (json_unpack((json_t *)(uintptr_t)json, "{s:o, s:I !}", "findings", &list, "left_out", &left_out) < 0 ||
            !json_is_array(list) || left_out < 0)
                return gbx_fail(err, -EINVAL, "findings: {\"findings\": […], \"left_out\": N} is wanted");
        json_array_foreach(list, index, item) {
                r = read_finding(item, &findings, err);
                if (r < 0)
                        return r;
        }
        findings.left_out += (size_t)left_out;
        *ret = findings;
        findings = (struct gbx_findings){};
        return 0;
}

/* Worse findings first, then by output, then by rule. */
static int compare(const void *a, const void *b) {
        const struct gbx_finding *x = *(const struct gbx_finding *const *)a, *y = *(const struct gbx_finding *const *)b;
        int order = strcmp(x->output ? x->output : "", y->output ? y->output : "");

        if (x->severity != y->severity)
                return x->severity > y->severity ? -1 : 1;
        return order ? order : strcmp(x->rule, y->rule);
}

int gbx_findings_public(const struct gbx_findings *findings, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) const struct gbx_finding **sorted = calloc(findings->count + 1, sizeof *sorted);
        json_t *list = json_array();
        size_t count = 0;

        if (!sorted || !list)
                goto no_memory;
        for (size_t i = 0; i < findings->count; i++)
                if (findings->items[i].severity != GBX_SEVERITY_PASS)
                        sorted[count++] = findings->items + i;
        qsort(sorted, count, sizeof *sorted, compare);
        for (size_t i = 0; i < count; i++) {
                if (i && compare(sorted + i - 1, sorted + i) == 0)
                        continue;
                if (json_array_append_new(list, json_pack("{s:s, s:s, s:s*}", "rule", sorted[i]->rule, "severity",
                                                          severity_words[sorted[i]->severity], "output",
                                                          sorted[i]->output)) < 0)
                        goto no_memory;
        }
        *ret = list;
        return 0;
no_memory:
        json_decref(list);
        return gbx_fail_memory(err);
}
