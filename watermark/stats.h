/*
 * How sure one may be: tail probabilities that accusations rest on
 *
 * An innocent's symbols are independent of what was read from the suspect, so
 * the distribution of an innocent's score is known exactly: a sum of
 * independent two-valued variables. Up to GBX_NULL_EXACT_CELLS cells the tail
 * is computed exactly by convolution (scores are whole numbers); beyond, the
 * Chernoff bound stands in, which is never too small. Nothing here is a
 * normal approximation.
 *
 * Probabilities are natural logarithms, for they get small.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { GBX_NULL_EXACT_CELLS = 16384 };

/* ln P[Binomial(n, 1/2) >= m]. */
double gbx_binomial_tail(uint64_t n, uint64_t m);

/* The m at which ln P[Binomial(n, 1/2) >= m] <= log_p first holds; n + 1 if nowhere. */
uint64_t gbx_binomial_threshold(uint64_t n, double log_p);

/* One cell of a score: an innocent has `one` with probability p and `zero` otherwise. */
struct gbx_null_cell {
        double p;
        int32_t one, zero;
};

struct gbx_null; /* the distribution of an innocent's score */

/* Whole-number weights: `weight` times this, rounded. Fine enough to lose no power that matters, coarse enough
 * for the convolution. `sum_variance` is the score's variance in unscaled weights. */
double gbx_null_scale(size_t cells, double sum_variance);

int gbx_null_new(struct gbx_null **ret, const struct gbx_null_cell *cells, size_t count, struct gbx_error *err);
struct gbx_null *gbx_null_free(struct gbx_null *null);
static inline void gbx_null_freep(struct gbx_null **null) { *null = gbx_null_free(*null); }

/* ln of (a bound on) P[score >= s]. */
double gbx_null_tail(const struct gbx_null *null, int64_t score);
/* The smallest score whose tail is at most log_p; INT64_MAX if no score reaches it. */
int64_t gbx_null_threshold(const struct gbx_null *null, double log_p);
double gbx_null_mean(const struct gbx_null *null);
double gbx_null_deviation(const struct gbx_null *null);

/* Exact (Clopper-Pearson) two-sided confidence interval of a proportion. */
void gbx_clopper_pearson(uint64_t successes, uint64_t trials, double confidence, double *ret_low, double *ret_high);
