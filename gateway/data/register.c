#include "gateway/data/register.h"

#include "base/cleanup.h"
#include "base/encode.h"
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

struct standing {
        uint64_t version; /* the last one; 0: none */
        json_int_t state_seq;
};

/* What is learnt on the way in; all of it goes into manifest and log. */
struct intake {
        struct gbx_age_facts facts;
        uint64_t version;
        struct standing before; /* of the name, when the attempt began */
        char ciphertext[GBX_SHA256_TEXT_SIZE]; /* as the owner sent it */
        char stored[GBX_SHA256_TEXT_SIZE];     /* as the site keeps it */
        char schema[GBX_SHA256_TEXT_SIZE];     /* the engine's form, an object */
        char schema_source[GBX_SHA256_TEXT_SIZE];
        char manifest[GBX_SHA256_TEXT_SIZE];
        char signature[GBX_SHA256_TEXT_SIZE]; /* "" if there is none */

        struct gbx_site *site; /* set while key and stored file must go if registration fails */
        char key[GBX_KEYS_NAME_SIZE]; /* "incoming-…" until the version is recorded */
};

static void remove_file(char **path) {
        if (*path)
                (void)unlink(*path);
        free(*path);
}

/* Takes back what an attempt that failed has put into the site. */
static void undo(struct intake *intake) {
        char path[STORED_PATH_SIZE];
        int keys;

        if (!intake->site)
                return;
        keys = gbx_open_directory(intake->site->directory, "keys", NULL);
        if (keys >= 0) {
                (void)gbx_keys_destroy(keys, intake->key, NULL);
                (void)close(keys);
        }
        if (intake->stored[0]) {
                (void)snprintf(path, sizeof path, "data/%.64s", intake->stored + strlen("sha256:"));
                (void)unlinkat(intake->site->directory, path, 0);
        }
}

static int digest_file(int fd, char ret_text[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err) {
        uint8_t digest[GBX_SHA256_SIZE];
        int r = gbx_sha256_fd(fd, digest, NULL, err);

        if (r >= 0)
                gbx_sha256_text(digest, ret_text);
        return r;
}

static int take_schema(struct gbx_site *site, const struct gbx_registration *reg, struct intake *intake, struct gbx_error *err) {
        gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {}, text = {};
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        int r = gbx_read_file(AT_FDCWD, reg->schema_file, GBX_YAML_MAX_BYTES, &source, err);

        if (r < 0)
                return r;
        r = gbx_schema_parse(&schema, reg->schema_file, source.data, source.size, &problems, err);
        if (r < 0) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer list = {};

                if (gbx_problems_text(&problems, &list, NULL) >= 0)
                        fputs(gbx_buffer_text(&list), stderr);
                return r;
        }
        if (strcmp(schema->dataset, reg->name) != 0)
                return gbx_fail(err, -EINVAL, "%s describes the dataset '%s', not '%s'", reg->schema_file, schema->dataset,
                                reg->name);
        r = gbx_schema_json(schema, &json, err);
        if (r >= 0)
                r = gbx_json_canonical(json, &text, err);
        if (r >= 0)
                r = gbx_object_put(site->directory, text.data, text.size, intake->schema, err);
        return r < 0 ? r : gbx_object_put(site->directory, source.data, source.size, intake->schema_source, err);
}

/* A name that no other attempt has, however many there are at once; what a crash leaves of it is swept at recovery. */
static int incoming_name(char ret[static GBX_KEYS_NAME_SIZE], struct gbx_error *err) {
        uint8_t random[8];
        char text[2 * sizeof random + 1];
        int r = gbx_random(random, sizeof random, err);

        if (r < 0)
                return r;
        gbx_hex_encode(random, sizeof random, text);
        (void)snprintf(ret, GBX_KEYS_NAME_SIZE, "incoming-%s", text);
        return 0;
}

