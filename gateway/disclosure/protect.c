#include "gateway/disclosure/protect.h"

#include "base/cleanup.h"

#include <string.h>

static const double FAR = 10000;

static void add_demands(struct gbx_plan *plan) {
        const struct gbx_system *system = plan->system;

        for (size_t i = 0; i < system->cell_count; i++)
                for (int high = 0; high <= 1; high++)
                        if (gbx_attack_need(system, i, high) > 0)
                                plan->demands[plan->demand_count++] = (struct gbx_demand){ .cell = i, .high = high };
}

int gbx_plan_start(const struct gbx_system *system, struct gbx_plan *ret, struct gbx_error *err) {
        struct gbx_plan plan = { .system = system };
        int r;

        plan.demands = calloc(system->cell_count * 2 + 1, sizeof *plan.demands);
        plan.open = calloc(system->decision_count + 1, sizeof *plan.open);
        plan.share = calloc(system->decision_count + 1, sizeof *plan.share);
        plan.moves = calloc(system->cell_count + 1, sizeof *plan.moves);
        plan.cut = calloc(system->decision_count + 1, sizeof *plan.cut);
        r = plan.demands && plan.open && plan.share && plan.moves && plan.cut ? gbx_attack_new(system, &plan.attack, err)
                                                                              : gbx_fail_memory(err);
        if (r < 0) {
                gbx_plan_clear(&plan);
                return r;
        }
        add_demands(&plan);
        for (size_t d = 0; d < system->decision_count; d++)
                gbx_plan_open(&plan, d, system->decisions[d].forced);
        *ret = plan;
        return 0;
}

void gbx_plan_clear(struct gbx_plan *plan) {
        for (size_t i = 0; plan->demands && i < plan->demand_count; i++)
                gbx_witness_clear(&plan->demands[i].witness);
        free(plan->demands);
        free(plan->open);
        free(plan->share);
        free(plan->moves);
        free(plan->cut);
        gbx_attack_free(plan->attack);
        *plan = (struct gbx_plan){};
}

void gbx_plan_open(struct gbx_plan *plan, size_t decision, bool open) {
        plan->open[decision] = open;
        plan->share[decision] = open;
}

int64_t gbx_plan_cost(const struct gbx_plan *plan) {
        int64_t cost = 0;

        for (size_t d = 0; d < plan->system->decision_count; d++)
                if (plan->open[d])
                        cost += plan->system->decisions[d].cost;
        return cost;
}

static bool is_open(const struct gbx_plan *plan, const struct gbx_demand *demand) {
        return plan->open[plan->system->cells[demand->cell].decision];
}

/* A witness from the moves in the plan: 0 taken, 1 none near them. */
static int take_witness(struct gbx_plan *plan, struct gbx_demand *demand, struct gbx_error *err) {
        struct gbx_witness witness;
        int r = gbx_witness_from(plan->system, plan->open, demand->cell, demand->high, plan->moves, &witness, err);

        if (r != 0)
                return r;
        gbx_witness_clear(&demand->witness);
        demand->witness = witness;
        return 0;
}

int gbx_plan_prove(struct gbx_plan *plan, struct gbx_demand *demand, double deadline, bool *ret_cut, struct gbx_error *err) {
        int r;

        *ret_cut = false;
        if (!is_open(plan, demand))
                return GBX_ATTACK_FAILS;
        if (demand->witness.moves && !gbx_witness_fault(plan->system, plan->open, &demand->witness))
                return GBX_ATTACK_FAILS; /* what was found before still holds */
        r = gbx_attack_run(plan->attack, demand->cell, demand->high, plan->share, FAR, deadline, plan->moves, plan->cut, err);
        if (r == GBX_ATTACK_WINS)
                *ret_cut = true;
        if (r != GBX_ATTACK_FAILS)
                return r;
        r = take_witness(plan, demand, err);
        if (r <= 0)
                return r;
        r = gbx_attack_run_integer(plan->attack, demand->cell, demand->high, plan->open, deadline, plan->moves, err);
        if (r != GBX_ATTACK_FAILS)
                return r;
        r = take_witness(plan, demand, err);
        return r < 0 ? r : r == 0 ? GBX_ATTACK_FAILS : GBX_ATTACK_TIME;
}

int gbx_plan_prove_all(struct gbx_plan *plan, double deadline, struct gbx_error *err) {
        bool cut;

        for (size_t i = 0; i < plan->demand_count; i++) {
                int r = gbx_plan_prove(plan, &plan->demands[i], deadline, &cut, err);

                if (r != GBX_ATTACK_FAILS)
                        return r;
        }
        return GBX_ATTACK_FAILS;
}

/* What opening a decision costs now: nothing if it is open; a little always, so that short ways are preferred. */
static void set_prices(const struct gbx_plan *plan, double *price) {
        for (size_t d = 0; d < plan->system->decision_count; d++)
                price[d] = plan->open[d] ? 1e-3 : 1 + (double)plan->system->decisions[d].cost;
}

