#include "policy/policy.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "policy/decimal.h"
#include "policy/flow_rule.h"
#include "policy/flows.h"

#include <string.h>

/* --- the format, as tables (docs/policy-reference.md explains each key) --------- */

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND 1000ULL /* durations are in milliseconds */
#define DAY (24ULL * 3600 * SECOND)

static const char *const engine_words[] = { "lua", "native", "lua-sql", NULL };
static const char *const type_words[] = { "integer", "decimal", "text", "date", "boolean", NULL };
static const char *const declared_counts_words[] = { "hold", "trust-reviewed-code", NULL };
static const char *const hold_words[] = { "on-failure", "never", "always", NULL };
static const char *const watermark_words[] = { "required", "off", NULL };
static const char *const opaque_words[] = { "refuse", "hold", NULL };
static const char *const network_words[] = { "none", "flows", NULL };

#define AT(structure, name) .offset = offsetof(struct structure, name)
#define END { .key = NULL }

static const struct gbx_yaml_field approvals_fields[] = {
        { .key = "required", .type = GBX_YAML_INTEGER, AT(gbx_policy_approvals, required), .required = true, .min = 1, .max = 16 },
        { .key = "reviewers", .type = GBX_YAML_NAMES, AT(gbx_policy_approvals, reviewers), .required = true, .min = 1, .max = 100 },
        { .key = "exclude-submitter", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_approvals, exclude_submitter), .fallback = "yes" },
        { .key = "valid-for", .type = GBX_YAML_DURATION, AT(gbx_policy_approvals, valid_ms), .fallback = "90d", .min = SECOND, .max = 366 * DAY },
        END,
};

static const struct gbx_yaml_field limits_fields[] = {
        { .key = "wall-time", .type = GBX_YAML_DURATION, AT(gbx_policy_limits, wall_ms), .fallback = "30s", .min = 100, .max = 7 * DAY },
        { .key = "cpu-time", .type = GBX_YAML_DURATION, AT(gbx_policy_limits, cpu_ms), .fallback = "30s", .min = 100, .max = 7 * DAY },
        { .key = "memory", .type = GBX_YAML_SIZE, AT(gbx_policy_limits, memory_bytes), .fallback = "256M", .min = 16 * MIB, .max = 1024 * GIB },
        { .key = "processes", .type = GBX_YAML_INTEGER, AT(gbx_policy_limits, processes), .fallback = "16", .min = 1, .max = 4096 },
        { .key = "open-files", .type = GBX_YAML_INTEGER, AT(gbx_policy_limits, open_files), .fallback = "64", .min = 16, .max = GBX_POLICY_MAX_OPEN_FILES },
        { .key = "output-size", .type = GBX_YAML_SIZE, AT(gbx_policy_limits, output_bytes), .fallback = "1M", .min = 4 * KIB, .max = GIB },
        { .key = "output-files", .type = GBX_YAML_INTEGER, AT(gbx_policy_limits, output_files), .fallback = "16", .min = 2, .max = 1000 },
        { .key = "scratch-size", .type = GBX_YAML_SIZE, AT(gbx_policy_limits, scratch_bytes), .fallback = "16M", .min = 4 * KIB, .max = 64 * GIB },
        { .key = "cpu-percent", .type = GBX_YAML_INTEGER, AT(gbx_policy_limits, cpu_percent), .min = 1, .max = GBX_POLICY_MAX_CPU_PERCENT },
        END,
};

static const struct gbx_yaml_field sandbox_fields[] = {
        { .key = "core-scheduling", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_sandbox, core_scheduling), .fallback = "no" },
        { .key = "coarse-timers", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_sandbox, coarse_timers), .fallback = "no" },
        END,
};

static const struct gbx_yaml_field messages_fields[] = {
        { .key = "line", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_messages, line), .fallback = "no" },
        { .key = "progress", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_messages, progress), .fallback = "no" },
        END,
};

