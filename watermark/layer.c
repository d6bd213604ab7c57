#include "watermark/layer.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
        NEAR_ZERO = 16,    /* units: where zero is common, what is smaller stays; noise on zeros is not read as marks */
        OWNED_UNITS = 100, /* in one class of values that one layer owns … */
        OWNED_FROM = 37,   /* … between bounds that are no round numbers */
};

bool gbx_layer_has_key(const struct gbx_layer *layer, unsigned column) {
        for (unsigned i = 0; i < layer->key_count; i++)
                if (layer->keys[i].column == column)
                        return true;
        return false;
}

bool gbx_view_number(const struct gbx_view *view, unsigned column, size_t row, struct gbx_number *ret) {
        const struct gbx_view_column *look = &view->columns[column];
        struct gbx_number number;
        size_t size;
        const char *text = gbx_table_cell(view->table, row, (size_t)look->column, &size);

        if (size == 0)
                return false;
        if (look->separator == ',' || !gbx_number_parse(text, size, &number))
                if (look->separator == 0 || !gbx_number_parse_loose(text, size, look->separator, &number))
                        return false;
        if (look->shift && !gbx_number_shift(&number, look->shift))
                return false;
        *ret = number;
        return true;
}

static int append_text_key(struct gbx_buffer *key, const char *text, size_t size, struct gbx_error *err) {
        int r;

        while (size > 0 && (*text == ' ' || *text == '\t'))
                text++, size--;
        while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
                size--;
        r = gbx_buffer_append_byte(key, 't', err);
        if (r >= 0)
                r = gbx_buffer_append(key, text, size, err);
        if (r < 0)
                return r;
        for (size_t i = key->size - size; i < key->size; i++)
                if (key->data[i] >= 'A' && key->data[i] <= 'Z')
                        key->data[i] |= 0x20;
        return gbx_buffer_append_byte(key, 0, err);
}

static int append_number_key(struct gbx_buffer *key, const struct gbx_layer_key *part, struct gbx_number number,
                             struct gbx_error *err) {
        uint8_t bytes[2 + sizeof(int64_t)] = { 'n', 0 };
        int64_t value;
        uint32_t rest;

        number = gbx_number_round(number);
        if (part->bucket.mantissa) {
                bytes[0] = 'b';
                if (!gbx_number_floor_units(number, part->bucket, &value, &rest))
                        value = number.mantissa < 0 ? INT64_MIN : INT64_MAX;
        } else {
                number = gbx_number_reduce(number);
                bytes[1] = number.decimals;
                value = number.mantissa;
        }
        memcpy(bytes + 2, &value, sizeof value);
        return gbx_buffer_append(key, bytes, sizeof bytes, err);
}

int gbx_layer_row_key(const struct gbx_plan *plan, unsigned layer, const struct gbx_view *view, size_t row,
                      struct gbx_buffer *key, struct gbx_error *err) {
        const struct gbx_layer *l = &plan->layers[layer];
        unsigned empty = 0;
        int r = gbx_buffer_append_byte(key, (uint8_t)layer, err);

        for (unsigned i = 0; i < l->key_count && r >= 0; i++) {
                const struct gbx_layer_key *part = &l->keys[i];
                struct gbx_number number;
                size_t size;
                const char *text = gbx_table_cell(view->table, row, (size_t)view->columns[part->column].column, &size);

                if (size == 0) {
                        empty++;
                        r = gbx_buffer_append_byte(key, 'e', err);
                } else if (gbx_view_number(view, part->column, row, &number)) {
                        r = append_number_key(key, part, number, err);
                } else {
                        r = append_text_key(key, text, size, err);
                }
        }
        if (r < 0)
                return r;
        return empty > 0 && (!l->virtual || empty == l->key_count);
}

struct gbx_cell_bias gbx_layer_bias(const struct gbx_mark_keys *keys, const struct gbx_code *code,
                                    struct gbx_cell_id id) {
        uint64_t bits = gbx_sip64(&keys->bias, &id, sizeof id);

        return (struct gbx_cell_bias){ gbx_code_threshold(code, (uint32_t)bits), (unsigned)(bits >> 63) };
}

