/*
 * Complementary suppression: what else must go so that nothing unsafe can be worked out
 *
 * The cell suppression problem for tables with totals, hierarchies and common
 * margins: choose the decisions to suppress so that no attacker who knows the
 * rest can bound a suppressed cell within its protection interval, and as little
 * information as possible is lost. Solved exactly by cutting planes: a master
 * program proposes, attackers (attack.h) find what it leaves open, each finding
 * is a new inequality of the master (Fischetti and Salazar-González, "Solving the
 * cell suppression problem on tabular data with linear constraints", 2001).
 * When the time is over, a heuristic's answer is taken: it suppresses more and
 * is as safe. Every answer comes with a witness for each protected cell and
 * side, checked with whole numbers.
 */
#pragma once

#include "gateway/disclosure/witness.h"

struct gbx_suppress_options {
        double seconds;      /* for the exact search; 0: the heuristic alone */
        bool heuristic_only; /* the same, said plainly */
};

struct gbx_suppression {
        bool *open; /* for each decision of the system: suppressed */
        size_t decision_count;
        int64_t cost;  /* information lost */
        double bound;  /* no safe suppression loses less than this */
        bool optimal;  /* the cost is proven to be the least */
        size_t rounds; /* proposals that the exact search attacked */
        struct gbx_witness *witnesses;
        size_t witness_count;
};

/* 0: done. GBX_SUPPRESS_IMPOSSIBLE: even suppressing everything protects too little (or that could not be shown in
 * time): nothing of these tables may leave. */
enum { GBX_SUPPRESS_IMPOSSIBLE = 1 };

int gbx_suppress(const struct gbx_system *system, const struct gbx_suppress_options *options, struct gbx_suppression *ret,
                 struct gbx_error *err);
void gbx_suppression_clear(struct gbx_suppression *suppression);
