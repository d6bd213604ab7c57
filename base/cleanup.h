/*
 * Clean-up by scope
 *
 * A variable declared with gbx_auto(f) is handed, by address, to f when it
 * goes out of scope. Ownership leaves the scope by taking the value out:
 * `return gbx_take_fd(&fd);` or `*ret = gbx_take_ptr(thing);`.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A variable may be there for its clean-up alone; clang would call it unused. */
#define gbx_auto(function) __attribute__((cleanup(function), unused))

/* For `gbx_auto(gbx_free_pointer) char *text = NULL;` */
static inline void gbx_free_pointer(void *address) {
        int saved = errno;

        free(*(void **)address);
        errno = saved;
}

/* For `gbx_auto(gbx_close_fd) int fd = -1;`; errno is kept. */
static inline void gbx_close_fd(int *fd) {
        int saved = errno;

        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
        errno = saved;
}

static inline void gbx_close_file(FILE **file) {
        if (*file)
                (void)fclose(*file);
        *file = NULL;
}

static inline void gbx_close_directory(DIR **directory) {
        if (*directory)
                (void)closedir(*directory);
        *directory = NULL;
}

static inline int gbx_take_fd(int *fd) {
        int value = *fd;

        *fd = -1;
        return value;
}

#define gbx_take_ptr(pointer)                    \
        ({                                       \
                __typeof__(pointer) *gbx_place = &(pointer); \
                __typeof__(pointer) gbx_value = *gbx_place;  \
                *gbx_place = NULL;               \
                gbx_value;                       \
        })

#define gbx_array_size(array) (sizeof(array) / sizeof((array)[0]))
