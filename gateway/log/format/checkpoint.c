#include "gateway/log/format/checkpoint.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

/* Takes a line (without its newline) off the front of `text`. */
static int next_line(const char **text, const char *end, const char **ret_line, size_t *ret_size) {
        const char *newline = *text < end ? memchr(*text, '\n', (size_t)(end - *text)) : NULL;

        if (!newline)
                return -EINVAL;
        *ret_line = *text;
        *ret_size = (size_t)(newline - *text);
        *text = newline + 1;
        return 0;
}

static int parse_size(const char *line, size_t length, uint64_t *ret, struct gbx_error *err) {
        char digits[32];
        int r;

        if (length == 0 || length >= sizeof digits)
                return gbx_fail(err, -EINVAL, "the checkpoint's second line is not a size");
        memcpy(digits, line, length);
        digits[length] = '\0';
        r = strlen(digits) == length ? gbx_parse_u64(digits, ret, err) : -EINVAL;
        if (r < 0 || *ret > GBX_MERKLE_SIZE_MAX)
                return gbx_fail(err, -EINVAL, "the checkpoint's second line is not a size");
        return 0;
}

int gbx_checkpoint_parse(const char *text, size_t size, struct gbx_checkpoint *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer root = {};
        struct gbx_checkpoint checkpoint = {};
        const char *end = text + size, *line;
        size_t length;
        int r;

        if (next_line(&text, end, &line, &length) < 0 || length == 0 || length >= sizeof checkpoint.origin ||
            memchr(line, '\0', length))
                return gbx_fail(err, -EINVAL, "the checkpoint's first line is not an origin");
        memcpy(checkpoint.origin, line, length);
        if (next_line(&text, end, &line, &length) < 0)
                length = 0;
        r = parse_size(line, length, &checkpoint.size, err);
        if (r < 0)
                return r;
        if (next_line(&text, end, &line, &length) < 0 ||
            gbx_base64_decode(GBX_BASE64_PADDED, line, length, &root, err) < 0 || root.size != sizeof checkpoint.root)
                return gbx_fail(err, -EINVAL, "the checkpoint's third line is not a root hash in base64");
        memcpy(checkpoint.root.bytes, root.data, sizeof checkpoint.root);
        while (text < end)
                if (next_line(&text, end, &line, &length) < 0 || length == 0)
                        return gbx_fail(err, -EINVAL, "an extension line of the checkpoint is empty or not ended");
        *ret = checkpoint;
        return 0;
}

int gbx_checkpoint_format(const struct gbx_checkpoint *checkpoint, struct gbx_buffer *ret, struct gbx_error *err) {
        int r = gbx_buffer_printf(ret, err, "%s\n%" PRIu64 "\n", checkpoint->origin, checkpoint->size);

        if (r == 0)
                r = gbx_base64_encode(GBX_BASE64_PADDED, checkpoint->root.bytes, sizeof checkpoint->root, ret, err);
        return r < 0 ? r : gbx_buffer_append_byte(ret, '\n', err);
}

int gbx_checkpoint_sign(const struct gbx_checkpoint *checkpoint, const struct gbx_note_signer *signer,
                        struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_checkpoint_format(checkpoint, &text, err);

        return r < 0 ? r : gbx_note_sign(gbx_buffer_text(&text), text.size, signer, ret, err);
}

int gbx_checkpoint_open(const char *message, size_t size, const struct gbx_note_verifier *verifier,
                        const char *origin, struct gbx_checkpoint *ret, struct gbx_error *err) {
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        struct gbx_checkpoint checkpoint;
        int r = gbx_note_parse(message, size, &note, err);

        if (r < 0)
                return r;
        r = gbx_note_check(&note, verifier, NULL, err);
        if (r < 0)
                return r;
        if (r == GBX_NOTE_UNSIGNED)
                return gbx_fail(err, -EBADMSG, "the checkpoint is not signed by '%s+%08x'", verifier->name, verifier->id);
        r = gbx_checkpoint_parse(note.text, note.text_size, &checkpoint, err);
        if (r < 0)
                return r;
        if (!origin)
                origin = verifier->name;
        if (strcmp(checkpoint.origin, origin) != 0)
                return gbx_fail(err, -EBADMSG, "the checkpoint is of '%s', not of '%s'", checkpoint.origin, origin);
        *ret = checkpoint;
        return 0;
}
