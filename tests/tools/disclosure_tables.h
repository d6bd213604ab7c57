/*
 * Tables for tests of disclosure control, made by a seed
 *
 * A body of random cells over up to three keys, each with a flat or a nested
 * set of codes, and all margins. Small cells are unsafe.
 */
#pragma once

#include "gateway/disclosure/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MADE_KEYS = 3, MADE_TABLES = 4 };

struct made_tables {
        struct gbx_disclosure_set set;
        struct gbx_disclosure_key keys[MADE_KEYS];
        struct gbx_disclosure_code *codes[MADE_KEYS];
        struct gbx_disclosure_table tables[MADE_TABLES];
        size_t table_keys[MADE_TABLES][MADE_KEYS];
        struct gbx_disclosure_cell *cells[MADE_TABLES];
        size_t *cell_codes[MADE_TABLES];
        int64_t *body; /* one value for each combination of leaves' codes (all codes, groups left at 0) */
};

struct made_shape {
        size_t codes[MADE_KEYS];  /* leaves of each key; 0: no such key */
        size_t groups[MADE_KEYS]; /* groups between everything and the leaves; 0: none */
        bool linked;              /* one table for each pair of keys instead of one for all */
        bool money;               /* sums of cents instead of counts */
        unsigned small;           /* percent of leaf cells below the minimum */
};

static inline uint64_t made_random(uint64_t *state) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state >> 11;
}

static inline void *made_memory(size_t count, size_t size) {
        void *memory = calloc(count ? count : 1, size);

        if (!memory)
                abort();
        return memory;
}

static inline void make_key(struct made_tables *made, size_t k, size_t leaves, size_t groups) {
        size_t count = 1 + groups + leaves;
        static const char *const names[MADE_KEYS] = { "region", "age", "job" };

        made->codes[k] = made_memory(count, sizeof *made->codes[k]);
        made->codes[k][0].label = "(all)";
        for (size_t i = 1; i < count; i++) {
                made->codes[k][i].label = i <= groups ? "group" : "leaf";
                made->codes[k][i].parent = i <= groups || groups == 0 ? 0 : 1 + (i - 1 - groups) % groups;
        }
        made->keys[k] = (struct gbx_disclosure_key){ .name = names[k], .codes = made->codes[k], .code_count = count };
}

static inline bool made_below(const struct gbx_disclosure_key *key, size_t code, size_t above) {
        while (code != above && code != 0)
                code = key->codes[code].parent;
        return code == above;
}

/* Sum of the body over all leaves below the codes. */
static inline int64_t made_sum(const struct made_tables *made, const size_t *codes, int64_t unit) {
        size_t counts[MADE_KEYS], total = 1;
        int64_t sum = 0;

        for (size_t k = 0; k < MADE_KEYS; k++)
                total *= counts[k] = k < made->set.key_count ? made->keys[k].code_count : 1;
        for (size_t i = 0; i < total; i++) {
                size_t at[MADE_KEYS] = { i % counts[0], i / counts[0] % counts[1], i / counts[0] / counts[1] };
                bool inside = made->body[i] != 0;

                for (size_t k = 0; k < made->set.key_count && inside; k++)
                        inside = made_below(&made->keys[k], at[k], codes[k]);
                sum += inside ? made->body[i] / unit : 0;
        }
        return sum;
}

static inline void make_table(struct made_tables *made, const size_t *keys, size_t key_count, bool money) {
        struct gbx_disclosure_table *table = &made->tables[made->set.table_count];
        size_t t = made->set.table_count++, cells = 1;

        for (size_t k = 0; k < key_count; k++)
                cells *= made->keys[keys[k]].code_count;
        memcpy(made->table_keys[t], keys, key_count * sizeof *keys);
        made->cells[t] = made_memory(cells, sizeof *made->cells[t]);
        made->cell_codes[t] = made_memory(cells * key_count, sizeof(size_t));
        *table = (struct gbx_disclosure_table){ .name = "made", .keys = made->table_keys[t], .key_count = key_count,
                                               .cells = made->cells[t],
                                                .cell_count = cells, .non_negative = true, .integer = true };
        for (size_t i = 0; i < cells; i++) {
                size_t *codes = made->cell_codes[t] + i * key_count, all[MADE_KEYS] = { 0 }, rest = i;
                struct gbx_disclosure_cell *cell = &made->cells[t][i];
                int64_t unit = money ? 1370 : 1;

                for (size_t k = 0; k < key_count; k++) {
                        codes[k] = all[keys[k]] = rest % made->keys[keys[k]].code_count;
                        rest /= made->keys[keys[k]].code_count;
                }
                cell->codes = codes;
                cell->value = made_sum(made, all, 1);
                cell->count = (uint64_t)made_sum(made, all, unit);
                cell->unsafe = cell->value > 0 && cell->count < made->set.minimum;
                cell->cost = cell->value ? 10 + (int64_t)cell->count : 1;
                if (cell->unsafe) {
                        cell->lower = cell->value;
                        cell->upper = (int64_t)made->set.minimum * unit - cell->value;
                        cell->upper = cell->upper > 0 ? cell->upper : 1;
                }
        }
}

static inline void make_body(struct made_tables *made, const struct made_shape *shape, uint64_t *state) {
        size_t counts[MADE_KEYS], total = 1;

        for (size_t k = 0; k < MADE_KEYS; k++)
                total *= counts[k] = k < made->set.key_count ? made->keys[k].code_count : 1;
        made->body = made_memory(total, sizeof *made->body);
        for (size_t i = 0; i < total; i++) {
                size_t at[MADE_KEYS] = { i % counts[0], i / counts[0] % counts[1], i / counts[0] / counts[1] };
                bool leaf = true;

                for (size_t k = 0; k < made->set.key_count; k++)
                        leaf = leaf && at[k] > shape->groups[k];
                if (!leaf)
                        continue;
                if (made_random(state) % 100 < shape->small)
                        made->body[i] = (int64_t)(made_random(state) % made->set.minimum);
                else
                        made->body[i] = (int64_t)(made->set.minimum + made_random(state) % 90);
                if (shape->money)
                        made->body[i] = made->body[i] * 1370 + (made->body[i] ? (int64_t)(made_random(state) % 97) : 0);
        }
}

static inline void make_tables(struct made_tables *made, const struct made_shape *shape, uint64_t seed) {
        static const size_t all[] = { 0, 1, 2 }, first[] = { 0, 1 }, second[] = { 1, 2 }, third[] = { 0, 2 };
        uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;

        *made = (struct made_tables){};
        made->set = (struct gbx_disclosure_set){ .keys = made->keys, .tables = made->tables, .minimum = 10 };
        for (size_t k = 0; k < MADE_KEYS && shape->codes[k]; k++) {
                make_key(made, k, shape->codes[k], shape->groups[k]);
                made->set.key_count++;
        }
        for (int i = 0; i < 8; i++)
                (void)made_random(&state);
        make_body(made, shape, &state);
        if (shape->linked) {
                make_table(made, first, 2, shape->money);
                make_table(made, second, 2, shape->money);
                make_table(made, third, 2, shape->money);
        } else {
                make_table(made, all, made->set.key_count, shape->money);
        }
}

static inline void free_tables(struct made_tables *made) {
        for (size_t k = 0; k < MADE_KEYS; k++)
                free(made->codes[k]);
        for (size_t t = 0; t < MADE_TABLES; t++) {
                free(made->cells[t]);
                free(made->cell_codes[t]);
        }
        free(made->body);
}
