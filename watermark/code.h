/*
 * The symbols: an unbiased code or a Tardos code, and what they score
 *
 * Each cell has a bias p; a release's symbol there is 1 with probability p,
 * independently of all else. Unbiased: p = 1/2 everywhere; the cheapest for a
 * single leaker. Tardos (STOC 2003): p = sin^2(theta), theta uniform between
 * asin(sqrt(t)) and its complement, t = 1 / (300 c); the only kind that still
 * names somebody when c recipients merge their copies cleverly. The price is
 * more cells, so the choice goes by capacity.
 */
#pragma once

#include "watermark/mark.h"

#include <stdint.h>

struct gbx_code {
        enum gbx_mark_code kind; /* UNBIASED or TARDOS */
        unsigned coalition;      /* 1 for UNBIASED */
};

enum { GBX_CODE_MAX_COALITION = 8 };

/* Symbols that a Tardos code for `coalition` needs: 10 c^2 ln(10^6), at which simulations catch a colluder in
 * every trial under all five classical strategies. */
uint64_t gbx_code_cells(unsigned coalition);

/* The code for a capacity. `kind` and `coalition` are what was asked for (AUTO, 0: no wish); where the capacity
 * carries less, the best that it carries is chosen. */
struct gbx_code gbx_code_choose(enum gbx_mark_code kind, unsigned coalition, uint64_t capacity);

/* Fewest undamaged symbols of an unbiased code that name one of `releases` with an error of at most alpha. */
uint64_t gbx_code_floor(uint64_t releases, double alpha);

/* The bias of a cell as a threshold for draws, p = threshold / 2^32, from 32 random bits of the cell. */
uint32_t gbx_code_threshold(const struct gbx_code *code, uint32_t random);

/* Scores of a release whose symbol is 1 or 0, where `observed` was read. */
struct gbx_weights {
        double one, zero;
};

/* Symmetric Tardos score (Skoric, Katzenbeisser, Celik 2008): mean 0 and variance 1 for an innocent. */
struct gbx_weights gbx_code_collusion_weights(double p, int observed);

/* ln of the likelihood ratio "this release, read with errors" to "any other". */
struct gbx_weights gbx_code_likelihood_weights(double p, int observed);
