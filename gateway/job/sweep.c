#include "gateway/job/sweep.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/data/intake.h"
#include "gateway/handover/held.h"
#include "gateway/store/fact.h"
#include "gateway/store/living.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"
#include "runtime/vault/keys.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { PATH_SIZE = 512, DEPTH = 3, DIGITS = 16, DIGEST_DIGITS = 64 };

struct sweep {
        struct gbx_site *site;
        struct timespec since;
        uint64_t *count;
        bool young; /* something was left that may be a living process's */
        json_t *versions; /* an object: names of files in data and keys that belong to versions */
};

/* Calls `visit` with each name in a folder of the site; a missing folder is empty. */
static int each_name(struct sweep *sweep, const char *folder, int (*visit)(struct sweep *sweep, int directory, const char *name, struct gbx_error *err),
                     struct gbx_error *err) {
        int fd = openat(sweep->site->directory, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
        gbx_auto(gbx_close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (fd < 0)
                return errno == ENOENT ? 0 : gbx_fail_errno(err, "cannot open '%s'", folder);
        if (!directory) {
                (void)close(fd);
                return gbx_fail_memory(err);
        }
        while (r >= 0 && (entry = readdir(directory)))
                if (entry->d_name[0] != '.')
                        r = visit(sweep, fd, entry->d_name, err);
        return r;
}

static int remove_name(struct sweep *sweep, int directory, const char *name, struct gbx_error *err) {
        if (unlinkat(directory, name, 0) < 0)
                return errno == ENOENT ? 0 : gbx_fail_errno(err, "cannot remove '%s'", name);
        ++*sweep->count;
        return 0;
}

static bool is_hex(const char *text, size_t length) { return strspn(text, "0123456789abcdef") == length; }

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* --- temporary files -------------------------------------------------------------------- */

/* NAME.<16 digits>.tmp */
static bool is_temporary(const char *name) {
        size_t length = strlen(name), end = strlen(".tmp");

        return length > DIGITS + 1 + end && strcmp(name + length - end, ".tmp") == 0 && name[length - end - DIGITS - 1] == '.' &&
               strspn(name + length - end - DIGITS, "0123456789abcdef") == DIGITS;
}

static int remove_temporary(struct sweep *sweep, int directory, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
                return 0; /* gone, or in the hands of who writes it */
        return remove_name(sweep, directory, name, err);
}

static int walk_temporary(struct sweep *sweep, int parent, const char *folder, unsigned depth, struct gbx_error *err) {
        int fd = openat(parent, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
        gbx_auto(gbx_close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (!directory && fd >= 0)
                (void)close(fd);
        while (directory && r >= 0 && (entry = readdir(directory))) {
                if (entry->d_name[0] == '.')
                        continue;
                if (is_temporary(entry->d_name))
                        r = remove_temporary(sweep, fd, entry->d_name, err);
                else if (depth > 1 && entry->d_type == DT_DIR && !(depth == DEPTH && strcmp(entry->d_name, "log") == 0))
                        r = walk_temporary(sweep, fd, entry->d_name, depth - 1, err); /* the log keeps its own in order */
        }
        return r;
}

/* --- datasets ---------------------------------------------------------------------------- */

static int load_versions(struct sweep *sweep, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL, *names = json_object();
        size_t i;
        json_t *row;
        int r = gbx_fact_rows(sweep->site, &rows, err, "dataset", "1", NULL);

        json_array_foreach(rows, i, row) {
                char version[24], key[GBX_KEYS_NAME_SIZE];
                const char *stored = gbx_json_text(row, "stored");

                (void)snprintf(version, sizeof version, "%lld", (long long)gbx_json_number(row, "version"));
                gbx_keys_dataset_name(gbx_json_text(row, "name"), version, key);
                if (json_object_set_new(names, key, json_true()) < 0 ||
                    json_object_set_new(names, stored + strlen("sha256:"), json_true()) < 0)
                        return gbx_fail_memory(err);
        }
        if (r >= 0)
                sweep->versions = gbx_take_ptr(names);
        return r;
}

/* Whether the file is older than every process that lives. */
static bool is_old(struct sweep *sweep, int directory, const char *name) {
        struct stat status;
        bool old;

        if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        old = status.st_ctim.tv_sec != sweep->since.tv_sec ? status.st_ctim.tv_sec < sweep->since.tv_sec
                                                           : status.st_ctim.tv_nsec < sweep->since.tv_nsec;
        sweep->young |= !old;
        return old;
}

/* A prepared intake, data and record, waits for whoever prepared it (data/intake.h). */
static bool is_prepared(const struct sweep *sweep, const char *name) {
        int length = (int)strcspn(name, ".");
        char data[PATH_SIZE], record[PATH_SIZE];

        (void)snprintf(data, sizeof data, "data/%.*s", length, name);
        (void)snprintf(record, sizeof record, "data/%.*s.json", length, name);
        return faccessat(sweep->site->directory, data, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
               faccessat(sweep->site->directory, record, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int look_at_data(struct sweep *sweep, int directory, const char *name, struct gbx_error *err) {
        bool incoming = begins(name, "incoming-"), stored = strlen(name) == DIGEST_DIGITS && is_hex(name, DIGEST_DIGITS);

        if ((!incoming && !stored) || (incoming && is_prepared(sweep, name)) || json_object_get(sweep->versions, name) ||
            !is_old(sweep, directory, name))
                return 0;
        return remove_name(sweep, directory, name, err);
}

static int look_at_key(struct sweep *sweep, int directory, const char *name, struct gbx_error *err) {
        bool incoming = begins(name, "incoming-"), of_version = begins(name, "dataset-");
        int r;

        if ((!incoming && !of_version) || (incoming && is_prepared(sweep, name)) || json_object_get(sweep->versions, name) ||
            !is_old(sweep, directory, name))
                return 0;
        r = gbx_keys_destroy(directory, name, err);
        *sweep->count += r >= 0;
        return r == -ENOENT ? 0 : r;
}

/* --- runs -------------------------------------------------------------------------------- */

/* The run's row, if nobody is at work on it. 0; 1: there is no such run; TAKEN: somebody is. */
enum { TAKEN = 2 };
static int find_run(struct sweep *sweep, const char *run, struct gbx_living **ret_living, json_t **ret_row, struct gbx_error *err) {
        int r = gbx_living_claim(ret_living, sweep->site->directory, run, err);

        if (r != 0)
                return r < 0 ? r : TAKEN;
        return gbx_fact_one(sweep->site, ret_row, err, "run", "id=?1", run, NULL);
}

static int drop_release(struct sweep *sweep, int directory, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        gbx_auto(gbx_close_directory) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;
        int r = 0;

        if (!folder)
                return gbx_fail_errno(err, "cannot open 'releases/%s'", name);
        while (r >= 0 && (entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        r = remove_name(sweep, fd, entry->d_name, err);
        fd = -1; /* the listing's */
        if (r >= 0 && unlinkat(directory, name, AT_REMOVEDIR) < 0)
                r = gbx_fail_errno(err, "cannot remove 'releases/%s'", name);
        return r;
}

/* The view is believed where it says that something is to be kept; that something is to go, the log must say. */
static int look_at_release(struct sweep *sweep, int directory, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_living_endp) struct gbx_living *living = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL, *seen = NULL, *release = NULL;
        char run[PATH_SIZE];
        int r;

        if (!begins(name, "release-") || gbx_view_query_one(sweep->site->view, &seen, err, "SELECT id FROM release WHERE id=?1", name, NULL) <= 0)
                return 0;
        (void)snprintf(run, sizeof run, "run-%s", name + strlen("release-"));
        r = find_run(sweep, run, &living, &row, err);
        if (r < 0 || r == TAKEN)
                return r < 0 ? r : 0;
        r = gbx_fact_one(sweep->site, &release, err, "release", "id=?1", name, NULL);
        return r > 0 ? drop_release(sweep, directory, name, err) : r;
}

static int look_at_held(struct sweep *sweep, int directory, const char *name, struct gbx_error *err) {
        static const char waiting[] = "SELECT id FROM run WHERE id=?1 AND state IN ('hold', 'held', 'approved')";
        gbx_auto(gbx_living_endp) struct gbx_living *living = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL, *seen = NULL;
        bool is_next = strstr(name, ".next.age");
        const char *state;
        char run[PATH_SIZE];
        int r;

        (void)snprintf(run, sizeof run, "%.*s", (int)strcspn(name, "."), name);
        if (!begins(name, "run-") || (!is_next && gbx_view_query_one(sweep->site->view, &seen, err, waiting, run, NULL) <= 0))
                return 0;
        r = find_run(sweep, run, &living, &row, err);
        if (r < 0 || r == TAKEN)
                return r < 0 ? r : 0;
        state = r > 0 ? "" : gbx_json_text(row, "state");
        if (strcmp(state, "held") == 0 || strcmp(state, "approved") == 0)
                return gbx_held_settle(sweep->site, row, err);
        return strcmp(state, "hold") == 0 ? 0 : remove_name(sweep, directory, name, err);
}

static int look_at_socket(struct sweep *sweep, int directory, const char *name, struct gbx_error *err) {
        return !begins(name, "run-") || gbx_living_is(sweep->site->directory, name) ? 0 : remove_name(sweep, directory, name, err);
}

/* --- all of it --------------------------------------------------------------------------- */

static int sweep_folders(struct sweep *sweep, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r = gbx_transaction_begin_system(&transaction, sweep->site, err); /* brings the view up to the log; nothing begins meanwhile */

        if (r >= 0)
                r = load_versions(sweep, err);
        gbx_intake_sweep(sweep->site);
        if (r >= 0)
                r = each_name(sweep, "data", look_at_data, err);
        if (r >= 0)
                r = each_name(sweep, "keys", look_at_key, err);
        if (r >= 0)
                r = each_name(sweep, "releases", look_at_release, err);
        if (r >= 0)
                r = each_name(sweep, "held", look_at_held, err);
        if (r >= 0)
                r = each_name(sweep, "flows", look_at_socket, err);
        return r < 0 ? r : 0;
}

/* Of runs they went when these were put in order, unless that failed: then they stay. One that stays is enough. */
static void remove_marks(const struct sweep *sweep, const json_t *dead) {
        bool keep = sweep->young;
        size_t i;
        const json_t *name;

        json_array_foreach(dead, i, name) {
                gbx_auto(gbx_living_endp) struct gbx_living *living = NULL;

                if (begins(json_string_value(name), "run-"))
                        continue;
                if (keep)
                        keep = false;
                else if (!gbx_living_is(sweep->site->directory, json_string_value(name)))
                        (void)gbx_living_claim(&living, sweep->site->directory, json_string_value(name), NULL);
        }
}

int gbx_sweep(struct gbx_site *site, const json_t *dead, const struct timespec *since, uint64_t *count, struct gbx_error *err) {
        struct sweep sweep = { .site = site, .since = *since, .count = count };
        int r = walk_temporary(&sweep, site->directory, ".", DEPTH, err);

        if (r >= 0)
                r = sweep_folders(&sweep, err);
        if (r >= 0)
                remove_marks(&sweep, dead);
        json_decref(sweep.versions);
        return r < 0 ? r : 0;
}
