/*
 * From outputs to a release
 *
 *   check    the gate (gate/gate.h), confined; findings recorded by digest
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
#include "gateway/run/decide.h"
#include "gateway/gate/gate.h"
#include "gateway/run/outcome.h"
#include "gateway/run/plan.h"
#include "gateway/store/transaction.h"
#include "runtime/vault/delivery.h"

/* Checks the sealed outputs and releases, holds or refuses them. Fills state and reasons of `outcome`. */
int gbx_hand_over(struct gbx_site *site, const struct gbx_decision *decision, const struct gbx_run_plan *plan,
                  struct gbx_delivery *out, struct gbx_run_outcome *outcome, struct gbx_error *err);

/* Marks, signs, encrypts and records. */
int gbx_release(struct gbx_transaction *transaction, const char *run, const struct gbx_run_plan *plan, const struct gbx_gate_result *result,
                const char *findings_digest, struct gbx_error *err);

/* Held outputs: kept encrypted to the site, read back for reviewers, dropped when decided. */
int gbx_hold_keep(struct gbx_site *site, const char *run, const struct gbx_gate_result *result, struct gbx_error *err);
int gbx_hold_load(struct gbx_site *site, const char *run, struct gbx_gate_result *ret, struct gbx_error *err);
int gbx_hold_drop(struct gbx_site *site, const char *run, struct gbx_error *err);
