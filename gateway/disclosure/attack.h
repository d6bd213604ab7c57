/*
 * The attacker: how far can a suppressed cell be bounded?
 *
 * Whoever knows all published cells and all equations solves two linear
 * programs for each suppressed cell. Here they are solved before anything leaves.
 * A decision is open by a number from 0 (published) to 1 (suppressed); numbers
 * between serve the search for the best suppression (suppress.c).
 *
 * Moves are measured in units of what is needed, so that the solver meets
 * numbers near 1 whatever the table's unit is.
 */
#pragma once

#include "gateway/disclosure/solver.h"
#include "gateway/disclosure/system.h"

struct gbx_attack;

enum gbx_attack_outcome {
        GBX_ATTACK_FAILS = 0,  /* the cell is protected: moves are a completion that reaches the need */
        GBX_ATTACK_WINS = 1,   /* it is not: the cut says what would have to be suppressed */
        GBX_ATTACK_TIME = 2,   /* not decided in time */
};

int gbx_attack_new(const struct gbx_system *system, struct gbx_attack **ret, struct gbx_error *err);
void gbx_attack_free(struct gbx_attack *attack);
static inline void gbx_attack_freep(struct gbx_attack **attack) { gbx_attack_free(*attack); }

/* What a cell must be able to move by, upwards or downwards; 0 where nothing is asked. */
int64_t gbx_attack_need(const struct gbx_system *system, size_t cell, bool high);

/* Tries to bound one cell. `reach`: no move is larger than this many needs (1 is right for two-way tables and quick;
 * `cut` is valid whatever it is). `ret_cut`: one number for each decision; in every safe suppression that opens the
 * cell's own decision, the sum of cut * open over the others is at least 1 - cut of its own. */
int gbx_attack_run(struct gbx_attack *attack, size_t cell, bool high, const double *open, double reach, double deadline,
                   double *ret_moves, double *ret_cut, struct gbx_error *err);

/* The same with whole numbers, open or not: an attacker who knows that counts are counts. No cut. */
int gbx_attack_run_integer(struct gbx_attack *attack, size_t cell, bool high, const bool *open, double deadline, double *ret_moves,
                           struct gbx_error *err);

/* The cheapest completion that reaches the need if everything may be suppressed: `price` for each decision, paid for each
 * need that its cells move by. GBX_ATTACK_WINS: there is none at all. */
int gbx_attack_cheapest(struct gbx_attack *attack, size_t cell, bool high, const double *price, double deadline, double *ret_moves,
                        struct gbx_error *err);
