/*
 * A dataset's file, /data/NAME, read row by row with exact values
 *
 * CSV whose header names exactly the columns of the schema, in any order. Of
 * the rows only the wanted columns are converted and checked; an empty field is
 * a missing value. Errors name line and column, never a value.
 */
#pragma once

#include "gateway/tabulate/expression/expression.h"
#include "gateway/tabulate/source_schema.h"

struct gbx_reader;

/* `wanted`: one flag for each column of the schema, which must live as long as the reader. */
int gbx_reader_open(struct gbx_reader **ret, int root, const struct gbx_source_schema *schema, const bool *wanted, struct gbx_error *err);

/* 1: the wanted columns are in `values` (one place for each column of the schema); texts live until the next call.
 * 0: the end. */
int gbx_reader_next(struct gbx_reader *reader, struct gbx_scalar *values, struct gbx_error *err);

struct gbx_reader *gbx_reader_free(struct gbx_reader *reader);
static inline void gbx_reader_freep(struct gbx_reader **reader) { *reader = gbx_reader_free(*reader); }
