#include "policy/sshsig.h"

#include "base/cleanup.h"
#include "base/encode.h"

#include <openssl/evp.h>
#include <string.h>

/* PROTOCOL.sshsig, sections 1 to 3; RFC 4251 section 5 for "string"; RFC 8709 for ssh-ed25519. */
static const char key_type[] = "ssh-ed25519";
static const char magic[] = "SSHSIG";
static const char armor_begin[] = "-----BEGIN SSH SIGNATURE-----\n";
static const char armor_end[] = "-----END SSH SIGNATURE-----";

enum { MAGIC_SIZE = 6, VERSION = 1, BLOB_MAX = 8192 };

/* A run of bytes that is read from its front. */
struct wire {
        const uint8_t *data;
        size_t size;
};

static bool take_u32(struct wire *wire, uint32_t *ret) {
        if (wire->size < 4)
                return false;
        *ret = (uint32_t)wire->data[0] << 24 | (uint32_t)wire->data[1] << 16 | (uint32_t)wire->data[2] << 8 | wire->data[3];
        wire->data += 4;
        wire->size -= 4;
        return true;
}

static bool take_string(struct wire *wire, struct wire *ret) {
        uint32_t length;

        if (!take_u32(wire, &length) || length > wire->size)
                return false;
        *ret = (struct wire){ wire->data, length };
        wire->data += length;
        wire->size -= length;
        return true;
}

static bool equals(const struct wire *wire, const void *data, size_t size) {
        return wire->size == size && (size == 0 || memcmp(wire->data, data, size) == 0);
}

static bool equals_text(const struct wire *wire, const char *text) {
        return equals(wire, text, strlen(text));
}

/* A key type or hash name for messages: only its harmless characters. */
static void name_of(const struct wire *wire, char ret[static 64]) {
        size_t length = 0;

        for (; length < wire->size && length < 63; length++) {
                uint8_t c = wire->data[length];

                ret[length] = '?';
                if (c > 0x20 && c < 0x7f)
                        ret[length] = (char)c;
        }
        ret[length] = '\0';
}

/* Reads the blob of an ssh-ed25519 public key: string type, string key. */
static int parse_key_blob(struct wire blob, uint8_t ret[static GBX_ED25519_PUBLIC_SIZE], struct gbx_error *err) {
        struct wire type, key;
        char name[64];

        if (!take_string(&blob, &type))
                return gbx_fail(err, -EINVAL, "the SSH public key is cut off");
        if (!equals_text(&type, key_type)) {
                name_of(&type, name);
                return gbx_fail(err, -EINVAL, "the SSH key is of type %s; only %s keys are accepted (ssh-keygen -t ed25519)",
                                name, key_type);
        }
        if (!take_string(&blob, &key) || key.size != GBX_ED25519_PUBLIC_SIZE || blob.size != 0)
                return gbx_fail(err, -EINVAL, "the %s public key is malformed", key_type);
        memcpy(ret, key.data, GBX_ED25519_PUBLIC_SIZE);
        return 0;
}

int gbx_ssh_key_parse(const char *line, struct gbx_ssh_key *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer blob = {}, digest_text = {};
        size_t type = strcspn(line, " "), length, data;
        const char *text;
        struct gbx_ssh_key key = {};
        uint8_t digest[GBX_SHA256_SIZE];
        int r;

        if (strnlen(line, GBX_SSH_KEY_MAX_BYTES + 1) > GBX_SSH_KEY_MAX_BYTES)
                return gbx_fail(err, -EINVAL, "the SSH public key line is longer than %d bytes", GBX_SSH_KEY_MAX_BYTES);
        length = strlen(line);
        if (length && line[length - 1] == '\n')
                length--;
        for (size_t i = 0; i < length; i++)
                if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
                        return gbx_fail(err, -EINVAL, "an SSH public key is one line without control characters");
        if (type != strlen(key_type) || memcmp(line, key_type, type) != 0)
                return gbx_fail(err, -EINVAL,
                                "the SSH public key line begins with '%.*s'; only %s keys are accepted (ssh-keygen -t ed25519)",
                                (int)(type < 40 ? type : 40), line, key_type);
        if (type >= length)
                return gbx_fail(err, -EINVAL, "the SSH public key line ends after its type");
        text = line + type + 1;
        data = strcspn(text, " \n");
        r = gbx_base64_decode(GBX_BASE64_PADDED, text, data, &blob, err);
        if (r < 0)
                return gbx_context(err, r, "the SSH public key");
        r = parse_key_blob((struct wire){ blob.data, blob.size }, key.ed25519, err);
        if (r < 0)
                return r;
        gbx_sha256(blob.data, blob.size, digest);
        r = gbx_base64_encode(GBX_BASE64_UNPADDED, digest, sizeof digest, &digest_text, err);
        if (r < 0)
                return r;
        (void)snprintf(key.fingerprint, sizeof key.fingerprint, "SHA256:%s", gbx_buffer_text(&digest_text));
        *ret = key;
        return 0;
}

