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
 * All but the recording happens without the site's lock. The transaction first
 * asks whether anything that was relied on has changed, and if so all is done
 * again: two runs at once are compared with each other, and a right that was
 * taken away meanwhile is gone.
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

/* Of a run that the gate holds back: records that its outputs are held, which was interrupted. 1: there is no such run.
 * -EBADMSG: what should be held is not there. Who calls has the run's mark (store/living.h). */
int gbx_hold_finish(struct gbx_site *site, const char *run, struct gbx_error *err);

/* Held outputs are compared again with all that was released by now. `row` is the run's, `result` what was held.
 * `ret_compared`: how many releases there are. 0: nothing new was found. GBX_HELD_ANEW: something was, so that the
 * findings that reviewers saw are no longer all; the outputs are held anew with the new ones, by entries of the log. */
enum { GBX_HELD_ANEW = 1 };
int gbx_held_compare_again(struct gbx_site *site, const json_t *row, const struct gbx_run_plan *plan, struct gbx_gate_result *result,
                           uint64_t *ret_compared, struct gbx_error *err);