/* Makes the version's key and rewraps the owner's file under it. The plaintext never exists here as a whole. */
static int take_data(struct gbx_site *site, const struct gbx_registration *reg, struct intake *intake, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *site_identity = NULL, *own = NULL;
        gbx_auto(gbx_close_fd) int in = open(reg->data_file, O_RDONLY | O_CLOEXEC), out = -1, keys = -1;
        gbx_auto(remove_file) char *temporary = NULL;
        char path[STORED_PATH_SIZE];
        int r;

        if (in < 0)
                return gbx_fail_errno(err, "cannot open '%s'", reg->data_file);
        r = gbx_site_identity(site, &site_identity, err);
        if (r < 0)
                return r;
        r = incoming_name(intake->key, err);
        if (r < 0)
                return r;
        keys = gbx_open_directory(site->directory, "keys", err);
        if (keys < 0)
                return keys;
        r = gbx_keys_create_identity(keys, intake->key, &own, err);
        if (r < 0)
                return r;
        intake->site = site;
        if (asprintf(&temporary, "%s/data/%s", site->path, intake->key) < 0) {
                temporary = NULL;
                return gbx_fail_memory(err);
        }
        out = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0)
                return gbx_fail_errno(err, "cannot create '%s'", temporary);
        r = gbx_age_rewrap(in, out,
                           (struct gbx_age_identities){ (const struct gbx_age_identity *const *)&site_identity, 1 },
                           (struct gbx_age_recipients){ gbx_age_identity_recipient(own), 1 }, &intake->facts, NULL, err);
        if (r < 0)
                return gbx_context(err, r, "'%s' (owners encrypt with: age -r \"$(gbx keys recipient)\")", reg->data_file);
        if (fsync(out) < 0)
                return gbx_fail_errno(err, "cannot flush '%s'", temporary);
        r = digest_file(out, intake->stored, err);
        if (r < 0)
                return r;
        (void)snprintf(path, sizeof path, "data/%.64s", intake->stored + strlen("sha256:"));
        if (renameat(AT_FDCWD, temporary, site->directory, path) < 0)
                return gbx_fail_errno(err, "cannot put '%s' in place", path);
        return gbx_sync_parent(site->directory, path, err);
}

static int make_manifest(struct gbx_site *site, const struct gbx_registration *reg, struct intake *intake,
                         struct gbx_error *err) {
        struct gbx_manifest manifest = { .version = intake->version, .format = GBX_MANIFEST_CSV };
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, signature = {};
        int r;

        (void)snprintf(manifest.id, sizeof manifest.id, "%s", reg->name);
        (void)snprintf(manifest.owner, sizeof manifest.owner, "%s", reg->owner);
        (void)snprintf(manifest.site, sizeof manifest.site, "%s", site->origin);
        memcpy(manifest.schema, intake->schema_source, sizeof manifest.schema);
        gbx_manifest_describe(&manifest, &intake->facts);
        r = gbx_manifest_text(&manifest, &text, err);
        if (r >= 0)
                r = gbx_object_put(site->directory, text.data, text.size, intake->manifest, err);
        if (r < 0)
                return r;
        memcpy(intake->ciphertext, manifest.ciphertext, sizeof intake->ciphertext);
        if (!reg->sign)
                return 0;
        r = reg->sign(reg->userdata, text.data, text.size, &signature, err);
        return r < 0 ? r : gbx_object_put(site->directory, signature.data, signature.size, intake->signature, err);
}

/* The owner must be a user with that role, and the name nobody else's: a name belongs to who registered it first. */
static int check_owner(struct gbx_site *site, const struct gbx_registration *reg, json_t **ret_user, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        char owner[GBX_OWNER_SIZE];
        unsigned roles;
        int r = gbx_fact_one(site, &user, err, "user", "name=?1 AND state='active'", reg->owner, NULL);

        if (r > 0)
                return gbx_fail(err, -EINVAL, "the owner '%s' is not a user of this site", reg->owner);
        if (r >= 0)
                r = gbx_user_roles(site, reg->owner, &roles, err);
        if (r >= 0 && !(roles & GBX_ROLE_OWNER))
                r = gbx_fail(err, -EINVAL, "'%s' does not have the role owner", reg->owner);
        if (r >= 0)
                r = gbx_dataset_owner(site, reg->name, owner, err);
        if (r == 0 && strcmp(owner, reg->owner) != 0)
                r = gbx_fail(err, -EKEYREJECTED, "the name '%s' belongs to another owner; choose another name, or let the owner transfer it "
                                                 "(gbx data transfer)", reg->name);
        if (r < 0)
                return r;
        *ret_user = gbx_take_ptr(user);
        return 0;
}

/* Where there is a signature, it must be the owner's, whoever brings it. */
static int check_signature(struct gbx_site *site, const json_t *owner, const struct intake *intake, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer manifest = {}, signature = {};
        struct gbx_ssh_key key;
        int r;

        if (!intake->signature[0])
                return 0;
        r = gbx_ssh_key_parse(gbx_json_text(owner, "ssh_key"), &key, err);
        if (r >= 0)
                r = gbx_object_get(site->directory, intake->manifest, &manifest, err);
        if (r >= 0)
                r = gbx_object_get(site->directory, intake->signature, &signature, err);
        if (r >= 0)
                r = gbx_sshsig_verify(&key, GBX_SSHSIG_NAMESPACE, manifest.data, manifest.size, gbx_buffer_text(&signature),
                                      signature.size, err);
        return r < 0 ? gbx_context(err, r, "the manifest is not signed by the owner '%s'", gbx_json_text(owner, "name")) : 0;
}

