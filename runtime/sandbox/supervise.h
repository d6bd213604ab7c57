/*
 * Watching a run until nothing of it is left
 *
 * Waits for init; answers the system calls that the filter reports; keeps the
 * wall clock, the processor time, the refused forks and the flood limit; and
 * ends the run, by killing init, when one of them is reached, when the guard
 * is gone, and when who asked for it has gone or wants no more of it. Needs no capability.
 */
#pragma once

#include "runtime/sandbox/denials.h"
#include "runtime/sandbox/guard.h"
#include "runtime/sandbox/run.h"

#include <sys/resource.h>

enum gbx_limit {
        GBX_LIMIT_NONE,
        GBX_LIMIT_WALL,
        GBX_LIMIT_CPU,
        GBX_LIMIT_MEMORY,
        GBX_LIMIT_PIDS,
        GBX_LIMIT_DENIALS,
        GBX_LIMIT_FILE,
};

struct gbx_outcome {
        enum gbx_limit limit;
        bool cancelled;    /* by the control descriptor */
        bool profile_kill; /* a reported system call that the profile answers with the run's end */
        bool ended;        /* the job itself ended; code and status are as in waitid(2) */
        int code, status;
        uint64_t wall_us;
        struct rusage usage; /* of init and all it reaped */
        struct gbx_cgroup_usage cgroup;
        struct gbx_denials denials;
};

/* Until init is reaped. A set-up that failed inside is returned as its error; nothing is left either way. */
int gbx_supervise(struct gbx_run *run, struct gbx_guard *guard, uint64_t started_us, struct gbx_outcome *ret,
                  struct gbx_error *err);

uint64_t gbx_monotonic_us(void);
