#include "gateway/store/rebuild.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/authorise.h"
#include "gateway/store/seal.h"
#include "gateway/store/site_lock.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_SIZE = 160 };

static const char *const leftovers[] = { "view.db.new", "view.db.new-wal", "view.db.new-shm" };
static const char *const companions[] = { "view.db-wal", "view.db-shm" };

void gbx_rebuild_free(struct gbx_rebuild *rebuild) {
        json_decref(rebuild->differences);
        *rebuild = (struct gbx_rebuild){};
}

/* --- comparing --------------------------------------------------------------- */

/* "approval 17": the table and what the row is called there. */
static json_t *row_name(const char *table, const json_t *row) {
        static const char *const names[] = { "id", "digest", "name", "version", "kind", "day", "seq" };
        char key[KEY_SIZE] = "";

        for (size_t i = 0; i < gbx_array_size(names); i++) {
                const json_t *value = json_object_get(row, names[i]);
                size_t used = strlen(key);

                if (json_is_string(value))
                        (void)snprintf(key + used, sizeof key - used, " %.70s", json_string_value(value));
                else if (json_is_integer(value) && (strcmp(names[i], "seq") != 0 || used == 0))
                        (void)snprintf(key + used, sizeof key - used, " %lld", (long long)json_integer_value(value));
                if (i < 2 && key[0])
                        break;
        }
        return json_sprintf("%s%s", table, key);
}

static int note(json_t *differences, json_t *name, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *owned = name;
        size_t i;
        json_t *known;

        if (!name)
                return gbx_fail_memory(err);
        json_array_foreach(differences, i, known)
                if (json_equal(known, name))
                        return 0;
        if (json_array_size(differences) >= GBX_REBUILD_DIFFERENCES)
                return 0;
        return json_array_append(differences, name) < 0 ? gbx_fail_memory(err) : 0;
}

static int read_table(sqlite3 *view, const char *table, json_t **ret, struct gbx_error *err) {
        char sql[64];

        (void)snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
        return gbx_view_query(view, ret, err, sql, NULL);
}

/* The rows as a set: their texts as keys. */
static int as_set(const json_t *rows, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *set = json_object();
        size_t i;
        json_t *row;

        json_array_foreach(rows, i, row) {
                gbx_auto(gbx_free_pointer) char *text = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);

                if (!text || json_object_set(set, text, row) < 0)
                        return gbx_fail_memory(err);
        }
        *ret = gbx_take_ptr(set);
        return 0;
}

