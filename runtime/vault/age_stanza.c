/* X25519 stanzas: wrapping a file key for a recipient, and unwrapping it with an identity. */
#include "base/cleanup.h"
#include "base/encode.h"
#include "runtime/vault/age_internal.h"
#include "runtime/vault/token.h"

#include <openssl/crypto.h>
#include <string.h>

static const char key_label[] = "age-encryption.org/v1/X25519";
static const uint8_t zero_nonce[12]; /* each wrap key is used once */

struct wrap_key {
        uint8_t bytes[32];
};

static void wipe_wrap_key(struct wrap_key *key) { OPENSSL_cleanse(key, sizeof *key); }
static int low_order(struct gbx_error *err) {
        return gbx_fail(err, -EINVAL, "an X25519 key is a point of low order, which no honest program makes");
}

static void free_pkey(EVP_PKEY **key) { EVP_PKEY_free(*key); }
static void free_pkey_context(EVP_PKEY_CTX **context) { EVP_PKEY_CTX_free(*context); }

/* Splits at single spaces; each argument is one or more visible ASCII characters. */
static bool next_argument(const char **next, const char *end, const char **ret, size_t *ret_length) {
        const char *start = *next, *p = start;

        while (p < end && *p > ' ' && *p < 0x7f)
                p++;
        if (p == start || (p < end && *p != ' '))
                return false;
        *ret = start;
        *ret_length = (size_t)(p - start);
        *next = p < end ? p + 1 : NULL;
        return true;
}

static bool argument_is(const char *argument, size_t length, const char *expected) {
        return length == strlen(expected) && memcmp(argument, expected, length) == 0;
}

static int parse_share(const char *text, size_t length, struct gbx_age_stanza *stanza, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer share = {};
        int r = gbx_base64_decode(GBX_BASE64_UNPADDED, text, length, &share, NULL);

        if (r == -ENOMEM)
                return gbx_fail_memory(err);
        if (r < 0 || share.size != sizeof stanza->share)
                stanza->problem = "its share is not 32 bytes in canonical base64";
        else
                memcpy(stanza->share, share.data, sizeof stanza->share);
        return 0;
}

int gbx_age_stanza_parse(const char *arguments, size_t length, const struct gbx_buffer *body,
                         struct gbx_age_stanza *ret, struct gbx_error *err) {
        struct gbx_age_stanza stanza = {};
        const char *next = arguments, *end = arguments + length, *argument, *share = NULL;
        size_t size, share_size = 0, count = 0;
        int r;

        while (next) {
                if (!next_argument(&next, end, &argument, &size))
                        return gbx_fail(err, -EINVAL, "the age header is malformed: a stanza's arguments are not "
                                                      "visible characters between single spaces");
                if (count == 0 && argument_is(argument, size, "X25519"))
                        stanza.type = GBX_AGE_STANZA_X25519;
                if (count == 0 && argument_is(argument, size, "scrypt"))
                        stanza.type = GBX_AGE_STANZA_SCRYPT;
                if (count == 1) {
                        share = argument;
                        share_size = size;
                }
                count++;
        }
        if (stanza.type == GBX_AGE_STANZA_X25519) {
                r = parse_share(share ? share : "", share_size, &stanza, err);
                if (r < 0)
                        return r;
                if (count != 2)
                        stanza.problem = "it does not have exactly two arguments";
                else if (body->size != sizeof stanza.body)
                        stanza.problem = "its body is not 32 bytes";
                else
                        memcpy(stanza.body, body->data, sizeof stanza.body);
        }
        *ret = stanza;
        return 0;
}

/* X25519(secret, peer). -EINVAL for a peer of low order, whose shared secret is all zero. */
static int shared_secret(const uint8_t secret[static 32], const uint8_t peer[static 32],
                         uint8_t ret_shared[static 32], struct gbx_error *err) {
        gbx_auto(free_pkey) EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, 32);
        gbx_auto(free_pkey) EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, 32);
        gbx_auto(free_pkey_context) EVP_PKEY_CTX *context = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
        size_t size = 32;

        if (!other || !context || EVP_PKEY_derive_init(context) != 1 || EVP_PKEY_derive_set_peer(context, other) != 1)
                return gbx_fail(err, -EIO, "cannot set X25519 up in OpenSSL");
        if (EVP_PKEY_derive(context, ret_shared, &size) != 1 || size != 32)
                return low_order(err);
        return 0;
}

