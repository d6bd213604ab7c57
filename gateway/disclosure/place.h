/*
 * Cells by their name: universe, measure and one code for each key
 *
 * A hash table from names to numbers. Start from { .key_count = n }.
 */
#pragma once

#include "gateway/disclosure/tables.h"

struct gbx_place {
        size_t number;
        size_t name[2 + GBX_DISCLOSURE_MAX_KEYS];
        bool used;
};

struct gbx_places {
        size_t key_count;
        struct gbx_place *items;
        size_t capacity, count;
};

/* Notes `number` under a new name and returns 1, or returns 0 for a known name; `*ret` is its number. Errors: -ENOMEM. */
int gbx_places_add(struct gbx_places *places, size_t universe, size_t measure, const size_t *codes, size_t number, size_t *ret,
                   struct gbx_error *err);
bool gbx_places_find(const struct gbx_places *places, size_t universe, size_t measure, const size_t *codes, size_t *ret);
void gbx_places_free(struct gbx_places *places);
