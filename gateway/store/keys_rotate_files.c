#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/file.h"
#include "gateway/store/backup_files.h"
#include "gateway/store/keys_rotate_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 600 };

static const char *const folders[] = { "held", "releases" };

struct work {
        const struct gbx_age_identity *old;
        const struct gbx_age_recipient *recipient;
        json_t *map;
};

static bool ends_with(const char *path, const char *end) {
        size_t size = strlen(path), length = strlen(end);

        return size > length && strcmp(path + size - length, end) == 0;
}

static int each_file(int site, gbx_tree_visit *visit, void *context, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < gbx_array_size(folders); i++)
                r = gbx_tree_walk(site, folders[i], visit, context, err);
        return r;
}

static int digest_of(int directory, const char *path, char ret[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = gbx_open_beneath(directory, path, O_RDONLY, 0, err);
        uint8_t digest[GBX_SHA256_SIZE];
        int r = fd < 0 ? fd : gbx_sha256_fd(fd, digest, NULL, err);

        if (r == 0)
                gbx_sha256_text(digest, ret);
        return r;
}

static int rewrap_one(void *context, int directory, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int source = -1, copy = -1;
        char place[PATH_SIZE], before[GBX_SHA256_TEXT_SIZE], after[GBX_SHA256_TEXT_SIZE];
        struct work *work = context;
        int r;

        if (!ends_with(path, ".age"))
                return 0;
        (void)snprintf(place, sizeof place, "%s%s", path, GBX_ROTATE_REWRAPPED);
        source = gbx_open_beneath(directory, path, O_RDONLY, 0, err);
        if (source < 0)
                return source;
        copy = openat(directory, place, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (copy < 0)
                return gbx_fail_errno(err, "cannot create '%s'", place);
        r = gbx_age_rewrap(source, copy, (struct gbx_age_identities){ &work->old, 1 }, (struct gbx_age_recipients){ work->recipient, 1 },
                           NULL, NULL, err);
        if (r == -ENOKEY) /* somebody else's */
                return unlinkat(directory, place, 0) < 0 ? gbx_fail_errno(err, "cannot remove '%s'", place) : 0;
        if (r == 0 && fsync(copy) < 0)
                r = gbx_fail_errno(err, "cannot flush");
        if (r == 0)
                r = digest_of(directory, path, before, err);
        if (r == 0)
                r = digest_of(directory, place, after, err);
        if (r == 0 && json_object_set_new(work->map, before, json_string(after)) < 0)
                r = gbx_fail_memory(err);
        return r < 0 ? gbx_context(err, r == -EINVAL ? -EBADMSG : r, "'%s'", path) : gbx_sync_parent(directory, place, err);
}

int gbx_rotate_rewrap_files(int site, const struct gbx_age_identity *old, const struct gbx_age_recipient *recipient, json_t *map,
                            struct gbx_error *err) {
        return each_file(site, rewrap_one, &(struct work){ old, recipient, map }, err);
}

static int place_one(void *context, int directory, const char *path, struct gbx_error *err) {
        char place[PATH_SIZE], before[GBX_SHA256_TEXT_SIZE], after[GBX_SHA256_TEXT_SIZE];
        const struct work *work = context;
        const char *expected;
        int r;

        if (!ends_with(path, GBX_ROTATE_REWRAPPED))
                return 0;
        (void)snprintf(place, sizeof place, "%.*s", (int)(strlen(path) - strlen(GBX_ROTATE_REWRAPPED)), path);
        r = digest_of(directory, place, before, err);
        if (r == 0)
                r = digest_of(directory, path, after, err);
        if (r < 0)
                return r;
        expected = json_string_value(json_object_get(work->map, before));
        if (!expected || strcmp(expected, after) != 0)
                return gbx_fail(err, -EBADMSG, "'%s' is not what the rotation of the key made", path);
        if (renameat(directory, path, directory, place) < 0)
                return gbx_fail_errno(err, "cannot put '%s' in place", place);
        return gbx_sync_parent(directory, place, err);
}

int gbx_rotate_place_files(int site, const json_t *map, struct gbx_error *err) {
        return each_file(site, place_one, &(struct work){ .map = (json_t *)(uintptr_t)map }, err);
}

static int drop_one(void *context, int directory, const char *path, struct gbx_error *err) {
        (void)context;
        if (ends_with(path, GBX_ROTATE_REWRAPPED) && unlinkat(directory, path, 0) < 0)
                return gbx_fail_errno(err, "cannot remove '%s'", path);
        return 0;
}

int gbx_rotate_drop_files(int site, struct gbx_error *err) { return each_file(site, drop_one, NULL, err); }
