#include "runtime/sandbox/supervise.h"

#include "base/cleanup.h"
#include "runtime/sandbox/channel.h"
#include "runtime/sandbox/notify.h"
#include "runtime/sandbox/stage.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

enum {
        CPU_CHECK_MINIMUM_US = 10 * 1000,
        PIDS_CHECK_US = 50 * 1000, /* version 1 counts refused forks but wakes nobody */
};

enum watched {
        WATCH_INIT,
        WATCH_GUARD,
        WATCH_CHANNEL,
        WATCH_LISTENER,
        WATCH_PIDS,
        WATCH_CONNECTS,
        WATCH_CLIENT,
        WATCH_CONTROL,
        WATCH_COUNT,
};

struct supervision {
        struct gbx_run *run;
        struct gbx_guard *guard;
        struct gbx_outcome *outcome;
        struct pollfd watched[WATCH_COUNT];
        struct gbx_connects connects;
        uint64_t started_us, next_cpu_check_us, next_pids_check_us;
        unsigned processors;
        bool killed, guard_lost;
};

uint64_t gbx_monotonic_us(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void end_run(struct supervision *supervision, enum gbx_limit limit) {
        if (supervision->killed)
                return;
        supervision->killed = true;
        supervision->outcome->limit = limit;
        (void)pidfd_send_signal(supervision->run->init_pidfd, SIGKILL, NULL, 0);
}

/* Processor time can grow no faster than wall time times processors: look again when the budget could be spent. */
static void check_cpu(struct supervision *supervision, uint64_t now) {
        uint64_t budget = supervision->run->spec.limits.cpu_ms * 1000, used, wait;

        if (now < supervision->next_cpu_check_us)
                return;
        used = gbx_cgroup_cpu_us(&supervision->run->cgroup);
        if (used >= budget) {
                end_run(supervision, GBX_LIMIT_CPU);
                return;
        }
        wait = (budget - used) / supervision->processors;
        supervision->next_cpu_check_us = now + (wait > CPU_CHECK_MINIMUM_US ? wait : CPU_CHECK_MINIMUM_US);
}

static void check_pids(struct supervision *supervision, uint64_t now) {
        if (gbx_cgroup_pids_refused(&supervision->run->cgroup) > supervision->run->spec.limits.pids_refused)
                end_run(supervision, GBX_LIMIT_PIDS);
        if (supervision->run->cgroup.version == 1)
                supervision->next_pids_check_us = now + PIDS_CHECK_US;
}

static int timeout_ms(const struct supervision *supervision, uint64_t now) {
        uint64_t deadline = supervision->started_us + supervision->run->spec.limits.wall_ms * 1000;
        uint64_t next = supervision->next_cpu_check_us < deadline ? supervision->next_cpu_check_us : deadline;

        if (supervision->next_pids_check_us < next)
                next = supervision->next_pids_check_us;
        if (supervision->killed)
                return -1;
        return next <= now ? 0 : (int)((next - now) / 1000) + 1;
}

static void answer_notification(struct supervision *supervision) {
        struct gbx_outcome *outcome = supervision->outcome;
        struct gbx_run *run = supervision->run;
        int r = gbx_notify_answer(supervision->watched[WATCH_LISTENER].fd, run, &supervision->connects, &outcome->denials);

        if (r == GBX_NOTIFY_KILL) {
                outcome->profile_kill = true;
                end_run(supervision, GBX_LIMIT_NONE);
        }
        if (outcome->denials.total > run->spec.limits.denials)
                end_run(supervision, GBX_LIMIT_DENIALS);
}

static void take_listener(struct supervision *supervision) {
        struct pollfd *channel = &supervision->watched[WATCH_CHANNEL];
        int fd = gbx_channel_receive(channel->fd, NULL);

        if (fd >= 0) /* otherwise the channel has ended: the listener was taken ahead, or there is no filter */
                supervision->watched[WATCH_LISTENER].fd = fd;
        channel->fd = -1; /* the descriptor itself is closed with the run */
}

static void handle(struct supervision *supervision) {
        const struct pollfd *watched = supervision->watched;
        uint64_t now = gbx_monotonic_us();

        if (watched[WATCH_CHANNEL].revents)
                take_listener(supervision);
        if (watched[WATCH_LISTENER].revents & POLLIN)
                answer_notification(supervision);
        else if (watched[WATCH_LISTENER].revents) /* nobody is left that the filter applies to */
                gbx_close_fd(&supervision->watched[WATCH_LISTENER].fd);
        if (watched[WATCH_CONNECTS].revents &&
            gbx_connect_answer(&supervision->connects, watched[WATCH_LISTENER].fd) < 0)
                supervision->watched[WATCH_CONNECTS].fd = -1;
        if (watched[WATCH_PIDS].revents || now >= supervision->next_pids_check_us)
                check_pids(supervision, now);
        if (watched[WATCH_GUARD].revents) {
                supervision->watched[WATCH_GUARD].fd = -1;
                supervision->guard_lost = true;
                end_run(supervision, GBX_LIMIT_NONE);
        }
        if (watched[WATCH_CLIENT].revents) { /* who gave the order has gone: nobody waits for the result */
                supervision->watched[WATCH_CLIENT].fd = -1;
                end_run(supervision, GBX_LIMIT_NONE);
        }
        if (watched[WATCH_CONTROL].revents) {
                supervision->watched[WATCH_CONTROL].fd = -1;
                supervision->outcome->cancelled |= !supervision->killed;
                end_run(supervision, GBX_LIMIT_NONE);
        }
        if (now >= supervision->started_us + supervision->run->spec.limits.wall_ms * 1000)
                end_run(supervision, GBX_LIMIT_WALL);
        check_cpu(supervision, now);
}

static int watch(struct supervision *supervision, struct gbx_error *err) {
        struct pollfd *watched = supervision->watched;

        for (;;) {
                if (poll(watched, WATCH_COUNT, timeout_ms(supervision, gbx_monotonic_us())) < 0 && errno != EINTR)
                        return gbx_fail_errno(err, "cannot watch the run");
                if (watched[WATCH_INIT].revents)
                        return 0;
                handle(supervision);
        }
}

/* Denials that init's end overtook. */
static void drain(struct supervision *supervision) {
        struct pollfd *listener = &supervision->watched[WATCH_LISTENER];

        if (supervision->watched[WATCH_CHANNEL].fd >= 0) {
                struct pollfd channel = { .fd = supervision->watched[WATCH_CHANNEL].fd, .events = POLLIN };

                if (poll(&channel, 1, 0) > 0 && (channel.revents & POLLIN))
                        take_listener(supervision);
        }
        gbx_close_fd(&listener->fd);
}

static void conclude(struct supervision *supervision) {
        struct gbx_outcome *outcome = supervision->outcome;
        const struct gbx_shared *shared = supervision->run->shared;

        outcome->wall_us = gbx_monotonic_us() - supervision->started_us;
        outcome->ended = atomic_load(&shared->ended);
        outcome->code = shared->job_code;
        outcome->status = shared->job_status;
        gbx_cgroup_usage(&supervision->run->cgroup, &outcome->cgroup);
        if (outcome->limit != GBX_LIMIT_NONE || outcome->cancelled)
                return;
        if (outcome->cgroup.oom_kills > 0 && !(outcome->ended && outcome->code == CLD_EXITED && outcome->status == 0))
                outcome->limit = GBX_LIMIT_MEMORY;
        else if (outcome->ended && outcome->code != CLD_EXITED && outcome->status == SIGXFSZ)
                outcome->limit = GBX_LIMIT_FILE;
        else if (outcome->ended && outcome->code != CLD_EXITED && outcome->status == SIGXCPU)
                outcome->limit = GBX_LIMIT_CPU;
}

/* Those that the run may use: it inherits our affinity. sysconf(3) would read a file of sysfs. */
static unsigned count_processors(void) {
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof set, &set) < 0)
                return CPU_SETSIZE;
        return (unsigned)CPU_COUNT(&set);
}

