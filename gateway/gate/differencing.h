/*
 * Differencing: what a table says together with earlier ones
 *
 * A table of counts by job and home and one by job alone, from the same data:
 * where the counts of a job's homes do not add up to the job's count, the
 * difference is the size of a group that neither table shows. If that is above
 * zero and below the minimum count, the two tables together break the rule
 * that each of them keeps. The same holds for two tables with the same groups
 * (one made a day later, or with another filter).
 *
 * Compared are tables where the names of one's key columns are among those of
 * the other. Pure: no I/O. Source: ABS, Output clearance, on differencing;
 * OpenSAFELY's disclosure guide has the example that the test repeats.
 */
#pragma once

#include "base/error.h"
#include "gateway/gate/gate.h"

#include <stddef.h>
#include <stdint.h>

/* A table that left before, from the same datasets. */
struct gbx_earlier_table {
        char *release; /* its id, for the detail that reviewers see */
        struct gbx_gate_table table; /* canonical; names, roles and CSV are used */
};

/* Adds a finding "differencing" (fail) for each pair of groups that differ by less than `minimum`. Errors: -ENOMEM,
 * -EINVAL for a table that is not canonical. */
int gbx_check_differencing(const struct gbx_gate_table *table, const struct gbx_earlier_table *earlier, size_t count,
                           uint64_t minimum, struct gbx_findings *findings, struct gbx_error *err);
