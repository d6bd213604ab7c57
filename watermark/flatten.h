/*
 * JSON as a table
 *
 * Every element of an array becomes a row (so does the root object, if it
 * holds values itself); every scalar is a cell whose column is its JSON
 * Pointer (RFC 6901) with "*" for array indices. Values of outer elements
 * stand in the rows of inner ones too, to name them. The last column, "#",
 * tells the indices of the row's element.
 *
 * An array of arrays of scalars is a table by position: columns are named
 * "…/0", "…/1", or by the first inner array if that holds only strings.
 */
#pragma once

#include "watermark/json.h"
#include "watermark/table.h"

#include <stdbool.h>

#define GBX_FLATTEN_INDEX "#"

/* `columnar`: an object of arrays (or of objects) of equally many scalars is read as columns of one table, the way
 * data frames are often written. Errors: -EINVAL if there is no scalar, or more than 4,096 different columns. */
int gbx_flatten(struct gbx_table *table, const struct gbx_json *json, bool columnar, struct gbx_error *err);
