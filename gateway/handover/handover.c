#include "gateway/handover/handover.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/gate/check.h"
#include "gateway/handover/earlier.h"
#include "gateway/handover/held.h"
#include "gateway/handover/make.h"
#include "gateway/run/request.h"
#include "gateway/store/fact.h"
#include "base/install.h"
#include "gateway/store/objects.h"

#include <stdio.h>
#include <string.h>

enum { TRIES = 16 };

static int keep_findings(struct gbx_site *site, const struct gbx_findings *findings, char ret_digest[static GBX_SHA256_TEXT_SIZE],
                         struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_findings_to_json(findings, &json, err);

        if (r >= 0)
                r = gbx_json_canonical(json, &text, err);
        return r < 0 ? r : gbx_object_put(site->directory, text.data, text.size, ret_digest, err);
}

static int record_check(struct gbx_transaction *transaction, const char *run, const struct gbx_gate_result *result,
                        const struct gbx_release_request *request, const char *findings, const char *sealed,
                        const struct gbx_verdict *verdict, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL, *reasons = gbx_verdict_reasons(verdict);
        char output[GBX_SHA256_TEXT_SIZE];
        int r = gbx_output_digest(result, output, err);

        if (r < 0)
                return r;
        details = json_pack("{s:s, s:s, s:I, s:I, s:b, s:s, s:b, s:s*}", "output", output, "findings", findings, "tables",
                            (json_int_t)request->table_count, "opaque", (json_int_t)request->opaque_count, "declared_counts",
                            request->declared_counts, "recipient", request->recipient, "withdrawn", request->withdrawn, "sealed",
                            verdict->outcome == GBX_OUTCOME_HOLD ? sealed : NULL);
        return gbx_transaction_record(transaction, &(struct gbx_action){ "gate.check", run, gbx_outcome_name(verdict->outcome), reasons, details },
                                      NULL, err);
}

/* What the analyst is told: the rules that failed, never a value. */
static int tell_findings(const struct gbx_findings *findings, json_t *reasons, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *public = NULL;
        size_t index;
        json_t *item;
        int r = gbx_findings_public(findings, &public, err);

        if (r < 0)
                return r;
        json_array_foreach(public, index, item) {
                const char *output = json_string_value(json_object_get(item, "output"));

                (void)json_array_append_new(reasons, json_sprintf("%s: %s%s%s", json_string_value(json_object_get(item, "severity")),
                                                                  json_string_value(json_object_get(item, "rule")), output ? " in " : "",
                                                                  output ? output : ""));
        }
        return 0;
}

/* One try at handing over: what was found out and made without the lock, before the moment that decides. */
struct attempt {
        struct gbx_site *site;
        const struct gbx_run_plan *plan;
        const char *run;
        struct gbx_gate_result *result;
        struct gbx_release_request request;
        struct gbx_verdict verdict;
        struct gbx_draft *draft;
        char findings[GBX_SHA256_TEXT_SIZE], sealed[GBX_SHA256_TEXT_SIZE];
        uint64_t compared; /* releases that the result was compared with */
};

static void free_attempt(struct attempt *attempt) {
        gbx_verdict_free(&attempt->verdict);
        attempt->draft = gbx_draft_free(attempt->draft);
}

/* Outcomes of a try: somebody else's release came in between. */
enum { AGAIN = 1 };

/* Compares with what left since the last comparison, decides, and makes what the decision needs. */
static int prepare(struct attempt *attempt, struct gbx_error *err) {
        struct gbx_site *site = attempt->site;
        uint64_t before = attempt->compared;
        int r = gbx_fact_count(site, "release", &attempt->compared, err);

        if (r >= 0)
                r = gbx_check_earlier(site, &attempt->plan->request, attempt->plan->policy->release.minimum_count, before, attempt->result, err);
        if (r >= 0)
                r = gbx_request_withdrawn(site, &attempt->plan->request, attempt->plan->policy, &attempt->request.withdrawn, err);
        if (r >= 0)
                r = keep_findings(site, &attempt->result->findings, attempt->findings, err);
        if (r >= 0)
                r = gbx_decide_release(attempt->plan->policy, &attempt->request, &attempt->result->findings, &attempt->verdict, err);
        if (r < 0)
                return r;
        switch (attempt->verdict.outcome) {
        case GBX_OUTCOME_RELEASE:
                return gbx_draft_make(&attempt->draft, site, attempt->run, attempt->plan, attempt->result, attempt->findings, NULL, err);
        case GBX_OUTCOME_HOLD:
                return gbx_held_keep(site, attempt->run, attempt->result, attempt->sealed, err);
        default:
                return 0;
        }
}

