/* SSH keys and signatures (PROTOCOL.sshsig) made in process: a key is what its name makes it, so that tests need no files. */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/encode.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define SSHSIG_KEY_TYPE "ssh-ed25519"

static inline void sshsig_string(struct gbx_buffer *buffer, const void *data, size_t size) {
        uint8_t length[4] = { (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size };

        (void)gbx_buffer_append(buffer, length, sizeof length, NULL);
        if (size)
                (void)gbx_buffer_append(buffer, data, size, NULL);
}

static inline void sshsig_seed(const char *name, uint8_t ret[static GBX_ED25519_SEED_SIZE]) { gbx_sha256(name, strlen(name), ret); }

static inline void sshsig_key_blob(const char *name, struct gbx_buffer *ret) {
        uint8_t seed[GBX_ED25519_SEED_SIZE], key[GBX_ED25519_PUBLIC_SIZE];

        sshsig_seed(name, seed);
        (void)gbx_ed25519_public(seed, key, NULL);
        sshsig_string(ret, SSHSIG_KEY_TYPE, strlen(SSHSIG_KEY_TYPE));
        sshsig_string(ret, key, sizeof key);
}

/* Appends the public line of the key that belongs to `name`. */
static inline void sshsig_public_line(const char *name, struct gbx_buffer *ret) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer blob = {};

        sshsig_key_blob(name, &blob);
        (void)gbx_buffer_append_text(ret, SSHSIG_KEY_TYPE " ", NULL);
        (void)gbx_base64_encode(GBX_BASE64_PADDED, blob.data, blob.size, ret, NULL);
        (void)gbx_buffer_printf(ret, NULL, " %s@test", name);
}

/* Appends the armored signature of `name` in a namespace. */
static inline void sshsig_sign(const char *name, const char *namespace, const void *data, size_t size, struct gbx_buffer *ret) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer key = {}, bytes = {}, inner = {}, blob = {}, text = {};
        uint8_t seed[GBX_ED25519_SEED_SIZE], signature[GBX_ED25519_SIGNATURE_SIZE], digest[64], version[4] = { 0, 0, 0, 1 };
        unsigned digest_size = 0;

        sshsig_seed(name, seed);
        (void)EVP_Digest(data, size, digest, &digest_size, EVP_sha512(), NULL);
        (void)gbx_buffer_append(&bytes, "SSHSIG", 6, NULL);
        sshsig_string(&bytes, namespace, strlen(namespace));
        sshsig_string(&bytes, "", 0);
        sshsig_string(&bytes, "sha512", 6);
        sshsig_string(&bytes, digest, digest_size);
        (void)gbx_ed25519_sign(seed, bytes.data, bytes.size, signature, NULL);
        sshsig_string(&inner, SSHSIG_KEY_TYPE, strlen(SSHSIG_KEY_TYPE));
        sshsig_string(&inner, signature, sizeof signature);
        sshsig_key_blob(name, &key);
        (void)gbx_buffer_append(&blob, "SSHSIG", 6, NULL);
        (void)gbx_buffer_append(&blob, version, sizeof version, NULL);
        sshsig_string(&blob, key.data, key.size);
        sshsig_string(&blob, namespace, strlen(namespace));
        sshsig_string(&blob, "", 0);
        sshsig_string(&blob, "sha512", 6);
        sshsig_string(&blob, inner.data, inner.size);
        (void)gbx_base64_encode(GBX_BASE64_PADDED, blob.data, blob.size, &text, NULL);
        (void)gbx_buffer_append_text(ret, "-----BEGIN SSH SIGNATURE-----\n", NULL);
        for (size_t i = 0; i < text.size; i += 70) {
                (void)gbx_buffer_append(ret, text.data + i, text.size - i < 70 ? text.size - i : 70, NULL);
                (void)gbx_buffer_append_byte(ret, '\n', NULL);
        }
        (void)gbx_buffer_append_text(ret, "-----END SSH SIGNATURE-----\n", NULL);
}
