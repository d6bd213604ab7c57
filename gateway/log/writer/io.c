#include "gateway/log/writer/io.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int real_open(int directory, const char *path, int flags, mode_t mode) {
        return openat(directory, path, flags, mode);
}
static int real_rename(int directory, const char *from, const char *to) {
        return renameat(directory, from, directory, to);
}

struct gbx_log_io gbx_log_io = {
        .open = real_open,
        .pwrite = pwrite,
        .fdatasync = fdatasync,
        .fsync = fsync,
        .ftruncate = ftruncate,
        .rename = real_rename,
        .mkdir = mkdirat,
        .unlink = unlinkat,
};

int gbx_log_write(int fd, const void *data, size_t size, off_t offset, struct gbx_error *err) {
        const uint8_t *bytes = data;

        while (size > 0) {
                ssize_t n = gbx_log_io.pwrite(fd, bytes, size, offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gbx_fail_errno(err, "cannot write");
                bytes += n;
                size -= (size_t)n;
                offset += n;
        }
        return 0;
}

int gbx_log_flush_parent(int directory, const char *path, struct gbx_error *err) {
        const char *slash = strrchr(path, '/');
        gbx_auto(gbx_free_pointer) char *parent = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
        gbx_auto(gbx_close_fd) int fd = -1;

        if (!parent)
                return gbx_fail_memory(err);
        fd = openat(directory, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || gbx_log_io.fsync(fd) < 0)
                return gbx_fail_errno(err, "cannot flush directory '%s'", parent);
        return 0;
}

/* Makes missing parents of `path`; each one that is new is flushed into its own parent. */
static int make_parents(int directory, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *copy = strdup(path);

        if (!copy)
                return gbx_fail_memory(err);
        for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
                int r = 0;

                *slash = '\0';
                if (gbx_log_io.mkdir(directory, copy, 0755) == 0)
                        r = fchmodat(directory, copy, 0755, 0) < 0 ? gbx_fail_errno(err, "cannot set the mode of '%s'", copy)
                                                                   : gbx_log_flush_parent(directory, copy, err);
                else if (errno != EEXIST)
                        r = gbx_fail_errno(err, "cannot create directory '%s'", copy);
                *slash = '/';
                if (r < 0)
                        return r;
        }
        return 0;
}

static int write_scratch(int directory, const char *scratch, const void *data, size_t size, mode_t mode,
                         struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd =
                gbx_log_io.open(directory, scratch, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
        int r;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot create '%s'", scratch);
        r = gbx_log_write(fd, data, size, 0, err);
        if (r < 0)
                return r;
        if (fchmod(fd, mode) < 0 || gbx_log_io.fsync(fd) < 0)
                return gbx_fail_errno(err, "cannot flush '%s'", scratch);
        return 0;
}

/* 1: the file is there with these bytes; 0: it is not there; -EBADMSG: it has other bytes. */
static int already_there(int directory, const char *path, const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};
        int r = gbx_read_file(directory, path, size + 1, &content, err);

        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0 && r != -EFBIG)
                return r;
        if (r == -EFBIG || content.size != size || memcmp(content.data, data, size) != 0)
                return gbx_fail(err, -EBADMSG, "'%s' is there with other bytes than the log's entries give", path);
        return 1;
}

int gbx_log_place_file(int directory, const char *scratch, const char *path, const void *data, size_t size, mode_t mode,
                       enum gbx_log_put how, struct gbx_error *err) {
        int r = 0;

        if (how == GBX_LOG_KEEP)
                r = already_there(directory, path, data, size, err);
        if (r != 0)
                return r < 0 ? r : 0;
        r = make_parents(directory, path, err);
        if (r < 0)
                return r;
        r = write_scratch(directory, scratch, data, size, mode, err);
        if (r < 0)
                return gbx_context(err, r, "'%s'", path);
        if (gbx_log_io.rename(directory, scratch, path) < 0)
                return gbx_fail_errno(err, "cannot put '%s' in place", path);
        return 0;
}

int gbx_log_put_file(int directory, const char *scratch, const char *path, const void *data, size_t size, mode_t mode,
                     enum gbx_log_put how, struct gbx_error *err) {
        int r = gbx_log_place_file(directory, scratch, path, data, size, mode, how, err);

        return r < 0 ? r : gbx_log_flush_parent(directory, path, err);
}
