/*
 * Witnesses: completions of a table that show how little is known
 *
 * A witness is another set of numbers for the suppressed cells that fits
 * everything published just as well as the true ones do. It is written as what
 * is added to the true values. For each suppressed cell that must be protected,
 * one witness makes it lower by at least `lower`, another higher by at least
 * `upper`: nobody who knows all else can then bound it within that interval.
 *
 * Everything here is arithmetic on whole numbers; no solver is asked or believed.
 */
#pragma once

#include "gateway/disclosure/system.h"

enum { GBX_WITNESS_MAX_DENOMINATOR = 1000000 };

struct gbx_witness_move {
        size_t cell;
        int64_t amount; /* not zero; divided by the witness's denominator it is added to the cell's value */
};

struct gbx_witness {
        size_t cell; /* which cell this is about */
        bool high;   /* whether it is made higher, or lower */
        int64_t denominator;
        struct gbx_witness_move *moves; /* by ascending cell */
        size_t move_count;
};

/* NULL if the witness is good, else what is wrong with it (static text). `open` says for each decision whether its cells
 * are suppressed. */
const char *gbx_witness_fault(const struct gbx_system *system, const bool *open, const struct gbx_witness *witness);

/* Turns an approximate solution into a witness, exactly. `moves` has one number for each cell. Returns 0; 1 if no witness
 * was found near it; negative: error. */
int gbx_witness_from(const struct gbx_system *system, const bool *open, size_t cell, bool high, const double *moves,
                     struct gbx_witness *ret, struct gbx_error *err);
void gbx_witness_clear(struct gbx_witness *witness);