unsigned gbx_layer_text_class(const struct gbx_mark_keys *keys, struct gbx_cell_id id, const char *text, size_t size) {
        const uint64_t words[3] = { gbx_sip64(&keys->text, text, size), id.half[0], id.half[1] };

        return gbx_sip64(&keys->text, words, sizeof words) & 1;
}

uint32_t gbx_layer_spike_hash(const struct gbx_mark_keys *keys, const struct gbx_plan_column *column, int64_t units) {
        const uint64_t words[2] = { column->hash, (uint64_t)units };

        return (uint32_t)gbx_sip64(&keys->sketch, words, sizeof words);
}

static bool is_listed(const struct gbx_plan_column *column, uint32_t hash) {
        size_t low = 0, high = column->spike_count;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (column->spikes[middle] < hash)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < column->spike_count && column->spikes[low] == hash;
}

/* A common value, or one beside it. */
static bool near_spike(const struct gbx_mark_keys *keys, const struct gbx_plan_column *column, int64_t units) {
        for (int64_t beside = -1; column->spike_count > 0 && beside <= 1; beside++)
                if (is_listed(column, gbx_layer_spike_hash(keys, column, units + beside)))
                        return true;
        return false;
}

struct collection {
        const struct gbx_plan *plan;
        const struct gbx_mark_keys *keys;
        const struct gbx_view *view;
        bool everywhere;
        struct gbx_cells *cells;
        const bool *zeros; /* columns in which zero is common */
};

/* Whether a chosen cell can carry a symbol; its number goes to `cell`. */
static bool eligible(const struct collection *collection, unsigned column, size_t row, struct gbx_marked_cell *cell) {
        const struct gbx_view *view = collection->view;
        const struct gbx_plan_column *c = &collection->plan->columns[column];
        const struct gbx_view_column *look = &view->columns[column];
        const struct gbx_table *table = view->table;
        int64_t units;
        size_t size;

        if (look->column < 0)
                return false;
        if (table->places && table->places[row * table->columns + (size_t)look->column] == GBX_TABLE_INHERITED)
                return false;
        if (c->mark_text)
                return (void)gbx_table_cell(table, row, (size_t)look->column, &size), size > 0;
        if (!gbx_view_number(view, column, row, &cell->value))
                return false;
        if (look->factor > 0)
                return true; /* rescaled: alignment makes sense of the value */
        if (!gbx_number_units(cell->value, c->unit, &units))
                return false;
        if (collection->everywhere)
                return true;
        if (collection->zeros[column] && units > -NEAR_ZERO && units < NEAR_ZERO)
                return false;
        return cell->value.mantissa != 0 && !near_spike(collection->keys, c, units);
}

/* The layer whose symbol a cell carries, if several mark its column. */
static bool is_owner(const struct collection *c, unsigned layer, unsigned column, const struct gbx_marked_cell *cell) {
        const struct gbx_plan_column *of = &c->plan->columns[column];
        uint64_t words[2] = { of->hash, 0 };
        uint32_t layers = of->layers, turn;
        int64_t units;

        if ((layers & (layers - 1)) == 0)
                return true;
        if (!of->mark_text && gbx_number_units(cell->value, of->unit, &units))
                words[1] = (uint64_t)((units + OWNED_FROM) / OWNED_UNITS);
        turn = (uint32_t)(gbx_sip64(&c->keys->select, words, sizeof words) % (unsigned)__builtin_popcount(layers));
        while (turn-- > 0)
                layers &= layers - 1;
        return (unsigned)__builtin_ctz(layers) == layer;
}

static int append_cell(struct gbx_cells *cells, const struct gbx_marked_cell *cell, struct gbx_error *err) {
        if (cells->count == cells->capacity) {
                size_t capacity = cells->capacity ? 2 * cells->capacity : 256;
                struct gbx_marked_cell *grown = reallocarray(cells->items, capacity, sizeof *grown);

                if (!grown)
                        return gbx_fail_memory(err);
                cells->items = grown;
                cells->capacity = capacity;
        }
        cells->items[cells->count++] = *cell;
        return 0;
}

