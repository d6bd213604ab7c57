/*
 * E03 and E05. A job reads and writes no file of the host: not by path, by "..",
 * by /proc's magic links, by kernel files under /proc and /sys, by devices, nor
 * below a directory descriptor of the host that the caller passes (--pass-root 5,
 * a hole on purpose: there Landlock must hold alone).
 * Layers: the root (a tree of its own, pivot_root, detached); Landlock; the uid
 * range, which makes private files of the host unreadable.
 * Reference: CVE-2024-21626, CVE-2025-52881, chroot(2), openat2(2).
 */
#include "tests/attack/lib/attempt.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSED = 5 };

/* A marker that only the host's file has; attack-run writes it and tells its path (marker=). */
static int try_read_marker(const struct attempt *self) {
        char path[512];
        const char *marker = attempts_argument("marker");
        int fd;

        if (!marker)
                return ENOENT;
        (void)snprintf(path, sizeof(path), "%s%s", self->text, marker);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return attempts_result(fd);
}

static int try_read_marker_below(const struct attempt *self) {
        char path[512];
        const char *marker = attempts_argument("marker");
        int root = attempts_outside() ? open("/", O_PATH | O_CLOEXEC) : PASSED, fd;

        if (!marker)
                return ENOENT;
        (void)snprintf(path, sizeof(path), "%s%s", self->text, marker + 1);
        fd = openat(root, path, self->integer | O_CLOEXEC, 0600);
        return attempts_result(fd);
}