static int note_missing(const char *table, const json_t *from, json_t *in, json_t *differences, struct gbx_error *err) {
        const char *text;
        json_t *row;

        json_object_foreach((json_t *)(uintptr_t)from, text, row) {
                int r = json_object_get(in, text) ? 0 : note(differences, row_name(table, row), err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_view_differences(sqlite3 *ours, sqlite3 *other, json_t *differences, struct gbx_error *err) {
        for (const char *const *table = gbx_view_tables; *table; table++) {
                gbx_auto(gbx_json_freep) json_t *one = NULL, *two = NULL, *first = NULL, *second = NULL;
                struct gbx_error ignored = {};
                int r = read_table(ours, *table, &one, err);

                if (r < 0)
                        return r;
                if (read_table(other, *table, &two, &ignored) < 0) {
                        r = note(differences, json_sprintf("%s: the table could not be read", *table), err);
                        if (r < 0)
                                return r;
                        continue;
                }
                r = as_set(one, &first, err);
                if (r >= 0)
                        r = as_set(two, &second, err);
                if (r >= 0)
                        r = note_missing(*table, first, second, differences, err);
                if (r >= 0)
                        r = note_missing(*table, second, first, differences, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_view_check_seal(const struct gbx_site *site, sqlite3 *file, struct gbx_error *err) {
        return gbx_seal_check(file, site->seal_key, NULL, err);
}

/* The old view may be anything: whatever fails here is a difference and no error. */
static int compare_old(struct gbx_site *site, sqlite3 *made, json_t *differences, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *old = NULL;
        struct gbx_error ignored = {};
        uint64_t had, has;
        int r = gbx_view_open_read(&old, site->view_path, site->seal_key, &ignored);

        if (r != 0)
                return note(differences, json_string("the file could not be read"), err);
        if (gbx_view_applied(old, &had, &ignored) < 0 || gbx_view_applied(made, &has, &ignored) < 0)
                return note(differences, json_string("the file could not be read"), err);
        if (gbx_seal_check(old, site->seal_key, NULL, &ignored) < 0) {
                r = note(differences, json_string("the seal was broken"), err);
                if (r < 0)
                        return r;
        } else if (had < has)
                return 0; /* merely behind, and sealed */
        return gbx_view_differences(made, old, differences, err);
}

/* --- replacing ---------------------------------------------------------------- */

static void remove_all(int directory, const char *const *names, size_t count) {
        for (size_t i = 0; i < count; i++)
                (void)unlinkat(directory, names[i], 0);
}

static int make_new(struct gbx_site *site, sqlite3 **ret, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *made = NULL;
        gbx_auto(gbx_free_pointer) char *path = NULL;
        int r;

        if (asprintf(&path, "%s.new", site->view_path) < 0) {
                path = NULL;
                return gbx_fail_memory(err);
        }
        remove_all(site->directory, leftovers, gbx_array_size(leftovers));
        r = gbx_view_open(&made, path, site->seal_key, err);
        if (r >= 0)
                r = gbx_site_catch_up(site, made, err);
        if (r >= 0)
                *ret = gbx_take_ptr(made);
        return r;
}

/* The new view, whole in its one file, takes the place of the old one and of what SQLite kept beside that. */
static int put_in_place(struct gbx_site *site, struct gbx_error *err) {
        remove_all(site->directory, companions, gbx_array_size(companions));
        if (renameat(site->directory, "view.db.new", site->directory, "view.db") < 0)
                return gbx_fail_errno(err, "cannot put the new view in place");
        remove_all(site->directory, leftovers, gbx_array_size(leftovers));
        return 0;
}

static int rebuild_locked(struct gbx_site *site, struct gbx_rebuild *rebuild, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *made = NULL;
        int r = gbx_log_refresh(site->log, err);

        if (r >= 0)
                r = make_new(site, &made, err);
        if (r >= 0)
                r = compare_old(site, made, rebuild->differences, err);
        if (r >= 0)
                r = gbx_view_applied(made, &rebuild->entries, err);
        if (r < 0)
                return r;
        (void)sqlite3_close(gbx_take_ptr(made)); /* moves what is beside the file into it */
        rebuild->equal = json_array_size(rebuild->differences) == 0;
        return put_in_place(site, err);
}

int gbx_view_in_memory(struct gbx_site *site, sqlite3 **ret, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
        int r = gbx_view_open(&view, ":memory:", NULL, err);

        if (r >= 0)
                r = gbx_site_catch_up(site, view, err);
        if (r >= 0)
                *ret = gbx_take_ptr(view);
        return r;
}

int gbx_authorise_by_log(struct gbx_site *site, const struct gbx_caller *caller, const char *action, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
        struct gbx_site now;
        int r = gbx_view_in_memory(site, &view, err);

        if (r < 0)
                return r;
        now = gbx_site_as_of(site, view);
        return gbx_authorise(&now, caller, action, err);
}

int gbx_rebuild(const char *path, const struct gbx_caller *caller, struct gbx_rebuild *ret, struct gbx_error *err) {
        gbx_auto(gbx_rebuild_free) struct gbx_rebuild rebuild = { .differences = json_array() };
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        int r = gbx_site_open_without_view(&site, path, err);

        if (r >= 0)
                r = gbx_authorise_by_log(site, caller, "audit rebuild", err);
        if (r >= 0)
                r = gbx_site_lock_bare(site, err);
        if (r < 0)
                return r;
        r = rebuild_locked(site, &rebuild, err);
        gbx_site_unlock(site);
        if (r < 0)
                return r;
        details = json_pack("{s:I, s:b, s:O}", "size", (json_int_t)rebuild.entries, "equal", rebuild.equal, "differences", rebuild.differences);
        r = gbx_record(site, caller, "audit rebuild", &(struct gbx_action){ "audit.rebuild", site->origin, "done", NULL, details }, err);
        if (r < 0)
                return r;
        *ret = rebuild;
        rebuild = (struct gbx_rebuild){};
        return 0;
}
