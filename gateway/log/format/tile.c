#include "gateway/log/format/tile.h"

#include <stdio.h>
#include <string.h>

void gbx_tile_path(int level, uint64_t index, unsigned width, char ret[static GBX_TILE_PATH_SIZE]) {
        char groups[40] = "", folder[16];
        size_t used;

        if (level == GBX_TILE_ENTRIES)
                (void)snprintf(folder, sizeof folder, "entries");
        else
                (void)snprintf(folder, sizeof folder, "%d", level);

        /* Groups of three digits, written from the last one to the first. */
        used = sizeof groups - 1;
        do {
                char group[8];
                int length = snprintf(group, sizeof group, "%s%03u", used < sizeof groups - 1 ? "x" : "",
                                      (unsigned)(index % 1000));

                if (used < sizeof groups - 1)
                        groups[--used] = '/';
                used -= (size_t)length;
                memcpy(groups + used, group, (size_t)length);
                index /= 1000;
        } while (index > 0);

        if (width >= GBX_TILE_WIDTH)
                (void)snprintf(ret, GBX_TILE_PATH_SIZE, "tile/%s/%s", folder, groups + used);
        else
                (void)snprintf(ret, GBX_TILE_PATH_SIZE, "tile/%s/%s.p/%u", folder, groups + used, width);
}

unsigned gbx_tile_width(int level, uint64_t index, uint64_t size) {
        uint64_t hashes = size >> (level > 0 ? (unsigned)level * GBX_TILE_HEIGHT : 0);
        uint64_t full = hashes / GBX_TILE_WIDTH;

        if (index < full)
                return GBX_TILE_WIDTH;
        return index == full ? (unsigned)(hashes % GBX_TILE_WIDTH) : 0;
}

int gbx_bundle_next(struct gbx_bytes *bundle, struct gbx_bytes *ret_entry, struct gbx_error *err) {
        const uint8_t *bytes = bundle->data;
        size_t size;

        if (bundle->size == 0)
                return 0;
        if (bundle->size < 2)
                return gbx_fail(err, -EBADMSG, "the entry bundle ends within a length");
        size = (size_t)bytes[0] << 8 | bytes[1];
        if (bundle->size - 2 < size)
                return gbx_fail(err, -EBADMSG, "the entry bundle ends within an entry");
        *ret_entry = (struct gbx_bytes){ bytes + 2, size };
        *bundle = (struct gbx_bytes){ bytes + 2 + size, bundle->size - 2 - size };
        return 1;
}
