/*
 * Lua patterns (Lua 5.4 manual, section 6.4.1), matched with a step budget
 *
 * A pattern is compiled first, then matched by backtracking. The time that
 * takes can grow exponentially with the pattern, and nothing can interrupt
 * C code; so the matcher counts its steps and tells a function of the caller
 * every so often, which may stop the program or, in tests, the match.
 *
 * Same results as Lua's own matcher, save that a malformed pattern is always
 * an error, not only when the match gets to the bad place, and that patterns
 * may be longer before they are "too complex".
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_PATTERN_CAPTURES = 32,
        GBX_PATTERN_ITEMS = 1024,
        GBX_PATTERN_CHARGE_INTERVAL = 1024, /* steps between two calls of `charge` */
};

struct gbx_pattern_capture {
        size_t start;
        size_t size;
        bool position; /* "()": only `start` counts */
};

struct gbx_pattern_match {
        size_t start;
        size_t end; /* behind the last byte */
        size_t count;
        struct gbx_pattern_capture captures[GBX_PATTERN_CAPTURES];
};

struct gbx_pattern_item;

struct gbx_pattern {
        struct gbx_pattern_item *items; /* the last one ends the pattern */
        size_t captures;
        bool anchored;

        /* Adds steps to the caller's account. Non-zero gives the match up with that value. */
        int (*charge)(void *context, uint64_t steps);
        void *context;
        uint64_t steps; /* not charged yet */
};

/* How many bytes gbx_pattern_compile wants for a pattern of `size` bytes. */
size_t gbx_pattern_space(size_t size);

/* Compiles into `space`, which holds gbx_pattern_space(size) bytes, is aligned as malloc does, and
 * outlives `ret`. `anchor`: a '^' at the front is an anchor (not so in gmatch). Set `charge` and
 * `context` afterwards. -EINVAL with Lua's message. */
int gbx_pattern_compile(struct gbx_pattern *ret, const char *pattern, size_t size, bool anchor, void *space,
                        struct gbx_error *err);

/* Looks for the pattern with its start at `from` or behind (only at `from` if `only_here`).
 * 1: found. 0: not found. Negative: what `charge` returned. */
int gbx_pattern_find(struct gbx_pattern *pattern, const char *subject, size_t size, size_t from, bool only_here,
                     struct gbx_pattern_match *ret);
