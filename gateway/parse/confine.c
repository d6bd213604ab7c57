#include "gateway/parse/confine.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The end of what a child writes: whether it succeeded, and what it has to say. */
struct verdict {
        int code;
        char message[sizeof((struct gbx_error *)0)->message];
};

static void free_filter(scmp_filter_ctx *filter) {
        if (*filter)
                seccomp_release(*filter);
}

/* --- the child -------------------------------------------------------------------- */

static int limit(int resource, rlim_t soft, rlim_t hard, struct gbx_error *err) {
        struct rlimit both = { soft, hard };

        return setrlimit((__rlimit_resource_t)resource, &both) < 0 ? gbx_fail_errno(err, "cannot limit a child") : 0;
}

/* Bytes of address space in use, from /proc/self/statm. */
static int mapped_bytes(uint64_t *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        unsigned long long pages;
        char *end;
        int r = gbx_read_file(AT_FDCWD, "/proc/self/statm", 4096, &text, err);

        if (r < 0)
                return r;
        pages = strtoull(gbx_buffer_text(&text), &end, 10);
        if (*end != ' ')
                return gbx_fail(err, -EIO, "/proc/self/statm cannot be understood");
        *ret = pages * (uint64_t)sysconf(_SC_PAGESIZE);
        return 0;
}

#ifdef __SANITIZE_ADDRESS__
enum { LIMIT_ADDRESS_SPACE = 0 }; /* the address sanitizer needs its terabytes */
#else
enum { LIMIT_ADDRESS_SPACE = 1 };
#endif

static int set_limits(const struct gbx_confine_limits *limits, struct gbx_error *err) {
        uint64_t mapped = 0;
        int r = mapped_bytes(&mapped, err);

        if (r == 0 && LIMIT_ADDRESS_SPACE)
                r = limit(RLIMIT_AS, mapped + limits->memory_bytes, mapped + limits->memory_bytes, err);
        if (r == 0)
                r = limit(RLIMIT_CPU, limits->cpu_seconds, limits->cpu_seconds + 1, err); /* SIGXCPU, then SIGKILL */
        if (r == 0)
                r = limit(RLIMIT_CORE, 0, 0, err);
        if (r == 0)
                r = limit(RLIMIT_FSIZE, 0, 0, err);
        (void)alarm(10 * limits->cpu_seconds); /* should it ever wait for something */
        return r;
}

/* What is not allowed fails with EPERM: a C library that looks for a time zone, say, goes on without. */
static int allow_computing_only(int out, struct gbx_error *err) {
        static const int calls[] = {
                SCMP_SYS(brk),          SCMP_SYS(munmap),          SCMP_SYS(mremap),        SCMP_SYS(madvise),
                SCMP_SYS(futex),        SCMP_SYS(clock_gettime),   SCMP_SYS(gettimeofday),  SCMP_SYS(getrandom),
                SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),  SCMP_SYS(exit),          SCMP_SYS(exit_group),
                SCMP_SYS(sched_yield),  SCMP_SYS(restart_syscall), SCMP_SYS(getpid),        SCMP_SYS(gettid),
                SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),
        };
        const struct scmp_arg_cmp no_code = { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 };
        const struct scmp_arg_cmp no_file = { 3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS };
        const struct scmp_arg_cmp own_process = { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 };
        const struct scmp_arg_cmp the_pipe = { 0, SCMP_CMP_EQ, (scmp_datum_t)out, 0 };
        gbx_auto(free_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        int r = filter ? 0 : -ENOMEM;

        for (size_t i = 0; i < gbx_array_size(calls) && r == 0; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        /* abort() signals its own process; memory cannot become code; there is one place to write to. */
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, own_process);
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, no_code, no_file);
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_code);
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, the_pipe);
        if (r == 0)
                r = seccomp_load(filter);
        return r < 0 ? gbx_fail(err, r, "cannot load a seccomp filter: %s", strerror(-r)) : 0;
}

static int confine(int out, const struct gbx_confine_limits *limits, struct gbx_error *err) {
        int r = set_limits(limits, err);

        if (r < 0)
                return r;
        if ((out > 0 && close_range(0, (unsigned)out - 1, 0) < 0) || close_range((unsigned)out + 1, ~0U, 0) < 0)
                return gbx_fail_errno(err, "cannot close a child's descriptors");
        if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot confine a child");
        return allow_computing_only(out, err);
}

static _Noreturn void child_main(gbx_confine_function work, void *context, int out,
                                 const struct gbx_confine_limits *limits, pid_t parent) {
        struct gbx_error error = {};
        struct verdict verdict = {};
        int r;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int number = 1; number < NSIG; number++)
                (void)signal(number, SIG_DFL); /* the caller's handlers are not for here */
        r = getppid() == parent ? confine(out, limits, &error) : -ECHILD;
        if (r == 0)
                r = work(context, out, &error);
        verdict.code = r < 0 ? r : 0;
        memcpy(verdict.message, error.message, sizeof verdict.message);
        r = gbx_write_all(out, &verdict, sizeof verdict, NULL);
        for (;;) /* not _exit(): the leak checker of a test build hooks it, and wants threads and files */
                (void)syscall(SYS_exit_group, r < 0 ? 1 : 0);
}

/* --- the parent ---------------------------------------------------------------------- */

static int child_ended(int status, struct gbx_error *err) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
                return gbx_fail(err, -EDQUOT, "it takes more computing than is allowed");
        if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGALRM))
                return gbx_fail(err, -EDQUOT, "its reader was killed at a limit");
        if (WIFSIGNALED(status))
                return gbx_fail(err, -EINVAL, "its reader died (%s)", strsignal(WTERMSIG(status)));
        return gbx_fail(err, -EIO, "its reader ended with status %d", WEXITSTATUS(status));
}

/* The verdict stands behind the output. */
static int take_verdict(struct gbx_buffer *output, struct gbx_error *err) {
        struct verdict verdict;

        if (output->size < sizeof verdict)
                return gbx_fail(err, -EINVAL, "its reader ended without a word");
        output->size -= sizeof verdict;
        memcpy(&verdict, output->data + output->size, sizeof verdict);
        output->data[output->size] = 0;
        verdict.message[sizeof verdict.message - 1] = '\0';
        if (verdict.code < 0)
                return gbx_fail(err, verdict.code, "%s", verdict.message);
        return 0;
}

int gbx_confine_run(gbx_confine_function work, void *context, struct gbx_confine_limits limits,
                    struct gbx_buffer *ret_output, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer output = {};
        gbx_auto(gbx_close_fd) int in = -1, out = -1;
        pid_t child, parent = getpid();
        int ends[2], status = 0, r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return gbx_fail_errno(err, "cannot make a pipe");
        in = ends[0];
        out = ends[1];
        child = fork();
        if (child < 0)
                return gbx_fail_errno(err, "cannot fork");
        if (child == 0)
                child_main(work, context, out, &limits, parent);
        gbx_close_fd(&out);
        r = gbx_read_fd(in, limits.output_bytes + sizeof(struct verdict), &output, err);
        gbx_close_fd(&in); /* a child that writes too much dies of it */
        if (r == -EFBIG)
                r = gbx_fail(err, -EDQUOT, "it has more than the %zu bytes allowed", limits.output_bytes);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
        if (r == 0)
                r = child_ended(status, err);
        if (r == 0)
                r = take_verdict(&output, err);
        return r < 0 ? r : gbx_buffer_append(ret_output, output.data, output.size, err);
}
