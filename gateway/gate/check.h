/*
 * The gate alone: outputs of a run through gbx-gate as it is installed
 *
 * Used when outputs are handed over, on dummy data, and by replay.
 */
#pragma once

#include "gateway/gate/gate.h"

int gbx_check_outputs(const char *id, const struct gbx_policy *policy, struct gbx_delivery *out, struct gbx_gate_result *ret,
                      struct gbx_error *err);

/* One digest for all canonical tables of a run: what reviewers sign (policy/output_statement.h) and replay compares. */
int gbx_output_digest(const struct gbx_gate_result *result, char ret_text[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err);
