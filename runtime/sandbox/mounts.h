/*
 * The sandbox's file tree
 *
 * All of it by the mount API of Linux 5.2 and later (fsopen(2), open_tree(2),
 * move_mount(2), mount_setattr(2)) and by descriptors: a path of the image is
 * resolved once, by openat2(2) without symlinks, and never as text again.
 *
 * The launcher prepares detached mounts (it may: tmpfs without swap and device
 * nodes need the initial user namespace); init attaches them in the sandbox's
 * own mount namespace and pivots.
 */
#pragma once

#include "runtime/sandbox/run.h"

/* A new tmpfs, detached, owned by root, mode 01777. `ret_noswap` tells whether its pages stay out of swap, which
 * kernels before 6.4 cannot promise. Returns the mount's descriptor. */
int gbx_mounts_tmpfs(uint64_t bytes, uint64_t inodes, const char *mode, uint64_t attributes, bool *ret_noswap,
                     struct gbx_error *err);

/* Launcher: run->root, run->mounts, run->proc_place and the Landlock ruleset, from the spec. */
int gbx_mounts_prepare(struct gbx_run *run, struct gbx_error *err);

/* Init, in the new namespaces: attaches everything and makes run->root the root. */
int gbx_mounts_attach(struct gbx_run *run, struct gbx_error *err);

/* Init of a pool's sandbox: attaches the order's mounts in the places kept for them. */
int gbx_mounts_attach_later(struct gbx_run *run, const int *received, struct gbx_error *err);
