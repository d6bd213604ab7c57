/*
 * Does an image have the digest that its name promises?
 *
 * Hashing an image takes milliseconds and the launcher carries no
 * cryptography, so the program gbx-image-digest beside it does that, once: a
 * record in /run/glovebox-images then says which file (device, inode, size,
 * times of change) was found to have which digest. A file that is changed gets
 * a new time of change from the kernel and is hashed again. The folder belongs
 * to root; other users hash every time.
 */
#pragma once

#include "base/error.h"

#include <sys/stat.h>

/* `digest` is "sha256:…". -EBADMSG if the file has another one. */
int gbx_image_digest_check(int file, const struct stat *status, const char *digest, struct gbx_error *err);
