#include "gateway/log/format/tree.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/format/note.h"
#include "gateway/log/format/proof.h"
#include "gateway/log/format/tile.h"

#include <string.h>
#include <unistd.h>

struct cached_tile {
        unsigned width; /* 0: nothing is cached */
        uint64_t index;
        struct gbx_hash hashes[GBX_TILE_WIDTH];
};

struct gbx_tree {
        int directory;
        uint64_t size;
        struct cached_tile tiles[GBX_TILE_LEVELS];

        unsigned bundle_width; /* 0: nothing is cached */
        uint64_t bundle_index;
        struct gbx_buffer bundle;
        struct gbx_bytes entries[GBX_TILE_WIDTH];
};

int gbx_tree_open(struct gbx_tree **ret, int directory, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = calloc(1, sizeof *tree);

        if (!tree)
                return gbx_fail_memory(err);
        tree->directory = gbx_open_directory(directory, path, err);
        if (tree->directory < 0)
                return tree->directory;
        *ret = gbx_take_ptr(tree);
        return 0;
}

struct gbx_tree *gbx_tree_free(struct gbx_tree *tree) {
        if (!tree)
                return NULL;
        gbx_close_fd(&tree->directory);
        gbx_buffer_free(&tree->bundle);
        free(tree);
        return NULL;
}

void gbx_tree_set_size(struct gbx_tree *tree, uint64_t size) { tree->size = size; }
uint64_t gbx_tree_size(const struct gbx_tree *tree) { return tree->size; }

void gbx_tree_forget(struct gbx_tree *tree) {
        for (size_t i = 0; i < GBX_TILE_LEVELS; i++)
                tree->tiles[i].width = 0;
        tree->bundle_width = 0;
}

int gbx_tree_message(struct gbx_tree *tree, struct gbx_buffer *ret, struct gbx_error *err) {
        return gbx_read_file(tree->directory, "checkpoint", GBX_NOTE_SIZE_MAX, ret, err);
}

/* Reads a tile or bundle of `width`; a partial one that is gone, from the full one that superseded it. */
static int read_part(struct gbx_tree *tree, int level, uint64_t index, unsigned width, size_t limit,
                     struct gbx_buffer *ret, struct gbx_error *err) {
        char path[GBX_TILE_PATH_SIZE], full[GBX_TILE_PATH_SIZE];
        int r;

        gbx_tile_path(level, index, width, path);
        r = gbx_read_file(tree->directory, path, limit, ret, err);
        if (r == -ENOENT && width < GBX_TILE_WIDTH) {
                gbx_tile_path(level, index, GBX_TILE_WIDTH, full);
                gbx_buffer_clear(ret);
                if (gbx_read_file(tree->directory, full, limit, ret, NULL) == 0)
                        return 0;
        }
        if (r == -ENOENT || r == -ENOTDIR)
                return gbx_fail(err, -EBADMSG, "'%s' is missing", path);
        if (r == -EFBIG)
                return gbx_fail(err, -EBADMSG, "'%s' is too large", path);
        return r;
}

static int load_tile(struct gbx_tree *tree, unsigned level, uint64_t index, unsigned width, struct gbx_error *err) {
        struct cached_tile *tile = &tree->tiles[level];
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        char path[GBX_TILE_PATH_SIZE];
        int r;

        if (tile->width >= width && tile->index == index)
                return 0;
        tile->width = 0;
        r = read_part(tree, (int)level, index, width, GBX_TILE_BYTES, &bytes, err);
        if (r < 0)
                return r;
        gbx_tile_path((int)level, index, width, path);
        if (bytes.size != width * sizeof(struct gbx_hash) && bytes.size != GBX_TILE_BYTES)
                return gbx_fail(err, -EBADMSG, "'%s' has %zu bytes; %zu are right", path, bytes.size,
                                width * sizeof(struct gbx_hash));
        memcpy(tile->hashes, bytes.data, bytes.size);
        tile->index = index;
        tile->width = (unsigned)(bytes.size / sizeof(struct gbx_hash));
        return 0;
}

