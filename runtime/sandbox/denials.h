/*
 * The record of denied system calls
 *
 * Calls are grouped by number, answer and those arguments that are plain
 * numbers (an address says nothing and changes with every run). The table is
 * bounded, so a flood makes counts grow and not memory.
 */
#pragma once

#include "runtime/sandbox/filter.h"

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_DENIALS_MAX = 64, /* groups kept; calls of further groups are only counted */
        GBX_DENIALS_ARGUMENTS = 6,
};

struct gbx_denial {
        int syscall;
        uint64_t arguments[GBX_DENIALS_ARGUMENTS]; /* 0 where the argument is an address */
        uint64_t count;
        struct gbx_denial_action action;
};

struct gbx_denials {
        struct gbx_denial groups[GBX_DENIALS_MAX];
        size_t group_count;
        uint64_t total;
};

void gbx_denials_add(struct gbx_denials *denials, int syscall, const uint64_t arguments[GBX_DENIALS_ARGUMENTS],
                     struct gbx_denial_action action);

/* Bit N is set if argument N of the call is a number worth recording. */
unsigned gbx_denials_scalars(int syscall);
