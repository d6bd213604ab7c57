#include "runtime/sandbox/init.h"

#include "base/cleanup.h"
#include "runtime/sandbox/channel.h"
#include "runtime/sandbox/identity.h"
#include "runtime/sandbox/job.h"
#include "runtime/sandbox/mounts.h"
#include "runtime/sandbox/stage.h"
#include "runtime/sandbox/syscalls.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { JOB_STACK = 64 * 1024 };

static int wait_for_launcher(struct gbx_run *run, struct gbx_error *err) {
        uint64_t go;
        ssize_t n;

        do
                n = read(run->go[0], &go, sizeof go);
        while (n < 0 && errno == EINTR);
        return n == sizeof go ? 0 : gbx_fail(err, -EPIPE, "the launcher has gone away");
}

/* Should the launcher die, we die. Asked for again whenever our user has changed, which undoes it; and it may have died
 * before we asked. */
static int follow_launcher(struct gbx_run *run, struct gbx_error *err) {
        struct pollfd launcher = { .fd = run->launcher, .events = POLLIN };

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot ask for the launcher's death");
        if (poll(&launcher, 1, 0) != 0)
                return gbx_fail(err, -ECHILD, "the launcher has gone away");
        return 0;
}

static int set_names(struct gbx_run *run, struct gbx_error *err) {
        if (sethostname(run->spec.name, strlen(run->spec.name)) < 0 || setdomainname("", 0) < 0)
                return gbx_fail_errno(err, "cannot set the host name");
        return 0;
}

/* No user namespace below ours, filter or not. The file is that of the namespace one is in (namespaces(7)), and it is
 * the host's /proc that has it: the sandbox's own shows processes only. Where that is read-only, as in a container, one
 * of our own is used for it. */
