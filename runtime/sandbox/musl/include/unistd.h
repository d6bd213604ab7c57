/*
 * close_range(2), which musl 1.2 has no function for
 */
#pragma once

#include_next <unistd.h>

#include <sys/syscall.h>

static inline int close_range(unsigned first, unsigned last, int flags) {
        return (int)syscall(SYS_close_range, first, last, flags);
}
