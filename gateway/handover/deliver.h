/*
 * Handing a release to its recipient
 *
 * Copies the encrypted tables and the signed manifest of a run's release into
 * a folder. Only the recipient may; the fetch is recorded first, and nothing
 * is handed out before a checkpoint covers the release's entry.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>

/* `run` is a run's or a release's id. `ret_files` gets an array of the paths written. */
int gbx_deliver(struct gbx_site *site, const struct gbx_caller *caller, const char *run, const char *folder, json_t **ret_files,
                struct gbx_error *err);
