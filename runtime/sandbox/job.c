#include "runtime/sandbox/job.h"

#include "base/cleanup.h"
#include "runtime/sandbox/identity.h"
#include "runtime/sandbox/init.h"
#include "runtime/sandbox/stage.h"
#include "runtime/sandbox/syscalls.h"

#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int enter_session(struct gbx_job *job, struct gbx_error *err) {
        static const int ignorable[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGCHLD, SIGTERM, SIGXFSZ, SIGUSR1, SIGUSR2,
                                         SIGTSTP, SIGTTIN, SIGTTOU };
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigset_t none;

        (void)job;
        for (size_t i = 0; i < gbx_array_size(ignorable); i++)
                (void)sigaction(ignorable[i], &action, NULL);
        (void)sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0)
                return gbx_fail_errno(err, "cannot begin a session");
        (void)umask(022);
        return 0;
}

static int become_user(struct gbx_job *job, struct gbx_error *err) {
        if (gbx_layer_off(&job->run->spec, GBX_LAYER_USER_IDENTITY))
                return 0;
        return gbx_identity_become_job(err);
}

static int set_resource_limits(struct gbx_job *job, struct gbx_error *err) {
        const struct gbx_spec_limits *limits = &job->run->spec.limits;
        const struct { int resource; rlim_t value; const char *name; } table[] = {
                { RLIMIT_NOFILE, limits->open_files, "limits.open_files" },
                { RLIMIT_FSIZE, limits->file_bytes, "limits.file_bytes" },
                { RLIMIT_CPU, limits->cpu_ms / 1000 + 2, "limits.cpu_ms" }, /* a second net below the supervisor */
                { RLIMIT_MSGQUEUE, 0, "RLIMIT_MSGQUEUE" },
                { RLIMIT_MEMLOCK, 0, "RLIMIT_MEMLOCK" },
                { RLIMIT_RTPRIO, 0, "RLIMIT_RTPRIO" },
                { RLIMIT_NICE, 0, "RLIMIT_NICE" },
        };
        struct rlimit core = { job->run->core_limit, job->run->core_limit };

        if (!gbx_layer_off(&job->run->spec, GBX_LAYER_CORE) && setrlimit(RLIMIT_CORE, &core) < 0)
                return gbx_fail_errno(err, "cannot set RLIMIT_CORE");
        if (gbx_layer_off(&job->run->spec, GBX_LAYER_RESOURCE_LIMITS))
                return 0;
        for (size_t i = 0; i < gbx_array_size(table); i++)
                if (sys_set_resource_limit(table[i].resource, table[i].value) < 0)
                        return gbx_fail_errno(err, "%s: the host refuses %llu", table[i].name,
                                              (unsigned long long)table[i].value);
        return 0;
}

/* keyctl(2) is refused to the job; should it get through, it finds an empty keyring and not ours. */
static int leave_keyrings(struct gbx_job *job, struct gbx_error *err) {
        (void)job;
        if (sys_keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
                return gbx_fail_errno(err, "cannot leave the session keyring");
        return 0;
}

static int forbid_privileges(struct gbx_job *job, struct gbx_error *err) {
        if (gbx_layer_off(&job->run->spec, GBX_LAYER_NO_NEW_PRIVILEGES))
                return 0;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot set no_new_privs");
        return 0;
}

static int enter_landlock(struct gbx_job *job, struct gbx_error *err) {
        if (job->run->landlock >= 0 && sys_landlock_restrict_self(GBX_INIT_LANDLOCK, 0) < 0)
                return gbx_fail_errno(err, "Landlock: cannot restrict the job");
        return 0;
}

static int enter_directory(struct gbx_job *job, struct gbx_error *err) {
        char found[512];

        if (chdir(job->run->spec.cwd) < 0)
                return gbx_fail_errno(err, "cwd: cannot enter '%s'", job->run->spec.cwd);
        if (syscall(SYS_getcwd, found, sizeof found) < 0 || found[0] != '/')
                return gbx_fail(err, -EPERM, "cwd: '%s' lies outside the sandbox's root", job->run->spec.cwd);
        return 0;
}

static int set_options(struct gbx_job *job, struct gbx_error *err) {
        const struct gbx_spec *spec = &job->run->spec;

        if (spec->options.core_scheduling &&
            prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD_GROUP, 0) < 0)
                return gbx_fail_errno(err, "options.core_scheduling: the kernel refuses (CONFIG_SCHED_CORE and SMT)");
        if (spec->options.coarse_timers && prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "options.coarse_timers: the kernel refuses (PR_SET_TSC)");
        return 0;
}