/* Takes the armor off: the two lines around, base64 in lines between. */
static int unarmor(const char *text, size_t size, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer body = {};
        size_t begin = strlen(armor_begin), end = strlen(armor_end);
        int r = 0;

        if (size > GBX_SSHSIG_MAX_BYTES)
                return gbx_fail(err, -EINVAL, "the signature is longer than %d bytes", GBX_SSHSIG_MAX_BYTES);
        if (size && text[size - 1] == '\n')
                size--;
        if (size < begin + end || memcmp(text, armor_begin, begin) != 0 || memcmp(text + size - end, armor_end, end) != 0 ||
            text[size - end - 1] != '\n')
                return gbx_fail(err, -EINVAL, "this is not an armored SSH signature (ssh-keygen -Y sign makes one)");
        for (size_t i = begin; r >= 0 && i < size - end; i++)
                if (text[i] != '\n')
                        r = gbx_buffer_append_byte(&body, (uint8_t)text[i], err);
        if (r >= 0)
                r = gbx_base64_decode(GBX_BASE64_PADDED, gbx_buffer_text(&body), body.size, ret, err);
        return r < 0 ? gbx_context(err, r, "the SSH signature") : 0;
}

struct signature {
        uint8_t key[GBX_ED25519_PUBLIC_SIZE];
        struct wire namespace;
        const EVP_MD *hash;
        struct wire hash_name;
        uint8_t bytes[GBX_ED25519_SIGNATURE_SIZE];
};

static int parse_inner(struct wire outer, struct signature *ret, struct gbx_error *err) {
        struct wire type, bytes;

        if (!take_string(&outer, &type) || !equals_text(&type, key_type) || !take_string(&outer, &bytes) ||
            bytes.size != GBX_ED25519_SIGNATURE_SIZE || outer.size != 0)
                return gbx_fail(err, -EINVAL, "the SSH signature does not hold an %s signature", key_type);
        memcpy(ret->bytes, bytes.data, sizeof ret->bytes);
        return 0;
}

static int parse_signature(const struct gbx_buffer *blob, struct signature *ret, struct gbx_error *err) {
        struct wire wire = { blob->data, blob->size }, key, reserved, inner;
        uint32_t version;
        char name[64];
        int r;

        if (wire.size < MAGIC_SIZE || memcmp(wire.data, magic, MAGIC_SIZE) != 0)
                return gbx_fail(err, -EINVAL, "the armored text is not an SSH signature");
        wire.data += MAGIC_SIZE;
        wire.size -= MAGIC_SIZE;
        if (!take_u32(&wire, &version) || version != VERSION)
                return gbx_fail(err, -EINVAL, "the SSH signature is not of version %d", VERSION);
        if (!take_string(&wire, &key) || !take_string(&wire, &ret->namespace) || !take_string(&wire, &reserved) ||
            !take_string(&wire, &ret->hash_name) || !take_string(&wire, &inner) || wire.size != 0)
                return gbx_fail(err, -EINVAL, "the SSH signature is cut off or has surplus bytes");
        if (reserved.size != 0) /* nothing is defined for it; taking it would give one signature many forms */
                return gbx_fail(err, -EINVAL, "the SSH signature has a reserved field that is not empty");
        if (equals_text(&ret->hash_name, "sha256"))
                ret->hash = EVP_sha256();
        else if (equals_text(&ret->hash_name, "sha512"))
                ret->hash = EVP_sha512();
        else {
                name_of(&ret->hash_name, name);
                return gbx_fail(err, -EINVAL, "the SSH signature uses the hash '%s'; sha256 and sha512 are accepted", name);
        }
        r = parse_key_blob(key, ret->key, err);
        return r < 0 ? r : parse_inner(inner, ret, err);
}

static int append_string(struct gbx_buffer *buffer, const void *data, size_t size, struct gbx_error *err) {
        uint8_t length[4] = { (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size };
        int r = gbx_buffer_append(buffer, length, sizeof length, err);

        return r < 0 || size == 0 ? r : gbx_buffer_append(buffer, data, size, err);
}

/* The bytes that Ed25519 signs: magic, namespace, reserved, hash name, hash of the message. */
static int signed_bytes(const struct signature *signature, const void *message, size_t size, struct gbx_buffer *ret,
                        struct gbx_error *err) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned digest_size = 0;
        int r;

        if (EVP_Digest(message, size, digest, &digest_size, signature->hash, NULL) != 1)
                return gbx_fail_memory(err);
        r = gbx_buffer_append(ret, magic, MAGIC_SIZE, err);
        if (r >= 0)
                r = append_string(ret, signature->namespace.data, signature->namespace.size, err);
        if (r >= 0)
                r = append_string(ret, NULL, 0, err);
        if (r >= 0)
                r = append_string(ret, signature->hash_name.data, signature->hash_name.size, err);
        return r < 0 ? r : append_string(ret, digest, digest_size, err);
}

int gbx_sshsig_verify(const struct gbx_ssh_key *key, const char *namespace, const void *message, size_t message_size,
                      const char *signature, size_t signature_size, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer blob = {}, bytes = {};
        struct signature parsed = {};
        char name[64];
        int r = unarmor(signature, signature_size, &blob, err);

        if (r >= 0)
                r = parse_signature(&blob, &parsed, err);
        if (r < 0)
                return r;
        if (!equals_text(&parsed.namespace, namespace)) {
                name_of(&parsed.namespace, name);
                return gbx_fail(err, -EBADMSG, "the signature was made in the namespace '%s', not '%s' (ssh-keygen -Y sign -n %s)",
                                name, namespace, namespace);
        }
        if (memcmp(parsed.key, key->ed25519, sizeof parsed.key) != 0)
                return gbx_fail(err, -EBADMSG, "the signature was made with another key than %s", key->fingerprint);
        r = signed_bytes(&parsed, message, message_size, &bytes, err);
        if (r < 0)
                return r;
        if (gbx_ed25519_verify(key->ed25519, bytes.data, bytes.size, parsed.bytes, NULL) < 0)
                return gbx_fail(err, -EBADMSG, "the signature does not match the text");
        return 0;
}