/* Opens what the cheapest completion moves. */
static int open_for(struct gbx_plan *plan, struct gbx_demand *demand, double *price, double deadline, struct gbx_error *err) {
        bool opened = false;
        int r;

        set_prices(plan, price);
        r = gbx_attack_cheapest(plan->attack, demand->cell, demand->high, price, deadline, plan->moves, err);
        if (r != GBX_ATTACK_FAILS)
                return r;
        for (size_t i = 0; i < plan->system->cell_count; i++) {
                size_t d = plan->system->cells[i].decision;
                double least = 1e-6 * (double)gbx_attack_need(plan->system, demand->cell, demand->high);

                if (!plan->open[d] && (plan->moves[i] > least || plan->moves[i] < -least)) {
                        gbx_plan_open(plan, d, true);
                        opened = true;
                }
        }
        r = take_witness(plan, demand, err);
        if (r <= 0)
                return r;
        return opened ? GBX_ATTACK_FAILS : GBX_ATTACK_WINS;
}

/* Opens the dearest things last: for a demand that no way near the cheapest one meets. */
static int open_everything(struct gbx_plan *plan, struct gbx_demand *demand, double deadline, struct gbx_error *err) {
        bool cut;

        for (size_t d = 0; d < plan->system->decision_count; d++)
                gbx_plan_open(plan, d, true);
        return gbx_plan_prove(plan, demand, deadline, &cut, err);
}

static int meet(struct gbx_plan *plan, struct gbx_demand *demand, double *price, double deadline, struct gbx_error *err) {
        for (int tries = 0; tries < 4; tries++) {
                bool cut;
                int r = gbx_plan_prove(plan, demand, deadline, &cut, err);

                if (r <= 0)
                        return r;
                r = open_for(plan, demand, price, deadline, err);
                if (r < 0)
                        return r;
                if (r != GBX_ATTACK_FAILS)
                        break;
        }
        return open_everything(plan, demand, deadline, err);
}

static bool touches(const struct gbx_plan *plan, const struct gbx_witness *witness, size_t decision) {
        for (size_t i = 0; witness->moves && i < witness->move_count; i++)
                if (plan->system->cells[witness->moves[i].cell].decision == decision)
                        return true;
        return false;
}

/* Whether the plan still holds without a decision; only demands whose witness uses it are asked again. What they had
 * found stays where it does not hold, so that the old plan is as good as before. */
static int try_without(struct gbx_plan *plan, size_t decision, double deadline, struct gbx_error *err) {
        gbx_plan_open(plan, decision, false);
        for (size_t i = 0; i < plan->demand_count; i++) {
                struct gbx_demand *demand = &plan->demands[i];
                bool cut;
                int r;

                if (!is_open(plan, demand) || !touches(plan, &demand->witness, decision))
                        continue;
                r = gbx_plan_prove(plan, demand, deadline, &cut, err);
                if (r != GBX_ATTACK_FAILS) {
                        gbx_plan_open(plan, decision, true);
                        return r < 0 ? r : 0;
                }
        }
        return 0;
}

struct priced {
        int64_t cost;
        size_t decision;
};

static int dearest_first(const void *a, const void *b) {
        const struct priced *x = a, *y = b;

        if (x->cost != y->cost)
                return x->cost > y->cost ? -1 : 1;
        return x->decision < y->decision ? -1 : x->decision > y->decision;
}

static int close_again(struct gbx_plan *plan, double deadline, struct gbx_error *err) {
        const struct gbx_system *system = plan->system;
        gbx_auto(gbx_free_pointer) struct priced *order = calloc(system->decision_count + 1, sizeof *order);
        size_t count = 0;
        int r = 0;

        if (!order)
                return gbx_fail_memory(err);
        for (size_t d = 0; d < system->decision_count; d++)
                if (plan->open[d] && !system->decisions[d].forced)
                        order[count++] = (struct priced){ .cost = system->decisions[d].cost, .decision = d };
        qsort(order, count, sizeof *order, dearest_first);
        for (size_t i = 0; i < count && r >= 0 && gbx_solver_clock() < deadline; i++)
                r = try_without(plan, order[i].decision, deadline, err);
        return r;
}

int gbx_plan_complete(struct gbx_plan *plan, double deadline, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) double *price = calloc(plan->system->decision_count + 1, sizeof *price);
        bool settled = false;
        int r;

        if (!price)
                return gbx_fail_memory(err);
        while (!settled) { /* opening a cell may bring demands of its own */
                settled = true;
                for (size_t i = 0; i < plan->demand_count; i++) {
                        bool had = plan->demands[i].witness.moves &&
                                !gbx_witness_fault(plan->system, plan->open, &plan->demands[i].witness);

                        if (had || !is_open(plan, &plan->demands[i]))
                                continue;
                        settled = false;
                        r = meet(plan, &plan->demands[i], price, deadline, err);
                        if (r != GBX_ATTACK_FAILS)
                                return r;
                }
        }
        r = close_again(plan, deadline, err);
        return r < 0 ? r : GBX_ATTACK_FAILS;
}
