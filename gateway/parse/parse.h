/*
 * Asking gbx-parse
 *
 * gbx-parse reads one thing and answers with frames (frames.h). It is started
 * by exec, with an empty environment and the descriptors of its input and
 * output alone; it sets its limits, locks itself in (base/lockdown.h, profile
 * policy/profiles/parser), and then looks at the first byte. So neither keys
 * nor threads nor the address layout of the caller are there, whatever the
 * bytes manage to do.
 *
 * It may have been taken over: what it answers is no more to be believed than
 * what it was given.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* What it can be asked: a row of one table (verbs.c), which both sides have. */
struct gbx_parse_verb {
        const char *name;
        unsigned cpu_seconds;  /* of computing; it may take GBX_PARSE_PATIENCE times as long by the clock */
        uint64_t memory_bytes; /* besides its input */
        uint64_t output_bytes;
};

enum { GBX_PARSE_PATIENCE = 10 };

extern const struct gbx_parse_verb gbx_parse_archive; /* tar, tar.gz, zip: the files (bundle_files.h) */
extern const struct gbx_parse_verb gbx_parse_values;  /* CSV; extra: which columns (frames.h): an export of a set of values */
extern const struct gbx_parse_verb gbx_parse_lua;     /* files of a bundle: nothing, or the first error of syntax */
extern const struct gbx_parse_verb gbx_parse_elf;     /* a program: the interpreter and libraries that it asks for */

/*
 * Runs a verb on the regular file `input`, from its start. `extra` (-1: none)
 * is what the verb wants to know besides, a regular file too; both stay the
 * caller's. Appends the answer to `ret_frames`, whole and well-formed.
 *
 * Errors: the parser's own: -EINVAL (input is wrong), -EBADMSG, -EDQUOT (a limit,
 * also of gbx-parse itself: computing, memory, output, time); -EINVAL if it
 * was killed by what it read; -EPROTO if its answer makes no sense; -EIO, -ENOENT
 * if it could not be run. Nothing is appended.
 */
int gbx_parse(const struct gbx_parse_verb *verb, int input, int extra, struct gbx_buffer *ret_frames, struct gbx_error *err);

/* The same on bytes. */
int gbx_parse_bytes(const struct gbx_parse_verb *verb, const void *data, size_t size, struct gbx_buffer *ret_frames,
                    struct gbx_error *err);
