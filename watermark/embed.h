/*
 * Embedding: symbols into cells, and edits into the bytes of the copy
 */
#pragma once

#include "watermark/layer.h"

#include <stddef.h>
#include <stdint.h>

/* A cell whose text changes. */
struct gbx_edit {
        uint32_t row;
        uint16_t column;  /* of the plan */
        uint8_t size;     /* of `text`; for text columns `text` is not used, see `donor` */
        int8_t step;      /* units it moved by; 0 for rounding and text */
        uint32_t donor;   /* text columns: 1 + the row whose value is taken; 0: `text` holds the new number */
        char text[GBX_NUMBER_TEXT_SIZE];
};

struct gbx_edits {
        struct gbx_edit *items;
        size_t count, capacity;
};

struct gbx_embedding {
        const struct gbx_plan *plan;
        const struct gbx_mark_keys *keys;
        const struct gbx_view *view;
        struct gbx_code code;
        const bool *rounded; /* one for each of the plan's columns: keyed rounding instead of parity; NULL: none */
        const uint8_t *release_key;
        /* Results */
        struct gbx_edits edits; /* by row, then by position in the table */
        uint64_t unmarkable;
};

/* The cells come from gbx_layer_collect on the same view. */
int gbx_embed(struct gbx_embedding *embedding, const struct gbx_cells *cells, struct gbx_error *err);

/* Whether a number may take a new value under its column's limits, sign, and every virtual key's buckets. */
bool gbx_embed_allowed(const struct gbx_plan *plan, unsigned column, struct gbx_number before, struct gbx_number after);

void gbx_edits_free(struct gbx_edits *edits);
