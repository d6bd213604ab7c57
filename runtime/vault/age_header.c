/*
 * The header of an age file
 *
 *   header   = "age-encryption.org/v1" LF 1*stanza "--- " 43base64char LF
 *   stanza   = "-> " argument *(SP argument) LF *(64base64char LF) *63base64char LF
 *   argument = 1*VCHAR
 *
 * The MAC is over everything up to and with the three dashes.
 */
#include "base/cleanup.h"
#include "base/encode.h"
#include "runtime/vault/age_internal.h"

#include <openssl/crypto.h>
#include <string.h>

enum { COLUMNS = 64 };

static const char version_line[] = "age-encryption.org/v1";
static const char version_prefix[] = "age-encryption.org/";

/* One line of the header, without its LF; points into header->text. */
struct line {
        size_t start;
        size_t length;
};

static int malformed(struct gbx_age_source *source, struct gbx_error *err, const char *what) {
        source->failure = GBX_AGE_HEADER_FAILURE;
        return gbx_fail(err, -EINVAL, "the age header is malformed: %s", what);
}

static int limit_reached(struct gbx_age_source *source, struct gbx_error *err, const char *what, int limit) {
        source->failure = GBX_AGE_HEADER_FAILURE;
        return gbx_fail(err, -EDQUOT, "the age header has more than the %d %s allowed", limit, what);
}

static int memory_failure(struct gbx_age_source *source, int code) {
        source->failure = GBX_AGE_OTHER_FAILURE;
        return code;
}

static int read_line(struct gbx_age_source *source, struct gbx_age_header *header, struct line *ret,
                     struct gbx_error *err) {
        size_t start = header->text.size;

        for (;;) {
                uint8_t byte;
                size_t got = 0;
                int r = gbx_age_source_read(source, &byte, 1, &got, err);

                if (r < 0)
                        return r;
                if (got == 0)
                        return malformed(source, err, "the file ends inside it");
                if (header->text.size == GBX_AGE_MAX_HEADER)
                        return limit_reached(source, err, "bytes", GBX_AGE_MAX_HEADER);
                r = gbx_buffer_append_byte(&header->text, byte, err);
                if (r < 0)
                        return memory_failure(source, r);
                if (byte == '\n')
                        break;
        }
        *ret = (struct line){ .start = start, .length = header->text.size - 1 - start };
        return 0;
}

static const char *line_text(const struct gbx_age_header *header, struct line line) {
        return (const char *)header->text.data + line.start;
}

static bool starts_with(const struct gbx_age_header *header, struct line line, const char *prefix) {
        size_t length = strlen(prefix);

        return line.length >= length && memcmp(line_text(header, line), prefix, length) == 0;
}

static int read_version(struct gbx_age_source *source, struct gbx_age_header *header, struct gbx_error *err) {
        struct line line;
        char first[sizeof version_prefix - 1];
        size_t got = 0;
        int r = gbx_age_source_read(source, first, sizeof first, &got, err);

        if (r < 0)
                return r;
        if (got < sizeof first || memcmp(first, version_prefix, sizeof first) != 0)
                return malformed(source, err, "this is not an age file (it does not begin with age-encryption.org/)");
        r = gbx_buffer_append(&header->text, first, sizeof first, err);
        if (r < 0)
                return memory_failure(source, r);
        r = read_line(source, header, &line, err);
        if (r < 0)
                return r;
        if (strcmp(gbx_buffer_text(&header->text), "age-encryption.org/v1\n") != 0)
                return malformed(source, err, "the version is not age-encryption.org/v1");
        return 0;
}

/* The body: base64 in lines of 64, ended by a shorter one. */
static int read_body(struct gbx_age_source *source, struct gbx_age_header *header, struct gbx_buffer *body,
                     struct gbx_error *err) {
        struct line line;

        do {
                int r = read_line(source, header, &line, err);

                if (r < 0)
                        return r;
                if (line.length > COLUMNS)
                        return malformed(source, err, "a line of a stanza is longer than 64 columns");
                r = gbx_base64_decode(GBX_BASE64_UNPADDED, line_text(header, line), line.length, body, NULL);
                if (r == -ENOMEM)
                        return memory_failure(source, gbx_fail_memory(err));
                if (r < 0)
                        return malformed(source, err, "a line of a stanza is not canonical base64");
        } while (line.length == COLUMNS);
        return 0;
}

static int read_stanza(struct gbx_age_source *source, struct gbx_age_header *header, struct line line,
                       struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer body = {};
        gbx_auto(gbx_free_pointer) char *arguments = NULL;
        size_t length = line.length - 3;
        int r;

        if (header->count == GBX_AGE_MAX_STANZAS)
                return limit_reached(source, err, "stanzas", GBX_AGE_MAX_STANZAS);
        arguments = malloc(length + 1); /* the text moves as it grows */
        if (!arguments)
                return memory_failure(source, gbx_fail_memory(err));
        memcpy(arguments, line_text(header, line) + 3, length);
        arguments[length] = '\0';
        r = read_body(source, header, &body, err);
        if (r < 0)
                return r;
        r = gbx_age_stanza_parse(arguments, length, &body, &header->stanzas[header->count], err);
        if (r < 0) {
                source->failure = r == -EINVAL ? GBX_AGE_HEADER_FAILURE : GBX_AGE_OTHER_FAILURE;
                return r;
        }
        header->count++;
        return 0;
}

