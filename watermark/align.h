/*
 * Aligning a suspect with the table before marking
 *
 * Rows are paired by the declared key where it is there, else by likeness:
 * the rarest values of a suspect row name a few rows of the original; the one
 * that agrees in most of the rest is its pair, if no other comes near. The
 * original then tells which cells carry symbols, and cells that differ by more
 * than a mark would are left out instead of being misread.
 */
#pragma once

#include "watermark/layer.h"

#include <stddef.h>
#include <stdint.h>

#define GBX_ALIGN_NONE UINT32_MAX

/* `ret_pairs[row of the suspect]` is a row of the original, or GBX_ALIGN_NONE. `ret_matched` counts pairs. Both views
 * are of the same plan. Columns of the suspect that are a constant multiple of the original's get their factor. */
int gbx_align(const struct gbx_plan *plan, const struct gbx_mark_keys *keys, struct gbx_view *suspect,
              const struct gbx_view *original, uint32_t *ret_pairs, uint64_t *ret_matched, struct gbx_buffer *notes,
              struct gbx_error *err);

/* A suspect's value in units of the original's column, by the view's shift and factor. False: none. */
bool gbx_align_units(const struct gbx_plan *plan, const struct gbx_view *suspect, unsigned column, size_t row,
                     int64_t *ret_units);
