/*
 * Key files of a site
 *
 * A key is one file of mode 0600 in the site's key directory (mode 0700). It
 * is created once (O_EXCL), durably, and refused on loading if anybody but the
 * owner could have read or written it. Two kinds:
 *
 *   identity   an age X25519 identity, in the form `age-keygen` writes, so that
 *              `age -d -i FILE` is a second way in for whoever holds the file.
 *              The site has one (GBX_KEYS_SITE), and each dataset its own
 *              (gbx_keys_dataset_name), the only one that opens its copy at rest.
 *              Where the site's identity is in a PKCS#11 token, the file holds the
 *              key's URI instead (token.h), and loading opens the token.
 *   raw        32 random bytes, in Bech32 with the prefix "glovebox-key-": the
 *              watermark's root key, the log's signing seed.
 *
 * `directory` is a descriptor of the key directory. Names follow
 * gbx_name_valid. Errors: -EEXIST on creating, -ENOENT on loading, and
 * -EPERM for a file that others can reach.
 */
#pragma once

#include "base/error.h"
#include "runtime/vault/age.h"
#include "runtime/vault/secret.h"

#include <stddef.h>

enum { GBX_KEYS_RAW_SIZE = 32, GBX_KEYS_NAME_SIZE = 65 };

#define GBX_KEYS_SITE "site.key"           /* identity: datasets arrive encrypted to it */
#define GBX_KEYS_WATERMARK "watermark.key" /* raw */
#define GBX_KEYS_LOG "log.key"             /* raw: Ed25519 seed */

/* "dataset-<first 40 digits of SHA-256 of the text "ID@VERSION">.key" */
void gbx_keys_dataset_name(const char *id, const char *version, char ret_name[static GBX_KEYS_NAME_SIZE]);

int gbx_keys_create_identity(int directory, const char *name, struct gbx_age_identity **ret, struct gbx_error *err);
/* Makes the key in the token, unless the token has it already, and a key file that points there. */
int gbx_keys_create_token_identity(int directory, const char *name, const char *uri, struct gbx_age_identity **ret,
                                   struct gbx_error *err);
int gbx_keys_load_identity(int directory, const char *name, struct gbx_age_identity **ret, struct gbx_error *err);

int gbx_keys_create_raw(int directory, const char *name, struct gbx_secret *ret, struct gbx_error *err);
int gbx_keys_load_raw(int directory, const char *name, struct gbx_secret *ret, struct gbx_error *err);

/*
 * Overwrites the file in place, flushes, unlinks, flushes the directory. On
 * flash and on copy-on-write file systems an overwritten block may survive;
 * what counts is that no other copy of the key was ever made.
 */
int gbx_keys_destroy(int directory, const char *name, struct gbx_error *err);
