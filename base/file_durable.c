#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/encode.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int gbx_sync_parent(int directory, const char *path, struct gbx_error *err) {
        const char *slash = strrchr(path, '/');
        gbx_auto(gbx_free_pointer) char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
        gbx_auto(gbx_close_fd) int fd = -1;

        if (!parent)
                return gbx_fail_memory(err);
        fd = openat(directory, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return gbx_fail_errno(err, "cannot flush directory '%s'", parent);
        return 0;
}

/* Writes and flushes the temporary file; the caller renames or removes it. */
static int write_temporary(int directory, const char *path, const void *data, size_t size, mode_t mode,
                           struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        int r;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot create '%s'", path);
        r = gbx_write_all(fd, data, size, err);
        if (r < 0)
                return gbx_context(err, r, "'%s'", path);
        if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
                return gbx_fail_errno(err, "cannot flush '%s'", path);
        return 0;
}

int gbx_write_file_durably(int directory, const char *path, const void *data, size_t size, mode_t mode,
                           struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *temporary = NULL;
        uint8_t random[8];
        char suffix[2 * sizeof random + 1];
        int r;

        r = gbx_random(random, sizeof random, err);
        if (r < 0)
                return r;
        gbx_hex_encode(random, sizeof random, suffix);
        if (asprintf(&temporary, "%s.%s.tmp", path, suffix) < 0) {
                temporary = NULL;
                return gbx_fail_memory(err);
        }
        r = write_temporary(directory, temporary, data, size, mode, err);
        if (r < 0) {
                (void)unlinkat(directory, temporary, 0);
                return r;
        }
        if (renameat(directory, temporary, directory, path) < 0) {
                r = gbx_fail_errno(err, "cannot put '%s' in place", path);
                (void)unlinkat(directory, temporary, 0);
                return r;
        }
        return gbx_sync_parent(directory, path, err);
}
