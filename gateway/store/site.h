/*
 * A site: one deployment in one directory
 *
 *   site.json        origin and format version
 *   keys/            secrets, 0600
 *   log/             the action log (C2SP tlog-tiles); the source of truth
 *   objects/         content by SHA-256: algorithms, policies, schemas, statements, signatures
 *   data/            datasets, each an age file readable with that dataset's key alone
 *   releases/        what left the gate, encrypted to its recipient
 *   held/            outputs held for review, encrypted to the site
 *   view.db          SQLite view of the log; can be deleted and rebuilt
 *   lock             serialises decide → append → apply between processes
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct gbx_log;

struct gbx_site {
        int directory; /* of the site */
        char *path;    /* as the user gave it */
        char *origin;  /* of the log, also the name in approval statements */
        struct gbx_log *log;
        sqlite3 *view;
        int lock;
        unsigned lock_depth;
};

/* Makes a site in an empty or missing directory: keys, log with a first entry and checkpoint, view.
 * -EEXIST if there is something already. `origin` NULL: made from the host's name and a random part.
 * `token` NULL, or where the site's age identity is kept (gbx_site_keys_create). */
int gbx_site_create(const char *path, const char *origin, const char *token, struct gbx_error *err);

/* Opens a site: recovers the log, applies entries that the view lacks, builds a missing view. */
int gbx_site_open(struct gbx_site **ret, const char *path, struct gbx_error *err);
struct gbx_site *gbx_site_close(struct gbx_site *site);
static inline void gbx_site_closep(struct gbx_site **site) { *site = gbx_site_close(*site); }

/* Between lock and unlock no other process of the site decides or records; nests. The view is brought up to the log. */
int gbx_site_lock(struct gbx_site *site, struct gbx_error *err);
void gbx_site_unlock(struct gbx_site *site);
static inline void gbx_site_unlockp(struct gbx_site **site) {
        if (*site)
                gbx_site_unlock(*site);
}

/* An action that happened or was decided, as it goes into the log (docs/log-format.md). */
struct gbx_action {
        const char *actor;   /* a principal, or "system" */
        const char *action;  /* of the table in gateway/log/format/entry.h */
        const char *object;  /* what it was done to */
        const char *outcome; /* "done", "allowed", "denied", "failed", … */
        json_t *reasons;     /* array of texts or NULL; borrowed */
        json_t *details;     /* object or NULL; borrowed */
};

/* Appends the entry durably, then applies it to the view. `ret_index` may be NULL. */
int gbx_site_record(struct gbx_site *site, const struct gbx_action *action, uint64_t *ret_index, struct gbx_error *err);

/* Publishes a checkpoint that covers every entry recorded so far, and shows it to the site's witnesses. */
int gbx_site_checkpoint(struct gbx_site *site, struct gbx_error *err);

/* Makes the view anew from the log and puts it in place. `ret_equal`: it holds what the old one held. */
int gbx_site_rebuild(struct gbx_site *site, uint64_t *ret_entries, bool *ret_equal, struct gbx_error *err);
