#include "gateway/tabulate/cells.h"

#include "base/cleanup.h"
#include "gateway/tabulate/expression/fixed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char all_text[] = "(all)";

void gbx_cells_init(struct gbx_cells *ret, const struct gbx_table *table, bool one_row_each) {
        const struct gbx_statistic *statistics = table->statistics.items;

        *ret = (struct gbx_cells){ .table = table };
        for (size_t i = 0; i < table->statistics.count; i++)
                gbx_tally_plan(&statistics[i], one_row_each, &ret->plans[i]);
}

static void free_cell(const struct gbx_cells *cells, struct gbx_cell *cell) {
        for (size_t i = 0; cell->tallies && i < cells->table->statistics.count; i++)
                gbx_tally_free(&cell->tallies[i]);
        gbx_members_free(&cell->members);
        free(cell->tallies);
        free(cell);
}

void gbx_cells_free(struct gbx_cells *cells) {
        for (size_t i = 0; i < cells->count; i++)
                free_cell(cells, cells->items[i]);
        for (size_t i = 0; i < GBX_TABLE_MAX_KEYS; i++)
                gbx_dictionary_free(&cells->texts[i]);
        free(cells->items);
        free(cells->slots);
        *cells = (struct gbx_cells){};
}

static uint64_t hash_of(const struct gbx_cell *key, size_t count) {
        uint64_t hash = count;

        for (size_t i = 0; i < count; i++)
                hash = (hash ^ (uint64_t)key->keys[i] ^ (uint64_t)key->states[i] << 56) * UINT64_C(0x9e3779b97f4a7c15);
        return gbx_mix(hash);
}

static bool same_keys(const struct gbx_cell *a, const struct gbx_cell *b, size_t count) {
        bool same = a->hash == b->hash;

        for (size_t i = 0; i < count && same; i++)
                same = a->keys[i] == b->keys[i] && a->states[i] == b->states[i];
        return same;
}

static int grow(struct gbx_cells *cells, struct gbx_error *err) {
        size_t capacity = cells->capacity ? cells->capacity * 2 : 64, slots = capacity * 2;
        struct gbx_cell **items = reallocarray(cells->items, capacity, sizeof(struct gbx_cell *));
        uint32_t *table;

        if (!items)
                return gbx_fail_memory(err);
        cells->items = items;
        table = calloc(slots, sizeof *table);
        if (!table)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < cells->count; i++) {
                size_t slot = (size_t)items[i]->hash & (slots - 1);

                while (table[slot])
                        slot = (slot + 1) & (slots - 1);
                table[slot] = (uint32_t)i + 1;
        }
        free(cells->slots);
        cells->slots = table;
        cells->slot_count = slots;
        cells->capacity = capacity;
        return 0;
}

/* The cell with these keys, made if it is not there. */
static int find_cell(struct gbx_cells *cells, const struct gbx_cell *key, struct gbx_cell **ret, struct gbx_error *err) {
        size_t count = cells->table->by.count, statistics = cells->table->statistics.count, slot;
        struct gbx_cell *cell;
        int r;

        if (cells->count == cells->capacity) {
                r = grow(cells, err);
                if (r < 0)
                        return r;
        }
        slot = (size_t)key->hash & (cells->slot_count - 1);
        for (; cells->slots[slot]; slot = (slot + 1) & (cells->slot_count - 1)) {
                cell = cells->items[cells->slots[slot] - 1];
                if (same_keys(cell, key, count)) {
                        *ret = cell;
                        return 0;
                }
        }
        if (cells->count == GBX_CELLS_MAX)
                return gbx_fail(err, -EDQUOT, "table '%s' has more than %d cells; group less finely", cells->table->name, GBX_CELLS_MAX);
        cell = calloc(1, sizeof *cell);
        if (!cell)
                return gbx_fail_memory(err);
        *cell = (struct gbx_cell){ .hash = key->hash, .tallies = aligned_alloc(64, (statistics + 1) * sizeof *cell->tallies) };
        memcpy(cell->keys, key->keys, sizeof cell->keys);
        memcpy(cell->states, key->states, sizeof cell->states);
        if (!cell->tallies) {
                free(cell);
                return gbx_fail_memory(err);
        }
        memset(cell->tallies, 0, (statistics + 1) * sizeof *cell->tallies);
        cells->items[cells->count++] = *ret = cell;
        cells->slots[slot] = (uint32_t)cells->count;
        return 0;
}

