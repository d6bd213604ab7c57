/*
 * Facts: what the log says, found through the view
 *
 * The view helps to find things and is never believed for what it says. Whoever
 * decides something asks here. A row is given out only if
 *
 *   - the table's seal is whole (seal.h): no row was added, changed or removed but by applying entries; and
 *   - the entry that the row names (column seq), proven by the log's tree, says the same: evidence.c lists what of.
 *
 * Otherwise the answer is -EBADMSG, exit code 5; `gbx audit rebuild` makes the
 * view anew from the log.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"

#include <jansson.h>
#include <stdint.h>

/* The rows of `table` that fit the condition, with text parameters ended by NULL, in the order of their entries. */
int gbx_fact_rows(struct gbx_site *site, json_t **ret_rows, struct gbx_error *err, const char *table, const char *condition, ...)
        __attribute__((sentinel));

/* The last such row. 0 and the row, 1 if there is none. */
int gbx_fact_one(struct gbx_site *site, json_t **ret_row, struct gbx_error *err, const char *table, const char *condition, ...)
        __attribute__((sentinel));

/* How many runs or releases there ever were (`name` "run", "release", "heartbeat"), whatever rows there are. */
int gbx_fact_count(struct gbx_site *site, const char *name, uint64_t *ret, struct gbx_error *err);

/* Whether the whole view is what the log made of it: every table's seal. */
int gbx_fact_check_all(struct gbx_site *site, struct gbx_error *err);

/* Compares a row with its proven entry (evidence.c). */
int gbx_evidence_check(struct gbx_site *site, const char *table, const json_t *row, struct gbx_error *err);
