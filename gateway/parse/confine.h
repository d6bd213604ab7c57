/*
 * A function in a process of its own that can do nothing but compute
 *
 * For parsers of hostile bytes that are not worth a whole sandbox: the work
 * runs in a forked child without descriptors (but one pipe), without new
 * privileges, under a seccomp allowlist of memory management, clock and
 * write(2) to that pipe, with limits on CPU seconds, memory and output. What
 * it writes comes back; if it crashes or reaches a limit, that is an error
 * like any other. Keys in memory of runtime/vault/secret.h are not there.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct gbx_confine_limits {
        unsigned cpu_seconds;
        uint64_t memory_bytes; /* more than the caller has mapped already */
        size_t output_bytes;
};

/* Writes its result to `out` (gbx_write_all). A negative return, with its message, becomes the caller's. */
typedef int (*gbx_confine_function)(void *context, int out, struct gbx_error *err);

/*
 * Appends what the work wrote to `ret_output` (nothing of it on failure).
 * Errors: the work's own; -EDQUOT at a limit; -EINVAL if it was killed by
 * another signal, which means that the bytes were made to break the parser.
 */
int gbx_confine_run(gbx_confine_function work, void *context, struct gbx_confine_limits limits,
                    struct gbx_buffer *ret_output, struct gbx_error *err);
