/*
 * Dummy twins: data of the right shape that says nothing
 *
 * A twin is generated from a dataset's schema alone: names, types, allowed
 * values, ranges, units, missing values. No value of the real data is looked
 * at, so a twin may be shown to anybody; distributions and relations between
 * columns are not those of the data. The same schema, seed and number of rows
 * give the same bytes.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "policy/schema.h"

#include <stddef.h>
#include <stdint.h>

enum { GBX_DUMMY_ROWS = 2000 };

/* Appends CSV with a header. */
int gbx_dummy_twin(const struct gbx_schema *schema, uint64_t seed, size_t rows, struct gbx_buffer *ret_csv, struct gbx_error *err);
