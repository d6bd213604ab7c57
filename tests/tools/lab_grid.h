/* A table whose cells can be changed, for the attacks of watermark-lab */
#pragma once

#include "base/buffer.h"
#include "watermark/number.h"
#include "watermark/table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t lab_state = 1;

static inline void lab_seed(uint64_t seed) { lab_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1; }

static inline uint32_t lab_random(void) { /* splitmix64 */
        uint64_t z = lab_state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return (uint32_t)((z ^ z >> 31) >> 16);
}

static inline bool lab_chance(double p) { return lab_random() < p * 4294967296.0; }

static inline void lab_check(int r, const struct gbx_error *err) {
        if (r < 0) {
                fprintf(stderr, "watermark-lab: %s\n", err ? err->message : strerror(-r));
                exit(1);
        }
}

struct grid {
        size_t rows, columns;
        const char **names;
        const char **cells; /* rows * columns, zero-terminated */
        struct gbx_table table;
        char **made; /* texts that attacks made */
        size_t made_count, made_capacity;
};

static inline const char **grid_cell(struct grid *grid, size_t row, size_t column) {
        return &grid->cells[row * grid->columns + column];
}

static inline void grid_read(struct grid *grid, const struct gbx_buffer *csv) {
        struct gbx_error err = {};

        *grid = (struct grid){};
        lab_check(gbx_table_read_csv(&grid->table, csv->data, csv->size, &err), &err);
        grid->rows = grid->table.rows;
        grid->columns = grid->table.columns;
        grid->names = calloc(grid->columns, sizeof *grid->names);
        grid->cells = calloc(grid->rows * grid->columns, sizeof *grid->cells);
        if (!grid->names || !grid->cells)
                abort();
        for (size_t i = 0; i < grid->columns; i++)
                grid->names[i] = gbx_table_name(&grid->table, i);
        for (size_t i = 0; i < grid->rows * grid->columns; i++)
                grid->cells[i] = (const char *)grid->table.arena.data + grid->table.cells[i];
}

static inline void grid_free(struct grid *grid) {
        for (size_t i = 0; i < grid->made_count; i++)
                free(grid->made[i]);
        free(grid->made);
        free(grid->names);
        free(grid->cells);
        gbx_table_free(&grid->table);
}

static inline const char *grid_keep(struct grid *grid, const char *text) {
        if (grid->made_count == grid->made_capacity) {
                grid->made_capacity = grid->made_capacity ? 2 * grid->made_capacity : 1024;
                grid->made = reallocarray(grid->made, grid->made_capacity, sizeof *grid->made);
                if (!grid->made)
                        abort();
        }
        grid->made[grid->made_count] = strdup(text);
        return grid->made[grid->made_count++];
}

static inline bool grid_number(struct grid *grid, size_t row, size_t column, struct gbx_number *ret) {
        const char *text = *grid_cell(grid, row, column);

        return gbx_number_parse(text, strlen(text), ret);
}

static inline void grid_set_number(struct grid *grid, size_t row, size_t column, struct gbx_number number) {
        char text[GBX_NUMBER_TEXT_SIZE];

        (void)gbx_number_print(number, text);
        *grid_cell(grid, row, column) = grid_keep(grid, text);
}

enum layout { LAYOUT_CSV, LAYOUT_TSV, LAYOUT_GERMAN, LAYOUT_JSON, LAYOUT_MARKDOWN, LAYOUT_THOUSANDS };

/* A number with ',' for '.', and '.' between thousands. */
static inline void german_number(char *text, size_t size, const char *number) {
        const char *point = strchr(number, '.');
        size_t whole = point ? (size_t)(point - number) : strlen(number), n = 0;

        for (size_t i = 0; i < whole && n + 2 < size; i++) {
                text[n++] = number[i];
                if ((whole - i - 1) % 3 == 0 && i + 1 < whole && number[i] != '-')
                        text[n++] = '.';
        }
        (void)snprintf(text + n, size - n, "%s%s", point ? "," : "", point ? point + 1 : "");
}

static inline void put_cell(struct gbx_buffer *out, const char *cell, enum layout layout) {
        struct gbx_number number;
        bool numeric = gbx_number_parse(cell, strlen(cell), &number);
        char text[80];

        if (numeric && (layout == LAYOUT_GERMAN || layout == LAYOUT_THOUSANDS)) {
                german_number(text, sizeof text, cell);
                for (char *p = text; *p && layout == LAYOUT_THOUSANDS; p++)
                        *p = *p == '.' ? ',' : *p == ',' ? '.' : *p;
                cell = text;
        }
        if (layout == LAYOUT_JSON && !numeric)
                (void)gbx_buffer_printf(out, NULL, "\"%s\"", cell);
        else if (layout == LAYOUT_THOUSANDS && strchr(cell, ','))
                (void)gbx_buffer_printf(out, NULL, "\"%s\"", cell);
        else
                (void)gbx_buffer_append_text(out, cell, NULL);
}

static inline void grid_write(struct grid *grid, enum layout layout, struct gbx_buffer *out) {
        static const char *const separators[] = { ",", "\t", ";", ",", " | ", "," };

        if (layout == LAYOUT_JSON)
                (void)gbx_buffer_append_text(out, "[", NULL);
        for (size_t row = layout == LAYOUT_JSON ? 1 : 0; row <= grid->rows; row++) {
                if (layout == LAYOUT_JSON)
                        (void)gbx_buffer_append_text(out, row == 1 ? "{" : "},\n{", NULL);
                else if (layout == LAYOUT_MARKDOWN)
                        (void)gbx_buffer_append_text(out, "| ", NULL);
                for (size_t i = 0; i < grid->columns; i++) {
                        if (i)
                                (void)gbx_buffer_append_text(out, separators[layout], NULL);
                        if (layout == LAYOUT_JSON)
                                (void)gbx_buffer_printf(out, NULL, "\"%s\":", grid->names[i]);
                        if (row == 0)
                                (void)gbx_buffer_append_text(out, grid->names[i], NULL);
                        else
                                put_cell(out, *grid_cell(grid, row - 1, i), layout);
                }
                if (layout == LAYOUT_MARKDOWN)
                        (void)gbx_buffer_append_text(out, " |", NULL);
                if (layout != LAYOUT_JSON)
                        (void)gbx_buffer_append_text(out, "\n", NULL);
                if (layout == LAYOUT_MARKDOWN && row == 0) {
                        for (size_t i = 0; i < grid->columns; i++)
                                (void)gbx_buffer_append_text(out, "|---", NULL);
                        (void)gbx_buffer_append_text(out, "|\n", NULL);
                }
        }
        if (layout == LAYOUT_JSON)
                (void)gbx_buffer_append_text(out, "}]\n", NULL);
}
