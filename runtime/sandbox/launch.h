/*
 * Calling gbx-sandbox from another program
 *
 * Starts the launcher with a spec (docs/sandbox.md), hands it the named
 * descriptors, reads what comes back on pipes while it runs, and returns the
 * result object. The launcher is a program of its own, so that neither secrets
 * nor the address layout of the caller are inherited by a job.
 *
 * The launcher holds one end of a pipe whose other end is here: should this
 * process end, however, the sandbox ends with it and leaves nothing.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A pipe that is read to its end while the sandbox runs. Close-on-exec. */
struct gbx_launch_pipe {
        int read_end;
        int write_end; /* named in the spec; closed here as soon as the launcher has it */
        size_t limit;  /* bytes taken; what comes behind is read and thrown away */
        void (*take)(void *userdata, const char *data, size_t size); /* NULL: thrown away */
        void *userdata;
        size_t taken;   /* out: bytes given to `take` */
        bool truncated; /* out: there was more than `limit` */
};

struct gbx_launch {
        const char *program; /* path of gbx-sandbox */
        const json_t *spec;
        const int *descriptors; /* named in the spec; stay open in the caller */
        size_t descriptor_count;
        struct gbx_launch_pipe *pipes;
        size_t pipe_count;
        int cancel; /* once this can be read, the run is ended and its outcome "cancelled"; 0: cannot be */
};

/* Opens the pipe of a gbx_launch_pipe. */
int gbx_launch_pipe_open(struct gbx_launch_pipe *ret_pipe, size_t limit, void (*take)(void *, const char *, size_t),
                         void *userdata, struct gbx_error *err);
void gbx_launch_pipe_close(struct gbx_launch_pipe *pipe);

/* Runs one job to its end. `ret_result` is the caller's to json_decref. A job that fails is a result, not an
 * error; errors are a spec that was refused (-EINVAL) and layers that could not be set up (-ECANCELED), with the
 * launcher's own message. */
int gbx_launch_run(struct gbx_launch *launch, json_t **ret_result, struct gbx_error *err);