static int forbid_user_namespaces(struct gbx_run *run, struct gbx_error *err) {
        static const char name[] = "sys/user/max_user_namespaces";
        gbx_auto(gbx_close_fd) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        gbx_auto(gbx_close_fd) int limit = openat(proc, name, O_WRONLY | O_CLOEXEC);

        (void)run;
        if (limit < 0) {
                gbx_auto(gbx_close_fd) int context = fsopen("proc", FSOPEN_CLOEXEC);

                gbx_close_fd(&proc);
                if (context >= 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                        proc = fsmount(context, FSMOUNT_CLOEXEC, 0);
                limit = openat(proc, name, O_WRONLY | O_CLOEXEC);
        }
        if (limit < 0 || write(limit, "0", 1) != 1)
                return gbx_fail_errno(err, "user_namespace: cannot forbid more of them (/proc/%s)", name);
        return 0;
}

static int enter_cgroup(struct gbx_run *run, struct gbx_error *err) {
        return gbx_cgroup_enter(&run->cgroup, err);
}

static int become_root(struct gbx_run *run, struct gbx_error *err) {
        return gbx_identity_enter(run, err);
}

static int move_to(int from, int to, const char *what, struct gbx_error *err) {
        if (from >= 0 && dup3(from, to, O_CLOEXEC) < 0)
                return gbx_fail_errno(err, "cannot place the descriptor of %s", what);
        return 0;
}

/* argv[0], looked up like the job would: inside the new root, through the mounts. */
static int open_program(struct gbx_run *run, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        gbx_auto(gbx_close_fd) int program = root < 0 ? -1 : sys_open_in_root(root, run->spec.argv[0], O_PATH);

        if (program < 0)
                return gbx_fail_errno(err, "argv[0]: cannot find '%s' in the sandbox", run->spec.argv[0]);
        return move_to(program, GBX_EXEC_DESCRIPTOR, "argv[0]", err);
}

/* Our own descriptors go where no job can have one. */
static int place_own(struct gbx_run *run, struct gbx_error *err) {
        int r = move_to(run->channel[1], GBX_INIT_CHANNEL, "the channel", err);

        if (r == 0)
                r = move_to(run->landlock, GBX_INIT_LANDLOCK, "the Landlock ruleset", err);
        return r;
}

static int place_descriptors(struct gbx_run *run, struct gbx_error *err) {
        int sources[GBX_SPEC_MAX_DESCRIPTORS + 3];

        for (size_t i = 0; i < run->spec.descriptor_count; i++) {
                const struct gbx_spec_descriptor *descriptor = &run->spec.descriptors[i];

                if (descriptor->outside == GBX_SPEC_CLOSED) {
                        gbx_auto(gbx_close_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

                        sources[i] = null < 0 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, GBX_INIT_SOURCES);
                } else {
                        sources[i] = fcntl(descriptor->outside, F_DUPFD_CLOEXEC, GBX_INIT_SOURCES);
                }
                if (sources[i] < 0)
                        return gbx_fail_errno(err, "cannot copy the descriptor for the job's %d", descriptor->inside);
        }
        for (size_t i = 0; i < run->spec.descriptor_count; i++)
                if (dup2(sources[i], run->spec.descriptors[i].inside) < 0)
                        return gbx_fail_errno(err, "cannot place the job's descriptor %d",
                                              run->spec.descriptors[i].inside);
        return 0;
}

static bool is_passed(const struct gbx_spec *spec, unsigned number) {
        for (size_t i = 0; i < spec->descriptor_count; i++)
                if ((unsigned)spec->descriptors[i].inside == number)
                        return true;
        return false;
}

/* Closes all but the job's descriptors and our own. A failure ends the run: nothing may leak (CVE-2024-21626). */
static int close_descriptors(struct gbx_run *run, struct gbx_error *err) {
        unsigned first = 0;

        if (gbx_layer_off(&run->spec, GBX_LAYER_CLOSE_DESCRIPTORS))
                return 0;
        for (unsigned number = 0; number <= GBX_SPEC_MAX_DESCRIPTOR + 1; number++) {
                bool last = number == GBX_SPEC_MAX_DESCRIPTOR + 1;
                unsigned end = last ? GBX_INIT_OWN : number;

                if (!last && !is_passed(&run->spec, number))
                        continue;
                if (end > first && close_range(first, end - 1, 0) < 0)
                        return gbx_fail_errno(err, "cannot close descriptors %u to %u", first, end - 1);
                first = end + 1;
        }
        if (close_range(GBX_EXEC_DESCRIPTOR + 1, ~0U, 0) < 0)
                return gbx_fail_errno(err, "cannot close descriptors from %d on", GBX_EXEC_DESCRIPTOR + 1);
        return 0;
}

static int start_job(struct gbx_run *run, pid_t *ret_job, struct gbx_error *err) {
        static _Alignas(64) char stack[JOB_STACK];
        struct gbx_job job = { .run = run, .listener = -1 };
        pid_t pid = clone(gbx_job_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &job);

        if (pid < 0)
                return gbx_fail_errno(err, "cannot start the job's process");
        if (run->shared->error.code < 0)
                return run->shared->error.code;
        atomic_store(&run->shared->started, 1);
        *ret_job = pid;
        gbx_stage("started");
        if (job.listener >= 0)
                return gbx_channel_send(GBX_INIT_CHANNEL, job.listener, err);
        return 0;
}

static int run_order(struct gbx_run *run, pid_t *ret_job, struct gbx_error *err);

struct step {
        const char *stage;
        int (*take)(struct gbx_run *run, struct gbx_error *err);
};

static int take_steps(struct gbx_run *run, const struct step *steps, size_t count, struct gbx_error *err) {
        for (size_t i = 0; i < count; i++) {
                int r;

                gbx_stage(steps[i].stage);
                r = steps[i].take(run, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What every run begins with, and what follows when the whole spec is known: for a pool, when the order came. */
static const struct step common_steps[] = {
        { "init", follow_launcher },     { "forbidding", forbid_user_namespaces },
        { "entering", enter_cgroup },    { "mounting", gbx_mounts_attach },
        { "mounted", wait_for_launcher }, { "mapped", become_root },
        { "identified", follow_launcher }, { "followed", set_names },
        { "named", place_own },
};
static const struct step last_steps[] = {
        { "owned", open_program },
        { "opened", place_descriptors },
        { "placed", close_descriptors },
};

static int set_up(struct gbx_run *run, pid_t *ret_job, struct gbx_error *err) {
        int r = take_steps(run, common_steps, gbx_array_size(common_steps), err);

        if (r == 0 && run->order)
                return run_order(run, ret_job, err);
        if (r == 0)
                r = take_steps(run, last_steps, gbx_array_size(last_steps), err);
        gbx_stage("closed");
        return r < 0 ? r : start_job(run, ret_job, err);
}

/* --- a pool's sandbox --- */

/* Waits for one of our own descriptors; -ECHILD if the job's process is killed meanwhile. */
static int wait_beside_job(int fd, int job_pidfd, struct gbx_error *err) {
        struct pollfd watched[] = { { .fd = fd, .events = POLLIN }, { .fd = job_pidfd, .events = POLLIN } };

        while (poll(watched, gbx_array_size(watched), -1) < 0)
                if (errno != EINTR)
                        return gbx_fail_errno(err, "cannot wait for the job's process");
        return watched[0].revents ? 0 : gbx_fail(err, -ECHILD, "the job's process was killed before it had an order");
}

/* The job's process, confined as far as can be ahead of its order; see wait_for_order in job.c. */
static int prepare_job(struct gbx_run *run, struct gbx_job *job, pid_t *ret_job, int *ret_pidfd, struct gbx_error *err) {
        static _Alignas(64) char stack[JOB_STACK];
        gbx_auto(gbx_close_fd) int ready = eventfd(0, EFD_CLOEXEC);
        gbx_auto(gbx_close_fd) int go = eventfd(0, EFD_CLOEXEC);
        int r;

        if (ready < 0 || go < 0)
                return gbx_fail_errno(err, "cannot make an eventfd");
        r = move_to(ready, GBX_INIT_READY, "the job's readiness", err);
        if (r == 0)
                r = move_to(go, GBX_INIT_GO, "the job's start", err);
        if (r < 0)
                return r;
        *job = (struct gbx_job){ .run = run, .listener = -1, .tid = 1 };
        *ret_job = clone(gbx_job_main, stack + sizeof stack, CLONE_VM | CLONE_FILES | CLONE_PIDFD | CLONE_CHILD_CLEARTID | SIGCHLD,
                         job, ret_pidfd, NULL, &job->tid);
        if (*ret_job < 0)
                return gbx_fail_errno(err, "cannot start the job's process");
        r = wait_beside_job(GBX_INIT_READY, *ret_pidfd, err);
        return r < 0 ? r : run->shared->error.code;
}

/* Lets the job's process execute, and waits until it has, or has failed to. */
static int release_job(struct gbx_run *run, struct gbx_job *job, struct gbx_error *err) {
        const uint64_t word = 1;

        if (write(GBX_INIT_GO, &word, sizeof word) != sizeof word)
                return gbx_fail_errno(err, "cannot let the job go on");
        while (__atomic_load_n(&job->tid, __ATOMIC_ACQUIRE) != 0)
                (void)syscall(SYS_futex, &job->tid, FUTEX_WAIT, 1, NULL, NULL, 0);
        return run->shared->error.code;
}

static int run_order(struct gbx_run *run, pid_t *ret_job, struct gbx_error *err) {
        int received[GBX_ORDER_DESCRIPTORS], count, pidfd = -1, r;
        struct gbx_job job;

        r = prepare_job(run, &job, ret_job, &pidfd, err);
        if (r == 0)
                r = gbx_channel_send(GBX_INIT_CHANNEL, job.listener, err); /* -1: no more than "ready" */
        gbx_stage("waiting");
        if (r == 0)
                r = wait_beside_job(GBX_INIT_CHANNEL, pidfd, err);
        if (r < 0)
                return r;
        count = gbx_channel_receive_all(GBX_INIT_CHANNEL, received, GBX_ORDER_DESCRIPTORS, err);
        if (count < 0)
                return count;
        gbx_stage("ordered");
        gbx_order_apply(run->order, &run->spec, received);
        r = gbx_mounts_attach_later(run, received, err);
        if (r == 0)
                r = take_steps(run, last_steps, gbx_array_size(last_steps), err);
        if (r == 0)
                r = release_job(run, &job, err);
        if (r < 0)
                return r;
        atomic_store(&run->shared->started, 1);
        gbx_stage("started");
        return run->late_confinement && job.listener >= 0 ? gbx_channel_send(GBX_INIT_CHANNEL, job.listener, err) : 0;
}

void gbx_init_main(struct gbx_run *run) {
        struct gbx_shared *shared = run->shared;
        struct gbx_error err = {};
        siginfo_t info = {};
        pid_t job = 0;
        int r = set_up(run, &job, &err);

        if (r < 0) {
                if (shared->error.code == 0)
                        shared->error = err;
                shared->error.code = r;
                _exit(1);
        }
        if (gbx_identity_drop_capabilities(&err) < 0 || close_range(0, ~0U, 0) < 0)
                _exit(1);
        gbx_stage("reaping");
        while (waitid(P_ALL, 0, &info, WEXITED) == 0 || errno == EINTR) {
                if (info.si_pid != job)
                        continue;
                shared->job_code = info.si_code;
                shared->job_status = info.si_status;
                atomic_store(&shared->ended, 1);
                gbx_stage("reaped");
                _exit(0);
        }
        _exit(1);
}
