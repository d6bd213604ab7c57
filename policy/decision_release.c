/* May these outputs leave? */
#include "policy/verdict.h"

#include <string.h>

/* Outcomes grow worse in this order. */
static enum gbx_outcome worse(enum gbx_outcome a, enum gbx_outcome b) {
        return a > b ? a : b;
}
_Static_assert(GBX_OUTCOME_RELEASE < GBX_OUTCOME_HOLD && GBX_OUTCOME_HOLD < GBX_OUTCOME_REFUSE, "worse() relies on it");

static size_t count_severity(const struct gbx_findings *findings, enum gbx_severity severity) {
        size_t count = 0;

        for (size_t i = 0; i < findings->count; i++)
                count += findings->items[i].severity == severity;
        return count;
}

struct step {
        bool applies;
        enum gbx_outcome outcome;
        const char *code;
        const char *text;
};

static int apply(const struct step *steps, size_t count, struct gbx_verdict *verdict, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < count; i++)
                if (steps[i].applies) {
                        verdict->outcome = worse(verdict->outcome, steps[i].outcome);
                        r = gbx_verdict_add(verdict, err, steps[i].code, "%s", steps[i].text);
                }
        return r;
}

bool gbx_policy_allows_recipient(const struct gbx_policy *policy, const char *requester, const char *recipient) {
        const struct gbx_texts *listed = &policy->release.recipients;

        return listed->count ? gbx_texts_contain(listed, recipient) : strcmp(recipient, requester) == 0;
}

int gbx_decide_release(const struct gbx_policy *policy, const struct gbx_release_request *request,
                       const struct gbx_findings *findings, struct gbx_verdict *ret, struct gbx_error *err) {
        const struct gbx_policy_release *release = &policy->release;
        /* `hold: never` means that nobody looks at what is in doubt: it does not leave. */
        enum gbx_outcome doubt = release->hold == GBX_HOLD_NEVER ? GBX_OUTCOME_REFUSE : GBX_OUTCOME_HOLD;
        bool listed = gbx_policy_allows_recipient(policy, request->requester, request->recipient);
        const struct step steps[] = {
                { request->withdrawn, GBX_OUTCOME_REFUSE, "withdrawn", "what the run was allowed by was withdrawn meanwhile" },
                { !listed, GBX_OUTCOME_REFUSE, "recipient", "the policy does not name this recipient" },
                { request->table_count + request->opaque_count == 0, GBX_OUTCOME_REFUSE, "no-output",
                  "the run left no output that could be released" },
                { count_severity(findings, GBX_SEVERITY_FAIL), doubt, "findings-failed", "a rule of the gate failed" },
                { count_severity(findings, GBX_SEVERITY_REVIEW), doubt, "findings-review", "a finding asks for a reviewer" },
                { request->opaque_count && release->opaque == GBX_OPAQUE_REFUSE, GBX_OUTCOME_REFUSE, "opaque-output",
                  "the policy lets tables leave, nothing else" },
                { request->opaque_count && release->opaque == GBX_OPAQUE_HOLD, doubt, "opaque-output",
                  "an output is not a table; only a reviewer can judge it" },
                { request->declared_counts && release->declared_counts == GBX_COUNTS_HOLD, doubt, "declared-counts",
                  "the contributor counts are the job's own word" },
                { release->hold == GBX_HOLD_ALWAYS, GBX_OUTCOME_HOLD, "held-always", "the policy holds every output" },
        };
        struct gbx_verdict verdict = { .outcome = GBX_OUTCOME_RELEASE };
        int r = apply(steps, sizeof steps / sizeof *steps, &verdict, err);

        if (r >= 0 && verdict.count == 0)
                r = gbx_verdict_add(&verdict, err, "checks-passed", "every rule of the gate passed");
        if (r < 0) {
                gbx_verdict_free(&verdict);
                return r;
        }
        gbx_verdict_move(&verdict, ret);
        return 0;
}
