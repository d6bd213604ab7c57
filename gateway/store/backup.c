#include "gateway/store/backup.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/log/writer/copy.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/backup_files.h"
#include "gateway/store/backup_manifest.h"
#include "gateway/store/keys.h"
#include "gateway/store/transaction.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = { "objects", "data", "releases", "held" };
static const char *const single[] = { "site.json", "witness-policy" }; /* the second where there is one */

struct backup {
        struct gbx_site *site;
        int target;          /* BACKUP */
        int snapshot;        /* the hard links, a folder of the site */
        char links[48];      /* its name */
        struct gbx_buffer message; /* the checkpoint */
        struct gbx_buffer keys;    /* their bundle, secret; empty without */
        struct gbx_buffer manifest;
        struct gbx_backup_report report;
};

static void end_backup(struct backup *backup) {
        if (backup->links[0])
                gbx_tree_remove(backup->site->directory, backup->links);
        gbx_close_fd(&backup->target);
        gbx_close_fd(&backup->snapshot);
        gbx_buffer_free(&backup->message);
        gbx_buffer_free(&backup->keys);
        gbx_buffer_free(&backup->manifest);
}

/* --- under the lock ------------------------------------------------------------ */

static int link_one(void *context, int directory, const char *path, struct gbx_error *err) {
        struct backup *backup = context;
        int r = gbx_make_parents(backup->snapshot, path, err);

        if (r < 0)
                return r;
        if (linkat(directory, path, backup->snapshot, path, 0) < 0)
                return gbx_fail_errno(err, "cannot link '%s' (for backups a site must be on one file system, with hard links)", path);
        return 0;
}

static int take_snapshot(struct backup *backup, struct gbx_error *err) {
        uint8_t random[8];
        char digits[2 * sizeof random + 1];
        int site = backup->site->directory, r = gbx_random(random, sizeof random, err);

        if (r < 0)
                return r;
        gbx_hex_encode(random, sizeof random, digits);
        (void)snprintf(backup->links, sizeof backup->links, "%s%s", GBX_BACKUP_LINKS, digits);
        r = gbx_make_directories(site, backup->links, 0700, err);
        if (r < 0)
                return r;
        backup->snapshot = gbx_open_directory(site, backup->links, err);
        if (backup->snapshot < 0)
                return backup->snapshot;
        if (flock(backup->snapshot, LOCK_EX | LOCK_NB) < 0) /* so that nobody takes it for a leftover */
                return gbx_fail_errno(err, "cannot lock '%s'", backup->links);
        for (size_t i = 0; r == 0 && i < gbx_array_size(folders); i++)
                r = gbx_tree_walk(site, folders[i], link_one, backup, err);
        for (size_t i = 0; r == 0 && i < gbx_array_size(single); i++)
                if (i == 0 || faccessat(site, single[i], F_OK, 0) == 0)
                        r = link_one(backup, site, single[i], err);
        return r;
}

