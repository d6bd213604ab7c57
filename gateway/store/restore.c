/* Restoring a site from a backup (backup.h): everything is verified beside the target, then put in place at once */
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/log/verify/verify.h"
#include "gateway/log/witness/witness_client.h"
#include "gateway/log/writer/copy.h"
#include "gateway/store/backup.h"
#include "gateway/store/backup_files.h"
#include "gateway/store/backup_manifest.h"
#include "gateway/store/keys.h"
#include "gateway/store/transaction.h"
#include "gateway/store/witnesses.h"
#include "runtime/vault/keys.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEYS_LIMIT = 16 * 1024 * 1024, CONFIG_LIMIT = 64 * 1024 };

struct restore {
        const struct gbx_restore_options *options;
        int backup, site;  /* BACKUP, and the folder that becomes the target */
        char *path;        /* of that folder */
        bool placed;       /* it is the target now */
        char *origin;
        struct gbx_note_signer signer;
        struct gbx_secret provenance;
        struct gbx_verify_report log;
        uint64_t cosigned;
        struct gbx_backup_report report;
};

static void end_restore(struct restore *restore) {
        gbx_close_fd(&restore->backup);
        gbx_close_fd(&restore->site);
        if (restore->path && !restore->placed)
                gbx_tree_remove(AT_FDCWD, restore->path);
        free(restore->path);
        free(restore->origin);
        gbx_note_signer_clear(&restore->signer);
        gbx_secret_free(&restore->provenance);
}

