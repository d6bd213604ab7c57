#include "gateway/log/writer/integrate.h"

#include "base/cleanup.h"
#include "gateway/log/writer/io.h"
#include "gateway/log/format/tile.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The rightmost tile of each level, growing. */
struct growing_tile {
        uint64_t index;
        unsigned width;
        bool changed;
        struct gbx_hash hashes[GBX_TILE_WIDTH];
};

struct integrator {
        int directory;
        char unflushed[1 + GBX_TILE_LEVELS][GBX_TILE_PATH_SIZE]; /* [1 + level]: the last file put there; "": none */
        struct gbx_merkle_edge edge;
        struct growing_tile tiles[GBX_TILE_LEVELS];
        struct gbx_buffer bundle;
};

static bool same_parent(const char *a, const char *b) {
        size_t length = (size_t)(strrchr(a, '/') - a);

        return strncmp(a, b, length) == 0 && strrchr(b, '/') == b + length;
}

/* Directories are flushed when the next file goes elsewhere, and at the end: all before anything is signed. */
static int flush_level(struct integrator *integrator, int level, struct gbx_error *err) {
        char *path = integrator->unflushed[1 + level];
        int r = path[0] ? gbx_log_flush_parent(integrator->directory, path, err) : 0;

        path[0] = '\0';
        return r;
}

static int put(struct integrator *integrator, int level, uint64_t index, unsigned width, const void *data, size_t size,
               struct gbx_error *err) {
        char *last = integrator->unflushed[1 + level], path[GBX_TILE_PATH_SIZE];
        int r = 0;

        gbx_tile_path(level, index, width, path);
        if (last[0] && !same_parent(last, path))
                r = flush_level(integrator, level, err);
        if (r == 0)
                r = gbx_log_place_file(integrator->directory, GBX_LOG_SCRATCH, path, data, size, 0644, GBX_LOG_KEEP, err);
        if (r == 0)
                memcpy(last, path, sizeof path);
        return r;
}

static int put_tile(struct integrator *integrator, unsigned level, struct gbx_error *err) {
        const struct growing_tile *tile = &integrator->tiles[level];

        return put(integrator, (int)level, tile->index, tile->width, tile->hashes, tile->width * sizeof(struct gbx_hash), err);
}

/* Adds a leaf hash; tiles that it completes are written and their roots carried upwards. */
static int add_leaf(struct integrator *integrator, const struct gbx_hash *leaf, struct gbx_error *err) {
        struct gbx_hash hash = *leaf;

        gbx_merkle_edge_append(&integrator->edge, leaf);
        for (unsigned level = 0; level < GBX_TILE_LEVELS; level++) {
                struct growing_tile *tile = &integrator->tiles[level];
                int r;

                tile->hashes[tile->width++] = hash;
                tile->changed = true;
                if (tile->width < GBX_TILE_WIDTH)
                        return 0;
                r = put_tile(integrator, level, err);
                if (r < 0)
                        return r;
                gbx_merkle_root_of(tile->hashes, GBX_TILE_WIDTH, &hash);
                tile->index++;
                tile->width = 0;
                tile->changed = false;
        }
        return gbx_fail(err, -EOVERFLOW, "the log is full");
}

