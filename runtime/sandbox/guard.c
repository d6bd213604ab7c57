#include "runtime/sandbox/guard.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum {
        GUARD_STACK = 16 * 1024,
        REMOVE_ATTEMPTS = 2000, /* a millisecond apart */
};

/* The guard shares the launcher's thread-local errno, so it makes its system calls without the C library. */
static long raw(long number, long a, long b, long c, long d) {
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = 0;
        long result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                         : "rcx", "r11", "memory");
        return result;
}

static long address(const void *pointer) {
        return (long)(uintptr_t)pointer;
}

static void make_network(struct gbx_guard *guard) {
        long fd = raw(SYS_unshare, CLONE_NEWNET, 0, 0, 0);

        if (fd == 0)
                fd = raw(SYS_openat, AT_FDCWD, address("/proc/self/ns/net"), O_RDONLY | O_CLOEXEC, 0);
        guard->network = (int)fd;
        atomic_store(&guard->ready, 1);
        (void)raw(SYS_futex, address(&guard->ready), FUTEX_WAKE, 1, 0); /* not private: two processes */
}

static void wait_for(int pidfd) {
        struct pollfd item = { .fd = pidfd, .events = POLLIN };

        while (raw(SYS_poll, address(&item), 1, -1, 0) == -EINTR)
                ;
}

static void remove_cgroups(const struct gbx_cgroup *cgroup) {
        const struct timespec pause = { .tv_nsec = 1000L * 1000 };

        for (size_t i = 0; i < cgroup->count; i++)
                for (int attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
                        if (!cgroup->paths[i][0] || raw(SYS_rmdir, address(cgroup->paths[i]), 0, 0, 0) != -EBUSY)
                                break;
                        (void)raw(SYS_nanosleep, address(&pause), 0, 0, 0);
                }
}

static int guard_main(void *argument) {
        struct gbx_guard *guard = argument;
        struct gbx_run *run = guard->run;
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[2] = {};
        const uint64_t all = ~0ULL;

        /* A terminal's ^C goes to the whole process group: the guard stays to clean up behind the launcher. */
        (void)raw(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, address(&all), 0, sizeof all);
        if (guard->make_network)
                make_network(guard);
        (void)raw(SYS_capset, address(&header), address(none), 0, 0);
        wait_for(guard->launcher);
        if (run->init_pidfd >= 0) {
                (void)raw(SYS_pidfd_send_signal, run->init_pidfd, SIGKILL, 0, 0);
                wait_for(run->init_pidfd);
        }
        remove_cgroups(&run->cgroup);
        (void)raw(SYS_exit_group, 0, 0, 0, 0);
        return 0;
}

int gbx_guard_start(struct gbx_guard *guard, struct gbx_run *run, bool with_network, struct gbx_error *err) {
        static _Alignas(64) char stack[GUARD_STACK];

        *guard = (struct gbx_guard){ .pid = -1, .pidfd = -1, .network = -1, .make_network = with_network, .run = run };
        guard->launcher = pidfd_open(getpid(), 0);
        if (guard->launcher < 0)
                return gbx_fail_errno(err, "this kernel has no pidfd (Linux 5.3 has it)");
        run->launcher = guard->launcher;
        guard->pid = clone(guard_main, stack + sizeof stack, CLONE_VM | CLONE_FILES | CLONE_PIDFD | SIGCHLD, guard,
                           &guard->pidfd);
        if (guard->pid < 0)
                return gbx_fail_errno(err, "cannot start the guard");
        return 0;
}

int gbx_guard_network(struct gbx_guard *guard, struct gbx_error *err) {
        while (!atomic_load(&guard->ready)) {
                struct pollfd item = { .fd = guard->pidfd, .events = POLLIN };
                const struct timespec limit = { .tv_sec = 1 };

                (void)syscall(SYS_futex, &guard->ready, FUTEX_WAIT, 0, &limit, NULL, 0);
                if (!atomic_load(&guard->ready) && poll(&item, 1, 0) > 0)
                        return gbx_fail(err, -ECHILD, "the guard has died");
        }
        if (guard->network < 0) {
                errno = -guard->network;
                return gbx_fail_errno(err, "network namespace: the kernel refuses to make one");
        }
        return guard->network;
}

void gbx_guard_stop(struct gbx_guard *guard) {
        if (guard->pid <= 0)
                return;
        (void)kill(guard->pid, SIGKILL);
        while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        guard->pid = -1;
}
