/*
 * The log's writes to disk (internal to gateway/log)
 *
 * Every system call with which the log or the witness changes the disk goes
 * through the table gbx_log_io, so that tests can make any of them fail, cut it
 * short, or watch the order in which things become durable.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct gbx_log_io {
        int (*open)(int directory, const char *path, int flags, mode_t mode);
        ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
        int (*fdatasync)(int fd);
        int (*fsync)(int fd);
        int (*ftruncate)(int fd, off_t size);
        int (*rename)(int directory, const char *from, const char *to);
        int (*mkdir)(int directory, const char *path, mode_t mode);
        int (*unlink)(int directory, const char *path, int flags);
};

extern struct gbx_log_io gbx_log_io;

/* Writes all bytes, through short writes and EINTR. */
int gbx_log_write(int fd, const void *data, size_t size, off_t offset, struct gbx_error *err);

enum gbx_log_put {
        GBX_LOG_REPLACE, /* an existing file is replaced */
        GBX_LOG_KEEP,    /* an existing file must have the same bytes already (-EBADMSG), and stays */
};

/* Puts a file at `path` below `directory`: parents, temporary file `scratch`, fsync, rename. `scratch` is below
 * `directory` too; a leftover of that name is overwritten. The file lasts once its directory is flushed. */
int gbx_log_place_file(int directory, const char *scratch, const char *path, const void *data, size_t size, mode_t mode,
                       enum gbx_log_put how, struct gbx_error *err);

/* Flushes the directory that holds `path`. */
int gbx_log_flush_parent(int directory, const char *path, struct gbx_error *err);

/* Both: the file is durable on return. */
int gbx_log_put_file(int directory, const char *scratch, const char *path, const void *data, size_t size, mode_t mode,
                     enum gbx_log_put how, struct gbx_error *err);
