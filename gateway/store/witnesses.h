/*
 * The site's witnesses
 *
 * The file witness-policy in the site's folder (C2SP tlog-policy) names them.
 * Where it is there, each checkpoint is submitted as it is made; a witness that
 * is away delays nothing beyond a short limit and catches up later.
 */
#pragma once

#include "base/error.h"
#include "gateway/log/format/witness_policy.h"
#include "gateway/store/site.h"

enum { GBX_SITE_WITNESS_TIMEOUT_MS = 2000 };

/* Reads the policy at `path` (NULL: the site's own). 1: the site has none. */
int gbx_site_witness_policy(const struct gbx_site *site, const char *path, struct gbx_witness_policy *ret,
                            struct gbx_error *err);

/* Submits the newest checkpoint to the site's witnesses, if it has any. Their absence is no error. */
int gbx_site_ask_witnesses(struct gbx_site *site, struct gbx_error *err);
