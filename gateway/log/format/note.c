#include "gateway/log/format/note.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static const char dash[] = "\u2014 "; /* an em dash and a space */

/* The place right behind the last empty line, where signatures begin; NULL if there is none. */
static const char *signatures_start(const char *message, size_t size) {
        for (size_t i = size; i >= 2; i--)
                if (message[i - 1] == '\n' && message[i - 2] == '\n')
                        return message + i;
        return NULL;
}

static int parse_signature(const char *line, size_t size, struct gbx_note *note, struct gbx_error *err) {
        struct gbx_note_signature *signature = &note->signatures[note->count];
        const char *end = line + size - 1, *name, *space; /* the newline is not part of the signature */
        size_t start = note->blobs.size;
        const uint8_t *blob;
        int r;

        if (note->count == GBX_NOTE_SIGNATURES_MAX)
                return gbx_fail(err, -EINVAL, "a note with more than %d signatures", GBX_NOTE_SIGNATURES_MAX);
        if (size < sizeof dash || memcmp(line, dash, sizeof dash - 1) != 0)
                return gbx_fail(err, -EINVAL, "signature line %zu of the note does not begin with '— '", note->count + 1);
        name = line + sizeof dash - 1;
        space = memchr(name, ' ', (size_t)(end - name));
        if (!space || !gbx_note_name_valid(name, (size_t)(space - name)))
                return gbx_fail(err, -EINVAL, "signature line %zu of the note has no valid key name", note->count + 1);
        r = gbx_base64_decode(GBX_BASE64_PADDED, space + 1, (size_t)(end - space - 1), &note->blobs, err);
        if (r < 0)
                return gbx_context(err, r, "signature line %zu of the note", note->count + 1);
        if (note->blobs.size - start < 5)
                return gbx_fail(err, -EINVAL, "signature line %zu of the note is too short", note->count + 1);
        blob = note->blobs.data + start;
        *signature = (struct gbx_note_signature){
                .line = line,
                .line_size = size,
                .name = name,
                .name_size = (size_t)(space - name),
                .id = (uint32_t)blob[0] << 24 | (uint32_t)blob[1] << 16 | (uint32_t)blob[2] << 8 | blob[3],
                .blob_at = start + 4,
                .blob_size = note->blobs.size - start - 4,
        };
        note->count++;
        return 0;
}

static int parse_message(const char *message, size_t size, struct gbx_note *note, struct gbx_error *err) {
        const char *line, *end = message + size;

        if (size > GBX_NOTE_SIZE_MAX)
                return gbx_fail(err, -EFBIG, "a note of %zu bytes; at most %d are read", size, GBX_NOTE_SIZE_MAX);
        if (!gbx_utf8_valid(message, size))
                return gbx_fail(err, -EINVAL, "the note is not UTF-8");
        for (size_t i = 0; i < size; i++)
                if ((uint8_t)message[i] < ' ' && message[i] != '\n')
                        return gbx_fail(err, -EINVAL, "the note has a control character at byte %zu", i);
        line = signatures_start(message, size);
        if (!line || line == end || end[-1] != '\n')
                return gbx_fail(err, -EINVAL, "not a signed note: no empty line with signatures behind it");
        note->text = message;
        note->text_size = (size_t)(line - message) - 1;
        while (line < end) {
                const char *next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
                int r = parse_signature(line, (size_t)(next - line), note, err);

                if (r < 0)
                        return r;
                line = next;
        }
        return 0;
}

int gbx_note_parse(const char *message, size_t size, struct gbx_note *ret, struct gbx_error *err) {
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        int r = parse_message(message, size, &note, err);

        if (r < 0)
                return r;
        *ret = note;
        note.blobs = (struct gbx_buffer){};
        return 0;
}

void gbx_note_free(struct gbx_note *note) { gbx_buffer_free(&note->blobs); }

/* What a cosigner signs: a header with the time, then the checkpoint. */
static int cosigned_message(const char *text, size_t size, uint64_t time, struct gbx_buffer *ret,
                            struct gbx_error *err) {
        int r = gbx_buffer_printf(ret, err, "cosignature/v1\ntime %" PRIu64 "\n", time);

        return r < 0 ? r : gbx_buffer_append(ret, text, size, err);
}

