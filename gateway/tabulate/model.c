#include "gateway/tabulate/model.h"

#include "base/cleanup.h"
#include "base/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gbx_model_init(struct gbx_model *ret, const struct gbx_table *table) {
        *ret = (struct gbx_model){ .table = table, .parameters = table->model.terms.count + 1 };
}

void gbx_model_free(struct gbx_model *model) {
        free(model->matrix);
        *model = (struct gbx_model){};
}

static int keep_row(struct gbx_model *model, const int64_t *numbers, struct gbx_error *err) {
        const struct gbx_table_model *terms = &model->table->model;
        size_t width = model->parameters + 1;
        double *place;

        if (model->rows == model->capacity) {
                size_t capacity = model->capacity ? model->capacity * 2 : 1024;
                double *all = reallocarray(model->matrix, capacity, width * sizeof *all);

                if (!all)
                        return gbx_fail_memory(err);
                model->matrix = all;
                model->capacity = capacity;
        }
        place = model->matrix + model->rows * width;
        for (size_t i = 0; i < width; i++) {
                double unit = 1;

                for (unsigned k = i > 0 && i < model->parameters ? terms->term_expressions[i - 1]->type.scale : 0; k > 0; k--)
                        unit *= 10;
                place[i] = (double)numbers[i] / unit;
        }
        return 0;
}

int gbx_model_add(struct gbx_model *model, const struct gbx_scalar *row, struct gbx_scratch *scratch, struct gbx_error *err) {
        const struct gbx_table_model *terms = &model->table->model;
        int64_t numbers[GBX_MODEL_MAX + 1] = { 1 };
        int r = 0;

        for (size_t i = 1; i <= model->parameters; i++) {
                const struct gbx_expression *expression = i < model->parameters ? terms->term_expressions[i - 1] : terms->outcome_expression;
                struct gbx_scalar value;

                r = gbx_expression_evaluate(expression, row, scratch, &value, err);
                if (r < 0)
                        return gbx_context(err, r, "table '%s', model", model->table->name);
                if (value.missing)
                        return 0;
                numbers[i] = value.number;
        }
        if (terms->kind == GBX_MODEL_LOGISTIC)
                r = keep_row(model, numbers, err);
        else
                for (size_t i = 0; i <= model->parameters; i++)
                        for (size_t k = 0; k <= i; k++)
                                gbx_wide_add_product(&model->products[i][k], numbers[i], numbers[k]);
        if (r < 0)
                return r;
        model->rows++;
        return 1;
}

/* --- linear: exact --------------------------------------------------------------------- */

/* X'X beside the unit matrix, which becomes its inverse. */
struct system {
        size_t size;
        mpq_t left[GBX_MODEL_MAX][GBX_MODEL_MAX], right[GBX_MODEL_MAX][GBX_MODEL_MAX];
        mpq_t factor, product;
};

static void fill(struct system *system, const struct gbx_model *model) {
        system->size = model->parameters;
        mpq_inits(system->factor, system->product, NULL);
        for (size_t i = 0; i < system->size; i++)
                for (size_t k = 0; k < system->size; k++) {
                        mpq_inits(system->left[i][k], system->right[i][k], NULL);
                        gbx_wide_to_mpz(&model->products[i > k ? i : k][i > k ? k : i], mpq_numref(system->left[i][k]));
                        mpq_set_ui(system->right[i][k], i == k, 1);
                }
}

static void clear(struct system *system) {
        mpq_clears(system->factor, system->product, NULL);
        for (size_t i = 0; i < system->size; i++)
                for (size_t k = 0; k < system->size; k++)
                        mpq_clears(system->left[i][k], system->right[i][k], NULL);
}

/* row -= factor * pivot's row */
static void subtract(struct system *system, size_t row, size_t pivot) {
        mpq_set(system->factor, system->left[row][pivot]);
        for (size_t k = 0; k < system->size; k++) {
                mpq_mul(system->product, system->factor, system->left[pivot][k]);
                mpq_sub(system->left[row][k], system->left[row][k], system->product);
                mpq_mul(system->product, system->factor, system->right[pivot][k]);
                mpq_sub(system->right[row][k], system->right[row][k], system->product);
        }
}

/* Gauss and Jordan. X'X is positive semidefinite: a pivot of zero means that terms depend on each other. */
static bool invert(struct system *system) {
        for (size_t pivot = 0; pivot < system->size; pivot++) {
                if (mpq_sgn(system->left[pivot][pivot]) == 0)
                        return false;
                mpq_inv(system->factor, system->left[pivot][pivot]);
                for (size_t k = 0; k < system->size; k++) {
                        mpq_mul(system->left[pivot][k], system->left[pivot][k], system->factor);
                        mpq_mul(system->right[pivot][k], system->right[pivot][k], system->factor);
                }
                for (size_t row = 0; row < system->size; row++)
                        if (row != pivot)
                                subtract(system, row, pivot);
        }
        return true;
}

