/*
 * The cryptographic primitives that more than one floor needs, on OpenSSL 3
 *
 * SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF-SHA256 (RFC 5869), Ed25519
 * (RFC 8032) and random bytes. Whoever needs another primitive uses OpenSSL's
 * EVP directly.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_SHA256_SIZE = 32,
        GBX_SHA256_TEXT_SIZE = 7 + 64 + 1, /* "sha256:", digits, zero byte */
        GBX_ED25519_SEED_SIZE = 32,
        GBX_ED25519_PUBLIC_SIZE = 32,
        GBX_ED25519_SIGNATURE_SIZE = 64,
};

int gbx_random(void *ret_data, size_t size, struct gbx_error *err);

void gbx_sha256(const void *data, size_t size, uint8_t ret_digest[static GBX_SHA256_SIZE]);
/* The digest of several pieces one behind the other. */
void gbx_sha256_parts(const struct gbx_bytes *parts, size_t count, uint8_t ret_digest[static GBX_SHA256_SIZE]);
/* The digest of a file from its start, by pread; `ret_size` (may be NULL) gets its length in bytes. */
int gbx_sha256_fd(int fd, uint8_t ret_digest[static GBX_SHA256_SIZE], uint64_t *ret_size, struct gbx_error *err);

/* "sha256:<64 lower-case digits>", the way digests are written everywhere. */
void gbx_sha256_text(const uint8_t digest[static GBX_SHA256_SIZE], char ret_text[static GBX_SHA256_TEXT_SIZE]);
/* Of the bytes, at once. */
void gbx_sha256_text_of(const void *data, size_t size, char ret_text[static GBX_SHA256_TEXT_SIZE]);
/* The reverse; the "sha256:" in front is required. */
int gbx_sha256_parse(const char *text, uint8_t ret_digest[static GBX_SHA256_SIZE], struct gbx_error *err);

int gbx_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t ret_mac[static GBX_SHA256_SIZE], struct gbx_error *err);
int gbx_hkdf_sha256(const void *key, size_t key_size, const void *salt, size_t salt_size, const void *info,
                    size_t info_size, uint8_t *ret_key, size_t ret_size, struct gbx_error *err);

int gbx_ed25519_public(const uint8_t seed[static GBX_ED25519_SEED_SIZE],
                       uint8_t ret_public[static GBX_ED25519_PUBLIC_SIZE], struct gbx_error *err);
int gbx_ed25519_sign(const uint8_t seed[static GBX_ED25519_SEED_SIZE], const void *data, size_t size,
                     uint8_t ret_signature[static GBX_ED25519_SIGNATURE_SIZE], struct gbx_error *err);
/* 0 if the signature is good, -EBADMSG if it is not. */
int gbx_ed25519_verify(const uint8_t public_key[static GBX_ED25519_PUBLIC_SIZE], const void *data, size_t size,
                       const uint8_t signature[static GBX_ED25519_SIGNATURE_SIZE], struct gbx_error *err);
