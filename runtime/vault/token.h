/*
 * X25519 keys in PKCS#11 tokens
 *
 * An identity may be kept in a smart card, a hardware module, or a software
 * token: its secret never leaves it, the token itself computes the shared
 * secret that an age stanza needs. The key is named by a URI (RFC 7512):
 *
 *   pkcs11:token=glovebox;object=site?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/glovebox/pin
 *
 * `token`, `object` (or `id`), `module-path` and `pin-source` have to be there;
 * a PIN in the URI itself is refused. The PIN file must be a regular file that
 * only its owner, the caller, can reach.
 *
 * Mechanisms: CKM_ECDH1_DERIVE with CKD_NULL; key pairs are generated with
 * CKM_EC_MONTGOMERY_KEY_PAIR_GEN (PKCS#11 3.0) or, where a module has only
 * that, CKM_EC_EDWARDS_KEY_PAIR_GEN (SoftHSM 2), always for OID 1.3.101.110.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define GBX_TOKEN_URI_PREFIX "pkcs11:"

struct gbx_token;

/* Loads the module, logs in, finds the one private key of this name. Errors: -EINVAL for the URI, -ENOENT without such
 * a token or key, -EPERM for the PIN or its file, -EIO for what else the module says. */
int gbx_token_open(struct gbx_token **ret, const char *uri, struct gbx_error *err);
/* The same, but makes the key, which must not be there yet (-EEXIST). */
int gbx_token_create(struct gbx_token **ret, const char *uri, struct gbx_error *err);
/* Takes NULL; returns NULL. */
struct gbx_token *gbx_token_free(struct gbx_token *token);
static inline void gbx_token_freep(struct gbx_token **token) { *token = gbx_token_free(*token); }

/* X25519(secret of the token, peer). Whether the result is all zero is the caller's to check. */
int gbx_token_derive(struct gbx_token *token, const uint8_t peer[static 32], uint8_t ret_shared[static 32],
                     struct gbx_error *err);
