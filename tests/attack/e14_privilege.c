/*
 * E14. A job gains no privilege: not by setuid files, file capabilities or ambient
 * capabilities, not by changing its ids, and it executes nothing it could have
 * written, by exec or by mapping: not in /tmp, /out, /data, nor from memory.
 * Layers: nosuid mounts, no_new_privs, ids without a mapping, empty capability
 * sets; noexec mounts, Landlock, and the filter for memfd.
 * Reference: execve(2), capabilities(7); the image holds /bin/setuid (04755, root)
 * and /bin/capable (security.capability), which attack-run puts there.
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { ORDINARY_USER = 1000 };

/* The marker that ping(8) carries: VFS_CAP_REVISION_2, permitted and effective CAP_SYS_ADMIN. */
static const uint32_t file_capability[5] = { 0x02000001, 1U << CAP_SYS_ADMIN, 0, 0, 0 };

static bool privileged(void) {
        struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct __user_cap_data_struct sets[2] = { 0 };

        return geteuid() == 0 || (syscall(SYS_capget, &head, sets) == 0 && (sets[0].effective | sets[1].effective));
}

/* Executes `path` as `name` and says what its exit status says: 0 it ran, or ran with privilege. */
static int execute(const char *path, const char *name) {
        char *const arguments[] = { (char *)(uintptr_t)name, NULL };
        int status;
        pid_t child = fork();

        if (child < 0)
                return errno;
        if (child == 0) {
                (void)execv(path, arguments);
                _exit(errno);
        }
        if (waitpid(child, &status, 0) < 0)
                return errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

/* Outside, the control makes the file itself, becomes an ordinary user and executes it. */
static int try_marked_file(const struct attempt *self) {
        const char *path = self->text;

        if (attempts_outside()) {
                path = "/tmp/victim";
                if (self->integer == 0 && chmod(path, 04755) < 0)
                        return errno;
                if (self->integer == 1 &&
                    setxattr(path, "security.capability", file_capability, sizeof(file_capability), 0) < 0)
                        return errno;
                if (setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) < 0 ||
                    setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) < 0)
                        return errno;
        }
        return execute(path, "privileged?");
}

static int try_set_ids(const struct attempt *self) {
        gid_t none = 0;

        switch (self->integer) {
        case 0: return attempts_result(setresuid(0, 0, 0));
        case 1: return attempts_result(setresgid(0, 0, 0));
        case 2: return attempts_result(setgroups(1, &none));
        default: return attempts_result(setreuid(12345, 12345));
        }
}

