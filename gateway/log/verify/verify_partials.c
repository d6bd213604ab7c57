#include "gateway/log/verify/verify_partials.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What partial files of one tile or bundle are compared with. */
struct reference {
        int level;
        uint64_t index;
        unsigned width;               /* hashes or entries that are known */
        const uint8_t *bytes;
        size_t ends[GBX_TILE_WIDTH];  /* [w]: where hash or entry w ends in `bytes` */
};

/* Compares the file for width `w`. */
static int compare(struct gbx_walk *walk, const struct reference *reference, unsigned w, struct gbx_error *err) {
        unsigned shift = reference->level > 0 ? (unsigned)reference->level * GBX_TILE_HEIGHT : 0;
        size_t size = reference->ends[w - 1], differs = 0;
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};
        char path[GBX_TILE_PATH_SIZE];
        uint64_t first;
        unsigned place = 0;
        int r;

        gbx_tile_path(reference->level, reference->index, w, path);
        r = gbx_read_file(walk->directory, path, size + 1, &content, err);
        if (r < 0 && r != -EFBIG)
                return r == -EINVAL ? 0 : r; /* not a regular file: not a partial tile */
        if (content.size == size && memcmp(content.data, reference->bytes, size) == 0)
                return 0;
        while (differs < size && differs < content.size && content.data[differs] == reference->bytes[differs])
                differs++;
        while (place + 1 < w && reference->ends[place] <= differs)
                place++;
        first = (reference->index * GBX_TILE_WIDTH + place) << shift;
        return gbx_fail(err, gbx_walk_fault(walk, first, first + (UINT64_C(1) << shift) - 1, path),
                        "entry %llu: the superseded file %s does not hold what was signed", (unsigned long long)first, path);
}

static int check_all(struct gbx_walk *walk, const struct reference *reference, struct gbx_error *err) {
        char full[GBX_TILE_PATH_SIZE], path[GBX_TILE_PATH_SIZE + 4];
        gbx_auto(gbx_close_directory) DIR *partials = NULL;
        struct dirent *file;
        int fd;

        gbx_tile_path(reference->level, reference->index, GBX_TILE_WIDTH, full);
        (void)snprintf(path, sizeof path, "%s.p", full);
        fd = openat(walk->directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        partials = fdopendir(fd);
        if (!partials) {
                gbx_close_fd(&fd);
                return gbx_fail_memory(err);
        }
        while ((file = readdir(partials))) {
                uint64_t w;
                int r;

                if (gbx_parse_u64(file->d_name, &w, NULL) < 0 || w == 0 || w >= GBX_TILE_WIDTH || w > reference->width)
                        continue;
                r = compare(walk, reference, (unsigned)w, err);
                if (r < 0 && r != -ENOENT) /* a log in use may drop them meanwhile */
                        return r;
        }
        return 0;
}

int gbx_check_partial_tiles(struct gbx_walk *walk, unsigned level, struct gbx_error *err) {
        const struct gbx_walk_level *state = &walk->levels[level];
        struct reference reference = {
                .level = (int)level,
                .index = state->index,
                .width = state->width,
                .bytes = state->hashes[0].bytes,
        };

        for (unsigned w = 0; w < state->width; w++)
                reference.ends[w] = (w + 1) * sizeof(struct gbx_hash);
        return check_all(walk, &reference, err);
}

int gbx_check_partial_bundles(struct gbx_walk *walk, uint64_t index, unsigned width, const struct gbx_buffer *bundle,
                              struct gbx_error *err) {
        struct reference reference = { .level = GBX_TILE_ENTRIES, .index = index, .width = width, .bytes = bundle->data };
        struct gbx_bytes rest = { bundle->data, bundle->size }, entry;

        for (unsigned w = 0; w < width && gbx_bundle_next(&rest, &entry, err) > 0; w++)
                reference.ends[w] = bundle->size - rest.size;
        return check_all(walk, &reference, err);
}
