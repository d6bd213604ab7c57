#include "policy/schema.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "policy/decimal.h"

#include <string.h>

static const char *const class_words[] = { "identifier", "quasi-identifier", "sensitive", "measure", "open", NULL };
static const char *const type_words[] = { "integer", "decimal", "text", "date", "boolean", NULL };

#define AT(structure, name) .offset = offsetof(struct structure, name)
#define END { .key = NULL }

static const struct gbx_yaml_field column_fields[] = {
        { .key = "name", .type = GBX_YAML_WORD, AT(gbx_schema_column, name), .required = true },
        { .key = "description", .type = GBX_YAML_TEXT, AT(gbx_schema_column, description) },
        { .key = "type", .type = GBX_YAML_CHOICE, AT(gbx_schema_column, type), .words = type_words, .required = true },
        { .key = "class", .type = GBX_YAML_CHOICE, AT(gbx_schema_column, class), .words = class_words, .required = true },
        { .key = "missing", .type = GBX_YAML_BOOLEAN, AT(gbx_schema_column, missing), .fallback = "no" },
        { .key = "key", .type = GBX_YAML_BOOLEAN, AT(gbx_schema_column, key), .fallback = "no" },
        { .key = "values", .type = GBX_YAML_TEXTS, AT(gbx_schema_column, values), .min = 1, .max = 1000 },
        { .key = "unit", .type = GBX_YAML_DECIMAL, AT(gbx_schema_column, unit) },
        { .key = "decimals", .type = GBX_YAML_INTEGER, AT(gbx_schema_column, decimals), .max = GBX_SCHEMA_MAX_DECIMALS },
        { .key = "tolerance", .type = GBX_YAML_DECIMAL, AT(gbx_schema_column, tolerance) },
        { .key = "min", .type = GBX_YAML_DECIMAL, AT(gbx_schema_column, min) },
        { .key = "max", .type = GBX_YAML_DECIMAL, AT(gbx_schema_column, max) },
        END,
};

static const struct gbx_yaml_field schema_fields[] = {
        { .key = "dataset", .type = GBX_YAML_NAME, AT(gbx_schema, dataset), .required = true },
        { .key = "description", .type = GBX_YAML_TEXT, AT(gbx_schema, description) },
        { .key = "contributor", .type = GBX_YAML_WORD, AT(gbx_schema, contributor) },
        { .key = "columns", .type = GBX_YAML_RECORDS, AT(gbx_schema, columns), .fields = column_fields, .size = sizeof(struct gbx_schema_column), .required = true, .min = 1, .max = 4096 },
        END,
};

const char *gbx_class_name(enum gbx_class class) {
        return class_words[class];
}

static bool positive(const char *text) {
        struct gbx_decimal number;

        return gbx_decimal_parse(text, &number, NULL) >= 0 && number.mantissa > 0;
}

/* What the tables cannot say about one column; NULL if all is well. */
static const char *column_complaint(const struct gbx_schema_column *columns, size_t index) {
        const struct gbx_schema_column *column = columns + index;
        bool number = column->type == GBX_TYPE_INTEGER || column->type == GBX_TYPE_DECIMAL;
        struct gbx_decimal min, max;

        for (size_t i = 0; column->name && i < index; i++)
                if (columns[i].name && strcmp(columns[i].name, column->name) == 0)
                        return "the name of this column stands twice";
        if (column->values.count && column->type != GBX_TYPE_TEXT)
                return "'values' are for columns of type text";
        if (!number && (column->unit || column->tolerance || column->min || column->max))
                return "'unit', 'tolerance', 'min' and 'max' are for integers and decimals";
        if ((column->unit && !positive(column->unit)) || (column->tolerance && !positive(column->tolerance)))
                return "'unit' and 'tolerance' must be greater than zero";
        if (column->min && column->max && gbx_decimal_parse(column->min, &min, NULL) >= 0 &&
            gbx_decimal_parse(column->max, &max, NULL) >= 0 && gbx_decimal_compare(&min, &max) > 0)
                return "'min' is greater than 'max'";
        if (column->decimals && column->type != GBX_TYPE_DECIMAL)
                return "'decimals' is for decimals";
        if (column->key && column->missing)
                return "a key cannot be missing";
        return NULL;
}

