#include "runtime/sandbox/prepare.h"

#include "base/cleanup.h"
#include "runtime/sandbox/identity.h"
#include "runtime/sandbox/init.h"
#include "runtime/sandbox/mounts.h"
#include "runtime/sandbox/ordinary.h"
#include "runtime/sandbox/stage.h"
#include "runtime/sandbox/supervise.h"
#include "runtime/sandbox/syscalls.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { DESCRIPTORS_NEEDED = GBX_EXEC_DESCRIPTOR + 1, DESCRIPTORS_WANTED = 64 * 1024 };

/* A memory image of the job must not reach the host, not even through a core_pattern that is a pipe (core(5)):
 * a limit of 0 stops files, and a limit of 1 is what the kernel takes as "no pipe either". */
static int check_core_pattern(struct gbx_run *run, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
        char first = 0;

        if (fd < 0 || read(fd, &first, 1) < 0)
                return gbx_fail_errno(err, "cannot read /proc/sys/kernel/core_pattern");
        run->core_limit = 0;
        run->layers.no_core_dumps = true;
        if (first != '|' && first != '@')
                return 0;
        if (first == '@')
                return gbx_fail(err, -EPERM, "core dumps go to a socket here; set kernel.core_pattern to a file name");
        if (run->spec.options.core_pattern_pipe == GBX_CORE_PIPE_REFUSE)
                return gbx_fail(err, -EPERM, "core dumps go to a pipe here, which RLIMIT_CORE=0 does not stop; set "
                                             "kernel.core_pattern to a file name, or options.core_pattern_pipe to "
                                             "'suppress'");
        run->core_limit = 1;
        return 0;
}

/* Init keeps its own descriptors at fixed high places. And the kernel counts those on their way through sockets against
 * the sender's limit, all of a user's together, so a pool needs more. */
static int raise_descriptor_limit(struct gbx_error *err) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return gbx_fail_errno(err, "cannot read RLIMIT_NOFILE");
        if (limit.rlim_cur >= DESCRIPTORS_WANTED)
                return 0;
        if (limit.rlim_max < DESCRIPTORS_NEEDED)
                return gbx_fail(err, -EMFILE, "RLIMIT_NOFILE: at least %d descriptors are needed (ulimit -Hn)",
                                DESCRIPTORS_NEEDED);
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
        return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? gbx_fail_errno(err, "cannot set RLIMIT_NOFILE") : 0;
}

static int open_channels(struct gbx_run *run, struct gbx_error *err) {
        run->go[0] = eventfd(0, EFD_CLOEXEC);
        if (run->go[0] < 0)
                return gbx_fail_errno(err, "cannot make an eventfd");
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, run->channel) < 0)
                return gbx_fail_errno(err, "cannot make a socket pair");
        return 0;
}

/* The run's network namespace is entered by the launcher itself, so that the job's user namespace has no power over
 * it: it belongs to the launcher's. */
static int enter_network(struct gbx_run *run, struct gbx_guard *guard, struct gbx_error *err) {
        if (gbx_layer_off(&run->spec, GBX_LAYER_NETWORK))
                return 0;
        run->network = run->spec.network_fd >= 0 ? run->spec.network_fd : gbx_guard_network(guard, err);
        if (run->network < 0)
                return run->network;
        if (setns(run->network, CLONE_NEWNET) < 0)
                return gbx_fail_errno(err, "network.fd: cannot enter the network namespace");
        return 0;
}