int gbx_supervise(struct gbx_run *run, struct gbx_guard *guard, uint64_t started_us, struct gbx_outcome *ret,
                  struct gbx_error *err) {
        struct supervision supervision = { .run = run, .guard = guard, .outcome = ret, .started_us = started_us };
        int r, status;

        supervision.processors = count_processors();
        supervision.next_cpu_check_us = started_us + run->spec.limits.cpu_ms * 1000 / supervision.processors;
        supervision.next_pids_check_us =
                run->cgroup.version == 1 && run->cgroup.pids_events >= 0 ? started_us + PIDS_CHECK_US : UINT64_MAX;
        supervision.watched[WATCH_INIT] = (struct pollfd){ .fd = run->init_pidfd, .events = POLLIN };
        supervision.watched[WATCH_GUARD] = (struct pollfd){ .fd = guard->pidfd, .events = POLLIN };
        supervision.watched[WATCH_CHANNEL] = (struct pollfd){ .fd = run->channel[0], .events = POLLIN };
        supervision.watched[WATCH_LISTENER] = (struct pollfd){ .fd = run->listener, .events = POLLIN };
        supervision.watched[WATCH_PIDS] = (struct pollfd){ .fd = run->cgroup.pids_events, .events = POLLPRI };
        supervision.connects.socket = run->spec.notify_connect_fd;
        supervision.watched[WATCH_CONNECTS] = (struct pollfd){ .fd = run->spec.notify_connect_fd, .events = POLLIN };
        supervision.watched[WATCH_CLIENT] = (struct pollfd){ .fd = run->client };
        supervision.watched[WATCH_CONTROL] = (struct pollfd){ .fd = run->control, .events = POLLIN };
        *ret = (struct gbx_outcome){};
        r = watch(&supervision, err);
        if (r < 0)
                (void)pidfd_send_signal(run->init_pidfd, SIGKILL, NULL, 0);
        while (wait4(run->init, &status, __WALL, &ret->usage) < 0)
                if (errno != EINTR)
                        return gbx_fail_errno(err, "cannot wait for the sandbox's init");
        gbx_stage("waited");
        drain(&supervision);
        conclude(&supervision);
        if (r < 0)
                return r;
        if (supervision.guard_lost)
                return gbx_fail(err, -ECHILD, "the guard was killed; the run was ended");
        if (!atomic_load(&run->shared->started)) {
                if (run->shared->error.code < 0) {
                        if (err)
                                *err = run->shared->error;
                        /* What the kernel finds invalid in there is a layer that it lacks, and no fault of the spec. */
                        return run->shared->error.code == -EINVAL ? -EOPNOTSUPP : run->shared->error.code;
                }
                if (!supervision.killed)
                        return gbx_fail(err, -ECHILD, "the sandbox's init ended before the job was started (status %d)",
                                        status);
        }
        return 0;
}
