#include "gateway/gate/inspection.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

enum { ENTRY_SLACK = 64, NAME_SIZE = 65, ALIAS_SIZE = 80 };

/* What lies in the directory. */
struct entries {
        char **names;
        size_t count;
};

static void free_entries(struct entries *entries) {
        for (size_t i = 0; i < entries->count; i++)
                free(entries->names[i]);
        free(entries->names);
}

static bool present(const struct entries *entries, const char *name) {
        for (size_t i = 0; i < entries->count; i++)
                if (strcmp(entries->names[i], name) == 0)
                        return true;
        return false;
}

void gbx_gate_result_free(struct gbx_gate_result *result) {
        for (size_t i = 0; i < result->table_count; i++) {
                struct gbx_gate_table *table = result->tables + i;

                for (size_t j = 0; j < table->column_count; j++) {
                        free(table->columns[j].name);
                        free(table->columns[j].unit);
                }
                free(table->columns);
                free(table->name);
                gbx_buffer_free(&table->csv);
        }
        free(result->tables);
        gbx_findings_free(&result->findings);
        *result = (struct gbx_gate_result){};
}

int gbx_inspection_find(struct gbx_inspection *inspection, const char *rule, enum gbx_severity severity, uint64_t row,
                        const char *column, const char *format, ...) {
        struct gbx_finding finding = { .severity = severity, .row = row };
        char detail[256];
        va_list args;
        size_t i = 0;

        while (i < inspection->told_count &&
               (inspection->told[i].severity != severity || strcmp(inspection->told[i].rule, rule) != 0))
                i++;
        if (i == inspection->told_count && i < GBX_INSPECTION_RULES) {
                inspection->told[i].rule = rule;
                inspection->told[i].severity = severity;
                inspection->told[i].count = 0;
                inspection->told_count++;
        }
        if (i < GBX_INSPECTION_RULES && inspection->told[i].count++ >= GBX_INSPECTION_PER_RULE) {
                inspection->result->findings.left_out++;
                return 0;
        }
        va_start(args, format);
        (void)vsnprintf(detail, sizeof detail, format, args);
        va_end(args);
        finding.rule = (char *)(uintptr_t)rule;
        finding.output = (char *)(uintptr_t)inspection->output;
        finding.column = (char *)(uintptr_t)column;
        finding.detail = detail;
        return gbx_findings_add(&inspection->result->findings, &finding, inspection->err);
}

#define FAIL(inspection, rule, ...) gbx_inspection_find(inspection, rule, GBX_SEVERITY_FAIL, 0, NULL, __VA_ARGS__)

/* --- the directory ------------------------------------------------------------------ */

/* Looks at one entry without opening it. Positive: it is a file that may be read. */
static int check_entry(struct gbx_inspection *inspection, int directory, const char *name) {
        struct stat status;
        char shown[128];
        int r;

        gbx_text_printable(name, strlen(name), shown, sizeof shown);
        if (!gbx_name_valid(name))
                r = FAIL(inspection, "output-entry", "'%s': the name is not allowed", shown);
        else if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                r = FAIL(inspection, "output-entry", "'%s': cannot be looked at", shown);
        else if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
                r = FAIL(inspection, "output-entry", "'%s': not a regular file with one name", shown);
        else
                return 1;
        return r < 0 ? r : 0;
}

static int list_entries(struct gbx_inspection *inspection, int directory, struct entries *entries) {
        size_t limit = inspection->policy->limits.output_files + ENTRY_SLACK;
        gbx_auto(gbx_close_directory) DIR *stream = NULL;
        int fd = gbx_open_directory(directory, ".", inspection->err), r = 0;
        const struct dirent *entry;

        if (fd < 0)
                return fd;
        stream = fdopendir(fd);
        entries->names = calloc(limit, sizeof *entries->names);
        if (!stream || !entries->names) {
                if (!stream)
                        (void)close(fd);
                return gbx_fail_memory(inspection->err);
        }
        while (r >= 0 && (entry = readdir(stream))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (entries->count == limit)
                        return FAIL(inspection, "output-limit", "more than %zu files", limit);
                r = check_entry(inspection, directory, entry->d_name);
                if (r > 0) {
                        entries->names[entries->count] = strdup(entry->d_name);
                        if (!entries->names[entries->count++])
                                return gbx_fail_memory(inspection->err);
                }
        }
        return r < 0 ? r : 0;
}

