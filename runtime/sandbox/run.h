/*
 * One run, and what its processes know of it
 *
 *   launcher   gbx-sandbox itself: prepares everything that needs privilege,
 *              then drops every capability and supervises (supervise.h)
 *   guard      watches the launcher and cleans up should it be killed (guard.h)
 *   init       process 1 of the sandbox: mounts, confines, reaps (init.h)
 *   job        the program of the spec (job.h)
 *
 * Launcher, init and job set-up write to one shared page; after the job's
 * execution only init can.
 */
#pragma once

#include "base/error.h"
#include "runtime/sandbox/cgroup.h"
#include "runtime/sandbox/filter.h"
#include "runtime/sandbox/order.h"
#include "runtime/sandbox/spec.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
        GBX_RUN_MAX_MOUNTS = GBX_SPEC_MAX_MOUNTS + 72, /* the spec's, the image's own entries, /dev and its devices */
        GBX_RUN_MAX_RULES = GBX_SPEC_MAX_MOUNTS + 68,
        GBX_INSIDE_UID = 1000, /* of the job, inside its user namespace */
};

/* A detached mount and the directory (or file) that it goes over. */
struct gbx_run_mount {
        const char *target;
        const struct gbx_spec_mount *given; /* made by others: restricted once it is attached, see mounts.c; or NULL */
        int mount;
        int place; /* O_PATH; -1: opened below the root when the mounts before it are in place */
};

/* Written by init and by the job before its execution. */
struct gbx_shared {
        struct gbx_error error;   /* code is 0 unless set-up failed */
        _Atomic int started;      /* the job was executed */
        _Atomic int ended;        /* job_code and job_status are valid */
        int job_code, job_status; /* as waitid(2): CLD_EXITED and the exit code, or the signal */
};

/* What was active; printed in the result's "layers". */
struct gbx_run_layers {
        int landlock_abi; /* 0: unavailable */
        bool noswap;
        bool no_core_dumps;
        bool core_scheduling, coarse_timers;
        bool skeleton; /* the root is our tmpfs and not the image itself */
};

struct gbx_run {
        struct gbx_spec spec;
        const struct gbx_filter *filter;
        struct gbx_shared *shared;
        struct gbx_cgroup cgroup;
        struct gbx_run_layers layers;
        uint32_t outside_id; /* first of the run's own user and group ids */
        uint32_t user;       /* the launcher's, outside */
        bool ordinary;       /* that is not root (ordinary.h) */

        int root; /* the detached mount that becomes the sandbox's root */
        struct gbx_run_mount mounts[GBX_RUN_MAX_MOUNTS];
        size_t mount_count;
        int proc_place;
        int landlock; /* ruleset; -1: none */
        int network;  /* descriptor of the network namespace to be in; -1: made with the others */
        uint64_t core_limit;

        int go[2];      /* an eventfd, in [0]: the launcher tells init that its ids are mapped */
        int channel[2]; /* socket pair: init hands over the listener of the filter */
        int launcher;   /* pidfd of the launcher */
        pid_t init;
        int init_pidfd;
        int listener; /* of the filter, where it was loaded ahead of the job (a pool); -1 otherwise */

        struct gbx_order *order;  /* shared with init; NULL unless the run is a pool's */
        int client;               /* a pool's: the connection of who gave the order; -1 otherwise */
        int control;              /* readable, or without another end: the run is to be ended; -1: none */
        bool late_confinement;    /* a pool's: the order brings mounts that Landlock must know of */
};

struct gbx_guard;

/* When init has gone: removes the cgroups, lets the guard go. Passes `result` on, or its own failure. */
int gbx_run_clean(struct gbx_run *run, struct gbx_guard *guard, int result, struct gbx_error *err);

/* Prepares and runs to the end; `result_fd` -1: no result is written. `control_fd` (-1: none) is a pipe whose other end
 * is with who asked for the run: the run ends as "cancelled" when that is closed or written to, and with its parent.
 * Returns the launcher's exit status. */
int gbx_run(const char *spec_path, int result_fd, int control_fd);

static inline bool gbx_layer_off(const struct gbx_spec *spec, enum gbx_layer layer) {
#ifdef GBX_TEST_SWITCHES
        return spec->layers_off & layer;
#else
        (void)spec;
        (void)layer;
        return false;
#endif
}