/* Only the owner, or an administrator in the owner's name, brings data in. */
static int check_caller(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_registration *reg, struct gbx_error *err) {
        unsigned roles;
        int r = gbx_caller_roles(site, caller, &roles, err);

        if (r >= 0 && !(roles & GBX_ROLE_ADMIN) && strcmp(gbx_caller_name(caller), reg->owner) != 0)
                r = gbx_fail(err, -EKEYREJECTED, "'%s' cannot register data of '%s'", gbx_caller_name(caller), reg->owner);
        return r;
}

/* How the name stands: its last version, and the entry that said its state last. What is destroyed or revoked while an
 * attempt is on its way ends the attempt: a receipt of destruction is never followed by what was brought in before it. */
static int find_standing(struct gbx_site *site, const char *name, struct standing *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(site, &row, err, "dataset", "name=?1", name, NULL);

        if (r >= 0)
                *ret = (struct standing){ (uint64_t)gbx_json_number(row, "version"), r > 0 ? -1 : gbx_json_number(row, "state_seq") };
        return r < 0 ? r : 0;
}

/* The key gets the name of its version just before the entry that makes the version. */
static int name_key(struct gbx_site *site, const char *name, struct intake *intake, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", err);
        char version[24], key[GBX_KEYS_NAME_SIZE];

        if (keys < 0)
                return keys;
        (void)snprintf(version, sizeof version, "%llu", (unsigned long long)intake->version);
        gbx_keys_dataset_name(name, version, key);
        if (renameat(keys, intake->key, keys, key) < 0)
                return gbx_fail_errno(err, "cannot name the key of '%s'", name);
        memcpy(intake->key, key, sizeof key);
        return fsync(keys) < 0 ? gbx_fail_errno(err, "cannot flush the folder of keys") : 0;
}

static int record_version(struct gbx_transaction *transaction, const struct gbx_registration *reg, struct intake *intake,
                          struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details =
                json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:I}", "version", (json_int_t)intake->version, "owner", reg->owner,
                          "ciphertext", intake->ciphertext, "stored", intake->stored, "schema", intake->schema, "schema_source",
                          intake->schema_source, "manifest", intake->manifest, "signature",
                          intake->signature[0] ? intake->signature : NULL, "bytes", (json_int_t)intake->facts.plaintext_size);

        intake->site = NULL; /* from here on the log may name them */
        return gbx_transaction_record(transaction, &(struct gbx_action){ "data.add", reg->name, "done", NULL, details }, NULL, err);
}

/* The short part, locked: what was true at the start must still be. */
static int commit(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_registration *reg, struct intake *intake,
                  struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *owner = NULL;
        struct standing now;
        int r = gbx_transaction_begin(&transaction, site, caller, "data add", err);

        if (r >= 0)
                r = check_caller(site, caller, reg, err);
        if (r >= 0)
                r = check_owner(site, reg, &owner, err);
        if (r >= 0)
                r = check_signature(site, owner, intake, err);
        if (r >= 0)
                r = find_standing(site, reg->name, &now, err);
        if (r >= 0 && (now.version != intake->before.version || now.state_seq != intake->before.state_seq))
                r = gbx_fail(err, -EAGAIN, "'%s' was changed meanwhile (another version, revoked or destroyed); add it again", reg->name);
        if (r >= 0)
                r = name_key(site, reg->name, intake, err);
        if (r >= 0)
                r = record_version(transaction, reg, intake, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}

int gbx_register_dataset(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_registration *reg, json_t **ret_row,
                         struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *owner = NULL;
        gbx_auto(undo) struct intake intake = {};
        int r;

        if (!gbx_name_valid(reg->name))
                return gbx_fail(err, -EINVAL, "'%s' cannot be a dataset's name: use a-z, 0-9, '.', '_', '-', at most 64", reg->name);
        r = gbx_authorise_read(site, caller, "data add", err);
        if (r >= 0)
                r = check_caller(site, caller, reg, err);
        if (r >= 0)
                r = check_owner(site, reg, &owner, err);
        if (r >= 0)
                r = find_standing(site, reg->name, &intake.before, err);
        intake.version = intake.before.version + 1;
        if (r >= 0)
                r = take_schema(site, reg, &intake, err);
        if (r >= 0)
                r = take_data(site, reg, &intake, err);
        if (r >= 0)
                r = make_manifest(site, reg, &intake, err);
        if (r >= 0)
                r = commit(site, caller, reg, &intake, err);
        if (r < 0)
                return r;
        r = gbx_fact_one(site, ret_row, err, "dataset", "name=?1 AND state='active'", reg->name, NULL);
        return r > 0 ? gbx_fail(err, -EIO, "the view lost the dataset '%s'", reg->name) : r;
}
