/*
 * Tables that were released before
 *
 * A sealed record of each release (gateway/store/records.h) keeps them as the gate
 * gave them, so that a new table can be compared with them (gateway/gate/differencing.h)
 * without opening what was released.
 */
#pragma once

#include "base/error.h"
#include "gateway/gate/differencing.h"
#include "gateway/store/site.h"
#include "policy/decision.h"

/* Compares every table of `result` with every one released before, to anybody, from a dataset of the request, in
 * whatever version, and adds what it finds. The first `passed` releases are left out: they were compared with
 * before. -EBADMSG: a kept copy is gone or is not what the log says. */
int gbx_check_earlier(struct gbx_site *site, const struct gbx_run_request *request, uint64_t minimum, uint64_t passed,
                      struct gbx_gate_result *result, struct gbx_error *err);

/* What the log keeps of a table's columns for that: [{"name":"job","role":"key"}, …]. NULL: out of memory. */
json_t *gbx_earlier_columns(const struct gbx_gate_table *table);

/* Appends what the record of a release holds. Wipe it. */
int gbx_earlier_record(const struct gbx_gate_result *result, struct gbx_buffer *ret_text, struct gbx_error *err);
