/*
 * A dataset, read row by row with typed values
 *
 * The header must name exactly the columns of the schema, in any order: a
 * column nobody classified is not read by accident. Of the rows only the chosen
 * columns are converted and checked. An empty field is a missing value. Errors
 * name line and column, never the value: messages may be read by people who
 * may not see data.
 */
#pragma once

#include "base/error.h"
#include "runtime/engine/job.h"

#include <stddef.h>
#include <stdint.h>

struct gbx_value {
        enum gbx_value_type type;
        bool missing;
        union {
                int64_t integer;
                double decimal;
                bool boolean;
                struct { /* text and date */
                        const char *data;
                        size_t size;
                } text;
        };
};

struct gbx_dataset;

/* Opens data/NAME below `root`. `wanted`: names of the columns to read, in that order; all of
 * the schema if NULL. -ENOENT: no such dataset or column. -EINVAL: it is not as its schema says. */
int gbx_dataset_open(struct gbx_dataset **ret, int root, const char *name, const char *const *wanted,
                     size_t wanted_count, struct gbx_error *err);

/* The columns that are read, in order; they live as long as the dataset. */
size_t gbx_dataset_width(const struct gbx_dataset *dataset);
const char *gbx_dataset_column(const struct gbx_dataset *dataset, size_t index);

/* 1: a row of gbx_dataset_width() values, valid until the next call. 0: the end. Negative: error. */
int gbx_dataset_next(struct gbx_dataset *dataset, const struct gbx_value **ret_values, struct gbx_error *err);

struct gbx_dataset *gbx_dataset_free(struct gbx_dataset *dataset);
static inline void gbx_dataset_freep(struct gbx_dataset **dataset) { *dataset = gbx_dataset_free(*dataset); }