static int begin_restore(struct restore *restore, const char *path, const char *target, struct gbx_error *err) {
        uint8_t random[8];
        char digits[2 * sizeof random + 1];
        int r;

        restore->backup = gbx_open_directory(AT_FDCWD, path, err);
        if (restore->backup < 0)
                return restore->backup;
        if (faccessat(AT_FDCWD, target, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return gbx_fail(err, -EEXIST, "'%s' exists; a site is restored to a place where nothing is", target);
        r = gbx_random(random, sizeof random, err);
        if (r < 0)
                return r;
        gbx_hex_encode(random, sizeof random, digits);
        if (asprintf(&restore->path, "%s.restore-%s", target, digits) < 0) {
                restore->path = NULL;
                return gbx_fail_memory(err);
        }
        if (mkdirat(AT_FDCWD, restore->path, 0700) < 0)
                return gbx_fail_errno(err, "cannot make '%s'", restore->path);
        restore->site = gbx_open_directory(AT_FDCWD, restore->path, err);
        return restore->site < 0 ? restore->site : 0;
}

/* --- keys ------------------------------------------------------------------------ */

static int open_bundle(struct restore *restore, struct gbx_buffer *bundle, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};
        int r;

        if (restore->options->keys) /* packed as a backup packs them */
                return gbx_backup_keys_pack(AT_FDCWD, restore->options->keys, bundle, err);
        if (!restore->options->identity)
                return gbx_fail(err, -ENOKEY, "a site needs its keys: give the identity that opens keys.age, or the folder of the keys");
        r = gbx_read_file(restore->backup, "keys.age", KEYS_LIMIT, &sealed, err);
        if (r == -ENOENT)
                return gbx_fail(err, -ENOKEY, "this backup was made without keys; give the folder of the site's keys");
        if (r == 0)
                r = gbx_age_decrypt_buffer(sealed.data, sealed.size, (struct gbx_age_identities){ &restore->options->identity, 1 },
                                           KEYS_LIMIT, bundle, err);
        return r < 0 ? gbx_context(err, r, "keys.age") : 0;
}

/* What came out of keys.age proves nothing of itself: somebody made up a site, perhaps, and encrypted its keys. */
static int check_key(const struct restore *restore, struct gbx_error *err) {
        const struct gbx_note_verifier *kept = restore->options->verifier, *found = &restore->signer.verifier;

        if (kept && (strcmp(kept->name, found->name) != 0 || memcmp(kept->public_key, found->public_key, sizeof kept->public_key) != 0))
                return gbx_fail(err, -EBADMSG, "the keys in the backup are not those of the log '%s': its key is another one", kept->name);
        return 0;
}

static int restore_keys(struct restore *restore, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bundle = { .secret = true };
        gbx_auto(gbx_secret_free) struct gbx_secret seed = {};
        gbx_auto(gbx_close_fd) int keys = -1;
        int r = open_bundle(restore, &bundle, err);

        if (r == 0)
                r = gbx_backup_keys_unpack(restore->site, &bundle, err);
        if (r < 0)
                return r;
        keys = gbx_open_directory(restore->site, "keys", err);
        if (keys < 0)
                return keys;
        r = gbx_keys_load_raw(keys, GBX_KEYS_PROVENANCE, &restore->provenance, err);
        if (r == 0)
                r = gbx_keys_load_raw(keys, GBX_KEYS_LOG, &seed, err);
        if (r == 0)
                r = gbx_note_signer_from_seed(restore->origin, GBX_NOTE_ED25519, seed.data, &restore->signer, err);
        return r < 0 ? r : check_key(restore, err);
}

/* --- files ----------------------------------------------------------------------- */

static int restore_file(struct restore *restore, const struct gbx_backup_file *file, struct gbx_error *err) {
        char place[GBX_BACKUP_PATH_SIZE + 8];
        gbx_auto(gbx_close_fd) int source = -1, copy = -1;
        uint8_t digest[GBX_SHA256_SIZE];
        uint64_t size;
        int r;

        (void)snprintf(place, sizeof place, "site/%s", file->path);
        source = gbx_open_beneath(restore->backup, place, O_RDONLY | O_NONBLOCK, 0, err);
        if (source < 0)
                return gbx_context(err, source == -ENOENT || source == -ELOOP ? -EBADMSG : source, "'%s', which the manifest names",
                                   file->path);
        r = gbx_make_parents(restore->site, file->path, err);
        if (r < 0)
                return r;
        copy = openat(restore->site, file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (copy < 0)
                return gbx_fail_errno(err, "cannot create '%s'", file->path);
        r = gbx_copy_with_digest(source, copy, digest, &size, err);
        if (r == 0 && (size != file->size || memcmp(digest, file->digest, sizeof digest) != 0))
                r = gbx_fail(err, -EBADMSG, "it is not what was backed up: its bytes have another digest");
        restore->report.files++;
        restore->report.bytes += size;
        return r < 0 ? gbx_context(err, r, "'%s'", file->path) : 0;
}

static int restore_files(struct restore *restore, const struct gbx_buffer *manifest, struct gbx_error *err) {
        static const char *const folders[] = { "objects", "data", "releases", "held", "log" };
        struct gbx_bytes rest = { manifest->data, manifest->size };
        struct gbx_backup_file file;
        int r = 0;

        for (size_t i = 0; r == 0 && i < gbx_array_size(folders); i++)
                r = gbx_make_directories(restore->site, folders[i], 0700, err);
        while (r == 0 && (r = gbx_backup_manifest_next(&rest, &file, err)) > 0)
                r = restore_file(restore, &file, err);
        return r;
}

static int read_origin(struct restore *restore, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer config = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        const char *origin;
        int r = gbx_read_file(restore->backup, "site/site.json", CONFIG_LIMIT, &config, err);

        if (r < 0)
                return gbx_context(err, r, "this is not a backup of a site");
        json = json_loadb(gbx_buffer_text(&config), config.size, JSON_REJECT_DUPLICATES, NULL);
        origin = json_string_value(json_object_get(json, "origin"));
        if (!origin || !gbx_note_name_valid(origin, strlen(origin)))
                return gbx_fail(err, -EBADMSG, "the backup's site.json names no origin");
        restore->origin = strdup(origin);
        return restore->origin ? 0 : gbx_fail_memory(err);
}

/* --- the log ---------------------------------------------------------------------- */

static int check_log(struct restore *restore, const struct gbx_buffer *note, const struct gbx_buffer *manifest, struct gbx_error *err) {
        struct gbx_verify_options options = {
                .verifier = restore->signer.verifier,
                .against = restore->options->against,
                .against_size = restore->options->against_size,
        };
        int r = gbx_log_verify(restore->site, "log", &options, &restore->log, err);

        if (r == 0)
                r = gbx_backup_note_check(note, manifest, &restore->log.checkpoint, &restore->provenance, err);
        return r < 0 ? r : gbx_log_adopt(restore->site, "log", restore->origin, &restore->signer, err);
}

/* Nobody whom the backup names as a witness may know a newer log; a quorum, or the caller's own kept checkpoint, says so. */
static int ask_witnesses(struct restore *restore, struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = calloc(1, sizeof *policy);
        gbx_auto(gbx_free_pointer) struct gbx_witness_status *statuses = calloc(GBX_POLICY_WITNESSES_MAX, sizeof *statuses);
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        unsigned timeout = restore->options->witness_timeout_ms ? restore->options->witness_timeout_ms : GBX_SITE_WITNESS_TIMEOUT_MS;
        struct gbx_witness_count counted = {};
        size_t count = 0;
        int r;

        if (!policy || !statuses)
                return gbx_fail_memory(err);
        r = gbx_site_witness_policy(site, NULL, policy, err);
        if (r != 0)
                return r < 0 ? r : 0;
        r = gbx_witness_submit(site->log, policy, timeout, statuses, &count, err);
        for (size_t i = 0; r == 0 && i < count; i++)
                if (statuses[i].ahead > 0)
                        r = gbx_fail(err, -EBADMSG, "the witness '%s' knows %llu more entries than this backup has: it is an older copy",
                                     statuses[i].name, (unsigned long long)statuses[i].ahead);
        if (r == 0)
                r = gbx_log_message(site->log, &message, err);
        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(&message), message.size, &note, err);
        if (r == 0)
                r = gbx_witness_policy_check(policy, &note, &counted, err);
        restore->cosigned = counted.cosigned;
        if (r == GBX_WITNESS_SHORT && !restore->options->against)
                return gbx_context(err, -EBADMSG, "nobody says that there is no newer log; give a checkpoint that was kept");
        return r > 0 ? 0 : r;
}

static int record_restore(struct restore *restore, const struct gbx_caller *caller, struct gbx_error *err) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        char root[GBX_SHA256_TEXT_SIZE];
        int r = gbx_site_open(&site, restore->path, err);

        if (r == 0)
                r = ask_witnesses(restore, site, err);
        if (r < 0)
                return r;
        gbx_sha256_text(restore->log.checkpoint.root.bytes, root);
        details = json_pack("{s:I, s:s, s:s, s:I}", "size", (json_int_t)restore->log.checkpoint.size, "root", root, "manifest",
                            restore->report.manifest, "cosigned", (json_int_t)restore->cosigned);
        if (details && restore->options->against)
                (void)json_object_set_new(details, "against", json_integer((json_int_t)restore->log.against.size));
        return gbx_record(site, caller, "restore", &(struct gbx_action){ "site.restore", site->origin, "done", NULL, details }, err);
}

