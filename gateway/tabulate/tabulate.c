#include "gateway/tabulate/tabulate.h"

#include "base/cleanup.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/tabulate/evidence.h"
#include "gateway/tabulate/model.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

enum { SCHEMA_MAX_BYTES = 4 << 20, SCHEMAS_MAX = 64 };

/* --- input ---------------------------------------------------------------------------- */

void gbx_tabulate_schemas_free(struct gbx_source_schema *schemas, size_t count) {
        for (size_t i = 0; i < count; i++)
                gbx_source_schema_free(&schemas[i]);
        free(schemas);
}

static int is_schema(const struct dirent *entry) {
        const char *end = strrchr(entry->d_name, '.');

        return end && strcmp(end, ".json") == 0 && entry->d_name[0] != '.';
}

static int read_schema(int root, const char *file, struct gbx_source_schema *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        char name[128], path[300];
        json_error_t where;
        int r;

        (void)snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(".json")), file);
        (void)snprintf(path, sizeof path, "job/schema/%s", file);
        if (!gbx_name_valid(name))
                return gbx_fail(err, -EINVAL, "%s is not named after a dataset", path);
        r = gbx_read_file(root, path, SCHEMA_MAX_BYTES, &bytes, err);
        if (r < 0)
                return r;
        json = json_loadb(gbx_buffer_text(&bytes), bytes.size, JSON_REJECT_DUPLICATES, &where);
        if (!json)
                return gbx_fail(err, -EINVAL, "%s:%d:%d: %s", path, where.line, where.column, where.text);
        return gbx_source_schema_read(name, json, ret, err);
}

int gbx_tabulate_schemas(int root, struct gbx_source_schema **ret, size_t *ret_count, struct gbx_error *err) {
        struct gbx_source_schema *schemas;
        struct dirent **entries = NULL;
        size_t count = 0;
        int r = 0, found = scandirat(root, "job/schema", &entries, is_schema, alphasort);

        if (found < 0)
                return gbx_fail_errno(err, "cannot list job/schema");
        schemas = calloc((size_t)found + 1, sizeof *schemas);
        if (!schemas)
                r = gbx_fail_memory(err);
        else if (found > SCHEMAS_MAX)
                r = gbx_fail(err, -EDQUOT, "job/schema has more than %d schemas", SCHEMAS_MAX);
        for (int i = 0; i < found; i++) {
                if (r >= 0)
                        r = read_schema(root, entries[i]->d_name, &schemas[count], err);
                count += r >= 0;
                free(entries[i]);
        }
        free(entries);
        if (r < 0) {
                gbx_tabulate_schemas_free(schemas, count);
                return r;
        }
        *ret = schemas;
        *ret_count = count;
        return 0;
}

/* All problems go to standard error, one a line; the error tells the first. */
static int read_tables(int root, const struct gbx_source_schema *schemas, size_t count, struct gbx_tables **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {}, text = {};
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        const char *file = faccessat(root, "job/tables.json", F_OK, 0) == 0 ? "job/tables.json" : "job/tables.yaml";
        int r = gbx_read_file(root, file, GBX_YAML_MAX_BYTES, &bytes, err);

        if (r < 0)
                return r;
        r = gbx_tables_parse(ret, file, gbx_buffer_text(&bytes), bytes.size, schemas, count, &problems, err);
        if (r < 0 && gbx_problems_text(&problems, &text, NULL) >= 0)
                fputs(gbx_buffer_text(&text), stderr);
        return r;
}

/* --- output --------------------------------------------------------------------------- */

static int append_field(struct gbx_buffer *csv, const char *data, size_t size, bool last, struct gbx_error *err) {
        int r = gbx_csv_write_field(csv, data, size, false, err);

        return r < 0 ? r : gbx_buffer_append_byte(csv, last ? '\n' : ',', err);
}

static int append_header(const struct gbx_table *table, struct gbx_buffer *csv, struct gbx_error *err) {
        const struct gbx_statistic *statistics = table->statistics.items;
        int r = 0;

        for (size_t i = 0; i < table->by.count && r >= 0; i++)
                r = append_field(csv, table->by.items[i], strlen(table->by.items[i]), false, err);
        for (size_t i = 0; i < table->statistics.count && r >= 0; i++)
                r = append_field(csv, statistics[i].name, strlen(statistics[i].name), i + 1 == table->statistics.count, err);
        return r;
}

