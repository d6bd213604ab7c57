/*
 * Making a release: mark, sign, encrypt; then record
 *
 * All that takes time happens in a draft, without the site's lock: each table
 * is marked for its recipient, encrypted, and lies with the signed manifest
 * durably under releases/ID. Recording it is one entry in a transaction, which
 * first asks whether the draft is still current. A draft that is not recorded
 * takes its files away with it.
 */
#pragma once

#include "base/error.h"
#include "gateway/gate/gate.h"
#include "gateway/run/plan.h"
#include "gateway/store/transaction.h"

#include <jansson.h>

struct gbx_draft;

/* `plan` and `site` are borrowed until it is freed. `findings`: their digest. `reviews`: what people decided, for the
 * manifest, an array of {"reviewer", "statement", "reason"}; NULL for what the gate let go by itself. */
int gbx_draft_make(struct gbx_draft **ret, struct gbx_site *site, const char *run, const struct gbx_run_plan *plan,
                   const struct gbx_gate_result *result, const char *findings, const json_t *reviews, struct gbx_error *err);
struct gbx_draft *gbx_draft_free(struct gbx_draft *draft);
static inline void gbx_draft_freep(struct gbx_draft **draft) { *draft = gbx_draft_free(*draft); }

/* Inside the transaction. GBX_DRAFT_STALE: somebody else was given the same bytes meanwhile, or the recipient has another
 * key: make it again. -EKEYREJECTED: the recipient is gone. */
enum { GBX_DRAFT_STALE = 1 };
int gbx_draft_check(const struct gbx_draft *draft, struct gbx_error *err);

int gbx_draft_record(struct gbx_transaction *transaction, struct gbx_draft *draft, struct gbx_error *err);
