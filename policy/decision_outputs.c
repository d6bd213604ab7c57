#include "policy/decision_outputs.h"

#include "base/cleanup.h"
#include "policy/reviewer.h"
#include "policy/sshsig.h"
#include "policy/verdict.h"

#include <string.h>

struct deciding {
        const struct gbx_policy *policy;
        const struct gbx_outputs_request *request;
        struct gbx_verdict *verdict;
        struct gbx_person submitter, requester;
        struct gbx_voices approving;
        size_t rejections;
        struct gbx_error *err;
};

struct check {
        const char *code;
        bool good;
        const char *text;
};

#define NOTE(deciding, ...) gbx_verdict_add((deciding)->verdict, (deciding)->err, __VA_ARGS__)

/* Notes each check that is not good. Positive: there was one. */
static int apply(struct deciding *d, const char *reviewer, const struct check *checks, size_t count) {
        int r = 0, bad = 0;

        for (size_t i = 0; r >= 0 && i < count; i++)
                if (!checks[i].good) {
                        bad = 1;
                        r = NOTE(d, checks[i].code, "the decision of '%s' %s", reviewer, checks[i].text);
                }
        return r < 0 ? r : bad;
}

static bool was_withdrawn(const struct deciding *d, const struct gbx_outputs_decision *decision) {
        for (size_t i = 0; i < d->request->decision_count; i++) {
                const struct gbx_outputs_decision *other = d->request->decisions + i;

                if (other != decision && other->withdrawn && strcmp(other->statement, decision->statement) == 0)
                        return true;
        }
        return false;
}

/* What the log says of reviewer and decision now, whatever was signed. Positive: the decision does not count. */
static int check_reviewer(struct deciding *d, const struct gbx_outputs_decision *decision) {
        struct gbx_person reviewer = {};
        const struct check checks[] = {
                { "review-withdrawn", !decision->withdrawn, "was withdrawn" },
                { "review-replayed", decision->withdrawn || !was_withdrawn(d, decision), "has the statement of one that was withdrawn" },
                { "review-before-key", !decision->key || decision->seq > decision->key_since,
                  "is older than the reviewer's key or membership: it must be made again" },
        };
        int bad = apply(d, decision->reviewer, checks, gbx_array_size(checks)), r;

        /* A key that cannot be read is told by check_statement. */
        if (bad < 0 || gbx_person_read(&reviewer, decision->reviewer, decision->key, NULL) == -ENOMEM)
                return bad < 0 ? bad : gbx_fail_memory(d->err);
        r = gbx_reviewer_check(d->policy, GBX_REVIEW_OUTPUTS, &reviewer, decision->key, decision->roles, &d->submitter, &d->requester,
                               d->verdict, d->err);
        return r < 0 ? r : bad || r;
}

/* Each way in which a statement can speak of something else. Positive: it does. */
static int check_binding(struct deciding *d, const struct gbx_outputs_decision *decision,
                         const struct gbx_output_statement *statement) {
        const struct gbx_outputs_request *request = d->request;
        const struct check checks[] = {
                { "review-site", strcmp(statement->site, request->site) == 0, "was made for another site" },
                { "review-run", strcmp(statement->run, request->run) == 0, "is about another run" },
                { "review-outputs", strcmp(statement->outputs, request->outputs) == 0, "is about other outputs" },
                { "review-findings", strcmp(statement->findings, request->findings) == 0, "is about other findings" },
                { "review-recipient", strcmp(statement->recipient, request->recipient) == 0, "is about another recipient" },
                { "review-policy", strcmp(statement->policy, d->policy->digest) == 0, "was made under another policy" },
                { "review-reviewer", strcmp(statement->reviewer, decision->reviewer) == 0, "names another reviewer" },
                { "review-made", statement->made <= request->now, "was made at a time that has not come yet" },
        };

        return apply(d, decision->reviewer, checks, gbx_array_size(checks));
}

