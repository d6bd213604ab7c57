/*
 * Where a log lies, and whose it is
 *
 * Logs are read and verified from their files, without the site that wrote
 * them: a copy is its holder's. But the folder `log` of a site is that site's,
 * whoever names it, and asks it for the right.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/format/tree.h"

#include <stddef.h>

/* The site whose own log the folder is: 0 and its path, which the caller frees; 1: nobody's here. */
int gbx_log_site(const char *path, char **ret_site, struct gbx_error *err);

/* Opens a log's folder for reading, at the size of its checkpoint, unverified. `message` and `checkpoint` may be NULL. */
int gbx_log_tree_open(const char *path, struct gbx_tree **ret, struct gbx_buffer *message, struct gbx_checkpoint *checkpoint,
                      struct gbx_error *err);

/* Checks every anchor receipt in the log at `path` against the chain that the node at `url` shows. */
int gbx_log_check_anchors(const char *path, const char *url, size_t *ret_count, struct gbx_error *err);
