/*
 * What an analyst may know of the resources that a run used
 *
 * A job decides how much memory it takes, how long it computes and how often it
 * is denied a system call; told exactly, that is a way out for data (threat
 * E19). So whoever is neither auditor nor administrator is told steps:
 * 1 s, 10 s, 1 min, 10 min, 1 h, 1 d; 64 MiB, 1 GiB, 16 GiB, 256 GiB; the last
 * step is the policy's limit; and nothing of processes, bytes and denied calls,
 * nor of the numbers of entries, which grow with those. Nor of the digests of outputs and findings:
 * those of a small table that was held could be guessed. The log holds it all.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "policy/policy.h"

#include <jansson.h>
#include <stdbool.h>

/* Whether the caller may see exact figures. */
int gbx_usage_exact(struct gbx_site *site, const struct gbx_caller *caller, bool *ret_exact, struct gbx_error *err);

/* The limits of a policy by its digest; all 0 if `policy` is NULL or cannot be read. */
void gbx_usage_limits(struct gbx_site *site, const char *policy, struct gbx_policy_limits *ret);

/* Rounds cpu_ms, wall_ms and memory_bytes of an object up to their steps, at most to the limits (0: none), and removes
 * the other figures. Members that are absent or null stay so. */
void gbx_usage_coarsen(json_t *object, const struct gbx_policy_limits *limits);
