#include "policy/reviewer.h"

#include "base/cleanup.h"
#include "policy/verdict.h"

int gbx_reviewer_check(const struct gbx_policy *policy, enum gbx_review review, const struct gbx_person *reviewer, bool key_known,
                       unsigned roles, const struct gbx_person *submitter, const struct gbx_person *requester,
                       struct gbx_verdict *verdict, struct gbx_error *err) {
        static const char *const what[] = { [GBX_REVIEW_ALGORITHM] = "the approval by", [GBX_REVIEW_OUTPUTS] = "the decision of" };
        bool outputs = review == GBX_REVIEW_OUTPUTS;
        const struct gbx_texts *named = outputs ? &policy->output_review.reviewers : &policy->approvals.reviewers;
        bool excluding = outputs ? policy->output_review.exclude_submitter : policy->approvals.exclude_submitter;
        bool submitted = gbx_person_same(reviewer, submitter), requested = gbx_person_same(reviewer, requester);
        const struct {
                const char *codes[2]; /* by gbx_review */
                bool good;
                const char *text;
        } checks[] = {
                { { "approval-key", "review-key" }, key_known, "is of a reviewer who has no key any more" },
                { { "approval-role", "review-role" }, roles & GBX_ROLE_REVIEWER, "is of somebody who is not a reviewer" },
                { { "approval-reviewer", "review-reviewer" }, (outputs && named->count == 0) || gbx_texts_contain(named, reviewer->name),
                  outputs ? "is of somebody whom the policy does not name as reviewer of outputs" :
                            "is of somebody whom the policy does not name as reviewer" },
                { { "approval-submitter", "review-submitter" }, !excluding || !submitted,
                  "is of the one who submitted the algorithm, or made with the same key" },
                { { "approval-requester", "review-requester" }, outputs ? !requested : !excluding || submitted || !requested,
                  "is of the one who asks for the run, or made with the same key" },
        };
        int r = 0, bad = 0;

        for (size_t i = 0; r >= 0 && i < gbx_array_size(checks); i++)
                if (!checks[i].good) {
                        bad = 1;
                        r = gbx_verdict_add(verdict, err, checks[i].codes[review], "%s '%s' %s", what[review], reviewer->name,
                                            checks[i].text);
                }
        return r < 0 ? r : bad;
}

int gbx_policy_reviewer_counts(const struct gbx_policy *policy, enum gbx_review review, const struct gbx_reviewer *reviewer,
                               const struct gbx_reviewer *submitter, const struct gbx_reviewer *requester,
                               struct gbx_verdict *ret, struct gbx_error *err) {
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        struct gbx_person person = {}, submitting = {}, requesting = {};
        int r = gbx_person_read(&person, reviewer->name, reviewer->key, err);

        if (r >= 0)
                r = gbx_person_read(&submitting, submitter->name, submitter->key, err);
        if (r >= 0 && requester)
                r = gbx_person_read(&requesting, requester->name, requester->key, err);
        if (r >= 0)
                r = gbx_reviewer_check(policy, review, &person, person.has_key, reviewer->roles, &submitting, &requesting, &verdict, err);
        if (r < 0)
                return r;
        verdict.outcome = r > 0 ? GBX_OUTCOME_DENIED : GBX_OUTCOME_ALLOWED;
        gbx_verdict_move(&verdict, ret);
        return 0;
}
