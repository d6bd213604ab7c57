#include "watermark/stats.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
        TILTS = 24,          /* values of lambda at which the Chernoff bound is taken */
        WORK = 30000000,     /* multiplications that a convolution may cost */
};

/* Masses below this are dropped while convolving; what they add up to stays far below FLOOR. */
static const double negligible = 1e-80;
static const double floor_probability = 1e-60;

double gbx_binomial_tail(uint64_t n, uint64_t m) {
        double nn = (double)n, term = 1, sum = 1, log_mass;

        if (m == 0)
                return 0;
        if (m > n)
                return -INFINITY;
        if (2 * m <= n)
                return log1p(-exp(gbx_binomial_tail(n, n - m + 1)));
        log_mass = lgamma(nn + 1) - lgamma((double)m + 1) - lgamma((double)(n - m) + 1) - nn * M_LN2;
        for (uint64_t k = m; k < n && term > sum * 1e-17; k++) {
                term *= (double)(n - k) / (double)(k + 1);
                sum += term;
        }
        return fmin(0, log_mass + log(sum));
}

uint64_t gbx_binomial_threshold(uint64_t n, double log_p) {
        uint64_t low = 0, high = n + 1;

        while (low < high) {
                uint64_t middle = low + (high - low) / 2;

                if (gbx_binomial_tail(n, middle) <= log_p)
                        high = middle;
                else
                        low = middle + 1;
        }
        return low;
}

struct gbx_null {
        double mean, variance;
        int64_t minimum, maximum;
        /* Exact: ln P[score >= first + i]. */
        double *tail;
        size_t tail_size;
        int64_t first;
        /* Chernoff: ln E[exp(lambda (score - mean))]. */
        double lambda[TILTS], cumulant[TILTS];
};

double gbx_null_scale(size_t cells, double sum_variance) {
        double width = 40 * sqrt(sum_variance) + 1, scale = 64;

        while (scale > 1 && (double)cells * width * scale > WORK)
                scale /= 2;
        return scale;
}

struct gbx_null *gbx_null_free(struct gbx_null *null) {
        if (null) {
                free(null->tail);
                free(null);
        }
        return NULL;
}

/* One cell of the convolution: to[j] = stay * from[j] + move * from[j - step]. Both windows are [0, size). */
static void convolve(double *restrict to, const double *restrict from, size_t size, size_t step, double stay,
                     double move) {
        for (size_t j = 0; j < size; j++)
                to[j] = stay * from[j];
        for (size_t j = 0; j < size; j++)
                to[j + step] += move * from[j];
}

struct window {
        double *mass, *next;
        size_t size;
        int64_t first; /* the score of mass[0] */
};

static void add_cell(struct window *window, const struct gbx_null_cell *cell) {
        bool up = cell->one >= cell->zero;
        size_t step = (size_t)llabs((int64_t)cell->one - cell->zero), size = window->size + step, skip = 0;
        double move = up ? cell->p : 1 - cell->p, *swap;

        memset(window->next + window->size, 0, step * sizeof *window->next);
        convolve(window->next, window->mass, window->size, step, 1 - move, move);
        window->first += up ? cell->zero : cell->one;
        while (size > 1 && window->next[size - 1] < negligible)
                size--;
        while (skip + 1 < size && window->next[skip] < negligible)
                skip++;
        swap = window->mass;
        window->mass = window->next;
        window->next = swap;
        if (skip > 0)
                memmove(window->mass, window->mass + skip, (size - skip) * sizeof *window->mass);
        window->first += (int64_t)skip;
        window->size = size - skip;
}

static int build_exact(struct gbx_null *null, const struct gbx_null_cell *cells, size_t count, struct gbx_error *err) {
        size_t room = (size_t)(null->maximum - null->minimum) + 2;
        gbx_auto(gbx_free_pointer) double *a = calloc(room, sizeof *a);
        gbx_auto(gbx_free_pointer) double *b = calloc(room, sizeof *b);
        struct window window = { a, b, 1, 0 };
        double sum = floor_probability;

        if (!a || !b)
                return gbx_fail_memory(err);
        a[0] = 1;
        for (size_t i = 0; i < count; i++)
                add_cell(&window, &cells[i]);
        null->tail = malloc(window.size * sizeof *null->tail);
        if (!null->tail)
                return gbx_fail_memory(err);
        for (size_t j = window.size; j-- > 0;) {
                sum += window.mass[j];
                null->tail[j] = fmin(0, log(sum));
        }
        null->tail_size = window.size;
        null->first = window.first;
        return 0;
}

