#include "gateway/log/verify/verify_walk.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/verify/verify_partials.h"

#include <stdio.h>
#include <string.h>

int gbx_walk_fault(struct gbx_walk *walk, uint64_t first, uint64_t last, const char *path) {
        walk->report->bad_entry = true;
        walk->report->bad_first = first;
        walk->report->bad_last = last;
        (void)snprintf(walk->report->bad_path, sizeof walk->report->bad_path, "%s", path);
        return -EBADMSG;
}

/* Reads a tile or bundle. 1: the file is the full one, read in place of a partial one that is gone. */
static int read_part(struct gbx_walk *walk, int level, uint64_t index, unsigned width, size_t limit,
                     struct gbx_buffer *ret, struct gbx_error *err) {
        uint64_t span = level <= 0 ? 1 : UINT64_C(1) << (level * GBX_TILE_HEIGHT);
        uint64_t first = index * GBX_TILE_WIDTH * span;
        char path[GBX_TILE_PATH_SIZE], full[GBX_TILE_PATH_SIZE];
        int r;

        gbx_tile_path(level, index, width, path);
        r = gbx_read_file(walk->directory, path, limit, ret, err);
        if (r == -ENOENT && width < GBX_TILE_WIDTH) {
                gbx_tile_path(level, index, GBX_TILE_WIDTH, full);
                gbx_buffer_clear(ret);
                if (gbx_read_file(walk->directory, full, limit, ret, NULL) == 0)
                        return 1;
        }
        if (r == -ENOENT || r == -ENOTDIR || r == -EFBIG || r == -EINVAL)
                return gbx_fail(err, gbx_walk_fault(walk, first, first + width * span - 1, path),
                                "entry %llu: %s is %s", (unsigned long long)first, path,
                                r == -EFBIG ? "too large" : r == -EINVAL ? "not a file" : "missing");
        return r;
}

/* --- which of two hashes is the signed one? ------------------------------- */

struct coarse {
        struct gbx_walk *walk;
        unsigned level;
};

/* Reads the tree as if the nodes at `level` (the last one perhaps incomplete) were its leaves. */
static int read_coarse(void *context, unsigned level, uint64_t index, struct gbx_hash *ret, struct gbx_error *err) {
        const struct coarse *coarse = context;
        unsigned shift = coarse->level + level;
        uint64_t start = index << shift, end = (index + 1) << shift;

        if (end > coarse->walk->size)
                end = coarse->walk->size;
        return gbx_merkle_range_root(gbx_tree_hash, coarse->walk->tree, start, end, ret, err);
}

/* Whether `hash` as the node (level, index) leads to the signed root by way of the stored tiles. */
static bool is_signed(struct gbx_walk *walk, unsigned level, uint64_t index, const struct gbx_hash *hash) {
        struct coarse coarse = { walk, level };
        uint64_t rest = walk->size & ((UINT64_C(1) << level) - 1), count = (walk->size >> level) + (rest > 0);
        struct gbx_merkle_proof proof;

        return gbx_merkle_prove_inclusion(read_coarse, &coarse, index, count, &proof, NULL) == 0 &&
               gbx_merkle_verify_inclusion(index, count, hash, proof.hashes, proof.count, &walk->root, NULL) == 0;
}

/* The entries give `computed` for the node, the tile stores another hash. */
static int judge(struct gbx_walk *walk, unsigned level, uint64_t index, const struct gbx_hash *computed,
                 const struct gbx_hash *stored, struct gbx_error *err) {
        unsigned shift = level * GBX_TILE_HEIGHT;
        uint64_t first = index << shift, last = first + (UINT64_C(1) << shift) - 1;
        char tile[GBX_TILE_PATH_SIZE], bundle[GBX_TILE_PATH_SIZE];
        uint64_t tile_index = index / GBX_TILE_WIDTH;

        gbx_tile_path((int)level, tile_index, gbx_tile_width((int)level, tile_index, walk->size), tile);
        gbx_tile_path(GBX_TILE_ENTRIES, first / GBX_TILE_WIDTH,
                      gbx_tile_width(GBX_TILE_ENTRIES, first / GBX_TILE_WIDTH, walk->size), bundle);
        if (is_signed(walk, shift, index, computed)) {
                gbx_walk_fault(walk, first, last, tile);
                return level == 0 ? gbx_fail(err, -EBADMSG, "entry %llu: its hash in %s was altered (the entry is as it was signed)",
                                             (unsigned long long)first, tile)
                                  : gbx_fail(err, -EBADMSG, "entries %llu to %llu: their hash in %s was altered (the entries are as they were signed)",
                                             (unsigned long long)first, (unsigned long long)last, tile);
        }
        gbx_walk_fault(walk, first, last, bundle);
        if (level == 0)
                return gbx_fail(err, -EBADMSG, "entry %llu: %s does not hold what was signed%s", (unsigned long long)first, bundle,
                                is_signed(walk, shift, index, stored) ? "" : "; tiles were altered too");
        return gbx_fail(err, -EBADMSG, "entries %llu to %llu: one of them, from %s on, is not what was signed; its tiles were altered with it",
                        (unsigned long long)first, (unsigned long long)last, bundle);
}

/* --- the walk ------------------------------------------------------------- */

