/*
 * E12. Plaintext in a job's memory stays there: a crash leaves no core file, not
 * where the job was, not on the host, not down a pipe of core_pattern; and the job
 * cannot switch core dumps on for itself.
 * Layers: RLIMIT_CORE of zero that cannot be raised; a refusal to start where
 * core_pattern is a pipe (a limit of zero does not stop those).
 * Reference: core(5), isolate(1); Podman 6528 (core_pattern is not namespaced).
 *
 *      e12_plaintext                          the attempts
 *      e12_plaintext crash=SIGNAL dir=PATH    holds a marker in memory and dies of the signal in PATH
 *      e12_plaintext hold=MILLISECONDS        holds it and sleeps
 *      e12_plaintext peek=FILE user=NUMBER    on the host: 0 if that user can open FILE
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int try_raise_core_limit(const struct attempt *self) {
        struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

        if (self->integer == 0)
                return attempts_result(setrlimit(RLIMIT_CORE, &limit));
        return attempts_result(syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, NULL));
}

static int try_soft_core_limit(const struct attempt *self) {
        struct rlimit limit;

        (void)self;
        if (getrlimit(RLIMIT_CORE, &limit) < 0)
                return errno;
        return limit.rlim_max > 1 ? ATTEMPT_BREACH : EPERM;
}

static int try_dumpable(const struct attempt *self) {
        (void)self;
        return attempts_result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int try_core_filter(const struct attempt *self) {
        return attempts_result(open(self->text, O_WRONLY | O_CLOEXEC));
}

/* What attacks on memory of others would want: no address to aim at, no lock on what is swapped. */
static int try_kernel_file(const struct attempt *self) {
        return attempts_result(open(self->text, O_RDONLY | O_CLOEXEC));
}

static const struct attempt attempts[] = {
        { "raise-core-limit", try_raise_core_limit, .flags = 0, .integer = 0 },
        { "raise-core-limit-prlimit", try_raise_core_limit, .flags = 0, .integer = 1 },
        { "core-limit-left", try_soft_core_limit, .flags = 0 },
        { "set-dumpable", try_dumpable, .flags = 0 },
        { "core-pattern", try_core_filter, .flags = ATTEMPT_NO_CONTROL, .text = "/proc/sys/kernel/core_pattern" },
        { "core-uses-pid", try_core_filter, .flags = ATTEMPT_NO_CONTROL, .text = "/proc/sys/kernel/core_uses_pid" },
        { "swaps", try_kernel_file, .flags = 0, .text = "/proc/swaps" },
        { "init-environment", try_kernel_file, .flags = ATTEMPT_NO_CONTROL, .text = "/proc/1/environ" },
};

/* Only the running program has it: its bytes are not in the file, nor in the arguments. */
static void make_marker(char *marker, size_t size) {
        (void)snprintf(marker, size, "GBX-%s-%08x", "MARKER", 0x5eed5eedU);
        for (char *letter = marker; *letter; letter++)
                if (*letter == '-')
                        *letter = '+';
}

static int crash(const char *number) {
        static char marker[64];
        const char *directory = attempts_argument("dir");
        struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

        make_marker(marker, sizeof(marker));
        (void)setrlimit(RLIMIT_CORE, &limit); /* as far as it may */
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        if (directory && chdir(directory) < 0)
                return errno;
        (void)puts("reached crash 1 ok");
        (void)fflush(stdout);
        if (atoi(number) == SIGSEGV)
                *(volatile char *)(uintptr_t)(marker[0] - 'G') = 1;
        (void)raise(atoi(number));
        return ECANCELED;
}

static int peek(const char *path, const char *user) {
        char byte;
        unsigned id = user ? (unsigned)atoi(user) : 65534;
        int fd;

        if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
                return ECANCELED;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (read(fd, &byte, 1) < 0 && errno != EISDIR && errno != EIO))
                return errno;
        return 0;
}

int main(int argc, char **argv) {
        attempts_begin(argc, argv);
        if (attempts_argument("crash"))
                return crash(attempts_argument("crash"));
        if (attempts_argument("hold")) {
                static char marker[64];

                make_marker(marker, sizeof(marker));
                (void)puts("reached hold 1 ok");
                (void)fflush(stdout);
                return usleep((useconds_t)atoi(attempts_argument("hold")) * 1000) < 0;
        }
        if (attempts_argument("peek"))
                return peek(attempts_argument("peek"), attempts_argument("user"));
        return attempts_run(attempts, sizeof(attempts) / sizeof(attempts[0]), argc, argv);
}
