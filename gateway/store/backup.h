/*
 * Backup and restore of a site
 *
 *   BACKUP/manifest        a line for each file: 64 digits of SHA-256, bytes, path
 *   BACKUP/manifest.note   a signed note over origin, checkpoint and the digest of `manifest`, by the provenance key
 *   BACKUP/site/…          the site's files, the log's public part at a fresh checkpoint among them
 *   BACKUP/keys.age        only if asked: the site's keys, encrypted to an age recipient
 *
 * Without keys.age a backup holds nothing that is not encrypted, or in the log and its
 * objects anyway. With it, whoever has the recipient's identity has the site; and a
 * dataset whose key is destroyed later can be read from it for as long as it exists.
 *
 * All files belong to one moment: under the site's lock they get second names (hard
 * links: files of a site are replaced, never rewritten; files of sealed records grow at
 * their end, and what no entry names is passed over), and are copied from there while
 * the site goes on. Entries are proven and objects compared with their digests on the way.
 *
 * Restoring puts an older state back, which is what a log is there to show. So a backup
 * is refused when somebody knows a newer log: a checkpoint that was kept (`against`), or
 * a witness of the backup's witness policy. Nothing of the target is there until all is
 * verified, and the first entry that follows is `site.restore`.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "gateway/log/format/note_key.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "runtime/vault/age.h"

#include <stddef.h>
#include <stdint.h>

struct gbx_backup_report {
        uint64_t entries; /* of the log in the backup */
        uint64_t files, bytes;
        char manifest[GBX_SHA256_TEXT_SIZE]; /* digest of the manifest */
};

/* Makes the directory `target` (-EEXIST if it exists). `keys_for` NULL: no keys. Records `site.backup` first. The caller
 * must be allowed "backup". On failure what was written is removed. */
int gbx_site_backup(struct gbx_site *site, const struct gbx_caller *caller, const char *target, const struct gbx_age_recipient *keys_for,
                    struct gbx_backup_report *ret, struct gbx_error *err);

struct gbx_restore_options {
        const struct gbx_age_identity *identity; /* opens keys.age; or, where this is NULL: */
        const char *keys;                        /* a directory with the site's keys */
        const struct gbx_note_verifier *verifier; /* the log's key, as it was kept (gbx keys log); may be NULL */
        const char *against;                     /* a signed checkpoint that was kept; NULL: none */
        size_t against_size;
        unsigned witness_timeout_ms;             /* 0: GBX_SITE_WITNESS_TIMEOUT_MS */
};

/*
 * Makes the site `target` (-EEXIST if it exists) of the backup in `path`. Where the backup has a witness policy, a quorum
 * must cosign its checkpoint or `against` be given. Anybody can encrypt keys of a made-up site to the same recipient: with
 * keys.age, `verifier` or `against` must be given (-EINVAL), and the log must be of that key. Records `site.restore`; the
 * caller must be allowed "restore" there.
 * -EBADMSG: the backup was altered, or is older than what `against` or a witness knows.
 */
int gbx_site_restore(const char *path, const char *target, const struct gbx_caller *caller, const struct gbx_restore_options *options,
                     struct gbx_backup_report *ret, struct gbx_error *err);
