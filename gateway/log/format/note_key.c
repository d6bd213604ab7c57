#include "gateway/log/format/note_key.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_TEXT_MAX = 1024 };
static const char secret_prefix[] = "PRIVATE+KEY+";

/* The characters beyond ASCII that Unicode calls white space, as UTF-8. */
static const char *const unicode_spaces[] = {
        "\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
        "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
};

bool gbx_note_name_valid(const char *name, size_t length) {
        if (length == 0 || length >= GBX_NOTE_NAME_SIZE || !gbx_utf8_valid(name, length))
                return false;
        for (size_t i = 0; i < length; i++)
                if ((uint8_t)name[i] <= ' ' || name[i] == 0x7f || name[i] == '+')
                        return false;
        for (size_t i = 0; i < gbx_array_size(unicode_spaces); i++)
                if (memmem(name, length, unicode_spaces[i], strlen(unicode_spaces[i])))
                        return false;
        return true;
}

static void key_id(struct gbx_note_verifier *verifier) {
        uint8_t digest[GBX_SHA256_SIZE];
        struct gbx_bytes parts[] = {
                { verifier->name, strlen(verifier->name) },
                { "\n", 1 },
                { &verifier->type, 1 },
                { verifier->public_key, sizeof verifier->public_key },
        };

        gbx_sha256_parts(parts, gbx_array_size(parts), digest);
        verifier->id = (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3];
}

/* Reads NAME+HEX8+BASE64(type || 32 bytes); what the 32 bytes are, the caller knows. */
static int parse_fields(const char *text, size_t length, struct gbx_note_verifier *ret,
                        uint8_t ret_key[static GBX_ED25519_SEED_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer key = { .secret = true };
        const char *first = memchr(text, '+', length);
        const char *second = first ? memchr(first + 1, '+', length - (size_t)(first + 1 - text)) : NULL;
        uint8_t id[4];
        int r;

        if (!second || length > KEY_TEXT_MAX)
                return gbx_fail(err, -EINVAL, "not a note key; expected NAME+HEX8+BASE64");
        if (!gbx_note_name_valid(text, (size_t)(first - text)))
                return gbx_fail(err, -EINVAL, "not a name for a note key: empty, too long, or with white space or '+'");
        r = gbx_hex_decode(first + 1, (size_t)(second - first - 1), id, sizeof id, err);
        if (r < 0)
                return gbx_context(err, r, "identifier of the note key");
        second++;
        r = gbx_base64_decode(GBX_BASE64_PADDED, second, length - (size_t)(second - text), &key, err);
        if (r < 0)
                return gbx_context(err, r, "note key");
        if (key.size != 1 + GBX_ED25519_SEED_SIZE ||
            (key.data[0] != GBX_NOTE_ED25519 && key.data[0] != GBX_NOTE_COSIGNATURE))
                return gbx_fail(err, -EINVAL, "the note key is of a type that is not known here; expected Ed25519 (01) or "
                                              "cosignature/v1 (04) and 32 bytes");
        *ret = (struct gbx_note_verifier){ .type = key.data[0] };
        memcpy(ret->name, text, (size_t)(first - text));
        ret->id = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
        memcpy(ret_key, key.data + 1, GBX_ED25519_SEED_SIZE);
        return 0;
}

static int check_id(struct gbx_note_verifier *verifier, struct gbx_error *err) {
        uint32_t written = verifier->id;

        key_id(verifier);
        if (written != verifier->id)
                return gbx_fail(err, -EINVAL, "the identifier of note key '%s' is %08x, its key gives %08x",
                                verifier->name, written, verifier->id);
        return 0;
}

int gbx_note_verifier_parse(const char *text, size_t length, struct gbx_note_verifier *ret, struct gbx_error *err) {
        struct gbx_note_verifier verifier;
        uint8_t key[GBX_ED25519_PUBLIC_SIZE];
        int r;

        if (length >= sizeof secret_prefix && memcmp(text, secret_prefix, sizeof secret_prefix - 1) == 0)
                return gbx_fail(err, -EINVAL, "this is a private key; the verifier key (NAME+HEX8+BASE64) is needed");
        r = parse_fields(text, length, &verifier, key, err);
        if (r < 0)
                return r;
        memcpy(verifier.public_key, key, sizeof key);
        r = check_id(&verifier, err);
        if (r < 0)
                return r;
        *ret = verifier;
        return 0;
}

int gbx_note_verifier_format(const struct gbx_note_verifier *verifier, struct gbx_buffer *ret, struct gbx_error *err) {
        uint8_t key[1 + GBX_ED25519_PUBLIC_SIZE];
        int r = gbx_buffer_printf(ret, err, "%s+%08x+", verifier->name, verifier->id);

        if (r < 0)
                return r;
        key[0] = verifier->type;
        memcpy(key + 1, verifier->public_key, sizeof verifier->public_key);
        return gbx_base64_encode(GBX_BASE64_PADDED, key, sizeof key, ret, err);
}

int gbx_note_signer_from_seed(const char *name, enum gbx_note_type type,
                              const uint8_t seed[static GBX_ED25519_SEED_SIZE], struct gbx_note_signer *ret,
                              struct gbx_error *err) {
        struct gbx_note_verifier verifier = { .type = (uint8_t)type };
        int r;

        if (!gbx_note_name_valid(name, strlen(name)))
                return gbx_fail(err, -EINVAL, "'%.80s' cannot name a note key: empty, too long, or with white space or '+'",
                                name);
        memcpy(verifier.name, name, strlen(name) + 1);
        r = gbx_ed25519_public(seed, verifier.public_key, err);
        if (r < 0)
                return r;
        key_id(&verifier);
        ret->verifier = verifier;
        memmove(ret->seed, seed, sizeof ret->seed);
        return 0;
}

int gbx_note_signer_generate(const char *name, enum gbx_note_type type, struct gbx_note_signer *ret,
                             struct gbx_error *err) {
        uint8_t seed[GBX_ED25519_SEED_SIZE];
        int r = gbx_random(seed, sizeof seed, err);

        if (r == 0)
                r = gbx_note_signer_from_seed(name, type, seed, ret, err);
        OPENSSL_cleanse(seed, sizeof seed);
        return r;
}

static int parse_signer(const char *text, size_t length, struct gbx_note_signer *ret, struct gbx_error *err) {
        struct gbx_note_verifier written;
        int r = parse_fields(text, length, &written, ret->seed, err);

        if (r < 0)
                return r;
        r = gbx_note_signer_from_seed(written.name, written.type, ret->seed, ret, err);
        if (r < 0)
                return r;
        if (written.id != ret->verifier.id)
                return gbx_fail(err, -EINVAL, "the identifier of private note key '%s' is %08x, its key gives %08x",
                                written.name, written.id, ret->verifier.id);
        return 0;
}

int gbx_note_signer_parse(const char *text, size_t length, struct gbx_note_signer *ret, struct gbx_error *err) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        size_t prefix = sizeof secret_prefix - 1;
        int r;

        while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r' || text[length - 1] == ' '))
                length--;
        if (length <= prefix || memcmp(text, secret_prefix, prefix) != 0)
                return gbx_fail(err, -EINVAL, "not a private note key; expected PRIVATE+KEY+NAME+HEX8+BASE64");
        r = parse_signer(text + prefix, length - prefix, &signer, err);
        if (r < 0)
                return r;
        *ret = signer;
        return 0;
}

