/*
 * Memory files: bytes that another program reads by descriptor
 *
 * A memory file (memfd_create(2)) has no path and ends with its last
 * descriptor. Its pages can be swapped; whoever cannot have that uses
 * runtime/vault's memory instead.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>

/* A close-on-exec descriptor of a file with these pieces one behind the other, rewound; or a negative error. `name` is
 * what /proc/PID/fd shows. */
int gbx_memfile_parts(const char *name, const struct gbx_bytes *parts, size_t count, struct gbx_error *err);
int gbx_memfile(const char *name, const void *data, size_t size, struct gbx_error *err);

/* From now on nobody can change it: neither its bytes, nor its size, nor this. -EBUSY while it is mapped writable. */
int gbx_memfile_seal(int fd, struct gbx_error *err);

/* Back to the start, for whoever reads next; the position belongs to all descriptors of the file. */
int gbx_memfile_rewind(int fd, struct gbx_error *err);
