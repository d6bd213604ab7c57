#include "base/crypto.h"

#include "base/cleanup.h"
#include "base/encode.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

static void free_pkey(EVP_PKEY **key) { EVP_PKEY_free(*key); }
static void free_md_context(EVP_MD_CTX **context) { EVP_MD_CTX_free(*context); }
static void free_kdf(EVP_KDF **kdf) { EVP_KDF_free(*kdf); }
static void free_kdf_context(EVP_KDF_CTX **context) { EVP_KDF_CTX_free(*context); }

int gbx_random(void *ret_data, size_t size, struct gbx_error *err) {
        if (size > INT32_MAX || RAND_bytes(ret_data, (int)size) != 1)
                return gbx_fail(err, -EIO, "cannot get %zu random bytes from OpenSSL", size);
        return 0;
}

void gbx_sha256(const void *data, size_t size, uint8_t ret_digest[static GBX_SHA256_SIZE]) {
        (void)SHA256(data, size, ret_digest);
}

/* SHA256_Init and friends are deprecated in name only, cannot fail, and cost a fifth of an EVP context. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
void gbx_sha256_parts(const struct gbx_bytes *parts, size_t count, uint8_t ret_digest[static GBX_SHA256_SIZE]) {
        SHA256_CTX context;

        (void)SHA256_Init(&context);
        for (size_t i = 0; i < count; i++)
                (void)SHA256_Update(&context, parts[i].data, parts[i].size);
        (void)SHA256_Final(ret_digest, &context);
        OPENSSL_cleanse(&context, sizeof context);
}

int gbx_sha256_fd(int fd, uint8_t ret_digest[static GBX_SHA256_SIZE], uint64_t *ret_size, struct gbx_error *err) {
        enum { STEP = 256 * 1024 };
        gbx_auto(gbx_free_pointer) uint8_t *block = malloc(STEP);
        SHA256_CTX context;
        uint64_t offset = 0;

        if (!block)
                return gbx_fail_memory(err);
        (void)SHA256_Init(&context);
        for (;;) {
                ssize_t n = pread(fd, block, STEP, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gbx_fail_errno(err, "cannot read");
                if (n == 0)
                        break;
                (void)SHA256_Update(&context, block, (size_t)n);
                offset += (uint64_t)n;
        }
        (void)SHA256_Final(ret_digest, &context);
        if (ret_size)
                *ret_size = offset;
        return 0;
}
#pragma GCC diagnostic pop

void gbx_sha256_text(const uint8_t digest[static GBX_SHA256_SIZE], char ret_text[static GBX_SHA256_TEXT_SIZE]) {
        (void)snprintf(ret_text, GBX_SHA256_TEXT_SIZE, "sha256:");
        gbx_hex_encode(digest, GBX_SHA256_SIZE, ret_text + 7);
}

void gbx_sha256_text_of(const void *data, size_t size, char ret_text[static GBX_SHA256_TEXT_SIZE]) {
        uint8_t digest[GBX_SHA256_SIZE];

        gbx_sha256(data, size, digest);
        gbx_sha256_text(digest, ret_text);
}

int gbx_sha256_parse(const char *text, uint8_t ret_digest[static GBX_SHA256_SIZE], struct gbx_error *err) {
        if (strncmp(text, "sha256:", 7) != 0)
                return gbx_fail(err, -EINVAL, "'%.80s' is not a digest; expected sha256:<64 hexadecimal digits>", text);
        return gbx_hex_decode(text + 7, strlen(text + 7), ret_digest, GBX_SHA256_SIZE, err);
}

int gbx_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t ret_mac[static GBX_SHA256_SIZE], struct gbx_error *err) {
        unsigned length = 0;

        if (key_size > INT32_MAX || !HMAC(EVP_sha256(), key, (int)key_size, data, size, ret_mac, &length))
                return gbx_fail(err, -EIO, "HMAC-SHA256 failed in OpenSSL");
        return 0;
}

int gbx_hkdf_sha256(const void *key, size_t key_size, const void *salt, size_t salt_size, const void *info,
                    size_t info_size, uint8_t *ret_key, size_t ret_size, struct gbx_error *err) {
        gbx_auto(free_kdf) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        gbx_auto(free_kdf_context) EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
        OSSL_PARAM parameters[5], *next = parameters;

        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0);
        *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, key_size);
        if (salt_size > 0)
                *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, salt_size);
        *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, info_size);
        *next = OSSL_PARAM_construct_end();
        if (!context || EVP_KDF_derive(context, ret_key, ret_size, parameters) != 1)
                return gbx_fail(err, -EIO, "HKDF-SHA256 failed in OpenSSL");
        return 0;
}

int gbx_ed25519_public(const uint8_t seed[static GBX_ED25519_SEED_SIZE],
                       uint8_t ret_public[static GBX_ED25519_PUBLIC_SIZE], struct gbx_error *err) {
        gbx_auto(free_pkey) EVP_PKEY *key =
                EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, GBX_ED25519_SEED_SIZE);
        size_t size = GBX_ED25519_PUBLIC_SIZE;

        if (!key || EVP_PKEY_get_raw_public_key(key, ret_public, &size) != 1)
                return gbx_fail(err, -EIO, "cannot derive an Ed25519 public key in OpenSSL");
        return 0;
}

int gbx_ed25519_sign(const uint8_t seed[static GBX_ED25519_SEED_SIZE], const void *data, size_t size,
                     uint8_t ret_signature[static GBX_ED25519_SIGNATURE_SIZE], struct gbx_error *err) {
        gbx_auto(free_pkey) EVP_PKEY *key =
                EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, GBX_ED25519_SEED_SIZE);
        gbx_auto(free_md_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t length = GBX_ED25519_SIGNATURE_SIZE;

        if (!key || !context || EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
            EVP_DigestSign(context, ret_signature, &length, data, size) != 1)
                return gbx_fail(err, -EIO, "cannot sign with Ed25519 in OpenSSL");
        return 0;
}

int gbx_ed25519_verify(const uint8_t public_key[static GBX_ED25519_PUBLIC_SIZE], const void *data, size_t size,
                       const uint8_t signature[static GBX_ED25519_SIGNATURE_SIZE], struct gbx_error *err) {
        gbx_auto(free_pkey) EVP_PKEY *key =
                EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, GBX_ED25519_PUBLIC_SIZE);
        gbx_auto(free_md_context) EVP_MD_CTX *context = EVP_MD_CTX_new();

        if (!key || !context || EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) != 1)
                return gbx_fail(err, -EBADMSG, "not an Ed25519 public key");
        if (EVP_DigestVerify(context, signature, GBX_ED25519_SIGNATURE_SIZE, data, size) != 1)
                return gbx_fail(err, -EBADMSG, "the Ed25519 signature does not match");
        return 0;
}
