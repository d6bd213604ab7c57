/*
 * The policies of a site
 *
 * One policy is in force for a purpose. Approvals bind to its digest, so that
 * a change of policy makes them void: how many is told before it is made.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "policy/policy.h"

#include <jansson.h>
#include <stdbool.h>

/* The policy in force for a purpose: its bytes parsed. -ENOENT if there is none. */
int gbx_policy_in_force(struct gbx_site *site, const char *purpose, struct gbx_policy **ret, struct gbx_error *err);

/* Puts a policy in force. -EINVAL if it names a dataset, reviewer or recipient that the site has not, with the places in
 * `file`, unless `unknown_names`. With `dry_run` nothing is changed. `ret_report`: {"name", "purpose", "digest",
 * "before" (digest or null), "approvals_lost": [{"algorithm","reviewer"}], "held": N (outputs that wait under the old one), "applied"} */
struct gbx_policy_change {
        const char *file; /* as the user called it */
        bool dry_run;
        bool unknown_names; /* accept names that the site has not yet */
};
int gbx_policy_apply(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_policy *policy,
                     const struct gbx_policy_change *change, json_t **ret_report, struct gbx_error *err);

/* Takes the policy of a purpose out of force: nothing runs for it any more. The report is the same. */
int gbx_policy_withdraw(struct gbx_site *site, const struct gbx_caller *caller, const char *purpose, bool dry_run, json_t **ret_report,
                        struct gbx_error *err);
