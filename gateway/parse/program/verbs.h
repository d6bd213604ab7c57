/*
 * The verbs of gbx-parse
 *
 * Each runs locked in: it has its input in memory, may compute, and may write
 * frames to one descriptor. A verb returns 0, or an error whose message is for
 * whoever handed the input in; main.c writes the frame that ends the answer.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/parse/parse.h"

struct gbx_verb_input {
        struct gbx_bytes bytes; /* what is to be read */
        struct gbx_bytes extra; /* what the verb is told besides; empty: nothing */
        int out;                /* where frames go */
};

struct gbx_verb {
        const struct gbx_parse_verb *limits; /* and its name */
        int (*run)(const struct gbx_verb_input *input, struct gbx_error *err);
};

int gbx_verb_archive(const struct gbx_verb_input *input, struct gbx_error *err);
int gbx_verb_values(const struct gbx_verb_input *input, struct gbx_error *err);
int gbx_verb_lua(const struct gbx_verb_input *input, struct gbx_error *err);
int gbx_verb_elf(const struct gbx_verb_input *input, struct gbx_error *err);

/* misbehave.c, of test builds: the next of its verbs, NULL behind the last. */
const struct gbx_verb *gbx_verb_misbehaving(size_t index);