int gbx_cells_add(struct gbx_cells *cells, const struct gbx_scalar *row, uint32_t contributor, struct gbx_scratch *scratch,
                  struct gbx_error *err) {
        const struct gbx_table *table = cells->table;
        struct gbx_cell key = {}, *cell;
        int r = 0;

        for (size_t i = 0; i < table->by.count && r >= 0; i++) {
                const struct gbx_scalar *value = &row[table->keys[i]];
                uint32_t number;

                if (value->missing)
                        key.states[i] = GBX_CELL_MISSING;
                else if (table->columns[table->keys[i]].type.kind != GBX_KIND_TEXT)
                        key.keys[i] = value->number;
                else {
                        r = gbx_dictionary_number(&cells->texts[i], value, true, &number, NULL, err);
                        key.keys[i] = r < 0 ? 0 : number;
                }
        }
        if (r < 0)
                return r;
        key.hash = hash_of(&key, table->by.count);
        r = find_cell(cells, &key, &cell, err);
        if (r < 0)
                return r;
        cell->rows++;
        r = gbx_members_add(&cell->members, contributor, err);
        for (size_t i = 0; i < table->statistics.count && r >= 0; i++)
                r = gbx_tally_add(&cell->tallies[i], &cells->plans[i], row, contributor, scratch, err);
        return r < 0 ? gbx_context(err, r, "table '%s'", table->name) : 0;
}

/* --- totals -------------------------------------------------------------------------- */

static int merge_into(struct gbx_cells *cells, struct gbx_cell *from, unsigned mask, struct gbx_error *err) {
        struct gbx_cell key = {}, *total;
        int r;

        for (size_t i = 0; i < cells->table->by.count; i++) {
                bool all = mask >> i & 1;

                key.keys[i] = all ? 0 : from->keys[i];
                key.states[i] = all ? GBX_CELL_ALL : from->states[i];
        }
        key.hash = hash_of(&key, cells->table->by.count);
        r = find_cell(cells, &key, &total, err);
        if (r < 0)
                return r;
        total->rows += from->rows;
        r = gbx_members_unite(&total->members, &from->members, err);
        for (size_t i = 0; i < cells->table->statistics.count && r >= 0; i++)
                r = gbx_tally_merge(&total->tallies[i], &cells->plans[i], &from->tallies[i], err);
        return r;
}

/* Whether the table has totals over exactly the keys of `mask`. */
static bool wanted_total(const struct gbx_table *table, unsigned mask) {
        unsigned every = (1U << table->by.count) - 1;

        switch ((enum gbx_margins)table->margins) {
        case GBX_MARGINS_NONE:
                return false;
        case GBX_MARGINS_TOTAL:
                return mask == every;
        case GBX_MARGINS_ROLLUP: /* the last keys, without a gap */
                return ((mask | (mask - 1)) & every) == every;
        case GBX_MARGINS_ALL:
                return true;
        }
        return false;
}

static int compare_keys(const struct gbx_cells *cells, const struct gbx_cell *a, const struct gbx_cell *b, size_t index) {
        const struct gbx_dictionary_entry *entries = cells->texts[index].entries, *x, *y;
        int order;

        if (a->states[index] != b->states[index])
                return a->states[index] < b->states[index] ? -1 : 1;
        if (a->states[index] || a->keys[index] == b->keys[index])
                return 0;
        if (cells->table->columns[cells->table->keys[index]].type.kind != GBX_KIND_TEXT)
                return a->keys[index] < b->keys[index] ? -1 : 1;
        x = &entries[a->keys[index]];
        y = &entries[b->keys[index]];
        order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
        return order ? order : x->size < y->size ? -1 : 1;
}

static int by_keys(const void *a, const void *b, void *data) {
        const struct gbx_cells *cells = data;
        int order = 0;

        for (size_t i = 0; i < cells->table->by.count && order == 0; i++)
                order = compare_keys(cells, *(struct gbx_cell *const *)a, *(struct gbx_cell *const *)b, i);
        return order;
}

/* "(all)" marks totals; a value that reads so would pass for one. */
static int check_texts(const struct gbx_cells *cells, struct gbx_error *err) {
        const struct gbx_scalar all = { .text = all_text, .size = sizeof all_text - 1 };
        uint32_t number;

        for (size_t i = 0; i < cells->table->by.count; i++)
                if (gbx_dictionary_find(&cells->texts[i], &all, true, &number))
                        return gbx_fail(err, -EINVAL, "table '%s': a value of '%s' reads %s, which marks totals; derive another text from it",
                                        cells->table->name, cells->table->by.items[i], all_text);
        return 0;
}

/* --- empty cells --------------------------------------------------------------------- */

/* The different values of one key, each once, in no order. */
static int key_values(const struct gbx_cells *cells, size_t index, struct gbx_cell **ret, size_t *ret_count, struct gbx_error *err) {
        gbx_auto(gbx_dictionary_free) struct gbx_dictionary seen = {};
        struct gbx_cell *values = calloc(cells->count + 1, sizeof *values);
        size_t count = 0;
        bool missing = false;

        if (!values)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < cells->count; i++) {
                const struct gbx_cell *cell = cells->items[i];
                struct gbx_scalar value = { .number = cell->keys[index] };
                bool fresh = !missing;
                uint32_t number;
                int r = cell->states[index] ? 0 : gbx_dictionary_number(&seen, &value, false, &number, &fresh, err);

                if (r < 0) {
                        free(values);
                        return r;
                }
                missing |= cell->states[index] == GBX_CELL_MISSING;
                if (!fresh)
                        continue;
                values[count].keys[0] = cell->keys[index];
                values[count++].states[0] = cell->states[index];
        }
        *ret = values;
        *ret_count = count;
        return 0;
}

