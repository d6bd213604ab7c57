/*
 * Files, by descriptor
 *
 * Everything opened here is O_CLOEXEC. A `directory` argument is a descriptor
 * or AT_FDCWD. Paths from untrusted hands go through gbx_open_beneath, which
 * resolves them in the kernel without symlinks (openat2(2)); there is no
 * fallback for kernels without it.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/types.h>

/* Opens `path` below `directory`: no "..", no symlinks, no magic links, no
 * absolute path. Returns a descriptor or a negative error. */
int gbx_open_beneath(int directory, const char *path, int flags, mode_t mode, struct gbx_error *err);

/* Opens a directory (O_DIRECTORY). Returns a descriptor or a negative error. */
int gbx_open_directory(int directory, const char *path, struct gbx_error *err);

/* Creates a directory and its missing parents, with exactly this mode whatever the umask; existing ones are fine. */
int gbx_make_directories(int directory, const char *path, mode_t mode, struct gbx_error *err);

/* Appends the rest of `fd` to `buffer`. -EFBIG if there are more than `limit` bytes. */
int gbx_read_fd(int fd, size_t limit, struct gbx_buffer *buffer, struct gbx_error *err);

/* Appends the content of a regular file to `buffer`. -EFBIG above `limit` bytes. */
int gbx_read_file(int directory, const char *path, size_t limit, struct gbx_buffer *buffer, struct gbx_error *err);

/* Writes all bytes, through short writes and EINTR. */
int gbx_write_all(int fd, const void *data, size_t size, struct gbx_error *err);

/* Replaces a file durably: temporary file in the same directory, fsync, rename,
 * fsync of the directory. After a crash there is the old file or the new one. The
 * mode is exactly `mode`, whatever the umask. */
int gbx_write_file_durably(int directory, const char *path, const void *data, size_t size, mode_t mode,
                           struct gbx_error *err);

/* Flushes the directory that holds `path`, so that a rename or creation lasts. */
int gbx_sync_parent(int directory, const char *path, struct gbx_error *err);
