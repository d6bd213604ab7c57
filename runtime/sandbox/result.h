/*
 * The result of a run as one JSON object (docs/sandbox.md)
 */
#pragma once

#include "base/buffer.h"
#include "runtime/sandbox/supervise.h"

int gbx_result_format(const struct gbx_run *run, const struct gbx_outcome *outcome, struct gbx_buffer *ret_text,
                      struct gbx_error *err);

/* The exit status for a shell: the job's own, 128 + signal, or 137 when a limit ended the run. */
int gbx_result_status(const struct gbx_outcome *outcome);
