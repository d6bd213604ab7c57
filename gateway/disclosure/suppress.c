#include "gateway/disclosure/suppress.h"

#include "base/cleanup.h"
#include "gateway/disclosure/protect.h"

#include <math.h>
#include <string.h>

/* Costs are whole, so that a bound above cost - 1 proves the cost. */
static const double WHOLE = 0.999;
/* A cut is added when it is violated by this much. */
static const double VIOLATED = 1e-4;
/* For the heuristic and the last proofs, which must end well: far more than they need. */
static const double PATIENCE = 600;
static const double FAR = 10000; /* as in attack.c */

enum { MOST_LINEAR_ROUNDS = 60 };

struct exact {
        const struct gbx_system *system;
        struct gbx_plan *plan; /* attacks, and what the master proposes */
        struct gbx_solver *master;
        double deadline;
        double *shares;
        size_t *columns; /* room for one row */
        double *values;
        double bound;
        size_t rounds;
        size_t *cheapest; /* decisions by ascending cost */
};

/* sum over others of coefficient * open >= own * open of the demand's decision. Decisions that are open anyway are
 * constants. */
static int add_cut(struct exact *x, size_t decision, const double *coefficients, double own, struct gbx_error *err) {
        double constant = 0, lower;
        size_t count = 0;

        for (size_t d = 0; d < x->system->decision_count; d++) {
                double value = d == decision ? -own : coefficients[d];

                if (value == 0)
                        continue;
                if (x->system->decisions[d].forced) {
                        constant += value;
                        continue;
                }
                x->columns[count] = d;
                x->values[count++] = value;
        }
        lower = -constant;
        if (count == 0)
                return 0;
        return gbx_solver_add_row(x->master, count, x->columns, x->values, lower, INFINITY, err);
}

/* Nothing else but these is open: something more must be. */
static int add_more(struct exact *x, size_t decision, struct gbx_error *err) {
        for (size_t d = 0; d < x->system->decision_count; d++)
                x->plan->cut[d] = !x->plan->open[d];
        return add_cut(x, decision, x->plan->cut, 1, err);
}