static const struct gbx_yaml_field column_fields[] = {
        { .key = "name", .type = GBX_YAML_WORD, AT(gbx_policy_column, name), .required = true },
        { .key = "type", .type = GBX_YAML_CHOICE, AT(gbx_policy_column, type), .words = type_words, .required = true },
        { .key = "values", .type = GBX_YAML_TEXTS, AT(gbx_policy_column, values), .min = 1, .max = 1000 },
        { .key = "unit", .type = GBX_YAML_DECIMAL, AT(gbx_policy_column, unit) },
        { .key = "mark", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_column, mark), .fallback = "no" },
        { .key = "prose", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_column, prose), .fallback = "no" },
        { .key = "exact", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_column, exact), .fallback = "no" },
        { .key = "weight", .type = GBX_YAML_INTEGER, AT(gbx_policy_column, weight), .min = 1, .max = 100 },
        { .key = "minimum", .type = GBX_YAML_DECIMAL, AT(gbx_policy_column, minimum) },
        { .key = "maximum", .type = GBX_YAML_DECIMAL, AT(gbx_policy_column, maximum) },
        { .key = "keep-total", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_column, keep_total), .fallback = "no" },
        { .key = "sum-group", .type = GBX_YAML_NAME, AT(gbx_policy_column, sum_group) },
        { .key = "per", .type = GBX_YAML_WORD, AT(gbx_policy_column, per) },
        END,
};

static const struct gbx_yaml_field release_fields[] = {
        { .key = "minimum-count", .type = GBX_YAML_INTEGER, AT(gbx_policy_release, minimum_count), .required = true, .min = 1, .max = 1000000 },
        { .key = "max-tables", .type = GBX_YAML_INTEGER, AT(gbx_policy_release, max_tables), .fallback = "1", .min = 1, .max = 64 },
        { .key = "max-rows", .type = GBX_YAML_INTEGER, AT(gbx_policy_release, max_rows), .fallback = "5000", .min = 1, .max = 1000000 },
        { .key = "max-columns", .type = GBX_YAML_INTEGER, AT(gbx_policy_release, max_columns), .fallback = "32", .min = 1, .max = 1000 },
        { .key = "max-size", .type = GBX_YAML_SIZE, AT(gbx_policy_release, max_bytes), .fallback = "1M", .min = 1, .max = 256 * MIB },
        { .key = "max-text", .type = GBX_YAML_INTEGER, AT(gbx_policy_release, max_text), .fallback = "64", .min = 1, .max = 4096 },
        { .key = "declared-counts", .type = GBX_YAML_CHOICE, AT(gbx_policy_release, declared_counts), .words = declared_counts_words, .fallback = "hold" },
        { .key = "hold", .type = GBX_YAML_CHOICE, AT(gbx_policy_release, hold), .words = hold_words, .fallback = "on-failure" },
        { .key = "opaque-outputs", .type = GBX_YAML_CHOICE, AT(gbx_policy_release, opaque), .words = opaque_words, .fallback = "refuse" },
        { .key = "watermark", .type = GBX_YAML_CHOICE, AT(gbx_policy_release, watermark), .words = watermark_words, .fallback = "required" },
        { .key = "coalition", .type = GBX_YAML_INTEGER, AT(gbx_policy_release, coalition), .max = 8 },
        { .key = "banner", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_release, banner), .fallback = "no" },
        { .key = "row-order-mark", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_release, row_order_mark), .fallback = "no" },
        { .key = "recipients", .type = GBX_YAML_NAMES, AT(gbx_policy_release, recipients), .min = 1, .max = 100 },
        { .key = "outputs", .type = GBX_YAML_NAMES, AT(gbx_policy_release, outputs), .min = 1, .max = 64 },
        { .key = "columns", .type = GBX_YAML_RECORDS, AT(gbx_policy_release, columns), .fields = column_fields, .size = sizeof(struct gbx_policy_column), .min = 1, .max = 1000 },
        END,
};

static const struct gbx_yaml_field output_review_fields[] = {
        { .key = "required", .type = GBX_YAML_INTEGER, AT(gbx_policy_output_review, required), .fallback = "1", .min = 1, .max = 16 },
        { .key = "reviewers", .type = GBX_YAML_NAMES, AT(gbx_policy_output_review, reviewers), .min = 1, .max = 100 },
        { .key = "exclude-submitter", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_output_review, exclude_submitter), .fallback = "yes" },
        { .key = "blind", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_output_review, blind), .fallback = "yes" },
        END,
};

