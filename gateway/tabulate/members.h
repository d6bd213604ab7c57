/*
 * Sets of contributors, as Roaring bitmaps (roaringbitmap.org)
 *
 * Numbers are collected in a small run and given to the bitmap together.
 */
#pragma once

#include "base/error.h"

#include <roaring/roaring.h>
#include <stdint.h>

struct gbx_members {
        roaring_bitmap_t *bitmap; /* NULL while empty */
        uint32_t *run;
        uint32_t count, capacity; /* of the run */
};

int gbx_members_add(struct gbx_members *members, uint32_t contributor, struct gbx_error *err);
int gbx_members_unite(struct gbx_members *members, struct gbx_members *other, struct gbx_error *err);
/* Gives the run to the bitmap, which is there afterwards. */
int gbx_members_settle(struct gbx_members *members, struct gbx_error *err);
uint64_t gbx_members_count(struct gbx_members *members); /* settled */
void gbx_members_free(struct gbx_members *members);
