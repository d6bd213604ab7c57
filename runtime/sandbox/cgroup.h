/*
 * Limits and accounts by control group, version 1 or 2
 *
 * One directory for a run (for each controller on version 1), named
 * glovebox/gbx-NAME-PID, locked (flock(2)) by the launcher for as long as it
 * lives: an unlocked one is a leftover, which `gbx-sandbox gc` removes. The
 * guard removes it if the launcher is killed. The folder glovebox stays: it
 * belongs to root, so that a launcher without capabilities can remove in it,
 * which it cannot in the root of a hierarchy (mode 0555).
 *
 * Version 2 is used where it has the controllers; the run is born inside
 * (CLONE_INTO_CGROUP). On version 1 init enters before it does anything else.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GBX_CGROUP_PARENT "glovebox"

enum {
        GBX_CGROUP_MAX = 4, /* directories: memory, pids, cpuacct, cpu */
        GBX_CGROUP_PATH_SIZE = 512,
};

struct gbx_cgroup_limits {
        uint64_t memory_bytes, pids, cpu_percent;
};

struct gbx_cgroup {
        int version; /* 1 or 2; 0: none */
        size_t count;
        const char *controllers[GBX_CGROUP_MAX]; /* version 2: one entry, "" */
        char paths[GBX_CGROUP_MAX][GBX_CGROUP_PATH_SIZE]; /* set before the directory is made */
        int directories[GBX_CGROUP_MAX];
        int entries[GBX_CGROUP_MAX]; /* cgroup.procs, open for writing (version 1) */
        int pids_events;             /* becomes POLLPRI-readable when a fork was refused; -1: unknown */
};

struct gbx_cgroup_usage {
        uint64_t cpu_us, memory_peak_bytes, pids_peak, pids_refused, oom_kills;
};

/* Which version this host offers for the controllers we need: 1 or 2. -EOPNOTSUPP says what is missing. */
int gbx_cgroup_detect(struct gbx_error *err);

/* Sets version and paths only, so that a guard knows them before they exist. `delegated` may be NULL. `user` is the
 * launcher's uid: runs of an ordinary user go to glovebox-UID, which somebody must have made and given to him. */
int gbx_cgroup_plan(struct gbx_cgroup *ret, const char *name, const char *delegated, uint32_t user, bool with_cpu,
                    struct gbx_error *err);
/* Makes the directories and sets the limits. */
int gbx_cgroup_create(struct gbx_cgroup *cgroup, const struct gbx_cgroup_limits *limits, struct gbx_error *err);

/* Version 1, the entering process itself: moves into every directory. */
int gbx_cgroup_enter(const struct gbx_cgroup *cgroup, struct gbx_error *err);

void gbx_cgroup_usage(const struct gbx_cgroup *cgroup, struct gbx_cgroup_usage *ret);
uint64_t gbx_cgroup_cpu_us(const struct gbx_cgroup *cgroup);
uint64_t gbx_cgroup_pids_refused(const struct gbx_cgroup *cgroup);

/* Kills whatever is inside, where the kernel can (version 2: cgroup.kill). */
void gbx_cgroup_kill(const struct gbx_cgroup *cgroup);
/* Removes the directories; 0, or -EBUSY if something is still inside. */
int gbx_cgroup_remove(struct gbx_cgroup *cgroup);
void gbx_cgroup_close(struct gbx_cgroup *cgroup);

/* --- pure helpers, for tests --- */

/* Our cgroup for a version 1 controller ("" for version 2) in the text of /proc/self/cgroup. -ENOENT if not there. */
int gbx_cgroup_own_path(const char *text, const char *controller, char *ret, size_t size, struct gbx_error *err);
/* A value behind "KEY " at the start of a line; 0 if there is none. */
uint64_t gbx_cgroup_keyed_value(const char *text, const char *key);
