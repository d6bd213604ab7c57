/*
 * Landlock: the second wall for files (landlock(7))
 *
 * Reading is allowed everywhere below the root; execution only in the image's
 * own entries and in executable mounts; writing, creating and removing regular
 * files and directories only in writable mounts. Making symlinks, sockets,
 * fifos and devices, ioctl(2) on devices, TCP and foreign abstract sockets
 * and signals are refused as far as the host's ABI knows them.
 */
#pragma once

#include "runtime/sandbox/run.h"

/* The ABI of this kernel; 0: none. */
int gbx_landlock_abi(void);

/* Launcher: makes run->landlock from run->root and run->mounts. Without Landlock, run->landlock stays -1, unless the
 * spec requires it: -EOPNOTSUPP. */
int gbx_landlock_prepare(struct gbx_run *run, struct gbx_error *err);

/* Init, before the job is confined: the rule for one more mount of the spec. */
int gbx_landlock_allow_mount(const struct gbx_run *run, const struct gbx_spec_mount *item, int mount,
                             struct gbx_error *err);