/* Verifies the signature and what it says. Positive: the decision does not count. */
static int check_statement(struct deciding *d, const struct gbx_outputs_decision *decision, struct gbx_person *ret_person,
                           struct gbx_output_statement *ret_statement) {
        const char *code = "review-key";
        struct gbx_error problem = {};
        int r = gbx_person_read(ret_person, decision->reviewer, decision->key, &problem);

        if (r >= 0) {
                code = "review-signature";
                r = gbx_sshsig_verify(&ret_person->key, GBX_SSHSIG_NAMESPACE, decision->statement, strlen(decision->statement),
                                      decision->signature, strlen(decision->signature), &problem);
        }
        if (r >= 0) {
                code = "review-statement";
                r = gbx_output_statement_parse(decision->statement, strlen(decision->statement), ret_statement, &problem);
        }
        if (r == -EINVAL || r == -EBADMSG) {
                r = NOTE(d, code, "the decision of '%s': %s", decision->reviewer, problem.message);
                return r < 0 ? r : 1;
        }
        return r < 0 ? gbx_fail(d->err, r, "%s", problem.message) : check_binding(d, decision, ret_statement);
}

/* Counts a decision that is good. */
static int count(struct deciding *d, const struct gbx_person *person, const struct gbx_output_statement *statement) {
        const struct gbx_person *other;

        if (statement->decision != GBX_OUTPUT_APPROVE) {
                d->rejections++;
                return NOTE(d, "outputs-rejected", "'%s' rejected the outputs", person->name);
        }
        other = gbx_voices_find(&d->approving, person);
        if (other)
                return NOTE(d, "review-repeated", "the decision of '%s' repeats that of '%s' (same person or same key)",
                            person->name, other->name);
        gbx_voices_add(&d->approving, person);
        return 0;
}

static int check_decision(struct deciding *d, const struct gbx_outputs_decision *decision) {
        struct gbx_output_statement statement = {};
        struct gbx_person person = {};
        int bad = check_reviewer(d, decision), wrong = bad >= 0 && decision->key ? check_statement(d, decision, &person, &statement) : 0;

        return bad < 0 ? bad : wrong < 0 ? wrong : bad || wrong || !decision->key ? 0 : count(d, &person, &statement);
}

/* What follows from those who count. */
static int conclude(struct deciding *d, enum gbx_outcome *ret_outcome) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer names = {};
        uint64_t required = d->policy->output_review.required;
        bool enough = d->approving.count >= required;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < d->approving.count; i++)
                r = gbx_buffer_printf(&names, d->err, "%s%s", i ? ", " : ": ", d->approving.people[i].name);
        if (r >= 0)
                r = NOTE(d, enough ? "outputs-approved" : "too-few-reviews", "%zu of %llu reviewers approved%s", d->approving.count,
                         (unsigned long long)required, gbx_buffer_text(&names));
        if (r < 0)
                return r;
        *ret_outcome = d->rejections ? GBX_OUTCOME_REFUSE : enough ? GBX_OUTCOME_RELEASE : GBX_OUTCOME_HOLD;
        return 0;
}

int gbx_decide_outputs(const struct gbx_policy *policy, const struct gbx_outputs_request *request, struct gbx_verdict *ret,
                       struct gbx_error *err) {
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        struct deciding deciding = { .policy = policy, .request = request, .verdict = &verdict, .err = err };
        bool listed = gbx_policy_allows_recipient(policy, request->requester, request->recipient);
        int r;

        if (strcmp(policy->digest, request->policy) != 0)
                return gbx_fail(err, -EINVAL, "the request names another policy than the one it is judged by");
        r = gbx_person_read(&deciding.submitter, request->submitter, request->submitter_key, err);
        if (r >= 0)
                r = gbx_person_read(&deciding.requester, request->requester, request->requester_key, err);
        if (r >= 0 && !listed)
                r = gbx_verdict_add(&verdict, err, "recipient", "the policy does not name this recipient");
        for (size_t i = 0; r >= 0 && i < request->decision_count; i++)
                r = check_decision(&deciding, request->decisions + i);
        if (r >= 0)
                r = conclude(&deciding, &verdict.outcome);
        if (r < 0)
                return r;
        if (!listed)
                verdict.outcome = GBX_OUTCOME_REFUSE;
        gbx_verdict_move(&verdict, ret);
        return 0;
}
