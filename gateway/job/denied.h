/*
 * Entries for the system calls that a run was denied
 *
 * The sandbox has classed, grouped and counted them (docs/sandbox.md, "Denied
 * calls"). One entry holds as many kinds of calls as runs have but for those
 * that try everything, so that the number of entries says nothing of a job.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/transaction.h"

#include <jansson.h>

/* `sandbox` is the report of gbx-sandbox. A run without denied calls gets no entry. */
int gbx_record_denied(struct gbx_transaction *transaction, const char *id, const json_t *sandbox, struct gbx_error *err);
