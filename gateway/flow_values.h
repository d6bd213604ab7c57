/*
 * The identifiers of a run's datasets, for the content scan of its flows
 *
 * Values of the columns that a schema calls `class: identifier` or `key: yes`.
 * The dataset is decrypted once more, into memory that is not swapped, read,
 * and forgotten; only keyed hashes remain (egress/tokens.h).
 */
#pragma once

#include "gateway/run.h"

/* A descriptor for gbx_egress_options.tokens. Records the use of each dataset's key for the run `id`. */
int gbx_flow_values(struct gbx_site *site, const struct gbx_run_plan *plan, const char *id, struct gbx_error *err);
