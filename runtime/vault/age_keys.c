#include "base/cleanup.h"
#include "runtime/vault/age_internal.h"
#include "runtime/vault/bech32.h"
#include "runtime/vault/token.h"

#include <openssl/crypto.h>
#include <string.h>

#define RECIPIENT_PREFIX "age"
#define IDENTITY_PREFIX "age-secret-key-"

void gbx_age_file_key_wipe(struct gbx_age_file_key *key) { OPENSSL_cleanse(key, sizeof *key); }

int gbx_age_recipient_parse(const char *text, struct gbx_age_recipient *ret, struct gbx_error *err) {
        struct gbx_age_recipient recipient = {};
        int r = gbx_bech32_decode(RECIPIENT_PREFIX, text, strlen(text), recipient.public_key,
                                  sizeof recipient.public_key, err);

        if (r < 0)
                return gbx_context(err, r, "'%.80s' is not an X25519 recipient (age1… of %d characters)", text,
                                   GBX_AGE_RECIPIENT_TEXT_SIZE - 1);
        *ret = recipient;
        return 0;
}

void gbx_age_recipient_format(const struct gbx_age_recipient *recipient,
                              char ret_text[static GBX_AGE_RECIPIENT_TEXT_SIZE]) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer buffer = {};

        /* Out of memory for 63 bytes: an empty text, which no parser takes for a recipient. */
        (void)gbx_bech32_encode(RECIPIENT_PREFIX, recipient->public_key, sizeof recipient->public_key, &buffer, NULL);
        (void)snprintf(ret_text, GBX_AGE_RECIPIENT_TEXT_SIZE, "%s", gbx_buffer_text(&buffer));
}

static int derive_recipient(struct gbx_age_identity *identity, struct gbx_error *err) {
        EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, identity->secret.data, 32);
        size_t size = sizeof identity->recipient.public_key;
        bool done = key && EVP_PKEY_get_raw_public_key(key, identity->recipient.public_key, &size) == 1;

        EVP_PKEY_free(key);
        if (!done)
                return gbx_fail(err, -EIO, "cannot derive an X25519 public key in OpenSSL");
        return 0;
}

static int allocate(struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = calloc(1, sizeof *identity);
        int r;

        if (!identity)
                return gbx_fail_memory(err);
        r = gbx_secret_new(&identity->secret, 32, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(identity);
        return 0;
}

int gbx_age_identity_generate(struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        int r = allocate(&identity, err);

        if (r == 0)
                r = gbx_random(identity->secret.data, 32, err);
        if (r == 0)
                r = derive_recipient(identity, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(identity);
        return 0;
}

int gbx_age_identity_parse(const char *text, size_t length, struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        int r = allocate(&identity, err);

        if (r < 0)
                return r;
        r = gbx_bech32_decode(IDENTITY_PREFIX, text, length, identity->secret.data, 32, err);
        if (r < 0)
                return gbx_context(err, r, "not an X25519 identity (AGE-SECRET-KEY-1…)");
        r = derive_recipient(identity, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(identity);
        return 0;
}

int gbx_age_identity_from_token(struct gbx_token *token, struct gbx_age_identity **ret, struct gbx_error *err) {
        static const uint8_t base_point[32] = { 9 };
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = calloc(1, sizeof *identity);
        int r;

        if (!identity) {
                gbx_token_free(token);
                return gbx_fail_memory(err);
        }
        identity->token = token;
        /* The public key is what the secret makes of the base point: no other object of the token is trusted. */
        r = gbx_token_derive(token, base_point, identity->recipient.public_key, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(identity);
        return 0;
}

int gbx_age_identity_format(const struct gbx_age_identity *identity, struct gbx_buffer *buffer,
                            struct gbx_error *err) {
        size_t start = buffer->size;
        int r;

        if (identity->token)
                return gbx_fail(err, -EINVAL, "the identity is in a PKCS#11 token, which does not give it away");
        r = gbx_bech32_encode(IDENTITY_PREFIX, identity->secret.data, 32, buffer, err);
        if (r < 0)
                return r;
        for (size_t i = start; i < buffer->size; i++)
                if (buffer->data[i] >= 'a' && buffer->data[i] <= 'z')
                        buffer->data[i] = (uint8_t)(buffer->data[i] - 'a' + 'A');
        return 0;
}

const struct gbx_age_recipient *gbx_age_identity_recipient(const struct gbx_age_identity *identity) {
        return &identity->recipient;
}

struct gbx_age_identity *gbx_age_identity_free(struct gbx_age_identity *identity) {
        if (!identity)
                return NULL;
        gbx_secret_free(&identity->secret);
        gbx_token_free(identity->token);
        free(identity);
        return NULL;
}
