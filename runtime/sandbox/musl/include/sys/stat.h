/*
 * statx(2), which musl 1.2 has no function for
 */
#pragma once

#include_next <sys/stat.h>

#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int statx(int directory, const char *path, int flags, unsigned mask, struct statx *ret) {
        return (int)syscall(SYS_statx, directory, path, flags, mask, ret);
}
