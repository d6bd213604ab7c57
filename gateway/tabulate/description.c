#include "gateway/tabulate/description.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

#define AT(structure, name) .offset = offsetof(struct structure, name)
#define END { .key = NULL }
#define EXPRESSION .type = GBX_YAML_TEXT, .max = GBX_EXPRESSION_MAX_BYTES

static const char *const statistic_words[GBX_STATISTIC_KINDS_ + 1] = {
        [GBX_STATISTIC_COUNT] = "count",       [GBX_STATISTIC_CONTRIBUTORS] = "contributors", [GBX_STATISTIC_DISTINCT] = "distinct",
        [GBX_STATISTIC_SUM] = "sum",           [GBX_STATISTIC_MEAN] = "mean",                 [GBX_STATISTIC_VARIANCE] = "variance",
        [GBX_STATISTIC_SHARE] = "share",       [GBX_STATISTIC_PERCENT] = "percent",           [GBX_STATISTIC_RATIO] = "ratio",
        [GBX_STATISTIC_QUANTILE] = "quantile", [GBX_STATISTIC_MINIMUM] = "minimum",           [GBX_STATISTIC_MAXIMUM] = "maximum",
        [GBX_STATISTIC_CORRELATION] = "correlation",
};
static const char *const margin_words[] = { "none", "total", "rollup", "all", NULL };
static const char *const empty_words[] = { "show", "omit", NULL };
static const char *const model_words[] = { "linear", "logistic", NULL };
static const char *const join_words[] = { "inner", "left", NULL };

static const struct gbx_yaml_field join_fields[] = {
        { .key = "data", .type = GBX_YAML_NAME, AT(gbx_table_join, data), .required = true },
        { .key = "as", .type = GBX_YAML_WORD, AT(gbx_table_join, as), .required = true },
        { .key = "on", .type = GBX_YAML_TEXT, AT(gbx_table_join, on), .required = true },
        { .key = "key", .type = GBX_YAML_TEXT, AT(gbx_table_join, key), .required = true },
        { .key = "kind", .type = GBX_YAML_CHOICE, AT(gbx_table_join, kind), .words = join_words, .fallback = "inner" },
        END,
};
static const struct gbx_yaml_field derived_fields[] = {
        { .key = "name", .type = GBX_YAML_WORD, AT(gbx_table_derived, name), .required = true },
        { .key = "value", EXPRESSION, AT(gbx_table_derived, value), .required = true },
        END,
};
static const struct gbx_yaml_field statistic_fields[] = {
        { .key = "name", .type = GBX_YAML_WORD, AT(gbx_statistic, name), .required = true },
        { .key = "kind", .type = GBX_YAML_CHOICE, AT(gbx_statistic, kind), .words = statistic_words, .required = true },
        { .key = "of", EXPRESSION, AT(gbx_statistic, of) },
        { .key = "over", EXPRESSION, AT(gbx_statistic, over) },
        { .key = "weight", EXPRESSION, AT(gbx_statistic, weight) },
        { .key = "at", .type = GBX_YAML_DECIMAL, AT(gbx_statistic, at) },
        { .key = "decimals", .type = GBX_YAML_DECIMAL, AT(gbx_statistic, decimals_text) },
        END,
};
static const struct gbx_yaml_field model_fields[] = {
        { .key = "kind", .type = GBX_YAML_CHOICE, AT(gbx_table_model, kind), .words = model_words, .fallback = "linear" },
        { .key = "outcome", EXPRESSION, AT(gbx_table_model, outcome) },
        { .key = "terms", .type = GBX_YAML_TEXTS, AT(gbx_table_model, terms), .min = 1, .max = GBX_TABLE_MAX_TERMS },
        END,
};
static const struct gbx_yaml_field table_fields[] = {
        { .key = "name", .type = GBX_YAML_NAME, AT(gbx_table, name), .required = true },
        { .key = "data", .type = GBX_YAML_NAME, AT(gbx_table, data), .required = true },
        { .key = "join", .type = GBX_YAML_RECORDS, AT(gbx_table, joins), .fields = join_fields, .size = sizeof(struct gbx_table_join), .min = 1, .max = GBX_TABLE_MAX_JOINS },
        { .key = "where", EXPRESSION, AT(gbx_table, where) },
        { .key = "derive", .type = GBX_YAML_RECORDS, AT(gbx_table, derived), .fields = derived_fields, .size = sizeof(struct gbx_table_derived), .min = 1, .max = GBX_TABLE_MAX_DERIVED },
        { .key = "by", .type = GBX_YAML_TEXTS, AT(gbx_table, by), .min = 1, .max = GBX_TABLE_MAX_KEYS },
        { .key = "statistics", .type = GBX_YAML_RECORDS, AT(gbx_table, statistics), .fields = statistic_fields, .size = sizeof(struct gbx_statistic), .min = 1, .max = GBX_TABLE_MAX_STATISTICS },
        { .key = "margins", .type = GBX_YAML_CHOICE, AT(gbx_table, margins), .words = margin_words, .fallback = "none" },
        { .key = "empty", .type = GBX_YAML_CHOICE, AT(gbx_table, empty), .words = empty_words, .fallback = "show" },
        { .key = "model", .type = GBX_YAML_RECORD, AT(gbx_table, model), .fields = model_fields },
        END,
};
static const struct gbx_yaml_field file_fields[] = {
        { .key = "tables", .type = GBX_YAML_RECORDS, AT(gbx_tables, tables), .fields = table_fields, .size = sizeof(struct gbx_table), .required = true, .min = 1, .max = GBX_TABLES_MAX },
        END,
};

