/*
 * Cancelling a run
 *
 * First the entry, run.cancel, in the caller's name; then whoever executes the
 * run is asked to end it (store/living.h), and records that it was cancelled. A
 * run that nobody executes any more is put in order instead (recover.h).
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <stdbool.h>

/* 0: whoever executes it was asked; GBX_CANCEL_DEAD: nobody did, and it was put in order. -EKEYREJECTED: the run is
 * another's, and the caller no administrator; -ENOENT: there is no such run; -EALREADY: its job has ended. */
enum { GBX_CANCEL_DEAD = 1 };
int gbx_cancel_run(struct gbx_site *site, const struct gbx_caller *caller, const char *run, struct gbx_error *err);
