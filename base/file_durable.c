#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/encode.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
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

/* Locked for as long as it is in hand: one whose lock can be had was left by who died, and is swept (gateway/job/sweep.h).
 * Returns the descriptor; `*ret_path` is the caller's. */
static int create_temporary(int directory, const char *path, mode_t mode, char **ret_path, struct gbx_error *err) {
        for (;;) {
                gbx_auto(gbx_free_pointer) char *temporary = NULL;
                gbx_auto(gbx_close_fd) int fd = -1;
                char suffix[2 * 8 + 1];
                uint8_t random[8];
                struct stat status;
                int r = gbx_random(random, sizeof random, err);

                if (r < 0)
                        return r;
                gbx_hex_encode(random, sizeof random, suffix);
                if (asprintf(&temporary, "%s.%s.tmp", path, suffix) < 0) {
                        temporary = NULL;
                        return gbx_fail_memory(err);
                }
                fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
                if (fd < 0)
                        return gbx_fail_errno(err, "cannot create '%s'", temporary);
                (void)flock(fd, LOCK_EX); /* where there are no locks, nothing is swept either */
                if (fstat(fd, &status) == 0 && status.st_nlink == 0)
                        continue; /* swept before it was locked */
                *ret_path = gbx_take_ptr(temporary);
                return gbx_take_fd(&fd);
        }
}

/* Writes and flushes the temporary file; the caller renames or removes it. */
static int write_temporary(int fd, const char *path, const void *data, size_t size, mode_t mode, struct gbx_error *err) {
        int r = gbx_write_all(fd, data, size, err);

        if (r < 0)
                return gbx_context(err, r, "'%s'", path);
        if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
                return gbx_fail_errno(err, "cannot flush '%s'", path);
        return 0;
}

int gbx_write_file_durably(int directory, const char *path, const void *data, size_t size, mode_t mode,
                           struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *temporary = NULL;
        gbx_auto(gbx_close_fd) int fd = create_temporary(directory, path, mode, &temporary, err);
        int r;

        if (fd < 0)
                return fd;
        r = write_temporary(fd, temporary, data, size, mode, err);
        if (r >= 0 && renameat(directory, temporary, directory, path) < 0)
                r = gbx_fail_errno(err, "cannot put '%s' in place", path);
        if (r < 0) {
                (void)unlinkat(directory, temporary, 0);
                return r;
        }
        return gbx_sync_parent(directory, path, err);
}
