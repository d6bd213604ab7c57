/*
 * What is kept of one statistic in one cell while rows come by
 *
 * Everything here can be put together with the tally of another cell, so that
 * totals are made from cells and not from rows. All sums are exact.
 */
#pragma once

#include "gateway/tabulate/description.h"
#include "gateway/tabulate/dictionary.h"
#include "gateway/tabulate/members.h"
#include "gateway/tabulate/wide.h"

enum { GBX_TALLY_TOP = 5 }; /* largest contributors that are kept */

/* What one contributor adds to a sum, its rows together. */
struct gbx_contribution {
        __int128 value;
        uint32_t contributor;
};

/* The largest by absolute value, first the largest. */
struct gbx_top {
        struct gbx_contribution items[GBX_TALLY_TOP];
        size_t count;
        bool negative; /* some contribution is below zero */
};

/* One contributor's sums while there may be more rows of it. */
struct gbx_partial {
        __int128 sums[2]; /* of `of` and `over` */
        uint32_t contributor;
        bool taken;
};

struct gbx_measured {
        int64_t value;
        uint32_t contributor;
};

struct gbx_tally {
        /* What every row touches stands in one cache line. */
        _Alignas(64) uint64_t rows; /* those with all operands */
        unsigned different;         /* values of `of`: 0, 1, 2, or 3 for more */
        __int128 near;              /* a part of the sum of `of` that is not in `x` yet */
        unsigned __int128 floor;    /* a contribution below it is not among the largest */

        struct gbx_wide weight, x, xx, y, yy, xy; /* sums over rows; each times the weight */
        int64_t minimum, maximum;
        int64_t values[2]; /* the first two different values of `of` */
        struct gbx_top top[2];
        struct gbx_members members;   /* contributors with all operands, where some row may lack one */
        struct gbx_members second;    /* those with the second of `values`, while there are no more than two */
        struct gbx_members first;     /* those with the first */
        struct gbx_partial *partials; /* open addressing by contributor; NULL if each contributor has one row */
        size_t partial_count, partial_slots;
        struct gbx_measured *measured; /* of quantiles: every value */
        size_t measured_count, measured_capacity;
        struct gbx_dictionary distinct;
};

/* How a statistic is tallied; the same for all cells. */
struct gbx_tally_plan {
        const struct gbx_statistic *statistic;
        bool one_row_each; /* no contributor has two rows */
        size_t columns[3]; /* of `of`, `over` and `weight` where they are columns and nothing else: SIZE_MAX otherwise */
        bool own_members;  /* some row may lack an operand, so the cell's contributors are not the statistic's */
        bool weighted, sums, squares, second, extremes, values, distinct, twofold;
};
void gbx_tally_plan(const struct gbx_statistic *statistic, bool one_row_each, struct gbx_tally_plan *ret);

/* Adds a row. -ERANGE and so on: as gbx_expression_evaluate. -EINVAL: a weight is below zero. */
int gbx_tally_add(struct gbx_tally *tally, const struct gbx_tally_plan *plan, const struct gbx_scalar *row, uint32_t contributor,
                  struct gbx_scratch *scratch, struct gbx_error *err);
/* Adds another cell's tally. */
int gbx_tally_merge(struct gbx_tally *tally, const struct gbx_tally_plan *plan, struct gbx_tally *other, struct gbx_error *err);
/* Ends the tally: settles the sets, finds the top contributors, sorts the values. */
int gbx_tally_settle(struct gbx_tally *tally, const struct gbx_tally_plan *plan, struct gbx_error *err);
void gbx_tally_free(struct gbx_tally *tally);

/* The statistic's value as canonical text; "" where there is none (no rows, a zero divisor). -ERANGE: too large to be written. */
int gbx_tally_text(const struct gbx_tally *tally, const struct gbx_tally_plan *plan, uint64_t contributors,
                   char ret_text[static GBX_WIDE_TEXT_SIZE], struct gbx_error *err);
