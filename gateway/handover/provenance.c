#include "gateway/handover/provenance.h"

#include "base/cleanup.h"
#include "base/encode.h"

#include <string.h>

enum { ENVELOPE_LIMIT = 4 * 1024 * 1024, MAX_SIGNATURES = 16, KEYID_SIZE = 2 * GBX_SHA256_SIZE + 1 };

static void decref(json_t **json) {
        json_decref(*json);
}

int gbx_dsse_encode(const char *type, const void *payload, size_t size, struct gbx_buffer *ret, struct gbx_error *err) {
        int r = gbx_buffer_printf(ret, err, "DSSEv1 %zu %s %zu ", strlen(type), type, size);

        return r < 0 ? r : gbx_buffer_append(ret, payload, size, err);
}

/* The key id is a hint only: the digest of the public key. */
static void key_id(const uint8_t public_key[static GBX_ED25519_PUBLIC_SIZE], char ret[static KEYID_SIZE]) {
        uint8_t digest[GBX_SHA256_SIZE];

        gbx_sha256(public_key, GBX_ED25519_PUBLIC_SIZE, digest);
        gbx_hex_encode(digest, sizeof digest, ret);
}

static json_t *make_statement(const struct gbx_provenance_subject *subjects, size_t count, json_t *predicate) {
        json_t *list = json_array();

        for (size_t i = 0; i < count; i++) {
                char digest[2 * GBX_SHA256_SIZE + 1];

                gbx_hex_encode(subjects[i].digest, GBX_SHA256_SIZE, digest);
                (void)json_array_append_new(list, json_pack("{s:s, s:{s:s}}", "name", subjects[i].name, "digest", "sha256", digest));
        }
        return json_pack("{s:s, s:o, s:s, s:O}", "_type", GBX_PROVENANCE_STATEMENT_TYPE, "subject", list, "predicateType",
                         GBX_PROVENANCE_PREDICATE_TYPE, "predicate", predicate);
}

static int encode_text(const void *data, size_t size, struct gbx_buffer *ret, struct gbx_error *err) {
        return gbx_base64_encode(GBX_BASE64_PADDED, data, size, ret, err);
}

int gbx_provenance_sign(const struct gbx_provenance_subject *subjects, size_t count, json_t *predicate,
                        const uint8_t seed[static GBX_ED25519_SEED_SIZE], struct gbx_buffer *ret_envelope,
                        struct gbx_error *err) {
        gbx_auto(decref) json_t *statement = make_statement(subjects, count, predicate), *envelope = NULL;
        gbx_auto(gbx_free_pointer) char *payload = statement ? json_dumps(statement, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        gbx_auto(gbx_free_pointer) char *text = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer signed_bytes = {}, body = {}, signature_text = {};
        uint8_t signature[GBX_ED25519_SIGNATURE_SIZE], public_key[GBX_ED25519_PUBLIC_SIZE];
        char id[KEYID_SIZE];
        int r;

        if (!payload)
                return gbx_fail_memory(err);
        r = gbx_dsse_encode(GBX_PROVENANCE_PAYLOAD_TYPE, payload, strlen(payload), &signed_bytes, err);
        if (r >= 0)
                r = gbx_ed25519_sign(seed, signed_bytes.data, signed_bytes.size, signature, err);
        if (r >= 0)
                r = gbx_ed25519_public(seed, public_key, err);
        if (r >= 0)
                r = encode_text(payload, strlen(payload), &body, err);
        if (r >= 0)
                r = encode_text(signature, sizeof signature, &signature_text, err);
        if (r < 0)
                return r;
        key_id(public_key, id);
        envelope = json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "payloadType", GBX_PROVENANCE_PAYLOAD_TYPE, "payload",
                             gbx_buffer_text(&body), "signatures", "keyid", id, "sig", gbx_buffer_text(&signature_text));
        text = envelope ? json_dumps(envelope, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        return text ? gbx_buffer_printf(ret_envelope, err, "%s\n", text) : gbx_fail_memory(err);
}

/* DSSE accepts the standard and the URL-safe alphabet; this turns the second into the first. */
static int decode_either(const char *text, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *copy = strdup(text);

        if (!copy)
                return gbx_fail_memory(err);
        for (char *c = copy; *c; c++)
                *c = (char)(*c == '-' ? '+' : *c == '_' ? '/' : *c);
        return gbx_base64_decode(GBX_BASE64_PADDED, copy, strlen(copy), ret, err);
}

/* Whether one of the signatures is this key's. */
static bool signed_by(const json_t *signatures, const struct gbx_buffer *bytes,
                      const uint8_t public_key[static GBX_ED25519_PUBLIC_SIZE]) {
        size_t index;
        json_t *item;

        json_array_foreach(signatures, index, item) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer signature = {};
                const char *text = json_string_value(json_object_get(item, "sig"));

                if (index < MAX_SIGNATURES && text && decode_either(text, &signature, NULL) >= 0 &&
                    signature.size == GBX_ED25519_SIGNATURE_SIZE &&
                    gbx_ed25519_verify(public_key, bytes->data, bytes->size, signature.data, NULL) == 0)
                        return true;
        }
        return false;
}

int gbx_provenance_verify(const void *envelope, size_t size, const uint8_t public_key[static GBX_ED25519_PUBLIC_SIZE],
                          json_t **ret_statement, struct gbx_error *err) {
        gbx_auto(decref) json_t *json = NULL, *statement = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer body = {}, bytes = {};
        const char *type, *payload;
        int r;

        if (size > ENVELOPE_LIMIT)
                return gbx_fail(err, -EINVAL, "the envelope is longer than %d bytes", ENVELOPE_LIMIT);
        json = json_loadb(envelope, size, JSON_REJECT_DUPLICATES, NULL);
        type = json_string_value(json_object_get(json, "payloadType"));
        payload = json_string_value(json_object_get(json, "payload"));
        if (!type || !payload || strcmp(type, GBX_PROVENANCE_PAYLOAD_TYPE) != 0)
                return gbx_fail(err, -EINVAL, "not a DSSE envelope with an in-toto statement");
        r = decode_either(payload, &body, err);
        if (r >= 0)
                r = gbx_dsse_encode(type, body.data, body.size, &bytes, err);
        if (r < 0)
                return gbx_context(err, r, "the envelope's payload");
        if (!signed_by(json_object_get(json, "signatures"), &bytes, public_key))
                return gbx_fail(err, -EBADMSG, "the envelope is not signed by this site's provenance key");
        statement = json_loadb(gbx_buffer_text(&body), body.size, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_array(json_object_get(statement, "subject")))
                return gbx_fail(err, -EINVAL, "the signed payload is not an in-toto statement");
        *ret_statement = gbx_take_ptr(statement);
        return 0;
}

const char *gbx_provenance_find(const json_t *statement, const uint8_t digest[static GBX_SHA256_SIZE]) {
        char text[2 * GBX_SHA256_SIZE + 1];
        size_t index;
        json_t *subject;

        gbx_hex_encode(digest, GBX_SHA256_SIZE, text);
        json_array_foreach(json_object_get(statement, "subject"), index, subject) {
                const char *found = json_string_value(json_object_get(json_object_get(subject, "digest"), "sha256"));

                if (found && strcmp(found, text) == 0)
                        return json_string_value(json_object_get(subject, "name"));
        }
        return NULL;
}
