/*
 * User ids, capabilities and the other credentials of a run
 */
#pragma once

#include "runtime/sandbox/run.h"

/* The first of the 256 user and group ids that belong to the run of launcher `pid` and to nobody else: ids from 2^31
 * on are used by no distribution (https://systemd.io/UIDS-GIDS), and a live launcher has its pid alone. */
uint32_t gbx_identity_range(pid_t pid);
/* The same for an ordinary user's launcher, who has `count` ids from 1 on: two, told apart as far as they suffice. */
uint32_t gbx_identity_range_of(pid_t pid, uint32_t count);

/* Launcher: gives init's user namespace its two ids: 0 for init, GBX_INSIDE_UID for the job. */
int gbx_identity_map(pid_t init, uint32_t outside, struct gbx_error *err);

/* Init: becomes user 0 of its namespace, empties the bounding set and locks the securebits: no way back to a
 * capability for anything executed from now on. */
int gbx_identity_enter(const struct gbx_run *run, struct gbx_error *err);

/* Job: becomes GBX_INSIDE_UID. */
int gbx_identity_become_job(struct gbx_error *err);

/* Empties all capability sets of the calling process. */
int gbx_identity_drop_capabilities(struct gbx_error *err);
