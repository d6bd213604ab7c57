#include "gateway/data/register.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/data/owner.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/keys.h"
#include "gateway/store/objects.h"
#include "gateway/store/transaction.h"
#include "policy/decision.h"
#include "policy/schema.h"
#include "policy/sshsig.h"
#include "runtime/vault/keys.h"
#include "runtime/vault/manifest.h"

#include <stdio.h>
#include <string.h>

enum { STORED_PATH_SIZE = sizeof "data/" + 64 };

/* --- whose it is ------------------------------------------------------------------ */

/* The owner must be a user with that role, and the name nobody else's: a name belongs to who registered it first. */
static int check_owner(struct gbx_site *site, const struct gbx_intake *intake, json_t **ret_user, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        char owner[GBX_OWNER_SIZE];
        unsigned roles;
        int r = gbx_fact_one(site, &user, err, "user", "name=?1 AND state='active'", intake->owner, NULL);

        if (r > 0)
                return gbx_fail(err, -EINVAL, "the owner '%s' is not a user of this site", intake->owner);
        if (r >= 0)
                r = gbx_user_roles(site, intake->owner, &roles, err);
        if (r >= 0 && !(roles & GBX_ROLE_OWNER))
                r = gbx_fail(err, -EINVAL, "'%s' does not have the role owner", intake->owner);
        if (r >= 0)
                r = gbx_dataset_owner(site, intake->name, owner, err);
        if (r == 0 && strcmp(owner, intake->owner) != 0)
                r = gbx_fail(err, -EKEYREJECTED,
                             "the name '%s' belongs to another owner; choose another name, or let the owner transfer it "
                                                 "(gbx data transfer)", intake->name);
        if (r < 0)
                return r;
        *ret_user = gbx_take_ptr(user);
        return 0;
}

/* Only the owner, or an administrator in the owner's name, brings data in. */
static int check_caller(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_intake *intake, struct gbx_error *err) {
        unsigned roles;
        int r = gbx_caller_roles(site, caller, &roles, err);

        if (r >= 0 && !(roles & GBX_ROLE_ADMIN) && strcmp(gbx_caller_name(caller), intake->owner) != 0)
                r = gbx_fail(err, -EKEYREJECTED, "'%s' cannot register data of '%s'", gbx_caller_name(caller), intake->owner);
        return r;
}

/* How the name stands: its last version, and the entry that said its state last. What is destroyed or revoked while an
 * attempt is on its way ends the attempt: a receipt of destruction is never followed by what was brought in before it. */
static int find_standing(struct gbx_site *site, const char *name, uint64_t *ret_version, int64_t *ret_state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(site, &row, err, "dataset", "name=?1", name, NULL);

        if (r < 0)
                return r;
        *ret_version = (uint64_t)gbx_json_number(row, "version");
        *ret_state = r > 0 ? -1 : gbx_json_number(row, "state_seq");
        return 0;
}

/* --- prepare ------------------------------------------------------------------------ */

/* An attempt: what it has put into the site goes when it fails. */
struct attempt {
        struct gbx_site *site; /* NULL: nothing is to be taken back */
        struct gbx_intake intake;
        struct gbx_age_facts facts;
};

static void undo(struct attempt *attempt) {
        if (attempt->site)
                gbx_intake_drop(attempt->site, attempt->intake.id);
}

