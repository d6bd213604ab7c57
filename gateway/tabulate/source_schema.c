#include "gateway/tabulate/source_schema.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

enum { COLUMNS_MAX = 4096, DECIMALS_MAX = 12, DECIMALS_DEFAULT = 6 };

static const struct {
        const char *word;
        enum gbx_kind kind;
        bool integer;
} types[] = {
        { "integer", GBX_KIND_NUMBER, true }, { "decimal", GBX_KIND_NUMBER, false },  { "text", GBX_KIND_TEXT, false },
        { "date", GBX_KIND_DATE, false },     { "boolean", GBX_KIND_BOOLEAN, false },
};

void gbx_source_schema_free(struct gbx_source_schema *schema) {
        for (size_t i = 0; i < schema->count; i++)
                free(schema->columns[i].name);
        free(schema->columns);
        free(schema->dataset);
        *schema = (struct gbx_source_schema){};
}

size_t gbx_source_schema_find(const struct gbx_source_schema *schema, const char *name) {
        for (size_t i = 0; i < schema->count; i++)
                if (strcmp(schema->columns[i].name, name) == 0)
                        return i;
        return SIZE_MAX;
}

static int read_column(const json_t *json, struct gbx_source_schema *schema, struct gbx_error *err) {
        struct gbx_source_column *column = &schema->columns[schema->count];
        const char *name = gbx_json_text(json, "name"), *word = gbx_json_text(json, "type");
        const json_t *decimals = json_object_get(json, "decimals");
        size_t i = 0;

        while (word && i < gbx_array_size(types) && strcmp(types[i].word, word) != 0)
                i++;
        if (!name || !*name || !word || i == gbx_array_size(types) || gbx_source_schema_find(schema, name) != SIZE_MAX ||
            (decimals && (!json_is_integer(decimals) || json_integer_value(decimals) < 0 || json_integer_value(decimals) > DECIMALS_MAX)))
                return gbx_fail(err, -EINVAL, "schema of '%s': column %zu is not described as it should be", schema->dataset, schema->count + 1);
        column->type = (struct gbx_kind_of){ .kind = types[i].kind, .missing = !json_is_false(json_object_get(json, "missing")) };
        if (column->type.kind == GBX_KIND_NUMBER && !types[i].integer)
                column->type.scale = decimals ? (unsigned)json_integer_value(decimals) : DECIMALS_DEFAULT;
        column->integer = types[i].integer;
        column->round = json_is_true(json_object_get(json, "round"));
        column->key = json_is_true(json_object_get(json, "key")) && !column->type.missing;
        column->name = strdup(name);
        if (!column->name)
                return gbx_fail_memory(err);
        schema->count++;
        return 0;
}

int gbx_source_schema_read(const char *dataset, const json_t *json, struct gbx_source_schema *ret, struct gbx_error *err) {
        gbx_auto(gbx_source_schema_free) struct gbx_source_schema schema = { .dataset = strdup(dataset), .contributor = SIZE_MAX };
        const json_t *list = json_object_get(json, "columns"), *contributor = json_object_get(json, "contributor");
        size_t count = json_array_size(list);
        int r = 0;

        if (!schema.dataset)
                return gbx_fail_memory(err);
        if (count == 0 || count > COLUMNS_MAX)
                return gbx_fail(err, -EINVAL, "schema of '%s': 1 to %d columns are wanted", dataset, COLUMNS_MAX);
        schema.columns = calloc(count, sizeof *schema.columns);
        if (!schema.columns)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < count && r >= 0; i++)
                r = read_column(json_array_get(list, i), &schema, err);
        if (r < 0)
                return r;
        if (contributor) {
                const char *name = json_string_value(contributor);

                schema.contributor = name ? gbx_source_schema_find(&schema, name) : SIZE_MAX;
                if (schema.contributor == SIZE_MAX || schema.columns[schema.contributor].type.missing)
                        return gbx_fail(err, -EINVAL, "schema of '%s': the contributor must be a column that is never missing", dataset);
        }
        *ret = schema;
        schema = (struct gbx_source_schema){};
        return 0;
}
