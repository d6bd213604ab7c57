#include "gateway/job/job.h"

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/executor/local.h"
#include "gateway/job/denied.h"
#include "gateway/run/close.h"
#include "gateway/run/decide.h"
#include "gateway/flows/flows.h"
#include "gateway/handover/handover.h"
#include "gateway/run/plan.h"
#include "gateway/store/transaction.h"

#include <string.h>

static json_t *make_report(const struct gbx_execution_result *result) {
        const json_t *sandbox = result->sandbox;

        return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "cpu_ms", gbx_json_number(sandbox, "cpu_ms"), "wall_ms",
                         gbx_json_number(sandbox, "wall_ms"), "memory_bytes", gbx_json_number(sandbox, "memory_peak_bytes"), "pids_peak",
                         gbx_json_number(sandbox, "pids_peak"), "read_bytes", gbx_json_number(sandbox, "io_read_bytes"), "written_bytes",
                         gbx_json_number(sandbox, "io_write_bytes"), "denied", gbx_json_number(sandbox, "denied_total"));
}

static int record_end(struct gbx_transaction *transaction, const char *id, const struct gbx_execution_result *result, struct gbx_run_outcome *outcome,
                      json_t *reason, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = json_deep_copy(outcome->report), *reasons = json_array();
        const char *named = json_string_value(json_object_get(result->sandbox, "limit"));
        const char *limit = named ? gbx_word_name(gbx_word_of_sandbox(named)) : NULL;
        const char *word = outcome->state == GBX_RUN_RELEASED ? "done" : outcome->state == GBX_RUN_LIMITED ? "limit" :
                           outcome->state == GBX_RUN_CANCELLED ? "cancelled" : "failed";

        if (reason && json_array_append(reasons, reason) < 0)
                return gbx_fail_memory(err);
        (void)json_object_set_new(details, "image", json_string(result->image));
        (void)json_object_set_new(details, "exit", json_integer(gbx_json_number(result->sandbox, "exit_code")));
        if (limit)
                (void)json_object_set_new(details, "limit", json_string(limit));
        if (json_is_object(json_object_get(result->sandbox, "layers")))
                (void)json_object_set(details, "layers", json_object_get(result->sandbox, "layers"));
        return gbx_transaction_record(transaction, &(struct gbx_action){ "run.end", id, word, reasons, details }, NULL, err);
}

/* The end of a run that broke off in our own hands: one that was decided has an end whatever happens. The mark stays, so
 * that the next command puts in order what is left, and ends the run if that could not be done here. */
static void close_broken(struct gbx_site *site, struct gbx_decision *decision, const struct gbx_error *cause) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        struct gbx_error ignored = {}; /* the cause is what the caller reports; that it could not be recorded adds nothing */
        char text[512];

        gbx_text_printable(cause->message, strlen(cause->message), text, sizeof text);
        if (gbx_transaction_begin_system(&transaction, site, &ignored) >= 0)
                (void)gbx_run_close(transaction, decision->id, text, &ignored);
        decision->living = gbx_living_leave(decision->living);
}

static int record_start(struct gbx_site *site, const struct gbx_run_plan *plan, const char *id, struct gbx_error *err) {
        const struct gbx_policy_limits *limits = &plan->policy->limits;
        gbx_auto(gbx_json_freep) json_t *details =
                json_pack("{s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I}}", "algorithm", plan->request.algorithm, "policy",
                          plan->request.policy, "limits", "wall_ms", (json_int_t)limits->wall_ms, "cpu_ms", (json_int_t)limits->cpu_ms,
                          "memory_bytes", (json_int_t)limits->memory_bytes, "processes", (json_int_t)limits->processes,
                          "output_bytes", (json_int_t)limits->output_bytes);
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r;

        if (limits->cpu_percent)
                (void)json_object_set_new(json_object_get(details, "limits"), "cpu_percent", json_integer((json_int_t)limits->cpu_percent));
        r = gbx_transaction_begin_system(&transaction, site, err);
        if (r >= 0)
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "run.start", id, "done", NULL, details }, NULL, err);
        for (size_t i = 0; i < plan->request.dataset_count && r >= 0; i++) {
                gbx_auto(gbx_json_freep) json_t *use =
                        json_pack("{s:s, s:s, s:s}", "purpose", "decrypt into the sandbox", "run", id, "digest", plan->request.datasets[i].digest);

                r = gbx_transaction_record(transaction, &(struct gbx_action){ "key.use", plan->request.datasets[i].name, "done", NULL, use }, NULL,
                                           err);
        }
        return r;
}

