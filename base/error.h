/*
 * Errors
 *
 * One convention for the whole code base:
 *
 *   - A function that can fail returns int and takes a `struct gbx_error *`
 *     as its last argument (NULL is allowed: the caller does not want text).
 *   - Negative return: fatal, a negated errno value. It is forwarded
 *     unchanged up the stack; on the way up a caller may add context.
 *   - Zero: done.
 *   - Positive: an outcome that the function's header documents (say, "end of
 *     file" or "denied by policy"). The caller must handle it and must not
 *     forward it.
 *   - Outputs are named ret_… and are untouched unless the call succeeds.
 *
 * Some errno values have one meaning everywhere, so that programs can turn
 * them into exit codes (see gbx_error_exit_code):
 *
 *   -EINVAL        input or usage is wrong; the message says where
 *   -EBADMSG       integrity is broken: bad signature, hash, tag, tree
 *   -EKEYREJECTED  refused by policy or authorisation
 *   -EDQUOT        a limit was reached
 */
#pragma once

#include <errno.h>
#include <stddef.h>

/* A message is one line: what failed, on what, and what to do about it. */
struct gbx_error {
        int code;           /* negated errno, 0 while nothing has failed */
        char message[1024]; /* NUL-terminated UTF-8, no newline at its end */
};

/* Exit codes of every program of Glovebox (docs/command-line.md). */
enum gbx_exit {
        GBX_EXIT_DONE = 0,
        GBX_EXIT_FAILED = 1, /* what was asked for is not there, or did not work */
        GBX_EXIT_USAGE = 2,  /* what was typed or handed in is wrong; a file that was named cannot be read */
        GBX_EXIT_DENIED = 3,
        GBX_EXIT_HELD = 4,
        GBX_EXIT_INTEGRITY = 5, /* somebody else's key, other bytes than recorded */
        GBX_EXIT_LIMIT = 6,
};

/* Records a new error and returns `code`, which must be negative. */
int gbx_fail(struct gbx_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Records "<format>: <strerror(errno)>" and returns -errno. */
int gbx_fail_errno(struct gbx_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<format>: " in front of the message of an error that passes through.
 * Returns `code` unchanged, so that it can end a function. */
int gbx_context(struct gbx_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Out of memory: records it and returns -ENOMEM. */
int gbx_fail_memory(struct gbx_error *err);

/* The exit code a program ends with after a fatal `code` (negated errno). */
enum gbx_exit gbx_error_exit_code(int code);

/* The static analyzer does not look into error.c: this tells it what comes back. */
#ifdef __clang_analyzer__
#define gbx_fail(err, code, ...) ((void)(gbx_fail)(err, code, __VA_ARGS__), (code))
#define gbx_fail_errno(err, ...) ((void)(gbx_fail_errno)(err, __VA_ARGS__), -EIO)
#define gbx_context(err, code, ...) ((void)(gbx_context)(err, code, __VA_ARGS__), (code))
#define gbx_fail_memory(err) ((void)(gbx_fail_memory)(err), -ENOMEM)
#endif
