/*
 * Compiled system call profiles, embedded by the build
 *
 * build/gen/sandbox-profiles.c is made by profile-compiler from
 * policy/profiles/; a profile is recompiled only when its text changes. The
 * digest names the normalized text together with the compiled program.
 */
#pragma once

#include "runtime/sandbox/profile.h"

/* The one descriptor that a confined process may execute: above every descriptor a job can have (RLIMIT_NOFILE is at
 * most GBX_SPEC_MAX_OPEN_FILES), so that the filter's rule for it allows nothing after the first execveat(2). */
enum { GBX_EXEC_DESCRIPTOR = 1023 };

struct gbx_filter {
        const char *name;
        const char *digest; /* "sha256:…" */
        const char *text;
        const struct sock_filter *program;
        uint16_t length;
        struct gbx_denial_action fallback;
        const struct gbx_denial_action *actions;
        size_t action_count;
};

/* NULL if there is no such profile. */
const struct gbx_filter *gbx_filter_find(const char *name);

/* The answer for a reported system call. */
struct gbx_denial_action gbx_filter_denial(const struct gbx_filter *filter, int syscall);

/* "socket" for 41; NULL for a number without a name. */
const char *gbx_syscall_name(int number);

extern const struct gbx_filter gbx_filters[];
extern const size_t gbx_filter_count;
extern const char *const gbx_syscall_names[];
extern const size_t gbx_syscall_name_count;
