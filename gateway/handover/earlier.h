/*
 * Tables that were released before
 *
 * Kept as the gate gave them, encrypted to the site; read again so that a new
 * table can be compared with them (gateway/gate/differencing.h).
 */
#pragma once

#include "base/error.h"
#include "gateway/gate/differencing.h"
#include "gateway/store/site.h"
#include "policy/decision.h"

/* Compares every table of `result` with every one released before, to anybody, from a dataset of the request, in
 * whatever version, and adds what it finds. A table whose copy is gone asks for a reviewer. Call with the site locked,
 * so that no release comes in between. */
int gbx_check_earlier(struct gbx_site *site, const struct gbx_run_request *request, uint64_t minimum,
                      struct gbx_gate_result *result, struct gbx_error *err);

/* What the log keeps of a table's columns for that: [{"name":"job","role":"key"}, …]. NULL: out of memory. */
json_t *gbx_earlier_columns(const struct gbx_gate_table *table);
