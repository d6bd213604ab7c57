/*
 * Regression models: coefficients with their standard errors
 *
 * Linear models are solved exactly, from sums of products and with rational
 * numbers: the digits depend on nothing but the data. Logistic ones are found
 * by Newton's method on the likelihood, in floating point and in the order of
 * the rows, so that the same data give the same digits too.
 */
#pragma once

#include "gateway/tabulate/cells.h"

enum { GBX_MODEL_MAX = GBX_TABLE_MAX_TERMS + 1 }; /* coefficients: the terms and the intercept */

struct gbx_model {
        const struct gbx_table *table;
        size_t parameters;
        uint64_t rows; /* with the outcome and all terms */
        struct gbx_wide products[GBX_MODEL_MAX + 1][GBX_MODEL_MAX + 1]; /* of 1, the terms and the outcome */
        double *matrix; /* of a logistic model: a row's terms, then its outcome */
        size_t capacity;
};

/* `ret` starts from {}; the table must live as long. */
void gbx_model_init(struct gbx_model *ret, const struct gbx_table *table);

/* 1: the row was taken. 0: it lacks an operand. */
int gbx_model_add(struct gbx_model *model, const struct gbx_scalar *row, struct gbx_scratch *scratch, struct gbx_error *err);

/* Appends "term,estimate,standard_error" and a line a coefficient. -EINVAL: there is no answer (terms that depend on each
 * other, too few rows, an outcome that the terms tell exactly). */
int gbx_model_solve(const struct gbx_model *model, struct gbx_buffer *csv, struct gbx_error *err);
void gbx_model_free(struct gbx_model *model);

/* Private (model_logistic.c): coefficients and their variances. */
int gbx_model_logistic(const struct gbx_model *model, double *ret_estimates, double *ret_errors, struct gbx_error *err);