/* Whether what `prepare` found out still holds, inside the transaction. */
static int check_current(const struct attempt *attempt, struct gbx_error *err) {
        bool withdrawn;
        uint64_t releases;
        int r = gbx_fact_count(attempt->site, "release", &releases, err);

        if (r >= 0)
                r = gbx_request_withdrawn(attempt->site, &attempt->plan->request, attempt->plan->policy, &withdrawn, err);
        if (r < 0)
                return r;
        if (releases != attempt->compared || withdrawn != attempt->request.withdrawn)
                return AGAIN;
        return attempt->draft ? gbx_draft_check(attempt->draft, err) : 0;
}

static int record_hold(struct gbx_transaction *transaction, const char *run, const char *findings, const char *sealed, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:s, s:s}", "findings", findings, "sealed", sealed);

        return gbx_transaction_record(transaction, &(struct gbx_action){ "gate.hold", run, "held", NULL, details }, NULL, err);
}

/* Files follow the entries: what is held takes its place, and a try that came to hold before another came to something
 * else has left nothing. */
static int settle(const struct attempt *attempt, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r;

        if (attempt->verdict.outcome != GBX_OUTCOME_HOLD)
                return attempt->sealed[0] || attempt->verdict.outcome == GBX_OUTCOME_REFUSE
                               ? gbx_held_drop(attempt->site, attempt->run, err) : 0;
        r = gbx_fact_one(attempt->site, &row, err, "run", "id=?1", attempt->run, NULL);
        return r < 0 ? r : r > 0 ? 0 : gbx_held_settle(attempt->site, row, err);
}

/* The moment that decides: nothing is released or recorded in between. */
static int commit(struct attempt *attempt, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r = gbx_transaction_begin_system(&transaction, attempt->site, err);

        if (r >= 0)
                r = check_current(attempt, err);
        if (r != 0)
                return r < 0 ? r : AGAIN;
        r = record_check(transaction, attempt->run, attempt->result, &attempt->request, attempt->findings, attempt->sealed,
                         &attempt->verdict, err);
        if (r >= 0 && attempt->verdict.outcome == GBX_OUTCOME_HOLD)
                r = record_hold(transaction, attempt->run, attempt->findings, attempt->sealed, err);
        if (r >= 0 && attempt->draft)
                r = gbx_draft_record(transaction, attempt->draft, err);
        if (r >= 0)
                r = gbx_transaction_commit(&transaction, err);
        return r < 0 ? r : settle(attempt, err);
}

static enum gbx_run_state state_of(enum gbx_outcome outcome) {
        switch (outcome) {
        case GBX_OUTCOME_RELEASE:
                return GBX_RUN_RELEASED;
        case GBX_OUTCOME_HOLD:
                return GBX_RUN_HELD;
        default:
                return GBX_RUN_REFUSED;
        }
}

/* A try that others overtook is made again, with what they released among the earlier ones. */
static int hand_over_once(struct attempt *attempt, struct gbx_run_outcome *outcome, struct gbx_error *err) {
        int r = prepare(attempt, err);

        if (r >= 0)
                r = commit(attempt, err);
        if (r == 0)
                outcome->state = state_of(attempt->verdict.outcome);
        gbx_verdict_free(&attempt->verdict);
        attempt->verdict = (struct gbx_verdict){};
        attempt->draft = gbx_draft_free(attempt->draft);
        return r;
}

int gbx_hand_over(struct gbx_site *site, const struct gbx_decision *decision, const struct gbx_run_plan *plan,
                  struct gbx_delivery *out, struct gbx_run_outcome *outcome, struct gbx_error *err) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(free_attempt) struct attempt attempt = { .site = site, .plan = plan, .run = decision->id, .result = &result };
        int r = gbx_check_outputs(decision->id, plan->policy, out, &result, err);

        if (r < 0)
                return r;
        attempt.request = (struct gbx_release_request){ .requester = plan->request.requester, .recipient = plan->request.requester,
                                                        .table_count = result.table_count, .opaque_count = result.opaque_count,
                                                        .declared_counts = result.declared_counts };
        for (unsigned n = 0; n < TRIES; n++) {
                r = hand_over_once(&attempt, outcome, err);
                if (r != AGAIN)
                        return r < 0 ? r : tell_findings(&result.findings, outcome->reasons, err);
        }
        return gbx_fail(err, -EAGAIN, "other releases came in between %d times; the run has ended, and gbx service recover closes it", TRIES);
}

