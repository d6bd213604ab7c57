#include "gateway/review/outputs.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/handover/handover.h"
#include "gateway/handover/held.h"
#include "gateway/handover/make.h"
#include "gateway/review/outputs_request.h"
#include "gateway/run/decide.h"
#include "gateway/run/plan.h"
#include "gateway/run/request.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/living.h"
#include "gateway/store/objects.h"
#include "gateway/store/transaction.h"
#include "policy/decision_outputs.h"

#include <string.h>

enum {
        TRIES = 16,
        AGAIN = 1, /* outcome: somebody else's release came in between */
};

/* Whoever asked for a run has no part in the judgement of its outputs. */
static int find_run(struct gbx_site *site, const struct gbx_caller *caller, const char *run, json_t **ret_row, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(site, &row, err, "run", "id=?1", run, NULL);

        if (r < 0)
                return r;
        if (r > 0 || (strcmp(gbx_json_text(row, "state"), "held") != 0 && strcmp(gbx_json_text(row, "state"), "approved") != 0))
                return gbx_fail(err, -ENOENT, "there are no held outputs of '%s' (gbx review ls)", run);
        if (caller && strcmp(gbx_json_text(row, "requester"), gbx_caller_name(caller)) == 0)
                return gbx_fail(err, -EKEYREJECTED, "'%s' asked for this run and cannot review its outputs", gbx_caller_name(caller));
        *ret_row = gbx_take_ptr(row);
        return 0;
}

/* --- reading ---------------------------------------------------------------------- */

static bool has_decided(const json_t *reviews, const struct gbx_caller *caller) {
        size_t i;
        const json_t *review;

        json_array_foreach(reviews, i, review)
                if (strcmp(gbx_json_text(review, "reviewer"), gbx_caller_name(caller)) == 0)
                        return true;
        return false;
}

static int read_reviews(struct gbx_site *site, const struct gbx_caller *caller, const json_t *row, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_json_freep) json_t *reviews = NULL;
        int r = gbx_outputs_policy(site, row, &policy, err);

        if (r >= 0)
                r = gbx_fact_rows(site, &reviews, err, "output_review", "run=?1", gbx_json_text(row, "id"), NULL);
        if (r < 0)
                return r;
        if (policy->output_review.blind && !has_decided(reviews, caller))
                (void)json_array_clear(reviews);
        *ret = gbx_take_ptr(reviews);
        return 0;
}

static int record_reading(struct gbx_site *site, const struct gbx_caller *caller, const json_t *row, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:s}", "output", gbx_json_text(row, "output"));

        return gbx_record(site, caller, "review show", &(struct gbx_action){ "output.read", gbx_json_text(row, "id"), "done", NULL, details }, err);
}

int gbx_outputs_show(struct gbx_site *site, const struct gbx_caller *caller, const char *run, struct gbx_gate_result *ret,
                     json_t **ret_reviews, struct gbx_error *err) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_json_freep) json_t *row = NULL, *reviews = NULL;
        int r = gbx_authorise_read(site, caller, "review show", err);

        if (r >= 0)
                r = find_run(site, caller, run, &row, err);
        if (r >= 0)
                r = gbx_held_load(site, row, &result, err);
        if (r >= 0)
                r = read_reviews(site, caller, row, &reviews, err);
        if (r >= 0)
                r = record_reading(site, caller, row, err); /* first the entry, then the eyes */
        if (r < 0)
                return r;
        *ret = result;
        result = (struct gbx_gate_result){};
        if (ret_reviews)
                *ret_reviews = gbx_take_ptr(reviews);
        return 0;
}

/* --- signing ---------------------------------------------------------------------- */

