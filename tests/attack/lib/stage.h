/*
 * The stage: what an attack needs around it
 *
 * A directory of its own below /var/tmp, an image directory, detached tmpfs mounts
 * as the gateway makes them, a process of the host to aim at, listeners to reach,
 * a terminal to type into. All of it ends with the stage.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <sys/types.h>

enum { STAGE_MAX_DESCRIPTORS = 64 };

struct stage {
        char directory[64];
        char marker[80]; /* a file that everybody on the host may read and write, and no job */
        char image[80];
        pid_t host_process; /* sleeps; for signals and tracing */
        int descriptors[STAGE_MAX_DESCRIPTORS]; /* to be inherited by the sandbox */
        size_t descriptor_count;
        int listeners[4];
        int port; /* of 127.0.0.1, ::1 (TCP) and 127.0.0.1 (UDP) */
        char abstract_name[32];
        char socket_path[96];
        int terminal; /* the job's side of a terminal, or -1 */
        int terminal_master;
};

int stage_open(struct stage *ret_stage, struct gbx_error *err);
void stage_close(struct stage *stage);

/* A detached tmpfs; with `program`, that file is in it as NAME. Returns its descriptor, which the stage owns. */
int stage_mount(struct stage *stage, const char *program, const char *name, struct gbx_error *err);

/* Keeps a descriptor for the sandbox and closes it with the stage. Returns it. */
int stage_keep(struct stage *stage, int fd);

/* Closes what was kept beyond the first `count`: the mounts of one run. */
void stage_drop(struct stage *stage, size_t count);

/* An image: directories for the mounts; in bin, two copies of `program`, one setuid root and one with a file
 * capability, and a file "pages" whose pages are not in memory. */
int stage_image(struct stage *stage, const char *program, struct gbx_error *err);

int stage_listen(struct stage *stage, struct gbx_error *err);

/* Opens a terminal and makes it the controlling one of this process, which must lead its session. */
int stage_terminal(struct stage *stage, struct gbx_error *err);

/* Leaks the host's "/" at many numbers, not close-on-exec. */
int stage_leak(struct stage *stage, struct gbx_error *err);

int stage_copy_file(const char *from, int to_directory, const char *to, struct gbx_error *err);
