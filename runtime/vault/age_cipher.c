#include "runtime/vault/age_internal.h"

#include "base/cleanup.h"

#include <openssl/crypto.h>
#include <string.h>

int gbx_age_cipher_new(EVP_CIPHER_CTX **ret, const uint8_t key[static 32], bool seal, struct gbx_error *err) {
        gbx_auto(gbx_age_cipher_freep) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

        if (!cipher || EVP_CipherInit_ex(cipher, EVP_chacha20_poly1305(), NULL, key, NULL, seal) != 1)
                return gbx_fail(err, -EIO, "cannot set ChaCha20-Poly1305 up in OpenSSL");
        *ret = gbx_take_ptr(cipher);
        return 0;
}

int gbx_age_payload_cipher_new(EVP_CIPHER_CTX **ret, const struct gbx_age_file_key *key,
                               const uint8_t nonce[static GBX_AGE_NONCE_SIZE], bool seal, struct gbx_error *err) {
        uint8_t payload_key[32];
        int r = gbx_hkdf_sha256(key->bytes, sizeof key->bytes, nonce, GBX_AGE_NONCE_SIZE, "payload", 7, payload_key,
                                sizeof payload_key, err);

        if (r == 0)
                r = gbx_age_cipher_new(ret, payload_key, seal, err);
        OPENSSL_cleanse(payload_key, sizeof payload_key);
        return r;
}

void gbx_age_chunk_nonce(uint64_t index, bool last, uint8_t ret_nonce[static 12]) {
        memset(ret_nonce, 0, 12);
        for (unsigned i = 0; i < 8; i++)
                ret_nonce[10 - i] = (uint8_t)(index >> 8 * i);
        ret_nonce[11] = last;
}

int gbx_age_seal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[static 12], const uint8_t *plain, size_t size,
                 uint8_t *ret_sealed, struct gbx_error *err) {
        int written = 0, rest = 0;

        if (EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce) != 1 ||
            EVP_EncryptUpdate(cipher, ret_sealed, &written, plain, (int)size) != 1 ||
            EVP_EncryptFinal_ex(cipher, ret_sealed + written, &rest) != 1 ||
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, GBX_AGE_TAG_SIZE, ret_sealed + size) != 1)
                return gbx_fail(err, -EIO, "ChaCha20-Poly1305 failed in OpenSSL");
        return 0;
}

bool gbx_age_unseal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[static 12], const uint8_t *sealed, size_t size,
                    uint8_t *ret_plain) {
        size_t plain_size = size - GBX_AGE_TAG_SIZE;
        uint8_t tag[GBX_AGE_TAG_SIZE];
        int written = 0, rest = 0;

        memcpy(tag, sealed + plain_size, sizeof tag);
        if (EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, nonce) == 1 &&
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
            EVP_DecryptUpdate(cipher, ret_plain, &written, sealed, (int)plain_size) == 1 &&
            EVP_DecryptFinal_ex(cipher, ret_plain + written, &rest) == 1)
                return true;
        OPENSSL_cleanse(ret_plain, plain_size);
        return false;
}