static int run_flows(struct gbx_site *site, const struct gbx_run_plan *plan, const char *id, struct gbx_execution *execution,
                     struct gbx_execution_result *ret, struct gbx_error *err) {
        struct gbx_flows *flows = NULL;
        int stopped, r = gbx_flows_start(&flows, site, plan, id, err);

        if (r >= 0 && flows)
                gbx_flows_prepare(flows, execution);
        if (r >= 0)
                r = gbx_execute(execution, ret, err);
        stopped = gbx_flows_stop(flows, r < 0 ? NULL : err);
        return r >= 0 && stopped < 0 ? stopped : r; /* flows that could not be recorded: nothing of this run leaves */
}

static int cancelled(struct gbx_execution_result *ret, struct gbx_error *err) {
        ret->sandbox = json_pack("{s:s}", "outcome", "cancelled");
        return ret->sandbox ? 0 : gbx_fail_memory(err);
}

/* Whoever asks for the end before the job has begun gets it without a beginning. */
static int execute(struct gbx_site *site, const struct gbx_run_order *order, const struct gbx_run_plan *plan,
                   const struct gbx_decision *decision, struct gbx_execution_result *ret, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int cancel = gbx_interrupt_either(order->cancel, gbx_living_asked(decision->living), err);
        struct gbx_execution execution;
        int r;

        if (cancel < 0)
                return cancel;
        if (gbx_interrupt_asked(cancel))
                return cancelled(ret, err);
        r = record_start(site, plan, decision->id, err);
        if (r < 0)
                return r;
        gbx_run_plan_execution(site, plan, decision->id, &execution);
        execution.cancel = cancel;
        execution.progress = plan->policy->messages.progress ? order->progress : NULL;
        execution.userdata = order->userdata;
        return run_flows(site, plan, decision->id, &execution, ret, err);
}

static int record_result(struct gbx_site *site, const char *id, const struct gbx_execution_result *result, struct gbx_run_outcome *outcome,
                         json_t *reason, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r = gbx_transaction_begin_system(&transaction, site, err);

        if (r >= 0)
                r = gbx_record_denied(transaction, id, result->sandbox, err);
        return r < 0 ? r : record_end(transaction, id, result, outcome, reason, err);
}

static int run_allowed(struct gbx_site *site, const struct gbx_run_order *order, const struct gbx_decision *decision,
                       struct gbx_run_outcome *outcome, struct gbx_error *err) {
        gbx_auto(gbx_run_plan_free) struct gbx_run_plan plan = {};
        gbx_auto(gbx_execution_result_free) struct gbx_execution_result result = {};
        gbx_auto(gbx_json_freep) json_t *reason = NULL;
        int r = gbx_run_plan_load(site, decision->request, &plan, err);

        if (r >= 0)
                r = execute(site, order, &plan, decision, &result, err);
        if (r < 0)
                return r;
        outcome->report = make_report(&result);
        outcome->state = gbx_run_judge(&result, &plan.policy->messages, &reason);
        r = record_result(site, decision->id, &result, outcome, reason, err);
        if (r < 0)
                return r;
        if (outcome->state != GBX_RUN_RELEASED) {
                (void)json_array_append(outcome->reasons, reason);
                return gbx_site_checkpoint(site, err);
        }
        return gbx_hand_over(site, decision, &plan, result.out, outcome, err);
}

int gbx_run_job(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_run_order *order, struct gbx_run_outcome *ret,
                struct gbx_error *err) {
        gbx_auto(gbx_decision_free) struct gbx_decision decision = {};
        gbx_auto(gbx_run_outcome_free) struct gbx_run_outcome outcome = {};
        int r = gbx_decide_and_record(site, caller, order, &decision, err);

        if (r < 0)
                return r;
        memcpy(outcome.id, decision.id, sizeof outcome.id);
        outcome.reasons = json_array();
        if (!decision.allowed) {
                outcome.state = GBX_RUN_DENIED;
                (void)json_array_extend(outcome.reasons, decision.reasons);
                r = gbx_site_checkpoint(site, err);
        } else {
                r = run_allowed(site, order, &decision, &outcome, err);
                if (r < 0)
                        close_broken(site, &decision, err);
        }
        if (r < 0)
                return r;
        *ret = outcome;
        outcome = (struct gbx_run_outcome){};
        return 0;
}
