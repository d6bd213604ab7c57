/*
 * One plan of suppression under way: what is open, and the witnesses found for it
 *
 * A demand is a cell and a side on which it must be able to move. Private to
 * this room.
 */
#pragma once

#include "gateway/disclosure/attack.h"
#include "gateway/disclosure/suppress.h"

struct gbx_demand {
        size_t cell;
        bool high;
        struct gbx_witness witness; /* of the present plan; no moves: none yet */
};

struct gbx_plan {
        const struct gbx_system *system;
        struct gbx_attack *attack;
        struct gbx_demand *demands; /* of every cell that asks for anything, open or not */
        size_t demand_count;
        bool *open;
        double *share; /* open as numbers, for attacks */
        double *moves, *cut; /* room for one attack's answers */
};

/* The plan that opens what is forced. */
int gbx_plan_start(const struct gbx_system *system, struct gbx_plan *ret, struct gbx_error *err);
void gbx_plan_clear(struct gbx_plan *plan);
void gbx_plan_open(struct gbx_plan *plan, size_t decision, bool open);
int64_t gbx_plan_cost(const struct gbx_plan *plan);

/* Proves one demand for what is open now: GBX_ATTACK_FAILS with its witness renewed; GBX_ATTACK_WINS: it cannot be (`cut` of
 * the plan holds the inequality, `*ret_cut` says whether there is one); GBX_ATTACK_TIME. A demand of a cell that is not
 * open is met. */
int gbx_plan_prove(struct gbx_plan *plan, struct gbx_demand *demand, double deadline, bool *ret_cut, struct gbx_error *err);
/* All demands that are open; stops at the first that is not met. */
int gbx_plan_prove_all(struct gbx_plan *plan, double deadline, struct gbx_error *err);

/* Opens more until all demands are met, then closes again what can be. GBX_ATTACK_FAILS when all are met. */
int gbx_plan_complete(struct gbx_plan *plan, double deadline, struct gbx_error *err);
