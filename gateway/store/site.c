#include "gateway/store/site.h"

#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/keys.h"
#include "gateway/store/view.h"
#include "gateway/store/witnesses.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_LIMIT = 64 * 1024 };

static const char *const folders[] = { "keys", "log", "objects", "data", "releases", "held" };

/* --- opening ------------------------------------------------------------------- */

static int view_path(const struct gbx_site *site, char **ret_path, struct gbx_error *err) {
        if (asprintf(ret_path, "%s/view.db", site->path) < 0) {
                *ret_path = NULL;
                return gbx_fail_memory(err);
        }
        return 0;
}

/* Applies what the log has and the view lacks: the healing of a crash between append and apply. */
static int catch_up(struct gbx_site *site, struct gbx_error *err) {
        uint64_t applied, size = gbx_log_size(site->log);
        int r = gbx_view_applied(site->view, &applied, err);

        if (r < 0)
                return r;
        if (applied > size)
                return gbx_fail(err, -EBADMSG, "the view holds %llu entries, the log only %llu: the log was rolled back or cut",
                                (unsigned long long)applied, (unsigned long long)size);
        for (; applied < size; applied++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer entry = {};

                r = gbx_log_read(site->log, applied, &entry, err);
                if (r < 0)
                        return r;
                r = gbx_view_apply(site->view, applied, gbx_buffer_text(&entry), entry.size, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_parts(struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer config = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        gbx_auto(gbx_free_pointer) char *view = NULL;
        const char *origin;
        int r = gbx_read_file(site->directory, "site.json", CONFIG_LIMIT, &config, err);

        if (r < 0)
                return gbx_context(err, r, "'%s' is not a site (gbx init makes one)", site->path);
        json = json_loadb(gbx_buffer_text(&config), config.size, JSON_REJECT_DUPLICATES, NULL);
        origin = json_string_value(json_object_get(json, "origin"));
        if (!origin || json_integer_value(json_object_get(json, "version")) != 1)
                return gbx_fail(err, -EBADMSG, "'%s/site.json' is not of a version this gbx knows", site->path);
        site->origin = strdup(origin);
        if (!site->origin)
                return gbx_fail_memory(err);
        site->lock = openat(site->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (site->lock < 0)
                return gbx_fail_errno(err, "cannot open '%s/lock'", site->path);
        r = gbx_site_keys_open_log(site, &site->log, err);
        if (r < 0)
                return r;
        r = view_path(site, &view, err);
        if (r < 0)
                return r;
        return gbx_view_open(&site->view, view, err);
}

int gbx_site_open(struct gbx_site **ret, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = calloc(1, sizeof *site);
        int r;

        if (!site)
                return gbx_fail_memory(err);
        site->lock = -1;
        site->directory = -1;
        site->path = strdup(path);
        if (!site->path)
                return gbx_fail_memory(err);
        site->directory = gbx_open_directory(AT_FDCWD, path, err);
        if (site->directory < 0)
                return gbx_context(err, site->directory, "no site (name it with --site DIR or GBX_SITE, make one with gbx init)");
        r = open_parts(site, err);
        if (r < 0)
                return r;
        r = gbx_site_lock(site, err);
        if (r < 0)
                return r;
        gbx_site_unlock(site);
        *ret = gbx_take_ptr(site);
        return 0;
}

struct gbx_site *gbx_site_close(struct gbx_site *site) {
        if (!site)
                return NULL;
        (void)sqlite3_close(site->view);
        site->log = gbx_log_free(site->log);
        gbx_close_fd(&site->lock);
        gbx_close_fd(&site->directory);
        free(site->origin);
        free(site->path);
        free(site);
        return NULL;
}

int gbx_site_lock(struct gbx_site *site, struct gbx_error *err) {
        int r;

        if (site->lock_depth++ > 0)
                return 0;
        while (flock(site->lock, LOCK_EX) < 0)
                if (errno != EINTR) {
                        site->lock_depth--;
                        return gbx_fail_errno(err, "cannot lock the site '%s'", site->path);
                }
        r = gbx_log_refresh(site->log, err);
        if (r >= 0)
                r = catch_up(site, err);
        if (r < 0)
                gbx_site_unlock(site);
        return r;
}

void gbx_site_unlock(struct gbx_site *site) {
        if (--site->lock_depth == 0)
                (void)flock(site->lock, LOCK_UN);
}

static int rebuild_locked(struct gbx_site *site, bool *ret_equal, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *path = NULL;
        uint8_t before[GBX_SHA256_SIZE], after[GBX_SHA256_SIZE];
        int r = gbx_view_digest(site->view, before, err);

        if (r >= 0)
                r = view_path(site, &path, err);
        if (r < 0)
                return r;
        (void)sqlite3_close(site->view);
        site->view = NULL;
        for (size_t i = 0; i < 3; i++) {
                static const char *const names[] = { "view.db", "view.db-wal", "view.db-shm" };

                if (unlinkat(site->directory, names[i], 0) < 0 && errno != ENOENT)
                        return gbx_fail_errno(err, "cannot remove the old view '%s'", names[i]);
        }
        r = gbx_view_open(&site->view, path, err);
        if (r >= 0)
                r = catch_up(site, err);
        if (r >= 0)
                r = gbx_view_digest(site->view, after, err);
        if (r >= 0)
                *ret_equal = memcmp(before, after, sizeof after) == 0;
        return r;
}

int gbx_site_rebuild(struct gbx_site *site, uint64_t *ret_entries, bool *ret_equal, struct gbx_error *err) {
        int r = gbx_site_lock(site, err);

        if (r < 0)
                return r;
        r = rebuild_locked(site, ret_equal, err);
        if (r >= 0)
                r = gbx_view_applied(site->view, ret_entries, err);
        gbx_site_unlock(site);
        return r;
}

/* --- recording ------------------------------------------------------------------ */

/* Appends an entry that is complete and applies it to the view. */
static int append(struct gbx_site *site, const json_t *json, const char *action, uint64_t *ret_index, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer entry = {};
        uint64_t index;
        int r = gbx_entry_format(json, &entry, err);

        if (r < 0)
                return gbx_context(err, r, "log entry '%s'", action);
        r = gbx_log_append(site->log, entry.data, entry.size, &index, err);
        if (r < 0)
                return gbx_context(err, r, "nothing was done: the action log cannot take '%s'", action);
        r = gbx_view_apply(site->view, index, gbx_buffer_text(&entry), entry.size, err);
        if (r >= 0 && ret_index)
                *ret_index = index;
        return r;
}

int gbx_site_record(struct gbx_site *site, const struct gbx_action *action, uint64_t *ret_index, struct gbx_error *err) {
        gbx_auto(gbx_site_unlockp) struct gbx_site *locked = NULL;
        gbx_auto(gbx_json_freep) json_t *json = NULL, *step = NULL;
        size_t place;
        const json_t *reason;
        int r = gbx_site_lock(site, err);

        if (r < 0)
                return r;
        locked = site;
        r = gbx_entry_new(&json, action->action, action->actor, action->object, action->outcome, gbx_time_now(),
                          json_incref(action->details), err);
        json_array_foreach(action->reasons, place, reason)
                if (r >= 0)
                        r = gbx_entry_add_reason(json, json_string_value(reason), err);
        if (r >= 0)
                r = gbx_log_time(site->log, gbx_time_now(), json, &step, err);
        if (r > 0)
                r = append(site, step, "clock.step", NULL, err);
        return r < 0 ? gbx_context(err, r, "log entry '%s'", action->action) : append(site, json, action->action, ret_index, err);
}

int gbx_site_checkpoint(struct gbx_site *site, struct gbx_error *err) {
        int r = gbx_log_checkpoint(site->log, NULL, err);

        return r < 0 ? r : gbx_site_ask_witnesses(site, err);
}

/* --- creating ------------------------------------------------------------------- */

static int make_origin(char **ret_origin, struct gbx_error *err) {
        char host[64] = "localhost", suffix[9];
        uint8_t random[4];
        int r = gbx_random(random, sizeof random, err);

        if (r < 0)
                return r;
        (void)gethostname(host, sizeof host - 1);
        gbx_hex_encode(random, sizeof random, suffix);
        if (asprintf(ret_origin, "%s/glovebox/%s", host, suffix) < 0) {
                *ret_origin = NULL;
                return gbx_fail_memory(err);
        }
        return 0;
}

static int make_layout(int directory, const char *origin, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *config = json_pack("{s:i, s:s}", "version", 1, "origin", origin);
        gbx_auto(gbx_free_pointer) char *text = config ? json_dumps(config, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
        int r;

        if (!text)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < gbx_array_size(folders); i++) {
                r = gbx_make_directories(directory, folders[i], 0700, err);
                if (r < 0)
                        return r;
        }
        return gbx_write_file_durably(directory, "site.json", text, strlen(text), 0644, err);
}

int gbx_site_create(const char *path, const char *origin, const char *token, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = -1;
        gbx_auto(gbx_free_pointer) char *made = NULL;
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        int r = gbx_make_directories(AT_FDCWD, path, 0700, err);

        if (r < 0)
                return r;
        directory = gbx_open_directory(AT_FDCWD, path, err);
        if (directory < 0)
                return directory;
        if (faccessat(directory, "site.json", F_OK, 0) == 0 || faccessat(directory, "keys", F_OK, 0) == 0)
                return gbx_fail(err, -EEXIST, "there is a site in '%s' already", path);
        if (!origin) {
                r = make_origin(&made, err);
                if (r < 0)
                        return r;
                origin = made;
        }
        r = gbx_site_keys_create(directory, origin, token, &details, err);
        if (r < 0)
                return r;
        r = make_layout(directory, origin, err);
        if (r < 0)
                return r;
        r = gbx_site_open(&site, path, err);
        if (r < 0)
                return r;
        r = gbx_site_record(site, &(struct gbx_action){ "system", "site.init", origin, "done", NULL, details }, NULL, err);
        return r < 0 ? r : gbx_site_checkpoint(site, err);
}
