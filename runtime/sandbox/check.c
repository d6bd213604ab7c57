#include "runtime/sandbox/check.h"

#include "base/cleanup.h"
#include "runtime/sandbox/cgroup.h"
#include "runtime/sandbox/landlock.h"
#include "runtime/sandbox/mounts.h"
#include "runtime/sandbox/ordinary.h"
#include "runtime/sandbox/syscalls.h"

#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum { NOTE_SIZE = 256 };

enum verdict {
        GOOD,
        WEAKER,  /* a run works without it, and its report says so */
        MISSING, /* no run without it */
};

struct item {
        const char *name;
        enum verdict (*look)(const struct item *item, char note[static NOTE_SIZE]);
        int argument;
        const char *knob; /* what to do when it is missing */
};

static enum verdict note_errno(enum verdict verdict, char note[static NOTE_SIZE]) {
        (void)snprintf(note, NOTE_SIZE, "%s", strerror(errno));
        return verdict;
}

static void read_line(const char *path, char ret[static NOTE_SIZE]) {
        gbx_auto(gbx_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, ret, NOTE_SIZE - 1);

        ret[size < 0 ? 0 : size] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
}

static enum verdict look_kernel(const struct item *item, char note[static NOTE_SIZE]) {
        struct utsname name;
        unsigned long major = 0, minor = 0;
        char *end;

        (void)item;
        if (uname(&name) < 0)
                return MISSING;
        major = strtoul(name.release, &end, 10);
        minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
        (void)snprintf(note, NOTE_SIZE, "%.64s", name.release);
        return major > 5 || (major == 5 && minor >= 14) ? GOOD : MISSING;
}

/* A child tries; we are not changed. An ordinary user gets the other namespaces with a user namespace only. */
static enum verdict look_namespace(const struct item *item, char note[static NOTE_SIZE]) {
        int flags = item->argument | (geteuid() != 0 ? CLONE_NEWUSER : 0), status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(unshare(flags) < 0 ? errno : 0);
        if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
                return MISSING;
        errno = WEXITSTATUS(status);
        return errno == 0 ? GOOD : note_errno(MISSING, note);
}

static enum verdict look_privilege(const struct item *item, char note[static NOTE_SIZE]) {
        (void)item;
        struct gbx_error err = {};

        if (geteuid() == 0) {
                (void)snprintf(note, NOTE_SIZE, "root");
                return GOOD;
        }
        if (gbx_ordinary_possible(&err) == 0) {
                (void)snprintf(note, NOTE_SIZE, "an ordinary user with ids of his own: directories as images only");
                return WEAKER;
        }
        (void)snprintf(note, NOTE_SIZE, "%.250s", err.message);
        return MISSING;
}

static enum verdict look_openat2(const struct item *item, char note[static NOTE_SIZE]) {
        gbx_auto(gbx_close_fd) int fd = sys_open_beneath(AT_FDCWD, ".", O_PATH);

        (void)item;
        return fd >= 0 ? GOOD : note_errno(MISSING, note);
}

static enum verdict look_mount_setattr(const struct item *item, char note[static NOTE_SIZE]) {
        struct mount_attr attributes = {};

        (void)item;
        if (mount_setattr(-1, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0 && errno == ENOSYS)
                return note_errno(MISSING, note);
        return GOOD;
}

static enum verdict look_pidfd(const struct item *item, char note[static NOTE_SIZE]) {
        gbx_auto(gbx_close_fd) int fd = pidfd_open(getpid(), 0);

        (void)item;
        return fd >= 0 ? GOOD : note_errno(MISSING, note);
}

static enum verdict look_notify(const struct item *item, char note[static NOTE_SIZE]) {
        uint32_t action = SECCOMP_RET_USER_NOTIF;

        (void)item;
        return sys_seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ? GOOD : note_errno(MISSING, note);
}

static enum verdict look_landlock(const struct item *item, char note[static NOTE_SIZE]) {
        int abi = gbx_landlock_abi();

        (void)item;
        (void)snprintf(note, NOTE_SIZE, abi ? "ABI %d" : "none", abi);
        return abi > 0 ? GOOD : WEAKER;
}

static enum verdict look_cgroup(const struct item *item, char note[static NOTE_SIZE]) {
        struct gbx_cgroup cgroup;
        struct gbx_error err = {};

        (void)item;
        if (gbx_cgroup_plan(&cgroup, "check", NULL, getuid(), false, &err) < 0) {
                (void)snprintf(note, NOTE_SIZE, "%.200s", err.message);
                return MISSING;
        }
        (void)snprintf(note, NOTE_SIZE, "version %d, %s", cgroup.version,
                       cgroup.version == 1 ? "memory, pids, cpuacct" : "memory, pids");
        return GOOD;
}

static enum verdict look_noswap(const struct item *item, char note[static NOTE_SIZE]) {
        gbx_auto(gbx_close_fd) int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
        char swaps[NOTE_SIZE] = "";
        FILE *file = fopen("/proc/swaps", "re");
        bool swapping = false;

        (void)item;
        if (file) {
                swapping = fgets(swaps, sizeof swaps, file) && fgets(swaps, sizeof swaps, file);
                (void)fclose(file);
        }
        if (context >= 0 && fsconfig(context, FSCONFIG_SET_FLAG, "noswap", NULL, 0) == 0)
                return GOOD;
        (void)snprintf(note, NOTE_SIZE, swapping ? "swap is on" : "no swap is on, so nothing can get there");
        return swapping ? WEAKER : GOOD;
}

static enum verdict look_core_pattern(const struct item *item, char note[static NOTE_SIZE]) {
        (void)item;
        read_line("/proc/sys/kernel/core_pattern", note);
        return note[0] == '|' || note[0] == '@' ? MISSING : GOOD;
}

static enum verdict look_memfd_secret(const struct item *item, char note[static NOTE_SIZE]) {
        gbx_auto(gbx_close_fd) int fd = (int)syscall(SYS_memfd_secret, 0);

