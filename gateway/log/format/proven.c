#include "gateway/log/format/proven.h"

#include "base/cleanup.h"
#include "gateway/log/format/tile.h"

enum { LEAF_SLOTS = 512, INNER_SLOTS = 16 };

struct good_tile {
        uint64_t index;
        unsigned width;
        struct gbx_hash hashes[GBX_TILE_WIDTH];
};

struct gbx_proven {
        struct gbx_tree *tree;
        struct gbx_merkle_edge edge;
        struct good_tile *leaves[LEAF_SLOTS]; /* tile n is in slot n modulo their number, or nowhere */
        struct good_tile *inner[GBX_TILE_LEVELS - 1][INNER_SLOTS];
};

int gbx_proven_new(struct gbx_proven **ret, struct gbx_tree *tree, struct gbx_error *err) {
        struct gbx_proven *proven = calloc(1, sizeof *proven);

        if (!proven)
                return gbx_fail_memory(err);
        proven->tree = tree;
        *ret = proven;
        return 0;
}

struct gbx_proven *gbx_proven_free(struct gbx_proven *proven) {
        if (!proven)
                return NULL;
        for (size_t i = 0; i < LEAF_SLOTS; i++)
                free(proven->leaves[i]);
        for (size_t i = 0; i < GBX_TILE_LEVELS - 1; i++)
                for (size_t k = 0; k < INNER_SLOTS; k++)
                        free(proven->inner[i][k]);
        free(proven);
        return NULL;
}

void gbx_proven_trust(struct gbx_proven *proven, const struct gbx_merkle_edge *edge) { proven->edge = *edge; }

int gbx_proven_trust_checkpoint(struct gbx_proven *proven, const struct gbx_checkpoint *checkpoint, struct gbx_error *err) {
        struct gbx_merkle_edge edge;
        struct gbx_hash root;
        int r;

        gbx_tree_set_size(proven->tree, checkpoint->size);
        r = gbx_merkle_edge_load(gbx_tree_hash, proven->tree, checkpoint->size, &edge, err);
        if (r < 0)
                return r;
        gbx_merkle_edge_root(&edge, &root);
        if (!gbx_hash_equal(&root, &checkpoint->root))
                return gbx_fail(err, -EBADMSG, "the tiles at the log's right edge do not give the signed root; run: gbx audit verify");
        proven->edge = edge;
        return 0;
}

static struct good_tile **slot_of(struct gbx_proven *proven, unsigned level, uint64_t index) {
        return level == 0 ? &proven->leaves[index % LEAF_SLOTS] : &proven->inner[level - 1][index % INNER_SLOTS];
}

static int hash_in(struct gbx_proven *proven, unsigned level, uint64_t index, const struct gbx_hash **ret, struct gbx_error *err);

/* A full tile is under its parent; the one at the right edge falls into complete subtrees that the edge has. */
static int check_tile(struct gbx_proven *proven, unsigned level, const struct good_tile *tile, struct gbx_error *err) {
        const struct gbx_hash *expected;
        struct gbx_hash found;
        char path[GBX_TILE_PATH_SIZE];
        bool good = true;

        if (tile->width == GBX_TILE_WIDTH) {
                int r = hash_in(proven, level + 1, tile->index, &expected, err);

                if (r < 0)
                        return r;
                gbx_merkle_root_of(tile->hashes, GBX_TILE_WIDTH, &found);
                good = gbx_hash_equal(&found, expected);
        } else {
                for (unsigned bit = GBX_TILE_HEIGHT, start = 0; bit-- > 0;) {
                        if (!(tile->width >> bit & 1))
                                continue;
                        gbx_merkle_root_of(tile->hashes + start, (size_t)1 << bit, &found);
                        good = good && gbx_hash_equal(&found, &proven->edge.subtrees[level * GBX_TILE_HEIGHT + bit]);
                        start += 1U << bit;
                }
        }
        if (good)
                return 0;
        gbx_tile_path((int)level, tile->index, tile->width, path);
        return gbx_fail(err, -EBADMSG, "the hashes of '%s' are not those under the signed root", path);
}

static int hash_in(struct gbx_proven *proven, unsigned level, uint64_t index, const struct gbx_hash **ret, struct gbx_error *err) {
        struct good_tile **slot = slot_of(proven, level, index / GBX_TILE_WIDTH);
        unsigned place = (unsigned)(index % GBX_TILE_WIDTH);

        if (!*slot || (*slot)->index != index / GBX_TILE_WIDTH || (*slot)->width <= place) {
                gbx_auto(gbx_free_pointer) struct good_tile *tile = malloc(sizeof *tile);
                int r;

                if (!tile)
                        return gbx_fail_memory(err);
                tile->index = index / GBX_TILE_WIDTH;
                tile->width = gbx_tile_width((int)level, tile->index, proven->edge.size);
                if (place >= tile->width)
                        return gbx_fail(err, -EINVAL, "a tree of %llu entries has no hash %llu at tile level %u",
                                        (unsigned long long)proven->edge.size, (unsigned long long)index, level);
                r = gbx_tree_tile(proven->tree, level, tile->index, tile->width, tile->hashes, err);
                if (r == 0)
                        r = check_tile(proven, level, tile, err);
                if (r < 0) { /* whoever mends the file is not answered from memory */
                        gbx_tree_forget(proven->tree);
                        return r;
                }
                free(*slot);
                *slot = gbx_take_ptr(tile);
        }
        *ret = &(*slot)->hashes[place];
        return 0;
}

int gbx_proven_hash(struct gbx_proven *proven, unsigned level, uint64_t index, struct gbx_hash *ret, struct gbx_error *err) {
        const struct gbx_hash *hash;
        int r;

        gbx_tree_set_size(proven->tree, proven->edge.size);
        r = hash_in(proven, level, index, &hash, err);
        if (r == 0)
                *ret = *hash;
        return r;
}

int gbx_proven_entry(struct gbx_proven *proven, uint64_t index, struct gbx_bytes *ret, struct gbx_error *err) {
        const struct gbx_hash *expected;
        struct gbx_bytes entry;
        struct gbx_hash leaf;
        int r;

        if (index >= proven->edge.size)
                return gbx_fail(err, -EINVAL, "there is no entry %llu under the signed root of %llu entries",
                                (unsigned long long)index, (unsigned long long)proven->edge.size);
        gbx_tree_set_size(proven->tree, proven->edge.size);
        r = hash_in(proven, 0, index, &expected, err);
        if (r == 0)
                r = gbx_tree_entry(proven->tree, index, &entry, err);
        if (r < 0)
                return gbx_context(err, r, "entry %llu", (unsigned long long)index);
        gbx_merkle_leaf(entry.data, entry.size, &leaf);
        if (!gbx_hash_equal(&leaf, expected)) {
                char path[GBX_TILE_PATH_SIZE];

                gbx_tree_forget(proven->tree);
                gbx_tile_path(GBX_TILE_ENTRIES, index / GBX_TILE_WIDTH,
                              gbx_tile_width(GBX_TILE_ENTRIES, index / GBX_TILE_WIDTH, proven->edge.size), path);
                return gbx_fail(err, -EBADMSG, "entry %llu in '%s' is not the one that was logged: the file was altered",
                                (unsigned long long)index, path);
        }
        *ret = entry;
        return 0;
}
