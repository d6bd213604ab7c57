/*
 * What is kept of a release: who was counted in each cell
 *
 * A statistic is a sum over units: of one (a count), of a column, of a column of
 * the job's own making. Its column is named by what is summed, in one spelling for
 * the same thing; a mean is the sum behind it, a variance the sums of the column
 * and of its squares. Its terms say which units take part, and how often: a unit
 * whose rows a join repeats three times is in the term of weight 3. Units that
 * add nothing (a one-hot weight of zero, a missing value) are in no term.
 *
 * Names and labels never decide anything: sets do.
 */
#pragma once

#include "base/buffer.h"

#include <roaring/roaring.h>

/* Who is counted, in the ledger's sense. */
#define GBX_LEDGER_COUNT "count"

enum {
        GBX_RECORD_MAX_SIZE = 256 * 1024 * 1024,
        GBX_RECORD_MAX_ITEMS = 1000000, /* cells, statistics, terms of a record, each */
        GBX_RECORD_MAX_TEXT = 1024,
        GBX_RECORD_MAX_WEIGHT = 1 << 20,
        GBX_RECORD_MAX_UNIT = (1 << 26) - 1, /* units are numbered densely, by the site */
};

struct gbx_ledger_term {
        int64_t weight; /* 1 to GBX_RECORD_MAX_WEIGHT, or as much below zero */
        roaring_bitmap_t *units;
};

struct gbx_ledger_statistic {
        char *column;
        struct gbx_ledger_term *terms;
        size_t term_count;
};

struct gbx_ledger_cell {
        char *label; /* for the reviewer: "t.csv job=fixed" */
        struct gbx_ledger_statistic *statistics;
        size_t statistic_count;
};

struct gbx_ledger_release {
        char *name; /* "run-000017" */
        char *recipient;
        char *dataset; /* its name without version: units are the same in all versions */
        struct gbx_ledger_cell *cells;
        size_t cell_count;
};

/* Frees everything in it. */
void gbx_ledger_release_clear(struct gbx_ledger_release *release);

/* Appends the bytes of a record. The buffer should be secret. */
int gbx_ledger_record_write(const struct gbx_ledger_release *release, struct gbx_buffer *ret, struct gbx_error *err);

/* -EBADMSG: these bytes are no record. */
int gbx_ledger_record_read(const void *data, size_t size, struct gbx_ledger_release *ret, struct gbx_error *err);
