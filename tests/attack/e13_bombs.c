/*
 * E13. A job that wants more than it was given ends at the limit that is named in
 * the result, and leaves nothing running. One mode a start:
 *
 *      fork memory memory-tmp pipes inodes descriptors flood spin spin-children
 *      sleep ignore-term daemon file locked-memory threads stack
 *
 * Layers: the cgroup (memory, pids, CPU), rlimits, limits of the tmpfs, the wall
 * clock, one kill for all.
 * Reference: isolate(1), cgroups(7), pid_namespaces(7).
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEBIBYTE = 1 << 20 };

/* Bombs that hit a limit with an errno print it and end, those that are killed print nothing more. */
static int say(const char *what, unsigned long count) {
        int saved = errno;

        (void)printf("reached %s %lu %s\n", what, count, strerrorname_np(saved) ? strerrorname_np(saved) : "?");
        (void)fflush(stdout);
        return saved;
}

static int bomb_fork(void) {
        unsigned long made = 0;

        for (;; made++) {
                pid_t child = fork();

                if (child == 0) {
                        (void)sleep(100);
                        _exit(0);
                }
                if (child < 0)
                        break;
        }
        (void)say("processes", made);
        for (int i = 0; i < 100000; i++) /* it does not give up */
                if (fork() == 0)
                        _exit(0);
        return 0;
}

static void *idle(void *nothing) {
        (void)sleep(100);
        return nothing;
}

static int bomb_threads(void) {
        unsigned long made = 0;
        pthread_t thread;
        pthread_attr_t small;

        (void)pthread_attr_init(&small);
        (void)pthread_attr_setstacksize(&small, 65536);
        while ((errno = pthread_create(&thread, &small, idle, NULL)) == 0)
                made++;
        return say("threads", made), 0;
}

static int bomb_memory(void) {
        for (unsigned long made = 0;; made++) {
                void *block = mmap(NULL, MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                if (block == MAP_FAILED)
                        return say("mebibytes", made), 0;
                memset(block, 1, MEBIBYTE);
        }
}

static int bomb_file(const char *directory, unsigned long mebibytes) {
        static char block[MEBIBYTE];
        char path[64];
        unsigned long made = 0;
        int fd;

        (void)snprintf(path, sizeof(path), "%s/large", directory);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        memset(block, 1, sizeof(block));
        (void)signal(SIGXFSZ, SIG_IGN);
        while (fd >= 0 && made < mebibytes && write(fd, block, sizeof(block)) == (ssize_t)sizeof(block))
                made++;
        return say("mebibytes", made), 0;
}

/* Pipes hold pages that nobody sees in a process's size. */
static int bomb_pipes(void) {
        static char block[65536];
        unsigned long made = 0;
        int ends[2];

        while (pipe2(ends, O_NONBLOCK) == 0) {
                (void)fcntl(ends[1], F_SETPIPE_SZ, MEBIBYTE);
                while (write(ends[1], block, sizeof(block)) > 0)
                        ;
                made++;
        }
        return say("pipes", made), 0;
}

static int bomb_inodes(void) {
        unsigned long made = 0;
        char path[32];
        int fd;

        for (;; made++) {
                (void)snprintf(path, sizeof(path), "/tmp/%lu", made);
                fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
                if (fd < 0)
                        return say("inodes", made), 0;
                (void)close(fd);
        }
}

static int bomb_descriptors(void) {
        unsigned long made = 0;

        while (dup(0) >= 0)
                made++;
        return say("descriptors", made), 0;
}

static int bomb_flood(void) {
        static char block[65536];

        memset(block, 'x', sizeof(block));
        while (write(STDOUT_FILENO, block, sizeof(block)) != 0)
                ;
        return 0;
}

static int bomb_spin(void) {
        for (volatile unsigned long i = 1; i; i++)
                ;
        return 0;
}

/* CPU time of all processes counts, not of one. */
static int bomb_spin_children(void) {
        for (int i = 0; i < 7; i++)
                if (fork() == 0)
                        (void)bomb_spin();
        return bomb_spin();
}

static int bomb_sleep(void) {
        while (pause() < 0)
                ;
        return 0;
}

static int bomb_ignore(void) {
        for (int number = 1; number < 65; number++)
                (void)signal(number, SIG_IGN);
        while (usleep(10000) == 0 || errno == EINTR)
                ;
        return 0;
}

/* The program ends; what it left behind, in a session of its own, must not. */
static int bomb_daemon(void) {
        if (fork() == 0) {
                (void)setsid();
                if (fork() == 0) {
                        for (int number = 1; number < 65; number++)
                                (void)signal(number, SIG_IGN);
                        (void)sleep(1000);
                }
                _exit(0);
        }
        (void)puts("reached daemon 1 ok");
        (void)usleep(50000);
        return 0;
}

static int bomb_locked(void) {
        void *block = mmap(NULL, (size_t)512 * MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (block == MAP_FAILED || mlock(block, (size_t)512 * MEBIBYTE) < 0)
                return say("locked", 0), 0;
        return bomb_memory();
}

static int recurse(int depth) {
        volatile char room[4096];

        room[0] = (char)depth;
        return depth < 0 ? 0 : recurse(depth + 1) + room[0];
}

static int bomb_stack(void) {
        return recurse(0);
}

static int bomb_memory_tmp(void) {
        return bomb_file("/tmp", 100000);
}

static int bomb_file_size(void) {
        return bomb_file("/out", 100000);
}

static const struct {
        const char *name;
        int (*run)(void);
} bombs[] = {
        { "fork", bomb_fork },
        { "threads", bomb_threads },
        { "memory", bomb_memory },
        { "memory-tmp", bomb_memory_tmp },
        { "file", bomb_file_size },
        { "pipes", bomb_pipes },
        { "inodes", bomb_inodes },
        { "descriptors", bomb_descriptors },
        { "flood", bomb_flood },
        { "spin", bomb_spin },
        { "spin-children", bomb_spin_children },
        { "sleep", bomb_sleep },
        { "ignore-term", bomb_ignore },
        { "daemon", bomb_daemon },
        { "locked-memory", bomb_locked },
        { "stack", bomb_stack },
};

int main(int argc, char **argv) {
        for (size_t i = 0; argc > 1 && i < sizeof(bombs) / sizeof(bombs[0]); i++)
                if (strcmp(argv[1], bombs[i].name) == 0)
                        return bombs[i].run();
        return EINVAL;
}
