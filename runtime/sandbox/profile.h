/*
 * System call profiles: the text in policy/profiles/ and its compiled form
 *
 * A profile lists what a job may call; all else is answered by the supervisor
 * through seccomp user notification (seccomp_unotify(2)): recorded, then
 * refused as the profile says. The text, line by line ('#' starts a comment):
 *
 *   include NAME                   the lines of another profile of the folder
 *   allow NAME...                  without conditions
 *   allow NAME if C [and C]...     C is argN OP VALUE or argN & MASK == VALUE;
 *                                  several such lines for a call are alternatives
 *   refuse ERRNO NAME... [if C...] refused at once, not recorded (the C library
 *                                  probes for these)
 *   report ERRNO NAME...           recorded, then ERRNO instead of the default
 *   kill NAME...                   recorded, then the whole run is killed
 *   default ERRNO | kill           what is not listed: recorded, then this
 *   default die                    what is not listed kills the process at once;
 *                                  for our own programs, which have no
 *                                  supervisor: `report` and `kill` are no use
 *
 * Values are decimal, 0x hexadecimal, or one of the constants of profile.c;
 * `|` joins several. argN compares all 64 bits. int arguments of which the
 * kernel ignores the upper half are written argN:int, which masks them
 * (CVE-2019-10063).
 *
 * Compiling needs libseccomp; a run does not: the build embeds the compiled
 * profiles (filter.h).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

enum gbx_denial_kind {
        GBX_DENIAL_ERRNO,
        GBX_DENIAL_KILL,
        GBX_DENIAL_DIE, /* of defaults only: nobody is asked */
};

/* How the supervisor answers one reported system call. */
struct gbx_denial_action {
        int32_t syscall; /* number on x86-64 */
        uint8_t kind;    /* enum gbx_denial_kind */
        uint8_t error;   /* errno value */
};

struct gbx_profile; /* parsed */

/* Reads DIRECTORY/NAME and what it includes. -EINVAL with "NAME:line: what is wrong". */
int gbx_profile_load(struct gbx_profile **ret, int directory, const char *name, struct gbx_error *err);
/* The same from text, for tests; includes are looked up in `directory` (-1: refused). */
int gbx_profile_parse(struct gbx_profile **ret, int directory, const char *name, const char *text,
                      struct gbx_error *err);
struct gbx_profile *gbx_profile_free(struct gbx_profile *profile);
static inline void gbx_profile_freep(struct gbx_profile **profile) {
        *profile = gbx_profile_free(*profile);
}

/* The text with every include resolved, normalized: what is digested, and what `explain` shows. */
const char *gbx_profile_text(const struct gbx_profile *profile);

/* Compiles for x86-64; x32 and every other architecture are killed. `ret_program` gets struct sock_filter items. */
int gbx_profile_compile(const struct gbx_profile *profile, struct gbx_buffer *ret_program, struct gbx_error *err);

/* The default answer and the exceptions to it, for the supervisor. */
struct gbx_denial_action gbx_profile_default(const struct gbx_profile *profile);
const struct gbx_denial_action *gbx_profile_actions(const struct gbx_profile *profile, size_t *ret_count);
