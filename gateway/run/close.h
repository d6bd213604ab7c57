/*
 * Closing a run that nobody executes any more
 *
 * Gives it the end that its state asks for: a run that was decided or had begun
 * ends as failed (run.end); of one that had ended well, and whose outputs were
 * not handed over, the log says that this was interrupted (service.recover).
 * Held and approved outputs are none of this file's business
 * (gateway/review/outputs.h).
 */
#pragma once

#include "base/error.h"
#include "gateway/store/transaction.h"

#include <jansson.h>

/* `reason`: a text, or NULL for the fixed word. 0: closed; 1: there was nothing to close. */
int gbx_run_close(struct gbx_transaction *transaction, const char *run, const char *reason, struct gbx_error *err);