static int clone_init(struct gbx_run *run, struct gbx_error *err) {
        const unsigned namespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |
                                    CLONE_NEWCGROUP | CLONE_NEWTIME;
        struct clone_args arguments = {
                .flags = namespaces | (unsigned)CLONE_PIDFD,
                .pidfd = (uintptr_t)&run->init_pidfd,
                .exit_signal = SIGCHLD,
        };

        if (gbx_layer_off(&run->spec, GBX_LAYER_PID_NAMESPACE))
                arguments.flags &= ~(uint64_t)CLONE_NEWPID;
        if (gbx_layer_off(&run->spec, GBX_LAYER_IPC_NAMESPACE))
                arguments.flags &= ~(uint64_t)CLONE_NEWIPC;
        if (run->cgroup.version == 2) {
                arguments.flags |= (uint64_t)CLONE_INTO_CGROUP;
                arguments.cgroup = (unsigned)run->cgroup.directories[0];
        }
        run->init = sys_clone3(&arguments);
        if (run->init == 0)
                gbx_init_main(run);
        if (run->init < 0) {
                int r = gbx_fail_errno(err, "cannot make the namespaces (clone3 with user, pid, mount, ipc, uts, cgroup "
                                            "and time; see user.max_*_namespaces and `gbx-sandbox check`)");

                return r == -EINVAL ? -EOPNOTSUPP : r;
        }
        return 0;
}

static int prepare(struct gbx_run *run, struct gbx_guard *guard, struct gbx_error *err) {
        const struct gbx_cgroup_limits limits = {
                .memory_bytes = run->spec.limits.memory_bytes,
                .pids = run->spec.limits.pids + 1, /* init */
                .cpu_percent = run->spec.limits.cpu_percent,
        };
        bool with_cgroup = !gbx_layer_off(&run->spec, GBX_LAYER_CGROUP);
        int r = check_core_pattern(run, err);

        if (r == 0)
                r = raise_descriptor_limit(err);
        if (r == 0 && with_cgroup)
                r = gbx_cgroup_plan(&run->cgroup, run->spec.name, run->spec.options.cgroup, run->user,
                                    limits.cpu_percent > 0, err);
        if (r == 0)
                r = gbx_guard_start(guard, run, run->spec.network_fd < 0, err);
        gbx_stage("guarded");
        if (r == 0)
                r = open_channels(run, err);
        if (r == 0)
                r = gbx_mounts_prepare(run, err);
        gbx_stage("prepared");
        if (r == 0 && with_cgroup)
                r = gbx_cgroup_create(&run->cgroup, &limits, err);
        gbx_stage("limited");
        if (r == 0)
                r = enter_network(run, guard, err);
        gbx_stage("networked");
        return r;
}

int gbx_prepare_launch(struct gbx_run *run, struct gbx_guard *guard, uint64_t *ret_started_us, struct gbx_error *err) {
        const uint64_t go = 1;
        int r = prepare(run, guard, err);

        if (r < 0)
                return r;
        *ret_started_us = gbx_monotonic_us();
        r = clone_init(run, err);
        if (r < 0)
                return r;
        gbx_stage("cloned");
        gbx_close_fd(&run->channel[1]);
        r = gbx_identity_map(run->init, run->outside_id, err);
        if (r == 0 && write(run->go[0], &go, sizeof go) != sizeof go)
                r = gbx_fail_errno(err, "cannot let init go on");
        gbx_stage("went");
        if (r == 0)
                r = gbx_identity_drop_capabilities(err);
        gbx_stage("launched");
        return r;
}

int gbx_prepare_begin(struct gbx_run *run, struct gbx_error *err) {
        run->filter = gbx_filter_find(run->spec.profile);
        if (!run->filter)
                return gbx_fail(err, -EINVAL, "profile: there is no profile '%.40s' (`gbx-sandbox profiles` lists them)",
                                run->spec.profile);
        run->user = getuid();
        run->ordinary = run->user != 0;
        if (run->ordinary) {
                uint32_t count = 0;
                int r = gbx_ordinary_enter(&count, err);

                if (r < 0)
                        return r;
                run->outside_id = gbx_identity_range_of(getpid(), count);
        } else {
                run->outside_id = gbx_identity_range(getpid());
        }
        run->shared = mmap(NULL, sizeof *run->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (run->shared == MAP_FAILED)
                return gbx_fail_errno(err, "cannot map the shared page");
        return 0;
}
