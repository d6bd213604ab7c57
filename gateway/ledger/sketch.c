#include "gateway/ledger/sketch.h"

#include "base/cleanup.h"
#include "gateway/ledger/field.h"

#include <string.h>

static uint64_t hash_of(uint64_t seed, uint64_t unit) { return gbx_mix(seed ^ gbx_mix(unit + 1)); }

static size_t cell_of(uint64_t hash, size_t table) {
        return table * GBX_SKETCH_WIDTH + (size_t)(hash >> (8 + 8 * table)) % GBX_SKETCH_WIDTH;
}

static void add_unit(struct gbx_sketch *sketch, uint64_t hash, uint64_t unit, uint64_t weight) {
        for (size_t t = 0; t < 3; t++) {
                size_t cell = cell_of(hash, t);

                sketch->weights[cell] += weight;
                sketch->units[cell] += weight * unit;
                sketch->hashes[cell] += weight * hash;
        }
}

int gbx_sketch_add(uint64_t seed, struct gbx_sketch *sketch, int64_t weight, const roaring_bitmap_t *units, struct gbx_error *err) {
        size_t count = roaring_bitmap_get_cardinality(units);
        gbx_auto(gbx_free_pointer) uint32_t *items = malloc((count + 1) * sizeof *items);

        if (!items)
                return gbx_fail_memory(err);
        roaring_bitmap_to_uint32_array(units, items);
        for (size_t i = 0; i < count; i++)
                add_unit(sketch, hash_of(seed, items[i]), items[i], (uint64_t)weight);
        return 0;
}

void gbx_sketch_combine(struct gbx_sketch *target, const struct gbx_sketch *source, int64_t factor) {
        for (size_t i = 0; i < GBX_SKETCH_CELLS; i++) {
                target->weights[i] += (uint64_t)factor * source->weights[i];
                target->units[i] += (uint64_t)factor * source->units[i];
                target->hashes[i] += (uint64_t)factor * source->hashes[i];
        }
}

/* The one unit that is in a cell, if it is one alone. */
static bool read_cell(uint64_t seed, const struct gbx_sketch *sketch, size_t cell, uint64_t *ret_unit) {
        int64_t weight = (int64_t)sketch->weights[cell];

        if (weight == 0 || (int64_t)sketch->units[cell] % weight != 0)
                return false;
        *ret_unit = (uint64_t)((int64_t)sketch->units[cell] / weight);
        return *ret_unit <= GBX_RECORD_MAX_UNIT && (uint64_t)weight * hash_of(seed, *ret_unit) == sketch->hashes[cell];
}

uint32_t gbx_sketch_read(uint64_t seed, const struct gbx_sketch *sketch, uint32_t most) {
        struct gbx_sketch rest = *sketch;
        uint32_t units = 0;

        for (bool more = true; more && units < most;) {
                more = false;
                for (size_t i = 0; i < GBX_SKETCH_CELLS && units < most; i++) {
                        uint64_t unit;

                        if (!read_cell(seed, &rest, i, &unit))
                                continue;
                        add_unit(&rest, hash_of(seed, unit), unit, -rest.weights[i]);
                        units++;
                        more = true;
                }
        }
        for (size_t i = 0; i < GBX_SKETCH_CELLS; i++)
                if (rest.weights[i] || rest.units[i] || rest.hashes[i])
                        return 0;
        return units < most ? units : 0;
}

void gbx_sketches_clear(struct gbx_sketches *sketches) {
        free(sketches->items);
        free(sketches->numbers);
        free(sketches->heads);
        free(sketches->next);
        *sketches = (struct gbx_sketches){ .seed = sketches->seed };
}

static uint32_t *head_of(const struct gbx_sketches *sketches, size_t join, uint64_t hash) {
        return &sketches->heads[join * sketches->head_capacity + (gbx_mix(hash) & (sketches->head_capacity - 1))];
}

static void chain(struct gbx_sketches *sketches, size_t place) {
        for (size_t j = 0; j < GBX_SKETCH_JOINS; j++) {
                uint32_t *head;

                if (!sketches->items[place].hashes[j]) /* too many have nothing there: they are found by another cell */
                        continue;
                head = head_of(sketches, j, sketches->items[place].hashes[j]);
                sketches->next[j * sketches->capacity + place] = *head;
                *head = (uint32_t)place + 1;
        }
}

static int make_room(struct gbx_sketches *sketches, struct gbx_error *err) {
        size_t capacity = sketches->capacity ? sketches->capacity * 2 : 256;
        struct gbx_sketch *items;
        size_t *numbers;

        if (sketches->count < sketches->capacity)
                return 0;
        items = realloc(sketches->items, capacity * sizeof *items);
        if (items)
                sketches->items = items;
        numbers = realloc(sketches->numbers, capacity * sizeof *numbers);
        if (numbers)
                sketches->numbers = numbers;
        free(sketches->heads);
        free(sketches->next);
        sketches->heads = calloc(GBX_SKETCH_JOINS * capacity * 2, sizeof *sketches->heads);
        sketches->next = calloc(GBX_SKETCH_JOINS * capacity, sizeof *sketches->next);
        if (!items || !numbers || !sketches->heads || !sketches->next) {
                sketches->capacity = sketches->count = 0; /* unusable: whoever goes on after this error finds nothing known */
                return gbx_fail_memory(err);
        }
        sketches->capacity = capacity;
        sketches->head_capacity = capacity * 2;
        for (size_t i = 0; i < sketches->count; i++)
                chain(sketches, i);
        return 0;
}