static int append_line(const struct gbx_model *model, size_t index, const char *estimate, const char *error, struct gbx_buffer *csv, struct gbx_error *err) {
        const char *name = index ? model->table->model.terms.items[index - 1] : "(intercept)";
        int r = gbx_csv_write_field(csv, name, strlen(name), false, err);

        return r < 0 ? r : gbx_buffer_printf(csv, err, ",%s,%s\n", estimate, error);
}

static void times_power(mpz_t value, unsigned exponent) {
        mpz_t power;

        mpz_init(power);
        mpz_ui_pow_ui(power, 10, exponent);
        mpz_mul(value, value, power);
        mpz_clear(power);
}

/* A coefficient is in units of the outcome's last decimal by the term's: both scales are put right here. */
static int append_coefficient(const struct gbx_model *model, const struct system *system, size_t index, const mpq_t estimate, const mpq_t variance,
                              struct gbx_buffer *csv, struct gbx_error *err) {
        unsigned up = index ? model->table->model.term_expressions[index - 1]->type.scale : 0, down = model->table->model.outcome_expression->type.scale;
        char first[GBX_WIDE_TEXT_SIZE], second[GBX_WIDE_TEXT_SIZE];
        mpq_t value, square;
        bool good;

        mpq_inits(value, square, NULL);
        mpq_set(value, estimate);
        mpq_mul(square, variance, system->right[index][index]);
        times_power(mpq_numref(value), up);
        times_power(mpq_denref(value), down);
        times_power(mpq_numref(square), 2 * up);
        times_power(mpq_denref(square), 2 * down);
        good = gbx_quotient_text(mpq_numref(value), mpq_denref(value), GBX_STATISTIC_DECIMALS, first) &&
               gbx_root_text(1, mpq_numref(square), mpq_denref(square), GBX_STATISTIC_DECIMALS, second);
        mpq_clears(value, square, NULL);
        return good ? append_line(model, index, first, second, csv, err) :
                      gbx_fail(err, -ERANGE, "table '%s': a coefficient is too large to be written", model->table->name);
}

/* Coefficients, and from them the residual variance: (y'y - b'X'y) / (n - p). */
static int write_linear(const struct gbx_model *model, struct system *system, struct gbx_buffer *csv, struct gbx_error *err) {
        size_t size = system->size;
        mpq_t estimates[GBX_MODEL_MAX], variance, value;
        int r = 0;

        mpq_inits(variance, value, NULL);
        gbx_wide_to_mpz(&model->products[size][size], mpq_numref(variance));
        for (size_t i = 0; i < size; i++) {
                mpq_init(estimates[i]);
                for (size_t k = 0; k < size; k++) {
                        mpq_set_ui(value, 0, 1);
                        gbx_wide_to_mpz(&model->products[size][k], mpq_numref(value));
                        mpq_mul(value, value, system->right[i][k]);
                        mpq_add(estimates[i], estimates[i], value);
                }
                mpq_set_ui(value, 0, 1);
                gbx_wide_to_mpz(&model->products[size][i], mpq_numref(value));
                mpq_mul(value, value, estimates[i]);
                mpq_sub(variance, variance, value);
        }
        mpq_set_ui(value, model->rows - size, 1);
        mpq_div(variance, variance, value);
        for (size_t i = 0; i < size && r >= 0; i++)
                r = append_coefficient(model, system, i, estimates[i], variance, csv, err);
        for (size_t i = 0; i < size; i++)
                mpq_clear(estimates[i]);
        mpq_clears(variance, value, NULL);
        return r;
}

static int solve_linear(const struct gbx_model *model, struct gbx_buffer *csv, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct system *system = calloc(1, sizeof *system);
        int r;

        if (!system)
                return gbx_fail_memory(err);
        fill(system, model);
        r = invert(system) ? write_linear(model, system, csv, err) :
                             gbx_fail(err, -EINVAL, "table '%s': the terms of the model depend on each other", model->table->name);
        clear(system);
        return r;
}

static int solve_logistic(const struct gbx_model *model, struct gbx_buffer *csv, struct gbx_error *err) {
        double estimates[GBX_MODEL_MAX], errors[GBX_MODEL_MAX];
        int r = gbx_model_logistic(model, estimates, errors, err);

        for (size_t i = 0; i < model->parameters && r >= 0; i++) {
                char first[GBX_WIDE_TEXT_SIZE * 4], second[GBX_WIDE_TEXT_SIZE * 4];

                (void)snprintf(first, sizeof first, "%.*f", GBX_STATISTIC_DECIMALS, estimates[i]);
                (void)snprintf(second, sizeof second, "%.*f", GBX_STATISTIC_DECIMALS, errors[i]);
                r = append_line(model, i, first, second, csv, err);
        }
        return r;
}

int gbx_model_solve(const struct gbx_model *model, struct gbx_buffer *csv, struct gbx_error *err) {
        int r;

        if (model->rows <= model->parameters)
                return gbx_fail(err, -EINVAL, "table '%s': too few rows for a model of %zu coefficients", model->table->name, model->parameters);
        r = gbx_buffer_append_text(csv, "term,estimate,standard_error\n", err);
        if (r < 0)
                return r;
        return model->table->model.kind == GBX_MODEL_LOGISTIC ? solve_logistic(model, csv, err) : solve_linear(model, csv, err);
}
