#include "base/file.h"

#include "base/cleanup.h"

#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024 };

int gbx_open_beneath(int directory, const char *path, int flags, mode_t mode, struct gbx_error *err) {
        struct open_how how = {
                .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                .mode = mode,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        long fd = syscall(SYS_openat2, directory, path, &how, sizeof how);

        if (fd < 0)
                return gbx_fail_errno(err, "cannot open '%s' (symlinks and '..' are not followed)", path);
        return (int)fd;
}

int gbx_open_directory(int directory, const char *path, struct gbx_error *err) {
        int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return gbx_fail_errno(err, "cannot open directory '%s'", path);
        return fd;
}

int gbx_make_directories(int directory, const char *path, mode_t mode, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *copy = strdup(path);

        if (!copy)
                return gbx_fail_memory(err);
        for (char *slash = copy + 1; *copy; slash++) {
                char saved = *slash;
                bool made;

                if (saved != '/' && saved != '\0')
                        continue;
                *slash = '\0';
                made = mkdirat(directory, copy, mode) == 0;
                if ((!made && errno != EEXIST) || (made && fchmodat(directory, copy, mode, 0) < 0))
                        return gbx_fail_errno(err, "cannot create directory '%s'", copy);
                *slash = saved;
                if (saved == '\0')
                        break;
        }
        return 0;
}

int gbx_read_fd(int fd, size_t limit, struct gbx_buffer *buffer, struct gbx_error *err) {
        size_t total = 0;

        for (;;) {
                size_t step = READ_STEP;
                ssize_t n;
                int r;

                if (step > limit - total)
                        step = limit - total + 1; /* one more tells "too long" from "just fits" */
                r = gbx_buffer_reserve(buffer, step, err);
                if (r < 0)
                        return r;
                n = read(fd, buffer->data + buffer->size, step);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gbx_fail_errno(err, "cannot read");
                if (n == 0)
                        break;
                total += (size_t)n;
                buffer->size += (size_t)n;
                buffer->data[buffer->size] = 0;
                if (total > limit)
                        return gbx_fail(err, -EFBIG, "longer than the %zu bytes allowed", limit);
        }
        return 0;
}

int gbx_read_file(int directory, const char *path, size_t limit, struct gbx_buffer *buffer, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat status;
        int r;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot open '%s'", path);
        if (fstat(fd, &status) < 0)
                return gbx_fail_errno(err, "cannot inspect '%s'", path);
        if (!S_ISREG(status.st_mode))
                return gbx_fail(err, -EINVAL, "'%s' is not a regular file", path);
        r = gbx_read_fd(fd, limit, buffer, err);
        if (r < 0)
                return gbx_context(err, r, "'%s'", path);
        return 0;
}

int gbx_write_all(int fd, const void *data, size_t size, struct gbx_error *err) {
        const uint8_t *bytes = data;

        while (size > 0) {
                ssize_t n = write(fd, bytes, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gbx_fail_errno(err, "cannot write");
                bytes += n;
                size -= (size_t)n;
        }
        return 0;
}
