#include "base/spawn.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024, STANDARD_STREAMS = 3 };

/* What the child gets to work with; it runs in the caller's memory, which waits. */
struct start {
        const struct gbx_spawn *spawn;
        struct gbx_spawn_descriptor map[GBX_SPAWN_MAX_DESCRIPTORS + STANDARD_STREAMS]; /* in order of `there` */
        size_t count;
        pid_t caller;
        int null;
        /* from the child */
        int error; /* errno; 0: the program was executed */
        const char *failed;
};

/* --- in the child: system calls, and nothing that takes a lock ---------------------------- */

/* A descriptor whose number another one is about to take steps aside, above all numbers in use. */
static bool step_aside(struct start *start) {
        int above = start->map[start->count - 1].there + 1;

        for (size_t i = 0; i < start->count; i++)
                for (size_t k = 0; k < start->count && start->map[i].here != start->map[i].there; k++)
                        if (start->map[i].here == start->map[k].there) {
                                start->map[i].here = fcntl(start->map[i].here, F_DUPFD_CLOEXEC, above);
                                if (start->map[i].here < 0)
                                        return false;
                                break;
                        }
        return true;
}

static bool place_descriptors(struct start *start) {
        unsigned next = 0;

        if (!step_aside(start))
                return false;
        for (size_t i = 0; i < start->count; i++) {
                const struct gbx_spawn_descriptor *place = &start->map[i];

                if (place->here == place->there ? fcntl(place->here, F_SETFD, 0) < 0
                                                : dup2(place->here, place->there) < 0)
                        return false;
        }
        for (size_t i = 0; i < start->count; i++) {
                unsigned there = (unsigned)start->map[i].there;

                if (there > next && close_range(next, there - 1, 0) < 0)
                        return false;
                next = there + 1;
        }
        return close_range(next, ~0U, 0) == 0;
}

static void reset_signals(void) {
        const struct sigaction standard = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int number = 1; number < NSIG; number++)
                (void)sigaction(number, &standard, NULL); /* refused for SIGKILL, SIGSTOP and the C library's own */
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool tie_to_caller(const struct start *start) {
        if (!start->spawn->dies_with_caller)
                return true;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return false;
        errno = ECHILD;
        return getppid() == start->caller;
}

/* The compiler must not think that stack and memory are this function's alone. */
__attribute__((noinline, no_sanitize("address"))) static int child_main(void *argument) {
        static const char *const no_environment[] = { NULL };
        struct start *start = argument;
        const struct gbx_spawn *spawn = start->spawn;
        const char *const *environment = spawn->environment ? spawn->environment : no_environment;

        if (!tie_to_caller(start)) {
                start->failed = "tie to its caller";
        } else if (spawn->own_group && setpgid(0, 0) < 0) {
                start->failed = "make a process group for";
        } else if (!place_descriptors(start)) {
                start->failed = "give its descriptors to";
        } else {
                reset_signals();
                (void)execvpe(spawn->program, (char *const *)(uintptr_t)spawn->arguments,
                              (char *const *)(uintptr_t)environment);
                start->failed = "start";
        }
        start->error = errno;
        return 127; /* clone(3) ends the child with it */
}

/* --- in the caller ---------------------------------------------------------------------- */

static int add_place(struct start *start, int here, int there, struct gbx_error *err) {
        size_t at = start->count;

        if (here < 0 || there < 0)
                return gbx_fail(err, -EINVAL, "a program cannot be given descriptor %d as %d", here, there);
        while (at > 0 && start->map[at - 1].there >= there) {
                if (start->map[at - 1].there == there)
                        return gbx_fail(err, -EINVAL, "a program cannot be given descriptor %d twice", there);
                at--;
        }
        memmove(&start->map[at + 1], &start->map[at], (start->count - at) * sizeof start->map[0]);
        start->map[at] = (struct gbx_spawn_descriptor){ here, there };
        start->count++;
        return 0;
}

static bool has_place(const struct start *start, int there) {
        for (size_t i = 0; i < start->count; i++)
                if (start->map[i].there == there)
                        return true;
        return false;
}

