/*
 * The last steps before the job's program runs, in the job's own process
 *
 * It shares memory and descriptors with init until it executes (as after
 * vfork(2), which is why init can send the filter's listener to the launcher
 * afterwards). Every step is fatal; the order matters and is kept in a table.
 */
#pragma once

#include "runtime/sandbox/run.h"

struct gbx_job {
        struct gbx_run *run;
        int tid;      /* of a pool's job: cleared by the kernel when it executes or ends (CLONE_CHILD_CLEARTID) */
        int listener; /* out: of the system call filter; -1 when the filter was not loaded */
};

/* For clone(2). Returns only on failure, with the reason in run->shared->error. */
int gbx_job_main(void *job);
