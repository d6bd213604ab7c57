/*
 * The local executor: plaintext in, outputs out, nothing beside
 *
 * Decrypts the datasets into a detached tmpfs, prepares /job (program,
 * parameters, limits, schemas) and /out, runs gbx-sandbox, and hands back the
 * sandbox's report and the sealed /out. It decides nothing and records
 * nothing: job/job.h does, and so does the auditor's replay.
 */
#pragma once

#include "gateway/run/executor.h"

/* Decrypts one dataset, a row of the view's table, into a file of its name. */
int gbx_execution_deliver(int site, const json_t *dataset, struct gbx_delivery *data, struct gbx_error *err);

int gbx_execute(const struct gbx_execution *execution, struct gbx_execution_result *ret, struct gbx_error *err);