/* Opens what check_entry found to be a file, and looks again at what was opened. */
static int open_file(int directory, const char *name, uint64_t *ret_size, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat status;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot open an output");
        if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
                return gbx_fail(err, -EINVAL, "an output is no regular file");
        *ret_size = (uint64_t)status.st_size;
        return gbx_take_fd(&fd);
}

/* --- tables ------------------------------------------------------------------------- */

static int keep_table(struct gbx_inspection *inspection, const char *alias, const struct gbx_grid *grid,
                      struct gbx_buffer *csv) {
        struct gbx_gate_table *table = inspection->result->tables + inspection->result->table_count;

        table->columns = calloc(grid->column_count, sizeof *table->columns);
        table->name = strdup(alias);
        inspection->result->table_count++; /* from here on it is freed with the result */
        if (!table->columns || !table->name)
                return gbx_fail_memory(inspection->err);
        for (size_t i = 0; i < grid->column_count; i++) {
                const struct gbx_grid_column *column = grid->columns + i;
                struct gbx_gate_column *kept = table->columns + i;

                *kept = (struct gbx_gate_column){ .type = column->declared->type, .role = column->declared->role };
                table->column_count++;
                kept->name = strdup(column->declared->name);
                kept->unit = column->unit_matters ? strdup(column->unit_text) : NULL;
                if (!kept->name || (column->unit_matters && !kept->unit))
                        return gbx_fail_memory(inspection->err);
        }
        table->rows = grid->rows;
        gbx_sha256_text_of(csv->data, csv->size, table->digest);
        inspection->bytes_left -= csv->size;
        table->csv = *csv;
        *csv = (struct gbx_buffer){};
        return 0;
}

static int inspect_table(struct gbx_inspection *inspection, int directory, const struct gbx_release_output *output,
                         const char *alias) {
        gbx_auto(gbx_grid_free) struct gbx_grid grid = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {};
        gbx_auto(gbx_close_fd) int fd = -1;
        struct gbx_error problem = {};
        uint64_t size = 0;
        int r;

        fd = open_file(directory, output->file, &size, &problem);
        if (fd < 0)
                return FAIL(inspection, "output-entry", "%s", problem.message);
        if (size > 2 * inspection->policy->release.max_bytes) /* canonical text is shorter, but not by that much */
                return FAIL(inspection, "table-size", "%llu bytes, far above the policy's max-size", (unsigned long long)size);
        r = gbx_grid_plan(inspection, output, &grid);
        if (r >= 0 && grid.column_count <= inspection->policy->release.max_columns)
                r = gbx_grid_read(inspection, fd, &grid);
        if (r >= 0 && !grid.unusable)
                r = gbx_grid_finish(inspection, &grid, &csv);
        if (r < 0 || grid.unusable)
                return r;
        return keep_table(inspection, alias, &grid, &csv);
}

/* How a table is called outside: by the policy's list, otherwise by its number. */
static int name_table(struct gbx_inspection *inspection, const struct gbx_release_output *output, size_t number,
                      char ret_alias[static ALIAS_SIZE]) {
        const struct gbx_texts *listed = &inspection->policy->release.outputs;
        char name[NAME_SIZE];

        (void)snprintf(name, sizeof name, "%.*s", (int)(strlen(output->file) - strlen(".csv")), output->file);
        (void)snprintf(ret_alias, ALIAS_SIZE, "table-%zu.csv", number);
        if (listed->count == 0)
                return 0;
        if (gbx_texts_contain(listed, name)) {
                (void)snprintf(ret_alias, ALIAS_SIZE, "%s.csv", name);
                return 0;
        }
        inspection->output = ret_alias;
        return FAIL(inspection, "output-name", "'%s' is not a name that the policy lists", name);
}

