#include "gateway/store/policies.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/store/objects.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"
#include "policy/decision.h"
#include "policy/policy_names.h"

#include <string.h>
#include "base/json.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"

int gbx_policy_in_force(struct gbx_site *site, const char *purpose, struct gbx_policy **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        int r = gbx_fact_one(site, &row, err, "policy", "purpose=?1 AND state='in-force'", purpose, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "no policy is in force for the purpose '%s' (gbx policy ls)", purpose);
        r = gbx_object_get(site->directory, json_string_value(json_object_get(row, "digest")), &source, err);
        return r < 0 ? r
                     : gbx_policy_parse(ret, json_string_value(json_object_get(row, "name")), source.data, source.size, NULL, err);
}

/* --- changing ------------------------------------------------------------------------ */

/* Whether the site has what a policy names; reviewers must be users with that role, so that one who cannot review is not
 * waited for. */
static int is_known(struct gbx_site *site, const struct gbx_policy_name *name, bool *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        bool reviewer = name->kind == GBX_POLICY_NAME_REVIEWER || name->kind == GBX_POLICY_NAME_OUTPUT_REVIEWER;
        unsigned roles;
        int r;

        *ret = true;
        if (name->kind == GBX_POLICY_NAME_DATASET) {
                r = gbx_fact_one(site, &row, err, "dataset", "name=?1", name->name, NULL);
                *ret = r == 0;
                return r < 0 ? r : 0;
        }
        if (!reviewer && name->kind != GBX_POLICY_NAME_RECIPIENT)
                return 0;
        r = gbx_user_roles(site, name->name, &roles, err);
        *ret = r >= 0 && (!reviewer || (roles & GBX_ROLE_REVIEWER));
        return r == -EKEYREJECTED ? 0 : r;
}

static int check_names(struct gbx_site *site, const struct gbx_policy *policy, const char *file, struct gbx_error *err) {
        gbx_auto(gbx_policy_names_free) struct gbx_policy_names names = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer list = {};
        int r = gbx_policy_list_names(policy, &names, err);

        for (size_t i = 0; i < names.count && r >= 0; i++) {
                const struct gbx_policy_name *name = &names.items[i];
                bool known;

                r = is_known(site, name, &known, err);
                if (r >= 0 && !known)
                        r = gbx_buffer_printf(&list, err, "%s%s:%zu:%zu: this site has no %s '%s'", list.size ? "; " : "", file, name->line,
                                              name->column, gbx_policy_name_kind_text(name->kind), name->name);
        }
        if (r < 0 || list.size == 0)
                return r < 0 ? r : 0;
        return gbx_fail(err, -EINVAL, "%s", gbx_buffer_text(&list));
}

/* What a change takes away: approvals that are bound to the policy in force, and outputs that wait under it. */
static int make_report(struct gbx_site *site, const char *name, const char *purpose, const char *digest, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *before = NULL, *lost = NULL, *held = NULL, *list = json_array();
        const char *old;
        size_t i;
        json_t *row;
        int r = gbx_fact_one(site, &before, err, "policy", "purpose=?1 AND state='in-force'", purpose, NULL);

        old = r == 0 ? gbx_json_text(before, "digest") : NULL;
        if (r >= 0 && old && (!digest || strcmp(old, digest) != 0))
                r = gbx_fact_rows(site, &lost, err, "approval", "purpose=?1 AND policy=?2 AND decision='approve' AND state='active'", purpose, old,
                                  NULL);
        if (r >= 0)
                r = gbx_view_query_one(site->view, &held, err, "SELECT count(*) AS n FROM run WHERE purpose=?1 AND state='held'", purpose, NULL);
        json_array_foreach(lost, i, row)
                if (r >= 0 && json_array_append_new(list, json_pack("{s:O, s:O}", "algorithm", json_object_get(row, "algorithm"), "reviewer",
                                                                    json_object_get(row, "reviewer"))) < 0)
                        r = gbx_fail_memory(err);
        if (r < 0)
                return r;
        *ret = json_pack("{s:s?, s:s, s:s?, s:s?, s:O, s:O, s:b}", "name", name ? name : gbx_json_text(before, "name"), "purpose", purpose,
                         "digest", digest, "before", old, "approvals_lost", list, "held", json_object_get(held, "n"), "applied", 0);
        return *ret ? 0 : gbx_fail_memory(err);
}

int gbx_policy_apply(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_policy *policy,
                     const struct gbx_policy_change *change, json_t **ret_report, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *report = NULL, *details = NULL;
        char digest[GBX_SHA256_TEXT_SIZE];
        int r = gbx_object_put(site->directory, policy->source.data, policy->source.size, digest, err);

        if (r >= 0)
                r = gbx_transaction_begin(&transaction, site, caller, "policy apply", err);
        if (r >= 0 && !change->unknown_names)
                r = check_names(site, policy, change->file, err);
        if (r >= 0)
                r = make_report(site, policy->name, policy->purpose, digest, &report, err);
        if (r < 0)
                return r;
        if (!change->dry_run) {
                details = json_pack("{s:s, s:s, s:s*}", "digest", digest, "purpose", policy->purpose, "before", gbx_json_text(report, "before"));
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "policy.apply", policy->name, "done", NULL, details }, NULL, err);
                if (r >= 0)
                        r = gbx_transaction_commit(&transaction, err);
                (void)json_object_set_new(report, "applied", json_true());
        }
        if (r >= 0)
                *ret_report = gbx_take_ptr(report);
        return r;
}

int gbx_policy_withdraw(struct gbx_site *site, const struct gbx_caller *caller, const char *purpose, bool dry_run, json_t **ret_report,
                        struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *report = NULL, *details = NULL;
        int r = gbx_transaction_begin(&transaction, site, caller, "policy withdraw", err);

        if (r >= 0)
                r = make_report(site, NULL, purpose, NULL, &report, err);
        if (r >= 0 && !gbx_json_text(report, "before"))
                r = gbx_fail(err, -ENOENT, "no policy is in force for the purpose '%s' (gbx policy ls)", purpose);
        if (r < 0)
                return r;
        if (!dry_run) {
                details = json_pack("{s:s, s:s}", "digest", gbx_json_text(report, "before"), "purpose", purpose);
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "policy.withdraw", gbx_json_text(report, "name"), "done", NULL, details },
                                           NULL, err);
                if (r >= 0)
                        r = gbx_transaction_commit(&transaction, err);
                (void)json_object_set_new(report, "applied", json_true());
        }
        if (r >= 0)
                *ret_report = gbx_take_ptr(report);
        return r;
}
