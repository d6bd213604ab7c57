/*
 * Linear and integer programs: the one door to the solver library
 *
 * minimise  sum objective * column
 * where     lower <= sum value * column <= upper   for each row
 *           lower <= column <= upper               for each column
 *
 * Answers are floating-point numbers and are never trusted: what they are used
 * for is checked with whole numbers (witness.h), or may be wrong only towards
 * suppressing more. Bounds may be INFINITY and -INFINITY.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_solver;

enum gbx_solver_outcome {
        GBX_SOLVER_OPTIMAL = 0,
        GBX_SOLVER_IMPOSSIBLE = 1, /* no values keep all rows and bounds */
        GBX_SOLVER_TIME = 2,       /* stopped by the deadline, or by trouble with the numbers; there are no values */
};

/* `columns` columns between 0 and 0 with objective 0. Errors: -ENOMEM. */
int gbx_solver_new(size_t columns, struct gbx_solver **ret, struct gbx_error *err);
void gbx_solver_free(struct gbx_solver *solver);
static inline void gbx_solver_freep(struct gbx_solver **solver) { gbx_solver_free(*solver); }

/* A row; each column at most once. Errors: -ENOMEM. */
int gbx_solver_add_row(struct gbx_solver *solver, size_t count, const size_t *columns, const double *values, double lower, double upper,
                       struct gbx_error *err);
void gbx_solver_set_bounds(struct gbx_solver *solver, size_t column, double lower, double upper);
void gbx_solver_set_objective(struct gbx_solver *solver, size_t column, double coefficient);

/* One of enum gbx_solver_outcome, or a negative error. With `integer` every column is a whole number; no reduced costs
 * then. `deadline`: seconds of gbx_solver_clock. `ret_bound` (may be NULL): nothing better than this exists. */
int gbx_solver_minimise(struct gbx_solver *solver, bool integer, double deadline, double *ret_bound, struct gbx_error *err);

double gbx_solver_value(const struct gbx_solver *solver, size_t column);
/* By how much the objective grows for each unit more of the column. */
double gbx_solver_reduced_cost(const struct gbx_solver *solver, size_t column);

/* Seconds of a clock that never steps back. */
double gbx_solver_clock(void);