        (void)item;
        return fd >= 0 ? GOOD : note_errno(WEAKER, note);
}

static enum verdict look_core_scheduling(const struct item *item, char note[static NOTE_SIZE]) {
        unsigned long long cookie = 0;

        (void)item;
        if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, PR_SCHED_CORE_SCOPE_THREAD, &cookie) == 0)
                return GOOD;
        return note_errno(WEAKER, note);
}

/* Image kinds; a plain directory always works. */
static enum verdict look_image_kinds(const struct item *item, char note[static NOTE_SIZE]) {
        gbx_auto(gbx_close_fd) int squashfs = fsopen("squashfs", FSOPEN_CLOEXEC);
        gbx_auto(gbx_close_fd) int erofs = fsopen("erofs", FSOPEN_CLOEXEC);
        gbx_auto(gbx_close_fd) int loop = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

        (void)item;
        (void)snprintf(note, NOTE_SIZE, "squashfs %s, erofs %s, loop devices %s", squashfs >= 0 ? "yes" : "no",
                       erofs >= 0 ? "yes" : "no", loop >= 0 ? "yes" : "no");
        return (squashfs >= 0 && loop >= 0) || erofs >= 0 ? GOOD : WEAKER;
}

static enum verdict look_descriptors(const struct item *item, char note[static NOTE_SIZE]) {
        long limit = sysconf(_SC_OPEN_MAX);

        (void)item;
        (void)snprintf(note, NOTE_SIZE, "%ld", limit);
        return limit >= 1024 ? GOOD : MISSING;
}

static const struct item items[] = {
        { "kernel", look_kernel, 0, "Linux 5.14 or later is needed" },
        { "privilege", look_privilege, 0, "root can do more" },
        { "user namespace", look_namespace, CLONE_NEWUSER,
          "sysctl user.max_user_namespaces > 0; kernel.unprivileged_userns_clone=1 on older Debian kernels; "
          "kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu" },
        { "pid namespace", look_namespace, CLONE_NEWPID, "sysctl user.max_pid_namespaces > 0" },
        { "mount namespace", look_namespace, CLONE_NEWNS, "sysctl user.max_mnt_namespaces > 0" },
        { "network namespace", look_namespace, CLONE_NEWNET, "sysctl user.max_net_namespaces > 0" },
        { "ipc namespace", look_namespace, CLONE_NEWIPC, "sysctl user.max_ipc_namespaces > 0" },
        { "uts namespace", look_namespace, CLONE_NEWUTS, "sysctl user.max_uts_namespaces > 0" },
        { "cgroup namespace", look_namespace, CLONE_NEWCGROUP, "sysctl user.max_cgroup_namespaces > 0" },
        { "time namespace", look_namespace, CLONE_NEWTIME, "CONFIG_TIME_NS=y; sysctl user.max_time_namespaces > 0" },
        { "openat2", look_openat2, 0, "Linux 5.6; an outer seccomp filter may hide it" },
        { "mount_setattr", look_mount_setattr, 0, "Linux 5.12; an outer seccomp filter may hide it" },
        { "pidfd", look_pidfd, 0, "Linux 5.3" },
        { "seccomp notification", look_notify, 0, "CONFIG_SECCOMP_FILTER=y, Linux 5.5" },
        { "landlock", look_landlock, 0, "CONFIG_SECURITY_LANDLOCK=y and 'landlock' in the kernel parameter lsm=" },
        { "cgroup", look_cgroup, 0, "mount cgroup2 on /sys/fs/cgroup with memory and pids" },
        { "memory kept off swap", look_noswap, 0, "Linux 6.4 for tmpfs noswap, or swapoff -a" },
        { "core dumps stay away", look_core_pattern, 0, "sysctl kernel.core_pattern=core, or the spec's "
                                                         "options.core_pattern_pipe" },
        { "secret memory", look_memfd_secret, 0, "kernel parameter secretmem.enable=1" },
        { "core scheduling", look_core_scheduling, 0, "CONFIG_SCHED_CORE=y and SMT; only for options.core_scheduling" },
        { "image files", look_image_kinds, 0, "CONFIG_SQUASHFS and CONFIG_BLK_DEV_LOOP, or CONFIG_EROFS_FS" },
        { "descriptors", look_descriptors, 0, "ulimit -Hn 1024" },
};

int gbx_check(void) {
        static const char *const words[] = { [GOOD] = "ok", [WEAKER] = "weaker", [MISSING] = "MISSING" };
        unsigned missing = 0;

        for (size_t i = 0; i < gbx_array_size(items); i++) {
                char note[NOTE_SIZE] = "";
                enum verdict verdict = items[i].look(&items[i], note);

                printf("%-8s %-22s %s%s%s\n", words[verdict], items[i].name, note,
                       verdict != GOOD && *note ? ": " : "", verdict != GOOD ? items[i].knob : "");
                missing += verdict == MISSING;
        }
        if (missing)
                printf("%u mandatory layers are missing: no job can be run here\n", missing);
        return missing ? 1 : 0;
}
