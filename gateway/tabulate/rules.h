/*
 * Disclosure rules on evidence: which cells of a verified table tell too much
 *
 * Pure functions on what the tabulator found (evidence.h): nothing that a job
 * or a table says about itself is believed. Formulas and defaults are those of
 * ACRO (github.com/AI-SDC/ACRO) and of the Handbook on Statistical Disclosure
 * Control, 2nd ed.; docs/tabulator.md has each with its source.
 *
 *   minimum-count      fewer contributors than `minimum`; a sum of two values counts as the two counts that it is
 *   dominance          the n largest contributors make up at least `share` of a total
 *   p-percent          (total - largest - second) / largest < `p`: the second can estimate the first
 *   group-disclosure   all (or `group_share`) of a group are in one cell, or have one answer
 *   all-equal          all contributors have the same value
 *   residual-freedom   contributors less parameters < `freedom`, for variances, correlations and models
 *   extremes           a minimum or maximum is somebody's value
 *   quantile           fewer than `minimum` contributors on a side
 *   missing            some rows lack an operand (review, off by default)
 *
 * Values below zero make the formulas of dominance and p-percent meaningless:
 * those cells are for review.
 */
#pragma once

#include "gateway/tabulate/evidence.h"
#include "policy/finding.h"

/* Parts are in millionths: 900,000 is 0.9. */
struct gbx_disclosure {
        bool minimum_on, zeros, dominance_on, p_on, group_on, equal_on, freedom_on, extremes_on, quantile_on, missing_on;
        uint64_t minimum;      /* contributors */
        unsigned dominance_n;  /* 1 to GBX_TALLY_TOP */
        uint64_t dominance_share;
        uint64_t p;
        uint64_t group_share;  /* of a group in one cell, 1,000,000: all */
        uint64_t freedom;
};

/* Minimum 10 (a zero is disclosive too), NK(2, 0.9), p 0.10, 10 degrees of freedom, groups at 100 %, all rules on but `missing`. */
extern const struct gbx_disclosure gbx_disclosure_default;

/* -EINVAL: a parameter is out of its range. */
int gbx_disclosure_check(const struct gbx_disclosure *rules, struct gbx_error *err);

/* Adds a finding for each rule that a cell breaks: row is the cell's, from 1, as in the table. Errors: -ENOMEM, -EINVAL. */
int gbx_disclosure_apply(const struct gbx_disclosure *rules, const struct gbx_evidence *evidence, struct gbx_findings *findings,
                         struct gbx_error *err);