/* What of a statement follows from the run; decision, reviewer, reason, time and nonce are the signer's. */
static int complete(const struct gbx_site *site, const json_t *row, struct gbx_output_statement *statement, struct gbx_error *err) {
        const char *output = gbx_json_text(row, "output"), *findings = gbx_json_text(row, "findings"), *policy = gbx_json_text(row, "policy");

        if (!output || !findings || !policy)
                return gbx_fail(err, -EBADMSG, "the log does not say what was held of %s", gbx_json_text(row, "id"));
        (void)snprintf(statement->site, sizeof statement->site, "%s", site->origin);
        (void)snprintf(statement->run, sizeof statement->run, "%s", gbx_json_text(row, "id"));
        (void)snprintf(statement->outputs, sizeof statement->outputs, "%s", output);
        (void)snprintf(statement->findings, sizeof statement->findings, "%s", findings);
        (void)snprintf(statement->policy, sizeof statement->policy, "%s", policy);
        (void)snprintf(statement->recipient, sizeof statement->recipient, "%s", gbx_json_text(row, "requester"));
        return 0;
}

static void digest_reason(const char *reason, char ret[static GBX_SHA256_TEXT_SIZE]) {

        gbx_sha256_text_of(reason, strlen(reason), ret);
}

int gbx_outputs_statement(struct gbx_site *site, const struct gbx_caller *caller, const char *run, enum gbx_output_decision decision,
                          const char *reason, struct gbx_buffer *ret_text, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_output_statement *statement = calloc(1, sizeof *statement);
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        uint8_t nonce[GBX_NONCE_SIZE];
        int r = statement ? gbx_authorise_read(site, caller, "review statement", err) : gbx_fail_memory(err);

        if (r >= 0 && (!reason || !*reason))
                r = gbx_fail(err, -EINVAL, "say why the held outputs may leave, or may not: --reason TEXT");
        if (r >= 0)
                r = find_run(site, caller, run, &row, err);
        if (r >= 0)
                r = complete(site, row, statement, err);
        if (r >= 0)
                r = gbx_random(nonce, sizeof nonce, err);
        if (r < 0)
                return r;
        gbx_nonce_text(nonce, statement->nonce);
        statement->made = gbx_time_now();
        statement->decision = decision;
        digest_reason(reason, statement->reason);
        (void)snprintf(statement->reviewer, sizeof statement->reviewer, "%s", gbx_caller_name(caller));
        return gbx_output_statement_text(statement, ret_text, err);
}

/* --- deciding --------------------------------------------------------------------- */

/* A word that the policy does not count is refused at once, so that nobody believes to have had a say. */
static int check_counts(const struct gbx_verdict *verdict, struct gbx_error *err) {
        for (size_t i = 0; i < verdict->count; i++)
                if (strncmp(verdict->reasons[i].code, "review-", 7) == 0)
                        return gbx_fail(err, -EKEYREJECTED, "%s: %s", verdict->reasons[i].code, verdict->reasons[i].text);
        return 0;
}

static int check_given(struct gbx_site *site, const struct gbx_caller *caller, const json_t *row, const struct gbx_signed_statement *given,
                       const char *reason, struct gbx_output_statement *ret, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_output_statement *expected = malloc(sizeof *expected);
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = expected ? gbx_output_statement_parse(given->statement, given->statement_size, ret, err) : gbx_fail_memory(err);

        if (r < 0)
                return r;
        *expected = *ret;
        r = complete(site, row, expected, err);
        if (r < 0)
                return r;
        digest_reason(reason, expected->reason);
        (void)snprintf(expected->reviewer, sizeof expected->reviewer, "%s", gbx_caller_name(caller));
        r = gbx_output_statement_text(expected, &text, err);
        if (r < 0)
                return r;
        if (text.size != given->statement_size || memcmp(text.data, given->statement, text.size) != 0)
                return gbx_fail(err, -EKEYREJECTED, "the statement is not about these outputs, this reviewer and this reason; "
                                                    "get the current one with: gbx review statement");
        return 0;
}

/* Everything of one review that is known before the transaction. */
struct taking {
        struct gbx_site *site;
        const struct gbx_caller *caller;
        const char *run, *reason;
        struct gbx_output_statement parsed;
        const struct gbx_signed_statement *given;
        char statement[GBX_SHA256_TEXT_SIZE], signature[GBX_SHA256_TEXT_SIZE];
};

