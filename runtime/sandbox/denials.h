/*
 * The record of denied system calls
 *
 * Calls are grouped by number, by the words of their class (denial_class.h)
 * and by answer; the flags of a group are those of all its calls together. So
 * neither the groups nor what they hold grow with what a job makes of the
 * arguments, and there is a group for every system call that exists: none can
 * be crowded out.
 */
#pragma once

#include "runtime/sandbox/denial_class.h"
#include "runtime/sandbox/filter.h"

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_DENIALS_PER_CALL = 16, /* groups of one system call with words of their own; further words are "other" */
        GBX_DENIALS_MAX = 1024,    /* groups: more than there can be */
        GBX_DENIALS_NO_CALL = -1,  /* all numbers that are no system call, together */
};

struct gbx_denial {
        int syscall;
        struct gbx_denial_class class;
        uint64_t count;
        struct gbx_denial_action action;
};

struct gbx_denials {
        struct gbx_denial groups[GBX_DENIALS_MAX];
        size_t group_count;
        uint64_t total;
};

void gbx_denials_add(struct gbx_denials *denials, int syscall, const uint64_t arguments[static GBX_DENIAL_ARGUMENTS],
                     struct gbx_denial_action action);