static int try_capset(const struct attempt *self) {
        struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct __user_cap_data_struct sets[2] = { { 1U << CAP_SYS_ADMIN, 1U << CAP_SYS_ADMIN, 1U << CAP_SYS_ADMIN } };

        if (syscall(SYS_capset, &head, sets) < 0)
                return errno;
        if (self->integer == 0)
                return ATTEMPT_BREACH;
        return attempts_result(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
}

static int try_ambient(const struct attempt *self) {
        (void)self;
        return attempts_outside()
                       ? try_capset(&(struct attempt){ .integer = 1 })
                       : attempts_result(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
}

static int try_securebits(const struct attempt *self) {
        (void)self;
        return attempts_result(prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE, 0, 0, 0));
}

/* States rather than acts: any bit in a set that should be empty. */
static int try_bounding_set(const struct attempt *self) {
        (void)self;
        for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
                if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
                        return ATTEMPT_BREACH;
        return EPERM;
}

static int try_new_privileges(const struct attempt *self) {
        FILE *file = fopen("/proc/self/status", "re");
        char line[128];
        int result = EPERM;

        (void)self;
        if (!file)
                return errno;
        while (fgets(line, sizeof(line), file))
                if (strcmp(line, "NoNewPrivs:\t0\n") == 0)
                        result = ATTEMPT_BREACH;
        (void)fclose(file);
        return result;
}

static int try_privileged_already(const struct attempt *self) {
        (void)self;
        return privileged() ? ATTEMPT_BREACH : EPERM;
}

/* --- executing what one wrote ------------------------------------------------ */

static int copy_self(int out) {
        int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        char block[65536];
        ssize_t n = -1;

        if (in < 0 || out < 0)
                return errno;
        while ((n = read(in, block, sizeof(block))) > 0)
                if (write(out, block, (size_t)n) != n)
                        return errno;
        (void)close(in);
        return n < 0 ? errno : fchmod(out, 0755) < 0 ? errno : 0;
}

static int write_program(const char *path) {
        int out, result;

        (void)unlink(path);
        out = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
        result = out < 0 ? errno : copy_self(out);
        (void)close(out);
        return result;
}

static int try_exec_file(const struct attempt *self) {
        int result = write_program(self->text);

        return result ? result : execute(self->text, "copy");
}

static int try_exec_memory(const struct attempt *self) {
        char *const arguments[] = { (char[]){ "copy" }, NULL };
        int fd = (int)syscall(SYS_memfd_create, "copy", (long)self->integer);
        int result = fd < 0 ? errno == EINVAL ? ENOSYS /* no such flag in this kernel */ : errno : copy_self(fd);

        if (result)
                return result;
        if (self->number == 0) {
                (void)syscall(SYS_execveat, fd, "", arguments, arguments + 1, AT_EMPTY_PATH);
        } else {
                char path[32];

                (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                (void)execv(path, arguments);
        }
        return errno;
}

/* What dlopen(3) does: maps the file executable. */
static int try_map_file(const struct attempt *self) {
        int result = self->integer ? 0 : write_program(self->text);
        int fd = result ? -1 : open(self->text, O_RDONLY | O_CLOEXEC);
        void *memory;

        if (fd < 0)
                return result ? result : errno;
        memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
        return memory == MAP_FAILED ? errno : ATTEMPT_BREACH;
}

/* noexec is checked by mmap and by mprotect both, or should be. */
static int try_map_then_protect(const struct attempt *self) {
        int result = self->integer ? 0 : write_program(self->text);
        int fd = result ? -1 : open(self->text, O_RDONLY | O_CLOEXEC);
        void *memory;

        if (fd < 0)
                return result ? result : errno;
        memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
        if (memory == MAP_FAILED)
                return errno;
        return attempts_result(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

#define TWO .flags = ATTEMPT_TWO_LAYERS

static const struct attempt attempts[] = {
        { "setuid-file", try_marked_file, TWO, .integer = 0, .text = "/bin/setuid" },
        { "file-capabilities", try_marked_file, TWO, .integer = 1, .text = "/bin/capable" },
        { "setresuid-root", try_set_ids, TWO, .integer = 0 },
        { "setresgid-root", try_set_ids, TWO, .integer = 1 },
        { "setgroups", try_set_ids, TWO, .integer = 2 },
        { "setreuid-other", try_set_ids, TWO, .integer = 3 },
        { "capset", try_capset, TWO, .integer = 0 },
        { "ambient-capability", try_ambient, TWO },
        { "securebits", try_securebits, TWO },
        { "bounding-set-not-empty", try_bounding_set, .flags = 0 },
        { "new-privileges-possible", try_new_privileges, .flags = 0 },
        { "privileged-already", try_privileged_already, .flags = 0 },
        { "exec-tmp", try_exec_file, TWO, .text = "/tmp/copy" },
        { "exec-out", try_exec_file, .flags = ATTEMPT_TWO_LAYERS | ATTEMPT_NO_CONTROL, .text = "/out/copy" },
        { "exec-shm", try_exec_file, TWO, .text = "/dev/shm/copy" },
        { "exec-data", try_exec_file, .flags = ATTEMPT_TWO_LAYERS | ATTEMPT_NO_CONTROL, .text = "/data/records.csv" },
        { "exec-memfd", try_exec_memory, .flags = 0, .number = 0 },
        { "exec-memfd-executable", try_exec_memory, .flags = 0, .number = 0, .integer = 0x10 /* MFD_EXEC */ },
        { "exec-memfd-by-proc", try_exec_memory, .flags = 0, .number = 1 },
        { "map-tmp", try_map_file, .flags = 0, .text = "/tmp/copy" },
        { "map-out", try_map_file, .flags = ATTEMPT_NO_CONTROL, .text = "/out/copy" },
        { "map-data", try_map_file, .flags = ATTEMPT_NO_CONTROL, .integer = 1, .text = "/data/records.csv" },
        { "protect-tmp", try_map_then_protect, .flags = 0, .text = "/tmp/copy" },
        { "protect-out", try_map_then_protect, .flags = ATTEMPT_NO_CONTROL, .text = "/out/copy" },
        { "protect-data", try_map_then_protect, .flags = ATTEMPT_NO_CONTROL, .integer = 1, .text = "/data/records.csv" },
};

int main(int argc, char **argv) {
        if (argc == 1 && strcmp(argv[0], "copy") == 0) /* executed although it was written by the job */
                return ATTEMPT_BREACH;
        if (argc == 1 && strcmp(argv[0], "privileged?") == 0)
                return privileged() ? ATTEMPT_BREACH : EPERM;
        return attempts_run(attempts, sizeof(attempts) / sizeof(attempts[0]), argc, argv);
}
