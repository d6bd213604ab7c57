/*
 * E06 and E10. A job cannot trace or read the memory of another process: not of
 * the sandbox's init, not of a child of its own, not of a process of the host.
 * Layers: the filter; for others' processes the pid namespace (there is nobody to
 * name) and init's credentials.
 * Reference: ptrace(2), process_vm_readv(2), pidfd_getfd(2); Sandbox2's policy.
 * Arguments: pid=N, a process of the host that attack-run keeps for this.
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INIT = 1, CHILD = 0, HOST = -1 };

static volatile char secret = 's';

/* The process an attempt is aimed at. */
static pid_t target(const struct attempt *self) {
        const char *pid = attempts_argument("pid");
        pid_t child;

        if (self->integer == INIT)
                return attempts_outside() && pid ? atoi(pid) : 1;
        if (self->integer == HOST)
                return pid ? atoi(pid) : 0x3ffff0;
        child = fork();
        if (child == 0) {
                (void)sleep(3);
                _exit(0);
        }
        return child;
}

static int finish(const struct attempt *self, pid_t pid, int result) {
        if (self->integer == CHILD && pid > 0) {
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
        }
        return result;
}

static int try_trace(const struct attempt *self) {
        pid_t pid = target(self);
        int result;

        if (pid < 0)
                return errno;
        result = attempts_result(ptrace((enum __ptrace_request)self->number, pid, NULL, NULL));
        if (result == ATTEMPT_BREACH)
                (void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
        return finish(self, pid, result);
}

static int try_trace_me(const struct attempt *self) {
        (void)self;
        return attempts_result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_memory(const struct attempt *self) {
        char byte = 0;
        struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)&secret, 1 };
        pid_t pid = target(self);
        long result;

        if (pid < 0)
                return errno;
        result = syscall(self->number, (long)pid, &here, 1UL, &there, 1UL, 0UL);
        /* EFAULT: allowed, only the address is not that of the other program. */
        return finish(self, pid, attempts_reached(result) == ATTEMPT_BREACH && (result >= 0 || errno == EFAULT)
                                         ? ATTEMPT_BREACH
                                         : errno);
}

static int try_memory_file(const struct attempt *self) {
        char path[64];
        pid_t pid = target(self);
        int fd, result;

        if (pid < 0)
                return errno;
        (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, self->text);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        result = fd < 0 ? errno : ATTEMPT_BREACH;
        return finish(self, pid, result);
}

static int try_take_descriptor(const struct attempt *self) {
        pid_t pid = target(self);
        int handle, result;

        if (pid < 0)
                return errno;
        handle = (int)syscall(SYS_pidfd_open, pid, 0);
        result = handle < 0 ? errno : attempts_result(syscall(SYS_pidfd_getfd, handle, 0, 0));
        return finish(self, pid, result);
}

static int try_compare(const struct attempt *self) {
        pid_t pid = target(self);

        if (pid < 0)
                return errno;
        return finish(self, pid, attempts_result(syscall(SYS_kcmp, getpid(), pid, 1 /* KCMP_VM */, 0, 0)));
}

#define AT(label, function, nr, extra)                                                                              \
        { label "-child", function, 0, .number = nr, .integer = CHILD, .text = extra },                             \
        { label "-init", function, ATTEMPT_TWO_LAYERS, .number = nr, .integer = INIT, .text = extra },              \
        { label "-host", function, ATTEMPT_TWO_LAYERS, .number = nr, .integer = HOST, .text = extra }

static const struct attempt attempts[] = {
        { "ptrace-traceme", try_trace_me, .flags = 0 },
        AT("ptrace-attach", try_trace, PTRACE_ATTACH, NULL),
        AT("ptrace-seize", try_trace, PTRACE_SEIZE, NULL),
        AT("process-vm-readv", try_memory, SYS_process_vm_readv, NULL),
        AT("process-vm-writev", try_memory, SYS_process_vm_writev, NULL),
        AT("pidfd-getfd", try_take_descriptor, 0, NULL),
        AT("kcmp", try_compare, 0, NULL),
        { "proc-mem-init", try_memory_file, ATTEMPT_TWO_LAYERS, .integer = INIT, .text = "mem" },
        { "proc-mem-host", try_memory_file, ATTEMPT_TWO_LAYERS, .integer = HOST, .text = "mem" },
        { "proc-environ-init", try_memory_file, ATTEMPT_TWO_LAYERS, .integer = INIT, .text = "environ" },
        { "proc-maps-init", try_memory_file, ATTEMPT_TWO_LAYERS, .integer = INIT, .text = "maps" },
        { "proc-root-init", try_memory_file, ATTEMPT_TWO_LAYERS, .integer = INIT, .text = "root/etc/passwd" },
        { "proc-cwd-init", try_memory_file, ATTEMPT_TWO_LAYERS, .integer = INIT, .text = "cwd/" },
};

ATTEMPTS_MAIN(attempts)
