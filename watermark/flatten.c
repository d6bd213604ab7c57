#include "watermark/flatten.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 4095, SLOTS = 16384 };

struct cell {
        uint32_t node; /* 0: empty */
        bool inherited;
};

struct walk {
        const struct gbx_json *json;
        bool columnar;
        struct gbx_table *table;
        struct gbx_error *err;
        bool counting; /* first pass: columns; second pass: rows */
        struct gbx_buffer pattern, index;
        /* Columns by name: open addressing over the table of names. */
        char **names;
        size_t count;
        uint16_t *slots; /* 1 + column */
        size_t place_capacity;
};

static const struct gbx_json_node *at(const struct walk *w, uint32_t node) { return &w->json->nodes[node]; }
/* Cells of one row; while counting, rows are not filled. */
static size_t row_room(const struct walk *w) { return w->counting ? 1 : w->count + 1; }

static bool scalar(const struct walk *w, uint32_t node) { return at(w, node)->kind < GBX_JSON_ARRAY; }

static int find_column(struct walk *w, size_t *ret) {
        const char *name = gbx_buffer_text(&w->pattern);
        uint32_t hash = 2166136261U;

        for (const char *p = name; *p; p++)
                hash = (hash ^ (uint8_t)*p) * 16777619U;
        for (uint32_t i = hash % SLOTS;; i = (i + 1) % SLOTS) {
                if (w->slots[i] && strcmp(w->names[w->slots[i] - 1], name) == 0) {
                        *ret = w->slots[i] - 1U;
                        return 0;
                }
                if (w->slots[i])
                        continue;
                if (w->count == MAX_COLUMNS)
                        return gbx_fail(w->err, -EINVAL, "the JSON has more than %d different fields", MAX_COLUMNS);
                w->names[w->count] = strdup(name);
                if (!w->names[w->count])
                        return gbx_fail_memory(w->err);
                *ret = w->count++;
                w->slots[i] = (uint16_t)w->count;
                return 0;
        }
}

static int push_name(struct walk *w, const char *name, size_t size) {
        int r = gbx_buffer_append_byte(&w->pattern, '/', w->err);

        for (size_t i = 0; i < size && r >= 0; i++)
                r = name[i] == '~'   ? gbx_buffer_append_text(&w->pattern, "~0", w->err)
                    : name[i] == '/' ? gbx_buffer_append_text(&w->pattern, "~1", w->err)
                                     : gbx_buffer_append_byte(&w->pattern, (uint8_t)name[i], w->err);
        return r;
}

static void pop(struct gbx_buffer *buffer, size_t size) {
        buffer->size = size;
        if (buffer->data)
                buffer->data[size] = 0;
}

static int set_cell(struct walk *w, struct cell *row, uint32_t node, bool *any) {
        size_t column = 0;
        int r = find_column(w, &column);

        if (r < 0)
                return r;
        if (!w->counting) {
                row[column] = (struct cell){ node, false };
                *any |= at(w, node)->kind != GBX_JSON_NULL;
        }
        return 0;
}

static bool is_columnar(const struct walk *w, uint32_t object);

/* The scalars of an object, nested objects included; arrays are left for later. */
static int gather(struct walk *w, uint32_t object, struct cell *row, bool *any) {
        size_t size = w->pattern.size;
        int r = 0;

        for (uint32_t i = at(w, object)->child; i && r >= 0; i = at(w, i)->next) {
                r = push_name(w, gbx_json_name(w->json, i), at(w, i)->name_size);
                if (r >= 0 && scalar(w, i))
                        r = set_cell(w, row, i, any);
                else if (r >= 0 && at(w, i)->kind == GBX_JSON_OBJECT && !is_columnar(w, i))
                        r = gather(w, i, row, any);
                pop(&w->pattern, size);
        }
        return r;
}

static int emit(struct walk *w, const struct cell *row) {
        gbx_auto(gbx_free_pointer) const char **texts = calloc(w->count + 1, sizeof *texts);
        gbx_auto(gbx_free_pointer) size_t *sizes = calloc(w->count + 1, sizeof *sizes);
        struct gbx_table *table = w->table;
        uint32_t *places;
        int r;

        if (!texts || !sizes)
                return gbx_fail_memory(w->err);
        for (size_t i = 0; i < w->count; i++) {
                const struct gbx_json_node *node = at(w, row[i].node);

                if (!row[i].node || node->kind == GBX_JSON_NULL)
                        continue;
                texts[i] = node->kind == GBX_JSON_TRUE ? "true" : node->kind == GBX_JSON_FALSE ? "false"
                                                                       : gbx_json_text(w->json, row[i].node);
                sizes[i] = node->kind == GBX_JSON_TRUE ? 4 : node->kind == GBX_JSON_FALSE ? 5 : node->text_size;
        }
        texts[w->count] = gbx_buffer_text(&w->index);
        sizes[w->count] = w->index.size;
        r = gbx_table_add_row(table, texts, sizes, w->count + 1, w->err);
        if (r < 0)
                return r;
        if (table->rows > w->place_capacity) {
                places = reallocarray(table->places, table->capacity * table->columns, sizeof *places);
                if (!places)
                        return gbx_fail_memory(w->err);
                table->places = places;
                w->place_capacity = table->capacity;
        }
        places = table->places + (table->rows - 1) * table->columns;
        for (size_t i = 0; i < w->count; i++)
                places[i] = row[i].inherited || !row[i].node ? GBX_TABLE_INHERITED : at(w, row[i].node)->raw;
        places[w->count] = GBX_TABLE_INHERITED;
        return 0;
}

