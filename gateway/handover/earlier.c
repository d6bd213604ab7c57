#include "gateway/handover/earlier.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/store/fact.h"
#include "gateway/store/keys.h"
#include "runtime/vault/age.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 256, ORIGINAL_LIMIT = 256 * 1024 * 1024 };

/* Outcome of load_table: the copy is not there any more. */
enum { GONE = 1 };

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

static int load_table(struct gbx_site *site, const struct gbx_age_identity *identity, const char *release,
                      const json_t *output, struct gbx_earlier_table *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};
        const char *file = json_string_value(json_object_get(output, "file"));
        char path[PATH_SIZE];
        int r;

        if (!file || !json_is_array(json_object_get(output, "columns")))
                return GONE; /* released by a version that did not keep them */
        (void)snprintf(path, sizeof path, "releases/%.64s/%.80s.original.age", release, file);
        if (faccessat(site->directory, path, F_OK, 0) < 0)
                return GONE;
        ret->table.csv.secret = true;
        ret->table.name = strdup(file);
        if (!ret->table.name)
                return gbx_fail_memory(err);
        r = read_columns(json_object_get(output, "columns"), &ret->table, err);
        if (r >= 0)
                r = gbx_read_file(site->directory, path, ORIGINAL_LIMIT, &sealed, err);
        return r < 0 ? r :
                       gbx_age_decrypt_buffer(sealed.data, sealed.size, (struct gbx_age_identities){ &identity, 1 },
                                              ORIGINAL_LIMIT, &ret->table.csv, err);
}

static int check_output(struct gbx_site *site, const struct gbx_age_identity *identity, const char *release,
                        const json_t *output, uint64_t minimum, struct gbx_gate_result *result, struct gbx_error *err) {
        gbx_auto(free_table) struct gbx_earlier_table earlier = { .release = (char *)(uintptr_t)release };
        char detail[128];
        struct gbx_finding gone = { .rule = (char *)(uintptr_t) "differencing", .severity = GBX_SEVERITY_REVIEW, .detail = detail };
        int r = load_table(site, identity, release, output, &earlier, err);

        if (r == GONE) {
                (void)snprintf(detail, sizeof detail, "%.64s cannot be compared with: its copy is gone", release);
                return gbx_findings_add(&result->findings, &gone, err);
        }
        for (size_t i = 0; r >= 0 && i < result->table_count; i++)
                r = gbx_check_differencing(result->tables + i, &earlier, 1, minimum, &result->findings, err);
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

int gbx_check_earlier(struct gbx_site *site, const struct gbx_run_request *request, uint64_t minimum,
                      struct gbx_gate_result *result, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        size_t index;
        json_t *row;
        int r = gbx_site_identity(site, &identity, err);

        if (r >= 0)
                r = gbx_fact_rows(site, &rows, err, "release", "1", NULL);
        if (r < 0)
                return r;
        json_array_foreach(rows, index, row) {
                gbx_auto(gbx_json_freep) json_t *run = NULL;
                const char *text = json_string_value(json_object_get(row, "outputs"));
                gbx_auto(gbx_json_freep) json_t *outputs = text ? json_loads(text, 0, NULL) : NULL;
                size_t place;
                json_t *output;

                r = gbx_fact_one(site, &run, err, "run", "id=?1", json_string_value(json_object_get(row, "run")), NULL);
                if (r < 0)
                        return r;
                if (!shares_dataset(json_string_value(json_object_get(run, "datasets")), request))
                        continue;
                json_array_foreach(outputs, place, output) {
                        r = check_output(site, identity, json_string_value(json_object_get(row, "id")), output, minimum,
                                         result, err);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}
