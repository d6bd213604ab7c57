#include "gateway/flows/limits.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/flows/control.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"
#include "policy/flows.h"

#include <string.h>

static json_int_t number(const json_t *row, const char *field) { return json_integer_value(json_object_get(row, field)); }

static void today(char ret[static GBX_TIME_TEXT_SIZE]) {
        gbx_time_text(gbx_time_now(), ret);
        ret[10] = '\0';
}

/* --- quotas ------------------------------------------------------------------------ */

#define USED "COALESCE(SUM(sent),0) AS sent, COALESCE(SUM(received),0) AS received, COALESCE(SUM(connections),0) AS connections"

static json_t *as_use(const json_t *row) {
        return json_pack("{s:I, s:I, s:I}", "request-bytes", number(row, "sent"), "response-bytes", number(row, "received"), "connections",
                         number(row, "connections"));
}

/* What the same analyst has used up for the same purpose, by rule. */
static int add_used_by_rule(struct gbx_site *site, const struct gbx_run_plan *plan, const char *day, json_t *config, struct gbx_error *err) {
        const struct gbx_policy_flow *rules = plan->policy->flows.items;
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        json_t *used = json_object(), *row;
        size_t i;
        int r = json_object_set_new(config, "used-today", used) < 0 ? gbx_fail_memory(err) : 0;

        if (r >= 0)
                r = gbx_view_query(site->view, &rows, err,
                                   "SELECT rule, " USED " FROM flow_usage WHERE day=?1 AND requester=?2 AND purpose=?3 AND dataset=''"
                                   " GROUP BY rule", day, plan->request.requester, plan->request.purpose, NULL);
        json_array_foreach(rows, i, row)
                for (size_t k = 0; k < plan->policy->flows.count && r >= 0; k++)
                        if (strcmp(rules[k].name, json_string_value(json_object_get(row, "rule"))) == 0 &&
                            json_object_set_new(used, rules[k].name, as_use(row)) < 0)
                                r = gbx_fail_memory(err);
        return r;
}

/* What an analyst, or everybody on a dataset, has used up today. */
static int read_use(struct gbx_site *site, const char *day, const char *analyst, const char *dataset, json_t **ret, struct gbx_error *err) {
        if (analyst)
                return gbx_view_query_one(site->view, ret, err, "SELECT " USED " FROM flow_usage WHERE day=?1 AND dataset='' AND requester=?2",
                                          day, analyst, NULL);
        return gbx_view_query_one(site->view, ret, err, "SELECT " USED " FROM flow_usage WHERE day=?1 AND dataset=?2", day, dataset, NULL);
}

static bool limits_something(const struct gbx_policy_flow_quota *quota) {
        return quota->request_bytes_day || quota->response_bytes_day || quota->connections_day;
}

/* Calls `take` for each quota over all rules that the policy sets for the run, with what is used of it. */
static int each_quota(struct gbx_site *site, const struct gbx_run_plan *plan,
                      int (*take)(void *userdata, const struct gbx_policy_flow_quota *quota, const json_t *used, struct gbx_error *err),
                      void *userdata, struct gbx_error *err) {
        const struct gbx_policy_flow_quotas *quotas = &plan->policy->flow_quotas;
        char day[GBX_TIME_TEXT_SIZE];
        int r = 0;

        today(day);
        for (size_t i = 0; i <= plan->request.dataset_count && r >= 0; i++) {
                const struct gbx_policy_flow_quota *quota = i ? &quotas->dataset : &quotas->analyst;
                gbx_auto(gbx_json_freep) json_t *used = NULL;

                if (!limits_something(quota))
                        continue;
                r = read_use(site, day, i ? NULL : plan->request.requester, i ? plan->request.datasets[i - 1].name : NULL, &used, err);
                if (r >= 0)
                        r = take(userdata, quota, used, err);
        }
        return r;
}

static int append_quota(void *userdata, const struct gbx_policy_flow_quota *quota, const json_t *used, struct gbx_error *err) {
        json_t *item = json_pack("{s:I, s:I, s:I, s:o}", "request-bytes", (json_int_t)quota->request_bytes_day, "response-bytes",
                                 (json_int_t)quota->response_bytes_day, "connections", (json_int_t)quota->connections_day, "used", as_use(used));

        return json_array_append_new(userdata, item) < 0 ? gbx_fail_memory(err) : 0;
}

static bool exceeds(uint64_t limit, json_int_t used) { return limit && (uint64_t)used > limit; }

static int note_exceeded(void *userdata, const struct gbx_policy_flow_quota *quota, const json_t *used, struct gbx_error *err) {
        (void)err;
        *(bool *)userdata |= exceeds(quota->request_bytes_day, number(used, "sent")) ||
                             exceeds(quota->response_bytes_day, number(used, "received")) ||
                             exceeds(quota->connections_day, number(used, "connections"));
        return 0;
}

/* The same for what single rules may use. */
static int check_rules(struct gbx_site *site, const struct gbx_run_plan *plan, bool *exceeded, struct gbx_error *err) {
        const struct gbx_policy_flow *rules = plan->policy->flows.items;
        char day[GBX_TIME_TEXT_SIZE];
        int r = 0;

        today(day);
        for (size_t i = 0; i < plan->policy->flows.count && r >= 0; i++) {
                const struct gbx_policy_flow_quota quota = { rules[i].request_bytes_day, rules[i].response_bytes_day, rules[i].connections_day };
                gbx_auto(gbx_json_freep) json_t *used = NULL;

                if (!limits_something(&quota))
                        continue;
                r = gbx_view_query_one(site->view, &used, err,
                                       "SELECT " USED " FROM flow_usage WHERE day=?1 AND requester=?2 AND purpose=?3 AND dataset='' AND rule=?4",
                                       day, plan->request.requester, plan->request.purpose, rules[i].name, NULL);
                if (r >= 0)
                        r = note_exceeded(exceeded, &quota, used, err);
        }
        return r;
}

