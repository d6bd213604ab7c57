/*
 * Making the view anew from the log
 *
 * Mends any damage to the view, a garbled file included. The new view is made
 * beside the old one, sealed, compared with it and put in its place. What
 * differed is named by table and key, never by value, and goes into the entry,
 * so that a replay names it later too.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { GBX_REBUILD_DIFFERENCES = 100 };

struct gbx_rebuild {
        uint64_t entries;
        bool equal;          /* the old view was sealed and held the same */
        json_t *differences; /* array of texts: "approval 17", or "the file could not be read" */
};

/* Opens the site whatever its view looks like. The caller's right is asked of the new view. */
int gbx_rebuild(const char *path, const struct gbx_caller *caller, struct gbx_rebuild *ret, struct gbx_error *err);
void gbx_rebuild_free(struct gbx_rebuild *rebuild);

/* A view in memory of the whole log, whatever the file is like. */
int gbx_view_in_memory(struct gbx_site *site, sqlite3 **ret, struct gbx_error *err);

/* Whether the caller may, asked of the log through such a view: for what must work when the file is damaged. */
int gbx_authorise_by_log(struct gbx_site *site, const struct gbx_caller *caller, const char *action, struct gbx_error *err);

/* -EBADMSG unless the seal of an open view file is whole. */
int gbx_view_check_seal(const struct gbx_site *site, sqlite3 *file, struct gbx_error *err);

/* Rows that one view has and the other has not, or has otherwise; at most GBX_REBUILD_DIFFERENCES. */
int gbx_view_differences(sqlite3 *ours, sqlite3 *other, json_t *differences, struct gbx_error *err);
