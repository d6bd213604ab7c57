#include "watermark/prf.h"

#include "base/cleanup.h"
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static void free_cipher(EVP_CIPHER_CTX **context) { EVP_CIPHER_CTX_free(*context); }

static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static uint64_t load64(const uint8_t *data) {
        uint64_t x;

        memcpy(&x, data, sizeof x);
        return x; /* SipHash is little-endian, as is every machine this is built for */
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian machines need byte swaps here");

struct sip {
        uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
}

static inline void sip_block(struct sip *s, uint64_t block) {
        s->v3 ^= block;
        sip_round(s);
        sip_round(s);
        s->v0 ^= block;
}

static inline uint64_t sip_finish(struct sip *s) {
        for (int i = 0; i < 4; i++)
                sip_round(s);
        return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline void sip_absorb(struct sip *s, const struct gbx_sip_key *key, const uint8_t *data, size_t size,
                              uint64_t variant) {
        uint64_t last = (uint64_t)size << 56;

        *s = (struct sip){ key->half[0] ^ 0x736f6d6570736575, key->half[1] ^ 0x646f72616e646f6d ^ variant,
                           key->half[0] ^ 0x6c7967656e657261, key->half[1] ^ 0x7465646279746573 };
        for (; size >= 8; size -= 8, data += 8)
                sip_block(s, load64(data));
        for (size_t i = 0; i < size; i++)
                last |= (uint64_t)data[i] << (8 * i);
        sip_block(s, last);
}

struct gbx_cell_id gbx_sip128(const struct gbx_sip_key *key, const void *data, size_t size) {
        struct gbx_cell_id id;
        struct sip s;

        sip_absorb(&s, key, data, size, 0xee);
        s.v2 ^= 0xee;
        id.half[0] = sip_finish(&s);
        s.v1 ^= 0xdd;
        id.half[1] = sip_finish(&s);
        return id;
}

uint64_t gbx_sip64(const struct gbx_sip_key *key, const void *data, size_t size) {
        struct sip s;

        sip_absorb(&s, key, data, size, 0);
        s.v2 ^= 0xff;
        return sip_finish(&s);
}

int gbx_mark_keys_derive(const uint8_t *root, const char *family, struct gbx_mark_keys *ret, struct gbx_error *err) {
        static const char info[] = "glovebox watermark v1";
        uint8_t salt[GBX_SHA256_SIZE], bytes[6 * sizeof(struct gbx_sip_key) + 32];
        struct gbx_sip_key *const places[] = { &ret->select, &ret->cell,   &ret->bias,
                                               &ret->text,   &ret->sketch, &ret->layout };
        int r;

        gbx_sha256(family, strlen(family), salt);
        r = gbx_hkdf_sha256(root, 32, salt, sizeof salt, info, sizeof info - 1, bytes, sizeof bytes, err);
        if (r < 0)
                return gbx_context(err, r, "watermark keys");
        for (size_t i = 0; i < gbx_array_size(places); i++)
                memcpy(places[i], bytes + i * sizeof *places[i], sizeof *places[i]);
        memcpy(ret->release, bytes + 6 * sizeof(struct gbx_sip_key), sizeof ret->release);
        OPENSSL_cleanse(bytes, sizeof bytes);
        return 0;
}

void gbx_mark_keys_clear(struct gbx_mark_keys *keys) { OPENSSL_cleanse(keys, sizeof *keys); }

int gbx_mark_release_key(const struct gbx_mark_keys *keys, const char *release, const char *recipient,
                         uint8_t ret_key[static 16], struct gbx_error *err) {
        uint64_t lengths[2] = { strlen(release), strlen(recipient) };
        const struct gbx_bytes parts[] = { { lengths, sizeof lengths },
                                           { release, strlen(release) },
                                           { recipient, strlen(recipient) } };
        uint8_t id[GBX_SHA256_SIZE], mac[GBX_SHA256_SIZE];
        int r;

        gbx_sha256_parts(parts, gbx_array_size(parts), id);
        r = gbx_hmac_sha256(keys->release, sizeof keys->release, id, sizeof id, mac, err);
        if (r < 0)
                return r;
        memcpy(ret_key, mac, 16);
        OPENSSL_cleanse(mac, sizeof mac);
        return 0;
}

int gbx_mark_draw(const uint8_t key[static 16], const struct gbx_cell_id *ids, size_t count, struct gbx_draw *ret_draws,
                  struct gbx_error *err) {
        enum { STEP = 1 << 20 }; /* OpenSSL counts in int */
        gbx_auto(free_cipher) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        const uint8_t *in = (const uint8_t *)ids;
        uint8_t *out = (uint8_t *)ret_draws;

        if (!context || EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, key, NULL) != 1)
                return gbx_fail(err, -EIO, "AES-128 failed in OpenSSL");
        (void)EVP_CIPHER_CTX_set_padding(context, 0);
        while (count > 0) {
                size_t step = count < STEP ? count : STEP;
                int size = 0;

                if (EVP_EncryptUpdate(context, out, &size, in, (int)(16 * step)) != 1 || size != (int)(16 * step))
                        return gbx_fail(err, -EIO, "AES-128 failed in OpenSSL");
                in += 16 * step;
                out += 16 * step;
                count -= step;
        }
        return 0;
}
