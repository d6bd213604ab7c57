/*
 * The guard: a process that outlives a killed launcher just long enough
 *
 * It shares the launcher's memory and descriptors, holds no capability, and
 * waits for the launcher's end. If that comes before gbx_guard_stop(), it
 * kills init (and with it the whole sandbox) and removes the run's cgroups.
 * The launcher in turn ends the run if the guard dies. Mounts, namespaces and
 * loop devices need no guard: they go with their last descriptor.
 *
 * On its way it makes the run's network namespace, the slowest single step,
 * while the launcher does the rest.
 */
#pragma once

#include "runtime/sandbox/run.h"

#include <stdint.h>

struct gbx_guard {
        pid_t pid;
        int pidfd;
        int launcher;              /* pidfd of the launcher */
        bool make_network;
        _Atomic uint32_t ready;    /* futex: network is set */
        int network;               /* descriptor, or negative errno */
        struct gbx_run *run;
};

/* Starts the guard of `run`, whose cgroup must be planned and not yet made. */
int gbx_guard_start(struct gbx_guard *guard, struct gbx_run *run, bool make_network, struct gbx_error *err);

/* Waits for the network namespace; returns its descriptor. */
int gbx_guard_network(struct gbx_guard *guard, struct gbx_error *err);

/* The run is over and cleaned up: the guard goes. */
void gbx_guard_stop(struct gbx_guard *guard);
