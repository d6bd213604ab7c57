#include "gateway/disclosure/place.h"

#include <stdlib.h>
#include <string.h>

/* Names are small numbers that callers choose, so the steps are mixed well (the finaliser of SplitMix64). */
static uint64_t hash_name(const size_t *name, size_t count) {
        uint64_t hash = 0;

        for (size_t i = 0; i < count; i++) {
                hash += name[i] + 0x9e3779b97f4a7c15U;
                hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
                hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
                hash ^= hash >> 31;
        }
        return hash;
}

/* The place of the name, or the free place where it would stand. The table always has free places. */
static struct gbx_place *look_up(struct gbx_place *items, size_t capacity, const size_t *name, size_t count) {
        size_t place = (size_t)hash_name(name, count) & (capacity - 1);

        while (items[place].used && memcmp(items[place].name, name, count * sizeof *name) != 0)
                place = (place + 1) & (capacity - 1);
        return &items[place];
}

static void make_name(const struct gbx_places *places, size_t universe, size_t measure, const size_t *codes, size_t *ret) {
        ret[0] = universe;
        ret[1] = measure;
        memcpy(ret + 2, codes, places->key_count * sizeof *codes);
}

static int make_room(struct gbx_places *places, struct gbx_error *err) {
        size_t capacity = places->capacity ? places->capacity * 2 : 256, count = places->key_count + 2;
        struct gbx_place *items;

        if (places->count * 2 < places->capacity)
                return 0;
        items = calloc(capacity, sizeof *items);
        if (!items)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < places->capacity; i++)
                if (places->items[i].used)
                        *look_up(items, capacity, places->items[i].name, count) = places->items[i];
        free(places->items);
        places->items = items;
        places->capacity = capacity;
        return 0;
}

int gbx_places_add(struct gbx_places *places, size_t universe, size_t measure, const size_t *codes, size_t number, size_t *ret,
                   struct gbx_error *err) {
        size_t name[2 + GBX_DISCLOSURE_MAX_KEYS], count = places->key_count + 2;
        struct gbx_place *place;
        int r = make_room(places, err);

        if (r < 0)
                return r;
        make_name(places, universe, measure, codes, name);
        place = look_up(places->items, places->capacity, name, count);
        if (place->used) {
                *ret = place->number;
                return 0;
        }
        place->used = true;
        place->number = *ret = number;
        memcpy(place->name, name, count * sizeof *name);
        places->count++;
        return 1;
}

bool gbx_places_find(const struct gbx_places *places, size_t universe, size_t measure, const size_t *codes, size_t *ret) {
        size_t name[2 + GBX_DISCLOSURE_MAX_KEYS];
        const struct gbx_place *place;

        if (places->capacity == 0)
                return false;
        make_name(places, universe, measure, codes, name);
        place = look_up(places->items, places->capacity, name, places->key_count + 2);
        if (place->used)
                *ret = place->number;
        return place->used;
}

void gbx_places_free(struct gbx_places *places) {
        free(places->items);
        *places = (struct gbx_places){ .key_count = places->key_count };
}
