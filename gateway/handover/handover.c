#include "gateway/handover/handover.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/gate/check.h"
#include "gateway/handover/earlier.h"
#include "base/install.h"
#include "gateway/store/objects.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

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
                        const struct gbx_release_request *request, const char *findings, const struct gbx_verdict *verdict,
                        struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL, *reasons = gbx_verdict_reasons(verdict);
        char output[GBX_SHA256_TEXT_SIZE];
        int r = gbx_output_digest(result, output, err);

        if (r < 0)
                return r;
        details = json_pack("{s:s, s:s, s:I, s:I, s:b, s:s}", "output", output, "findings", findings, "tables",
                            (json_int_t)request->table_count, "opaque", (json_int_t)request->opaque_count, "declared_counts",
                            request->declared_counts, "recipient", request->recipient);
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

static int hold(struct gbx_transaction *transaction, const char *run, const struct gbx_gate_result *result, struct gbx_error *err) {
        int r = gbx_hold_keep(gbx_transaction_site(transaction), run, result, err);

        return r < 0 ? r : gbx_transaction_record(transaction, &(struct gbx_action){ "gate.hold", run, "held", NULL, NULL }, NULL, err);
}

int gbx_hand_over(struct gbx_site *site, const struct gbx_decision *decision, const struct gbx_run_plan *plan,
                  struct gbx_delivery *out, struct gbx_run_outcome *outcome, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        struct gbx_release_request request = { .requester = plan->request.requester, .recipient = plan->request.requester };
        char findings[GBX_SHA256_TEXT_SIZE];
        int r = gbx_check_outputs(decision->id, plan->policy, out, &result, err);

        if (r >= 0)
                r = gbx_transaction_begin_system(&transaction, site, err); /* from the comparison with earlier releases to this one */
        if (r < 0)
                return r;
        r = gbx_check_earlier(site, &plan->request, plan->policy->release.minimum_count, &result, err);
        if (r < 0)
                return r;
        request.table_count = result.table_count;
        request.opaque_count = result.opaque_count;
        request.declared_counts = result.declared_counts;
        r = gbx_decide_release(plan->policy, &request, &result.findings, &verdict, err);
        if (r >= 0)
                r = keep_findings(site, &result.findings, findings, err);
        if (r >= 0)
                r = record_check(transaction, decision->id, &result, &request, findings, &verdict, err);
        if (r >= 0)
                r = tell_findings(&result.findings, outcome->reasons, err);
        if (r < 0)
                return r;
        switch (verdict.outcome) {
        case GBX_OUTCOME_RELEASE:
                outcome->state = GBX_RUN_RELEASED;
                r = gbx_release(transaction, decision->id, plan, &result, findings, err);
                break;
        case GBX_OUTCOME_HOLD:
                outcome->state = GBX_RUN_HELD;
                r = hold(transaction, decision->id, &result, err);
                break;
        default:
                outcome->state = GBX_RUN_REFUSED;
                break;
        }
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}
