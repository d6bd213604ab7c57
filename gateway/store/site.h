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
 *   runs/            marks of who is at work (living.h)
 *   lock             serialises decide → append → apply between processes
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct gbx_living;
struct gbx_log;

struct gbx_site {
        int directory; /* of the site */
        char *path;    /* as the user gave it */
        char *origin;  /* of the log, also the name in approval statements */
        struct gbx_log *log;
        sqlite3 *view; /* for reading */
        bool own_view; /* the view is in this process's memory alone, made from the log here: nobody else can have changed it */

        /* Of gateway/store alone. */
        sqlite3 *writer; /* opened by the first transaction */
        char *view_path;
        ino_t view_inode;
        uint8_t seal_key[GBX_SHA256_SIZE]; /* seal.h */
        pthread_mutex_t mutex;             /* threads exclude each other, as the file `lock` does processes */
        int lock;
        struct gbx_living *living; /* this process's mark; NULL: none could be made, as on a medium for reading alone */
};

/* Makes a site in an empty or missing directory: keys, log with a first entry and checkpoint, view.
 * -EEXIST if there is something already. `origin` NULL: made from the host's name and a random part.
 * `token` NULL, or where the site's age identity is kept (gbx_site_keys_create). */
int gbx_site_create(const char *path, const char *origin, const char *token, struct gbx_error *err);

/* Opens a site: recovers the log, builds a missing view. Waits for nobody who changes the site, unless there is no view. */
int gbx_site_open(struct gbx_site **ret, const char *path, struct gbx_error *err);
struct gbx_site *gbx_site_close(struct gbx_site *site);
static inline void gbx_site_closep(struct gbx_site **site) { *site = gbx_site_close(*site); }

/* The site as it was when `view` was made, entry by entry, from its log: facts come from there. Borrows both; nothing is
 * recorded through it, and it is not closed. */
struct gbx_site gbx_site_as_of(const struct gbx_site *site, sqlite3 *view);

/* The same for who makes the view anew (rebuild.h): `view` is NULL. */
int gbx_site_open_without_view(struct gbx_site **ret, const char *path, struct gbx_error *err);
