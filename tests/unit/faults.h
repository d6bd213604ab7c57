/*
 * Faults between any two durable steps
 *
 * A test program that includes this puts itself between all code and the C library (the linker takes a program's own
 * symbols first, for shared libraries too, so SQLite is covered): every call that changes a file below one folder is a step.
 * Released programs carry nothing of it. At each step of what runs while faults are armed, either
 *
 *   the folder is copied, as a process that is killed there would leave it (for a write, also with half of it done); or
 *   the step fails once (EIO), or fails from then on as on a full disk (ENOSPC, only where space is asked for).
 *
 * SQLite's own files are atomic by SQLite's rules: of several steps on them in a row only the first counts.
 * For one thread. Writes through a mapping (the index of SQLite's WAL) are no steps.
 */
#pragma once

#include "tests/unit/gateway_fixture.h"

#include <sys/syscall.h>

enum fault_kind { FAULT_NONE, FAULT_KILL, FAULT_ERROR, FAULT_FULL };
enum { FAULT_SNAPSHOTS = 1000 };

static struct faults {
        enum fault_kind kind;
        char folder[80]; /* where steps are counted */
        char copies[80]; /* where copies go: copies/N */
        uint64_t steps, fail_at;
        bool struck;    /* the step that fails was reached */
        bool in_sqlite; /* the step before this one was on SQLite's files */
        bool busy;      /* in our own hands */
        char what[200]; /* the step that failed, or the last one */
        char *snapshots[FAULT_SNAPSHOTS]; /* what had been done before each copy */
} faults;

/* The path that a descriptor, or a path relative to one, stands for. False if it is not below the folder. */
static bool fault_below(int fd, const char *path, char ret[static 512]) {
        char link[64];
        ssize_t length = 0;

        if (path && path[0] == '/')
                (void)snprintf(ret, 512, "%.500s", path);
        else {
                (void)snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
                length = readlink(link, ret, 400);
                if (length < 0)
                        return false;
                (void)snprintf(ret + length, 512 - (size_t)length, "%s%.100s", path ? "/" : "", path ? path : "");
        }
        return strncmp(ret, faults.folder, strlen(faults.folder)) == 0;
}

static void fault_snapshot(const char *what) {
        char path[120];

        if (faults.steps >= FAULT_SNAPSHOTS)
                fail_msg("more than %d steps", FAULT_SNAPSHOTS);
        (void)snprintf(path, sizeof path, "%s/%llu", faults.copies, (unsigned long long)faults.steps);
        if (world_copy_tree(faults.folder, path) < 0)
                fail_msg("cannot copy the site to %s", path);
        faults.snapshots[faults.steps++] = strdup(what);
}

/* Before a step: whether it fails. `grows`: it asks for space. */
static bool fault_step(const char *call, int fd, const char *path, bool grows) {
        char place[512];
        int saved = errno;
        bool sqlite, fails = false;

        if (faults.kind == FAULT_NONE || faults.busy || !fault_below(fd, path, place))
                return false;
        faults.busy = true;
        sqlite = strstr(place, "/view.db") != NULL;
        if (!(sqlite && faults.in_sqlite)) {
                (void)snprintf(faults.what, sizeof faults.what, "%s %.160s", call, place + strlen(faults.folder));
                if (faults.kind == FAULT_KILL)
                        fault_snapshot(faults.what);
                else
                        fails = faults.kind == FAULT_FULL && !grows ? false : ++faults.steps >= faults.fail_at;
                if (faults.kind == FAULT_ERROR && faults.steps != faults.fail_at)
                        fails = false;
                if (fails)
                        faults.struck = true;
        } else if (faults.kind == FAULT_FULL && grows && faults.struck)
                fails = true;
        faults.in_sqlite = sqlite;
        faults.busy = false;
        errno = fails ? faults.kind == FAULT_ERROR ? EIO : ENOSPC : saved;
        return fails;
}

/* Whether half of a write is to be seen in a copy. */
static bool fault_tears(int fd, size_t size) {
        char place[512];

        return faults.kind == FAULT_KILL && !faults.busy && size > 1 && fault_below(fd, NULL, place) && !strstr(place, "/view.db");
}

static void fault_torn(int fd, const char *call) {
        char place[512], what[200];

        if (!fault_below(fd, NULL, place))
                return;
        faults.busy = true;
        (void)snprintf(what, sizeof what, "half of %s %.150s", call, place + strlen(faults.folder));
        fault_snapshot(what);
        faults.busy = false;
}

/* --- the calls ------------------------------------------------------------------------ */

static long fault_raw(long result) { return result; } /* syscall(2) has set errno */

