/*
 * Paths of a bundle's entries: what a name may be, and that no two collide
 *
 * Every path and all its parents are remembered in lower case, with what they
 * are, so that a second spelling of the same place is noticed.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct gbx_bundle_path {
        char *path;
        bool directory;
        bool explicit; /* named by an entry itself, not as a parent */
};

struct gbx_bundle_paths {
        struct gbx_bundle_path *list;
        size_t count;
};

/*
 * Checks an entry's path and adds it. A leading "./", which tar writes, and a
 * trailing "/" of a directory are taken off: `ret_path` points into `name`
 * (which is changed), and is "" for the root directory itself.
 * Errors: -EINVAL, -EDQUOT; the message does not name the entry.
 */
int gbx_bundle_paths_add(struct gbx_bundle_paths *paths, char *name, bool directory, const char **ret_path,
                         struct gbx_error *err);
void gbx_bundle_paths_free(struct gbx_bundle_paths *paths);
