/*
 * The site's own keys
 *
 *   keys/site.key        age identity: datasets arrive encrypted to it, held outputs wait under it
 *   keys/log.key         Ed25519 seed of the action log's checkpoints
 *   keys/provenance.key  Ed25519 seed that signs provenance manifests
 *   keys/watermark.key   root of all watermark keys
 *   keys/dataset-….key   age identity of one dataset version
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"
#include "gateway/log/format/note_key.h"
#include "gateway/store/site.h"
#include "runtime/vault/age.h"
#include "runtime/vault/secret.h"

#define GBX_KEYS_PROVENANCE "provenance.key"

/* Makes keys and the empty log; `ret_details` gets their public halves, for the log's first entry. `token` NULL, or the
 * URI of a key in a PKCS#11 token (runtime/vault/token.h), which then is the site's identity. */
int gbx_site_keys_create(int directory, const char *origin, const char *token, json_t **ret_details,
                         struct gbx_error *err);

/* Opens the action log with its signing key; the key of the view's seal is derived from it. */
int gbx_site_keys_open_log(struct gbx_site *site, struct gbx_log **ret, uint8_t ret_seal_key[static GBX_SHA256_SIZE], struct gbx_error *err);

/* The key that verifies the log of the site in `path`. Needs no open site: a damaged log can be examined with it. */
int gbx_site_log_verifier(const char *path, struct gbx_note_verifier *ret, struct gbx_error *err);

/* Loads the site's age identity. */
int gbx_site_identity(const struct gbx_site *site, struct gbx_age_identity **ret, struct gbx_error *err);

/* Loads a raw key of 32 bytes by its file name. */
int gbx_site_raw_key(const struct gbx_site *site, const char *name, struct gbx_secret *ret, struct gbx_error *err);

/* The key of sealed records (records.h), derived from the watermark's root key. */
int gbx_site_records_key(const struct gbx_site *site, struct gbx_secret *ret, struct gbx_error *err);

/* Public halves, as text: the age recipient, the log's vkey (signed-note), the provenance key (64 hexadecimal digits). */
int gbx_site_public_keys(const struct gbx_site *site, json_t **ret_keys, struct gbx_error *err);
