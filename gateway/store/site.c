#include "gateway/store/site.h"

#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/keys.h"
#include "gateway/store/keys_rotate.h"
#include "gateway/store/living.h"
#include "gateway/store/site_lock.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_LIMIT = 64 * 1024 };

static const char *const folders[] = { "keys", "log", "objects", "data", "releases", "held", "runs" };

/* --- opening ------------------------------------------------------------------- */

static int open_parts(struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer config = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
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
        if (asprintf(&site->view_path, "%s/view.db", site->path) < 0) {
                site->view_path = NULL;
                return gbx_fail_memory(err);
        }
        return gbx_site_keys_open_log(site, &site->log, site->seal_key, err);
}

/* A reader waits for no writer: it brings the view up to the log only if nobody else is about to, or if there is none. */
static int open_view(struct gbx_site *site, struct gbx_error *err) {
        uint64_t applied;
        int r = gbx_view_open_read(&site->view, site->view_path, site->seal_key, err);

        if (r == GBX_VIEW_MISSING) {
                r = gbx_site_lock(site, err);
                if (r >= 0)
                        gbx_site_unlock(site);
                return r;
        }
        if (r >= 0)
                r = gbx_view_applied(site->view, &applied, err);
        if (r >= 0 && applied < gbx_log_size(site->log) && gbx_site_try_lock(site))
                gbx_site_unlock(site);
        return r;
}

static int open_site(struct gbx_site **ret, const char *path, bool with_view, struct gbx_error *err) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = calloc(1, sizeof *site);
        int r;

        if (!site)
                return gbx_fail_memory(err);
        site->lock = -1;
        site->directory = -1;
        (void)pthread_mutex_init(&site->mutex, NULL);
        site->path = strdup(path);
        if (!site->path)
                return gbx_fail_memory(err);
        site->directory = gbx_open_directory(AT_FDCWD, path, err);
        if (site->directory < 0)
                return gbx_context(err, site->directory, "no site (name it with --site DIR or GBX_SITE, make one with gbx init)");
        r = open_parts(site, err);
        if (r >= 0)
                (void)gbx_living_process(&site->living, site->directory, NULL);
        if (r >= 0 && with_view)
                r = open_view(site, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(site);
        return 0;
}

int gbx_site_open(struct gbx_site **ret, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        int r = open_site(&site, path, true, err);

        if (r >= 0)
                r = gbx_site_keys_recover(site, err);
        if (r >= 0)
                *ret = gbx_take_ptr(site);
        return r;
}

int gbx_site_open_without_view(struct gbx_site **ret, const char *path, struct gbx_error *err) {
        return open_site(ret, path, false, err);
}

struct gbx_site gbx_site_as_of(const struct gbx_site *site, sqlite3 *view) {
        return (struct gbx_site){ .directory = site->directory, .path = site->path, .origin = site->origin, .log = site->log, .view = view,
                                  .own_view = true, .lock = -1 };
}

struct gbx_site *gbx_site_close(struct gbx_site *site) {
        if (!site)
                return NULL;
        (void)sqlite3_close(site->view);
        (void)sqlite3_close(site->writer);
        site->log = gbx_log_free(site->log);
        site->living = gbx_living_end(site->living);
        gbx_close_fd(&site->lock);
        gbx_close_fd(&site->directory);
        (void)pthread_mutex_destroy(&site->mutex);
        free(site->view_path);
        free(site->origin);
        free(site->path);
        OPENSSL_cleanse(site, sizeof *site);
        free(site);
        return NULL;
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
        r = gbx_record_system(site, &(struct gbx_action){ "site.init", origin, "done", NULL, details }, err);
        return r < 0 ? r : gbx_site_checkpoint(site, err);
}
