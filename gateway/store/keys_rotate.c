#include "gateway/store/keys_rotate.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/keys.h"
#include "gateway/store/keys_rotate_internal.h"
#include "gateway/store/objects.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"
#include "runtime/vault/keys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const rotated[] = { GBX_KEYS_SITE, GBX_KEYS_PROVENANCE };

static void file_name(const char *key, const char *end, char ret[static GBX_KEYS_NAME_SIZE]) {
        (void)snprintf(ret, GBX_KEYS_NAME_SIZE, "%.40s%s", key, end);
}

static bool is_site_key(const char *key) { return strcmp(key, GBX_KEYS_SITE) == 0; }

/* The public half of the key in the file `name`, as the log has it. */
static int public_half(int keys, const char *key, const char *name, char ret[static 80], struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_secret_free) struct gbx_secret seed = {};
        uint8_t public_key[GBX_ED25519_PUBLIC_SIZE];
        int r;

        if (is_site_key(key)) {
                r = gbx_keys_load_identity(keys, name, &identity, err);
                if (r == 0)
                        gbx_age_recipient_format(gbx_age_identity_recipient(identity), ret);
                return r;
        }
        r = gbx_keys_load_raw(keys, name, &seed, err);
        if (r == 0)
                r = gbx_ed25519_public(seed.data, public_key, err);
        if (r == 0)
                gbx_hex_encode(public_key, sizeof public_key, ret);
        return r;
}

/* --- what the log says ------------------------------------------------------------- */

struct search {
        struct gbx_site *site;
        const char *key, *after;              /* a rotation to this public half; or: */
        char *current;                        /* a digest that is followed through the maps */
        json_t *keys;                         /* or the list of provenance keys */
        char files[GBX_SHA256_TEXT_SIZE];     /* of the rotation found */
        bool found;
};

static int load_map(struct gbx_site *site, const char *digest, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_object_get(site->directory, digest, &text, err);

        if (r < 0)
                return r;
        *ret = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
        return *ret ? 0 : gbx_fail(err, -EBADMSG, "the map of rewrapped files %s cannot be read", digest);
}

static int follow(struct search *search, const json_t *details, struct gbx_error *err) {
        const char *files = json_string_value(json_object_get(details, "files")), *next;
        gbx_auto(gbx_json_freep) json_t *map = NULL;
        int r = files ? load_map(search->site, files, &map, err) : 0;

        next = json_string_value(json_object_get(map, search->current));
        if (r == 0 && next)
                (void)snprintf(search->current, GBX_SHA256_TEXT_SIZE, "%s", next);
        return r;
}

static int list_key(struct search *search, const char *key, uint64_t index, struct gbx_error *err) {
        return key && json_array_append_new(search->keys, json_pack("{s:s, s:I}", "key", key, "entry", (json_int_t)index)) < 0
                       ? gbx_fail_memory(err)
                       : 0;
}

static int look(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *entry = json_loadb(data, size, 0, NULL);
        const json_t *details = json_object_get(entry, "details");
        const char *action = json_string_value(json_object_get(entry, "action")), *key, *after;
        struct search *search = context;

        if (action && search->keys && strcmp(action, "site.init") == 0)
                return list_key(search, json_string_value(json_object_get(details, "provenance")), index, err);
        if (!action || strcmp(action, "keys.rotate") != 0)
                return 0;
        key = json_string_value(json_object_get(details, "key"));
        after = json_string_value(json_object_get(details, "after"));
        if (search->keys)
                return key && strcmp(key, GBX_KEYS_PROVENANCE) == 0 ? list_key(search, after, index, err) : 0;
        if (search->current)
                return follow(search, details, err);
        if (!key || strcmp(key, search->key) != 0 || !after || strcmp(after, search->after) != 0)
                return 0;
        search->found = true;
        if (json_object_get(details, "files"))
                (void)snprintf(search->files, sizeof search->files, "%s", json_string_value(json_object_get(details, "files")));
        return 0;
}

int gbx_site_sealed_same(struct gbx_site *site, const char *logged, const char *found, struct gbx_error *err) {
        char current[GBX_SHA256_TEXT_SIZE];
        struct search search = { .site = site, .current = current };
        int r = 0;

        (void)snprintf(current, sizeof current, "%s", logged);
        if (strcmp(current, found) != 0) /* the usual case reads nothing */
                r = gbx_log_each(site->log, 0, look, &search, err);
        if (r == 0 && strcmp(current, found) != 0)
                return gbx_fail(err, -EBADMSG, "the file is not the one that the log names: it was replaced");
        return r;
}