/* The key that wraps the file key, of both sides' shared secret. */
static int derive_wrap_key(const struct wrap_key *shared, const uint8_t share[static 32],
                           const uint8_t recipient[static 32], struct wrap_key *ret, struct gbx_error *err) {
        static const uint8_t zero[32];
        uint8_t salt[64];

        if (CRYPTO_memcmp(shared->bytes, zero, sizeof zero) == 0)
                return low_order(err);
        memcpy(salt, share, 32);
        memcpy(salt + 32, recipient, 32);
        return gbx_hkdf_sha256(shared->bytes, sizeof shared->bytes, salt, sizeof salt, key_label, sizeof key_label - 1,
                               ret->bytes, sizeof ret->bytes, err);
}

static int identity_shared_secret(const struct gbx_age_identity *identity, const uint8_t share[static 32],
                                  struct wrap_key *ret, struct gbx_error *err) {
        if (identity->token)
                return gbx_token_derive(identity->token, share, ret->bytes, err);
        return shared_secret(identity->secret.data, share, ret->bytes, err);
}

int gbx_age_stanza_unwrap(const struct gbx_age_stanza *stanza, const struct gbx_age_identity *identity,
                          struct gbx_age_file_key *ret_key, struct gbx_error *err) {
        gbx_auto(gbx_age_cipher_freep) EVP_CIPHER_CTX *cipher = NULL;
        gbx_auto(gbx_age_file_key_wipe) struct gbx_age_file_key key = {};
        gbx_auto(wipe_wrap_key) struct wrap_key shared = {}, wrap = {};
        int r;

        if (stanza->type != GBX_AGE_STANZA_X25519)
                return 1;
        if (stanza->problem)
                return gbx_fail(err, -EINVAL, "the age header is malformed: an X25519 stanza: %s", stanza->problem);
        r = identity_shared_secret(identity, stanza->share, &shared, err);
        if (r == 0)
                r = derive_wrap_key(&shared, stanza->share, identity->recipient.public_key, &wrap, err);
        if (r == 0)
                r = gbx_age_cipher_new(&cipher, wrap.bytes, false, err);
        if (r < 0)
                return r;
        if (!gbx_age_unseal(cipher, zero_nonce, stanza->body, sizeof stanza->body, key.bytes))
                return 1;
        *ret_key = key;
        return 0;
}

static int make_share(const struct wrap_key *secret, uint8_t ret_share[static 32], struct gbx_error *err) {
        gbx_auto(free_pkey) EVP_PKEY *key =
                EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret->bytes, sizeof secret->bytes);
        size_t size = 32;

        if (!key || EVP_PKEY_get_raw_public_key(key, ret_share, &size) != 1)
                return gbx_fail(err, -EIO, "cannot derive an X25519 public key in OpenSSL");
        return 0;
}

int gbx_age_stanza_write(const struct gbx_age_file_key *key, const struct gbx_age_recipient *recipient,
                         struct gbx_buffer *buffer, struct gbx_error *err) {
        gbx_auto(gbx_age_cipher_freep) EVP_CIPHER_CTX *cipher = NULL;
        gbx_auto(wipe_wrap_key) struct wrap_key ephemeral = {}, shared = {}, wrap = {};
        uint8_t share[32], body[GBX_AGE_BODY_SIZE];
        int r = gbx_random(ephemeral.bytes, sizeof ephemeral.bytes, err);

        if (r == 0)
                r = make_share(&ephemeral, share, err);
        if (r == 0)
                r = shared_secret(ephemeral.bytes, recipient->public_key, shared.bytes, err);
        if (r == 0)
                r = derive_wrap_key(&shared, share, recipient->public_key, &wrap, err);
        if (r == 0)
                r = gbx_age_cipher_new(&cipher, wrap.bytes, true, err);
        if (r == 0)
                r = gbx_age_seal(cipher, zero_nonce, key->bytes, sizeof key->bytes, body, err);
        if (r == 0)
                r = gbx_buffer_append_text(buffer, "-> X25519 ", err);
        if (r == 0)
                r = gbx_base64_encode(GBX_BASE64_UNPADDED, share, sizeof share, buffer, err);
        if (r == 0)
                r = gbx_buffer_append_byte(buffer, '\n', err);
        if (r == 0)
                r = gbx_base64_encode(GBX_BASE64_UNPADDED, body, sizeof body, buffer, err);
        if (r == 0)
                r = gbx_buffer_append_byte(buffer, '\n', err);
        return r;
}
