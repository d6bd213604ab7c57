/*
 * The names that a policy mentions
 *
 * A policy may be in its right form and name what a site does not have: a
 * dataset, a reviewer, a recipient. Only the site can know; this says what to
 * ask it, with the place in the file.
 */
#pragma once

#include "base/error.h"
#include "policy/policy.h"

#include <stddef.h>

enum gbx_policy_name_kind {
        GBX_POLICY_NAME_DATASET,
        GBX_POLICY_NAME_REVIEWER,        /* of algorithms */
        GBX_POLICY_NAME_OUTPUT_REVIEWER, /* of held outputs */
        GBX_POLICY_NAME_RECIPIENT,
        GBX_POLICY_NAME_OUTPUT,
        GBX_POLICY_NAME_HOST,
        GBX_POLICY_NAME_CLIENT_CERTIFICATE,
        GBX_POLICY_NAME_KIND_COUNT,
};

/* "dataset", "reviewer", "reviewer of outputs", … */
const char *gbx_policy_name_kind_text(enum gbx_policy_name_kind kind);

struct gbx_policy_name {
        enum gbx_policy_name_kind kind;
        char *name;
        size_t line, column; /* in the policy's file, from 1 */
};

struct gbx_policy_names {
        struct gbx_policy_name *items; /* by kind, then in the order of the file */
        size_t count;
};

/* All of them; the same name may stand several times, as another kind or for another flow. */
int gbx_policy_list_names(const struct gbx_policy *policy, struct gbx_policy_names *ret, struct gbx_error *err);
void gbx_policy_names_free(struct gbx_policy_names *names);