static int inspect_output(struct gbx_inspection *inspection, int directory, const struct entries *entries,
                          const struct gbx_release_output *output, size_t *tables) {
        char alias[ALIAS_SIZE];
        int r;

        inspection->told_count = 0;
        inspection->output = NULL;
        if (!output->table) {
                if (!present(entries, output->file))
                        return FAIL(inspection, "output-missing", "'%s'", output->file);
                inspection->result->opaque_count++;
                return gbx_inspection_find(inspection, "opaque-output", GBX_SEVERITY_REVIEW, 0, NULL, "'%s'", output->file);
        }
        if (*tables == inspection->policy->release.max_tables)
                return FAIL(inspection, "too-many-tables", "more than %llu tables",
                            (unsigned long long)inspection->policy->release.max_tables);
        r = name_table(inspection, output, ++*tables, alias);
        inspection->output = alias;
        if (r >= 0 && !present(entries, output->file))
                r = FAIL(inspection, "output-missing", "'%s'", output->file);
        else if (r >= 0)
                r = inspect_table(inspection, directory, output, alias);
        inspection->output = NULL;
        return r;
}

/* --- all of it ------------------------------------------------------------------------ */

/* Positive: there is a manifest. */
static int read_manifest(struct gbx_inspection *inspection, int directory, const struct entries *entries,
                         struct gbx_release_manifest *ret) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_close_fd) int fd = -1;
        struct gbx_error problem = {};
        uint64_t size;
        int r;

        if (!present(entries, GBX_RELEASE_MANIFEST_FILE))
                return FAIL(inspection, "manifest-missing", "the run left no %s", GBX_RELEASE_MANIFEST_FILE);
        fd = open_file(directory, GBX_RELEASE_MANIFEST_FILE, &size, &problem);
        r = fd < 0 ? fd : gbx_read_fd(fd, GBX_RELEASE_MANIFEST_MAX_BYTES, &text, &problem);
        if (r >= 0)
                r = gbx_release_manifest_parse(gbx_buffer_text(&text), text.size, ret, &problem);
        if (r == -ENOMEM)
                return gbx_fail_memory(inspection->err);
        return r < 0 ? FAIL(inspection, "manifest-invalid", "%s", problem.message) : 1;
}

static int find_undeclared(struct gbx_inspection *inspection, const struct entries *entries,
                           const struct gbx_release_manifest *manifest) {
        int r = 0;

        inspection->told_count = 0;
        for (size_t i = 0; r >= 0 && i < entries->count; i++) {
                bool declared = strcmp(entries->names[i], GBX_RELEASE_MANIFEST_FILE) == 0;

                for (size_t j = 0; !declared && j < manifest->count; j++)
                        declared = strcmp(entries->names[i], manifest->outputs[j].file) == 0;
                if (!declared)
                        r = FAIL(inspection, "output-undeclared", "'%s' is not in the manifest", entries->names[i]);
        }
        return r;
}

static int compare_tables(const void *a, const void *b) {
        return strcmp(((const struct gbx_gate_table *)a)->name, ((const struct gbx_gate_table *)b)->name);
}

int gbx_inspect(int directory, const struct gbx_policy *policy, const struct gbx_scan_rules *scan,
                struct gbx_gate_result *ret, struct gbx_error *err) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_release_manifest_free) struct gbx_release_manifest manifest = {};
        gbx_auto(free_entries) struct entries entries = {};
        struct gbx_inspection inspection = { .policy = policy, .scan = scan, .result = &result,
                                             .bytes_left = policy->release.max_bytes, .err = err };
        size_t tables = 0;
        int r;

        result.tables = calloc(policy->release.max_tables, sizeof *result.tables);
        if (!result.tables)
                return gbx_fail_memory(err);
        r = list_entries(&inspection, directory, &entries);
        if (r >= 0)
                r = read_manifest(&inspection, directory, &entries, &manifest);
        if (r > 0)
                r = find_undeclared(&inspection, &entries, &manifest);
        for (size_t i = 0; r >= 0 && i < manifest.count; i++)
                r = inspect_output(&inspection, directory, &entries, manifest.outputs + i, &tables);
        if (r < 0)
                return r;
        if (result.table_count)
                qsort(result.tables, result.table_count, sizeof *result.tables, compare_tables);
        result.declared_counts = result.table_count > 0;
        *ret = result;
        result = (struct gbx_gate_result){};
        return 0;
}