static const struct gbx_yaml_field parameter_fields[] = {
        { .key = "name", .type = GBX_YAML_WORD, AT(gbx_policy_parameter, name), .required = true },
        { .key = "type", .type = GBX_YAML_CHOICE, AT(gbx_policy_parameter, type), .words = type_words, .required = true },
        { .key = "list", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_parameter, list), .fallback = "no" },
        { .key = "required", .type = GBX_YAML_BOOLEAN, AT(gbx_policy_parameter, required), .fallback = "no" },
        { .key = "values", .type = GBX_YAML_TEXTS, AT(gbx_policy_parameter, values), .min = 1, .max = 1000 },
        { .key = "min", .type = GBX_YAML_DECIMAL, AT(gbx_policy_parameter, min) },
        { .key = "max", .type = GBX_YAML_DECIMAL, AT(gbx_policy_parameter, max) },
        { .key = "max-length", .type = GBX_YAML_INTEGER, AT(gbx_policy_parameter, max_length), .fallback = "64", .min = 1, .max = 4096 },
        END,
};

static const struct gbx_yaml_field policy_fields[] = {
        { .key = "policy", .type = GBX_YAML_NAME, AT(gbx_policy, name), .required = true },
        { .key = "purpose", .type = GBX_YAML_NAME, AT(gbx_policy, purpose), .required = true },
        { .key = "datasets", .type = GBX_YAML_NAMES, AT(gbx_policy, datasets), .required = true, .min = 1, .max = 64 },
        { .key = "engines", .type = GBX_YAML_CHOICES, AT(gbx_policy, engines), .words = engine_words, .required = true, .min = 1, .max = GBX_ENGINE_COUNT },
        { .key = "approvals", .type = GBX_YAML_RECORD, AT(gbx_policy, approvals), .fields = approvals_fields, .required = true },
        { .key = "limits", .type = GBX_YAML_RECORD, AT(gbx_policy, limits), .fields = limits_fields },
        { .key = "sandbox", .type = GBX_YAML_RECORD, AT(gbx_policy, sandbox), .fields = sandbox_fields },
        { .key = "messages", .type = GBX_YAML_RECORD, AT(gbx_policy, messages), .fields = messages_fields },
        { .key = "release", .type = GBX_YAML_RECORD, AT(gbx_policy, release), .fields = release_fields, .required = true },
        { .key = "output-review", .type = GBX_YAML_RECORD, AT(gbx_policy, output_review), .fields = output_review_fields },
        { .key = "parameters", .type = GBX_YAML_RECORDS, AT(gbx_policy, parameters), .fields = parameter_fields, .size = sizeof(struct gbx_policy_parameter), .max = 100 },
        { .key = "network", .type = GBX_YAML_CHOICE, AT(gbx_policy, network), .words = network_words, .fallback = "none" },
        { .key = "flows", .type = GBX_YAML_RECORDS, AT(gbx_policy, flows), .fields = gbx_policy_flow_fields, .size = sizeof(struct gbx_policy_flow), .min = 1, .max = GBX_FLOW_MAX_RULES },
        { .key = "flow-breakers", .type = GBX_YAML_RECORD, AT(gbx_policy, flow_breakers), .fields = gbx_policy_flow_breakers_fields },
        { .key = "flow-quotas", .type = GBX_YAML_RECORD, AT(gbx_policy, flow_quotas), .fields = gbx_policy_flow_quotas_fields },
        END,
};

/* --- words ---------------------------------------------------------------------- */

static int find_word(const char *const *words, const char *name) {
        for (int i = 0; words[i]; i++)
                if (strcmp(words[i], name) == 0)
                        return i;
        return -EINVAL;
}

const char *gbx_engine_name(enum gbx_engine engine) {
        return engine_words[engine];
}

const char *gbx_column_type_name(enum gbx_type type) {
        return type_words[type];
}

int gbx_engine_parse(const char *name) {
        return find_word(engine_words, name);
}

int gbx_column_type_parse(const char *name) {
        return find_word(type_words, name);
}

/* --- what the tables cannot say --------------------------------------------------- */

struct check {
        const struct gbx_policy *policy;
        struct gbx_problems *problems;
        struct gbx_error *err;
};

#define PROBLEM(check, node, ...) \
        gbx_problems_add((check)->problems, (node)->line, (node)->column, (check)->err, __VA_ARGS__)

/* Whether an earlier record has the same name; records begin with `char *name`. */
static bool name_repeats(const struct gbx_records *records, size_t size, size_t index) {
        const char *name = *(char *const *)((const char *)records->items + index * size);

        for (size_t i = 0; name && i < index; i++) {
                const char *other = *(char *const *)((const char *)records->items + i * size);

                if (other && strcmp(other, name) == 0)
                        return true;
        }
        return false;
}