static int drop_capabilities(struct gbx_job *job, struct gbx_error *err) {
        if (gbx_layer_off(&job->run->spec, GBX_LAYER_CAPABILITIES))
                return 0;
        return gbx_identity_drop_capabilities(err);
}

static int hide_memory(struct gbx_job *job, struct gbx_error *err) {
        if (gbx_layer_off(&job->run->spec, GBX_LAYER_CORE))
                return 0;
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot make the process undumpable");
        return 0;
}

static int load_filter(struct gbx_job *job, struct gbx_error *err) {
        const struct gbx_filter *filter = job->run->filter;
        struct sock_fprog program = { filter->length, (struct sock_filter *)(uintptr_t)filter->program };

        if (gbx_layer_off(&job->run->spec, GBX_LAYER_SECCOMP))
                return 0;
        job->listener = sys_seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
        if (job->listener < 0)
                return gbx_fail_errno(err, "seccomp: cannot load the filter of profile '%s'", filter->name);
        return 0;
}

static int execute(struct gbx_job *job, struct gbx_error *err) {
        struct gbx_spec *spec = &job->run->spec;

        (void)sys_execveat(GBX_EXEC_DESCRIPTOR, (char *const *)(uintptr_t)spec->argv, spec->environment);
        return gbx_fail_errno(err, "argv[0]: cannot execute '%s'", spec->argv[0]);
}

/* A pool's: the rest of the job's sandbox is ready, tell init; go on when the order is in place. */
static int wait_for_order(struct gbx_job *job, struct gbx_error *err) {
        uint64_t word = 1;
        ssize_t n;

        (void)job;
        if (write(GBX_INIT_READY, &word, sizeof word) != sizeof word)
                return gbx_fail_errno(err, "cannot tell that the sandbox is ready");
        do
                n = read(GBX_INIT_GO, &word, sizeof word);
        while (n < 0 && errno == EINTR);
        return n == sizeof word ? 0 : gbx_fail_errno(err, "cannot wait for the order");
}

static int wait_early(struct gbx_job *job, struct gbx_error *err) {
        return job->run->order && job->run->late_confinement ? wait_for_order(job, err) : 0;
}

static int wait_late(struct gbx_job *job, struct gbx_error *err) {
        return job->run->order && !job->run->late_confinement ? wait_for_order(job, err) : 0;
}

int gbx_job_main(void *argument) {
        static int (*const steps[])(struct gbx_job *, struct gbx_error *) = {
                enter_session, become_user,       set_resource_limits, leave_keyrings,    enter_directory, set_options,
                wait_early,    forbid_privileges, enter_landlock,      drop_capabilities, hide_memory,     load_filter,
                wait_late,     execute,
        };
        const uint64_t word = 1;
        struct gbx_job *job = argument;
        struct gbx_error *err = &job->run->shared->error;

        gbx_stage("job");
        for (size_t i = 0; i < gbx_array_size(steps); i++) {
                int r;

                if (steps[i] == load_filter)
                        gbx_stage("confined");
                r = steps[i](job, err);

                if (r < 0) {
                        err->code = r;
                        break;
                }
        }
        if (job->run->order)
                (void)!write(GBX_INIT_READY, &word, sizeof word);
        _exit(1);
}
