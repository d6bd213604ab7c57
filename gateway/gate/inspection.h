/* Inside of the inspection: one table on its way from bytes to canonical text. */
#pragma once

#include "gateway/gate/inspect.h"
#include "gateway/gate/release_manifest.h"
#include "policy/decimal.h"

#include <stdbool.h>
#include <stdint.h>

enum {
        GBX_INSPECTION_RULES = 40,
        GBX_INSPECTION_PER_RULE = 20, /* findings of one rule in one table; the others are counted */
};

struct gbx_inspection {
        const struct gbx_policy *policy;
        const struct gbx_scan_rules *scan;
        struct gbx_gate_result *result;
        const char *output; /* how the table at hand is called in findings: never by the job's own words */
        struct {
                const char *rule;
                enum gbx_severity severity;
                size_t count;
        } told[GBX_INSPECTION_RULES]; /* about the table at hand */
        size_t told_count;
        uint64_t bytes_left; /* of the policy's max-size */
        struct gbx_error *err;
};

/* Adds a finding about the output at hand; `rule` is static. Row 0 and column NULL: none. Errors: -ENOMEM. */
int gbx_inspection_find(struct gbx_inspection *inspection, const char *rule, enum gbx_severity severity, uint64_t row,
                        const char *column, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* A column of a table, in its canonical place. */
struct gbx_grid_column {
        const struct gbx_gate_column *declared;
        const struct gbx_policy_column *allowed; /* NULL: the policy lists no columns, or not this one */
        size_t source;                           /* its place in the file */
        struct gbx_decimal unit;                 /* of numbers */
        char unit_text[GBX_DECIMAL_TEXT_SIZE];
        bool unit_matters; /* the job or the policy gave one, and the column holds values */
        uint64_t dropped; /* cells that had digits below the unit */
};

/* A cell's canonical text; size 0: missing. */
struct gbx_grid_cell {
        uint32_t offset, size;
};

struct gbx_grid {
        struct gbx_grid_column *columns;
        size_t column_count;
        struct gbx_buffer text; /* of all cells */
        struct gbx_grid_cell *cells; /* row by row */
        size_t rows, capacity;
        bool unusable; /* something cannot be made canonical: the table does not leave at all */
};

void gbx_grid_free(struct gbx_grid *grid);

static inline const char *gbx_grid_text(const struct gbx_grid *grid, size_t row, size_t column, size_t *ret_size) {
        const struct gbx_grid_cell *cell = grid->cells + row * grid->column_count + column;

        *ret_size = cell->size;
        return cell->size ? (const char *)grid->text.data + cell->offset : "";
}

/* Puts the declared columns into their canonical order and settles units and permissions (inspect_columns.c). */
int gbx_grid_plan(struct gbx_inspection *inspection, const struct gbx_release_output *output, struct gbx_grid *grid);

/* Reads a CSV file into the grid and checks every cell (inspect_cells.c, inspect_read.c). */
int gbx_grid_read(struct gbx_inspection *inspection, int fd, struct gbx_grid *grid);
int gbx_grid_add_cell(struct gbx_inspection *inspection, struct gbx_grid *grid, size_t column, uint64_t row,
                      const char *text, size_t size);

/* Sorts rows and checks what concerns several of them; writes the canonical table (inspect_rows.c). */
int gbx_grid_finish(struct gbx_inspection *inspection, struct gbx_grid *grid, struct gbx_buffer *ret_csv);