int gbx_site_provenance_keys(struct gbx_site *site, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *keys = json_array();
        struct search search = { .site = site, .keys = keys };
        int r = keys ? gbx_log_each(site->log, 0, look, &search, err) : gbx_fail_memory(err);

        if (r == 0)
                *ret = json_incref(keys);
        return r;
}

/* --- in place ------------------------------------------------------------------------ */

/* The new key takes the old one's place; the old one is overwritten. Every step may have been done before. */
static int swap_key(int keys, const char *key, struct gbx_error *err) {
        char next[GBX_KEYS_NAME_SIZE], old[GBX_KEYS_NAME_SIZE];
        int r = 0;

        file_name(key, GBX_ROTATE_NEXT, next);
        file_name(key, GBX_ROTATE_OLD, old);
        if (faccessat(keys, next, F_OK, 0) == 0) {
                if (linkat(keys, key, keys, old, 0) < 0 && errno != EEXIST)
                        return gbx_fail_errno(err, "cannot put '%s' aside", key);
                if (renameat(keys, next, keys, key) < 0)
                        return gbx_fail_errno(err, "cannot put the new '%s' in place", key);
                r = gbx_sync_parent(keys, key, err);
        }
        if (r == 0 && faccessat(keys, old, F_OK, 0) == 0)
                r = gbx_keys_destroy(keys, old, err);
        return r;
}

/* `files` "": no file was encrypted anew. */
static int finish(struct gbx_site *site, int keys, const char *key, const char *files, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *map = NULL;
        int r = files[0] ? load_map(site, files, &map, err) : 0;

        if (r == 0 && map)
                r = gbx_rotate_place_files(site->directory, map, err);
        return r < 0 ? r : swap_key(keys, key, err);
}

static int undo(struct gbx_site *site, int keys, const char *key, struct gbx_error *err) {
        char next[GBX_KEYS_NAME_SIZE];
        int r = is_site_key(key) ? gbx_rotate_drop_files(site->directory, err) : 0;

        file_name(key, GBX_ROTATE_NEXT, next);
        if (r == 0 && faccessat(keys, next, F_OK, 0) == 0)
                r = gbx_keys_destroy(keys, next, err);
        return r;
}

static int recover_key(struct gbx_site *site, int keys, const char *key, struct gbx_error *err) {
        char next[GBX_KEYS_NAME_SIZE], after[80];
        struct search search = { .site = site, .key = key, .after = after };
        int r;

        file_name(key, GBX_ROTATE_NEXT, next);
        if (faccessat(keys, next, F_OK, 0) < 0) {
                r = is_site_key(key) ? gbx_rotate_drop_files(site->directory, err) : 0;
                return r < 0 ? r : swap_key(keys, key, err); /* an old one that was not overwritten yet */
        }
        r = public_half(keys, key, next, after, err);
        if (r == 0)
                r = gbx_log_each(site->log, 0, look, &search, err);
        if (r < 0)
                return gbx_context(err, r, "an interrupted rotation of '%s'", key);
        return search.found ? finish(site, keys, key, search.files, err) : undo(site, keys, key, err);
}

static bool is_left(int keys) {
        for (size_t i = 0; i < gbx_array_size(rotated); i++) {
                char next[GBX_KEYS_NAME_SIZE], old[GBX_KEYS_NAME_SIZE];

                file_name(rotated[i], GBX_ROTATE_NEXT, next);
                file_name(rotated[i], GBX_ROTATE_OLD, old);
                if (faccessat(keys, next, F_OK, 0) == 0 || faccessat(keys, old, F_OK, 0) == 0)
                        return true;
        }
        return false;
}

static int recover_all(struct gbx_site *site, int keys, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < gbx_array_size(rotated); i++)
                r = recover_key(site, keys, rotated[i], err);
        return r;
}

int gbx_site_keys_recover(struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", err);
        int r;

        if (keys < 0 || !is_left(keys))
                return keys < 0 ? keys : 0;
        r = gbx_transaction_begin_system(&transaction, site, err);
        return r < 0 ? r : recover_all(site, keys, err);
}

/* --- rotating ------------------------------------------------------------------------- */

/* Writers of files under the site's key must not be at work: they have the old one in their hands. */
static int check_quiet(struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(site->view, &row, err,
                                   "SELECT id FROM run WHERE state IN ('allowed','running','hold','release','approved')"
                                   " OR (state='ended' AND outcome='done')", NULL);

        if (r == 0)
                return gbx_fail(err, -EBUSY, "%s is under way; rotate the site's key when no run is (gbx service recover ends dead ones)",
                                json_string_value(json_object_get(row, "id")));
        return r < 0 ? r : 0;
}