static int append_cell(const struct gbx_cells *cells, struct gbx_cell *cell, struct gbx_buffer *csv, struct gbx_error *err) {
        const struct gbx_table *table = cells->table;
        int r = 0;

        for (size_t i = 0; i < table->by.count && r >= 0; i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

                r = gbx_cell_key_text(cells, cell, i, &text, err);
                if (r >= 0)
                        r = append_field(csv, gbx_buffer_text(&text), text.size, false, err);
        }
        for (size_t i = 0; i < table->statistics.count && r >= 0; i++) {
                struct gbx_tally *tally = &cell->tallies[i];
                char text[GBX_WIDE_TEXT_SIZE];

                r = gbx_tally_text(tally, &cells->plans[i], gbx_members_count(cells->plans[i].own_members ? &tally->members : &cell->members), text, err);
                if (r >= 0)
                        r = append_field(csv, text, strlen(text), i + 1 == table->statistics.count, err);
        }
        return r;
}

static void free_cells(struct gbx_cells *cells) { gbx_cells_free(cells); }

int gbx_tabulate_table(int root, const struct gbx_table *table, const struct gbx_source_schema *schemas, struct gbx_buffer *csv,
                       struct gbx_buffer *evidence, struct gbx_error *err) {
        gbx_auto(gbx_source_freep) struct gbx_source *source = NULL;
        gbx_auto(free_cells) struct gbx_cells cells = {};
        gbx_auto(gbx_model_free) struct gbx_model model = {};
        const struct gbx_source_schema *schema = &schemas[table->schema];
        const struct gbx_scalar *row;
        uint32_t contributor;
        int r;

        r = gbx_source_open(&source, root, table, schemas, err);
        if (r < 0)
                return r;
        gbx_cells_init(&cells, table, gbx_source_one_row_each(source));
        gbx_model_init(&model, table);
        while ((r = gbx_source_next(source, &row, &contributor, err)) > 0) {
                if (table->has_model && (r = gbx_model_add(&model, row, gbx_source_scratch(source), err)) <= 0) {
                        if (r < 0)
                                return r;
                        continue;
                }
                r = gbx_cells_add(&cells, row, contributor, gbx_source_scratch(source), err);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = gbx_cells_settle(&cells, err);
        if (r >= 0)
                r = table->has_model ? gbx_model_solve(&model, csv, err) : append_header(table, csv, err);
        for (size_t i = 0; i < cells.count && r >= 0 && !table->has_model; i++)
                r = append_cell(&cells, cells.items[i], csv, err);
        if (r < 0)
                return r;
        return gbx_evidence_write(&cells,
                                  &(struct gbx_evidence_source){
                                          .data = schema->dataset,
                                          .contributor = schema->contributor == SIZE_MAX ? NULL : schema->columns[schema->contributor].name,
                                          .parameters = table->has_model ? (unsigned)model.parameters : 0,
                                          .rows = gbx_source_rows(source),
                                          .contributors = gbx_source_contributors(source) },
                                  evidence, err);
}

static int write_out(int root, const char *name, const char *ending, const struct gbx_buffer *content, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        char path[128];

        (void)snprintf(path, sizeof path, "out/%s.%s", name, ending);
        fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd < 0 ? gbx_fail_errno(err, "cannot make %s", path) : gbx_write_all(fd, content->data, content->size, err);
}

int gbx_tabulate(int root, struct gbx_error *err) {
        gbx_auto(gbx_tables_freep) struct gbx_tables *tables = NULL;
        struct gbx_source_schema *schemas = NULL;
        const struct gbx_table *items;
        size_t count = 0;
        int r = gbx_tabulate_schemas(root, &schemas, &count, err);

        if (r >= 0)
                r = read_tables(root, schemas, count, &tables, err);
        for (size_t i = 0; r >= 0 && i < tables->tables.count; i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer csv = { .secret = true }, evidence = { .secret = true };

                items = tables->tables.items;
                r = gbx_tabulate_table(root, &items[i], schemas, &csv, &evidence, err);
                if (r >= 0)
                        r = write_out(root, items[i].name, "csv", &csv, err);
                if (r >= 0)
                        r = write_out(root, items[i].name, "evidence", &evidence, err);
        }
        gbx_tabulate_schemas_free(schemas, count);
        return r;
}
