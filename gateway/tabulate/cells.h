/*
 * The cells of a table: groups of rows by their keys, and totals over them
 *
 * A key of a cell is a value, missing, or "all": the total over that key.
 */
#pragma once

#include "gateway/tabulate/tally.h"

enum {
        GBX_CELLS_MAX = 100000, /* of one table, totals included */
        GBX_CELLS_COMPLETE_MAX = 10000, /* combinations of key values that are made cells though no row has them */
        GBX_CELL_ALL = 2,       /* states of a key */
        GBX_CELL_MISSING = 1,
};

struct gbx_cell {
        int64_t keys[GBX_TABLE_MAX_KEYS]; /* a number, a day, 0 or 1, or the place in the dictionary of that key */
        uint8_t states[GBX_TABLE_MAX_KEYS]; /* 0, GBX_CELL_MISSING or GBX_CELL_ALL; then the value is 0 */
        uint64_t hash;
        uint64_t rows;
        struct gbx_members members;
        struct gbx_tally *tallies; /* one a statistic */
};

struct gbx_cells {
        const struct gbx_table *table;
        struct gbx_tally_plan plans[GBX_TABLE_MAX_STATISTICS];
        struct gbx_dictionary texts[GBX_TABLE_MAX_KEYS];
        struct gbx_cell **items; /* sorted once settled: by value, then missing, then all */
        size_t count, capacity;
        uint32_t *slots;
        size_t slot_count;
        uint64_t absent; /* combinations of key values without a row and without a cell; UINT64_MAX: more than can be counted */
};

/* `table` must live as long. */
void gbx_cells_init(struct gbx_cells *ret, const struct gbx_table *table, bool one_row_each);
int gbx_cells_add(struct gbx_cells *cells, const struct gbx_scalar *row, uint32_t contributor, struct gbx_scratch *scratch, struct gbx_error *err);
/* After the last row: makes the totals that the table asks for, settles every tally, sorts. */
int gbx_cells_settle(struct gbx_cells *cells, struct gbx_error *err);
void gbx_cells_free(struct gbx_cells *cells);

/* Key `index` of a cell as text, "(all)" for a total and "" for a missing value. -ENOMEM. */
int gbx_cell_key_text(const struct gbx_cells *cells, const struct gbx_cell *cell, size_t index, struct gbx_buffer *ret, struct gbx_error *err);