/* One word a reviewer on what was held: a statement that somebody kept cannot be brought again. */
static int check_new(const struct taking *taking, const json_t *row, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *known = NULL;
        int r = gbx_fact_one(taking->site, &known, err, "output_review", "run=?1 AND reviewer=?2 AND findings=?3", taking->run,
                             gbx_caller_name(taking->caller), gbx_json_text(row, "findings"), NULL);

        if (r != 0)
                return r < 0 ? r : 0;
        return gbx_fail(err, -EKEYREJECTED, "'%s' decided about these outputs before, in entry %lld", gbx_caller_name(taking->caller),
                        (long long)gbx_json_number(known, "seq"));
}

static int record_review(struct gbx_transaction *transaction, const struct taking *taking, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *user = NULL, *details = NULL, *reasons = json_pack("[s]", taking->reason);
        int r = gbx_fact_one(taking->site, &user, err, "user", "name=?1 AND state='active'", gbx_caller_name(taking->caller), NULL);

        if (r != 0)
                return r < 0 ? r : gbx_fail(err, -EKEYREJECTED, "'%s' is not a user of this site", gbx_caller_name(taking->caller));
        details = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "decision",
                            taking->parsed.decision == GBX_OUTPUT_APPROVE ? "approve" : "reject", "output", taking->parsed.outputs, "findings",
                            taking->parsed.findings, "policy", taking->parsed.policy, "statement", taking->statement, "signature",
                            taking->signature, "ssh_key", gbx_json_text(user, "ssh_key"));
        if (!reasons || !details)
                return gbx_fail_memory(err);
        return gbx_transaction_record(transaction, &(struct gbx_action){ "output.review", taking->run, "done", reasons, details }, NULL, err);
}

/* What follows from all words so far: nothing yet, or the outputs may leave, or they may not. */
static int record_verdict(struct gbx_transaction *transaction, const char *run, const struct gbx_verdict *verdict, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *reasons = gbx_verdict_reasons(verdict);

        if (verdict->outcome == GBX_OUTCOME_HOLD)
                return 0;
        return gbx_transaction_record_system(transaction,
                                             &(struct gbx_action){ verdict->outcome == GBX_OUTCOME_RELEASE ? "release.approve" : "release.reject",
                                                                   run, "done", reasons, NULL },
                                             NULL, err);
}

static int take(const struct taking *taking, struct gbx_verdict *ret, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict before = {}, verdict = {};
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        struct gbx_output_statement again;
        int r = gbx_transaction_begin(&transaction, taking->site, taking->caller,
                                      taking->parsed.decision == GBX_OUTPUT_APPROVE ? "review approve" : "review reject", err);

        if (r >= 0)
                r = find_run(taking->site, taking->caller, taking->run, &row, err);
        if (r >= 0 && strcmp(gbx_json_text(row, "state"), "held") != 0)
                r = gbx_fail(err, -EKEYREJECTED, "the outputs of '%s' are approved already", taking->run);
        if (r >= 0)
                r = check_given(taking->site, taking->caller, row, taking->given, taking->reason, &again, err);
        if (r >= 0)
                r = check_new(taking, row, err);
        if (r >= 0)
                r = gbx_outputs_decide_with(taking->site, row, gbx_time_now(), taking->caller, taking->given, &before, err);
        if (r >= 0)
                r = check_counts(&before, err);
        if (r >= 0)
                r = record_review(transaction, taking, err);
        if (r >= 0)
                r = gbx_outputs_decide(taking->site, row, gbx_time_now(), &verdict, err);
        if (r >= 0)
                r = record_verdict(transaction, taking->run, &verdict, err);
        if (r >= 0)
                r = gbx_transaction_commit(&transaction, err);
        if (r < 0)
                return r;
        *ret = verdict;
        verdict = (struct gbx_verdict){};
        return 0;
}