/* More distinct reviewers asked for than are named; with nobody named anybody may. */
static int check_required(const struct check *check, const struct gbx_yaml_node *section, uint64_t required,
                          const struct gbx_texts *reviewers, const char *what) {
        const struct gbx_yaml_node *node = gbx_yaml_get(section, "required");

        if (node && reviewers->count && required > reviewers->count)
                return PROBLEM(check, node, "required: %llu %s, but only %zu reviewers are named", (unsigned long long)required, what,
                               reviewers->count);
        return 0;
}

static int check_reviewers(const struct check *check, const struct gbx_yaml_node *root) {
        const struct gbx_policy_approvals *approvals = &check->policy->approvals;
        const struct gbx_policy_output_review *review = &check->policy->output_review;
        int r = check_required(check, gbx_yaml_get(root, "approvals"), approvals->required, &approvals->reviewers, "approvals");

        return r < 0 ? r : check_required(check, gbx_yaml_get(root, "output-review"), review->required, &review->reviewers,
                                           "reviews");
}

static bool is_number(unsigned type) {
        return type == GBX_TYPE_INTEGER || type == GBX_TYPE_DECIMAL;
}

static bool exceeds(const char *a, const char *b) {
        struct gbx_decimal x, y;

        return a && b && gbx_decimal_parse(a, &x, NULL) >= 0 && gbx_decimal_parse(b, &y, NULL) >= 0 &&
               gbx_decimal_compare(&x, &y) > 0;
}

static const struct gbx_policy_column *find_column(const struct check *check, const char *name) {
        const struct gbx_policy_column *columns = check->policy->release.columns.items;

        for (size_t i = 0; i < check->policy->release.columns.count; i++)
                if (columns[i].name && strcmp(columns[i].name, name) == 0)
                        return columns + i;
        return NULL;
}

/* Rows are found by the other column's value, so that no mark may change it. A number may get a unit from the job. */
static int check_per(const struct check *check, const struct gbx_yaml_node *node, const struct gbx_policy_column *column) {
        const struct gbx_policy_column *other = find_column(check, column->per);

        if (!other || other == column)
                return PROBLEM(check, node, "per: '%s' must be another column of this list", column->per);
        if (other->mark || other->prose || (is_number(other->type) && !other->exact))
                return PROBLEM(check, node, "per: the column '%s' must stay as it is: without 'mark' and 'prose', and a number 'exact: yes'",
                               column->per);
        return 0;
}

/* A column alone in its group could not move at all; with another unit it would get digits below its own. */
static int check_sum_group(const struct check *check, const struct gbx_yaml_node *node, const struct gbx_policy_column *column) {
        const struct gbx_policy_column *columns = check->policy->release.columns.items;
        bool alone = true;

        for (size_t i = 0; i < check->policy->release.columns.count; i++) {
                if (&columns[i] == column || !columns[i].sum_group || strcmp(columns[i].sum_group, column->sum_group) != 0)
                        continue;
                alone = false;
                if (!columns[i].unit != !column->unit || exceeds(columns[i].unit, column->unit) || exceeds(column->unit, columns[i].unit))
                        return PROBLEM(check, node, "sum-group: all columns of '%s' must have the same 'unit'", column->sum_group);
        }
        return alone ? PROBLEM(check, node, "sum-group: no other column is in '%s'", column->sum_group) : 0;
}

static int check_marks(const struct check *check, const struct gbx_yaml_node *node, const struct gbx_policy_column *column) {
        bool of_numbers = column->minimum || column->maximum || column->keep_total || column->sum_group || column->weight || column->per;
        int r = 0;

        if (of_numbers && !is_number(column->type))
                r = PROBLEM(check, node, "'weight', 'minimum', 'maximum', 'keep-total', 'sum-group' and 'per' are for columns of type decimal or integer");
        if (r >= 0 && exceeds(column->minimum, column->maximum))
                r = PROBLEM(check, node, "'minimum' is greater than 'maximum'");
        if (r >= 0 && column->exact && (of_numbers || column->mark || column->prose))
                r = PROBLEM(check, node, "'exact' columns are never marked: nothing else can be said of their marks");
        if (r >= 0 && column->keep_total && (column->per || column->sum_group))
                r = PROBLEM(check, node, "'keep-total' cannot be combined with 'per' or 'sum-group'");
        if (r >= 0 && column->per)
                r = check_per(check, node, column);
        return r < 0 || !column->sum_group ? r : check_sum_group(check, node, column);
}

