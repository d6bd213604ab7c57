/* What marking does to a column of numbers as a whole */
#pragma once

#include "tests/tools/lab_grid.h"

#include <math.h>

struct sample {
        double *values;
        size_t count;
        double mean, variance;
};

static inline int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

static inline struct sample sample_column(struct grid *grid, size_t column) {
        struct sample s = { .values = calloc(grid->rows, sizeof *s.values) };
        struct gbx_number number;

        if (!s.values)
                abort();
        for (size_t row = 0; row < grid->rows; row++)
                if (grid_number(grid, row, column, &number))
                        s.mean += s.values[s.count++] = gbx_number_double(number);
        s.mean /= (double)s.count;
        for (size_t i = 0; i < s.count; i++)
                s.variance += (s.values[i] - s.mean) * (s.values[i] - s.mean) / (double)s.count;
        qsort(s.values, s.count, sizeof *s.values, by_value);
        return s;
}

/* Kolmogorov-Smirnov distance of two sorted samples. */
static inline double ks_distance(const struct sample *a, const struct sample *b) {
        double worst = 0;

        for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
                double at = fmin(a->values[i], b->values[k]);

                while (i < a->count && a->values[i] <= at)
                        i++;
                while (k < b->count && b->values[k] <= at)
                        k++;
                worst = fmax(worst, fabs((double)i / (double)a->count - (double)k / (double)b->count));
        }
        return worst;
}
