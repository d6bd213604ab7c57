/*
 * A table in memory: names and cells as text, in one arena
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_table {
        struct gbx_buffer arena; /* texts, each ended by a zero byte */
        uint32_t *cells;         /* where each cell's text begins: rows * columns of them, and one for the end */
        uint32_t *row_offsets;   /* where each row begins in the input (CSV; else zeros) */
        uint32_t *places;        /* JSON: where each cell's value begins in the input, or GBX_TABLE_INHERITED; else NULL */
        uint32_t *names;         /* where each column's name begins in the arena */
        size_t name_end;         /* of the names in the arena */
        size_t columns, rows;
        size_t capacity; /* rows allocated */
        bool headless;   /* the names were made up */
};

enum { GBX_TABLE_MAX_BYTES = 1 << 30 };
/* The value belongs to an outer element and stands here only to name the row. */
#define GBX_TABLE_INHERITED UINT32_MAX

/* Starts a table by its column names. */
int gbx_table_begin(struct gbx_table *table, const char *const *names, const size_t *sizes, size_t columns,
                    struct gbx_error *err);
/* Makes room for about the rows of a text, so that memory is taken once. */
int gbx_table_expect(struct gbx_table *table, const char *text, size_t size, struct gbx_error *err);
/* Appends a row: `count` cells; missing ones become empty, surplus ones are dropped. */
int gbx_table_add_row(struct gbx_table *table, const char *const *cells, const size_t *sizes, size_t count,
                      struct gbx_error *err);
/* To be called behind the last row. */
int gbx_table_end(struct gbx_table *table, struct gbx_error *err);

/* Canonical CSV with a header; `row_offsets` are kept. Errors of base/csv.h, and -EINVAL if there is no row. */
int gbx_table_read_csv(struct gbx_table *table, const void *csv, size_t size, struct gbx_error *err);

static inline const char *gbx_table_name(const struct gbx_table *table, size_t column) {
        return (const char *)table->arena.data + table->names[column];
}

static inline const char *gbx_table_cell(const struct gbx_table *table, size_t row, size_t column, size_t *ret_size) {
        const uint32_t *place = &table->cells[row * table->columns + column];

        *ret_size = place[1] - place[0] - 1;
        return (const char *)table->arena.data + place[0];
}

void gbx_table_free(struct gbx_table *table);