/* ln(p e^a + (1 - p) e^b) without overflow. */
static double log_mix(double p, double a, double b) {
        double top = fmax(a, b);

        return top + log(p * exp(a - top) + (1 - p) * exp(b - top));
}

static void build_chernoff(struct gbx_null *null, const struct gbx_null_cell *cells, size_t count) {
        double unit = 1 / sqrt(null->variance);

        for (int t = 0; t < TILTS; t++) {
                /* lambda * deviation from 1.5 to 24, in even ratios: the best for scores of as many deviations */
                double lambda = unit * 1.5 * exp(t * log(16.0) / (TILTS - 1)), sum = 0;

                for (size_t i = 0; i < count; i++) {
                        double mean = cells[i].p * cells[i].one + (1 - cells[i].p) * cells[i].zero;

                        sum += log_mix(cells[i].p, lambda * (cells[i].one - mean), lambda * (cells[i].zero - mean));
                }
                null->lambda[t] = lambda;
                null->cumulant[t] = sum;
        }
}

int gbx_null_new(struct gbx_null **ret, const struct gbx_null_cell *cells, size_t count, struct gbx_error *err) {
        gbx_auto(gbx_null_freep) struct gbx_null *null = calloc(1, sizeof *null);
        int r;

        if (!null)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < count; i++) {
                double p = cells[i].p, difference = (double)cells[i].one - cells[i].zero;

                null->mean += p * cells[i].one + (1 - p) * cells[i].zero;
                null->variance += p * (1 - p) * difference * difference;
                null->minimum += cells[i].one < cells[i].zero ? cells[i].one : cells[i].zero;
                null->maximum += cells[i].one < cells[i].zero ? cells[i].zero : cells[i].one;
        }
        if (count <= GBX_NULL_EXACT_CELLS) {
                r = build_exact(null, cells, count, err);
                if (r < 0)
                        return r;
        } else if (null->variance > 0) {
                build_chernoff(null, cells, count);
        }
        *ret = gbx_take_ptr(null);
        return 0;
}

double gbx_null_tail(const struct gbx_null *null, int64_t score) {
        double best = 0;

        if (score <= null->minimum)
                return 0;
        if (null->tail) {
                if (score <= null->first)
                        return 0;
                if (score >= null->first + (int64_t)null->tail_size)
                        return log(floor_probability);
                return null->tail[score - null->first];
        }
        for (int t = 0; t < TILTS; t++) {
                double bound = null->cumulant[t] - null->lambda[t] * ((double)score - null->mean);

                if (bound < best)
                        best = bound;
        }
        return best;
}

int64_t gbx_null_threshold(const struct gbx_null *null, double log_p) {
        int64_t low = null->minimum, high = null->maximum + 1;

        while (low < high) {
                int64_t middle = low + (high - low) / 2;

                if (gbx_null_tail(null, middle) <= log_p)
                        high = middle;
                else
                        low = middle + 1;
        }
        return low > null->maximum ? INT64_MAX : low;
}

double gbx_null_mean(const struct gbx_null *null) { return null->mean; }
double gbx_null_deviation(const struct gbx_null *null) { return sqrt(null->variance); }

/* P[Binomial(n, p) >= k] */
static double upper(uint64_t n, uint64_t k, double p) {
        double sum = 0;

        for (uint64_t i = k; i <= n; i++)
                sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) +
                           (double)i * log(p) + (double)(n - i) * log1p(-p));
        return sum;
}

void gbx_clopper_pearson(uint64_t successes, uint64_t trials, double confidence, double *ret_low, double *ret_high) {
        double half = (1 - confidence) / 2, bounds[2] = { 0, 1 };

        for (int side = 0; side < 2; side++) {
                double low = 0, high = 1;

                if (successes == (side ? trials : 0) || trials == 0)
                        continue;
                for (int i = 0; i < 60; i++) {
                        double middle = (low + high) / 2;
                        /* lower end: P[X >= k] = half; upper end: P[X <= k] = half */
                        double tail = side ? 1 - upper(trials, successes + 1, middle) : upper(trials, successes, middle);

                        if (side ? tail > half : tail < half)
                                low = middle;
                        else
                                high = middle;
                }
                bounds[side] = (low + high) / 2;
        }
        *ret_low = bounds[0];
        *ret_high = bounds[1];
}