int gbx_note_signer_format(const struct gbx_note_signer *signer, struct gbx_buffer *ret, struct gbx_error *err) {
        uint8_t key[1 + GBX_ED25519_SEED_SIZE];
        int r = gbx_buffer_printf(ret, err, "%s%s+%08x+", secret_prefix, signer->verifier.name, signer->verifier.id);

        if (r < 0)
                return r;
        key[0] = signer->verifier.type;
        memcpy(key + 1, signer->seed, sizeof signer->seed);
        r = gbx_base64_encode(GBX_BASE64_PADDED, key, sizeof key, ret, err);
        OPENSSL_cleanse(key, sizeof key);
        return r;
}

int gbx_note_signer_read(int directory, const char *path, struct gbx_note_signer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        gbx_auto(gbx_close_fd) int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat status;
        int r;

        if (fd < 0 || fstat(fd, &status) < 0)
                return gbx_fail_errno(err, "cannot open key file '%s'", path);
        if (!S_ISREG(status.st_mode))
                return gbx_fail(err, -EINVAL, "key file '%s' is not a regular file", path);
        if (status.st_mode & 077)
                return gbx_fail(err, -EKEYREJECTED, "key file '%s' may be read by others; run: chmod 600 %s", path, path);
        r = gbx_read_fd(fd, KEY_TEXT_MAX, &text, err);
        if (r == 0)
                r = gbx_note_signer_parse(gbx_buffer_text(&text), text.size, ret, err);
        return r < 0 ? gbx_context(err, r, "key file '%s'", path) : 0;
}

int gbx_note_signer_as_cosigner(const struct gbx_note_signer *signer, struct gbx_note_signer *ret,
                                struct gbx_error *err) {
        char name[GBX_NOTE_NAME_SIZE];

        memcpy(name, signer->verifier.name, sizeof name);
        return gbx_note_signer_from_seed(name, GBX_NOTE_COSIGNATURE, signer->seed, ret, err);
}

void gbx_note_signer_clear(struct gbx_note_signer *signer) { OPENSSL_cleanse(signer, sizeof *signer); }
