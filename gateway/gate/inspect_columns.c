/* The columns of a table: which may be there, in which order, in which units. */
#include "gateway/gate/inspection.h"

#include "base/cleanup.h"

#include <string.h>

/* A job's own unit with more decimals than this asks for a reviewer: low digits can carry anything. */
enum { FREE_UNIT_DIGITS = 4 };

void gbx_grid_free(struct gbx_grid *grid) {
        free(grid->columns);
        free(grid->cells);
        gbx_buffer_free(&grid->text);
        *grid = (struct gbx_grid){};
}

static const struct gbx_policy_column *find_allowed(const struct gbx_policy_release *release, const char *name) {
        const struct gbx_policy_column *columns = release->columns.items;

        for (size_t i = 0; i < release->columns.count; i++)
                if (strcmp(columns[i].name, name) == 0)
                        return columns + i;
        return NULL;
}

/* With a list: its order. Without: keys, counts, values, each by name. The order that the job chose carries nothing. */
static int compare_columns(const void *a, const void *b) {
        const struct gbx_grid_column *x = a, *y = b;

        if (x->allowed && y->allowed)
                return x->allowed < y->allowed ? -1 : x->allowed > y->allowed;
        if (x->allowed || y->allowed)
                return x->allowed ? -1 : 1;
        if (x->declared->role != y->declared->role)
                return x->declared->role < y->declared->role ? -1 : 1;
        return strcmp(x->declared->name, y->declared->name);
}

/* Whether `a` is a whole multiple of `b`. */
static bool multiple_of(const struct gbx_decimal *a, const struct gbx_decimal *b) {
        struct gbx_decimal rounded;

        return gbx_decimal_round(a, b, &rounded, NULL) >= 0 && gbx_decimal_compare(a, &rounded) == 0;
}

/* The coarser of the job's unit and the policy's; the policy's where they do not go together, or where the job gave
 * none. An integer has the unit 1 if nobody gave one. */
static int settle_unit(struct gbx_inspection *inspection, struct gbx_grid_column *column, bool *unusable) {
        const char *own = column->declared->unit, *given = column->allowed ? column->allowed->unit : NULL;
        struct gbx_decimal policy_unit, one = { 1, 0 };
        int r = 0;

        if (column->declared->type != GBX_TYPE_DECIMAL && column->declared->type != GBX_TYPE_INTEGER)
                return 0;
        if (!own && !given && column->declared->type == GBX_TYPE_DECIMAL) {
                *unusable = true;
                return gbx_inspection_find(inspection, "column-unit", GBX_SEVERITY_FAIL, 0, column->declared->name,
                                           "a decimal needs a unit");
        }
        column->unit = one;
        if (own)
                r = gbx_decimal_parse(own, &column->unit, inspection->err);
        if (r >= 0 && given) {
                r = gbx_decimal_parse(given, &policy_unit, inspection->err);
                if (r >= 0 && ((!own && column->declared->type == GBX_TYPE_DECIMAL) || !multiple_of(&column->unit, &policy_unit)))
                        column->unit = policy_unit;
        }
        if (r < 0)
                return r;
        gbx_decimal_text(&column->unit, column->unit_text);
        column->unit_matters = (own || given) && column->declared->role == GBX_COLUMN_VALUE;
        if (!given && column->unit.scale > FREE_UNIT_DIGITS)
                r = gbx_inspection_find(inspection, "fine-unit", GBX_SEVERITY_REVIEW, 0, column->declared->name,
                                        "the unit %s has more than %d decimals", column->unit_text, FREE_UNIT_DIGITS);
        return r;
}

/* Names are words of the job, too. */
static int scan_name(struct gbx_inspection *inspection, const struct gbx_grid_column *column) {
        int r = gbx_scan(inspection->scan, column->declared->name, strlen(column->declared->name), NULL, NULL, inspection->err);

        return r <= 0 ? r :
                        gbx_inspection_find(inspection, "content-scan", GBX_SEVERITY_FAIL, 0, column->declared->name,
                                            "the column's name matches");
}

static int check_allowed(struct gbx_inspection *inspection, const struct gbx_grid_column *column) {
        if (inspection->policy->release.columns.count && !column->allowed)
                return gbx_inspection_find(inspection, "column-not-allowed", GBX_SEVERITY_FAIL, 0, column->declared->name,
                                           "the policy does not list this column");
        if (column->allowed && column->allowed->type != column->declared->type)
                return gbx_inspection_find(inspection, "column-type", GBX_SEVERITY_FAIL, 0, column->declared->name,
                                           "declared %s, the policy says %s", gbx_column_type_name(column->declared->type),
                                           gbx_column_type_name(column->allowed->type));
        return 0;
}

static int check_roles(struct gbx_inspection *inspection, struct gbx_grid *grid) {
        size_t roles[3] = {};
        int r = 0;

        for (size_t i = 0; i < grid->column_count; i++)
                roles[grid->columns[i].declared->role]++;
        if (!roles[GBX_COLUMN_COUNT])
                r = gbx_inspection_find(inspection, "no-count-column", GBX_SEVERITY_FAIL, 0, NULL,
                                        "a table says of each row how many contributed to it");
        if (r >= 0 && roles[GBX_COLUMN_COUNT] > 1)
                r = gbx_inspection_find(inspection, "several-count-columns", GBX_SEVERITY_REVIEW, 0, NULL,
                                        "the difference of two counts may be a small group");
        if (r >= 0 && grid->column_count > inspection->policy->release.max_columns) {
                grid->unusable = true;
                r = gbx_inspection_find(inspection, "too-many-columns", GBX_SEVERITY_FAIL, 0, NULL,
                                        "%zu columns, %llu are allowed", grid->column_count,
                                        (unsigned long long)inspection->policy->release.max_columns);
        }
        return r;
}

int gbx_grid_plan(struct gbx_inspection *inspection, const struct gbx_release_output *output, struct gbx_grid *grid) {
        int r = 0;

        grid->columns = calloc(output->column_count, sizeof *grid->columns);
        if (!grid->columns)
                return gbx_fail_memory(inspection->err);
        grid->column_count = output->column_count;
        for (size_t i = 0; i < output->column_count; i++)
                grid->columns[i] = (struct gbx_grid_column){
                        .declared = output->columns + i,
                        .allowed = find_allowed(&inspection->policy->release, output->columns[i].name),
                        .source = i,
                };
        qsort(grid->columns, grid->column_count, sizeof *grid->columns, compare_columns);
        for (size_t i = 0; r >= 0 && i < grid->column_count; i++) {
                r = scan_name(inspection, grid->columns + i);
                if (r >= 0)
                        r = check_allowed(inspection, grid->columns + i);
                if (r >= 0)
                        r = settle_unit(inspection, grid->columns + i, &grid->unusable);
        }
        return r < 0 ? r : check_roles(inspection, grid);
}
