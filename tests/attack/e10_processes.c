/*
 * E10. A job sees, signals and adjusts no process but its own: none of the host,
 * none of the neighbour, and it cannot stop the sandbox's init.
 * Layers: the pid namespace; a uid range of its own for each run (with the same
 * numbers visible, the kernel still refuses); the filter for what is left.
 * Arguments: pid=N, a process of the host.
 */
#include "tests/attack/lib/attempt.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HIGHEST_PID = 40000 };

static long host_pid(void) {
        const char *pid = attempts_argument("pid");

        return pid ? atol(pid) : 0x3ffff0;
}

/* A system call whose first argument is the pid of a process of the host. */
static int try_on_host_pid(const struct attempt *self) {
        const long *a = self->arguments;

        return attempts_result(syscall(self->number, host_pid(), a[1], a[2], a[3], a[4], a[5]));
}

static int try_by_second_argument(const struct attempt *self) {
        const long *a = self->arguments;

        return attempts_result(syscall(self->number, a[0], host_pid(), a[2], a[3], a[4], a[5]));
}

static int try_pidfd_signal(const struct attempt *self) {
        int handle = (int)syscall(SYS_pidfd_open, host_pid(), 0);

        (void)self;
        if (handle < 0)
                return errno;
        return attempts_result(syscall(SYS_pidfd_send_signal, handle, 0, NULL, 0));
}

static int try_proc_entry(const struct attempt *self) {
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%ld/%s", host_pid(), self->text);
        return attempts_result(open(path, O_RDONLY | O_CLOEXEC));
}

/* Any number that answers and is not the job's parent (init), itself or its parent program. */
static int try_scan(const struct attempt *self) {
        int last = ESRCH;

        (void)self;
        if (kill(getpid(), 0) < 0) /* no signals at all for this job */
                return errno;
        for (pid_t pid = 1; pid < HIGHEST_PID; pid++) {
                if (pid == getpid() || pid == getppid() || (pid == 1 && !attempts_outside()))
                        continue;
                if (kill(pid, 0) == 0 || errno == EPERM)
                        return ATTEMPT_BREACH;
                last = errno;
        }
        return last;
}

static int try_list_proc(const struct attempt *self) {
        DIR *directory = opendir("/proc");
        struct dirent *entry;
        int others = 0;

        (void)self;
        if (!directory)
                return errno;
        while ((entry = readdir(directory))) {
                long pid = atol(entry->d_name);

                others += pid > 1 && pid != getpid() && pid != getppid();
        }
        (void)closedir(directory);
        return others > 0 ? ATTEMPT_BREACH : ESRCH;
}

/* Breach only if init dies of it, and then this line is never printed as "stopped". */
static int try_stop_init(const struct attempt *self) {
        if (attempts_outside())
                return ATTEMPT_BREACH;
        if (kill(1, self->integer) < 0)
                return errno;
        (void)usleep(20000);
        return kill(1, 0) == 0 || errno == EPERM ? ECANCELED : ATTEMPT_BREACH;
}

#define HOST(label, nr, ...)                                                                              \
        { label, try_on_host_pid, ATTEMPT_TWO_LAYERS, .number = nr, .arguments = { __VA_ARGS__ } }
#define SECOND(label, nr, ...)                                                                            \
        { label, try_by_second_argument, ATTEMPT_TWO_LAYERS, .number = nr, .arguments = { __VA_ARGS__ } }

static struct rlimit64 limit = { 1024, 1024 };
static unsigned long processors[16] = { 1 };
static char signal_information[128] = { [8] = -1, [9] = -1, [10] = -1, [11] = -1 }; /* si_code = SI_QUEUE */

static const struct attempt attempts[] = {
        HOST("kill", SYS_kill, 0, 0),
        HOST("tkill", SYS_tkill, 0, 0),
        HOST("rt-sigqueueinfo", SYS_rt_sigqueueinfo, 0, 0, (long)signal_information),
        { "pidfd-send-signal", try_pidfd_signal, .flags = ATTEMPT_TWO_LAYERS },
        HOST("prlimit", SYS_prlimit64, 0, 7 /* RLIMIT_NOFILE */, (long)&limit, 0),
        HOST("sched-setaffinity", SYS_sched_setaffinity, 0, sizeof(processors), (long)processors),
        HOST("sched-getaffinity", SYS_sched_getaffinity, 0, sizeof(processors), (long)processors),
        HOST("sched-getscheduler", SYS_sched_getscheduler),
        HOST("getpgid", SYS_getpgid),
        HOST("getsid", SYS_getsid),
        SECOND("setpriority", SYS_setpriority, PRIO_PROCESS, 0, 5),
        SECOND("getpriority", SYS_getpriority, PRIO_PROCESS),
        SECOND("ioprio-set", SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 0x6000),
        { "proc-status", try_proc_entry, ATTEMPT_TWO_LAYERS, .text = "status" },
        { "proc-cmdline", try_proc_entry, ATTEMPT_TWO_LAYERS, .text = "cmdline" },
        { "proc-fd", try_proc_entry, ATTEMPT_TWO_LAYERS, .text = "fd" },
        { "scan-all-numbers", try_scan, .flags = 0 },
        { "list-proc", try_list_proc, .flags = ATTEMPT_TWO_LAYERS },
        { "stop-init-kill", try_stop_init, ATTEMPT_TWO_LAYERS, .integer = SIGKILL },
        { "stop-init-stop", try_stop_init, ATTEMPT_TWO_LAYERS, .integer = SIGSTOP },
        { "stop-init-term", try_stop_init, ATTEMPT_TWO_LAYERS, .integer = SIGTERM },
};

ATTEMPTS_MAIN(attempts)