static int digest_file(int fd, char ret_text[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err) {
        uint8_t digest[GBX_SHA256_SIZE];
        int r = gbx_sha256_fd(fd, digest, NULL, err);

        if (r >= 0)
                gbx_sha256_text(digest, ret_text);
        return r;
}

static int take_schema(struct gbx_site *site, const struct gbx_registration *reg, struct gbx_intake *intake, struct gbx_error *err) {
        gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        int r = gbx_schema_parse(&schema, reg->schema_label, reg->schema, reg->schema_size, reg->problems, err);

        if (r < 0)
                return r;
        if (strcmp(schema->dataset, reg->name) != 0)
                return gbx_fail(err, -EINVAL, "%s describes the dataset '%s', not '%s'", reg->schema_label, schema->dataset, reg->name);
        r = gbx_schema_json(schema, &json, err);
        if (r >= 0)
                r = gbx_json_canonical(json, &text, err);
        if (r >= 0)
                r = gbx_object_put(site->directory, text.data, text.size, intake->schema, err);
        return r < 0 ? r : gbx_object_put(site->directory, reg->schema, reg->schema_size, intake->schema_source, err);
}

/* Makes the version's key and rewraps the owner's file under it. The plaintext never exists here as a whole. */
static int take_data(struct gbx_site *site, const struct gbx_registration *reg, struct attempt *attempt, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *site_identity = NULL, *own = NULL;
        gbx_auto(gbx_close_fd) int out = -1, keys = -1;
        char path[GBX_INTAKE_PATH_SIZE];
        int r = gbx_site_identity(site, &site_identity, err);

        if (r >= 0)
                r = gbx_intake_name(attempt->intake.id, err);
        if (r < 0)
                return r;
        keys = gbx_open_directory(site->directory, "keys", err);
        if (keys < 0)
                return keys;
        r = gbx_keys_create_identity(keys, attempt->intake.id, &own, err);
        if (r < 0)
                return r;
        attempt->site = site;
        (void)snprintf(path, sizeof path, "data/%s", attempt->intake.id);
        out = openat(site->directory, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0)
                return gbx_fail_errno(err, "cannot create '%s'", path);
        r = gbx_age_rewrap(reg->data, out,
                           (struct gbx_age_identities){ (const struct gbx_age_identity *const *)&site_identity, 1 },
                           (struct gbx_age_recipients){ gbx_age_identity_recipient(own), 1 }, &attempt->facts, NULL, err);
        if (r < 0)
                return gbx_context(err, r, "'%s' (owners encrypt with: age -r \"$(gbx keys recipient)\")", reg->data_label);
        if (fsync(out) < 0)
                return gbx_fail_errno(err, "cannot flush '%s'", path);
        attempt->intake.bytes = attempt->facts.plaintext_size;
        r = digest_file(out, attempt->intake.stored, err);
        return r < 0 ? r : gbx_sync_parent(site->directory, path, err);
}

static int make_manifest(struct gbx_site *site, struct attempt *attempt, struct gbx_buffer *ret_text, struct gbx_error *err) {
        struct gbx_intake *intake = &attempt->intake;
        struct gbx_manifest manifest = { .version = intake->before_version + 1, .format = GBX_MANIFEST_CSV };
        int r;

        (void)snprintf(manifest.id, sizeof manifest.id, "%s", intake->name);
        (void)snprintf(manifest.owner, sizeof manifest.owner, "%s", intake->owner);
        (void)snprintf(manifest.site, sizeof manifest.site, "%s", site->origin);
        memcpy(manifest.schema, intake->schema_source, sizeof manifest.schema);
        gbx_manifest_describe(&manifest, &attempt->facts);
        memcpy(intake->ciphertext, manifest.ciphertext, sizeof intake->ciphertext);
        r = gbx_manifest_text(&manifest, ret_text, err);
        return r < 0 ? r : gbx_object_put(site->directory, ret_text->data, ret_text->size, intake->manifest, err);
}

int gbx_prepare_dataset(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_registration *reg,
                        char ret_id[static GBX_KEYS_NAME_SIZE], struct gbx_buffer *ret_manifest, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *owner = NULL;
        gbx_auto(undo) struct attempt attempt = {};
        struct gbx_intake *intake = &attempt.intake;
        int r;

        if (!gbx_name_valid(reg->name))
                return gbx_fail(err, -EINVAL, "'%s' cannot be a dataset's name: use a-z, 0-9, '.', '_', '-', at most 64", reg->name);
        if (!gbx_name_valid(reg->owner))
                return gbx_fail(err, -EINVAL, "the owner '%s' is not a user of this site", reg->owner);
        (void)snprintf(intake->name, sizeof intake->name, "%s", reg->name);
        (void)snprintf(intake->owner, sizeof intake->owner, "%s", reg->owner);
        (void)snprintf(intake->caller, sizeof intake->caller, "%s", gbx_caller_name(caller));
        gbx_intake_sweep(site);
        r = gbx_authorise_read(site, caller, "data prepare", err);
        if (r >= 0)
                r = check_caller(site, caller, intake, err);
        if (r >= 0)
                r = check_owner(site, intake, &owner, err);
        if (r >= 0)
                r = find_standing(site, reg->name, &intake->before_version, &intake->before_state, err);
        if (r >= 0)
                r = take_schema(site, reg, intake, err);
        if (r >= 0)
                r = take_data(site, reg, &attempt, err);
        if (r >= 0)
                r = make_manifest(site, &attempt, ret_manifest, err);
        intake->expires = gbx_time_now() + GBX_INTAKE_SECONDS;
        if (r >= 0)
                r = gbx_intake_keep(site, intake, err);
        if (r < 0)
                return r;
        memcpy(ret_id, intake->id, sizeof intake->id);
        attempt.site = NULL;
        return 0;
}

/* --- add ------------------------------------------------------------------------------ */

/* Where there is a signature, it must be the owner's, whoever brings it. */
static int check_signature(struct gbx_site *site, const json_t *owner, const struct gbx_intake *intake, const struct gbx_bytes *signature,
                           struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer manifest = {};
        struct gbx_ssh_key key;
        int r;

        if (!signature)
                return 0;
        r = gbx_ssh_key_parse(gbx_json_text(owner, "ssh_key"), &key, err);
        if (r >= 0)
                r = gbx_object_get(site->directory, intake->manifest, &manifest, err);
        if (r >= 0)
                r = gbx_sshsig_verify(&key, GBX_SSHSIG_NAMESPACE, manifest.data, manifest.size, signature->data, signature->size, err);
        return r < 0 ? gbx_context(err, r, "the manifest is not signed by the owner '%s'", gbx_json_text(owner, "name")) : 0;
}

/* The ciphertext must still be what was prepared: it lay in the site's folder meanwhile. */
static int check_stored(struct gbx_site *site, const struct gbx_intake *intake, struct gbx_error *err) {
        char path[GBX_INTAKE_PATH_SIZE], found[GBX_SHA256_TEXT_SIZE];
        gbx_auto(gbx_close_fd) int fd = -1;
        int r;

        (void)snprintf(path, sizeof path, "data/%s", intake->id);
        fd = openat(site->directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot open '%s'", path);
        r = digest_file(fd, found, err);
        if (r >= 0 && strcmp(found, intake->stored) != 0)
                r = gbx_fail(err, -EBADMSG, "'%s' is not what was prepared", path);
        return r;
}

/* Key and file get the names of the version just before the entry that makes the version. */
static int put_in_place(struct gbx_site *site, const struct gbx_intake *intake, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", err);
        char version[24], key[GBX_KEYS_NAME_SIZE], from[GBX_INTAKE_PATH_SIZE], to[STORED_PATH_SIZE];

        if (keys < 0)
                return keys;
        (void)snprintf(from, sizeof from, "data/%s", intake->id);
        (void)snprintf(to, sizeof to, "data/%.64s", intake->stored + strlen("sha256:"));
        if (renameat(site->directory, from, site->directory, to) < 0)
                return gbx_fail_errno(err, "cannot put '%s' in place", to);
        (void)snprintf(version, sizeof version, "%llu", (unsigned long long)intake->before_version + 1);
        gbx_keys_dataset_name(intake->name, version, key);
        if (renameat(keys, intake->id, keys, key) < 0) {
                (void)renameat(site->directory, to, site->directory, from);
                return gbx_fail_errno(err, "cannot name the key of '%s'", intake->name);
        }
        if (fsync(keys) < 0)
                return gbx_fail_errno(err, "cannot flush the folder of keys");
        return gbx_sync_parent(site->directory, to, err);
}

static int record_version(struct gbx_transaction *transaction, const struct gbx_intake *intake, const char *signature,
                          struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details =
                json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:I}", "version", (json_int_t)intake->before_version + 1, "owner",
                          intake->owner, "ciphertext", intake->ciphertext, "stored", intake->stored, "schema", intake->schema,
                          "schema_source", intake->schema_source, "manifest", intake->manifest, "signature", signature, "bytes",
                          (json_int_t)intake->bytes);

        return gbx_transaction_record(transaction, &(struct gbx_action){ "data.add", intake->name, "done", NULL, details }, NULL, err);
}