static int read_mac(struct gbx_age_source *source, struct gbx_age_header *header, struct line line,
                    struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer mac = {};
        int r;

        if (!starts_with(header, line, "--- "))
                return malformed(source, err, "its last line is not \"--- \" and the MAC");
        r = gbx_base64_decode(GBX_BASE64_UNPADDED, line_text(header, line) + 4, line.length - 4, &mac, NULL);
        if (r == -ENOMEM)
                return memory_failure(source, gbx_fail_memory(err));
        if (r < 0 || mac.size != sizeof header->mac)
                return malformed(source, err, "the MAC is not 32 bytes in canonical base64");
        memcpy(header->mac, mac.data, sizeof header->mac);
        header->authenticated = line.start + 3;
        return 0;
}

int gbx_age_header_read(struct gbx_age_source *source, struct gbx_age_header *header, struct gbx_error *err) {
        struct line line;
        bool passphrase = false;
        int r = read_version(source, header, err);

        while (r == 0) {
                r = read_line(source, header, &line, err);
                if (r < 0)
                        break;
                if (starts_with(header, line, "---")) {
                        r = read_mac(source, header, line, err);
                        break;
                }
                if (!starts_with(header, line, "-> "))
                        return malformed(source, err, "a line is neither a stanza (\"-> \") nor the end (\"--- \")");
                r = read_stanza(source, header, line, err);
        }
        if (r < 0)
                return r;
        if (header->count == 0)
                return malformed(source, err, "it has no recipient");
        for (size_t i = 0; i < header->count; i++)
                passphrase |= header->stanzas[i].type == GBX_AGE_STANZA_SCRYPT;
        if (passphrase && header->count > 1)
                return malformed(source, err, "a passphrase (scrypt) stanza beside other stanzas");
        return 0;
}

void gbx_age_header_free(struct gbx_age_header *header) {
        gbx_buffer_free(&header->text);
        *header = (struct gbx_age_header){};
}

static int compute_mac(const struct gbx_age_file_key *key, const void *data, size_t size,
                       uint8_t ret_mac[static GBX_SHA256_SIZE], struct gbx_error *err) {
        uint8_t mac_key[32];
        int r = gbx_hkdf_sha256(key->bytes, sizeof key->bytes, NULL, 0, "header", 6, mac_key, sizeof mac_key, err);

        if (r == 0)
                r = gbx_hmac_sha256(mac_key, sizeof mac_key, data, size, ret_mac, err);
        OPENSSL_cleanse(mac_key, sizeof mac_key);
        return r;
}

static int try_identity(struct gbx_age_source *source, const struct gbx_age_header *header,
                        const struct gbx_age_identity *identity, struct gbx_age_file_key *ret_key,
                        struct gbx_error *err) {
        for (size_t i = 0; i < header->count; i++) {
                int r = gbx_age_stanza_unwrap(&header->stanzas[i], identity, ret_key, err);

                if (r < 0)
                        source->failure = r == -EINVAL ? GBX_AGE_HEADER_FAILURE : GBX_AGE_OTHER_FAILURE;
                if (r <= 0)
                        return r;
        }
        return 1;
}

int gbx_age_header_unwrap(struct gbx_age_source *source, const struct gbx_age_header *header,
                          struct gbx_age_identities identities, struct gbx_age_file_key *ret_key,
                          struct gbx_error *err) {
        gbx_auto(gbx_age_file_key_wipe) struct gbx_age_file_key key = {};
        uint8_t mac[GBX_SHA256_SIZE];
        int r = 1;

        for (size_t i = 0; i < identities.count && r > 0; i++)
                r = try_identity(source, header, identities.list[i], &key, err);
        if (r < 0)
                return r;
        if (r > 0) {
                source->failure = GBX_AGE_NO_MATCH;
                if (header->stanzas[0].type == GBX_AGE_STANZA_SCRYPT)
                        return gbx_fail(err, -ENOKEY, "the file is encrypted with a passphrase, which is not accepted; "
                                                      "encrypt it to a recipient (age -r age1…)");
                return gbx_fail(err, -ENOKEY, "the file is not encrypted to any of our %zu keys", identities.count);
        }
        r = compute_mac(&key, header->text.data, header->authenticated, mac, err);
        if (r < 0)
                return memory_failure(source, r);
        if (CRYPTO_memcmp(mac, header->mac, sizeof mac) != 0) {
                source->failure = GBX_AGE_HMAC_FAILURE;
                return gbx_fail(err, -EBADMSG, "the header's MAC does not verify: the header was altered");
        }
        *ret_key = key;
        return 0;
}

int gbx_age_header_write(const struct gbx_age_file_key *key, struct gbx_age_recipients recipients,
                         struct gbx_buffer *buffer, struct gbx_error *err) {
        size_t start = buffer->size;
        uint8_t mac[GBX_SHA256_SIZE];
        int r;

        if (recipients.count == 0 || recipients.count > GBX_AGE_MAX_STANZAS)
                return gbx_fail(err, -EINVAL, "%zu recipients; expected 1 to %d", recipients.count,
                                GBX_AGE_MAX_STANZAS);
        r = gbx_buffer_printf(buffer, err, "%s\n", version_line);
        for (size_t i = 0; i < recipients.count && r == 0; i++)
                r = gbx_age_stanza_write(key, &recipients.list[i], buffer, err);
        if (r == 0)
                r = gbx_buffer_append_text(buffer, "---", err);
        if (r == 0)
                r = compute_mac(key, buffer->data + start, buffer->size - start, mac, err);
        if (r == 0)
                r = gbx_buffer_append_text(buffer, " ", err);
        if (r == 0)
                r = gbx_base64_encode(GBX_BASE64_UNPADDED, mac, sizeof mac, buffer, err);
        if (r == 0)
                r = gbx_buffer_append_byte(buffer, '\n', err);
        return r;
}
