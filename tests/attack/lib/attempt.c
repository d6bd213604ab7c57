#include "tests/attack/lib/attempt.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ATTEMPT_SECONDS = 5 };

static bool outside;
static char **program_arguments;

bool attempts_outside(void) {
        return outside;
}

const char *attempts_argument(const char *name) {
        size_t length = strlen(name);

        for (char **argument = program_arguments; argument && *argument; argument++)
                if (strncmp(*argument, name, length) == 0 && (*argument)[length] == '=')
                        return *argument + length + 1;
        return NULL;
}

int attempts_result(long result) {
        return result < 0 ? errno : ATTEMPT_BREACH;
}

int attempts_reached(long result) {
        if (result >= 0)
                return ATTEMPT_BREACH;
        switch (errno) {
        case EPERM:
        case EACCES:
        case ENOSYS:
        case EAFNOSUPPORT:
        case ENOSPC: /* a limit on namespaces */
        case EROFS:
                return errno;
        default:
                return ATTEMPT_BREACH;
        }
}

static long system_call(const struct attempt *self) {
        const long *a = self->arguments;

        return syscall(self->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int attempts_call(const struct attempt *self) {
        return attempts_result(system_call(self));
}

int attempts_call_reached(const struct attempt *self) {
        return attempts_reached(system_call(self));
}

/* Outside, an attempt that works must not change the machine for others. */
static void isolate_control(const struct attempt *attempt) {
        if (!outside || (attempt->flags & ATTEMPT_KEEP_NAMES))
                return;
        if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                perror("control: cannot make namespaces for it");
                _exit(ECANCELED);
        }
}

/* Runs one attempt in a child. Returns a wait status. */
static int run_attempt(const struct attempt *attempt) {
        int status = 0;
        pid_t child;

        if (outside && (attempt->flags & ATTEMPT_NO_CONTROL))
                return ECANCELED << 8; /* would prove nothing, and might do harm */
        (void)fflush(NULL);
        child = fork();
        if (child < 0) /* no processes for this job: in this one, then */
                return (attempt->run(attempt) & 0xff) << 8;
        if (child == 0) {
                alarm(ATTEMPT_SECONDS);
                isolate_control(attempt);
                _exit(attempt->run(attempt));
        }
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return ECANCELED << 8;
        return status;
}

static bool kernel_lacks_it(int code) {
        return code == ENOSYS || code == EAFNOSUPPORT || code == EPROTONOSUPPORT || code == ESOCKTNOSUPPORT ||
               code == ENODEV;
}

static bool report(const struct attempt *attempt, int status) {
        const char *marks[] = { "", " +2", " -control", " +2 -control" };
        const char *mark = marks[attempt->flags & 3];
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

        if (WIFSIGNALED(status))
                (void)printf("stopped %s SIG%s%s\n", attempt->name, sigabbrev_np(WTERMSIG(status)), mark);
        else if (code == ATTEMPT_BREACH)
                (void)printf("BREACH %s worked%s\n", attempt->name, mark);
        else
                (void)printf("%s %s %s%s\n", outside && kernel_lacks_it(code) ? "absent" : "stopped", attempt->name,
                             strerrorname_np(code) ? strerrorname_np(code) : "?", mark);
        return WIFEXITED(status) && code == ATTEMPT_BREACH;
}

void attempts_begin(int argc, char **argv) {
        outside = argc > 1 && strcmp(argv[1], "--outside") == 0;
        program_arguments = argc > 0 ? argv + 1 : argv;
}

int attempts_run(const struct attempt table[], size_t count, int argc, char **argv) {
        bool breached = false;
        size_t tried = 0;
        const char *only;

        attempts_begin(argc, argv);
        only = attempts_argument("only");
        for (size_t i = 0; i < count; i++) {
                if (only && strcmp(only, table[i].name) != 0)
                        continue;
                if (attempts_argument("list"))
                        (void)printf("%s\n", table[i].name);
                else
                        breached |= report(&table[i], run_attempt(&table[i]));
                tried++;
        }
        (void)printf("done %zu\n", tried);
        return breached ? 1 : 0;
}
