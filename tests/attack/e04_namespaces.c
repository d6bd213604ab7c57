/*
 * E04. A job cannot make or enter a namespace of any kind, by unshare(2),
 * clone(2), clone3(2) or setns(2), so it cannot become root in one of its own.
 * Layers: the filter; max_user_namespaces of the sandbox's own user namespace
 * together with the empty capability sets.
 * Reference: bubblewrap --disable-userns (PR 488); "Dirty Frag" CVE-2026-43284
 * and CVE-2022-0185 needed a user namespace.
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int try_unshare(const struct attempt *self) {
        return attempts_result(unshare(self->integer));
}

static int reap(long child) {
        if (child == 0)
                _exit(0);
        if (child < 0)
                return errno;
        (void)waitpid((pid_t)child, NULL, 0);
        return ATTEMPT_BREACH;
}

static int try_clone(const struct attempt *self) {
        return reap(syscall(SYS_clone, self->integer | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int try_clone3(const struct attempt *self) {
        struct clone_args arguments = { .flags = (uint64_t)(unsigned)self->integer, .exit_signal = SIGCHLD };

        return reap(syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

/* A user namespace that one already lives in cannot be entered (EINVAL), so there
 * being let through to that check counts. */
static int try_setns(const struct attempt *self) {
        int fd = open(self->text, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return errno;
        return attempts_reached(setns(fd, self->integer));
}

static int try_setns_pidfd(const struct attempt *self) {
        int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

        if (fd < 0)
                return errno;
        return attempts_reached(setns(fd, self->integer));
}

/* The point of it all: a user namespace gives the capabilities for the others. */
static int try_user_then_mount(const struct attempt *self) {
        (void)self;
        if (unshare(CLONE_NEWUSER) < 0)
                return errno;
        return attempts_result(unshare(CLONE_NEWNS | CLONE_NEWNET));
}

#define EACH_WAY(label, flag, link)                                              \
        { "unshare-" label, try_unshare, ATTEMPT_TWO_LAYERS, .integer = flag }, \
        { "clone-" label, try_clone, ATTEMPT_TWO_LAYERS, .integer = flag },     \
        { "clone3-" label, try_clone3, ATTEMPT_TWO_LAYERS, .integer = flag },   \
        { "setns-" label, try_setns, (flag) == CLONE_NEWUSER ? 0 : ATTEMPT_TWO_LAYERS, .integer = flag,             \
          .text = "/proc/self/ns/" link }

static const struct attempt attempts[] = {
        EACH_WAY("user", CLONE_NEWUSER, "user"),
        EACH_WAY("mount", CLONE_NEWNS, "mnt"),
        EACH_WAY("pid", CLONE_NEWPID, "pid"),
        EACH_WAY("network", CLONE_NEWNET, "net"),
        EACH_WAY("ipc", CLONE_NEWIPC, "ipc"),
        EACH_WAY("uts", CLONE_NEWUTS, "uts"),
        EACH_WAY("cgroup", CLONE_NEWCGROUP, "cgroup"),
        { "unshare-time", try_unshare, ATTEMPT_TWO_LAYERS, .integer = CLONE_NEWTIME },
        { "clone3-time", try_clone3, ATTEMPT_TWO_LAYERS, .integer = CLONE_NEWTIME },
        { "setns-time", try_setns, ATTEMPT_TWO_LAYERS, .integer = CLONE_NEWTIME, .text = "/proc/self/ns/time" },
        { "setns-pidfd", try_setns_pidfd, ATTEMPT_TWO_LAYERS, .integer = CLONE_NEWUTS | CLONE_NEWIPC },
        { "clone-user-and-mount", try_clone, ATTEMPT_TWO_LAYERS, .integer = CLONE_NEWUSER | CLONE_NEWNS },
        { "unshare-everything", try_unshare, ATTEMPT_TWO_LAYERS,
          .integer = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS },
        { "user-then-mount-and-network", try_user_then_mount, .flags = ATTEMPT_TWO_LAYERS },
};

ATTEMPTS_MAIN(attempts)