int gbx_sketches_keep(struct gbx_sketches *sketches, const struct gbx_sketch *sketch, size_t number, struct gbx_error *err) {
        int r = make_room(sketches, err);

        if (r < 0)
                return r;
        sketches->items[sketches->count] = *sketch;
        sketches->numbers[sketches->count] = number;
        chain(sketches, sketches->count++);
        return 0;
}

/* Fewer than `most` units leave some cells of the first table alone. */
static bool may_be_near(const struct gbx_sketch *a, const struct gbx_sketch *b, int64_t factor, uint32_t most) {
        uint32_t different = 0;

        for (size_t i = 0; i < GBX_SKETCH_WIDTH; i++)
                different += a->hashes[i] + (uint64_t)factor * b->hashes[i] != 0;
        return different < most;
}

static uint32_t read_sum(const struct gbx_sketches *sketches, const struct gbx_sketch *a, const struct gbx_sketch *b, int64_t factor,
                         uint32_t most) {
        struct gbx_sketch sum = *a;

        if (!may_be_near(a, b, factor, most))
                return 0;
        gbx_sketch_combine(&sum, b, factor);
        return gbx_sketch_read(sketches->seed, &sum, most);
}

/* The given vector and the first kept one: hashes at once, the rest when a second one fits. */
struct pair {
        const struct gbx_sketch *vector, *first;
        int64_t factor;
        uint64_t hashes[GBX_SKETCH_JOINS];
};

/* Any second one that takes what remains after the first. */
static bool match_second(const struct gbx_sketches *sketches, const struct pair *pair, uint32_t most, struct gbx_sketch_match *ret) {
        for (int64_t factor = -1; factor <= 1; factor += 2) {
                for (size_t j = 0; j < GBX_SKETCH_JOINS; j++) {
                        uint64_t wanted = factor < 0 ? pair->hashes[j] : -pair->hashes[j];
                        uint32_t place = wanted ? *head_of(sketches, j, wanted) : 0;

                        for (; place; place = sketches->next[j * sketches->capacity + place - 1]) {
                                const struct gbx_sketch *second = &sketches->items[place - 1];
                                struct gbx_sketch rest;

                                if (second->hashes[j] != wanted || second == pair->first)
                                        continue;
                                rest = *pair->vector;
                                gbx_sketch_combine(&rest, pair->first, pair->factor);
                                ret->units = read_sum(sketches, &rest, second, factor, most);
                                if (!ret->units)
                                        continue;
                                ret->numbers[1] = sketches->numbers[place - 1];
                                ret->weights[1] = factor;
                                ret->count = 2;
                                return true;
                        }
                }
        }
        return false;
}

/* Every one kept, with both weights: alone, or (`pairs`) with a second one. */
static bool match_first(const struct gbx_sketches *sketches, const struct gbx_sketch *sketch, bool pairs, uint32_t most,
                        struct gbx_sketch_match *ret) {
        for (size_t i = 0; i < sketches->count; i++) {
                for (int64_t factor = -1; factor <= 1; factor += 2) {
                        struct pair pair = { .vector = sketch, .first = &sketches->items[i], .factor = factor };

                        ret->count = 1;
                        ret->numbers[0] = sketches->numbers[i];
                        ret->weights[0] = factor;
                        if (!pairs) {
                                ret->units = read_sum(sketches, sketch, pair.first, factor, most);
                                if (ret->units)
                                        return true;
                                continue;
                        }
                        for (size_t j = 0; j < GBX_SKETCH_JOINS; j++)
                                pair.hashes[j] = sketch->hashes[j] + (uint64_t)factor * pair.first->hashes[j];
                        if (match_second(sketches, &pair, most, ret))
                                return true;
                }
        }
        return false;
}

bool gbx_sketches_match(const struct gbx_sketches *sketches, const struct gbx_sketch *sketch, uint32_t most, struct gbx_sketch_match *ret) {
        struct gbx_sketch_match match;
        bool found = match_first(sketches, sketch, false, most, &match) || match_first(sketches, sketch, true, most, &match);

        if (found)
                *ret = match;
        return found;
}

void gbx_sketches_forget_last(struct gbx_sketches *sketches) {
        size_t place = --sketches->count;

        for (size_t j = 0; j < GBX_SKETCH_JOINS; j++)
                if (sketches->items[place].hashes[j])
                        *head_of(sketches, j, sketches->items[place].hashes[j]) = sketches->next[j * sketches->capacity + place];
}
