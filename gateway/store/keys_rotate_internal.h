/* Files that are encrypted anew when the site's key is rotated (internal to gateway/store; see keys_rotate.h) */
#pragma once

#include "base/error.h"
#include "runtime/vault/age.h"

#include <jansson.h>

#define GBX_ROTATE_NEXT ".next"           /* behind a key's name: the new key, not in place yet */
#define GBX_ROTATE_OLD ".old"             /* the old one, to be overwritten */
#define GBX_ROTATE_REWRAPPED ".rewrapped" /* behind a file's name: the same for the new key */

/* Writes, beside each age file in held/ and releases/ that `old` opens, the same for `recipient`; `map` gets digests, the
 * old file's to the new file's. */
int gbx_rotate_rewrap_files(int site, const struct gbx_age_identity *old, const struct gbx_age_recipient *recipient, json_t *map,
                            struct gbx_error *err);

/* Puts the new files in place of the old ones; both must be in the map (-EBADMSG). Those that were put in place before
 * are passed over. */
int gbx_rotate_place_files(int site, const json_t *map, struct gbx_error *err);

/* Removes new files that are not in place. */
int gbx_rotate_drop_files(int site, struct gbx_error *err);
