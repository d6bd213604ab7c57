/* The policies of a site */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"
#include "policy/policy.h"

/* The policy in force for a purpose: its bytes parsed. -ENOENT if there is none. */
int gbx_policy_in_force(struct gbx_site *site, const char *purpose, struct gbx_policy **ret, struct gbx_error *err);