/* The short part, locked: what was true at the start must still be. */
static int commit(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_intake *intake,
                  const struct gbx_bytes *signature,
                  struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *owner = NULL;
        char digest[GBX_SHA256_TEXT_SIZE];
        uint64_t version = 0;
        int64_t state = 0;
        int r = gbx_transaction_begin(&transaction, site, caller, "data add", err);

        if (r >= 0)
                r = check_caller(site, caller, intake, err);
        if (r >= 0)
                r = check_owner(site, intake, &owner, err);
        if (r >= 0)
                r = check_signature(site, owner, intake, signature, err);
        if (r >= 0)
                r = find_standing(site, intake->name, &version, &state, err);
        if (r >= 0 && (version != intake->before_version || state != intake->before_state))
                r = gbx_fail(err, -EAGAIN, "'%s' was changed meanwhile (another version, revoked or destroyed); add it again",
                             intake->name);
        if (r >= 0 && signature)
                r = gbx_object_put(site->directory, signature->data, signature->size, digest, err);
        if (r >= 0)
                r = put_in_place(site, intake, err);
        if (r >= 0)
                r = record_version(transaction, intake, signature ? digest : NULL, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}

/* Loads an intake for the one who prepared it. */
static int load_own(struct gbx_site *site, const struct gbx_caller *caller, const char *id, struct gbx_intake *ret, struct gbx_error *err) {
        int r = gbx_intake_load(site, id, ret, err);

        if (r >= 0 && strcmp(ret->caller, gbx_caller_name(caller)) != 0)
                r = gbx_fail(err, -EKEYREJECTED, "the intake '%s' was prepared by another", id);
        return r;
}

int gbx_add_dataset(struct gbx_site *site, const struct gbx_caller *caller, const char *id, const struct gbx_bytes *signature,
                    json_t **ret_row, struct gbx_error *err) {
        struct gbx_intake intake;
        int r = load_own(site, caller, id, &intake, err);

        if (r < 0)
                return r;
        r = check_stored(site, &intake, err);
        if (r >= 0)
                r = commit(site, caller, &intake, signature, err);
        gbx_intake_drop(site, id); /* used once; of a version that was recorded only what was known of it is left */
        if (r < 0)
                return r;
        r = gbx_fact_one(site, ret_row, err, "dataset", "name=?1 AND state='active'", intake.name, NULL);
        return r > 0 ? gbx_fail(err, -EIO, "the view lost the dataset '%s'", intake.name) : r;
}

int gbx_discard_dataset(struct gbx_site *site, const struct gbx_caller *caller, const char *id, struct gbx_error *err) {
        struct gbx_intake intake;
        int r = load_own(site, caller, id, &intake, err);

        if (r >= 0)
                gbx_intake_drop(site, id);
        return r;
}