/* In each equation a protected cell is never the only one that is open. */
static int add_first_cuts(struct exact *x, struct gbx_error *err) {
        const struct gbx_system *system = x->system;

        for (size_t e = 0; e < system->equation_count; e++) {
                const struct gbx_system_term *terms = system->terms + system->equations[e].first;

                for (size_t t = 0; t < system->equations[e].count; t++) {
                        const struct gbx_system_cell *cell = &system->cells[terms[t].cell];
                        int r;

                        if (cell->lower == 0 && cell->upper == 0)
                                continue;
                        memset(x->plan->cut, 0, system->decision_count * sizeof *x->plan->cut);
                        for (size_t o = 0; o < system->equations[e].count; o++)
                                if (o != t)
                                        x->plan->cut[system->cells[terms[o].cell].decision] = 1;
                        x->plan->cut[cell->decision] = 0;
                        r = add_cut(x, cell->decision, x->plan->cut, 1, err);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int start_master(struct exact *x, struct gbx_error *err) {
        int r = gbx_solver_new(x->system->decision_count, &x->master, err);

        if (r < 0)
                return r;
        for (size_t d = 0; d < x->system->decision_count; d++) {
                gbx_solver_set_bounds(x->master, d, x->system->decisions[d].forced, 1);
                gbx_solver_set_objective(x->master, d, (double)x->system->decisions[d].cost);
        }
        return add_first_cuts(x, err);
}

/* Attacks a fractional proposal; adds what it violates. Returns how many, or an error. */
static int attack_shares(struct exact *x, struct gbx_error *err) {
        int added = 0;

        for (size_t i = 0; i < x->plan->demand_count; i++) {
                const struct gbx_demand *demand = &x->plan->demands[i];
                size_t own = x->system->cells[demand->cell].decision;
                double sum = 0;
                int r;

                if (x->shares[own] < VIOLATED)
                        continue;
                r = gbx_attack_run(x->plan->attack, demand->cell, demand->high, x->shares, 1, x->deadline, x->plan->moves,
                                   x->plan->cut, err);
                if (r < 0 || r == GBX_ATTACK_TIME)
                        return r < 0 ? r : added;
                if (r == GBX_ATTACK_FAILS)
                        continue;
                for (size_t d = 0; d < x->system->decision_count; d++)
                        sum += d == own ? 0 : x->plan->cut[d] * x->shares[d];
                if (sum > (1 - x->plan->cut[own]) * x->shares[own] - VIOLATED)
                        continue;
                r = add_cut(x, own, x->plan->cut, 1 - x->plan->cut[own], err);
                if (r < 0)
                        return r;
                added++;
        }
        return added;
}

/* Cuts for the master without whole numbers: quick, and most of what is needed. */
static int tighten(struct exact *x, double known, struct gbx_error *err) {
        for (int round = 0; round < MOST_LINEAR_ROUNDS; round++) {
                double bound;
                int r = gbx_solver_minimise(x->master, false, x->deadline, &bound, err);

                if (r != GBX_SOLVER_OPTIMAL)
                        return r < 0 ? r : 0;
                x->bound = fmax(x->bound, bound);
                if (x->bound > known - WHOLE)
                        return 0;
                for (size_t d = 0; d < x->system->decision_count; d++)
                        x->shares[d] = fmin(1, fmax(0, gbx_solver_value(x->master, d)));
                r = attack_shares(x, err);
                if (r <= 0)
                        return r;
        }
        return 0;
}

/* Opens as much as the attacker can bear without losing: the fewer decisions are left, the more the inequality "one of
 * them must be open" says. Cheap ones go first, so that dear ones are left. */
static int deepen(struct exact *x, const struct gbx_demand *demand, struct gbx_error *err) {
        const struct gbx_system *system = x->system;
        size_t own = system->cells[demand->cell].decision;
        int r;

        for (size_t d = 0; d < system->decision_count; d++)
                x->shares[d] = x->plan->open[d] || (x->plan->cut[d] == 0 && d != own);
        for (size_t i = 0; i < system->decision_count; i++) {
                size_t d = x->cheapest[i];

                if (x->shares[d] > 0 || gbx_solver_clock() > x->deadline)
                        continue;
                x->shares[d] = 1;
                r = gbx_attack_run(x->plan->attack, demand->cell, demand->high, x->shares, FAR, x->deadline, x->plan->moves,
                                   x->plan->cut, err);
                if (r < 0)
                        return r;
                if (r != GBX_ATTACK_WINS) {
                        x->shares[d] = 0;
                        continue;
                }
                for (size_t o = 0; o < system->decision_count; o++)
                        if (x->plan->cut[o] == 0)
                                x->shares[o] = 1;
        }
        for (size_t d = 0; d < system->decision_count; d++)
                x->plan->cut[d] = x->shares[d] > 0 ? 0 : 1;
        return add_cut(x, own, x->plan->cut, 1, err);
}

/* The inequalities of one demand that the proposal does not meet. */
static int answer(struct exact *x, struct gbx_demand *demand, bool cut, struct gbx_error *err) {
        size_t own = x->system->cells[demand->cell].decision;
        double sum = 0;
        int r;

        for (size_t d = 0; cut && d < x->system->decision_count; d++)
                sum += d != own && x->plan->open[d] ? x->plan->cut[d] : 0;
        if (!cut || sum >= 1 - x->plan->cut[own] - VIOLATED)
                return add_more(x, own, err);
        r = add_cut(x, own, x->plan->cut, 1 - x->plan->cut[own], err);
        return r < 0 ? r : deepen(x, demand, err);
}

/* Attacks a proposal of whole numbers with every demand; adds what is not met. Returns how many; -ETIMEDOUT where one
 * could not be decided. */
static int attack_proposal(struct exact *x, struct gbx_error *err) {
        int added = 0;

        for (size_t i = 0; i < x->plan->demand_count; i++) {
                bool cut;
                int r = gbx_plan_prove(x->plan, &x->plan->demands[i], x->deadline, &cut, err);

                if (r == GBX_ATTACK_TIME)
                        return -ETIMEDOUT;
                if (r == GBX_ATTACK_WINS && (r = answer(x, &x->plan->demands[i], cut, err)) == 0)
                        added++;
                if (r < 0)
                        return r;
        }
        return added;
}

/* 0: the plan holds the optimum. 1: the heuristic's answer, of cost `known`, is the optimum. -ETIMEDOUT: not decided. */
static int search(struct exact *x, double known, struct gbx_error *err) {
        int r = start_master(x, err);

        while (r >= 0) {
                double bound;

                r = tighten(x, known, err);
                if (r < 0 || x->bound > known - WHOLE)
                        return r < 0 ? r : 1;
                r = gbx_solver_minimise(x->master, true, x->deadline, &bound, err);
                if (r != GBX_SOLVER_OPTIMAL)
                        return r < 0 ? r : -ETIMEDOUT;
                x->rounds++;
                x->bound = fmax(x->bound, bound);
                if (x->bound > known - WHOLE)
                        return 1;
                for (size_t d = 0; d < x->system->decision_count; d++)
                        gbx_plan_open(x->plan, d, gbx_solver_value(x->master, d) > 0.5);
                r = attack_proposal(x, err);
                if (r == 0)
                        return 0;
        }
        return r;
}

static int by_cost(const void *a, const void *b, void *context) {
        const struct gbx_system_decision *decisions = context;
        size_t x = *(const size_t *)a, y = *(const size_t *)b;

        if (decisions[x].cost != decisions[y].cost)
                return decisions[x].cost < decisions[y].cost ? -1 : 1;
        return x < y ? -1 : x > y;
}

static void sort_by_cost(struct exact *x) {
        for (size_t d = 0; d < x->system->decision_count; d++)
                x->cheapest[d] = d;
        qsort_r(x->cheapest, x->system->decision_count, sizeof *x->cheapest, by_cost, x->system->decisions);
}

static void free_exact(struct exact *x) {
        gbx_solver_free(x->master);
        free(x->shares);
        free(x->cheapest);
        free(x->columns);
        free(x->values);
}

/* Improves a plan that holds. `plan` is replaced if something better was proven. */
static int improve(struct gbx_plan *plan, const struct gbx_suppress_options *options, struct gbx_suppression *ret, struct gbx_error *err) {
        struct gbx_plan proposal = {};
        struct exact x = { .system = plan->system, .plan = &proposal, .deadline = gbx_solver_clock() + options->seconds };
        size_t count = plan->system->decision_count + 1;
        int r = gbx_plan_start(plan->system, &proposal, err);

        x.shares = calloc(count, sizeof *x.shares);
        x.cheapest = calloc(count, sizeof *x.cheapest);
        x.columns = calloc(count, sizeof *x.columns);
        x.values = calloc(count, sizeof *x.values);
        if (x.cheapest)
                sort_by_cost(&x);
        if (r == 0)
                r = x.shares && x.cheapest && x.columns && x.values ? search(&x, (double)ret->cost, err) : gbx_fail_memory(err);
        if (r == 0) {
                struct gbx_plan better = proposal;

                proposal = *plan;
                *plan = better;
        }
        ret->optimal = r == 0 || r == 1;
        ret->bound = x.bound;
        ret->rounds = x.rounds;
        free_exact(&x);
        gbx_plan_clear(&proposal);
        return r == -ETIMEDOUT ? 0 : r < 0 ? r : 0;
}

static int hand_over(struct gbx_plan *plan, struct gbx_suppression *ret, struct gbx_error *err) {
        ret->witnesses = calloc(plan->demand_count + 1, sizeof *ret->witnesses);
        if (!ret->witnesses)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < plan->demand_count; i++) {
                struct gbx_demand *demand = &plan->demands[i];

                if (!plan->open[plan->system->cells[demand->cell].decision])
                        continue;
                ret->witnesses[ret->witness_count++] = demand->witness;
                demand->witness = (struct gbx_witness){};
        }
        ret->cost = gbx_plan_cost(plan);
        ret->bound = ret->optimal ? (double)ret->cost : fmin(ret->bound, (double)ret->cost);
        ret->decision_count = plan->system->decision_count;
        ret->open = gbx_take_ptr(plan->open);
        return 0;
}

int gbx_suppress(const struct gbx_system *system, const struct gbx_suppress_options *options, struct gbx_suppression *ret,
                 struct gbx_error *err) {
        gbx_auto(gbx_plan_clear) struct gbx_plan plan = {};
        struct gbx_suppression suppression = {};
        int r = gbx_plan_start(system, &plan, err);

        if (r < 0)
                return r;
        r = gbx_plan_complete(&plan, gbx_solver_clock() + PATIENCE, err);
        if (r != GBX_ATTACK_FAILS)
                return r < 0 ? r : GBX_SUPPRESS_IMPOSSIBLE;
        suppression.cost = gbx_plan_cost(&plan);
        if (!options->heuristic_only && options->seconds > 0)
                r = improve(&plan, options, &suppression, err);
        if (r == 0) /* nothing is believed from on the way: the plan as it stands */
                r = gbx_plan_prove_all(&plan, gbx_solver_clock() + PATIENCE, err);
        if (r == 0)
                r = hand_over(&plan, &suppression, err);
        if (r != 0) {
                gbx_suppression_clear(&suppression);
                return r < 0 ? r : GBX_SUPPRESS_IMPOSSIBLE;
        }
        *ret = suppression;
        return 0;
}

void gbx_suppression_clear(struct gbx_suppression *suppression) {
        for (size_t i = 0; i < suppression->witness_count; i++)
                gbx_witness_clear(&suppression->witnesses[i]);
        free(suppression->witnesses);
        free(suppression->open);
        *suppression = (struct gbx_suppression){};
}
