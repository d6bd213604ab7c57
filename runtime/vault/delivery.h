/*
 * Data on its way into a sandbox, and outputs on their way out
 *
 * A delivery is a tmpfs of its own on a detached mount (fsopen(2), fsmount(2)):
 * it is in no mount namespace, so no process has a path to it. Files are
 * created in it by descriptor, then it is made read-only, and the mount's
 * descriptor is inherited by gbx-sandbox, which attaches it inside
 * (move_mount(2)). When the last descriptor and the sandbox are gone, so are
 * the bytes.
 *
 * nosuid, nodev, noexec; limits on bytes and inodes; not swapped out where the
 * kernel can promise it (tmpfs "noswap", since Linux 6.4): gbx_delivery_noswap
 * says whether it does, and on a host with swap and without noswap creation
 * fails, for plaintext would reach a disk.
 *
 * What remains: root of the host can read whatever a process of the host has
 * open, by /proc/PID/fd; against root there is no defence here.
 *
 * Needs CAP_SYS_ADMIN in the caller's user namespace.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum gbx_delivery_kind {
        GBX_DELIVERY_DATA,   /* root mode 0755; filled by us, sealed, then read by the job */
        GBX_DELIVERY_OUTPUT, /* root mode 01777; filled by the job, then sealed and collected by us */
};

struct gbx_delivery_limits {
        uint64_t bytes; /* of file content; rounded up to whole pages */
        uint64_t files; /* regular files and directories beside the root */
};

struct gbx_delivery;

int gbx_delivery_new(struct gbx_delivery **ret, enum gbx_delivery_kind kind, struct gbx_delivery_limits limits,
                     struct gbx_error *err);
struct gbx_delivery *gbx_delivery_free(struct gbx_delivery *delivery);
static inline void gbx_delivery_freep(struct gbx_delivery **delivery) { *delivery = gbx_delivery_free(*delivery); }

/* The mount, close-on-exec, owned by the delivery: a child that should have it clears the flag on a copy. */
int gbx_delivery_mount_fd(const struct gbx_delivery *delivery);
bool gbx_delivery_noswap(const struct gbx_delivery *delivery);

/* Creates a file (mode 0444 for readers inside) and returns a descriptor for reading and writing, the caller's to
 * close before sealing. `name` follows gbx_name_valid. -EEXIST for a second one of that name, -EPERM once sealed. */
int gbx_delivery_create(struct gbx_delivery *delivery, const char *name, struct gbx_error *err);

/*
 * Makes mount and file system read-only, for good. -EBUSY while any process,
 * wherever it is, can still write: for outputs, that is the proof that the job
 * is dead and nothing changes under the reader. Sealing twice is fine.
 */
int gbx_delivery_seal(struct gbx_delivery *delivery, struct gbx_error *err);

/* --- collecting outputs ------------------------------------------------------ */

struct gbx_output_limits {
        size_t files;
        uint64_t file_bytes;  /* of one file */
        uint64_t total_bytes; /* of all */
};

struct gbx_output {
        char name[65];
        uint64_t size;
        int fd; /* O_RDONLY, a regular file of one link, position 0; the list's to close */
};

struct gbx_outputs {
        struct gbx_output *list; /* sorted by name */
        size_t count;
};

/*
 * Lists what the job left in the root directory. Seals first. Every entry must
 * be a regular file with one link and a name by gbx_name_valid; a directory,
 * symbolic link, fifo, socket, device or hard link refuses the whole set, and
 * the message names the entry in printable form.
 * Errors: -EINVAL for such an entry, -EDQUOT beyond a limit, -EBUSY as above.
 */
int gbx_delivery_collect(struct gbx_delivery *delivery, struct gbx_output_limits limits, struct gbx_outputs *ret,
                         struct gbx_error *err);
void gbx_outputs_free(struct gbx_outputs *outputs);

/*
 * A new, sealed data delivery with copies of the collected files, for whoever
 * examines them in a sandbox. (The job's own mount died with its namespace and
 * cannot be attached again; nor would one want its metadata to travel on.)
 */
int gbx_outputs_deliver(const struct gbx_outputs *outputs, struct gbx_delivery **ret, struct gbx_error *err);
