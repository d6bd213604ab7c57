/* Rows: their order, what they say together, and the canonical table. */
#include "gateway/gate/inspection.h"

#include "base/cleanup.h"
#include "base/csv.h"

#include <string.h>

static bool is_number(const struct gbx_grid_column *column) {
        return column->declared->type == GBX_TYPE_INTEGER || column->declared->type == GBX_TYPE_DECIMAL;
}

/* A cell that is a number, from its canonical text. */
static bool number_at(const struct gbx_grid *grid, size_t row, size_t column, struct gbx_decimal *ret) {
        char text[GBX_DECIMAL_TEXT_SIZE] = "";
        size_t size;
        const char *cell = gbx_grid_text(grid, row, column, &size);

        if (size == 0 || size >= sizeof text)
                return false;
        memcpy(text, cell, size);
        return gbx_decimal_parse(text, ret, NULL) >= 0;
}

/* Missing first, then numbers by value, other types by bytes. */
static int compare_cells(const struct gbx_grid *grid, size_t a, size_t b, size_t column) {
        struct gbx_decimal x, y;
        size_t size_a, size_b, common;
        const char *text_a = gbx_grid_text(grid, a, column, &size_a), *text_b = gbx_grid_text(grid, b, column, &size_b);
        int order;

        if (is_number(grid->columns + column) && number_at(grid, a, column, &x) && number_at(grid, b, column, &y))
                return gbx_decimal_compare(&x, &y);
        common = size_a < size_b ? size_a : size_b;
        order = common ? memcmp(text_a, text_b, common) : 0;
        return order ? order : (size_a > size_b) - (size_a < size_b);
}

static int compare_role(const struct gbx_grid *grid, size_t a, size_t b, bool keys) {
        int order = 0;

        for (size_t i = 0; order == 0 && i < grid->column_count; i++)
                if ((grid->columns[i].declared->role == GBX_COLUMN_KEY) == keys)
                        order = compare_cells(grid, a, b, i);
        return order;
}

/* By the keys, then by the rest: the order that the job gave carries nothing. */
static int compare_rows(const void *a, const void *b, void *userdata) {
        size_t x = *(const size_t *)a, y = *(const size_t *)b;
        int order = compare_role(userdata, x, y, true);

        return order ? order : compare_role(userdata, x, y, false);
}

static bool has_key(const struct gbx_grid *grid) {
        for (size_t i = 0; i < grid->column_count; i++)
                if (grid->columns[i].declared->role == GBX_COLUMN_KEY)
                        return true;
        return false;
}

/* Two rows of one key are two halves of a group, or one group told twice. */
static int check_keys(struct gbx_inspection *inspection, const struct gbx_grid *grid, const size_t *order) {
        int r = 0;

        if (!has_key(grid))
                return grid->rows <= 1 ? 0 :
                                         gbx_inspection_find(inspection, "no-key-column", GBX_SEVERITY_FAIL, 0, NULL,
                                                             "%zu rows and nothing that tells them apart", grid->rows);
        for (size_t i = 1; r >= 0 && i < grid->rows; i++)
                if (compare_role(grid, order[i - 1], order[i], true) == 0)
                        r = gbx_inspection_find(inspection, "duplicate-key", GBX_SEVERITY_FAIL,
                                                (order[i - 1] > order[i] ? order[i - 1] : order[i]) + 1, NULL,
                                                "a row before it has the same key");
        return r;
}

/* A share that is exactly 0 or 1 says something about every single contributor of its row (group disclosure). Which
 * columns are shares nobody says, so a decimal column within [0, 1] is taken for one, and a person decides. */
static int check_shares(struct gbx_inspection *inspection, const struct gbx_grid *grid, size_t column) {
        const struct gbx_decimal zero = { 0, 0 }, one = { 1, 0 };
        uint64_t extreme = 0, first = 0;

        for (size_t row = 0; row < grid->rows; row++) {
                struct gbx_decimal value;
                int low, high;

                if (!number_at(grid, row, column, &value))
                        continue;
                low = gbx_decimal_compare(&value, &zero);
                high = gbx_decimal_compare(&value, &one);
                if (low < 0 || high > 0)
                        return 0;
                if (low == 0 || high == 0) {
                        first = extreme++ ? first : row + 1;
                }
        }
        return extreme ? gbx_inspection_find(inspection, "group-disclosure", GBX_SEVERITY_REVIEW, first,
                                             grid->columns[column].declared->name, "%llu shares are exactly 0 or 1",
                                             (unsigned long long)extreme) :
                         0;
}

static int check_values(struct gbx_inspection *inspection, const struct gbx_grid *grid) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < grid->column_count; i++)
                if (grid->columns[i].declared->role == GBX_COLUMN_VALUE &&
                    grid->columns[i].declared->type == GBX_TYPE_DECIMAL)
                        r = check_shares(inspection, grid, i);
        return r;
}

static int write_line(const struct gbx_grid *grid, const size_t *row, struct gbx_buffer *csv, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < grid->column_count; i++) {
                const char *name = grid->columns[i].declared->name, *text = name;
                size_t size = strlen(name);

                if (row)
                        text = gbx_grid_text(grid, *row, i, &size);
                if (i)
                        r = gbx_buffer_append_byte(csv, ',', err);
                if (r >= 0)
                        r = gbx_csv_write_field(csv, text, size, false, err);
        }
        return r < 0 ? r : gbx_buffer_append_byte(csv, '\n', err);
}

static int write_table(struct gbx_inspection *inspection, struct gbx_grid *grid, const size_t *order,
                       struct gbx_buffer *csv) {
        int r = write_line(grid, NULL, csv, inspection->err);

        for (size_t i = 0; r >= 0 && i < grid->rows; i++)
                r = write_line(grid, order + i, csv, inspection->err);
        if (r >= 0 && csv->size > inspection->bytes_left) {
                grid->unusable = true;
                r = gbx_inspection_find(inspection, "table-size", GBX_SEVERITY_FAIL, 0, NULL,
                                        "more bytes than the policy's max-size");
        }
        return r;
}

int gbx_grid_finish(struct gbx_inspection *inspection, struct gbx_grid *grid, struct gbx_buffer *ret_csv) {
        gbx_auto(gbx_free_pointer) size_t *order = calloc(grid->rows + 1, sizeof *order);
        int r = 0;

        if (!order)
                return gbx_fail_memory(inspection->err);
        for (size_t i = 0; i < grid->rows; i++)
                order[i] = i;
        qsort_r(order, grid->rows, sizeof *order, compare_rows, grid);
        if (grid->rows == 0)
                r = gbx_inspection_find(inspection, "no-rows", GBX_SEVERITY_REVIEW, 0, NULL, "the table is empty");
        if (r >= 0)
                r = check_keys(inspection, grid, order);
        if (r >= 0)
                r = check_values(inspection, grid);
        return r < 0 ? r : write_table(inspection, grid, order, ret_csv);
}
