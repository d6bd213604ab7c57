/*
 * Held outputs: what reviewers see, sign and bring about
 *
 * The policy's section output-review says who judges what the gate held, and
 * how many must agree (policy/decision_outputs.h). Each word is an SSH signature
 * over an output statement: run, digest of the canonical outputs, findings,
 * recipient, policy, reason. Whoever asked for the run neither reads nor
 * decides, with whatever roles. Reading is an entry of its own.
 *
 * The bytes that were reviewed are the bytes that are released: their digests
 * are those of the entries. What the run was allowed by must still stand
 * (gateway/run/request.h): revoking a dataset, an approval or a user stops what
 * is held.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/gate/gate.h"
#include "gateway/review/approvals.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "policy/decision.h"
#include "policy/output_statement.h"

#include <jansson.h>

/* Held outputs with the gate's findings, for a reviewer's eyes. -EKEYREJECTED for who asked for the run; -EBADMSG if the
 * file is not what was held. `ret_reviews` (may be NULL): what was decided so far, an array of rows; empty where the
 * policy's review is blind and the caller has not decided yet. */
int gbx_outputs_show(struct gbx_site *site, const struct gbx_caller *caller, const char *run, struct gbx_gate_result *ret,
                     json_t **ret_reviews, struct gbx_error *err);

/* The statement for the caller to sign. */
int gbx_outputs_statement(struct gbx_site *site, const struct gbx_caller *caller, const char *run, enum gbx_output_decision decision,
                          const char *reason, struct gbx_buffer *ret_text, struct gbx_error *err);

/* Takes a signed word in and does what follows from all words so far. `ret_verdict` (gbx_verdict_free): release, hold
 * (more must agree) or refuse. -EKEYREJECTED for a caller whose word does not count, which is then not recorded. */
int gbx_outputs_review(struct gbx_site *site, const struct gbx_caller *caller, const char *run, const struct gbx_signed_statement *given,
                       const char *reason, struct gbx_verdict *ret_verdict, struct gbx_error *err);

/* Does what all words so far come to, where whoever was at it died in between: records it, makes the release of a run that
 * was approved, puts the file of what is held in its place. Who calls has the run's mark (store/living.h). -ENOENT: nothing
 * is held; -ENODATA: the gate could not make a table, so that nothing can ever be released. */
int gbx_outputs_settle(struct gbx_site *site, const char *run, struct gbx_error *err);

/* Decides again from the facts, as they are in `site`, at a time: for replay. `row` is the run's. */
int gbx_outputs_decide(struct gbx_site *site, const json_t *row, int64_t time, struct gbx_verdict *ret, struct gbx_error *err);
