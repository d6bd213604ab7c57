/* Trees of files, and keys in one piece, for backups (internal to gateway/store) */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <stdint.h>

#define GBX_BACKUP_LINKS ".backup-" /* names of the folders of hard links in a site */

/* Calls `visit` for each regular file below the folder `path` of `directory`, with its path from `directory`, in the order
 * of names. Temporary files (*.tmp) are passed over; anything else that is no file or folder is -EBADMSG. */
typedef int gbx_tree_visit(void *context, int directory, const char *path, struct gbx_error *err);
int gbx_tree_walk(int directory, const char *path, gbx_tree_visit *visit, void *context, struct gbx_error *err);

/* Removes a folder and all in it; what cannot be removed stays. */
void gbx_tree_remove(int directory, const char *path);

/* Flushes the file system that holds the directory. */
int gbx_tree_sync(int directory, struct gbx_error *err);

/* Makes the missing parents of `path`, mode 0700. */
int gbx_make_parents(int directory, const char *path, struct gbx_error *err);

/* Removes what an interrupted backup has left in the site. */
void gbx_backup_remove_leftovers(int site);

/* Copies the rest of a file and flushes the copy. */
int gbx_copy_with_digest(int from, int to, uint8_t ret_digest[static GBX_SHA256_SIZE], uint64_t *ret_size, struct gbx_error *err);

/* All files of the folder `path`, one behind the other: name, bytes, content. `ret` must be a secret buffer. */
int gbx_backup_keys_pack(int directory, const char *path, struct gbx_buffer *ret, struct gbx_error *err);
/* The reverse, into the new folder `keys` of `site`. -EBADMSG: not such a bundle. */
int gbx_backup_keys_unpack(int site, const struct gbx_buffer *bundle, struct gbx_error *err);
