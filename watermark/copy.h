/*
 * Writing the copy: the original's bytes with edited cells
 *
 * Every byte outside the edited cells is copied as it is: quoting, line ends
 * and white space carry nothing.
 */
#pragma once

#include "watermark/embed.h"

/* Appends to `copy`. The edits are in order of row and of the table's columns. */
int gbx_copy_with_edits(const struct gbx_table *table, const struct gbx_view *view, const struct gbx_edits *edits,
                        const char *input, size_t size, struct gbx_buffer *copy, struct gbx_error *err);
