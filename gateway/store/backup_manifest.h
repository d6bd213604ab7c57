/* The manifest of a backup (internal to gateway/store; backup.h has its form) */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "gateway/log/format/checkpoint.h"
#include "runtime/vault/secret.h"

#include <stdint.h>

enum { GBX_BACKUP_MANIFEST_LIMIT = 256 * 1024 * 1024, GBX_BACKUP_PATH_SIZE = 512 };

struct gbx_backup_file {
        char path[GBX_BACKUP_PATH_SIZE]; /* below BACKUP/site */
        uint64_t size;
        uint8_t digest[GBX_SHA256_SIZE];
};

/* Appends a line. -EINVAL for a path that a reader would refuse. */
int gbx_backup_manifest_add(struct gbx_buffer *manifest, const struct gbx_backup_file *file, struct gbx_error *err);

/* Takes the next line off the front of the text. 1: `ret`. 0: the end. -EBADMSG: not a line of a manifest; paths are
 * relative, without empty parts, "." and "..", and begin with a file or folder that a site has. */
int gbx_backup_manifest_next(struct gbx_bytes *manifest, struct gbx_backup_file *ret, struct gbx_error *err);

/* Appends the signed note. `seed` is the site's provenance key. */
int gbx_backup_note_sign(const struct gbx_buffer *manifest, const struct gbx_checkpoint *checkpoint, const struct gbx_secret *seed,
                         struct gbx_buffer *ret_note, struct gbx_error *err);

/* -EBADMSG unless the note is signed by `seed` and is about this manifest and this checkpoint. */
int gbx_backup_note_check(const struct gbx_buffer *note, const struct gbx_buffer *manifest, const struct gbx_checkpoint *checkpoint,
                          const struct gbx_secret *seed, struct gbx_error *err);
