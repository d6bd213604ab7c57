/*
 * What the tabulator knows of a dataset: the columns of /job/schema/NAME.json
 *
 * The file is written by gbx_schema_json (policy/schema.h) when a dataset is
 * registered. Whoever checks a table without data (gbx table check) makes the
 * same JSON from the schema.
 */
#pragma once

#include "base/error.h"
#include "gateway/tabulate/expression/expression.h"

#include <jansson.h>

struct gbx_source_column {
        char *name;
        struct gbx_kind_of type;
        bool integer; /* of a number: written without a point */
        bool round;   /* what has more decimals than the schema declares is rounded as it is read, not refused */
        bool key;     /* no two rows have the same value */
};

struct gbx_source_schema {
        char *dataset;
        struct gbx_source_column *columns;
        size_t count;
        size_t contributor; /* the column that says whom a row is about; SIZE_MAX: each row counts for itself */
};

/* -EINVAL: it is not such a schema; the message names the dataset. */
int gbx_source_schema_read(const char *dataset, const json_t *json, struct gbx_source_schema *ret, struct gbx_error *err);
void gbx_source_schema_free(struct gbx_source_schema *schema);

/* The place of a column, or SIZE_MAX. */
size_t gbx_source_schema_find(const struct gbx_source_schema *schema, const char *name);
