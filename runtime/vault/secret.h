/*
 * Memory for keys and plaintext
 *
 * A secret is a run of pages of its own that is never swapped, never part of a
 * core dump, not inherited by a child of fork(2), and zeroed when freed. The
 * strongest kind the kernel offers is taken:
 *
 *   memfd_secret   the pages are taken out of the kernel's own map, so that
 *                  neither other processes nor /proc/PID/mem read them
 *                  (memfd_secret(2))
 *   locked         mmap(2), mlock(2), MADV_DONTDUMP, MADV_WIPEONFORK
 *
 * Where memory cannot be locked (RLIMIT_MEMLOCK), nothing is handed out.
 *
 *         gbx_auto(gbx_secret_free) struct gbx_secret key = {};
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum gbx_secret_kind {
        GBX_SECRET_NONE, /* not allocated */
        GBX_SECRET_MEMFD,
        GBX_SECRET_LOCKED,
};

struct gbx_secret {
        uint8_t *data; /* page-aligned, zero at first; NULL while not allocated */
        size_t size;   /* bytes asked for */
        size_t mapped; /* bytes of whole pages behind it */
        enum gbx_secret_kind kind;
};

/* Errors: -EINVAL for size 0, -ENOMEM or -EPERM where the memory cannot be had or not be locked. */
int gbx_secret_new(struct gbx_secret *ret, size_t size, struct gbx_error *err);

/* The same, but never memfd_secret: for buffers that travel through many system calls. */
int gbx_secret_new_locked(struct gbx_secret *ret, size_t size, struct gbx_error *err);

/* Zeroes and unmaps; a secret never allocated is fine. */
void gbx_secret_free(struct gbx_secret *secret);

/* "memfd_secret", "locked" or "none": for reports. */
const char *gbx_secret_kind_name(enum gbx_secret_kind kind);