static int add_empty_cells(struct gbx_cells *cells, struct gbx_cell *const *values, const size_t *counts, struct gbx_error *err) {
        size_t places[GBX_TABLE_MAX_KEYS] = {}, keys = cells->table->by.count, at;
        int r = 0;

        do {
                struct gbx_cell key = {}, *cell;

                for (size_t i = 0; i < keys; i++) {
                        key.keys[i] = values[i][places[i]].keys[0];
                        key.states[i] = values[i][places[i]].states[0];
                }
                key.hash = hash_of(&key, keys);
                r = find_cell(cells, &key, &cell, err);
                for (at = 0; at < keys && ++places[at] == counts[at]; at++)
                        places[at] = 0;
        } while (r >= 0 && at < keys);
        return r;
}

/* What no row has can be read from a table too: those cells are made, or at least counted. */
static int complete(struct gbx_cells *cells, struct gbx_error *err) {
        struct gbx_cell *values[GBX_TABLE_MAX_KEYS] = {};
        size_t counts[GBX_TABLE_MAX_KEYS] = {}, keys = cells->table->by.count;
        uint64_t combinations = 1;
        int r = 0;

        for (size_t i = 0; i < keys && r >= 0; i++) {
                r = key_values(cells, i, &values[i], &counts[i], err);
                if (__builtin_mul_overflow(combinations, counts[i], &combinations))
                        combinations = UINT64_MAX;
        }
        if (r >= 0 && combinations <= GBX_CELLS_COMPLETE_MAX && combinations > 0 && cells->table->empty == GBX_EMPTY_SHOW)
                r = add_empty_cells(cells, values, counts, err);
        cells->absent = combinations == UINT64_MAX ? combinations : combinations - cells->count;
        for (size_t i = 0; i < keys; i++)
                free(values[i]);
        return r;
}

int gbx_cells_settle(struct gbx_cells *cells, struct gbx_error *err) {
        struct gbx_cell *whole, key = {};
        size_t base;
        int r = check_texts(cells, err);

        /* A table without keys has one cell, whatever there is to count. */
        if (r >= 0 && cells->table->by.count == 0) {
                key.hash = hash_of(&key, 0);
                r = find_cell(cells, &key, &whole, err);
        }
        if (r >= 0 && cells->count && cells->table->by.count > 1)
                r = complete(cells, err);
        base = cells->count;
        for (unsigned mask = 1; r >= 0 && cells->table->by.count && mask < 1U << cells->table->by.count; mask++)
                for (size_t i = 0; i < base && wanted_total(cells->table, mask) && r >= 0; i++)
                        r = merge_into(cells, cells->items[i], mask, err);
        for (size_t i = 0; i < cells->count && r >= 0; i++) {
                r = gbx_members_settle(&cells->items[i]->members, err);
                for (size_t k = 0; k < cells->table->statistics.count && r >= 0; k++)
                        r = gbx_tally_settle(&cells->items[i]->tallies[k], &cells->plans[k], err);
        }
        if (r >= 0 && cells->count)
                qsort_r(cells->items, cells->count, sizeof(struct gbx_cell *), by_keys, cells);
        return r < 0 ? r : 0;
}

int gbx_cell_key_text(const struct gbx_cells *cells, const struct gbx_cell *cell, size_t index, struct gbx_buffer *ret, struct gbx_error *err) {
        const struct gbx_kind_of *type = &cells->table->columns[cells->table->keys[index]].type;
        const struct gbx_dictionary_entry *entry;
        char number[GBX_FIXED_TEXT_SIZE];
        unsigned month, day;
        int64_t year;

        if (cell->states[index] == GBX_CELL_ALL)
                return gbx_buffer_append_text(ret, all_text, err);
        if (cell->states[index] == GBX_CELL_MISSING)
                return 0;
        switch (type->kind) {
        case GBX_KIND_TEXT:
                entry = &cells->texts[index].entries[cell->keys[index]];
                return gbx_buffer_append(ret, entry->text, entry->size, err);
        case GBX_KIND_DATE:
                gbx_days_split(cell->keys[index], &year, &month, &day);
                return gbx_buffer_printf(ret, err, "%04lld-%02u-%02u", (long long)year, month, day);
        case GBX_KIND_BOOLEAN:
                return gbx_buffer_append_text(ret, cell->keys[index] ? "true" : "false", err);
        case GBX_KIND_NUMBER:
                break;
        }
        gbx_fixed_text(cell->keys[index], type->scale, number);
        return gbx_buffer_append_text(ret, number, err);
}
