/*
 * Finding a plan's columns in a suspect table
 *
 * By name first (case, spaces and punctuation do not count; of a JSON pattern
 * the last name), then by content, with the sketches of sketch.h. The same
 * comparison finds columns multiplied by a power of ten.
 *
 * Nothing here looks at symbols, so that no correction of p-values is due.
 */
#pragma once

#include "watermark/layer.h"

/* Fills the sketches of the plan's columns from the original table. */
void gbx_match_sketch(struct gbx_plan *plan, const struct gbx_mark_keys *keys, const struct gbx_view *view);

/* The view of a suspect. `ret_found` columns of the plan were found. Appends remarks (renamed, rescaled) to `notes`, a
 * line each; columns of `table` are described by `decimal`, the file's usual decimal separator. */
int gbx_match_view(struct gbx_view *view, const struct gbx_plan *plan, const struct gbx_mark_keys *keys,
                   const struct gbx_table *table, char decimal, unsigned *ret_found, struct gbx_buffer *notes,
                   struct gbx_error *err);
