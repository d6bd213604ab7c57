#include "gateway/disclosure/attack.h"

#include "base/cleanup.h"

#include <math.h>

/* Below this a reduced cost is noise. Taking a true one for noise only makes a cut ask for more. */
static const double NOISE = 1e-9;
/* No completion of interest moves a cell by more needs than this; the numbers stay near 1. */
static const double FAR = 10000;
static const double SLACK = 1e-7;

struct gbx_attack {
        const struct gbx_system *system;
        struct gbx_solver *bound; /* one column a cell: its move */
        struct gbx_solver *price; /* two columns a cell: up and down */
};

static int add_equations(const struct gbx_system *system, struct gbx_solver *solver, size_t per_cell, struct gbx_error *err) {
        size_t most = 1;

        for (size_t e = 0; e < system->equation_count; e++)
                most = system->equations[e].count > most ? system->equations[e].count : most;

        gbx_auto(gbx_free_pointer) size_t *columns = calloc(most * per_cell, sizeof *columns);
        gbx_auto(gbx_free_pointer) double *values = calloc(most * per_cell, sizeof *values);
        if (!columns || !values)
                return gbx_fail_memory(err);
        for (size_t e = 0; e < system->equation_count; e++) {
                const struct gbx_system_equation *equation = &system->equations[e];
                size_t count = 0;
                int r;

                for (size_t t = 0; t < equation->count; t++) {
                        const struct gbx_system_term *term = &system->terms[equation->first + t];

                        for (size_t side = 0; side < per_cell; side++) {
                                columns[count] = term->cell * per_cell + side;
                                values[count++] = side ? -term->coefficient : term->coefficient;
                        }
                }
                r = gbx_solver_add_row(solver, count, columns, values, 0, 0, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_attack_new(const struct gbx_system *system, struct gbx_attack **ret, struct gbx_error *err) {
        gbx_auto(gbx_attack_freep) struct gbx_attack *attack = calloc(1, sizeof *attack);
        int r;

        if (!attack)
                return gbx_fail_memory(err);
        attack->system = system;
        r = gbx_solver_new(system->cell_count, &attack->bound, err);
        if (r == 0)
                r = gbx_solver_new(system->cell_count * 2, &attack->price, err);
        if (r == 0)
                r = add_equations(system, attack->bound, 1, err);
        if (r == 0)
                r = add_equations(system, attack->price, 2, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(attack);
        return 0;
}

void gbx_attack_free(struct gbx_attack *attack) {
        if (!attack)
                return;
        gbx_solver_free(attack->bound);
        gbx_solver_free(attack->price);
        free(attack);
}

int64_t gbx_attack_need(const struct gbx_system *system, size_t cell, bool high) {
        return high ? system->cells[cell].upper : system->cells[cell].lower;
}

/* How far down a cell may go, in needs; INFINITY if nothing stops it. */
static double room_below(const struct gbx_system_cell *cell, double need) {
        return cell->non_negative ? (double)cell->value / need : INFINITY;
}

/* The dual of the attacker's program: each cell lets the attacked one move by at most |weight| times its own room, so the
 * sum of those over what is open must be 1 at least. One that alone suffices counts as 1. */
static void make_cut(const struct gbx_attack *attack, size_t cell, bool high, double need, double *ret_cut) {
        const struct gbx_system *system = attack->system;

        for (size_t d = 0; d < system->decision_count; d++)
                ret_cut[d] = 0;
        for (size_t i = 0; i < system->cell_count; i++) {
                /* The program minimises, so that the weight is the reduced cost with the other sign. */
                double weight = -gbx_solver_reduced_cost(attack->bound, i), *cut = &ret_cut[system->cells[i].decision], room;

                if (i == cell && (high ? weight < 0 : weight > 0))
                        continue; /* its other direction is closed to it */
                if (fabs(weight) < NOISE)
                        continue;
                room = weight > 0 ? INFINITY : room_below(&system->cells[i], need);
                *cut = fmin(1, *cut + fabs(weight) * room);
        }
}

int gbx_attack_run(struct gbx_attack *attack, size_t cell, bool high, const double *open, double reach, double deadline,
                   double *ret_moves, double *ret_cut, struct gbx_error *err) {
        const struct gbx_system *system = attack->system;
        double need = (double)gbx_attack_need(system, cell, high), best;
        int r;

        for (size_t i = 0; i < system->cell_count; i++) {
                double share = open[system->cells[i].decision];

                gbx_solver_set_bounds(attack->bound, i, -share * fmin(reach, room_below(&system->cells[i], need)), share * reach);
        }
        gbx_solver_set_bounds(attack->bound, cell, high ? 0 : -1, high ? 1 : 0);
        gbx_solver_set_objective(attack->bound, cell, high ? -1 : 1);
        r = gbx_solver_minimise(attack->bound, false, deadline, &best, err);
        gbx_solver_set_objective(attack->bound, cell, 0);
        if (r < 0)
                return r;
        if (r != GBX_SOLVER_OPTIMAL)
                return GBX_ATTACK_TIME;
        if (-best >= open[system->cells[cell].decision] - SLACK) {
                for (size_t i = 0; i < system->cell_count; i++)
                        ret_moves[i] = gbx_solver_value(attack->bound, i) * need;
                return GBX_ATTACK_FAILS;
        }
        make_cut(attack, cell, high, need, ret_cut);
        return GBX_ATTACK_WINS;
}

int gbx_attack_run_integer(struct gbx_attack *attack, size_t cell, bool high, const bool *open, double deadline, double *ret_moves,
                           struct gbx_error *err) {
        const struct gbx_system *system = attack->system;
        double need = (double)gbx_attack_need(system, cell, high);
        int r;

        for (size_t i = 0; i < system->cell_count; i++) {
                double far = open[system->cells[i].decision] ? need * FAR : 0;

                gbx_solver_set_bounds(attack->price, 2 * i, 0, far);
                gbx_solver_set_bounds(attack->price, 2 * i + 1, 0,
                                      system->cells[i].non_negative ? fmin(far, (double)system->cells[i].value) : far);
                gbx_solver_set_objective(attack->price, 2 * i, 1);
                gbx_solver_set_objective(attack->price, 2 * i + 1, 1);
        }
        gbx_solver_set_bounds(attack->price, 2 * cell + !high, need, need);
        gbx_solver_set_bounds(attack->price, 2 * cell + high, 0, 0);
        r = gbx_solver_minimise(attack->price, true, deadline, NULL, err);
        if (r < 0)
                return r;
        if (r == GBX_SOLVER_TIME)
                return GBX_ATTACK_TIME;
        if (r == GBX_SOLVER_IMPOSSIBLE)
                return GBX_ATTACK_WINS;
        for (size_t i = 0; i < system->cell_count; i++)
                ret_moves[i] = gbx_solver_value(attack->price, 2 * i) - gbx_solver_value(attack->price, 2 * i + 1);
        return GBX_ATTACK_FAILS;
}

int gbx_attack_cheapest(struct gbx_attack *attack, size_t cell, bool high, const double *price, double deadline, double *ret_moves,
                        struct gbx_error *err) {
        const struct gbx_system *system = attack->system;
        double need = (double)gbx_attack_need(system, cell, high);
        int r;

        for (size_t i = 0; i < system->cell_count; i++) {
                double each = price[system->cells[i].decision];

                gbx_solver_set_bounds(attack->price, 2 * i, 0, FAR);
                gbx_solver_set_bounds(attack->price, 2 * i + 1, 0, fmin(FAR, room_below(&system->cells[i], need)));
                gbx_solver_set_objective(attack->price, 2 * i, each);
                gbx_solver_set_objective(attack->price, 2 * i + 1, each);
        }
        gbx_solver_set_bounds(attack->price, 2 * cell + !high, 1, 1);
        gbx_solver_set_bounds(attack->price, 2 * cell + high, 0, 0);
        r = gbx_solver_minimise(attack->price, false, deadline, NULL, err);
        if (r < 0)
                return r;
        if (r == GBX_SOLVER_TIME)
                return GBX_ATTACK_TIME;
        if (r == GBX_SOLVER_IMPOSSIBLE)
                return GBX_ATTACK_WINS;
        for (size_t i = 0; i < system->cell_count; i++)
                ret_moves[i] = (gbx_solver_value(attack->price, 2 * i) - gbx_solver_value(attack->price, 2 * i + 1)) * need;
        return GBX_ATTACK_FAILS;
}
