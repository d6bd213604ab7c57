/*
 * Sketches: small sums of a vector from which a small difference can be read
 *
 * Units fall into cells of three tables by keyed hashes. A cell keeps the sum of
 * weights, of weights times unit, and of weights times a keyed hash of the unit.
 * Sketches of a sum of vectors are sums of sketches. A vector over few units can
 * be read back from its sketch: a cell that one unit alone fell into names it,
 * and taking it out frees others (an invertible Bloom lookup table; Goodrich and
 * Mitzenmacher, 2011). So two vectors of any size that differ by few units are
 * seen to, and by which, from some hundred numbers.
 *
 * Private to this room.
 */
#pragma once

#include "gateway/ledger/record.h"

enum {
        GBX_SKETCH_WIDTH = 16, /* cells of each of three tables */
        GBX_SKETCH_CELLS = 3 * GBX_SKETCH_WIDTH,
        GBX_SKETCH_JOINS = 6, /* cells of the first table that pairs are looked up by */
};

struct gbx_sketch {
        uint64_t weights[GBX_SKETCH_CELLS], units[GBX_SKETCH_CELLS], hashes[GBX_SKETCH_CELLS];
};

/* Sketches that were kept, with the caller's numbers. */
struct gbx_sketches {
        uint64_t seed;
        struct gbx_sketch *items;
        size_t *numbers;
        size_t count, capacity;
        uint32_t *heads; /* for each join a hash table of chains, by the cell's hash; 0: none, else place plus one */
        uint32_t *next;
        size_t head_capacity;
};

int gbx_sketch_add(uint64_t seed, struct gbx_sketch *sketch, int64_t weight, const roaring_bitmap_t *units, struct gbx_error *err);
/* target += factor * source */
void gbx_sketch_combine(struct gbx_sketch *target, const struct gbx_sketch *source, int64_t factor);
/* Over how many units it is, if that is below `most` and can be read; else 0. */
uint32_t gbx_sketch_read(uint64_t seed, const struct gbx_sketch *sketch, uint32_t most);

int gbx_sketches_keep(struct gbx_sketches *sketches, const struct gbx_sketch *sketch, size_t number, struct gbx_error *err);
/* Undoes the last keep. */
void gbx_sketches_forget_last(struct gbx_sketches *sketches);
void gbx_sketches_clear(struct gbx_sketches *sketches);

/* A kept vector, or two, that make the given one a vector over fewer than `most` units: it plus weight times kept, summed. */
struct gbx_sketch_match {
        size_t numbers[2];
        int64_t weights[2];
        size_t count;
        uint32_t units;
};

/* Whether there is one: every single one is tried, and every pair but for a small chance. Weights are 1 and -1. */
bool gbx_sketches_match(const struct gbx_sketches *sketches, const struct gbx_sketch *sketch, uint32_t most, struct gbx_sketch_match *ret);