int gbx_tree_hash(void *context, unsigned level, uint64_t index, struct gbx_hash *ret, struct gbx_error *err) {
        struct gbx_tree *tree = context;
        unsigned tile_level = level / GBX_TILE_HEIGHT, height = level % GBX_TILE_HEIGHT;
        uint64_t first = index << height, tile = first / GBX_TILE_WIDTH; /* hashes of the tile's level below the node */
        size_t count = (size_t)1 << height, start = (size_t)(first % GBX_TILE_WIDTH);
        unsigned width = tile_level < GBX_TILE_LEVELS ? gbx_tile_width((int)tile_level, tile, tree->size) : 0;
        int r;

        if (start + count > width)
                return gbx_fail(err, -EINVAL, "a tree of %llu entries has no node %llu at level %u",
                                (unsigned long long)tree->size, (unsigned long long)index, level);
        r = load_tile(tree, tile_level, tile, width, err);
        if (r < 0)
                return r;
        gbx_merkle_root_of(tree->tiles[tile_level].hashes + start, count, ret);
        return 0;
}

int gbx_tree_tile(struct gbx_tree *tree, unsigned level, uint64_t index, unsigned width, struct gbx_hash *ret_hashes,
                  struct gbx_error *err) {
        int r = load_tile(tree, level, index, width, err);

        if (r == 0)
                memcpy(ret_hashes, tree->tiles[level].hashes, width * sizeof *ret_hashes);
        return r;
}

static int load_bundle(struct gbx_tree *tree, uint64_t index, unsigned width, struct gbx_error *err) {
        struct gbx_bytes rest, entry;
        unsigned count = 0;
        int r;

        if (tree->bundle_width >= width && tree->bundle_index == index)
                return 0;
        tree->bundle_width = 0;
        gbx_buffer_clear(&tree->bundle);
        r = read_part(tree, GBX_TILE_ENTRIES, index, width, GBX_BUNDLE_MAX, &tree->bundle, err);
        if (r < 0)
                return r;
        rest = (struct gbx_bytes){ tree->bundle.data, tree->bundle.size };
        while ((r = gbx_bundle_next(&rest, &entry, err)) > 0) {
                if (count == GBX_TILE_WIDTH)
                        return gbx_fail(err, -EBADMSG, "entry bundle %llu has more than %d entries",
                                        (unsigned long long)index, GBX_TILE_WIDTH);
                tree->entries[count++] = entry;
        }
        if (r < 0)
                return gbx_context(err, r, "entry bundle %llu", (unsigned long long)index);
        if (count < width)
                return gbx_fail(err, -EBADMSG, "entry bundle %llu has %u entries; %u are right",
                                (unsigned long long)index, count, width);
        tree->bundle_index = index;
        tree->bundle_width = count;
        return 0;
}

int gbx_tree_entry(struct gbx_tree *tree, uint64_t index, struct gbx_bytes *ret, struct gbx_error *err) {
        int r;

        if (index >= tree->size)
                return gbx_fail(err, -EINVAL, "there is no entry %llu; the log has %llu", (unsigned long long)index,
                                (unsigned long long)tree->size);
        r = load_bundle(tree, index / GBX_TILE_WIDTH,
                        gbx_tile_width(GBX_TILE_ENTRIES, index / GBX_TILE_WIDTH, tree->size), err);
        if (r < 0)
                return r;
        *ret = tree->entries[index % GBX_TILE_WIDTH];
        return 0;
}

int gbx_tree_prove(struct gbx_tree *tree, uint64_t index, const struct gbx_buffer *message, struct gbx_buffer *ret,
                   struct gbx_error *err) {
        struct gbx_merkle_proof proof;
        struct gbx_bytes entry;
        int r;

        if (index >= tree->size)
                return gbx_fail(err, -EINVAL, "no checkpoint covers entry %llu; the newest covers %llu entries",
                                (unsigned long long)index, (unsigned long long)tree->size);
        r = gbx_merkle_prove_inclusion(gbx_tree_hash, tree, index, tree->size, &proof, err);
        if (r == 0)
                r = gbx_tree_entry(tree, index, &entry, err);
        return r < 0 ? r : gbx_proof_format(index, &proof, gbx_buffer_text(message), message->size, &entry, ret, err);
}
