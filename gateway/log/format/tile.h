/*
 * Tiles and entry bundles: the static layout of C2SP tlog-tiles
 *
 *   checkpoint                     the newest signed checkpoint
 *   tile/<L>/<N>[.p/<W>]           hashes: level 8 * L of the tree, [N * 256, ...)
 *   tile/entries/<N>[.p/<W>]       entries [N * 256, ...), each a 16-bit big-endian length and its bytes
 *
 * A full tile has 256 hashes; a partial one has W < 256 and its own file. N is
 * written in groups of three digits, all but the last with an 'x' in front:
 * 1234067 is x001/x234/067.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "gateway/log/format/merkle.h"

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_TILE_HEIGHT = 8,
        GBX_TILE_WIDTH = 256,
        GBX_TILE_LEVELS = 8, /* enough for GBX_MERKLE_SIZE_MAX leaves */
        GBX_TILE_BYTES = GBX_TILE_WIDTH * GBX_SHA256_SIZE,
        GBX_TILE_ENTRIES = -1, /* the level that stands for entry bundles */
        GBX_TILE_PATH_SIZE = 64,
        GBX_ENTRY_MAX = 65535, /* bytes of one entry */
        GBX_BUNDLE_MAX = GBX_TILE_WIDTH * (2 + GBX_ENTRY_MAX),
};

/* The path, relative to the log's directory, of tile `index` with `width` 1..256 at `level` 0..7 or
 * GBX_TILE_ENTRIES. */
void gbx_tile_path(int level, uint64_t index, unsigned width, char ret[static GBX_TILE_PATH_SIZE]);

/* How many hashes tile (level, index) has in a tree of `size` leaves: 0 (no such tile) to 256.
 * GBX_TILE_ENTRIES counts as level 0. */
unsigned gbx_tile_width(int level, uint64_t index, uint64_t size);

/* Takes the next entry off the front of a bundle. 1: `ret_entry` points into the bundle.
 * 0: the bundle ended. -EBADMSG: it is cut short. */
int gbx_bundle_next(struct gbx_bytes *bundle, struct gbx_bytes *ret_entry, struct gbx_error *err);
