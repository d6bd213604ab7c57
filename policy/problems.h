/*
 * Lists of problems in a file that a person wrote
 *
 * A reader of policies, schemas or rules goes on after a mistake, so that its
 * author sees all of them at once, each with file, line and column. A list
 * stops growing at GBX_PROBLEMS_MAX and says so.
 *
 * Start from `struct gbx_problems p = {};` with gbx_auto(gbx_problems_free).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stddef.h>

enum { GBX_PROBLEMS_MAX = 100 };

struct gbx_problem {
        size_t line;   /* from 1; 0: the file as a whole */
        size_t column; /* in characters, from 1 */
        char *message; /* one line, printable */
};

struct gbx_problems {
        char *file; /* as the user named it */
        struct gbx_problem *items;
        size_t count;
        size_t left_out; /* found beyond GBX_PROBLEMS_MAX */
};

/* Names the file; the list is emptied. Errors: -ENOMEM. */
int gbx_problems_start(struct gbx_problems *problems, const char *file, struct gbx_error *err);

/* Adds a problem. Errors: -ENOMEM. Zero otherwise: finding a mistake is not a failure of the reader. */
int gbx_problems_add(struct gbx_problems *problems, size_t line, size_t column, struct gbx_error *err,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Zero if the list is empty; otherwise -EINVAL, with the first problem and the number of others as the message. */
int gbx_problems_result(const struct gbx_problems *problems, struct gbx_error *err);

/* Appends "file:line:column: message\n" for each problem, in the order of the file. */
int gbx_problems_text(const struct gbx_problems *problems, struct gbx_buffer *buffer, struct gbx_error *err);

/* [{"file":…,"line":…,"column":…,"message":…}, …] */
int gbx_problems_json(const struct gbx_problems *problems, json_t **ret, struct gbx_error *err);

void gbx_problems_free(struct gbx_problems *problems);
