/*
 * The launcher's part: everything before the job runs
 */
#pragma once

#include "runtime/sandbox/guard.h"
#include "runtime/sandbox/run.h"

/* A run of which nothing exists yet. */
#define GBX_RUN_NOTHING                                                                                                \
        {                                                                                                              \
                .root = -1, .landlock = -1, .network = -1, .init = -1, .init_pidfd = -1, .go = { -1, -1 },             \
                .channel = { -1, -1 }, .proc_place = -1, .listener = -1, .client = -1, .control = -1                               \
        }

/* Looks up the profile of run->spec, takes ids, maps the shared page. */
int gbx_prepare_begin(struct gbx_run *run, struct gbx_error *err);

/* Makes everything up to init, which then goes on by itself, and gives up all capabilities. After a failure
 * gbx_run_clean() is still due. */
int gbx_prepare_launch(struct gbx_run *run, struct gbx_guard *guard, uint64_t *ret_started_us, struct gbx_error *err);
