/* What an operation gives before its answer: progress on a terminal, turns of one that goes on, bytes. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/api/operation.h"
#include "gateway/cli/invocation.h"

#include <stdio.h>

struct gbx_output {
        const struct gbx_invocation *invocation;
        struct gbx_sink sink;
        struct gbx_buffer bytes; /* with --json: they become a member of the answer */
        FILE *file;              /* --out; NULL: standard output */
        bool progress;           /* a bar stands on the terminal */
};

/* Opens --out, where the operation gives bytes and it was named. `output` stays where it is. */
int gbx_output_begin(struct gbx_output *output, const struct gbx_invocation *invocation, struct gbx_error *err);
/* Puts the bytes into the answer, or ends the file. */
int gbx_output_finish(struct gbx_output *output, json_t *answer, struct gbx_error *err);
void gbx_output_end(struct gbx_output *output);