static int make_next(int keys, const char *key, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_secret_free) struct gbx_secret seed = {};
        char next[GBX_KEYS_NAME_SIZE];

        file_name(key, GBX_ROTATE_NEXT, next);
        return is_site_key(key) ? gbx_keys_create_identity(keys, next, &identity, err) : gbx_keys_create_raw(keys, next, &seed, err);
}

static int rewrap(struct gbx_site *site, int keys, struct gbx_keys_rotation *rotation, char files[static GBX_SHA256_TEXT_SIZE],
                  struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *old = NULL, *new = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        gbx_auto(gbx_json_freep) json_t *map = json_object();
        gbx_auto(gbx_free_pointer) char *map_text = NULL;
        char next[GBX_KEYS_NAME_SIZE];
        int r = map ? gbx_keys_load_identity(keys, GBX_KEYS_SITE, &old, err) : gbx_fail_memory(err);

        if (r == 0 && gbx_age_identity_format(old, &text, NULL) < 0)
                r = gbx_fail(err, -EOPNOTSUPP, "the site's identity is in a token; it is rotated there");
        file_name(GBX_KEYS_SITE, GBX_ROTATE_NEXT, next);
        if (r == 0)
                r = gbx_keys_load_identity(keys, next, &new, err);
        if (r == 0)
                r = gbx_rotate_rewrap_files(site->directory, old, gbx_age_identity_recipient(new), map, err);
        if (r < 0)
                return r;
        rotation->files = json_object_size(map);
        map_text = json_dumps(map, JSON_COMPACT | JSON_SORT_KEYS);
        return map_text ? gbx_object_put(site->directory, map_text, strlen(map_text), files, err) : gbx_fail_memory(err);
}

static int rotate(struct gbx_transaction *transaction, int keys, const char *key, struct gbx_keys_rotation *rotation,
                  struct gbx_error *err) {
        struct gbx_site *site = gbx_transaction_site(transaction);
        char files[GBX_SHA256_TEXT_SIZE] = "", next[GBX_KEYS_NAME_SIZE];
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        int r = public_half(keys, key, key, rotation->before, err);

        file_name(key, GBX_ROTATE_NEXT, next);
        if (r == 0)
                r = make_next(keys, key, err);
        if (r == 0)
                r = public_half(keys, key, next, rotation->after, err);
        if (r == 0 && is_site_key(key))
                r = rewrap(site, keys, rotation, files, err);
        if (r == 0) {
                details = json_pack("{s:s, s:s, s:s, s:I, s:s*}", "key", key, "before", rotation->before, "after", rotation->after, "count",
                                    (json_int_t)rotation->files, "files", files[0] ? files : NULL);
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "keys.rotate", site->origin, "done", NULL, details }, NULL,
                                           err);
        }
        return r;
}

int gbx_site_keys_rotate(struct gbx_site *site, const struct gbx_caller *caller, const char *key, struct gbx_keys_rotation *ret,
                         struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_close_fd) int keys = -1;
        struct gbx_keys_rotation rotation = {};
        struct gbx_error ignored = {};
        int r;

        if (strcmp(key, GBX_KEYS_SITE) != 0 && strcmp(key, GBX_KEYS_PROVENANCE) != 0)
                return gbx_fail(err, -EOPNOTSUPP, "'%.40s' is not a key that is rotated; '%s' and '%s' are (docs/keys.md says why)", key,
                                GBX_KEYS_SITE, GBX_KEYS_PROVENANCE);
        r = gbx_transaction_begin(&transaction, site, caller, "keys rotate", err);
        if (r < 0)
                return r;
        keys = gbx_open_directory(site->directory, "keys", err);
        r = keys < 0 ? keys : recover_all(site, keys, err);
        if (r >= 0 && is_site_key(key))
                r = check_quiet(site, err);
        if (r < 0)
                return r;
        r = rotate(transaction, keys, key, &rotation, err);
        if (r < 0) { /* the log says whether it has happened all the same */
                (void)recover_key(site, keys, key, &ignored);
                return gbx_context(err, r, "rotating '%s'", key);
        }
        r = recover_key(site, keys, key, err);
        if (r < 0)
                return gbx_context(err, r, "the rotation of '%s' is in the log and not finished", key);
        *ret = rotation;
        return gbx_transaction_commit(&transaction, err);
}
