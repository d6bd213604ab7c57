/*
 * Judging what an attack program printed (see attempt.h for the lines) and how
 * the sandbox says it ended.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum judge_mode {
        JUDGE_CONTROL, /* attempts must work */
        JUDGE_STOPPED, /* attempts must not work */
        JUDGE_PLAIN,   /* only printed */
};

struct judgement {
        enum judge_mode mode;
        const char *program, *profile;
        const char *expect;   /* "exited:0", "limit:memory", "limit:wall,cpu", ...; NULL: exited */
        const char *unproven; /* names, comma separated, that need not work in the control */
        const char *known;    /* names that may work inside: residual risk that the manual states */
        unsigned required;    /* attempts that must have been reported, one by one */
        bool reduced;         /* a layer is off: judge only what two layers must stop */
        char *output;
        size_t output_size;
        char refusal[1024]; /* the launcher's message, when it refused to start */
        json_t *result;
};

bool judge_mode(struct judgement *judgement, const char *word);

/* Appends output; has the type that a gbx_launch_pipe wants. */
void judge_take(void *judgement, const char *data, size_t size);
void judge_refused(struct judgement *judgement, const char *message);
void judge_result(struct judgement *judgement, json_t *result);

/* The whole run was killed for this attempt, so the program could not say so itself. */
void judge_killed(struct judgement *judgement, const char *attempt);

/* Prints what is wrong (or one line that says what was proven) and returns whether all is well. */
bool judge_verdict(struct judgement *judgement, const json_t *without);
