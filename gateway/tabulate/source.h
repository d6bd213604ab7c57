/*
 * The rows of a table: its dataset, joined, filtered, with derived columns
 *
 * Every row comes with its contributor: the number of the person, household or
 * firm that it is about, in the order in which these first appear in the whole
 * dataset, whatever the filter. So one dataset's numbers mean the same in every
 * table. Without a contributor in the schema each row has a number of its own.
 */
#pragma once

#include "gateway/tabulate/description.h"

struct gbx_source;

/* `root`: a directory with data/NAME. The table and the schemas must live as long as the source. */
int gbx_source_open(struct gbx_source **ret, int root, const struct gbx_table *table, const struct gbx_source_schema *schemas,
                    struct gbx_error *err);

/* 1: a row that the filter lets pass, with all columns of the table's scope; it lives until the next call. 0: the end.
 * -EBADMSG: a column that the schema calls a key has a value twice. */
int gbx_source_next(struct gbx_source *source, const struct gbx_scalar **ret_row, uint32_t *ret_contributor, struct gbx_error *err);

/* Texts that expressions of the present row make. */
struct gbx_scratch *gbx_source_scratch(struct gbx_source *source);

/* Whether no two rows can have the same contributor. */
bool gbx_source_one_row_each(const struct gbx_source *source);

/* Rows read so far, before the filter; and contributors met. */
uint64_t gbx_source_rows(const struct gbx_source *source);
uint64_t gbx_source_contributors(const struct gbx_source *source);

struct gbx_source *gbx_source_free(struct gbx_source *source);
static inline void gbx_source_freep(struct gbx_source **source) { *source = gbx_source_free(*source); }