/* The moment that the backup is of. */
static int take_moment(struct backup *backup, const struct gbx_caller *caller, const struct gbx_age_recipient *keys_for,
                       struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        char recipient[GBX_AGE_RECIPIENT_TEXT_SIZE] = "";
        int r = gbx_transaction_begin(&transaction, backup->site, caller, "backup", err);

        if (r < 0)
                return r;
        if (keys_for)
                gbx_age_recipient_format(keys_for, recipient);
        details = json_pack("{s:b, s:s*}", "keys", keys_for != NULL, "recipient", keys_for ? recipient : NULL);
        gbx_backup_remove_leftovers(backup->site->directory);
        r = gbx_transaction_record(transaction, &(struct gbx_action){ "site.backup", backup->site->origin, "done", NULL, details }, NULL,
                                   err);
        if (r >= 0) /* the checkpoint is of this moment: nobody is in between */
                r = gbx_log_checkpoint(backup->site->log, NULL, err);
        if (r >= 0)
                r = gbx_log_message(backup->site->log, &backup->message, err);
        if (r >= 0)
                r = take_snapshot(backup, err);
        if (r >= 0 && keys_for)
                r = gbx_backup_keys_pack(backup->site->directory, "keys", &backup->keys, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}

/* --- copying ------------------------------------------------------------------- */

static int add_file(struct backup *backup, const char *path, uint64_t size, const uint8_t digest[static GBX_SHA256_SIZE],
                    struct gbx_error *err) {
        struct gbx_backup_file file = { .size = size };

        (void)snprintf(file.path, sizeof file.path, "%s", path);
        memcpy(file.digest, digest, sizeof file.digest);
        backup->report.files++;
        backup->report.bytes += size;
        return gbx_backup_manifest_add(&backup->manifest, &file, err);
}

static int put_log_file(void *context, const char *path, const void *data, size_t size, struct gbx_error *err) {
        struct backup *backup = context;
        uint8_t digest[GBX_SHA256_SIZE];
        char name[128], place[140];
        int r;

        (void)snprintf(name, sizeof name, "log/%.100s", path);
        (void)snprintf(place, sizeof place, "site/%s", name);
        r = gbx_make_parents(backup->target, place, err);
        if (r == 0)
                r = gbx_write_file_durably(backup->target, place, data, size, 0600, err);
        gbx_sha256(data, size, digest);
        return r < 0 ? r : add_file(backup, name, size, digest, err);
}

/* An object is named by its digest. */
static int check_object(const char *path, const uint8_t digest[static GBX_SHA256_SIZE], struct gbx_error *err) {
        char digits[2 * GBX_SHA256_SIZE + 1];

        gbx_hex_encode(digest, GBX_SHA256_SIZE, digits);
        if (strncmp(path, "objects/", 8) != 0 ||
            (strlen(path) == 8 + 2 + 1 + 62 && strncmp(path + 8, digits, 2) == 0 && strcmp(path + 11, digits + 2) == 0))
                return 0;
        return gbx_fail(err, -EBADMSG, "'%s' was altered: its bytes have another digest", path);
}

static int copy_one(void *context, int directory, const char *path, struct gbx_error *err) {
        struct backup *backup = context;
        gbx_auto(gbx_close_fd) int source = gbx_open_beneath(directory, path, O_RDONLY, 0, err), copy = -1;
        uint8_t digest[GBX_SHA256_SIZE];
        char place[GBX_BACKUP_PATH_SIZE + 8];
        uint64_t size = 0;
        int r;

        if (source < 0)
                return source;
        (void)snprintf(place, sizeof place, "site/%s", path);
        r = gbx_make_parents(backup->target, place, err);
        if (r < 0)
                return r;
        copy = openat(backup->target, place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (copy < 0)
                return gbx_fail_errno(err, "cannot create '%s'", place);
        r = gbx_copy_with_digest(source, copy, digest, &size, err);
        if (r == 0)
                r = check_object(path, digest, err);
        return r < 0 ? gbx_context(err, r, "'%s'", path) : add_file(backup, path, size, digest, err);
}

static int write_manifest(struct backup *backup, const struct gbx_checkpoint *checkpoint, const struct gbx_age_recipient *keys_for,
                          struct gbx_error *err) {
        gbx_auto(gbx_secret_free) struct gbx_secret seed = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer note = {}, sealed = {};
        int r = gbx_site_raw_key(backup->site, GBX_KEYS_PROVENANCE, &seed, err);

        if (r == 0)
                r = gbx_backup_note_sign(&backup->manifest, checkpoint, &seed, &note, err);
        if (r == 0 && keys_for)
                r = gbx_age_encrypt_buffer(backup->keys.data, backup->keys.size, (struct gbx_age_recipients){ keys_for, 1 }, &sealed, err);
        if (r == 0 && keys_for)
                r = gbx_write_file_durably(backup->target, "keys.age", sealed.data, sealed.size, 0600, err);
        if (r == 0)
                r = gbx_write_file_durably(backup->target, "manifest", backup->manifest.data, backup->manifest.size, 0600, err);
        if (r == 0) /* last: without it this is no backup */
                r = gbx_write_file_durably(backup->target, "manifest.note", note.data, note.size, 0600, err);
        gbx_sha256_text_of(backup->manifest.data, backup->manifest.size, backup->report.manifest);
        return r;
}

static int make_copy(struct backup *backup, const struct gbx_age_recipient *keys_for, struct gbx_error *err) {
        struct gbx_checkpoint checkpoint;
        int r = 0;

        for (size_t i = 0; r == 0 && i < gbx_array_size(single); i++)
                if (faccessat(backup->snapshot, single[i], F_OK, 0) == 0)
                        r = copy_one(backup, backup->snapshot, single[i], err);
        for (size_t i = 0; r == 0 && i < gbx_array_size(folders); i++)
                if (faccessat(backup->snapshot, folders[i], F_OK, 0) == 0)
                        r = gbx_tree_walk(backup->snapshot, folders[i], copy_one, backup, err);
        if (r == 0)
                r = gbx_log_copy(backup->site->log, &backup->message, put_log_file, backup, &checkpoint, err);
        if (r == 0)
                r = write_manifest(backup, &checkpoint, keys_for, err);
        if (r == 0)
                r = gbx_tree_sync(backup->target, err);
        if (r == 0)
                backup->report.entries = checkpoint.size;
        return r;
}

int gbx_site_backup(struct gbx_site *site, const struct gbx_caller *caller, const char *target, const struct gbx_age_recipient *keys_for,
                    struct gbx_backup_report *ret, struct gbx_error *err) {
        gbx_auto(end_backup) struct backup backup = { .site = site, .target = -1, .snapshot = -1, .keys = { .secret = true } };
        int r;

        if (mkdirat(AT_FDCWD, target, 0700) < 0)
                return gbx_fail_errno(err, "cannot make the backup's directory '%s'", target);
        backup.target = gbx_open_directory(AT_FDCWD, target, err);
        r = backup.target < 0 ? backup.target : take_moment(&backup, caller, keys_for, err);
        if (r >= 0)
                r = make_copy(&backup, keys_for, err);
        if (r >= 0)
                r = gbx_sync_parent(AT_FDCWD, target, err);
        if (r < 0) {
                gbx_tree_remove(AT_FDCWD, target);
                return gbx_context(err, r, "backup of '%s'", site->path);
        }
        *ret = backup.report;
        return 0;
}