static int plan_descriptors(struct start *start, struct gbx_error *err) {
        const struct gbx_spawn *spawn = start->spawn;
        int r = 0;

        if (spawn->descriptor_count > GBX_SPAWN_MAX_DESCRIPTORS)
                return gbx_fail(err, -EINVAL, "more than %d descriptors for a program", GBX_SPAWN_MAX_DESCRIPTORS);
        for (size_t i = 0; i < spawn->descriptor_count && r == 0; i++)
                r = add_place(start, spawn->descriptors[i].here, spawn->descriptors[i].there, err);
        for (int stream = 0; stream < STANDARD_STREAMS && r == 0; stream++)
                if (!has_place(start, stream))
                        r = add_place(start, start->null, stream, err);
        return r;
}

static void unmap_stack(void **stack) {
        if (*stack != MAP_FAILED)
                (void)munmap(*stack, STACK_SIZE);
}

/* CLONE_VFORK: returns when the child has executed the program or ended, so stack and plan are free again. */
static int clone_child(struct start *start, struct gbx_child *ret_child, struct gbx_error *err) {
        gbx_auto(unmap_stack) void *stack =
                mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        sigset_t all, before;
        int saved;

        if (stack == MAP_FAILED)
                return gbx_fail_memory(err);
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, &before); /* no handler of the caller runs in the child */
        ret_child->pid = clone(child_main, (char *)stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                                 start, &ret_child->fd);
        saved = errno;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        errno = saved;
        if (ret_child->pid < 0) {
                *ret_child = GBX_NO_CHILD;
                return gbx_fail_errno(err, "cannot make a process for '%s'", start->spawn->program);
        }
        return 0;
}

int gbx_spawn(struct gbx_child *ret_child, const struct gbx_spawn *spawn, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
        struct start start = { .spawn = spawn, .caller = getpid(), .null = null };
        struct gbx_child child = GBX_NO_CHILD;
        int r;

        if (null < 0)
                return gbx_fail_errno(err, "cannot open /dev/null");
        r = plan_descriptors(&start, err);
        if (r == 0)
                r = clone_child(&start, &child, err);
        if (r < 0)
                return gbx_context(err, r, "%s", spawn->program);
        if (start.error == 0) {
                *ret_child = child;
                return 0;
        }
        gbx_child_end(&child);
        errno = start.error;
        r = gbx_fail_errno(err, "cannot %s '%s'", start.failed, spawn->program);
        if (r == -ENOENT)
                return gbx_fail(err, r, "'%s' is not installed (%s%s)", spawn->program,
                                spawn->package ? "apt install " : "it is part of Glovebox: make, make install",
                                spawn->package ?: "");
        return r;
}

static int64_t now_ms(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1: it runs on. */
static int wait_for_end(const struct gbx_child *child, int milliseconds, struct gbx_error *err) {
        int64_t end = now_ms() + milliseconds;

        for (;;) {
                struct pollfd poller = { .fd = child->fd, .events = POLLIN };
                int64_t left = end - now_ms();
                int r = poll(&poller, 1, left > 0 ? (int)left : 0);

                if (r > 0)
                        return 0;
                if (r == 0)
                        return 1;
                if (errno != EINTR)
                        return gbx_fail_errno(err, "cannot wait for a process");
        }
}

int gbx_child_wait(struct gbx_child *child, int milliseconds, struct gbx_ended *ret_ended,
                     struct gbx_error *err) {
        int status, r = milliseconds >= 0 ? wait_for_end(child, milliseconds, err) : 0;

        if (r != 0)
                return r;
        while (waitpid(child->pid, &status, 0) < 0)
                if (errno != EINTR)
                        return gbx_fail_errno(err, "how a process ended is lost (SIGCHLD must not be ignored)");
        child->pid = 0;
        gbx_close_fd(&child->fd);
        *ret_ended = (struct gbx_ended){ .status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                                         .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0 };
        return 0;
}

int gbx_child_stop(struct gbx_child *child, int milliseconds, struct gbx_ended *ret_ended,
                     struct gbx_error *err) {
        int r;

        (void)kill(child->pid, SIGTERM);
        r = gbx_child_wait(child, milliseconds, ret_ended, err);
        if (r <= 0)
                return r;
        (void)kill(child->pid, SIGKILL);
        return gbx_child_wait(child, -1, ret_ended, err);
}

void gbx_child_end(struct gbx_child *child) {
        int saved = errno;

        if (child->pid > 0) {
                (void)kill(child->pid, SIGKILL);
                while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        child->pid = 0;
        gbx_close_fd(&child->fd);
        errno = saved;
}
