/*
 * Process 1 of the sandbox
 *
 * Born in the new namespaces as a copy of the launcher. It attaches the
 * mounts, takes its identity, closes every descriptor but those the job shall
 * have, starts the job, hands the filter's listener to the launcher, drops all
 * capabilities and reaps. When the job ends, it ends, and the kernel kills
 * whatever else lives in its process namespace.
 */
#pragma once

#include "runtime/sandbox/run.h"

/* Where init keeps its own descriptors: above all of a job's, below the table of 1,024. All close-on-exec. */
enum {
        GBX_INIT_SOURCES = 600,   /* copies of what the spec passes, on their way to their numbers */
        GBX_INIT_OWN = 1019, /* the first of them */
        GBX_INIT_READY = 1019, /* a pool's: the job's process to init */
        GBX_INIT_GO = 1020,    /* and back */
        GBX_INIT_LANDLOCK = 1021,
        GBX_INIT_CHANNEL = 1022,
};

/* Never returns. */
_Noreturn void gbx_init_main(struct gbx_run *run);
