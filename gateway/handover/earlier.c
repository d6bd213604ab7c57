#include "gateway/handover/earlier.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/store/fact.h"
#include "gateway/store/records.h"

#include <openssl/crypto.h>
#include <string.h>

static void wipe_text(char **text) {
        if (*text)
                OPENSSL_cleanse(*text, strlen(*text));
        free(*text);
}

json_t *gbx_earlier_columns(const struct gbx_gate_table *table) {
        json_t *columns = json_array();

        for (size_t i = 0; columns && i < table->column_count; i++)
                if (json_array_append_new(columns, json_pack("{s:s, s:s}", "name", table->columns[i].name, "role",
                                                             gbx_column_role_name(table->columns[i].role))) < 0) {
                        json_decref(columns);
                        return NULL;
                }
        return columns;
}

int gbx_earlier_record(const struct gbx_gate_result *result, struct gbx_buffer *ret_text, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *tables = json_array();
        gbx_auto(wipe_text) char *text = NULL;

        for (size_t i = 0; i < result->table_count; i++) {
                const struct gbx_gate_table *table = &result->tables[i];

                if (json_array_append_new(tables, json_pack("{s:s, s:o, s:o}", "name", table->name, "columns", gbx_earlier_columns(table), "csv",
                                                            json_stringn(gbx_buffer_text(&table->csv), table->csv.size))) < 0)
                        return gbx_fail_memory(err);
        }
        text = json_dumps(tables, JSON_COMPACT);
        return text ? gbx_buffer_append_text(ret_text, text, err) : gbx_fail_memory(err);
}

static void free_table(struct gbx_earlier_table *earlier) {
        for (size_t i = 0; i < earlier->table.column_count; i++)
                free(earlier->table.columns[i].name);
        free(earlier->table.columns);
        free(earlier->table.name);
        gbx_buffer_free(&earlier->table.csv);
}

static int read_role(const char *word, enum gbx_column_role *ret) {
        for (int role = GBX_COLUMN_KEY; word && role <= GBX_COLUMN_VALUE; role++)
                if (strcmp(gbx_column_role_name((enum gbx_column_role)role), word) == 0) {
                        *ret = (enum gbx_column_role)role;
                        return 0;
                }
        return -EINVAL;
}

static int read_columns(const json_t *columns, struct gbx_gate_table *table, struct gbx_error *err) {
        size_t index;
        json_t *column;

        table->columns = calloc(json_array_size(columns) + 1, sizeof *table->columns);
        if (!table->columns)
                return gbx_fail_memory(err);
        json_array_foreach(columns, index, column) {
                struct gbx_gate_column *target = table->columns + table->column_count;
                const char *name = json_string_value(json_object_get(column, "name"));

                if (!name || read_role(json_string_value(json_object_get(column, "role")), &target->role) < 0)
                        return gbx_fail(err, -EBADMSG, "the entry of an earlier release is malformed");
                target->name = strdup(name);
                if (!target->name)
                        return gbx_fail_memory(err);
                table->column_count++;
        }
        return 0;
}

static int load_table(const char *release, const json_t *json, struct gbx_earlier_table *ret, struct gbx_error *err) {
        const char *name = gbx_json_text(json, "name"), *csv = gbx_json_text(json, "csv");

        if (!name || !csv)
                return gbx_fail(err, -EBADMSG, "the sealed record of %s is malformed", release);
        ret->release = (char *)(uintptr_t)release;
        ret->table.csv.secret = true;
        ret->table.name = strdup(name);
        if (!ret->table.name)
                return gbx_fail_memory(err);
        return gbx_buffer_append(&ret->table.csv, csv, json_string_length(json_object_get(json, "csv")), err);
}

static int check_table(const char *release, const json_t *json, uint64_t minimum, struct gbx_gate_result *result, struct gbx_error *err) {
        gbx_auto(free_table) struct gbx_earlier_table earlier = {};
        int r = load_table(release, json, &earlier, err);

        if (r >= 0)
                r = read_columns(json_object_get(json, "columns"), &earlier.table, err);
        for (size_t i = 0; r >= 0 && i < result->table_count; i++)
                r = gbx_check_differencing(result->tables + i, &earlier, 1, minimum, &result->findings, err);
        return r;
}

/* One earlier release, from its sealed record. */
static int check_release(const struct gbx_records *records, const json_t *row, uint64_t minimum, struct gbx_gate_result *result,
                         struct gbx_error *err) {
        const char *release = gbx_json_text(row, "id"), *digest = gbx_json_text(row, "record");
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        gbx_auto(gbx_json_freep) json_t *tables = NULL;
        size_t i;
        json_t *table;
        int r = digest ? gbx_records_get(records, digest, &text, err)
                       : gbx_fail(err, -EBADMSG, "the log names no sealed record: it was made by a version that kept none");

        if (r >= 0) {
                tables = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
                json_array_foreach(tables, i, table)
                        if (r >= 0)
                                r = check_table(release, table, minimum, result, err);
        }
        return r < 0 ? gbx_context(err, r, "comparing with %s", release) : 0;
}

/* Whether a run (its datasets as a JSON list) used one that the request uses. */
static bool shares_dataset(const char *text, const struct gbx_run_request *request) {
        gbx_auto(gbx_json_freep) json_t *names = text ? json_loads(text, 0, NULL) : NULL;

        if (!json_is_array(names))
                return true; /* nobody knows: compare */
        for (size_t i = 0; i < json_array_size(names); i++)
                for (size_t j = 0; j < request->dataset_count; j++) {
                        const char *name = json_string_value(json_array_get(names, i));

                        if (!name || strcmp(name, request->datasets[j].name) == 0)
                                return true;
                }
        return false;
}

int gbx_check_earlier(struct gbx_site *site, const struct gbx_run_request *request, uint64_t minimum, uint64_t passed,
                      struct gbx_gate_result *result, struct gbx_error *err) {
        gbx_auto(gbx_records_freep) struct gbx_records *records = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        size_t index;
        json_t *row;
        int r = gbx_fact_rows(site, &rows, err, "release", "1", NULL);

        if (r >= 0 && json_array_size(rows) > passed)
                r = gbx_records_open(&records, site, err);
        json_array_foreach(rows, index, row) {
                gbx_auto(gbx_json_freep) json_t *run = NULL;

                if (index < passed || r < 0)
                        continue;
                r = gbx_fact_one(site, &run, err, "run", "id=?1", gbx_json_text(row, "run"), NULL);
                if (r >= 0 && shares_dataset(gbx_json_text(run, "datasets"), request))
                        r = check_release(records, row, minimum, result, err);
        }
        return r < 0 ? r : 0;
}
