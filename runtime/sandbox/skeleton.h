/*
 * A root of our own for images that lack mount points
 *
 * An image that has every directory something is mounted on becomes the root
 * itself: nothing is cheaper. Any other image is shown through a tmpfs of
 * ours: its top-level entries are bound into it and the missing directories
 * made beside them. A symlink where we mount is refused either way.
 */
#pragma once

#include "runtime/sandbox/run.h"

/* Replaces run->root by a skeleton if the image needs one, and adds the image's own entries to run->mounts. */
int gbx_skeleton_prepare(struct gbx_run *run, struct gbx_error *err);

/* Calls `take` for each name in the directory, which is opened anew from `fd`; stops at a negative return. */
int gbx_directory_each(int fd, int (*take)(void *userdata, int directory, const char *name, struct gbx_error *err),
                       void *userdata, struct gbx_error *err);