static int check_column(const struct check *check, const struct gbx_yaml_node *node, size_t index) {
        const struct gbx_policy_column *column = (const struct gbx_policy_column *)check->policy->release.columns.items + index;
        struct gbx_decimal unit;
        int r = 0;

        if (name_repeats(&check->policy->release.columns, sizeof *column, index))
                r = PROBLEM(check, node, "the column '%s' stands twice", column->name);
        if (r >= 0 && column->values.count && column->type != GBX_TYPE_TEXT)
                r = PROBLEM(check, node, "'values' are for columns of type text");
        if (r >= 0 && column->mark && column->type != GBX_TYPE_TEXT)
                r = PROBLEM(check, node, "'mark' is for columns of type text; numbers are marked by their unit");
        if (r >= 0 && column->prose && (column->type != GBX_TYPE_TEXT || column->values.count || column->mark))
                r = PROBLEM(check, node, "'prose' is for columns of free text: of type text, without 'values' and 'mark'");
        if (r >= 0 && column->unit && !is_number(column->type))
                r = PROBLEM(check, node, "'unit' is for columns of type decimal or integer");
        if (r >= 0 && column->unit && gbx_decimal_parse(column->unit, &unit, NULL) >= 0 &&
            (unit.mantissa <= 0 || (column->type == GBX_TYPE_INTEGER && unit.scale)))
                r = PROBLEM(check, node, "'unit' must be greater than zero, and whole for an integer");
        return r < 0 ? r : check_marks(check, node, column);
}

static bool value_fits(unsigned type, const char *value) {
        struct gbx_decimal number;

        switch (type) {
        case GBX_TYPE_INTEGER:
                return gbx_decimal_parse(value, &number, NULL) >= 0 && number.scale == 0;
        case GBX_TYPE_DECIMAL:
                return gbx_decimal_parse(value, &number, NULL) >= 0;
        case GBX_TYPE_DATE:
                return gbx_date_valid(value);
        case GBX_TYPE_TEXT:
                return true;
        default: /* both values of a boolean are always allowed */
                return false;
        }
}

static int check_parameter(const struct check *check, const struct gbx_yaml_node *node, size_t index) {
        const struct gbx_policy_parameter *parameter =
                (const struct gbx_policy_parameter *)check->policy->parameters.items + index;
        bool number = is_number(parameter->type);
        int r = 0;

        if (name_repeats(&check->policy->parameters, sizeof *parameter, index))
                r = PROBLEM(check, node, "the parameter '%s' stands twice", parameter->name);
        for (size_t i = 0; r >= 0 && i < parameter->values.count; i++)
                if (!value_fits(parameter->type, parameter->values.items[i]))
                        r = PROBLEM(check, node, "values: '%.60s' is not of type %s", parameter->values.items[i],
                                    type_words[parameter->type]);
        if (r >= 0 && !number && (parameter->min || parameter->max))
                r = PROBLEM(check, node, "'min' and 'max' are for integers and decimals");
        if (r >= 0 && parameter->values.count && (parameter->min || parameter->max))
                r = PROBLEM(check, node, "give either 'values' or 'min' and 'max'");
        if (r >= 0 && exceeds(parameter->min, parameter->max))
                r = PROBLEM(check, node, "'min' is greater than 'max'");
        return r;
}

static int check_records(const struct check *check, const struct gbx_yaml_node *list, size_t count,
                         int (*one)(const struct check *, const struct gbx_yaml_node *, size_t)) {
        int r = 0;

        for (size_t i = 0; r >= 0 && list && i < count && i < list->count; i++)
                r = one(check, list->children[i], i);
        return r;
}

/* `network` and `flows` say the same thing twice, so that nobody grants flows in passing. */
static int check_flows(const struct check *check, const struct gbx_yaml_node *root) {
        const struct gbx_policy *policy = check->policy;
        static const char *const with_flows[] = { "flows", "flow-breakers", "flow-quotas" };
        const struct gbx_yaml_node *flows = gbx_yaml_get(root, "flows");

        if (policy->network == GBX_NETWORK_FLOWS && !flows)
                return PROBLEM(check, root, "'network: flows' needs a list 'flows'");
        for (size_t i = 0; policy->network != GBX_NETWORK_FLOWS && i < gbx_array_size(with_flows); i++) {
                const struct gbx_yaml_node *node = gbx_yaml_get(root, with_flows[i]);

                if (node)
                        return PROBLEM(check, node, "'%s' needs 'network: flows'", with_flows[i]);
        }
        return gbx_policy_flows_check(policy, flows, check->problems, check->err);
}