/* Takes over the partial tiles at the right edge of the present tree. */
static int load_tiles(struct integrator *integrator, struct gbx_proven *proven, uint64_t size, struct gbx_error *err) {
        for (unsigned level = 0; level < GBX_TILE_LEVELS; level++) {
                struct growing_tile *tile = &integrator->tiles[level];
                uint64_t hashes = size >> (level * GBX_TILE_HEIGHT);

                tile->index = hashes / GBX_TILE_WIDTH;
                tile->width = (unsigned)(hashes % GBX_TILE_WIDTH);
                for (unsigned i = 0; i < tile->width; i++) {
                        int r = gbx_proven_hash(proven, level, tile->index * GBX_TILE_WIDTH + i, &tile->hashes[i], err);

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Fills the integrator's bundle with entries [from, to) of one bundle: from the tree below `covered` (an entry that was
 * altered there is not carried on), else from the journal. */
static int fill_bundle(struct integrator *integrator, struct gbx_proven *proven, struct gbx_journal *journal, uint64_t from,
                       uint64_t to, uint64_t covered, struct gbx_error *err) {
        int r = 0;

        gbx_buffer_clear(&integrator->bundle);
        for (uint64_t i = from; r == 0 && i < to; i++) {
                struct gbx_bytes entry;

                if (i >= covered) {
                        r = gbx_journal_read(journal, i, true, &integrator->bundle, err);
                        continue;
                }
                r = gbx_proven_entry(proven, i, &entry, err);
                if (r == 0) /* in the bundle the entry stands behind its two bytes of length */
                        r = gbx_buffer_append(&integrator->bundle, (const uint8_t *)entry.data - 2, entry.size + 2, err);
        }
        return r;
}

static int add_bundle(struct integrator *integrator, struct gbx_proven *proven, struct gbx_journal *journal, uint64_t index,
                      uint64_t covered, struct gbx_error *err) {
        uint64_t from = index * GBX_TILE_WIDTH, to = from + GBX_TILE_WIDTH, number = from;
        struct gbx_bytes rest, entry;
        int r;

        if (to > gbx_journal_end(journal))
                to = gbx_journal_end(journal);
        r = fill_bundle(integrator, proven, journal, from, to, covered, err);
        if (r == 0)
                r = put(integrator, GBX_TILE_ENTRIES, index, (unsigned)(to - from), integrator->bundle.data,
                        integrator->bundle.size, err);
        if (r < 0)
                return r;
        rest = (struct gbx_bytes){ integrator->bundle.data, integrator->bundle.size };
        while ((r = gbx_bundle_next(&rest, &entry, err)) > 0) {
                struct gbx_hash leaf;

                if (number++ < covered)
                        continue;
                gbx_merkle_leaf(entry.data, entry.size, &leaf);
                r = add_leaf(integrator, &leaf, err);
                if (r < 0)
                        return r;
        }
        return r;
}

static int integrate(struct integrator *integrator, struct gbx_proven *proven, struct gbx_journal *journal,
                     struct gbx_error *err) {
        uint64_t covered = integrator->edge.size, end = gbx_journal_end(journal);
        int r;

        gbx_proven_trust(proven, &integrator->edge);
        r = load_tiles(integrator, proven, covered, err);
        for (uint64_t i = covered / GBX_TILE_WIDTH; r == 0 && i * GBX_TILE_WIDTH < end; i++)
                r = add_bundle(integrator, proven, journal, i, covered, err);
        for (unsigned level = 0; r == 0 && level < GBX_TILE_LEVELS; level++)
                if (integrator->tiles[level].changed)
                        r = put_tile(integrator, level, err);
        for (int level = GBX_TILE_ENTRIES; r == 0 && level < GBX_TILE_LEVELS; level++)
                r = flush_level(integrator, level, err);
        return r;
}

int gbx_log_integrate(int directory, struct gbx_proven *proven, struct gbx_journal *journal, struct gbx_merkle_edge *edge,
                      struct gbx_error *err) {
        struct integrator *integrator = calloc(1, sizeof *integrator);
        int r;

        if (!integrator)
                return gbx_fail_memory(err);
        integrator->directory = directory;
        integrator->edge = *edge;
        r = integrate(integrator, proven, journal, err);
        if (r == 0)
                *edge = integrator->edge;
        gbx_buffer_free(&integrator->bundle);
        free(integrator);
        return r;
}

/* Removes a directory of partial files; what cannot be removed does no harm. */
static void remove_partials(int directory, int level, uint64_t index) {
        char full[GBX_TILE_PATH_SIZE], path[GBX_TILE_PATH_SIZE + 4];
        gbx_auto(gbx_close_directory) DIR *partials = NULL;
        gbx_auto(gbx_close_fd) int fd = -1;
        struct dirent *file;

        gbx_tile_path(level, index, GBX_TILE_WIDTH, full);
        (void)snprintf(path, sizeof path, "%s.p", full);
        fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        partials = fd < 0 ? NULL : fdopendir(fd);
        if (!partials)
                return;
        (void)gbx_take_fd(&fd); /* the DIR owns it now */
        while ((file = readdir(partials)))
                if (file->d_name[0] != '.')
                        (void)gbx_log_io.unlink(dirfd(partials), file->d_name, 0);
        (void)gbx_log_io.unlink(directory, path, AT_REMOVEDIR);
}

void gbx_log_drop_partials(int directory, uint64_t old_size, uint64_t new_size) {
        for (int level = GBX_TILE_ENTRIES; level < GBX_TILE_LEVELS; level++) {
                unsigned shift = GBX_TILE_HEIGHT * (unsigned)(level < 0 ? 1 : level + 1);
                uint64_t first = shift > 63 ? 0 : old_size >> shift, end = shift > 63 ? 0 : new_size >> shift;

                /* Of the tiles that are full now only the first can have been partial before. */
                if (first < end)
                        remove_partials(directory, level, first);
        }
}