const char *gbx_statistic_kind_name(enum gbx_statistic_kind kind) { return statistic_words[kind]; }

static void free_checked(struct gbx_table *table) {
        struct gbx_table_derived *derived = table->derived.items;
        struct gbx_statistic *statistics = table->statistics.items;

        for (size_t i = 0; i < table->derived.count; i++)
                (void)gbx_expression_free(derived[i].expression);
        for (size_t i = 0; i < table->statistics.count; i++) {
                (void)gbx_expression_free(statistics[i].of_expression);
                (void)gbx_expression_free(statistics[i].over_expression);
                (void)gbx_expression_free(statistics[i].weight_expression);
        }
        for (size_t i = 0; i < GBX_TABLE_MAX_TERMS; i++)
                (void)gbx_expression_free(table->model.term_expressions[i]);
        (void)gbx_expression_free(table->model.outcome_expression);
        (void)gbx_expression_free(table->where_expression);
        for (size_t i = 0; table->names && i < table->column_count; i++)
                free(table->names[i]);
        free(table->names);
        free(table->columns);
        free(table->used);
}

struct gbx_tables *gbx_tables_free(struct gbx_tables *tables) {
        if (!tables)
                return NULL;
        for (size_t i = 0; i < tables->tables.count; i++)
                free_checked((struct gbx_table *)tables->tables.items + i);
        gbx_yaml_release(file_fields, tables);
        free(tables);
        return NULL;
}

/* JSON is read twice: jansson says whether it is JSON at all, without repeated keys; then it is read as the YAML that it
 * also is, which knows the line and column of each value. */
static int check_json(const void *data, size_t size, struct gbx_problems *problems, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        json_error_t where;

        json = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);
        if (json)
                return 0;
        return gbx_problems_add(problems, where.line > 0 ? (size_t)where.line : 0, where.column > 0 ? (size_t)where.column : 0, err, "%s",
                                where.text);
}

static int check_tables(struct gbx_tables *tables, const struct gbx_yaml_node *root, const struct gbx_source_schema *schemas,
                        size_t schema_count, struct gbx_problems *problems, struct gbx_error *err) {
        const struct gbx_yaml_node *list = gbx_yaml_get(root, "tables");
        struct gbx_table *items = tables->tables.items;
        int r = 0;

        for (size_t i = 0; list && i < tables->tables.count && i < list->count && r >= 0; i++) {
                for (size_t k = 0; k < i && items[i].name; k++)
                        if (items[k].name && strcmp(items[k].name, items[i].name) == 0)
                                r = gbx_problems_add(problems, list->children[i]->line, list->children[i]->column, err,
                                                     "name: a table '%s' is there already", items[i].name);
                if (r >= 0 && list->children[i]->kind == GBX_YAML_MAPPING)
                        r = gbx_table_check(&items[i], list->children[i], schemas, schema_count, problems, err);
        }
        return r;
}

int gbx_tables_parse(struct gbx_tables **ret, const char *file, const void *data, size_t size,
                     const struct gbx_source_schema *schemas, size_t schema_count, struct gbx_problems *problems,
                     struct gbx_error *err) {
        gbx_auto(gbx_tables_freep) struct gbx_tables *tables = calloc(1, sizeof *tables);
        gbx_auto(gbx_problems_free) struct gbx_problems own = {};
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *root = NULL;
        struct gbx_problems *list = problems ? problems : &own;
        int r;

        if (!tables)
                return gbx_fail_memory(err);
        r = gbx_problems_start(list, file, err);
        if (r >= 0 && size > 0 && *(const char *)data == '{')
                r = check_json(data, size, list, err);
        if (r >= 0 && list->count > 0)
                r = gbx_problems_result(list, err);
        if (r >= 0)
                r = gbx_yaml_parse(&root, data, size, list, err);
        if (r >= 0)
                r = gbx_yaml_read(root, file_fields, tables, list, err);
        if (r >= 0)
                r = check_tables(tables, root, schemas, schema_count, list, err);
        if (r >= 0)
                r = gbx_problems_result(list, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(tables);
        return 0;
}
