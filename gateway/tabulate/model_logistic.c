#include "gateway/tabulate/model.h"

#include <math.h>
#include <string.h>

enum { STEPS_MAX = 50 };

struct newton {
        size_t size;
        long double information[GBX_MODEL_MAX][GBX_MODEL_MAX]; /* X'WX */
        long double score[GBX_MODEL_MAX];                      /* X'(y - p) */
        long double inverse[GBX_MODEL_MAX][GBX_MODEL_MAX];
        long double estimates[GBX_MODEL_MAX];
};

static void collect(struct newton *newton, const struct gbx_model *model) {
        size_t size = newton->size;

        memset(newton->information, 0, sizeof newton->information);
        memset(newton->score, 0, sizeof newton->score);
        for (uint64_t row = 0; row < model->rows; row++) {
                const double *x = model->matrix + row * (size + 1);
                long double sum = 0, p, w;

                for (size_t i = 0; i < size; i++)
                        sum += newton->estimates[i] * (long double)x[i];
                p = 1 / (1 + expl(-sum));
                w = p * (1 - p);
                for (size_t i = 0; i < size; i++) {
                        newton->score[i] += (long double)x[i] * ((long double)x[size] - p);
                        for (size_t k = 0; k < size; k++)
                                newton->information[i][k] += w * (long double)x[i] * (long double)x[k];
                }
        }
}

static void swap_rows(long double (*matrix)[GBX_MODEL_MAX], size_t a, size_t b) {
        long double row[GBX_MODEL_MAX];

        memcpy(row, matrix[a], sizeof row);
        memcpy(matrix[a], matrix[b], sizeof row);
        memcpy(matrix[b], row, sizeof row);
}

/* Gauss and Jordan with the largest pivot of the column. False: no inverse. */
static bool invert(struct newton *newton) {
        size_t size = newton->size;

        memset(newton->inverse, 0, sizeof newton->inverse);
        for (size_t i = 0; i < size; i++)
                newton->inverse[i][i] = 1;
        for (size_t pivot = 0; pivot < size; pivot++) {
                long double scale = newton->information[pivot][pivot], factor;
                size_t best = pivot;

                for (size_t row = pivot + 1; row < size; row++)
                        if (fabsl(newton->information[row][pivot]) > fabsl(newton->information[best][pivot]))
                                best = row;
                swap_rows(newton->information, pivot, best);
                swap_rows(newton->inverse, pivot, best);
                scale = newton->information[pivot][pivot];
                if (!(fabsl(scale) > 1e-15L))
                        return false;
                for (size_t k = 0; k < size; k++) {
                        newton->information[pivot][k] /= scale;
                        newton->inverse[pivot][k] /= scale;
                }
                for (size_t row = 0; row < size; row++) {
                        factor = newton->information[row][pivot];
                        for (size_t k = 0; k < size && row != pivot; k++) {
                                newton->information[row][k] -= factor * newton->information[pivot][k];
                                newton->inverse[row][k] -= factor * newton->inverse[pivot][k];
                        }
                }
        }
        return true;
}

int gbx_model_logistic(const struct gbx_model *model, double *ret_estimates, double *ret_errors, struct gbx_error *err) {
        struct newton newton = { .size = model->parameters };

        for (int step = 0; step < STEPS_MAX; step++) {
                long double largest = 0;

                collect(&newton, model);
                if (!invert(&newton))
                        break;
                for (size_t i = 0; i < newton.size; i++) {
                        long double change = 0;

                        for (size_t k = 0; k < newton.size; k++)
                                change += newton.inverse[i][k] * newton.score[k];
                        newton.estimates[i] += change;
                        largest = fmaxl(largest, fabsl(change) / (fabsl(newton.estimates[i]) + 1e-3L));
                }
                if (!(largest < 1e-12L))
                        continue;
                for (size_t i = 0; i < newton.size; i++) {
                        ret_estimates[i] = (double)newton.estimates[i];
                        ret_errors[i] = (double)sqrtl(newton.inverse[i][i]);
                }
                return 0;
        }
        return gbx_fail(err, -EINVAL, "table '%s': the logistic model has no answer: its terms depend on each other, or tell the outcome exactly",
                        model->table->name);
}
