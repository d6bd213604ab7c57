/*
 * The gate over hostile outputs: the manifest is what stands before the first zero byte of the input, a table (t.csv)
 * what stands behind it. No crash; whatever comes out is canonical: put in again, it comes out the same. The rest of
 * the input is also read as a gate's report.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/gate/inspect.h"
#include "gateway/gate/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy_text[] = "policy: p\npurpose: p\ndatasets: [d]\nengines: [lua]\napprovals: { required: 1, reviewers: [w] }\n"
                                  "release: { minimum-count: 3, max-rows: 100, max-size: 16K, max-columns: 8 }\n";

static struct gbx_policy *policy;
static struct gbx_scan_rules *rules;
static char path[] = "/dev/shm/gbx-fuzz-gate-XXXXXX";
static int directory;

static void clean(void) {
        (void)unlinkat(directory, "release.json", 0);
        (void)unlinkat(directory, "t.csv", 0);
        (void)rmdir(path);
        gbx_policy_free(policy);
        gbx_scan_rules_free(rules);
}

static void start(void) {
        static const char rules_text[] = "rules: [{ name: digits, pattern: \"[0-9]{11}\", severity: fail }]\n";

        if (gbx_policy_parse(&policy, "f", policy_text, strlen(policy_text), NULL, NULL) < 0 ||
            gbx_scan_rules_parse(&rules, "f", rules_text, strlen(rules_text), NULL, NULL) < 0 || !mkdtemp(path))
                abort();
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0 || atexit(clean) != 0)
                abort();
}

static void put(const char *name, const void *data, size_t size) {
        int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || gbx_write_all(fd, data, size, NULL) < 0)
                abort();
        (void)close(fd);
}

static void inspect(const void *manifest, size_t manifest_size, const void *csv, size_t csv_size,
                    struct gbx_gate_result *result) {
        put("release.json", manifest, manifest_size);
        put("t.csv", csv, csv_size);
        if (gbx_inspect(directory, policy, rules, result, NULL) < 0)
                abort();
}

/* The manifest of a table that came out. */
static char *describe(const struct gbx_gate_table *table) {
        json_t *columns = json_array(), *manifest;
        char *text;

        for (size_t i = 0; i < table->column_count; i++) {
                const struct gbx_gate_column *column = table->columns + i;
                json_t *json = json_pack("{s:s, s:s, s:s, s:s*}", "name", column->name, "type", gbx_column_type_name(column->type),
                                         "role", gbx_column_role_name(column->role), "unit", column->unit);

                if (column->type == GBX_TYPE_DECIMAL && !column->unit) /* keys keep theirs to themselves */
                        json_object_set_new(json, "unit", json_string("0.000000001"));
                json_array_append_new(columns, json);
        }
        manifest = json_pack("{s:i, s:[{s:s, s:s, s:o}]}", "version", 1, "outputs", "file", "t.csv", "kind", "table", "columns", columns);
        text = json_dumps(manifest, 0);
        json_decref(manifest);
        if (!text)
                abort();
        return text;
}

static bool has_decimal_key(const struct gbx_gate_table *table) {
        for (size_t i = 0; i < table->column_count; i++)
                if (table->columns[i].type == GBX_TYPE_DECIMAL && !table->columns[i].unit)
                        return true;
        return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
        size_t manifest_size = zero ? (size_t)(zero - data) : size;
        struct gbx_gate_result first = {}, second = {}, third = {};

        if (!policy)
                start();
        if (gbx_report_read(data, size, policy, &third, NULL) >= 0)
                gbx_gate_result_free(&third);
        inspect(data, manifest_size, zero ? zero + 1 : data, zero ? size - manifest_size - 1 : 0, &first);
        if (first.table_count == 1 && !has_decimal_key(first.tables)) {
                char *manifest = describe(first.tables);

                inspect(manifest, strlen(manifest), first.tables[0].csv.data, first.tables[0].csv.size, &second);
                if (second.table_count != 1 || second.tables[0].csv.size != first.tables[0].csv.size ||
                    memcmp(second.tables[0].csv.data, first.tables[0].csv.data, first.tables[0].csv.size) != 0)
                        abort();
                free(manifest);
        }
        gbx_gate_result_free(&first);
        gbx_gate_result_free(&second);
        return 0;
}