int gbx_flow_limits_configure(struct gbx_site *site, const struct gbx_run_plan *plan, json_t *config, struct gbx_error *err) {
        json_t *quotas = json_array();
        char day[GBX_TIME_TEXT_SIZE];
        int r = json_object_set_new(config, "quotas", quotas) < 0 ? gbx_fail_memory(err) : 0;

        today(day);
        if (r >= 0)
                r = add_used_by_rule(site, plan, day, config, err);
        return r < 0 ? r : each_quota(site, plan, append_quota, quotas, err);
}

int gbx_flow_usage(struct gbx_site *site, const char *day, json_t **ret, struct gbx_error *err) {
        char now[GBX_TIME_TEXT_SIZE];

        today(now);
        return gbx_view_query(site->view, ret, err,
                              "SELECT day, requester AS analyst, purpose, dataset, rule, connections, sent, received FROM flow_usage"
                              " WHERE day=?1 AND dataset<>'' ORDER BY 2, 3, 4, 5", day ? day : now, NULL);
}

/* --- breakers ---------------------------------------------------------------------- */

static int count_failures(struct gbx_site *site, const char *kind, const char *name, uint64_t window_ms, json_int_t *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        char since[GBX_TIME_TEXT_SIZE];
        int r;

        gbx_time_text(gbx_time_now() - (int64_t)(window_ms / 1000), since);
        r = gbx_view_query_one(site->view, &row, err,
                               "SELECT COALESCE(SUM(count),0) AS failures FROM flow_failure WHERE kind=?1 AND name=?2 AND time>=?3"
                               " AND seq > COALESCE((SELECT seq FROM breaker WHERE kind=?1 AND name=?2), -1)", kind, name, since, NULL);
        if (r >= 0)
                *ret = number(row, "failures");
        return r;
}

/* Positive: it is. */
static int is_open(struct gbx_site *site, const char *kind, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(site->view, &row, err, "SELECT 1 AS yes FROM breaker WHERE kind=?1 AND name=?2 AND state='open'", kind, name,
                                   NULL);

        return r < 0 ? r : r == 0;
}

/* Positive: it is open now. In a transaction, so that two runs do not open it twice. */
static int open_if_due(struct gbx_transaction *transaction, const char *id, const char *kind, const char *name, uint64_t limit, uint64_t window_ms,
                       struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        struct gbx_site *site = gbx_transaction_site(transaction);
        json_int_t failures;
        int r = is_open(site, kind, name, err);

        if (r != 0)
                return r;
        r = count_failures(site, kind, name, window_ms, &failures, err);
        if (r < 0 || (uint64_t)failures < limit)
                return r;
        details = json_pack("{s:s, s:I, s:s}", "kind", kind, "failures", failures, "run", id);
        r = gbx_transaction_record(transaction, &(struct gbx_action){ "breaker.open", name, "denied", NULL, details }, NULL, err);
        if (r < 0)
                return r;
        gbx_flow_control_announce(site, id, kind, name);
        return 1;
}

/* Positive: one that concerns the run is open. */
static int check_breakers(struct gbx_transaction *transaction, const struct gbx_run_plan *plan, const char *id, bool failed, struct gbx_error *err) {
        const struct gbx_policy_flow_breakers *policy = &plan->policy->flow_breakers;
        int open = 0;

        for (size_t i = 0; i <= plan->request.dataset_count; i++) {
                const char *kind = i ? "dataset" : "analyst", *name = i ? plan->request.datasets[i - 1].name : plan->request.requester;
                int r = failed ? open_if_due(transaction, id, kind, name, i ? policy->dataset_failures : policy->analyst_failures, policy->window_ms, err)
                               : is_open(gbx_transaction_site(transaction), kind, name, err);

                if (r < 0)
                        return r;
                open |= r;
        }
        return open;
}

int gbx_flow_limits_check(struct gbx_transaction *transaction, const struct gbx_run_plan *plan, const char *id, bool failed,
                          enum gbx_refusal *ret, struct gbx_error *err) {
        struct gbx_site *site = gbx_transaction_site(transaction);
        bool exceeded = false;
        int r, open = check_breakers(transaction, plan, id, failed, err);

        r = open < 0 ? open : each_quota(site, plan, note_exceeded, &exceeded, err);
        if (r >= 0)
                r = check_rules(site, plan, &exceeded, err);
        if (r >= 0)
                *ret = open ? GBX_REFUSAL_BREAKER : exceeded ? GBX_REFUSAL_QUOTA : GBX_REFUSAL_NONE;
        return r;
}

int gbx_flow_breakers(struct gbx_site *site, json_t **ret, struct gbx_error *err) {
        return gbx_view_query(site->view, ret, err, "SELECT kind, name, failures, time FROM breaker WHERE state='open' ORDER BY kind, name", NULL);
}

int gbx_flow_breaker_close(struct gbx_site *site, const struct gbx_caller *caller, const char *kind, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:s}", "kind", kind);
        int r = gbx_transaction_begin(&transaction, site, caller, "flows close-breaker", err);

        if (r >= 0)
                r = is_open(site, kind, name, err);
        if (r == 0)
                return gbx_fail(err, -ENOENT, "the breaker of the %s '%s' is not open (gbx flows breakers)", kind, name);
        return r < 0 ? r : gbx_transaction_record(transaction, &(struct gbx_action){ "breaker.close", name, "done", NULL, details }, NULL, err);
}
