/*
 * Which cells carry symbols: what marking and tracing must agree on
 *
 * A plan holds the declared columns and one or several layers. A layer is a
 * way to name rows (a declared key, a virtual key made of stable columns, or
 * the column that decides others) and the columns it marks. In every layer, a
 * keyed function of the row's key chooses one row of gamma and in it
 * cells_per_row cells, by weight. Where several layers mark a column, each
 * owns the cells of some classes of its values (hundreds of units): a cell
 * carries one symbol, and which layer's is seen from the cell alone.
 *
 * A row's key is made of its key columns' values in a canonical form, so that
 * " 1,250.0 " and "1250" name the same row, and letters count without case.
 * In virtual keys numbers count by coarse buckets, so that small changes, the
 * mark's own too, leave the key alone.
 */
#pragma once

#include "watermark/code.h"
#include "watermark/mark.h"
#include "watermark/number.h"
#include "watermark/prf.h"
#include "watermark/sketch.h"
#include "watermark/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_LAYER_MAX = 32,
        GBX_LAYER_MAX_VIRTUAL = 8,
        GBX_LAYER_MAX_KEYS = 6,
        GBX_SPIKE_SHARE = 200, /* a common value stands in one row of so many, at least */
};

struct gbx_plan_column {
        char *name;
        enum gbx_mark_type type;
        enum gbx_mark_role role;
        bool markable;  /* chosen cells may stand here */
        bool mark_text; /* … and are text */
        bool prose;
        struct gbx_number unit;
        unsigned weight;
        struct gbx_number minimum, maximum, threshold;
        bool has_minimum, has_maximum, has_threshold;
        bool keep_total;
        int sum_group; /* number of the group; -1: none */
        int per;       /* index of the column that decides this one; -1: none */
        uint64_t hash;   /* of the name */
        uint32_t layers; /* that mark it, a bit each */
        struct gbx_sketch sketch; /* for finding the column again under another name (match.h) */
        /* Keyed hashes of values that are common here; sorted. They and their neighbours are never marked: a digit
         * beside a common value sticks out. */
        uint32_t *spikes;
        unsigned spike_count;
};

struct gbx_layer_key {
        unsigned column;
        struct gbx_number bucket; /* mantissa 0: the value itself */
};

struct gbx_layer {
        struct gbx_layer_key keys[GBX_LAYER_MAX_KEYS];
        unsigned key_count;
        bool virtual;    /* a virtual key: missing values are values */
        unsigned *marks; /* columns it marks */
        unsigned mark_count;
        uint64_t weight; /* of all of them */
};

struct gbx_plan {
        struct gbx_plan_column *columns;
        unsigned column_count;
        struct gbx_layer layers[GBX_LAYER_MAX];
        unsigned layer_count;
        uint32_t gamma, cells_per_row;
};

/* How a plan's columns are found in a table. */
struct gbx_view_column {
        int column;     /* in the table; -1: not there */
        char separator; /* decimal separator, or 0 for the strict form */
        int shift;      /* powers of ten that the values must be multiplied by */
        double factor;  /* any other factor (alignment finds it); 0: none */
};

struct gbx_view {
        const struct gbx_table *table;
        struct gbx_view_column *columns; /* one for each of the plan's columns */
        unsigned count;
};

struct gbx_marked_cell {
        struct gbx_cell_id id;
        struct gbx_number value; /* not of a text column */
        uint32_t row;
        uint16_t column; /* of the plan */
        uint16_t layer;
};

struct gbx_cells {
        struct gbx_marked_cell *items;
        size_t count, capacity;
};

/* The view of a table by the plan's own names, strict numbers. -EINVAL if a column that marking needs is missing. */
int gbx_view_new(struct gbx_view *view, const struct gbx_plan *plan, const struct gbx_table *table,
                 struct gbx_error *err);
/* Fills the plan's spikes from the original table. */
int gbx_view_find_spikes(const struct gbx_view *view, struct gbx_plan *plan, const struct gbx_mark_keys *keys,
                         struct gbx_error *err);
void gbx_view_free(struct gbx_view *view);

/* A cell's number, by the view. False: none. */
bool gbx_view_number(const struct gbx_view *view, unsigned column, size_t row, struct gbx_number *ret);

/* Appends all cells that carry symbols, row by row. `everywhere`: zeros and common values too (rounding). Each
 * layer whose key the view lacks is passed over. */
int gbx_layer_collect(const struct gbx_plan *plan, const struct gbx_mark_keys *keys, const struct gbx_view *view,
                      bool everywhere, struct gbx_cells *cells, struct gbx_error *err);
void gbx_cells_free(struct gbx_cells *cells);

/* Canonical form of a row's key in one layer, appended. Returns 1 if the row has no key there. */
int gbx_layer_row_key(const struct gbx_plan *plan, unsigned layer, const struct gbx_view *view, size_t row,
                      struct gbx_buffer *key, struct gbx_error *err);

bool gbx_layer_has_key(const struct gbx_layer *layer, unsigned column);

/* The bias threshold and mask of a cell. */
struct gbx_cell_bias {
        uint32_t threshold;
        unsigned mask; /* 0 or 1 */
};
struct gbx_cell_bias gbx_layer_bias(const struct gbx_mark_keys *keys, const struct gbx_code *code,
                                    struct gbx_cell_id id);

/* The keyed hash of a value, in units, for the list of spikes. */
uint32_t gbx_layer_spike_hash(const struct gbx_mark_keys *keys, const struct gbx_plan_column *column, int64_t units);

/* The class, 0 or 1, of a text in one cell: each cell divides the values anew, so that of few values, too, two are of
 * different classes in most cells. */
unsigned gbx_layer_text_class(const struct gbx_mark_keys *keys, struct gbx_cell_id id, const char *text, size_t size);

/* A plan from declarations: columns, the layer of the declared key and those of deciding columns. Virtual keys are
 * added by gbx_plan_add_virtual_keys. */
int gbx_plan_new(struct gbx_plan *plan, const struct gbx_mark_request *request, struct gbx_error *err);
/* Adds up to `count` layers of virtual keys, chosen by what the table's columns can tell apart. */
int gbx_plan_add_virtual_keys(struct gbx_plan *plan, const struct gbx_view *view, unsigned count,
                              struct gbx_error *err);
/* Derived fields: hashes of names, weights of layers. */
void gbx_plan_finish(struct gbx_plan *plan, const struct gbx_mark_keys *keys);
void gbx_plan_free(struct gbx_plan *plan);
