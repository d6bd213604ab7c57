/* A job that fails, with a line, when something of who started the sandbox has reached it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>

static int bad;

static void check(int good, const char *what, long which) {
        if (!good) {
                bad = 1;
                printf("inherited: %s %ld\n", what, which);
        }
}

int main(void) {
        static const int unlimited[] = { RLIMIT_AS, RLIMIT_DATA };
        struct sigaction action;
        struct itimerval timer;
        struct rlimit limit;
        struct utsname name;
        sigset_t blocked;

        check(umask(0) == 022, "umask", 0);
        check(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0, "sigprocmask", 0);
        for (int i = 1; i < 65; i++) {
                check(sigismember(&blocked, i) != 1, "blocked signal", i);
                if (sigaction(i, NULL, &action) == 0)
                        check(action.sa_handler == SIG_DFL, "signal", i);
        }
        for (int i = ITIMER_REAL; i <= ITIMER_PROF; i++)
                if (getitimer(i, &timer) == 0)
                        check(timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0, "timer", i);
        for (unsigned i = 0; i < 2; i++)
                check(getrlimit(unlimited[i], &limit) == 0 && limit.rlim_cur == RLIM_INFINITY, "limit", unlimited[i]);
        check(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur == 8 * 1024 * 1024, "stack", (long)limit.rlim_cur);
        check(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur <= 1, "core", (long)limit.rlim_cur);
        check(uname(&name) == 0 && strcmp(name.machine, "i686") != 0 && strncmp(name.release, "2.6", 3) != 0, "personality", 0);
        for (int i = 3; i < 1000; i++)
                check(fcntl(i, F_GETFD) < 0, "descriptor", i);
        return bad;
}
