/*
 * From outputs to a release
 *
 *   check    the gate (release/gate.h), confined; findings recorded by digest
 *   decide   policy/decision.h: release, hold or refuse
 *   hold     tables and findings wait, encrypted to the site, for reviewers (gbx review show RUN)
 *   mark     watermark of each table for its recipient; digest of the marked bytes recorded before delivery
 *   sign     provenance manifest
 *   encrypt  to the recipient's age key
 *
 * The bytes of a release lie encrypted under releases/ID when its entry is
 * recorded; `gbx job fetch` hands them out once a checkpoint covers the entry.
 */
#pragma once

#include "base/error.h"
#include "gateway/decide.h"
#include "gateway/release/gate.h"
#include "gateway/run.h"
#include "runtime/vault/delivery.h"

/* Checks the sealed outputs and releases, holds or refuses them. Fills state and reasons of `outcome`. */
int gbx_hand_over(struct gbx_site *site, const struct gbx_decision *decision, const struct gbx_run_plan *plan,
                  struct gbx_delivery *out, struct gbx_run_outcome *outcome, struct gbx_error *err);

/* The gate alone, as gbx_hand_over runs it: for replay. */
int gbx_check_outputs(const char *id, const struct gbx_policy *policy, struct gbx_delivery *out, struct gbx_gate_result *ret,
                      struct gbx_error *err);

/* One digest for all canonical tables of a run: what replay compares. */
int gbx_output_digest(const struct gbx_gate_result *result, char ret_text[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err);

/* Marks, signs, encrypts and records. */
int gbx_release(struct gbx_site *site, const char *run, const struct gbx_run_plan *plan, const struct gbx_gate_result *result,
                const char *findings_digest, struct gbx_error *err);

/* Held outputs: kept encrypted to the site, read back for reviewers, dropped when decided. */
int gbx_hold_keep(struct gbx_site *site, const char *run, const struct gbx_gate_result *result, struct gbx_error *err);
int gbx_hold_load(struct gbx_site *site, const char *run, struct gbx_gate_result *ret, struct gbx_error *err);
int gbx_hold_drop(struct gbx_site *site, const char *run, struct gbx_error *err);
