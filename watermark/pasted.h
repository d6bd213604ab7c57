/*
 * Tables as people paste them: drawn with bars, or aligned with blanks
 */
#pragma once

#include "watermark/table.h"

/* Whether a text begins like a table drawn with bars (Markdown, psql, mysql, box characters). */
bool gbx_pasted_drawn(const char *text, size_t size);
int gbx_pasted_read_drawn(struct gbx_table *table, const char *text, size_t size, struct gbx_error *err);

/* Columns parted by two blanks or more, or by one where that fits better. -EINVAL if the lines do not agree. */
int gbx_pasted_read_aligned(struct gbx_table *table, const char *text, size_t size, struct gbx_error *err);

/* Whether a first row holds values, not names: at least a third of them are numbers. */
bool gbx_pasted_headless(const char *const *cells, const size_t *sizes, size_t count);

/* Starts a table by its first row, which names the columns or already holds values. */
int gbx_pasted_first_row(struct gbx_table *table, const char *const *cells, const size_t *sizes, size_t count,
                         struct gbx_error *err);