static int load_stored(struct gbx_walk *walk, unsigned level, struct gbx_error *err) {
        struct gbx_walk_level *state = &walk->levels[level];
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        unsigned width = gbx_tile_width((int)level, state->index, walk->size);
        size_t right = width * sizeof(struct gbx_hash);
        int r = read_part(walk, (int)level, state->index, width, GBX_TILE_BYTES, &bytes, err);

        if (r < 0)
                return r;
        if (bytes.size != (r > 0 ? (size_t)GBX_TILE_BYTES : right)) {
                uint64_t span = UINT64_C(1) << (level * GBX_TILE_HEIGHT);
                uint64_t whole = bytes.size / sizeof(struct gbx_hash);
                uint64_t first = (state->index * GBX_TILE_WIDTH + (whole < width ? whole : width - 1)) * span;
                char path[GBX_TILE_PATH_SIZE];

                gbx_tile_path((int)level, state->index, width, path);
                return gbx_fail(err, gbx_walk_fault(walk, first, first + span - 1, path),
                                "entry %llu: %s has %zu bytes; %zu are right", (unsigned long long)first, path, bytes.size,
                                right);
        }
        memcpy(state->stored, bytes.data, right);
        state->loaded = true;
        return 0;
}

/* Takes in the next hash of a level and compares it with the stored tile; a tile that is complete goes up. */
static int add_hash(struct gbx_walk *walk, const struct gbx_hash *leaf, struct gbx_error *err) {
        struct gbx_hash hash = *leaf;

        for (unsigned level = 0; level < GBX_TILE_LEVELS; level++) {
                struct gbx_walk_level *state = &walk->levels[level];
                int r = state->loaded ? 0 : load_stored(walk, level, err);

                if (r < 0)
                        return r;
                if (!gbx_hash_equal(&state->stored[state->width], &hash))
                        return judge(walk, level, state->index * GBX_TILE_WIDTH + state->width, &hash,
                                     &state->stored[state->width], err);
                state->hashes[state->width++] = hash;
                if (state->width < GBX_TILE_WIDTH)
                        return 0;
                r = gbx_check_partial_tiles(walk, level, err);
                if (r < 0)
                        return r;
                gbx_merkle_root_of(state->hashes, GBX_TILE_WIDTH, &hash);
                state->index++;
                state->width = 0;
                state->loaded = false;
        }
        return gbx_fail(err, -EINVAL, "the log is larger than can be verified");
}

/* Walks the entries of one bundle up to `end`, which lies in it or at its end. */
static int walk_bundle(struct gbx_walk *walk, uint64_t end, struct gbx_error *err) {
        uint64_t index = walk->done / GBX_TILE_WIDTH, number = index * GBX_TILE_WIDTH;
        unsigned width = gbx_tile_width(GBX_TILE_ENTRIES, index, walk->size);
        gbx_auto(gbx_buffer_free) struct gbx_buffer bundle = {};
        struct gbx_bytes rest, entry;
        char path[GBX_TILE_PATH_SIZE];
        int r = read_part(walk, GBX_TILE_ENTRIES, index, width, GBX_BUNDLE_MAX, &bundle, err);
        bool longer = r > 0;

        if (r < 0)
                return r;
        gbx_tile_path(GBX_TILE_ENTRIES, index, width, path);
        rest = (struct gbx_bytes){ bundle.data, bundle.size };
        for (; number < end; number++) {
                struct gbx_hash leaf;

                r = gbx_bundle_next(&rest, &entry, err);
                if (r <= 0)
                        return gbx_fail(err, gbx_walk_fault(walk, number, number, path), "entry %llu: %s ends before or within it",
                                        (unsigned long long)number, path);
                if (number < walk->done)
                        continue;
                gbx_merkle_leaf(entry.data, entry.size, &leaf);
                r = add_hash(walk, &leaf, err);
                if (r < 0)
                        return r;
                if (walk->options->entry)
                        walk->options->entry(walk->options->entry_context, number, entry.data, entry.size);
                walk->done++;
        }
        if (end < index * GBX_TILE_WIDTH + width)
                return 0;
        if (rest.size > 0 && !longer)
                return gbx_fail(err, gbx_walk_fault(walk, number, number, path), "entry %llu: %s goes on behind its last entry",
                                (unsigned long long)number, path);
        return gbx_check_partial_bundles(walk, index, width, &bundle, err);
}

int gbx_walk_to(struct gbx_walk *walk, uint64_t end, struct gbx_error *err) {
        while (walk->done < end) {
                uint64_t boundary = (walk->done / GBX_TILE_WIDTH + 1) * GBX_TILE_WIDTH;
                int r = walk_bundle(walk, boundary < end ? boundary : end, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

void gbx_walk_root(const struct gbx_walk *walk, struct gbx_hash *ret) {
        struct gbx_hash row[GBX_TILE_WIDTH + 1], root;
        bool started = false;

        gbx_merkle_empty(&root);
        for (unsigned level = 0; level < GBX_TILE_LEVELS; level++) {
                const struct gbx_walk_level *state = &walk->levels[level];

                if (state->width == 0)
                        continue;
                memcpy(row, state->hashes, state->width * sizeof *row);
                row[state->width] = root; /* the incomplete rest below stands as the last node of the row */
                gbx_merkle_root_of(row, state->width + (started ? 1u : 0u), &root);
                started = true;
        }
        *ret = root;
}

int gbx_walk_finish(struct gbx_walk *walk, struct gbx_error *err) {
        for (unsigned level = 0; level < GBX_TILE_LEVELS; level++) {
                int r = walk->levels[level].width > 0 ? gbx_check_partial_tiles(walk, level, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}