ssize_t write(int fd, const void *data, size_t size);
ssize_t write(int fd, const void *data, size_t size) {
        size_t half = size / 2;

        if (fault_step("write", fd, NULL, true))
                return -1;
        if (fault_tears(fd, size)) {
                ssize_t n = fault_raw(syscall(SYS_write, fd, data, half));

                if (n != (ssize_t)half)
                        return n;
                fault_torn(fd, "write");
                n = fault_raw(syscall(SYS_write, fd, (const char *)data + half, size - half));
                return n < 0 ? n : (ssize_t)half + n;
        }
        return fault_raw(syscall(SYS_write, fd, data, size));
}

static ssize_t fault_pwrite(int fd, const void *data, size_t size, off_t offset) {
        if (fault_step("pwrite", fd, NULL, true))
                return -1;
        if (fault_tears(fd, size)) {
                if (fault_raw(syscall(SYS_pwrite64, fd, data, size / 2, offset)) != (ssize_t)(size / 2))
                        return -1;
                fault_torn(fd, "pwrite");
        }
        return fault_raw(syscall(SYS_pwrite64, fd, data, size, offset));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return fault_pwrite(fd, data, size, offset); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) { return fault_pwrite(fd, data, size, offset); }

int fsync(int fd);
int fsync(int fd) { return fault_step("fsync", fd, NULL, false) ? -1 : (int)fault_raw(syscall(SYS_fsync, fd)); }
int fdatasync(int fd);
int fdatasync(int fd) { return fault_step("fdatasync", fd, NULL, false) ? -1 : (int)fault_raw(syscall(SYS_fdatasync, fd)); }

int ftruncate(int fd, off_t size);
int ftruncate(int fd, off_t size) {
        return fault_step("ftruncate", fd, NULL, true) ? -1 : (int)fault_raw(syscall(SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off_t size);
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

static int fault_open(int directory, const char *path, int flags, mode_t mode) {
        if ((flags & O_CREAT) && faults.kind && syscall(SYS_faccessat, directory, path, F_OK) < 0 &&
            fault_step("create", directory, path, true))
                return -1;
        return (int)fault_raw(syscall(SYS_openat, directory, path, flags, mode));
}

/* The mode stands behind where there is one. */
#define FAULT_MODE(flags)                           \
        ({                                          \
                mode_t found_ = 0;                  \
                va_list list_;                      \
                va_start(list_, flags);             \
                if ((flags) & (O_CREAT | O_TMPFILE)) \
                        found_ = va_arg(list_, mode_t); \
                va_end(list_);                      \
                found_;                             \
        })
#undef open
#undef openat
int open(const char *path, int flags, ...);
int open(const char *path, int flags, ...) { return fault_open(AT_FDCWD, path, flags, FAULT_MODE(flags)); }
int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...) { return fault_open(AT_FDCWD, path, flags, FAULT_MODE(flags)); }
int openat(int directory, const char *path, int flags, ...);
int openat(int directory, const char *path, int flags, ...) { return fault_open(directory, path, flags, FAULT_MODE(flags)); }
int openat64(int directory, const char *path, int flags, ...);
int openat64(int directory, const char *path, int flags, ...) { return fault_open(directory, path, flags, FAULT_MODE(flags)); }

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags);
int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
        return fault_step("rename", to_directory, to, false) ? -1
                       : (int)fault_raw(syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
}
int renameat(int from_directory, const char *from, int to_directory, const char *to);
int renameat(int from_directory, const char *from, int to_directory, const char *to) {
        return renameat2(from_directory, from, to_directory, to, 0);
}
int unlinkat(int directory, const char *path, int flags);
int unlinkat(int directory, const char *path, int flags) {
        return fault_step("unlink", directory, path, false) ? -1 : (int)fault_raw(syscall(SYS_unlinkat, directory, path, flags));
}
int unlink(const char *path);
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags);
int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
        return fault_step("link", to_directory, to, true) ? -1
                       : (int)fault_raw(syscall(SYS_linkat, from_directory, from, to_directory, to, flags));
}
int mkdirat(int directory, const char *path, mode_t mode);
int mkdirat(int directory, const char *path, mode_t mode) {
        return fault_step("mkdir", directory, path, true) ? -1 : (int)fault_raw(syscall(SYS_mkdirat, directory, path, mode));
}

/* --- arming ----------------------------------------------------------------------------- */

static void faults_arm(enum fault_kind kind, const char *folder, const char *copies, uint64_t fail_at) {
        faults = (struct faults){ .kind = kind, .fail_at = fail_at };
        (void)snprintf(faults.folder, sizeof faults.folder, "%s", folder);
        (void)snprintf(faults.copies, sizeof faults.copies, "%s", copies ? copies : "");
}

static void faults_disarm(void) { faults.kind = FAULT_NONE; }
