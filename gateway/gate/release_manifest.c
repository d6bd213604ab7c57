#include "gateway/gate/release_manifest.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/decimal.h"

#include <string.h>

enum { NAME_MAX_LENGTH = 64 };

static const char *const role_words[] = { "key", "count", "value" };

const char *gbx_column_role_name(enum gbx_column_role role) {
        return role_words[role];
}

static void decref(json_t **json) {
        json_decref(*json);
}

static void free_output(struct gbx_release_output *output) {
        for (size_t i = 0; i < output->column_count; i++) {
                free(output->columns[i].name);
                free(output->columns[i].unit);
        }
        free(output->columns);
        free(output->file);
}

void gbx_release_manifest_free(struct gbx_release_manifest *manifest) {
        for (size_t i = 0; i < manifest->count; i++)
                free_output(manifest->outputs + i);
        free(manifest->outputs);
        *manifest = (struct gbx_release_manifest){};
}

/* Column names go into a header that people and programs read: identifiers only. */
static bool is_identifier(const char *text) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
        size_t length = strlen(text);

        return length > 0 && length <= NAME_MAX_LENGTH && strchr(letters, text[0]) &&
               strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") == length;
}

static int role_parse(const char *word) {
        for (int i = 0; i < (int)gbx_array_size(role_words); i++)
                if (strcmp(role_words[i], word) == 0)
                        return i;
        return -EINVAL;
}

static bool unit_valid(const char *unit, int type) {
        struct gbx_decimal value;

        if (type != GBX_TYPE_DECIMAL && type != GBX_TYPE_INTEGER)
                return false;
        return gbx_decimal_parse(unit, &value, NULL) >= 0 && value.mantissa > 0 &&
               value.scale <= (type == GBX_TYPE_INTEGER ? 0 : GBX_RELEASE_MANIFEST_UNIT_DIGITS);
}

static int parse_column(json_t *json, struct gbx_release_output *output, struct gbx_error *err) {
        struct gbx_gate_column *column = output->columns + output->column_count;
        const char *name, *type, *role, *unit = NULL;
        int type_number, role_number;

        if (json_unpack(json, "{s:s, s:s, s:s, s?s !}", "name", &name, "type", &type, "role", &role, "unit", &unit) < 0)
                return gbx_fail(err, -EINVAL, "column %zu: {\"name\", \"type\", \"role\"} and perhaps \"unit\" are wanted",
                                output->column_count + 1);
        if (!is_identifier(name))
                return gbx_fail(err, -EINVAL, "column %zu: its name is not an identifier", output->column_count + 1);
        type_number = gbx_column_type_parse(type);
        role_number = role_parse(role);
        if (type_number < 0 || role_number < 0)
                return gbx_fail(err, -EINVAL, "column '%s': unknown type or role", name);
        if (role_number == GBX_COLUMN_COUNT && type_number != GBX_TYPE_INTEGER)
                return gbx_fail(err, -EINVAL, "column '%s': a count is an integer", name);
        if (unit && !unit_valid(unit, type_number))
                return gbx_fail(err, -EINVAL, "column '%s': not a unit of such a column", name);
        for (size_t i = 0; i < output->column_count; i++)
                if (strcmp(output->columns[i].name, name) == 0)
                        return gbx_fail(err, -EINVAL, "column '%s' stands twice", name);
        *column = (struct gbx_gate_column){ .type = (enum gbx_type)type_number, .role = (enum gbx_column_role)role_number };
        output->column_count++;
        column->name = strdup(name);
        column->unit = unit ? strdup(unit) : NULL;
        return column->name && (column->unit || !unit) ? 0 : gbx_fail_memory(err);
}

static int parse_columns(const json_t *columns, struct gbx_release_output *output, struct gbx_error *err) {
        size_t length = strlen(output->file), index;
        json_t *item;

        if (length < 5 || strcmp(output->file + length - 4, ".csv") != 0)
                return gbx_fail(err, -EINVAL, "a table's file is called NAME.csv");
        if (!json_is_array(columns) || json_array_size(columns) == 0 || json_array_size(columns) > GBX_RELEASE_MANIFEST_MAX_COLUMNS)
                return gbx_fail(err, -EINVAL, "a table has 1 to %d columns", GBX_RELEASE_MANIFEST_MAX_COLUMNS);
        output->columns = calloc(json_array_size(columns), sizeof *output->columns);
        if (!output->columns)
                return gbx_fail_memory(err);
        json_array_foreach(columns, index, item) {
                int r = parse_column(item, output, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_output(json_t *json, struct gbx_release_manifest *manifest, struct gbx_error *err) {
        struct gbx_release_output *output = manifest->outputs + manifest->count;
        json_t *columns = NULL;
        const char *file, *kind;

        if (json_unpack(json, "{s:s, s:s, s?o !}", "file", &file, "kind", &kind, "columns", &columns) < 0)
                return gbx_fail(err, -EINVAL, "{\"file\", \"kind\"} and, for a table, \"columns\" are wanted");
        if (!gbx_name_valid(file) || strcmp(file, GBX_RELEASE_MANIFEST_FILE) == 0)
                return gbx_fail(err, -EINVAL, "the file's name is not allowed");
        for (size_t i = 0; i < manifest->count; i++)
                if (strcmp(manifest->outputs[i].file, file) == 0)
                        return gbx_fail(err, -EINVAL, "the file stands twice");
        output->file = strdup(file);
        manifest->count++;
        if (!output->file)
                return gbx_fail_memory(err);
        output->table = strcmp(kind, "table") == 0;
        if (!output->table && strcmp(kind, "opaque") != 0)
                return gbx_fail(err, -EINVAL, "kind is \"table\" or \"opaque\"");
        if (!output->table)
                return columns ? gbx_fail(err, -EINVAL, "only a table has columns") : 0;
        return parse_columns(columns, output, err);
}

int gbx_release_manifest_parse(const void *data, size_t size, struct gbx_release_manifest *ret, struct gbx_error *err) {
        gbx_auto(gbx_release_manifest_free) struct gbx_release_manifest manifest = {};
        gbx_auto(decref) json_t *json = NULL;
        json_t *outputs, *item;
        json_error_t problem;
        size_t index;
        int version, r;

        if (size > GBX_RELEASE_MANIFEST_MAX_BYTES)
                return gbx_fail(err, -EINVAL, "the manifest is larger than %d bytes", GBX_RELEASE_MANIFEST_MAX_BYTES);
        json = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
        if (!json)
                return gbx_fail(err, -EINVAL, "the manifest is not JSON (line %d, column %d)", problem.line, problem.column);
        if (json_unpack(json, "{s:i, s:o !}", "version", &version, "outputs", &outputs) < 0 || version != 1)
                return gbx_fail(err, -EINVAL, "{\"version\": 1, \"outputs\": […]} is wanted");
        if (!json_is_array(outputs) || json_array_size(outputs) > GBX_RELEASE_MANIFEST_MAX_OUTPUTS)
                return gbx_fail(err, -EINVAL, "outputs must be a list of at most %d", GBX_RELEASE_MANIFEST_MAX_OUTPUTS);
        manifest.outputs = calloc(json_array_size(outputs) + 1, sizeof *manifest.outputs);
        if (!manifest.outputs)
                return gbx_fail_memory(err);
        json_array_foreach(outputs, index, item) {
                r = parse_output(item, &manifest, err);
                if (r < 0)
                        return gbx_context(err, r, "output %zu", index + 1);
        }
        *ret = manifest;
        manifest = (struct gbx_release_manifest){};
        return 0;
}