static int add_chosen(const struct collection *c, unsigned layer, size_t row, struct gbx_cell_id row_id, unsigned column,
                      struct gbx_error *err) {
        const uint64_t name[3] = { row_id.half[0], row_id.half[1], c->plan->columns[column].hash };
        struct gbx_marked_cell cell = { .row = (uint32_t)row, .column = (uint16_t)column, .layer = (uint16_t)layer };

        if (!eligible(c, column, row, &cell) || !is_owner(c, layer, column, &cell))
                return 0;
        cell.id = gbx_sip128(&c->keys->cell, name, sizeof name);
        return append_cell(c->cells, &cell, err);
}

/* Picks cells_per_row columns of a layer by weight, without picking one twice. */
static int choose_columns(const struct collection *c, unsigned layer, size_t row, struct gbx_cell_id row_id,
                          struct gbx_error *err) {
        const struct gbx_layer *l = &c->plan->layers[layer];
        uint64_t picked[(GBX_MARK_MAX_COLUMNS + 63) / 64], weight = l->weight;
        uint32_t random = (uint32_t)(row_id.half[0] >> 32);
        int r;

        if (c->plan->cells_per_row >= l->mark_count) {
                for (unsigned i = 0; i < l->mark_count; i++) {
                        r = add_chosen(c, layer, row, row_id, l->marks[i], err);
                        if (r < 0)
                                return r;
                }
                return 0;
        }
        memset(picked, 0, (l->mark_count + 63) / 64 * sizeof *picked);
        for (uint32_t n = 0; n < c->plan->cells_per_row; n++) {
                uint64_t target;
                unsigned i = 0;

                if (n > 0) {
                        const uint64_t again[3] = { row_id.half[0], row_id.half[1], n };

                        random = (uint32_t)gbx_sip64(&c->keys->select, again, sizeof again);
                }
                target = (uint64_t)random * weight >> 32;
                for (;; i++) {
                        unsigned w = c->plan->columns[l->marks[i]].weight;

                        if (picked[i / 64] >> (i % 64) & 1)
                                continue;
                        if (target < w)
                                break;
                        target -= w;
                }
                picked[i / 64] |= UINT64_C(1) << (i % 64);
                weight -= c->plan->columns[l->marks[i]].weight;
                r = add_chosen(c, layer, row, row_id, l->marks[i], err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool layer_usable(const struct gbx_plan *plan, unsigned layer, const struct gbx_view *view) {
        const struct gbx_layer *l = &plan->layers[layer];

        for (unsigned i = 0; i < l->key_count; i++)
                if (view->columns[l->keys[i].column].column < 0)
                        return false;
        return l->mark_count > 0;
}

int gbx_layer_collect(const struct gbx_plan *plan, const struct gbx_mark_keys *keys, const struct gbx_view *view,
                      bool everywhere, struct gbx_cells *cells, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) bool *zeros = calloc(plan->column_count + 1, sizeof *zeros);
        const struct collection c = { plan, keys, view, everywhere, cells, zeros };
        const uint32_t limit = (uint32_t)(UINT32_MAX / plan->gamma);
        gbx_auto(gbx_buffer_free) struct gbx_buffer key = {};
        bool usable[GBX_LAYER_MAX] = {};
        int r;

        if (!zeros)
                return gbx_fail_memory(err);
        for (unsigned i = 0; i < plan->column_count; i++)
                zeros[i] = is_listed(&plan->columns[i], gbx_layer_spike_hash(keys, &plan->columns[i], 0));
        for (unsigned l = 0; l < plan->layer_count; l++)
                usable[l] = layer_usable(plan, l, view);
        for (size_t row = 0; row < view->table->rows; row++)
                for (unsigned l = 0; l < plan->layer_count; l++) {
                        struct gbx_cell_id id;

                        if (!usable[l])
                                continue;
                        gbx_buffer_clear(&key);
                        r = gbx_layer_row_key(plan, l, view, row, &key, err);
                        if (r < 0)
                                return r;
                        if (r > 0)
                                continue;
                        id = gbx_sip128(&keys->select, key.data, key.size);
                        if ((uint32_t)id.half[0] > limit)
                                continue;
                        r = choose_columns(&c, l, row, id, err);
                        if (r < 0)
                                return r;
                }
        return 0;
}

void gbx_cells_free(struct gbx_cells *cells) {
        free(cells->items);
        *cells = (struct gbx_cells){};
}
