/* gbx_solver on GLPK. Its messages are off; its memory is freed with its objects. */
#include "gateway/disclosure/solver.h"

#include "base/cleanup.h"

#include <glpk.h>
#include <math.h>
#include <time.h>

struct gbx_solver {
        glp_prob *problem;
        bool integer; /* the last solution is a whole-number one */
        int *indices;
        double *values;
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
        glp_term_out(GLP_OFF);
        solver->indices = calloc(columns + 1, sizeof *solver->indices);
        solver->values = calloc(columns + 1, sizeof *solver->values);
        if (!solver->indices || !solver->values) {
                gbx_solver_free(solver);
                return gbx_fail_memory(err);
        }
        solver->problem = glp_create_prob();
        glp_set_obj_dir(solver->problem, GLP_MIN);
        (void)glp_add_cols(solver->problem, (int)columns);
        for (size_t i = 0; i < columns; i++)
                gbx_solver_set_bounds(solver, i, 0, 0);
        *ret = solver;
        return 0;
}

void gbx_solver_free(struct gbx_solver *solver) {
        if (!solver)
                return;
        if (solver->problem)
                glp_delete_prob(solver->problem);
        free(solver->indices);
        free(solver->values);
        free(solver);
}

static int kind_of(double lower, double upper) {
        if (isinf(lower))
                return isinf(upper) ? GLP_FR : GLP_UP;
        if (isinf(upper))
                return GLP_LO;
        return lower < upper ? GLP_DB : GLP_FX;
}

int gbx_solver_add_row(struct gbx_solver *solver, size_t count, const size_t *columns, const double *values, double lower, double upper,
                       struct gbx_error *err) {
        int row = glp_add_rows(solver->problem, 1);

        (void)err;
        for (size_t i = 0; i < count; i++) {
                solver->indices[i + 1] = (int)columns[i] + 1;
                solver->values[i + 1] = values[i];
        }
        glp_set_mat_row(solver->problem, row, (int)count, solver->indices, solver->values);
        glp_set_row_bnds(solver->problem, row, kind_of(lower, upper), lower, upper);
        return 0;
}

void gbx_solver_set_bounds(struct gbx_solver *solver, size_t column, double lower, double upper) {
        glp_set_col_bnds(solver->problem, (int)column + 1, kind_of(lower, upper), lower, upper);
}

void gbx_solver_set_objective(struct gbx_solver *solver, size_t column, double coefficient) {
        glp_set_obj_coef(solver->problem, (int)column + 1, coefficient);
}

static int milliseconds_left(double deadline) {
        double left = (deadline - gbx_solver_clock()) * 1000;

        return left < 1 ? 1 : left > 1e9 ? 1000000000 : (int)left;
}

static int solve_linear(struct gbx_solver *solver, double deadline) {
        glp_smcp parameters;
        int r;

        glp_init_smcp(&parameters);
        parameters.msg_lev = GLP_MSG_OFF;
        parameters.tm_lim = milliseconds_left(deadline);
        parameters.meth = GLP_DUALP;
        r = glp_simplex(solver->problem, &parameters);
        if (r == GLP_ESING || r == GLP_ECOND || r == GLP_EBADB || r == GLP_EFAIL) { /* numbers went astray: from a fresh basis */
                glp_std_basis(solver->problem);
                r = glp_simplex(solver->problem, &parameters);
        }
        if (r != 0)
                return GBX_SOLVER_TIME;
        switch (glp_get_status(solver->problem)) {
        case GLP_OPT:
                return GBX_SOLVER_OPTIMAL;
        case GLP_NOFEAS:
                return GBX_SOLVER_IMPOSSIBLE;
        default:
                return GBX_SOLVER_TIME;
        }
}

static int solve_integer(struct gbx_solver *solver, double deadline, double *ret_bound) {
        glp_iocp parameters;

        for (int i = 1; i <= glp_get_num_cols(solver->problem); i++)
                glp_set_col_kind(solver->problem, i, GLP_IV);
        glp_init_iocp(&parameters);
        parameters.msg_lev = GLP_MSG_OFF;
        parameters.presolve = GLP_ON;
        parameters.gmi_cuts = parameters.mir_cuts = GLP_ON;
        parameters.tm_lim = milliseconds_left(deadline);
        if (glp_intopt(solver->problem, &parameters) == GLP_ENOPFS)
                return GBX_SOLVER_IMPOSSIBLE;
        if (glp_mip_status(solver->problem) == GLP_NOFEAS)
                return GBX_SOLVER_IMPOSSIBLE;
        if (glp_mip_status(solver->problem) != GLP_OPT)
                return GBX_SOLVER_TIME;
        *ret_bound = glp_mip_obj_val(solver->problem);
        return GBX_SOLVER_OPTIMAL;
}

int gbx_solver_minimise(struct gbx_solver *solver, bool integer, double deadline, double *ret_bound, struct gbx_error *err) {
        double bound = -INFINITY;
        int r;

        (void)err;
        solver->integer = integer;
        if (integer) {
                r = solve_integer(solver, deadline, &bound);
        } else {
                r = solve_linear(solver, deadline);
                if (r == GBX_SOLVER_OPTIMAL)
                        bound = glp_get_obj_val(solver->problem);
        }
        if (ret_bound)
                *ret_bound = bound;
        return r;
}

double gbx_solver_value(const struct gbx_solver *solver, size_t column) {
        return solver->integer ? glp_mip_col_val(solver->problem, (int)column + 1) : glp_get_col_prim(solver->problem, (int)column + 1);
}

double gbx_solver_reduced_cost(const struct gbx_solver *solver, size_t column) {
        return glp_get_col_dual(solver->problem, (int)column + 1);
}
