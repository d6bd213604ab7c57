/* gbx_solver on CLP (linear) and CBC (integer) instead of GLPK: what scripts/bench disclosure compares it with.
 * Rows and bounds are kept here as well: an
 * integer program is given to a new CBC model each time, which leaves nothing behind in it. */
#include "gateway/disclosure/solver.h"

#include "base/cleanup.h"

#include <coin/Cbc_C_Interface.h>
#include <coin/Clp_C_Interface.h>
#include <math.h>
#include <string.h>
#include <time.h>

struct gbx_solver {
        Clp_Simplex *linear;
        size_t column_count, row_count, entry_count;
        size_t row_capacity, entry_capacity;
        double *lower, *upper, *objective;        /* of columns */
        double *row_lower, *row_upper;            /* of rows */
        int *row_start, *indices;                 /* entries row by row */
        double *values;
        double *answer; /* of the integer program; NULL after a linear one */
        double *integer_values;
        size_t loaded; /* rows that the linear model has */
};

double gbx_solver_clock(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int gbx_solver_new(size_t columns, struct gbx_solver **ret, struct gbx_error *err) {
        struct gbx_solver *solver = calloc(1, sizeof *solver);

        if (!solver)
                return gbx_fail_memory(err);
        solver->column_count = columns;
        solver->lower = calloc(columns + 1, sizeof(double));
        solver->upper = calloc(columns + 1, sizeof(double));
        solver->objective = calloc(columns + 1, sizeof(double));
        solver->integer_values = calloc(columns + 1, sizeof(double));
        solver->row_start = calloc(1, sizeof(int));
        if (!solver->lower || !solver->upper || !solver->objective || !solver->integer_values || !solver->row_start) {
                gbx_solver_free(solver);
                return gbx_fail_memory(err);
        }
        *ret = solver;
        return 0;
}

void gbx_solver_free(struct gbx_solver *solver) {
        if (!solver)
                return;
        if (solver->linear)
                Clp_deleteModel(solver->linear);
        free(solver->lower);
        free(solver->upper);
        free(solver->objective);
        free(solver->integer_values);
        free(solver->row_lower);
        free(solver->row_upper);
        free(solver->row_start);
        free(solver->indices);
        free(solver->values);
        free(solver);
}

static int resize(void **array, size_t count, size_t item) {
        void *larger = realloc(*array, count * item);

        if (larger)
                *array = larger;
        return larger ? 0 : -ENOMEM;
}

static int make_room(struct gbx_solver *s, size_t entries, struct gbx_error *err) {
        int r = 0;

        if (s->row_count + 1 > s->row_capacity) {
                s->row_capacity = s->row_capacity * 2 + 64;
                r |= resize((void **)&s->row_lower, s->row_capacity, sizeof(double));
                r |= resize((void **)&s->row_upper, s->row_capacity, sizeof(double));
                r |= resize((void **)&s->row_start, s->row_capacity + 1, sizeof(int));
        }
        if (s->entry_count + entries > s->entry_capacity) {
                s->entry_capacity = s->entry_capacity * 2 + entries + 256;
                r |= resize((void **)&s->indices, s->entry_capacity, sizeof(int));
                r |= resize((void **)&s->values, s->entry_capacity, sizeof(double));
        }
        return r ? gbx_fail_memory(err) : 0;
}

int gbx_solver_add_row(struct gbx_solver *s, size_t count, const size_t *columns, const double *values, double lower, double upper,
                       struct gbx_error *err) {
        int r = make_room(s, count, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++) {
                s->indices[s->entry_count] = (int)columns[i];
                s->values[s->entry_count++] = values[i];
        }
        s->row_lower[s->row_count] = lower;
        s->row_upper[s->row_count] = upper;
        s->row_start[++s->row_count] = (int)s->entry_count;
        return 0;
}

void gbx_solver_set_bounds(struct gbx_solver *s, size_t column, double lower, double upper) {
        s->lower[column] = lower;
        s->upper[column] = upper;
}

void gbx_solver_set_objective(struct gbx_solver *s, size_t column, double coefficient) { s->objective[column] = coefficient; }

static double bounded(double bound) { return isinf(bound) ? (bound > 0 ? 1e50 : -1e50) : bound; }

/* Hands the rows that are new, and all bounds and coefficients, to the linear model; its basis stays. */
static int update_linear(struct gbx_solver *s, struct gbx_error *err) {
        size_t fresh = s->row_count - s->loaded;
        gbx_auto(gbx_free_pointer) int *starts = malloc((fresh + 1) * sizeof *starts);
        double *lower, *upper, *objective;

        if (!starts)
                return gbx_fail_memory(err);
        if (!s->linear) {
                s->linear = Clp_newModel();
                Clp_setLogLevel(s->linear, 0);
                Clp_addColumns(s->linear, (int)s->column_count, s->lower, s->upper, s->objective, NULL, NULL, NULL);
        }
        if (fresh > 0) {
                int base = s->row_start[s->loaded];

                for (size_t i = 0; i <= fresh; i++)
                        starts[i] = s->row_start[s->loaded + i] - base;
                Clp_addRows(s->linear, (int)fresh, s->row_lower + s->loaded, s->row_upper + s->loaded, starts, s->indices + base,
                            s->values + base);
                s->loaded = s->row_count;
        }
        lower = Clp_columnLower(s->linear);
        upper = Clp_columnUpper(s->linear);
        objective = Clp_objective(s->linear);
        for (size_t i = 0; i < s->column_count; i++) {
                lower[i] = bounded(s->lower[i]);
                upper[i] = bounded(s->upper[i]);
                objective[i] = s->objective[i];
        }
        return 0;
}

static int solve_linear(struct gbx_solver *s, double deadline, struct gbx_error *err) {
        double left = deadline - gbx_solver_clock();
        int r = update_linear(s, err);

        if (r < 0)
                return r;
        if (left <= 0)
                return GBX_SOLVER_TIME;
        Clp_setMaximumSeconds(s->linear, left);
        (void)Clp_dual(s->linear, 0);
        switch (Clp_status(s->linear)) {
        case 0:
                return GBX_SOLVER_OPTIMAL;
        case 1:
                return GBX_SOLVER_IMPOSSIBLE;
        default:
                return GBX_SOLVER_TIME;
        }
}

static int give_rows(const struct gbx_solver *s, Cbc_Model *model, struct gbx_error *err) {
        for (size_t i = 0; i < s->row_count; i++) {
                int first = s->row_start[i], count = s->row_start[i + 1] - first;
                double lower = s->row_lower[i], upper = s->row_upper[i];
                char sense = isinf(upper) ? 'G' : isinf(lower) ? 'L' : 'E';

                if (sense == 'E' && lower < upper)
                        return gbx_fail(err, -EINVAL, "solver: rows with two different bounds are not for integer programs");
                Cbc_addRow(model, "r", count, s->indices + first, s->values + first, sense, sense == 'L' ? upper : lower);
        }
        return 0;
}

static int solve_integer(struct gbx_solver *s, double deadline, double *ret_bound, struct gbx_error *err) {
        double left = deadline - gbx_solver_clock();
        Cbc_Model *model;
        int r;

        if (left <= 0)
                return GBX_SOLVER_TIME;
        model = Cbc_newModel();
        Cbc_setLogLevel(model, 0);
        for (size_t i = 0; i < s->column_count; i++)
                Cbc_addCol(model, "c", bounded(s->lower[i]), bounded(s->upper[i]), s->objective[i], 1, 0, NULL, NULL);
        r = give_rows(s, model, err);
        if (r == 0) {
                Cbc_setMaximumSeconds(model, left);
                Cbc_setParameter(model, "threads", "0");
                Cbc_solve(model);
                r = Cbc_isProvenInfeasible(model) ? GBX_SOLVER_IMPOSSIBLE
                    : Cbc_isProvenOptimal(model)  ? GBX_SOLVER_OPTIMAL : GBX_SOLVER_TIME;
        }
        if (r == GBX_SOLVER_OPTIMAL) {
                memcpy(s->integer_values, Cbc_getColSolution(model), s->column_count * sizeof(double));
                *ret_bound = Cbc_getBestPossibleObjValue(model);
                s->answer = s->integer_values;
        }
        Cbc_deleteModel(model);
        return r;
}

int gbx_solver_minimise(struct gbx_solver *s, bool integer, double deadline, double *ret_bound, struct gbx_error *err) {
        double bound = -INFINITY;
        int r;

        s->answer = NULL;
        if (integer) {
                r = solve_integer(s, deadline, &bound, err);
        } else {
                r = solve_linear(s, deadline, err);
                if (r == GBX_SOLVER_OPTIMAL)
                        bound = Clp_objectiveValue(s->linear);
        }
        if (ret_bound)
                *ret_bound = bound;
        return r;
}

double gbx_solver_value(const struct gbx_solver *s, size_t column) {
        return s->answer ? s->answer[column] : Clp_getColSolution(s->linear)[column];
}

double gbx_solver_reduced_cost(const struct gbx_solver *s, size_t column) { return Clp_getReducedCost(s->linear)[column]; }