static int try_list_below(const struct attempt *self) {
        int root = attempts_outside() ? open("/", O_PATH | O_CLOEXEC) : PASSED;

        return attempts_result(openat(root, self->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int try_open(const struct attempt *self) {
        return attempts_result(open(self->text, self->integer | O_CLOEXEC, 0600));
}

/* A place that should take no new file. */
static int try_create(const struct attempt *self) {
        int fd = open(self->text, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

        if (fd < 0)
                return errno;
        (void)unlink(self->text);
        return ATTEMPT_BREACH;
}

static int try_change_root_entry(const struct attempt *self) {
        if (self->integer == 0)
                return attempts_result(rename(self->text, "/renamed"));
        if (self->integer == 1)
                return attempts_result(symlink("/", self->text));
        return attempts_result(mkdir(self->text, 0700));
}

#define NO_CONTROL ATTEMPT_NO_CONTROL
#define TWO ATTEMPT_TWO_LAYERS

static const struct attempt attempts[] = {
        { "marker-by-path", try_read_marker, .flags = 0, .text = "" },
        { "marker-by-parents", try_read_marker, .flags = 0, .text = "../../../../../../../.." },
        { "marker-by-proc-self-root", try_read_marker, .flags = 0, .text = "/proc/self/root" },
        { "marker-by-proc-1-root", try_read_marker, .flags = NO_CONTROL, .text = "/proc/1/root" },
        { "marker-by-proc-self-cwd", try_read_marker, .flags = 0, .text = "/proc/self/cwd/../../.." },
        { "marker-below-passed", try_read_marker_below, .flags = TWO, .integer = O_RDONLY, .text = "" },
        { "marker-below-passed-dots", try_read_marker_below, .flags = TWO, .integer = O_RDONLY, .text = "../../" },
        { "write-marker-below-passed", try_read_marker_below, .flags = TWO, .integer = O_WRONLY, .text = "" },
        { "list-passed", try_list_below, .flags = TWO, .text = "." },
        { "list-passed-etc", try_list_below, .flags = TWO, .text = "etc" },
        { "sysrq", try_open, .flags = NO_CONTROL, .integer = O_WRONLY, .text = "/proc/sysrq-trigger" },
        { "core-pattern", try_open, .flags = 0, .integer = O_WRONLY, .text = "/proc/sys/kernel/core_pattern" },
        { "proc-kcore", try_open, .flags = NO_CONTROL, .integer = O_RDONLY, .text = "/proc/kcore" },
        { "proc-kallsyms", try_open, .flags = NO_CONTROL, .integer = O_RDONLY, .text = "/proc/kallsyms" },
        { "proc-keys", try_open, .flags = NO_CONTROL, .integer = O_RDONLY, .text = "/proc/keys" },
        { "proc-sys-user-namespaces", try_open, .flags = NO_CONTROL, .integer = O_WRONLY,
          .text = "/proc/sys/user/max_user_namespaces" },
        { "proc-sys-kernel", try_open, .flags = 0, .integer = O_WRONLY, .text = "/proc/sys/kernel/hostname" },
        { "proc-uid-map", try_open, .flags = 0, .integer = O_WRONLY, .text = "/proc/self/uid_map" },
        { "proc-cmdline", try_open, .flags = 0, .integer = O_RDONLY, .text = "/proc/cmdline" },
        { "proc-mounts-of-init", try_open, .flags = 0, .integer = O_RDONLY, .text = "/proc/1/mountinfo" },
        { "proc-meminfo", try_open, .flags = 0, .integer = O_RDONLY, .text = "/proc/meminfo" },
        { "proc-loadavg", try_open, .flags = 0, .integer = O_RDONLY, .text = "/proc/loadavg" },
        { "sys-kernel", try_open, .flags = 0, .integer = O_RDONLY, .text = "/sys/kernel" },
        { "sys-cgroup", try_open, .flags = 0, .integer = O_RDONLY, .text = "/sys/fs/cgroup" },
        { "dev-mem", try_open, .flags = NO_CONTROL, .integer = O_RDONLY, .text = "/dev/mem" },
        { "dev-kmsg", try_open, .flags = NO_CONTROL, .integer = O_RDONLY, .text = "/dev/kmsg" },
        { "dev-kvm", try_open, .flags = NO_CONTROL, .integer = O_RDONLY, .text = "/dev/kvm" },
        { "dev-loop0", try_open, .flags = NO_CONTROL, .integer = O_RDONLY, .text = "/dev/loop0" },
        { "dev-fuse", try_open, .flags = NO_CONTROL, .integer = O_RDWR, .text = "/dev/fuse" },
        { "dev-userfaultfd", try_open, .flags = NO_CONTROL, .integer = O_RDWR, .text = "/dev/userfaultfd" },
        { "dev-net-tun", try_open, .flags = NO_CONTROL, .integer = O_RDWR, .text = "/dev/net/tun" },
        { "create-in-root", try_create, .flags = NO_CONTROL, .text = "/new" },
        { "create-in-data", try_create, .flags = NO_CONTROL, .text = "/data/new" },
        { "create-in-job", try_create, .flags = NO_CONTROL, .text = "/job/new" },
        { "create-in-bin", try_create, .flags = NO_CONTROL, .text = "/bin/new" },
        { "create-in-etc", try_create, .flags = NO_CONTROL, .text = "/etc/new" },
        { "create-in-dev", try_create, .flags = NO_CONTROL, .text = "/dev/new" },
        { "write-data", try_open, .flags = NO_CONTROL, .integer = O_WRONLY, .text = "/data/records.csv" },
        { "write-job", try_open, .flags = NO_CONTROL, .integer = O_RDWR, .text = "/job/e03_host_files" },
        { "truncate-data", try_open, .flags = NO_CONTROL, .integer = O_WRONLY | O_TRUNC, .text = "/data/records.csv" },
        { "rename-out", try_change_root_entry, .flags = NO_CONTROL, .integer = 0, .text = "/out" },
        { "symlink-in-root", try_change_root_entry, .flags = NO_CONTROL, .integer = 1, .text = "/link" },
        { "mkdir-in-root", try_change_root_entry, .flags = NO_CONTROL, .integer = 2, .text = "/directory" },
};

ATTEMPTS_MAIN(attempts)
