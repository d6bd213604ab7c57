#include "gateway/gate/report.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/gate/release_manifest.h"
#include "policy/decimal.h"

#include <string.h>

static void decref(json_t **json) {
        json_decref(*json);
}

/* --- writing ----------------------------------------------------------------------- */

static json_t *table_json(const struct gbx_gate_table *table) {
        json_t *columns = json_array();

        for (size_t i = 0; i < table->column_count; i++) {
                const struct gbx_gate_column *column = table->columns + i;

                (void)json_array_append_new(columns, json_pack("{s:s, s:s, s:s, s:s*}", "name", column->name, "type",
                                                               gbx_column_type_name(column->type), "role",
                                                               gbx_column_role_name(column->role), "unit", column->unit));
        }
        if (json_array_size(columns) != table->column_count) {
                json_decref(columns);
                return NULL;
        }
        return json_pack("{s:s, s:I, s:I, s:o}", "name", table->name, "rows", (json_int_t)table->rows, "size",
                         (json_int_t)table->csv.size, "columns", columns);
}

int gbx_report_write(const struct gbx_gate_result *result, struct gbx_buffer *buffer, struct gbx_error *err) {
        gbx_auto(decref) json_t *findings = NULL, *tables = json_array(), *head = NULL;
        gbx_auto(gbx_free_pointer) char *text = NULL;
        int r = gbx_findings_to_json(&result->findings, &findings, err);

        for (size_t i = 0; r >= 0 && i < result->table_count; i++)
                if (json_array_append_new(tables, table_json(result->tables + i)) < 0)
                        r = gbx_fail_memory(err);
        if (r < 0)
                return r;
        head = json_pack("{s:i, s:O, s:I, s:b, s:O}", "version", 1, "findings", findings, "opaque",
                         (json_int_t)result->opaque_count, "declared_counts", (int)result->declared_counts, "tables", tables);
        text = head ? json_dumps(head, JSON_COMPACT) : NULL;
        if (!text)
                return gbx_fail_memory(err);
        r = gbx_buffer_printf(buffer, err, "%s\n", text);
        for (size_t i = 0; r >= 0 && i < result->table_count; i++)
                r = gbx_buffer_append(buffer, result->tables[i].csv.data, result->tables[i].csv.size, err);
        return r < 0 ? r : 0;
}

/* --- reading ------------------------------------------------------------------------ */

static int bad(struct gbx_error *err, const char *what) {
        return gbx_fail(err, -EINVAL, "the gate's report: %s", what);
}

static int role_parse(const char *word) {
        for (int role = GBX_COLUMN_KEY; role <= GBX_COLUMN_VALUE; role++)
                if (strcmp(gbx_column_role_name((enum gbx_column_role)role), word) == 0)
                        return role;
        return -EINVAL;
}

static int read_column(json_t *json, struct gbx_gate_column *ret, struct gbx_error *err) {
        const char *name, *type, *role, *unit = NULL;
        struct gbx_decimal value;
        int type_number, role_number;

        if (json_unpack(json, "{s:s, s:s, s:s, s?s !}", "name", &name, "type", &type, "role", &role, "unit", &unit) < 0 ||
            strlen(name) > 64 || strspn(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != strlen(name))
                return bad(err, "a column is malformed");
        type_number = gbx_column_type_parse(type);
        role_number = role_parse(role);
        if (type_number < 0 || role_number < 0 || (unit && gbx_decimal_parse(unit, &value, NULL) < 0))
                return bad(err, "a column is malformed");
        *ret = (struct gbx_gate_column){ strdup(name), (enum gbx_type)type_number, (enum gbx_column_role)role_number,
                                         unit ? strdup(unit) : NULL };
        return ret->name && (ret->unit || !unit) ? 0 : gbx_fail_memory(err);
}

/* A table's bytes must be text that begins with its header and has its rows; the digest is made here. */
static int read_bytes(struct gbx_gate_table *table, const char *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer header = {};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < table->column_count; i++)
                r = gbx_buffer_printf(&header, err, "%s%s", i ? "," : "", table->columns[i].name);
        if (r >= 0)
                r = gbx_buffer_append_byte(&header, '\n', err);
        if (r < 0)
                return r;
        if (size < header.size || memcmp(data, gbx_buffer_text(&header), header.size) != 0 || memchr(data, '\0', size) ||
            data[size - 1] != '\n' || !gbx_utf8_valid(data, size))
                return bad(err, "a table is not what it is said to be");
        r = gbx_buffer_append(&table->csv, data, size, err);
        if (r < 0)
                return r;
        gbx_sha256_text_of(data, size, table->digest);
        return 0;
}

