#include "gateway/data/fate.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/data/owner.h"
#include "gateway/store/fact.h"
#include "gateway/store/transaction.h"
#include "runtime/vault/keys.h"

#include <stdio.h>
#include <string.h>

enum { STORED_PATH_SIZE = sizeof "data/" + 64 };

static void version_names(const json_t *row, char key[static GBX_KEYS_NAME_SIZE], char path[static STORED_PATH_SIZE]) {
        char version[24];

        (void)snprintf(version, sizeof version, "%lld", (long long)json_integer_value(json_object_get(row, "version")));
        gbx_keys_dataset_name(json_string_value(json_object_get(row, "name")), version, key);
        (void)snprintf(path, STORED_PATH_SIZE, "data/%.64s", json_string_value(json_object_get(row, "stored")) + strlen("sha256:"));
}

/* One version: its key first, for that is what makes every copy unreadable. A missing file was destroyed before. */
static int destroy_version(struct gbx_site *site, int keys, const json_t *row, struct gbx_error *err) {
        char key[GBX_KEYS_NAME_SIZE], path[STORED_PATH_SIZE];
        int r;

        version_names(row, key, path);
        r = gbx_keys_destroy(keys, key, err);
        if (r < 0 && r != -ENOENT)
                return r;
        if (unlinkat(site->directory, path, 0) < 0 && errno != ENOENT)
                return gbx_fail_errno(err, "cannot remove '%s'", path);
        return 0;
}

static bool is_there(struct gbx_site *site, int keys, const json_t *row) {
        char key[GBX_KEYS_NAME_SIZE], path[STORED_PATH_SIZE];

        version_names(row, key, path);
        return faccessat(keys, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || faccessat(site->directory, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int gbx_finish_destructions(struct gbx_site *site, uint64_t *ret_count, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", err);
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        uint64_t count = 0;
        size_t index;
        json_t *row;
        int r = keys < 0 ? keys : gbx_fact_rows(site, &rows, err, "dataset", "state='destroyed'", NULL);

        json_array_foreach(rows, index, row) {
                if (r < 0 || !is_there(site, keys, row))
                        continue;
                r = destroy_version(site, keys, row, err);
                count++;
        }
        if (r >= 0)
                *ret_count = count;
        return r < 0 ? r : 0;
}

/* All versions of a name that the caller may decide about. Asked inside the transaction. */
static int check_right(struct gbx_site *site, const struct gbx_caller *caller, const char *name, json_t **ret_rows, struct gbx_error *err) {
        int r = gbx_check_owner(site, caller, name, err);

        return r < 0 ? r : gbx_fact_rows(site, ret_rows, err, "dataset", "name=?1", name, NULL);
}

int gbx_revoke_dataset(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = NULL, *active = NULL;
        int r = gbx_transaction_begin(&transaction, site, caller, "data revoke", err);

        if (r >= 0)
                r = check_right(site, caller, name, &rows, err);
        if (r >= 0)
                r = gbx_fact_one(site, &active, err, "dataset", "name=?1 AND state='active'", name, NULL);
        if (r > 0)
                r = gbx_fail(err, -ENOENT, "there is no active dataset '%s'", name);
        if (r >= 0)
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "data.revoke", name, "done", NULL, NULL }, NULL, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}

int gbx_destroy_dataset(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        gbx_auto(gbx_close_fd) int keys = -1;
        size_t index;
        json_t *row;
        int r = gbx_transaction_begin(&transaction, site, caller, "data destroy", err);

        if (r >= 0)
                r = check_right(site, caller, name, &rows, err);
        if (r >= 0)
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "data.destroy", name, "done", NULL, NULL }, NULL, err);
        if (r < 0)
                return r;
        keys = gbx_open_directory(site->directory, "keys", err);
        if (keys < 0)
                return keys;
        json_array_foreach(rows, index, row) {
                r = destroy_version(site, keys, row, err);
                if (r < 0)
                        return gbx_context(err, r, "destruction is recorded but not finished; run it again");
        }
        return gbx_transaction_commit(&transaction, err);
}
