/*
 * Inspecting outputs
 *
 * The heart of the gate: everything that looks into a job's bytes. Runs inside
 * gbx-gate, in a sandbox; needs nothing but a directory to read from, so that
 * tests and fuzzers call it directly.
 */
#pragma once

#include "base/error.h"
#include "gateway/gate/gate.h"
#include "gateway/gate/scan.h"
#include "policy/policy.h"

/* Inspects the files of a directory. Whatever they are, that is a result (docs/gate.md lists the rules); errors are
 * failures of ours (memory, a directory that cannot be read). `ret` must be freed (gate.h). */
int gbx_inspect(int directory, const struct gbx_policy *policy, const struct gbx_scan_rules *scan,
                struct gbx_gate_result *ret, struct gbx_error *err);
