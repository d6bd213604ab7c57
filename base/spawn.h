/*
 * Starting a program with exactly the descriptors it is given
 *
 * The child has the descriptors named, under the numbers named, and nothing
 * else that is open here; those of 0, 1 and 2 that are not named are
 * /dev/null. No signal is blocked, and each has its default action, whatever
 * the caller set. The program runs under the caller's user, in its directory
 * and with its limits and umask.
 *
 * Nothing of the caller's memory is in the child: it is made with CLONE_VM, as
 * posix_spawn(3) does, and has nothing of its own before the program is
 * executed. Safe in a process with threads.
 *
 *   const struct gbx_spawn_descriptor descriptors[] = { { in, 0 }, { out, 1 }, { 2, 2 } };
 *   gbx_auto(gbx_child_end) struct gbx_child child = GBX_NO_CHILD;
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { GBX_SPAWN_MAX_DESCRIPTORS = 64 };

struct gbx_spawn_descriptor {
        int here, there; /* equal: keeps its number; each `there` at most once */
};

struct gbx_spawn {
        const char *program; /* a path; a name without '/' is looked for in PATH */
        const char *package; /* the Debian package that has it, for the message when it is missing; NULL: Glovebox's own */
        const char *const *arguments;   /* ends with NULL; the first is the program's name */
        const char *const *environment; /* ends with NULL; NULL: an empty one */
        const struct gbx_spawn_descriptor *descriptors;
        size_t descriptor_count;
        bool own_group;        /* a process group of its own: what a terminal sends (^C, ^Z) does not reach it */
        bool dies_with_caller; /* SIGKILL as soon as the thread that started it ends */
};

/* A child of ours. Its pid is not given to another process before it was waited for; `fd` (a pidfd) never is. */
struct gbx_child {
        pid_t pid; /* 0: none */
        int fd;    /* readable once it has ended; close-on-exec */
};
#define GBX_NO_CHILD ((struct gbx_child){ 0, -1 })

/* How a process ended. */
struct gbx_ended {
        int status; /* of its exit; -1 if a signal ended it */
        int signal; /* 0 if it exited */
};

/* Errors name the program, and its package if it is not there: -ENOENT, -EACCES, whatever the system says, and -EINVAL
 * for a list of descriptors that makes no sense. */
int gbx_spawn(struct gbx_child *ret_child, const struct gbx_spawn *spawn, struct gbx_error *err);

/* Waits up to `milliseconds` (negative: as long as it takes), through EINTR. 0: it has ended, `child` is none again.
 * 1: it runs on. */
int gbx_child_wait(struct gbx_child *child, int milliseconds, struct gbx_ended *ret_ended, struct gbx_error *err);

/* Asks it to end (SIGTERM) and kills it if it has not after `milliseconds`. */
int gbx_child_stop(struct gbx_child *child, int milliseconds, struct gbx_ended *ret_ended, struct gbx_error *err);

/* Kills it, if there is one, and waits. */
void gbx_child_end(struct gbx_child *child);

static inline bool gbx_ended_well(const struct gbx_ended *ended) { return ended->signal == 0 && ended->status == 0; }
