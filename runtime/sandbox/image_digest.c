#include "runtime/sandbox/image_digest.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS "/run/glovebox-images"

enum { RECORD_SIZE = 256 };

static void describe(const struct stat *status, char ret[static RECORD_SIZE]) {
        (void)snprintf(ret, RECORD_SIZE, "%llx:%llx:%llx:%lld.%09ld:%lld.%09ld\n", (unsigned long long)status->st_dev,
                       (unsigned long long)status->st_ino, (unsigned long long)status->st_size,
                       (long long)status->st_mtim.tv_sec, status->st_mtim.tv_nsec, (long long)status->st_ctim.tv_sec,
                       status->st_ctim.tv_nsec);
}

/* The folder, if it is root's alone; -1 otherwise. */
static int open_records(bool create) {
        gbx_auto(gbx_close_fd) int fd = -1;
        struct stat status;

        if (geteuid() != 0)
                return -1;
        if (create && mkdir(RECORDS, 0700) < 0 && errno != EEXIST)
                return -1;
        fd = open(RECORDS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) < 0 || status.st_uid != 0 || (status.st_mode & 022))
                return -1;
        return gbx_take_fd(&fd);
}

/* A record stands for bytes only as long as whoever changes them changes the times too. A shared mapping of a tmpfs file
 * does not, and somebody else's file is not ours to vouch for. */
static bool can_be_recorded(int file, const struct stat *status) {
        struct statfs system;

        return (status->st_uid == 0 || status->st_uid == geteuid()) && !(status->st_mode & 022) &&
               fstatfs(file, &system) == 0 && system.f_type != TMPFS_MAGIC && system.f_type != RAMFS_MAGIC;
}

static bool is_recorded(const char *digest, const char *wanted) {
        gbx_auto(gbx_close_fd) int records = open_records(false);
        gbx_auto(gbx_close_fd) int file = -1;
        char found[RECORD_SIZE];
        ssize_t size;

        if (records < 0)
                return false;
        file = openat(records, digest, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0)
                return false;
        size = read(file, found, sizeof found);
        return size > 0 && (size_t)size == strlen(wanted) && memcmp(found, wanted, (size_t)size) == 0;
}

static void keep_record(const char *digest, const char *text) {
        gbx_auto(gbx_close_fd) int records = open_records(true);
        gbx_auto(gbx_close_fd) int file = -1;
        char temporary[128];

        if (records < 0)
                return;
        (void)snprintf(temporary, sizeof temporary, ".%.71s.%d", digest, getpid());
        file = openat(records, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file < 0)
                return;
        if (gbx_write_all(file, text, strlen(text), NULL) < 0 || renameat(records, temporary, records, digest) < 0)
                (void)unlinkat(records, temporary, 0);
}

/* The program beside our own executable. */
static int helper_path(char *ret, size_t size, struct gbx_error *err) {
        static const char name[] = "gbx-image-digest";
        ssize_t length = readlink("/proc/self/exe", ret, size - 1);
        char *slash;

        if (length < 0)
                return gbx_fail_errno(err, "cannot find our own program");
        ret[length] = '\0';
        slash = strrchr(ret, '/');
        if (!slash || (size_t)(slash + 1 - ret) + sizeof name > size)
                return gbx_fail(err, -ENAMETOOLONG, "the path of our own program is too long");
        memcpy(slash + 1, name, sizeof name);
        return 0;
}

/* Runs "gbx-image-digest DIGEST" with the file as standard input. */
static int compute(int file, const char *digest, struct gbx_error *err) {
        char path[4096], *arguments[] = { path, (char *)(uintptr_t)digest, NULL }, *environment[] = { NULL };
        posix_spawn_file_actions_t actions;
        pid_t pid;
        int r = helper_path(path, sizeof path, err), status;

        if (r < 0)
                return r;
        (void)posix_spawn_file_actions_init(&actions);
        r = posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn(&pid, path, &actions, NULL, arguments, environment);
        (void)posix_spawn_file_actions_destroy(&actions);
        if (r != 0)
                return gbx_fail(err, -r, "cannot start '%s': %s", path, strerror(r));
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return gbx_fail_errno(err, "cannot wait for '%s'", path);
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != GBX_EXIT_DONE && WEXITSTATUS(status) != GBX_EXIT_INTEGRITY))
                return gbx_fail(err, -EIO, "'%s' failed", path);
        if (WEXITSTATUS(status) == GBX_EXIT_INTEGRITY)
                return gbx_fail(err, -EBADMSG, "the file does not have the digest %s", digest);
        return 0;
}

int gbx_image_digest_check(int file, const struct stat *status, const char *digest, struct gbx_error *err) {
        char record[RECORD_SIZE];
        struct stat after;
        int r;

        if (!can_be_recorded(file, status))
                return compute(file, digest, err);
        describe(status, record);
        if (is_recorded(digest, record))
                return 0;
        r = compute(file, digest, err);
        if (r < 0)
                return r;
        if (fstat(file, &after) == 0 && after.st_ctim.tv_sec == status->st_ctim.tv_sec &&
            after.st_ctim.tv_nsec == status->st_ctim.tv_nsec)
                keep_record(digest, record);
        return 0;
}
