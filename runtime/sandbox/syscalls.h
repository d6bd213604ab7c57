/*
 * Thin wrappers for system calls that glibc 2.36 has no function for, or another one than musl 1.2
 *
 * Each returns like its man page says: -1 and errno on failure.
 */
#pragma once

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2(2) that follows no symlink and stays beneath `directory`. */
static inline int sys_open_beneath(int directory, const char *path, uint64_t flags) {
        struct open_how how = { .flags = flags | O_CLOEXEC,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

        return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/* openat2(2) that resolves like a process rooted at `directory`, symlinks included. */
static inline int sys_open_in_root(int directory, const char *path, uint64_t flags) {
        struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

        return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

static inline pid_t sys_clone3(struct clone_args *arguments) {
        return (pid_t)syscall(SYS_clone3, arguments, sizeof *arguments);
}

static inline int sys_pivot_root(const char *new_root, const char *put_old) {
        return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int sys_seccomp(unsigned operation, unsigned flags, void *arguments) {
        return (int)syscall(SYS_seccomp, operation, flags, arguments);
}

static inline int sys_execveat(int fd, char *const argv[], char *const environment[]) {
        return (int)syscall(SYS_execveat, fd, "", argv, environment, AT_EMPTY_PATH);
}

/* glibc and musl differ in the type of the request. */
static inline int sys_ioctl(int fd, unsigned long request, const void *argument) {
        return (int)syscall(SYS_ioctl, fd, request, argument);
}

/* setrlimit(2), likewise: the resource is an enumeration in glibc and an int in musl. Soft and hard limit. */
static inline int sys_set_resource_limit(int resource, uint64_t value) {
        const uint64_t limit[2] = { value, value };

        return (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}

static inline long sys_keyctl(int operation, const char *name) {
        return syscall(SYS_keyctl, operation, name, 0, 0, 0);
}

/* landlock.h of Debian 12's headers knows ABI 2; later ones append members. */
struct sys_landlock_ruleset {
        uint64_t handled_access_fs;
        uint64_t handled_access_net; /* ABI 4 */
        uint64_t scoped;             /* ABI 6 */
};

static inline int sys_landlock_create_ruleset(const struct sys_landlock_ruleset *ruleset, size_t size, uint32_t flags) {
        return (int)syscall(SYS_landlock_create_ruleset, ruleset, size, flags);
}
static inline int sys_landlock_add_path(int ruleset, const struct landlock_path_beneath_attr *rule) {
        return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0);
}
static inline int sys_landlock_restrict_self(int ruleset, uint32_t flags) {
        return (int)syscall(SYS_landlock_restrict_self, ruleset, flags);
}
