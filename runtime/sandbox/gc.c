#include "runtime/sandbox/gc.h"

#include "base/cleanup.h"
#include "runtime/sandbox/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

enum { PROCESSES_SIZE = 64 * 1024 };

/* Kills what still lives in a leftover: its launcher is gone, so nobody is responsible for it. */
static void kill_inside(int directory) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        gbx_auto(gbx_free_pointer) char *text = calloc(1, PROCESSES_SIZE);
        ssize_t size = fd < 0 || !text ? -1 : read(fd, text, PROCESSES_SIZE - 1);

        if (size <= 0)
                return;
        for (char *at = text, *end; *at; at = *end ? end + 1 : end) {
                long pid = strtol(at, &end, 10);

                if (end == at)
                        break;
                if (pid > 1)
                        (void)kill((pid_t)pid, SIGKILL);
        }
}

/* 1: removed. 0: in use by a living launcher. */
static int remove_leftover(int parent, const char *parent_path, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (directory < 0)
                return errno == ENOENT ? 0 : gbx_fail_errno(err, "cannot open '%s/%s'", parent_path, name);
        if (flock(directory, LOCK_EX | LOCK_NB) < 0)
                return 0;
        for (int attempt = 0; attempt < 1000; attempt++) {
                if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
                        printf("removed %s/%s\n", parent_path, name);
                        return 1;
                }
                kill_inside(directory);
                (void)usleep(1000);
        }
        return gbx_fail_errno(err, "cannot remove '%s/%s'", parent_path, name);
}

static int collect(const char *parent_path, struct gbx_error *err) {
        gbx_auto(gbx_close_directory) DIR *parent = opendir(parent_path);
        struct dirent *entry;

        if (!parent)
                return errno == ENOENT ? 0 : gbx_fail_errno(err, "cannot open '%s'", parent_path);
        while ((entry = readdir(parent))) {
                int r = strncmp(entry->d_name, "gbx-", 4) == 0
                                ? remove_leftover(dirfd(parent), parent_path, entry->d_name, err)
                                : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_gc(const char *delegated) {
        struct gbx_cgroup cgroup;
        struct gbx_error err = {};
        int r = gbx_cgroup_plan(&cgroup, "gc", delegated, getuid(), true, &err);

        if (r < 0) /* no controller "cpu": none of our runs could have used it */
                r = gbx_cgroup_plan(&cgroup, "gc", delegated, getuid(), false, &err);
        for (size_t i = 0; r >= 0 && i < cgroup.count; i++) {
                *strrchr(cgroup.paths[i], '/') = '\0';
                r = collect(cgroup.paths[i], &err);
        }
        if (r < 0) {
                (void)fprintf(stderr, "gbx-sandbox: %s\n", err.message);
                return 1;
        }
        return 0;
}
