#include "watermark/table.h"

#include "base/cleanup.h"
#include "base/csv.h"

#include <stdlib.h>
#include <string.h>

int gbx_table_begin(struct gbx_table *table, const char *const *names, const size_t *sizes, size_t columns,
                    struct gbx_error *err) {
        int r;

        table->columns = columns;
        table->names = calloc(columns + 1, sizeof *table->names);
        if (!table->names)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < columns; i++) {
                table->names[i] = (uint32_t)table->arena.size;
                r = gbx_buffer_append(&table->arena, names[i], sizes[i], err);
                if (r >= 0)
                        r = gbx_buffer_append_byte(&table->arena, 0, err);
                if (r < 0)
                        return r;
        }
        table->name_end = table->arena.size;
        return 0;
}

static int set_capacity(struct gbx_table *table, size_t capacity, struct gbx_error *err) {
        uint32_t *cells = reallocarray(table->cells, capacity * table->columns + 1, sizeof *cells);
        uint32_t *offsets;

        if (!cells)
                return gbx_fail_memory(err);
        table->cells = cells;
        offsets = reallocarray(table->row_offsets, capacity, sizeof *offsets);
        if (!offsets)
                return gbx_fail_memory(err);
        table->row_offsets = offsets;
        table->capacity = capacity;
        return 0;
}

int gbx_table_add_row(struct gbx_table *table, const char *const *cells, const size_t *sizes, size_t count,
                      struct gbx_error *err) {
        size_t total = table->columns;
        uint32_t *place;
        uint8_t *to;
        int r;

        if (table->rows == table->capacity) {
                r = set_capacity(table, table->capacity ? 2 * table->capacity : 64, err);
                if (r < 0)
                        return r;
        }
        if (count > table->columns)
                count = table->columns;
        for (size_t i = 0; i < count; i++)
                total += sizes[i];
        if (table->arena.size + total > GBX_TABLE_MAX_BYTES)
                return gbx_fail(err, -EFBIG, "the table holds more than %d MiB", GBX_TABLE_MAX_BYTES >> 20);
        r = gbx_buffer_reserve(&table->arena, total, err);
        if (r < 0)
                return r;
        place = table->cells + table->rows * table->columns;
        to = table->arena.data + table->arena.size;
        for (size_t i = 0; i < table->columns; i++) {
                size_t size = i < count ? sizes[i] : 0;

                place[i] = (uint32_t)(to - table->arena.data);
                if (size)
                        memcpy(to, cells[i], size);
                to[size] = 0;
                to += size + 1;
        }
        table->arena.size += total;
        table->row_offsets[table->rows] = 0;
        table->rows++;
        return 0;
}

int gbx_table_end(struct gbx_table *table, struct gbx_error *err) {
        if (table->rows == 0)
                return gbx_fail(err, -EINVAL, "the table has a header and no rows");
        table->cells[table->rows * table->columns] = (uint32_t)table->arena.size;
        return 0;
}

int gbx_table_expect(struct gbx_table *table, const char *text, size_t size, struct gbx_error *err) {
        size_t rows = 1;

        for (const char *p = text, *end = text + size; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
                rows++;
        /* A blank line is no row: where fields are many, lines may be far fewer than the input suggests. */
        if (rows * table->columns > size)
                return 0;
        return gbx_buffer_reserve(&table->arena, size + table->columns, err) < 0 ? -ENOMEM : set_capacity(table, rows, err);
}

/* A row without quotes lies in the reader's buffer just as it will lie in the arena: one copy does. */
static int add_plain_row(struct gbx_table *table, const struct gbx_csv_row *row, struct gbx_error *err) {
        const struct gbx_csv_field *last = &row->fields[row->count - 1];
        size_t total = (size_t)(last->data - row->fields[0].data) + last->size + 1;
        uint32_t base = (uint32_t)table->arena.size, *place;
        int r = table->rows == table->capacity ? set_capacity(table, 2 * table->capacity, err) : 0;

        if (r < 0)
                return r;
        if (table->arena.size + total > GBX_TABLE_MAX_BYTES)
                return gbx_fail(err, -EFBIG, "the table holds more than %d MiB", GBX_TABLE_MAX_BYTES >> 20);
        r = gbx_buffer_append(&table->arena, row->fields[0].data, total, err);
        if (r < 0)
                return r;
        place = table->cells + table->rows * table->columns;
        for (size_t i = 0; i < row->count; i++)
                place[i] = base + (uint32_t)(row->fields[i].data - row->fields[0].data);
        table->row_offsets[table->rows++] = (uint32_t)row->offset;
        return 0;
}

int gbx_table_read_csv(struct gbx_table *table, const void *csv, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_csv_freep) struct gbx_csv *reader = NULL;
        gbx_auto(gbx_free_pointer) const char **texts = NULL;
        gbx_auto(gbx_free_pointer) size_t *sizes = NULL;
        struct gbx_csv_row row;
        int r;

        if (size > GBX_TABLE_MAX_BYTES)
                return gbx_fail(err, -EFBIG, "the table is larger than %d MiB", GBX_TABLE_MAX_BYTES >> 20);
        r = gbx_csv_new_memory(&reader, csv, size, NULL, err);
        if (r < 0)
                return r;
        for (size_t line = 0; (r = gbx_csv_next(reader, &row, err)) > 0; line++) {
                bool quoted = false;

                if (line == 0) {
                        texts = calloc(row.count, sizeof *texts);
                        sizes = calloc(row.count, sizeof *sizes);
                        if (!texts || !sizes)
                                return gbx_fail_memory(err);
                }
                for (size_t i = 0; i < row.count; i++) {
                        texts[i] = row.fields[i].data;
                        sizes[i] = row.fields[i].size;
                        quoted |= row.fields[i].quoted;
                }
                if (line == 0) {
                        r = gbx_table_begin(table, texts, sizes, row.count, err);
                        if (r >= 0)
                                r = gbx_table_expect(table, csv, size, err);
                } else if (quoted || table->capacity == 0) {
                        r = gbx_table_add_row(table, texts, sizes, row.count, err);
                        if (r >= 0)
                                table->row_offsets[table->rows - 1] = (uint32_t)row.offset;
                } else {
                        r = add_plain_row(table, &row, err);
                }
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (table->columns == 0)
                return gbx_fail(err, -EINVAL, "the table is empty");
        return gbx_table_end(table, err);
}

void gbx_table_free(struct gbx_table *table) {
        gbx_buffer_free(&table->arena);
        free(table->cells);
        free(table->row_offsets);
        free(table->places);
        free(table->names);
        *table = (struct gbx_table){};
}