/* --- held outputs, later ------------------------------------------------------------- */

int gbx_hold_finish(struct gbx_site *site, const char *run, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(site, &row, err, "run", "id=?1 AND state='hold'", run, NULL);

        if (r == 0)
                r = gbx_held_load(site, row, &result, err);
        if (r == 0)
                r = gbx_transaction_begin_system(&transaction, site, err);
        if (r == 0)
                r = record_hold(transaction, run, gbx_json_text(row, "findings"), gbx_json_text(row, "sealed"), err);
        if (r == 0)
                r = gbx_transaction_commit(&transaction, err);
        return r != 0 ? r : gbx_held_settle(site, row, err);
}

/* All findings but those of the comparison with earlier releases, which is made anew. */
static int without_differencing(const struct gbx_findings *findings, struct gbx_findings *ret, struct gbx_error *err) {
        bool dropped = false;
        int r = 0;

        for (size_t i = 0; i < findings->count && r >= 0; i++)
                if (strcmp(findings->items[i].rule, "differencing") != 0)
                        r = gbx_findings_add(ret, &findings->items[i], err);
                else
                        dropped = true;
        if (!dropped)
                ret->left_out = findings->left_out; /* all of it the gate's own */
        return r;
}

static int hold_anew(struct gbx_site *site, const json_t *row, const struct gbx_run_plan *plan, struct attempt *attempt, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *now = NULL;
        int r = gbx_decide_release(plan->policy, &attempt->request, &attempt->result->findings, &attempt->verdict, err);

        if (r >= 0 && attempt->verdict.outcome == GBX_OUTCOME_HOLD)
                r = gbx_held_keep(site, attempt->run, attempt->result, attempt->sealed, err);
        if (r >= 0)
                r = gbx_transaction_begin_system(&transaction, site, err);
        if (r >= 0)
                r = gbx_fact_one(site, &now, err, "run", "id=?1 AND state IN ('held', 'approved')", attempt->run, NULL);
        if (r > 0 || (r == 0 && strcmp(gbx_json_text(now, "findings"), gbx_json_text(row, "findings")) != 0))
                r = gbx_fail(err, -EAGAIN, "somebody else decided about %s meanwhile; look again", attempt->run);
        if (r >= 0)
                r = record_check(transaction, attempt->run, attempt->result, &attempt->request, attempt->findings, attempt->sealed,
                                 &attempt->verdict, err);
        if (r >= 0 && attempt->verdict.outcome == GBX_OUTCOME_HOLD)
                r = record_hold(transaction, attempt->run, attempt->findings, attempt->sealed, err);
        if (r >= 0)
                r = gbx_transaction_commit(&transaction, err);
        return r < 0 ? r : settle(attempt, err);
}

int gbx_held_compare_again(struct gbx_site *site, const json_t *row, const struct gbx_run_plan *plan, struct gbx_gate_result *result,
                           uint64_t *ret_compared, struct gbx_error *err) {
        gbx_auto(free_attempt) struct attempt attempt = { .site = site, .plan = plan, .run = gbx_json_text(row, "id"), .result = result };
        struct gbx_findings findings = {}, held = result->findings;
        int r = without_differencing(&held, &findings, err);

        if (r < 0)
                gbx_findings_free(&findings);
        if (r >= 0) {
                result->findings = findings;
                gbx_findings_free(&held);
                r = gbx_fact_count(site, "release", ret_compared, err);
        }
        if (r >= 0)
                r = gbx_check_earlier(site, &plan->request, plan->policy->release.minimum_count, 0, result, err);
        if (r >= 0)
                r = keep_findings(site, &result->findings, attempt.findings, err);
        if (r < 0 || strcmp(attempt.findings, gbx_json_text(row, "findings")) == 0)
                return r < 0 ? r : 0;
        attempt.request = (struct gbx_release_request){ .requester = plan->request.requester, .recipient = plan->request.requester,
                                                        .table_count = result->table_count, .opaque_count = result->opaque_count,
                                                        .declared_counts = result->declared_counts };
        r = gbx_request_withdrawn(site, &plan->request, plan->policy, &attempt.request.withdrawn, err);
        if (r >= 0)
                r = hold_anew(site, row, plan, &attempt, err);
        return r < 0 ? r : GBX_HELD_ANEW;
}