/* What the gate held, and that nothing released since then bears on it. */
struct held {
        json_t *row;
        struct gbx_run_plan plan;
        struct gbx_gate_result result;
        uint64_t compared; /* releases */
};

static void free_held(struct held *held) {
        json_decref(held->row);
        gbx_run_plan_free(&held->plan);
        gbx_gate_result_free(&held->result);
}

static int load_current(struct gbx_site *site, const char *run, struct held *ret, struct gbx_error *err) {
        int r = find_run(site, NULL, run, &ret->row, err);

        if (r >= 0)
                r = gbx_held_load(site, ret->row, &ret->result, err);
        if (r >= 0)
                r = gbx_run_plan_load(site, gbx_json_text(ret->row, "request"), &ret->plan, err);
        if (r >= 0)
                r = gbx_held_compare_again(site, ret->row, &ret->plan, &ret->result, &ret->compared, err);
        if (r == GBX_HELD_ANEW)
                return gbx_fail(err, -EKEYREJECTED, "what was released since %s was held bears on it: there are new findings; read them "
                                                    "(gbx review show %s) and decide again", run, run);
        return r;
}

/* --- releasing -------------------------------------------------------------------- */

/* Who decided what, for the manifest. */
static int reviews_json(struct gbx_site *site, const char *run, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL, *list = json_array();
        size_t i;
        json_t *row;
        int r = gbx_fact_rows(site, &rows, err, "output_review", "run=?1", run, NULL);

        json_array_foreach(rows, i, row)
                if (r >= 0 && json_array_append_new(list, json_pack("{s:O, s:O, s:O}", "reviewer", json_object_get(row, "reviewer"), "decision",
                                                                    json_object_get(row, "decision"), "statement",
                                                                    json_object_get(row, "statement"))) < 0)
                        r = gbx_fail_memory(err);
        if (r >= 0)
                *ret = gbx_take_ptr(list);
        return r;
}

/* The transaction that releases: what the run was allowed by must stand at this moment, and nothing may have been released
 * since the comparison. */