static int place(struct restore *restore, const char *target, struct gbx_error *err) {
        int r = gbx_tree_sync(restore->site, err);

        if (r < 0)
                return r;
        if (renameat2(AT_FDCWD, restore->path, AT_FDCWD, target, RENAME_NOREPLACE) < 0)
                return gbx_fail_errno(err, "cannot put the site in place at '%s'", target);
        restore->placed = true;
        return gbx_sync_parent(AT_FDCWD, target, err);
}

int gbx_site_restore(const char *path, const char *target, const struct gbx_caller *caller, const struct gbx_restore_options *options,
                     struct gbx_backup_report *ret, struct gbx_error *err) {
        gbx_auto(end_restore) struct restore restore = { .options = options, .backup = -1, .site = -1 };
        gbx_auto(gbx_buffer_free) struct gbx_buffer manifest = {}, note = {};
        int r;

        if (!options->keys && !options->verifier && !options->against)
                return gbx_fail(err, -EINVAL, "whose site is this? give the log's verifier key, or a checkpoint that was kept");
        r = begin_restore(&restore, path, target, err);
        if (r == 0)
                r = read_origin(&restore, err);
        if (r == 0)
                r = gbx_read_file(restore.backup, "manifest.note", GBX_NOTE_SIZE_MAX, &note, err);
        if (r == 0)
                r = gbx_read_file(restore.backup, "manifest", GBX_BACKUP_MANIFEST_LIMIT, &manifest, err);
        if (r == 0)
                r = restore_keys(&restore, err);
        if (r == 0)
                r = restore_files(&restore, &manifest, err);
        if (r == 0)
                r = check_log(&restore, &note, &manifest, err);
        if (r < 0)
                return gbx_context(err, r, "restoring '%s'", path);
        gbx_sha256_text_of(manifest.data, manifest.size, restore.report.manifest);
        restore.report.entries = restore.log.checkpoint.size;
        r = record_restore(&restore, caller, err);
        if (r >= 0)
                r = place(&restore, target, err);
        if (r < 0)
                return gbx_context(err, r, "restoring '%s'", path);
        *ret = restore.report;
        return 0;
}
