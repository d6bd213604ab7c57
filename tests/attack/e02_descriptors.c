/*
 * E02. A job inherits standard input, output, error and what the spec passes, and
 * nothing else; its working directory is inside its root. The caller of the
 * sandbox leaks descriptors on purpose (attack-run --leak: "/" of the host, many
 * numbers, not close-on-exec).
 * Layers: close_range(2) before the filter, fatal if it fails; Landlock, which
 * refuses opening below a leaked directory (e02 with pass=N, a hole on purpose).
 * Reference: CVE-2016-9962, CVE-2024-21626 ("Leaky Vessels").
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HIGHEST = 1100 };

static int try_find_open(const struct attempt *self) {
        (void)self;
        for (int fd = 3; fd < HIGHEST; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        return ATTEMPT_BREACH;
        return EBADF;
}

/* Each way to a file of the host from each number: is there a directory to climb from? */
static int try_climb(const struct attempt *self) {
        int last = EBADF;

        for (int fd = 3; fd < HIGHEST; fd++) {
                int file = openat(fd, self->text, O_RDONLY | O_CLOEXEC);

                if (file >= 0)
                        return ATTEMPT_BREACH;
                last = errno == EBADF ? last : errno;
        }
        return last;
}

static int try_climb_proc(const struct attempt *self) {
        int last = ENOENT;

        for (int fd = 3; fd < HIGHEST; fd++) {
                char path[128];
                int file;

                (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", fd, self->text);
                file = open(path, O_RDONLY | O_CLOEXEC);
                if (file >= 0)
                        return ATTEMPT_BREACH;
                last = errno == ENOENT ? last : errno;
        }
        return last;
}

static int try_change_directory(const struct attempt *self) {
        int last = EBADF;

        (void)self;
        for (int fd = 3; fd < HIGHEST; fd++) {
                if (fchdir(fd) == 0)
                        return ATTEMPT_BREACH;
                last = errno == EBADF ? last : errno;
        }
        return last;
}

/* The raw call: glibc's would hide "(unreachable)". */
static int try_outside_working_directory(const struct attempt *self) {
        char path[512] = "";

        (void)self;
        if (attempts_outside() && chdir("/tmp") == 0 && chroot("/proc/self/fdinfo") < 0)
                return errno;
        if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
                return errno;
        return path[0] == '/' ? ENOTDIR : ATTEMPT_BREACH;
}

/* Three descriptors are ours; what do they lead to? */
static int try_standard_directory(const struct attempt *self) {
        struct stat info;

        (void)self;
        for (int fd = 0; fd <= 2; fd++)
                if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
                        return ATTEMPT_BREACH;
        return ENOTDIR;
}

static const struct attempt attempts[] = {
        { "any-descriptor-open", try_find_open, .flags = 0 },
        { "openat-etc-passwd", try_climb, ATTEMPT_TWO_LAYERS, .text = "etc/passwd" },
        { "openat-climb", try_climb, ATTEMPT_TWO_LAYERS, .text = "../../../../etc/passwd" },
        { "openat-dot", try_climb, .flags = 0, .text = "." },
        { "proc-self-fd-climb", try_climb_proc, ATTEMPT_TWO_LAYERS, .text = "etc/passwd" },
        { "fchdir", try_change_directory, .flags = 0 },
        { "working-directory-unreachable", try_outside_working_directory, .flags = 0 },
        { "standard-descriptor-is-directory", try_standard_directory, .flags = ATTEMPT_NO_CONTROL },
};

ATTEMPTS_MAIN(attempts)