static int release(struct gbx_site *site, const struct held *held, struct gbx_draft *draft, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        const char *run = gbx_json_text(held->row, "id");
        uint64_t releases;
        bool withdrawn;
        int r = gbx_transaction_begin_system(&transaction, site, err);

        if (r >= 0)
                r = find_run(site, NULL, run, &row, err);
        if (r >= 0)
                r = gbx_request_withdrawn(site, &held->plan.request, held->plan.policy, &withdrawn, err);
        if (r >= 0 && withdrawn) {
                gbx_auto(gbx_json_freep) json_t *reasons = json_pack("[s]", "withdrawn: what the run was allowed by was withdrawn meanwhile");

                r = gbx_transaction_record(transaction, &(struct gbx_action){ "release.reject", run, "done", reasons, NULL }, NULL, err);
                return r < 0 ? r : gbx_fail(err, -EKEYREJECTED, "what %s was allowed by (dataset, approval, requester) was withdrawn: nothing is "
                                                                "released", run);
        }
        if (r >= 0)
                r = gbx_fact_count(site, "release", &releases, err);
        if (r >= 0 && releases != held->compared)
                return AGAIN;
        if (r >= 0)
                r = gbx_draft_check(draft, err);
        if (r != 0)
                return r;
        r = gbx_draft_record(transaction, draft, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}

static int finish_once(struct gbx_site *site, const char *run, struct gbx_error *err) {
        gbx_auto(free_held) struct held held = {};
        gbx_auto(gbx_json_freep) json_t *reviews = NULL;
        gbx_auto(gbx_draft_freep) struct gbx_draft *draft = NULL;
        int r = load_current(site, run, &held, err);

        if (r >= 0 && held.result.table_count == 0)
                r = gbx_fail(err, -ENODATA, "the gate could not make a table of the outputs of %s: nothing can be released", run);
        if (r >= 0)
                r = reviews_json(site, run, &reviews, err);
        if (r >= 0)
                r = gbx_draft_make(&draft, site, run, &held.plan, &held.result, gbx_json_text(held.row, "findings"), reviews, err);
        return r < 0 ? r : release(site, &held, draft, err);
}

/* Makes the release of a run that was approved. */
static int finish(struct gbx_site *site, const char *run, struct gbx_error *err) {
        for (unsigned n = 0; n < TRIES; n++) {
                int r = finish_once(site, run, err);

                if (r <= 0)
                        return r < 0 ? r : gbx_held_drop(site, run, err);
        }
        return gbx_fail(err, -EAGAIN, "other releases came in between; try again: gbx service recover");
}

/* --- taking a word in, and what follows ------------------------------------------------ */

/* What a verdict brings about. */
static int follow(struct gbx_site *site, const char *run, const struct gbx_verdict *verdict, struct gbx_error *err) {
        switch (verdict->outcome) {
        case GBX_OUTCOME_RELEASE:
                return finish(site, run, err);
        case GBX_OUTCOME_REFUSE:
                return gbx_held_drop(site, run, err);
        default:
                return 0;
        }
}

/* With the run's mark in hand. */
static int review(struct taking *taking, struct gbx_verdict *ret_verdict, struct gbx_error *err) {
        gbx_auto(free_held) struct held held = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        int r = load_current(taking->site, taking->run, &held, err);

        if (r >= 0)
                r = take(taking, &verdict, err);
        if (r >= 0)
                r = follow(taking->site, taking->run, &verdict, err);
        if (r < 0)
                return r;
        *ret_verdict = verdict;
        verdict = (struct gbx_verdict){};
        return 0;
}

int gbx_outputs_review(struct gbx_site *site, const struct gbx_caller *caller, const char *run, const struct gbx_signed_statement *given,
                       const char *reason, struct gbx_verdict *ret_verdict, struct gbx_error *err) {
        struct taking taking = { .site = site, .caller = caller, .run = run, .given = given, .reason = reason };
        gbx_auto(gbx_living_endp) struct gbx_living *living = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r;

        if (!reason || !*reason)
                return gbx_fail(err, -EINVAL, "say why the held outputs may leave, or may not: --reason TEXT");
        r = gbx_output_statement_parse(given->statement, given->statement_size, &taking.parsed, err);
        if (r >= 0)
                r = gbx_object_put(site->directory, given->statement, given->statement_size, taking.statement, err);
        if (r >= 0)
                r = gbx_object_put(site->directory, given->signature, given->signature_size, taking.signature, err);
        if (r >= 0)
                r = find_run(site, NULL, run, &row, err);
        if (r >= 0)
                r = gbx_living_begin(&living, site->directory, run, err);
        if (r < 0)
                return r;
        r = review(&taking, ret_verdict, err);
        if (r < 0) /* what was recorded and not finished is for the recovery */
                living = gbx_living_leave(living);
        return r;
}

int gbx_outputs_settle(struct gbx_site *site, const char *run, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        gbx_auto(gbx_json_freep) json_t *row = NULL, *word = NULL;
        int r = gbx_transaction_begin_system(&transaction, site, err);

        if (r >= 0)
                r = find_run(site, NULL, run, &row, err);
        if (r >= 0 && strcmp(gbx_json_text(row, "state"), "approved") == 0)
                verdict.outcome = GBX_OUTCOME_RELEASE;
        else if (r >= 0) {
                r = gbx_fact_one(site, &word, err, "output_review", "run=?1 AND findings=?2", run, gbx_json_text(row, "findings"), NULL);
                if (r != 0) /* nobody said anything */
                        return r < 0 ? r : gbx_held_settle(site, row, err);
                r = gbx_outputs_decide(site, row, gbx_time_now(), &verdict, err);
                if (r >= 0)
                        r = record_verdict(transaction, run, &verdict, err);
        }
        if (r >= 0)
                r = gbx_transaction_commit(&transaction, err);
        if (r >= 0)
                r = gbx_held_settle(site, row, err);
        return r < 0 ? r : follow(site, run, &verdict, err);
}