/* Reads one table and moves `*data` behind its bytes. */
static int read_table(json_t *json, const struct gbx_policy *policy, const char **data, size_t *left,
                      struct gbx_gate_result *result, struct gbx_error *err) {
        struct gbx_gate_table *table = result->tables + result->table_count;
        json_t *columns, *item;
        json_int_t rows, size;
        const char *name;
        size_t index;
        int r;

        if (json_unpack(json, "{s:s, s:I, s:I, s:o !}", "name", &name, "rows", &rows, "size", &size, "columns", &columns) < 0 ||
            !gbx_name_valid(name) || rows < 0 || (uint64_t)rows > policy->release.max_rows || size <= 0 ||
            (uint64_t)size > *left || !json_is_array(columns) || json_array_size(columns) == 0 ||
            json_array_size(columns) > policy->release.max_columns)
                return bad(err, "a table is malformed or beyond the policy's limits");
        for (size_t i = 0; i < result->table_count; i++)
                if (strcmp(result->tables[i].name, name) == 0) /* NOLINT(clang-analyzer-core.NonNullParamChecker): has one */
                        return bad(err, "a table stands twice");
        table->name = strdup(name);
        table->columns = calloc(json_array_size(columns), sizeof *table->columns);
        table->rows = (size_t)rows;
        result->table_count++;
        if (!table->name || !table->columns)
                return gbx_fail_memory(err);
        json_array_foreach(columns, index, item) {
                r = read_column(item, table->columns + table->column_count, err);
                table->column_count += r >= 0;
                if (r < 0)
                        return r;
        }
        r = read_bytes(table, *data, (size_t)size, err);
        *data += size;
        *left -= (size_t)size;
        return r;
}

static int read_tables(json_t *tables, const struct gbx_policy *policy, const char *data, size_t size,
                       struct gbx_gate_result *result, struct gbx_error *err) {
        json_t *item;
        size_t index;

        if (!json_is_array(tables) || json_array_size(tables) > policy->release.max_tables || size > policy->release.max_bytes)
                return bad(err, "more than the policy allows");
        result->tables = calloc(json_array_size(tables) + 1, sizeof *result->tables);
        if (!result->tables)
                return gbx_fail_memory(err);
        json_array_foreach(tables, index, item) {
                int r = read_table(item, policy, &data, &size, result, err);

                if (r < 0)
                        return r;
        }
        return size ? bad(err, "bytes behind the last table") : 0;
}

int gbx_report_read(const void *data, size_t size, const struct gbx_policy *policy, struct gbx_gate_result *ret,
                    struct gbx_error *err) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(decref) json_t *head = NULL;
        const char *end = size ? memchr(data, '\n', size) : NULL;
        json_t *findings, *tables;
        size_t head_size;
        json_int_t opaque;
        int version, declared, r;

        if (!end || (size_t)(end - (const char *)data) > GBX_REPORT_HEAD_MAX)
                return bad(err, "no first line");
        head_size = (size_t)(end - (const char *)data) + 1;
        head = json_loadb(data, head_size, JSON_REJECT_DUPLICATES, NULL);
        if (!head || json_unpack(head, "{s:i, s:o, s:I, s:b, s:o !}", "version", &version, "findings", &findings, "opaque",
                                 &opaque, "declared_counts", &declared, "tables", &tables) < 0 ||
            version != 1 || opaque < 0 || opaque > GBX_RELEASE_MANIFEST_MAX_OUTPUTS)
                return bad(err, "its first line is malformed");
        r = gbx_findings_from_json(findings, &result.findings, err);
        if (r >= 0)
                r = read_tables(tables, policy, end + 1, size - head_size, &result, err);
        if (r < 0)
                return r;
        result.opaque_count = (size_t)opaque;
        /* Counts are a job's word in every table of this form; a gate that says otherwise is not believed. */
        result.declared_counts = declared || result.table_count > 0;
        *ret = result;
        result = (struct gbx_gate_result){};
        return 0;
}