static int walk_element(struct walk *w, uint32_t node, size_t index, const struct cell *outer);

/* Whether every element of an array is an array of scalars. */
static bool is_matrix(const struct walk *w, uint32_t array) {
        for (uint32_t i = at(w, array)->child; i; i = at(w, i)->next) {
                if (at(w, i)->kind != GBX_JSON_ARRAY || at(w, i)->count == 0)
                        return false;
                for (uint32_t k = at(w, i)->child; k; k = at(w, k)->next)
                        if (!scalar(w, k))
                                return false;
        }
        return at(w, array)->count > 0;
}

static bool is_header(const struct walk *w, uint32_t array) {
        for (uint32_t k = at(w, array)->child; k; k = at(w, k)->next)
                if (at(w, k)->kind != GBX_JSON_STRING)
                        return false;
        return true;
}

static int walk_matrix(struct walk *w, uint32_t array, const struct cell *outer) {
        uint32_t first = at(w, array)->child, header = is_header(w, first) && at(w, first)->next ? first : 0;
        gbx_auto(gbx_free_pointer) struct cell *row = calloc(row_room(w), sizeof *row);
        size_t size = w->pattern.size, index_size = w->index.size, index = 0;
        int r = 0;

        if (!row)
                return gbx_fail_memory(w->err);
        for (uint32_t i = header ? at(w, header)->next : first; i && r >= 0; i = at(w, i)->next, index++) {
                uint32_t name = header ? at(w, header)->child : 0;
                size_t position = 0;
                bool any = false;

                if (!w->counting)
                        memcpy(row, outer, w->count * sizeof *row);
                for (uint32_t k = at(w, i)->child; k && r >= 0; k = at(w, k)->next, position++) {
                        r = gbx_buffer_append_text(&w->pattern, "/*", w->err);
                        if (r >= 0 && name)
                                r = push_name(w, gbx_json_text(w->json, name), at(w, name)->text_size);
                        else if (r >= 0)
                                r = gbx_buffer_printf(&w->pattern, w->err, "/%zu", position);
                        if (r >= 0)
                                r = set_cell(w, row, k, &any);
                        pop(&w->pattern, size);
                        name = name ? at(w, name)->next : 0;
                }
                if (r >= 0)
                        r = gbx_buffer_printf(&w->index, w->err, "/%zu", index);
                if (r >= 0 && any)
                        r = emit(w, row);
                pop(&w->index, index_size);
        }
        return r;
}

/* Whether all members of an object are containers of equally many scalars. */
static bool is_columnar(const struct walk *w, uint32_t object) {
        uint32_t first = at(w, object)->child;

        if (!w->columnar || at(w, object)->count < 2)
                return false;
        for (uint32_t i = first; i; i = at(w, i)->next) {
                if (scalar(w, i) || at(w, i)->count != at(w, first)->count || at(w, i)->count < 2)
                        return false;
                for (uint32_t k = at(w, i)->child; k; k = at(w, k)->next)
                        if (!scalar(w, k))
                                return false;
        }
        return true;
}

static int walk_columns(struct walk *w, uint32_t object, const struct cell *outer) {
        size_t columns = at(w, object)->count, rows = at(w, at(w, object)->child)->count, size = w->pattern.size;
        gbx_auto(gbx_free_pointer) uint32_t *cursors = calloc(columns, sizeof *cursors);
        gbx_auto(gbx_free_pointer) struct cell *row = calloc(row_room(w), sizeof *row);
        size_t n = 0, index_size = w->index.size;
        int r = 0;

        if (!cursors || !row)
                return gbx_fail_memory(w->err);
        for (uint32_t i = at(w, object)->child; i; i = at(w, i)->next)
                cursors[n++] = at(w, i)->child;
        for (size_t k = 0; k < rows && r >= 0; k++) {
                bool any = false;

                if (!w->counting)
                        memcpy(row, outer, w->count * sizeof *row);
                n = 0;
                for (uint32_t i = at(w, object)->child; i && r >= 0; i = at(w, i)->next, n++) {
                        r = push_name(w, gbx_json_name(w->json, i), at(w, i)->name_size);
                        if (r >= 0)
                                r = set_cell(w, row, cursors[n], &any);
                        pop(&w->pattern, size);
                        cursors[n] = at(w, cursors[n])->next;
                }
                if (r >= 0)
                        r = gbx_buffer_printf(&w->index, w->err, "/%zu", k);
                if (r >= 0 && any)
                        r = emit(w, row);
                pop(&w->index, index_size);
        }
        return r;
}

