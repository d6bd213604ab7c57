/* Partial tiles and bundles that were superseded and are still there (internal to gateway/log): each must be a
 * prefix of what the entries give. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/log/verify/verify_walk.h"

/* Of the tile that the walk is filling at `level`, against the hashes it has so far. */
int gbx_check_partial_tiles(struct gbx_walk *walk, unsigned level, struct gbx_error *err);

/* Of bundle `index`, whose first `width` entries were walked. */
int gbx_check_partial_bundles(struct gbx_walk *walk, uint64_t index, unsigned width, const struct gbx_buffer *bundle,
                              struct gbx_error *err);