/* The gate adds ".csv" itself; a name that no table can have would be found out by the first run. */
static int check_output_names(const struct check *check, const struct gbx_yaml_node *root) {
        const struct gbx_yaml_node *list = gbx_yaml_get(gbx_yaml_get(root, "release"), "outputs");
        int r = 0;

        for (size_t i = 0; r >= 0 && list && list->kind == GBX_YAML_SEQUENCE && i < list->count; i++) {
                const struct gbx_yaml_node *node = list->children[i];

                if (node->kind != GBX_YAML_SCALAR || !gbx_name_valid(node->text)) /* a problem already */
                        continue;
                if (strchr(node->text, '.'))
                        r = PROBLEM(check, node, "outputs: '%s': the name of a table has no extension and no dot; '.csv' is added to it",
                                    node->text);
                else if (strlen(node->text) > GBX_POLICY_MAX_OUTPUT_NAME)
                        r = PROBLEM(check, node, "outputs: '%s': the name of a table has at most %d characters", node->text,
                                    GBX_POLICY_MAX_OUTPUT_NAME);
        }
        return r;
}

static int check_coalition(const struct check *check, const struct gbx_yaml_node *root) {
        const struct gbx_yaml_node *node = gbx_yaml_get(gbx_yaml_get(root, "release"), "coalition");

        return node && check->policy->release.coalition == 1
                       ? PROBLEM(check, node, "coalition: from 2 to 8 recipients, or 0 for what each table carries") : 0;
}

/* DuckDB reads the clock as it starts, which reads the counter where the kernel's clock is the counter. */
static int check_sandbox(const struct check *check, const struct gbx_yaml_node *root) {
        const struct gbx_yaml_node *node = gbx_yaml_get(gbx_yaml_get(root, "sandbox"), "coarse-timers");

        return node && check->policy->sandbox.coarse_timers && check->policy->engines & 1U << GBX_ENGINE_LUA_SQL
                       ? PROBLEM(check, node, "coarse-timers: the engine lua-sql cannot run without the counter; choose one") : 0;
}

static int check_policy(const struct check *check, const struct gbx_yaml_node *root) {
        int r = check_reviewers(check, root);

        if (r >= 0)
                r = check_output_names(check, root);
        if (r >= 0)
                r = check_coalition(check, root);
        if (r >= 0)
                r = check_sandbox(check, root);
        if (r >= 0)
                r = check_records(check, gbx_yaml_get(gbx_yaml_get(root, "release"), "columns"),
                                  check->policy->release.columns.count, check_column);
        if (r >= 0)
                r = check_records(check, gbx_yaml_get(root, "parameters"), check->policy->parameters.count, check_parameter);
        if (r >= 0)
                r = check_flows(check, root);
        return r;
}

/* --- reading ----------------------------------------------------------------------- */

struct gbx_policy *gbx_policy_free(struct gbx_policy *policy) {
        if (policy) {
                gbx_yaml_release(policy_fields, policy);
                gbx_buffer_free(&policy->source);
                free(policy);
        }
        return NULL;
}

int gbx_policy_parse(struct gbx_policy **ret, const char *file, const void *data, size_t size,
                     struct gbx_problems *problems, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = calloc(1, sizeof *policy);
        gbx_auto(gbx_problems_free) struct gbx_problems own = {};
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *root = NULL;
        struct gbx_problems *list = problems ? problems : &own;
        int r;

        if (!policy)
                return gbx_fail_memory(err);
        r = gbx_problems_start(list, file, err);
        if (r >= 0)
                r = gbx_yaml_parse(&root, data, size, list, err);
        if (r >= 0)
                r = gbx_yaml_read(root, policy_fields, policy, list, err);
        if (r >= 0)
                r = check_policy(&(struct check){ policy, list, err }, root);
        if (r >= 0)
                r = gbx_problems_result(list, err);
        if (r >= 0)
                r = gbx_buffer_append(&policy->source, data, size, err);
        if (r < 0)
                return r;
        gbx_sha256_text_of(data, size, policy->digest);
        *ret = gbx_take_ptr(policy);
        return 0;
}

int gbx_policy_load(struct gbx_policy **ret, const char *path, struct gbx_problems *problems, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        int r = gbx_read_file(AT_FDCWD, path, GBX_YAML_MAX_BYTES, &bytes, err);

        return r < 0 ? r : gbx_policy_parse(ret, path, gbx_buffer_text(&bytes), bytes.size, problems, err);
}
