/* The walk over entries and tiles (internal to gateway/log; see verify.h for what it is for). */
#pragma once

#include "base/error.h"
#include "gateway/log/format/merkle.h"
#include "gateway/log/format/tile.h"
#include "gateway/log/format/tree.h"
#include "gateway/log/verify/verify.h"

struct gbx_walk_level {
        uint64_t index;  /* of the tile that is being filled */
        unsigned width;  /* hashes that the entries gave so far */
        struct gbx_hash hashes[GBX_TILE_WIDTH];
        bool loaded;     /* whether `stored` is that tile */
        struct gbx_hash stored[GBX_TILE_WIDTH];
};

struct gbx_walk {
        int directory;
        uint64_t size, done;
        struct gbx_hash root;  /* that was signed */
        struct gbx_tree *tree; /* the stored tiles, to find out which of two different hashes is the signed one */
        struct gbx_walk_level levels[GBX_TILE_LEVELS];
        struct gbx_verify_report *report;
        const struct gbx_verify_options *options;
};

/* Recomputes everything from the entries [walk->done, end) and compares; `end` is at most walk->size. */
int gbx_walk_to(struct gbx_walk *walk, uint64_t end, struct gbx_error *err);

/* The root of the entries walked so far. */
void gbx_walk_root(const struct gbx_walk *walk, struct gbx_hash *ret);

/* Compares the tiles at the right edge, to be called when all entries are walked. */
int gbx_walk_finish(struct gbx_walk *walk, struct gbx_error *err);

/* Notes the first fault in the report; returns -EBADMSG. The message is the caller's. */
int gbx_walk_fault(struct gbx_walk *walk, uint64_t first, uint64_t last, const char *path);