static int check_contributor(const struct gbx_schema *schema, const struct gbx_yaml_node *root,
                             struct gbx_problems *problems, struct gbx_error *err) {
        const struct gbx_yaml_node *node = gbx_yaml_get(root, "contributor");
        const struct gbx_schema_column *columns = schema->columns.items;

        if (!schema->contributor || !node)
                return 0;
        for (size_t i = 0; i < schema->columns.count; i++) {
                if (!columns[i].name || strcmp(columns[i].name, schema->contributor) != 0)
                        continue;
                if (columns[i].missing || columns[i].type == GBX_TYPE_DECIMAL || columns[i].type == GBX_TYPE_BOOLEAN)
                        return gbx_problems_add(problems, node->line, node->column, err,
                                                "contributor: the column '%s' must be an integer, text or date that is never missing",
                                                schema->contributor);
                return 0;
        }
        return gbx_problems_add(problems, node->line, node->column, err, "contributor: there is no column '%s'", schema->contributor);
}

/* Digits behind the point: what the schema says, or those of the unit, or the default. */
static void settle_decimals(struct gbx_schema *schema, const struct gbx_yaml_node *root) {
        const struct gbx_yaml_node *list = gbx_yaml_get(root, "columns");
        struct gbx_schema_column *columns = schema->columns.items;
        struct gbx_decimal unit;

        for (size_t i = 0; list && i < schema->columns.count && i < list->count; i++) {
                columns[i].round = gbx_yaml_get(list->children[i], "decimals") != NULL;
                if (columns[i].type != GBX_TYPE_DECIMAL || columns[i].round)
                        continue;
                columns[i].decimals = GBX_SCHEMA_DECIMALS;
                if (columns[i].unit && gbx_decimal_parse(columns[i].unit, &unit, NULL) >= 0 && unit.scale <= GBX_SCHEMA_MAX_DECIMALS)
                        columns[i].decimals = unit.scale;
        }
}

static int check_columns(const struct gbx_schema *schema, const struct gbx_yaml_node *root,
                         struct gbx_problems *problems, struct gbx_error *err) {
        const struct gbx_yaml_node *list = gbx_yaml_get(root, "columns");
        int r = 0;

        for (size_t i = 0; r >= 0 && list && i < schema->columns.count && i < list->count; i++) {
                const char *complaint = column_complaint(schema->columns.items, i);

                if (complaint)
                        r = gbx_problems_add(problems, list->children[i]->line, list->children[i]->column, err, "%s", complaint);
        }
        return r;
}

struct gbx_schema *gbx_schema_free(struct gbx_schema *schema) {
        if (schema) {
                gbx_yaml_release(schema_fields, schema);
                free(schema);
        }
        return NULL;
}

int gbx_schema_parse(struct gbx_schema **ret, const char *file, const void *data, size_t size,
                     struct gbx_problems *problems, struct gbx_error *err) {
        gbx_auto(gbx_schema_freep) struct gbx_schema *schema = calloc(1, sizeof *schema);
        gbx_auto(gbx_problems_free) struct gbx_problems own = {};
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *root = NULL;
        struct gbx_problems *list = problems ? problems : &own;
        int r;

        if (!schema)
                return gbx_fail_memory(err);
        r = gbx_problems_start(list, file, err);
        if (r >= 0)
                r = gbx_yaml_parse(&root, data, size, list, err);
        if (r >= 0)
                r = gbx_yaml_read(root, schema_fields, schema, list, err);
        if (r >= 0)
                r = check_columns(schema, root, list, err);
        if (r >= 0)
                r = check_contributor(schema, root, list, err);
        if (r >= 0)
                r = gbx_problems_result(list, err);
        if (r < 0)
                return r;
        settle_decimals(schema, root);
        gbx_sha256_text_of(data, size, schema->digest);
        *ret = gbx_take_ptr(schema);
        return 0;
}

int gbx_schema_load(struct gbx_schema **ret, const char *path, struct gbx_problems *problems, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        int r = gbx_read_file(AT_FDCWD, path, GBX_YAML_MAX_BYTES, &bytes, err);

        return r < 0 ? r : gbx_schema_parse(ret, path, gbx_buffer_text(&bytes), bytes.size, problems, err);
}

int gbx_schema_json(const struct gbx_schema *schema, json_t **ret, struct gbx_error *err) {
        const struct gbx_schema_column *columns = schema->columns.items;
        json_t *list = json_array(), *object;

        for (size_t i = 0; i < schema->columns.count; i++)
                if (json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:I, s:b}", "name", columns[i].name,
                                                          "type", type_words[columns[i].type], "missing",
                                                          (int)columns[i].missing, "key", (int)columns[i].key,
                                                          "decimals", (json_int_t)columns[i].decimals, "round", (int)columns[i].round)) < 0) {
                        json_decref(list);
                        return gbx_fail_memory(err);
                }
        object = json_pack("{s:o, s:s*}", "columns", list, "contributor", schema->contributor);
        if (!object)
                return gbx_fail_memory(err);
        *ret = object;
        return 0;
}
