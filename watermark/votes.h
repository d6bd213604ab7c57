/*
 * Votes: the symbols that a suspect shows
 *
 * One vote for each distinct cell id: rows that share a key share the id, and
 * their majority counts once, so that the tail probabilities of stats.h hold.
 */
#pragma once

#include "watermark/layer.h"
#include "watermark/record.h"

#include <stddef.h>
#include <stdint.h>

enum { GBX_VOTES_MAX = 1 << 18 }; /* more would add time, not certainty: a keyed choice of them is kept */

struct gbx_vote {
        struct gbx_cell_id id;
        uint32_t threshold; /* an innocent's symbol is 1 with probability threshold / 2^32 */
        uint8_t observed;   /* 0 or 1 */
        uint8_t layer;
        uint8_t rounding;   /* the symbol is "rounded up", drawn from gbx_draw.rounding */
};

struct gbx_votes {
        struct gbx_vote *items; /* by layer */
        size_t count, capacity;
};

/* From the suspect alone. */
int gbx_votes_blind(const struct gbx_record *record, const struct gbx_mark_keys *keys, const struct gbx_view *suspect,
                    struct gbx_votes *votes, struct gbx_error *err);

/* By alignment to the table before marking; all in layer 0. `ret_matched` gets the rows paired. */
int gbx_votes_aligned(const struct gbx_record *record, const struct gbx_mark_keys *keys, struct gbx_view *suspect,
                      struct gbx_view *original, struct gbx_votes *votes, uint64_t *ret_matched,
                      struct gbx_buffer *notes, struct gbx_error *err);

void gbx_votes_free(struct gbx_votes *votes);
