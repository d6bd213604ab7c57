#include "base/process.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

enum { LEAST_STACK = 8 * 1024 * 1024, LEAST_LOCKED = 64 * 1024 };

/* Everything above `least` is good, but for the stack: how far a program may recurse must not depend on who starts it. */
static const struct {
        int resource;
        const char *name, *option; /* of ulimit */
        uint64_t least;            /* 0: the caller of gbx_process_start says */
} limits[] = {
        { RLIMIT_NOFILE, "RLIMIT_NOFILE", "n", 0 },
        { RLIMIT_FSIZE, "RLIMIT_FSIZE", "f", RLIM_INFINITY }, /* a log or a table must not end in its middle */
        { RLIMIT_CPU, "RLIMIT_CPU", "t", RLIM_INFINITY },
        { RLIMIT_AS, "RLIMIT_AS", "v", RLIM_INFINITY },       /* jobs are limited by their own control group */
        { RLIMIT_DATA, "RLIMIT_DATA", "d", RLIM_INFINITY },
        { RLIMIT_STACK, "RLIMIT_STACK", "s", LEAST_STACK },
        { RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", "l", LEAST_LOCKED }, /* keys are held in locked memory */
};

static const char *const removed_variables[] = {
        "POSIXLY_CORRECT",                              /* getopt(3) would take options behind arguments for arguments */
        "OPENSSL_CONF", "OPENSSL_CONF_INCLUDE",         /* the installation's, and nobody else's */
        "OPENSSL_MODULES", "OPENSSL_ENGINES",
        "SQLITE_TMPDIR",
};

/* A write to descriptor 1 then fails with EBADF, as it would have if nothing had come to lie there. */
static int open_standard_descriptors(struct gbx_error *err) {
        static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY };

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
                        return gbx_fail_errno(err, "cannot open /dev/null in place of a closed descriptor %d", fd);
        return 0;
}

/* After execve(2) a signal is ignored or has its default action. A C library keeps some numbers for itself, so the kernel is
 * asked; of its structure only the first field matters, the handler. */
static int reset_signals(struct gbx_error *err) {
        const struct sigaction ignore = { .sa_handler = SIG_IGN };
        const uint64_t standard[4] = { (uintptr_t)SIG_DFL };
        sigset_t none;

        for (int number = 1; number < NSIG; number++) {
                uint64_t now[4] = {};

                if (number == SIGHUP || number == SIGINT || number == SIGQUIT ||
                    syscall(SYS_rt_sigaction, number, NULL, now, sizeof(uint64_t)) < 0 || now[0] != (uintptr_t)SIG_IGN)
                        continue;
                if (syscall(SYS_rt_sigaction, number, standard, NULL, sizeof(uint64_t)) < 0)
                        return gbx_fail_errno(err, "cannot reset signal %d", number);
        }
        (void)sigemptyset(&none);
        if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                return gbx_fail_errno(err, "cannot set the signals");
        return 0;
}

static int stop_timers(struct gbx_error *err) {
        const struct itimerval off = {};

        if (setitimer(ITIMER_REAL, &off, NULL) < 0 || setitimer(ITIMER_VIRTUAL, &off, NULL) < 0 ||
            setitimer(ITIMER_PROF, &off, NULL) < 0)
                return gbx_fail_errno(err, "cannot stop inherited timers");
        return 0;
}

/* Straight from the kernel: glibc and musl declare the resources differently. */
static int exchange_limit(int resource, const uint64_t *set, uint64_t *get) {
        return (int)syscall(SYS_prlimit64, 0, resource, set, get);
}

static int raise_limit(size_t i, uint64_t least, struct gbx_error *err) {
        uint64_t pair[2], wanted; /* soft, hard */

        if (exchange_limit(limits[i].resource, NULL, pair) < 0)
                return gbx_fail_errno(err, "cannot read %s", limits[i].name);
        wanted = limits[i].resource == RLIMIT_STACK || pair[0] < least ? least : pair[0];
        if (wanted == pair[0] && pair[1] >= least)
                return 0;
        if (pair[1] < least)
                pair[1] = least; /* for this a privilege is needed */
        pair[0] = wanted;
        if (exchange_limit(limits[i].resource, pair, NULL) == 0)
                return 0;
        if (least == RLIM_INFINITY)
                return gbx_fail_errno(err, "%s is too low and cannot be raised; it has to be unlimited (ulimit -%s unlimited)",
                                      limits[i].name, limits[i].option);
        return gbx_fail_errno(err, "%s is too low and cannot be raised; it has to be at least %llu (ulimit -%s)", limits[i].name,
                              (unsigned long long)least, limits[i].option);
}

static int raise_limits(rlim_t open_files, struct gbx_error *err) {
        for (size_t i = 0; i < gbx_array_size(limits); i++) {
                int r = raise_limit(i, limits[i].least ? limits[i].least : (uint64_t)open_files, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int reset_personality(struct gbx_error *err) {
        const unsigned long ask = 0xffffffff;
        int now = personality(ask);

        if (now != PER_LINUX && (now < 0 || personality(PER_LINUX) < 0))
                return gbx_fail_errno(err, "cannot set the personality (setarch)");
        return 0;
}

int gbx_process_start(rlim_t open_files, struct gbx_error *err) {
        int r = open_standard_descriptors(err);

        if (r == 0)
                r = reset_signals(err);
        if (r == 0)
                r = stop_timers(err);
        if (r == 0)
                r = raise_limits(open_files, err);
        if (r == 0)
                r = reset_personality(err);
        if (r < 0)
                return r;
        (void)umask(077);
        for (size_t i = 0; i < gbx_array_size(removed_variables); i++)
                (void)unsetenv(removed_variables[i]);
        return 0;
}

int gbx_process_begin(const char *program, rlim_t open_files) {
        struct gbx_error err = {};
        int r = gbx_process_start(open_files, &err);

        if (r < 0) {
                (void)signal(SIGXFSZ, SIG_IGN); /* the message may be what is too long for a limited file */
                (void)fprintf(stderr, "%s: %s\n", program, err.message);
        }
        return r;
}

int gbx_process_finish(const char *program, int status) {
        int failed = ferror(stdout) ? EIO : 0; /* the reason is lost by now */

        if (fflush(stdout) != 0)
                failed = errno;
        if (!failed || status != GBX_EXIT_DONE)
                return status;
        (void)fprintf(stderr, "%s: cannot write to standard output: %s\n", program, strerror(failed));
        return GBX_EXIT_FAILED;
}
