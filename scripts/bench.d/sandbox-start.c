/*
 * Starts a command many times, and says how long that took
 *
 *   sandbox-start COUNT IN-FLIGHT COMMAND [ARGUMENT]...
 *
 * A "{}" in an argument becomes the number of the start. Prints one line:
 * median and p99 in ms from start to exit, starts a second, processor time of
 * a start in ms (of everything waited for), greatest resident size in KiB.
 */
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_IN_FLIGHT = 64, MAX_ARGUMENTS = 64 };

extern char **environ;

static double now_ms(void) {
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static pid_t start(int number, char **command) {
        static char texts[MAX_ARGUMENTS][4096];
        char *arguments[MAX_ARGUMENTS + 1] = { NULL };
        pid_t pid;

        for (int i = 0; i < MAX_ARGUMENTS && command[i]; i++) {
                char *hole = strstr(command[i], "{}");

                arguments[i] = command[i];
                if (!hole)
                        continue;
                snprintf(texts[i], sizeof texts[i], "%.*s%d%s", (int)(hole - command[i]), command[i], number, hole + 2);
                arguments[i] = texts[i];
        }
        errno = posix_spawnp(&pid, arguments[0], NULL, NULL, arguments, environ);
        if (errno) {
                perror(arguments[0]);
                exit(1);
        }
        return pid;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

int main(int argc, char **argv) {
        int count, in_flight, started = 0, done = 0;
        pid_t pids[MAX_IN_FLIGHT] = { 0 };
        double begun[MAX_IN_FLIGHT], *times, first, last;
        struct rusage usage;

        if (argc < 4 || (count = atoi(argv[1])) < 1 || (in_flight = atoi(argv[2])) < 1 || in_flight > MAX_IN_FLIGHT)
                return 2;
        times = calloc((size_t)count, sizeof *times);
        first = now_ms();
        while (done < count) {
                int status, at = 0;
                pid_t pid;

                for (int i = 0; i < in_flight && started < count; i++)
                        if (pids[i] == 0) {
                                begun[i] = now_ms();
                                pids[i] = start(started++, argv + 3);
                        }
                pid = wait(&status);
                while (at < in_flight && pids[at] != pid)
                        at++;
                if (at == in_flight)
                        continue;
                if (status != 0) {
                        fprintf(stderr, "sandbox-start: %s ended with status 0x%x\n", argv[3], status);
                        return 1;
                }
                times[done++] = now_ms() - begun[at];
                pids[at] = 0;
        }
        last = now_ms();
        getrusage(RUSAGE_CHILDREN, &usage);
        qsort(times, (size_t)count, sizeof *times, compare);
        printf("%.3f %.3f %.0f %.3f %ld\n", times[count / 2], times[count * 99 / 100], count * 1e3 / (last - first),
               ((double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3) / count,
               usage.ru_maxrss);
        return 0;
}