static int walk_array(struct walk *w, uint32_t array, const struct cell *outer) {
        size_t size = w->pattern.size, index = 0;
        int r;

        if (is_matrix(w, array))
                return walk_matrix(w, array, outer);
        r = gbx_buffer_append_text(&w->pattern, "/*", w->err);
        for (uint32_t i = at(w, array)->child; i && r >= 0; i = at(w, i)->next)
                r = walk_element(w, i, index++, outer);
        pop(&w->pattern, size);
        return r;
}

/* Arrays below an object. */
static int descend(struct walk *w, uint32_t object, const struct cell *row) {
        size_t size = w->pattern.size;
        int r = 0;

        if (is_columnar(w, object))
                return walk_columns(w, object, row);
        for (uint32_t i = at(w, object)->child; i && r >= 0; i = at(w, i)->next) {
                if (scalar(w, i))
                        continue;
                r = push_name(w, gbx_json_name(w->json, i), at(w, i)->name_size);
                if (r >= 0)
                        r = at(w, i)->kind == GBX_JSON_ARRAY ? walk_array(w, i, row) : descend(w, i, row);
                pop(&w->pattern, size);
        }
        return r;
}

/* A row: an element of an array, or the root. */
static int walk_element(struct walk *w, uint32_t node, size_t index, const struct cell *outer) {
        gbx_auto(gbx_free_pointer) struct cell *row = calloc(row_room(w), sizeof *row);
        size_t index_size = w->index.size;
        bool any = false;
        int r = node ? gbx_buffer_printf(&w->index, w->err, "/%zu", index) : 0;

        if (r < 0)
                return r;
        if (!row)
                return gbx_fail_memory(w->err);
        if (!w->counting)
                memcpy(row, outer, w->count * sizeof *row);
        if (scalar(w, node))
                r = set_cell(w, row, node, &any);
        else if (at(w, node)->kind == GBX_JSON_OBJECT && !is_columnar(w, node))
                r = gather(w, node, row, &any);
        if (r >= 0 && any)
                r = emit(w, row);
        for (size_t i = 0; !w->counting && i < w->count; i++)
                row[i].inherited = true;
        if (r >= 0 && at(w, node)->kind == GBX_JSON_OBJECT)
                r = descend(w, node, row);
        else if (r >= 0 && at(w, node)->kind == GBX_JSON_ARRAY)
                r = walk_array(w, node, row);
        pop(&w->index, index_size);
        return r;
}

static int run(struct walk *w) {
        gbx_auto(gbx_free_pointer) size_t *sizes = NULL;
        gbx_auto(gbx_free_pointer) struct cell *nothing = calloc(MAX_COLUMNS + 1, sizeof *nothing);
        int r;

        w->names = calloc(MAX_COLUMNS + 1, sizeof *w->names);
        w->slots = calloc(SLOTS, sizeof *w->slots);
        sizes = calloc(MAX_COLUMNS + 1, sizeof *sizes);
        if (!w->names || !w->slots || !sizes || !nothing)
                return gbx_fail_memory(w->err);
        w->counting = true;
        r = walk_element(w, 0, 0, nothing);
        if (r < 0)
                return r;
        if (w->count == 0)
                return gbx_fail(w->err, -EINVAL, "the JSON holds no values");
        w->names[w->count] = strdup(GBX_FLATTEN_INDEX);
        if (!w->names[w->count])
                return gbx_fail_memory(w->err);
        for (size_t i = 0; i <= w->count; i++)
                sizes[i] = strlen(w->names[i]);
        r = gbx_table_begin(w->table, (const char *const *)w->names, sizes, w->count + 1, w->err);
        w->counting = false;
        if (r >= 0)
                r = walk_element(w, 0, 0, nothing);
        return r < 0 ? r : gbx_table_end(w->table, w->err);
}

int gbx_flatten(struct gbx_table *table, const struct gbx_json *json, bool columnar, struct gbx_error *err) {
        struct walk w = { .json = json, .columnar = columnar, .table = table, .err = err };
        int r = run(&w);

        for (size_t i = 0; w.names && i <= w.count; i++)
                free(w.names[i]);
        free(w.names);
        free(w.slots);
        gbx_buffer_free(&w.pattern);
        gbx_buffer_free(&w.index);
        return r;
}