static int check_signature(const struct gbx_note *note, const struct gbx_note_signature *signature,
                           const struct gbx_note_verifier *verifier, uint64_t *ret_time, struct gbx_error *err) {
        const uint8_t *blob = note->blobs.data + signature->blob_at;
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        uint64_t time = 0;
        int r;

        if (verifier->type == GBX_NOTE_ED25519) {
                if (signature->blob_size != GBX_ED25519_SIGNATURE_SIZE)
                        return gbx_fail(err, -EBADMSG, "a signature of %zu bytes", signature->blob_size);
                return gbx_ed25519_verify(verifier->public_key, note->text, note->text_size, blob, err);
        }
        if (signature->blob_size != 8 + GBX_ED25519_SIGNATURE_SIZE)
                return gbx_fail(err, -EBADMSG, "a cosignature of %zu bytes", signature->blob_size);
        for (size_t i = 0; i < 8; i++)
                time = time << 8 | blob[i];
        r = cosigned_message(note->text, note->text_size, time, &message, err);
        if (r < 0)
                return r;
        r = gbx_ed25519_verify(verifier->public_key, message.data, message.size, blob + 8, err);
        if (r == 0 && ret_time)
                *ret_time = time;
        return r;
}

int gbx_note_check(const struct gbx_note *note, const struct gbx_note_verifier *verifier, uint64_t *ret_time,
                   struct gbx_error *err) {
        size_t length = strlen(verifier->name);

        for (size_t i = 0; i < note->count; i++) {
                const struct gbx_note_signature *signature = &note->signatures[i];
                int r;

                if (signature->id != verifier->id || signature->name_size != length ||
                    memcmp(signature->name, verifier->name, length) != 0)
                        continue;
                r = check_signature(note, signature, verifier, ret_time, err);
                return r < 0 ? gbx_context(err, r, "signature by '%s'", verifier->name) : 0;
        }
        return GBX_NOTE_UNSIGNED;
}

int gbx_note_sign_line(const char *text, size_t size, const struct gbx_note_signer *signer, uint64_t time,
                       struct gbx_buffer *ret, struct gbx_error *err) {
        const struct gbx_note_verifier *verifier = &signer->verifier;
        uint8_t blob[4 + 8 + GBX_ED25519_SIGNATURE_SIZE];
        size_t used = 0;
        int r;

        for (unsigned shift = 32; shift > 0; shift -= 8)
                blob[used++] = (uint8_t)(verifier->id >> (shift - 8));
        if (verifier->type == GBX_NOTE_COSIGNATURE) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};

                for (unsigned shift = 64; shift > 0; shift -= 8)
                        blob[used++] = (uint8_t)(time >> (shift - 8));
                r = cosigned_message(text, size, time, &message, err);
                if (r == 0)
                        r = gbx_ed25519_sign(signer->seed, message.data, message.size, blob + used, err);
        } else {
                r = gbx_ed25519_sign(signer->seed, text, size, blob + used, err);
        }
        if (r < 0)
                return r;
        used += GBX_ED25519_SIGNATURE_SIZE;
        r = gbx_buffer_printf(ret, err, "%s%s ", dash, verifier->name);
        if (r == 0)
                r = gbx_base64_encode(GBX_BASE64_PADDED, blob, used, ret, err);
        return r < 0 ? r : gbx_buffer_append_byte(ret, '\n', err);
}

int gbx_note_sign(const char *text, size_t size, const struct gbx_note_signer *signer, struct gbx_buffer *ret,
                  struct gbx_error *err) {
        int r;

        if (size == 0 || text[size - 1] != '\n')
                return gbx_fail(err, -EINVAL, "the text of a note must end with a newline");
        r = gbx_buffer_append(ret, text, size, err);
        if (r == 0)
                r = gbx_buffer_append_byte(ret, '\n', err);
        return r < 0 ? r : gbx_note_sign_line(text, size, signer, 0, ret, err);
}
