/* A CSV file as a grid of checked cells. */
#include "gateway/gate/inspection.h"

#include "base/cleanup.h"
#include "base/csv.h"

#include <string.h>

enum { ROW_MAX = 256 * 1024, FIRST_ROWS = 64 };

static int refuse(struct gbx_inspection *inspection, struct gbx_grid *grid, const char *rule, const char *detail) {
        grid->unusable = true;
        return gbx_inspection_find(inspection, rule, GBX_SEVERITY_FAIL, 0, NULL, "%s", detail);
}

/* The header must be the declared names, in the declared order. */
static bool header_matches(const struct gbx_grid *grid, const struct gbx_csv_row *row) {
        if (row->count != grid->column_count)
                return false;
        for (size_t i = 0; i < grid->column_count; i++) {
                const struct gbx_csv_field *field = row->fields + grid->columns[i].source;
                const char *name = grid->columns[i].declared->name;

                if (field->size != strlen(name) || memcmp(field->data, name, field->size) != 0)
                        return false;
        }
        return true;
}

static int grow(struct gbx_grid *grid, struct gbx_error *err) {
        size_t capacity = grid->capacity ? 2 * grid->capacity : FIRST_ROWS;
        struct gbx_grid_cell *grown;

        if (grid->rows < grid->capacity)
                return 0;
        grown = reallocarray(grid->cells, capacity * grid->column_count, sizeof *grown);
        if (!grown)
                return gbx_fail_memory(err);
        grid->cells = grown;
        grid->capacity = capacity;
        return 0;
}

static int add_row(struct gbx_inspection *inspection, struct gbx_grid *grid, const struct gbx_csv_row *row) {
        int r = grow(grid, inspection->err);

        if (r < 0)
                return r;
        grid->rows++;
        for (size_t i = 0; r >= 0 && i < grid->column_count; i++) {
                const struct gbx_csv_field *field = row->fields + grid->columns[i].source;

                r = gbx_grid_add_cell(inspection, grid, i, grid->rows, field->data, field->size);
        }
        return r;
}

static int report_dropped(struct gbx_inspection *inspection, const struct gbx_grid *grid) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < grid->column_count; i++)
                if (grid->columns[i].dropped)
                        r = gbx_inspection_find(inspection, "digits-dropped", GBX_SEVERITY_PASS, 0,
                                                grid->columns[i].declared->name, "%llu cells had digits below the unit %s",
                                                (unsigned long long)grid->columns[i].dropped, grid->columns[i].unit_text);
        return r;
}

int gbx_grid_read(struct gbx_inspection *inspection, int fd, struct gbx_grid *grid) {
        struct gbx_csv_options options = { .max_columns = grid->column_count + 1, .max_row = ROW_MAX };
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        struct gbx_csv_row row;
        struct gbx_error problem = {};
        int r = gbx_csv_new(&csv, fd, &options, inspection->err);

        if (r < 0)
                return r;
        r = gbx_csv_next(csv, &row, &problem);
        if (r == 0)
                return refuse(inspection, grid, "table-syntax", "the file is empty");
        if (r > 0 && !header_matches(grid, &row))
                return refuse(inspection, grid, "table-header", "the header is not what the manifest declares");
        while (r > 0) {
                r = gbx_csv_next(csv, &row, &problem);
                if (r > 0 && grid->rows == inspection->policy->release.max_rows)
                        return refuse(inspection, grid, "too-many-rows", "more rows than the policy allows");
                if (r > 0 && add_row(inspection, grid, &row) < 0)
                        return -ENOMEM;
        }
        if (r == -EINVAL)
                return refuse(inspection, grid, "table-syntax", problem.message);
        if (r < 0)
                return gbx_fail(inspection->err, r, "%s", problem.message);
        return report_dropped(inspection, grid);
}
