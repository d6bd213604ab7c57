#include "gateway/store/objects.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = sizeof "objects/xx/" + 64 };

static void object_path(const char *digest, char path[static PATH_SIZE]) {
        const char *digits = digest + strlen("sha256:");

        (void)snprintf(path, PATH_SIZE, "objects/%.2s/%.62s", digits, digits + 2);
}

/* Whether the file is there with these bytes, and flushed. */
static bool is_kept(int site, const char *path, const void *data, size_t size) {
        gbx_auto(gbx_close_fd) int fd = openat(site, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};
        struct stat status;

        return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == (off_t)size &&
               gbx_read_fd(fd, size, &content, NULL) == 0 && content.size == size &&
               (size == 0 || memcmp(content.data, data, size) == 0) && fsync(fd) == 0;
}

int gbx_object_put(int site, const void *data, size_t size, char ret_digest[static GBX_SHA256_TEXT_SIZE],
                   struct gbx_error *err) {
        char text[GBX_SHA256_TEXT_SIZE], path[PATH_SIZE], folder[16];
        int r;

        if (size > GBX_OBJECT_LIMIT)
                return gbx_fail(err, -EFBIG, "an object of %zu bytes is over the limit of %d", size, GBX_OBJECT_LIMIT);
        gbx_sha256_text_of(data, size, text);
        object_path(text, path);
        (void)snprintf(folder, sizeof folder, "%.10s", path);
        if (is_kept(site, path, data, size)) {
                r = gbx_sync_parent(site, path, err);
        } else {
                r = gbx_make_directories(site, folder, 0700, err);
                if (r == 0)
                        r = gbx_write_file_durably(site, path, data, size, 0600, err);
        }
        if (r == 0) /* the folder itself may be as new as the object */
                r = gbx_sync_parent(site, folder, err);
        if (r < 0)
                return gbx_context(err, r, "object %s", text);
        memcpy(ret_digest, text, sizeof text);
        return 0;
}

int gbx_object_get(int site, const char *digest, struct gbx_buffer *buffer, struct gbx_error *err) {
        uint8_t expected[GBX_SHA256_SIZE], found[GBX_SHA256_SIZE];
        char path[PATH_SIZE];
        size_t before = buffer->size;
        int r = gbx_sha256_parse(digest, expected, err);

        if (r < 0)
                return r;
        object_path(digest, path);
        r = gbx_read_file(site, path, GBX_OBJECT_LIMIT, buffer, err);
        if (r < 0)
                return gbx_context(err, r, "object %s", digest);
        gbx_sha256(buffer->data ? buffer->data + before : NULL, buffer->size - before, found);
        if (memcmp(expected, found, sizeof found) != 0)
                return gbx_fail(err, -EBADMSG, "object %s was altered: its bytes have another digest", digest);
        return 0;
}

bool gbx_digest_has_prefix(const char *digest, const char *prefix) {
        if (strncmp(prefix, "sha256:", 7) == 0)
                prefix += 7;
        return strlen(prefix) >= 6 && strncmp(digest + 7, prefix, strlen(prefix)) == 0;
}
