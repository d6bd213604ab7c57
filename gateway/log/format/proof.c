#include "gateway/log/format/proof.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static const char first_line[] = "c2sp.org/tlog-proof@v1";
enum { LINE_MAX_SIZE = 128 * 1024 }; /* an entry of 65,535 bytes in base64 fits */

struct line {
        const char *text;
        size_t size;
};

/* Takes a line off the front; -EINVAL if there is none. */
static int next_line(const char **text, const char *end, struct line *ret) {
        const char *newline = *text < end ? memchr(*text, '\n', (size_t)(end - *text)) : NULL;

        if (!newline || newline - *text > LINE_MAX_SIZE)
                return -EINVAL;
        *ret = (struct line){ *text, (size_t)(newline - *text) };
        *text = newline + 1;
        return 0;
}

static bool starts(const struct line *line, const char *prefix) {
        return line->size >= strlen(prefix) && memcmp(line->text, prefix, strlen(prefix)) == 0;
}

static int parse_index(const struct line *line, uint64_t *ret, struct gbx_error *err) {
        char digits[24];
        size_t size = line->size - strlen("index ");

        if (!starts(line, "index ") || size >= sizeof digits || memchr(line->text, '\0', line->size))
                return gbx_fail(err, -EINVAL, "the proof has no index line");
        memcpy(digits, line->text + strlen("index "), size);
        digits[size] = '\0';
        return gbx_parse_u64(digits, ret, err);
}

static int parse_hashes(const char **text, const char *end, struct gbx_merkle_proof *ret, struct gbx_error *err) {
        struct line line;

        for (;;) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer hash = {};

                if (next_line(text, end, &line) < 0)
                        return gbx_fail(err, -EINVAL, "the proof ends before its checkpoint");
                if (line.size == 0)
                        return 0;
                if (ret->count == GBX_MERKLE_PROOF_MAX)
                        return gbx_fail(err, -EINVAL, "the proof has more than %d hashes", GBX_MERKLE_PROOF_MAX);
                if (gbx_base64_decode(GBX_BASE64_PADDED, line.text, line.size, &hash, err) < 0 ||
                    hash.size != sizeof(struct gbx_hash))
                        return gbx_fail(err, -EINVAL, "line %zu of the proof's hashes is not a hash", ret->count + 1);
                memcpy(ret->hashes[ret->count++].bytes, hash.data, sizeof(struct gbx_hash));
        }
}

int gbx_proof_parse(const char *text, size_t size, struct gbx_proof *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer extra = {};
        struct gbx_proof proof = {};
        const char *end = text + size;
        struct line line;
        int r;

        if (next_line(&text, end, &line) < 0 || line.size != strlen(first_line) || !starts(&line, first_line))
                return gbx_fail(err, -EINVAL, "not a tlog-proof: the first line is not '%s'", first_line);
        if (next_line(&text, end, &line) < 0)
                return gbx_fail(err, -EINVAL, "the proof has no index line");
        if (starts(&line, "extra ")) {
                proof.extra = line.text + strlen("extra ");
                proof.extra_size = line.size - strlen("extra ");
                r = gbx_base64_decode(GBX_BASE64_PADDED, proof.extra, proof.extra_size, &extra, err);
                if (r < 0)
                        return gbx_context(err, r, "extra line of the proof");
                if (next_line(&text, end, &line) < 0)
                        return gbx_fail(err, -EINVAL, "the proof has no index line");
        }
        r = parse_index(&line, &proof.index, err);
        if (r == 0)
                r = parse_hashes(&text, end, &proof.path, err);
        if (r < 0)
                return r;
        proof.message = text;
        proof.message_size = (size_t)(end - text);
        *ret = proof;
        return 0;
}

int gbx_proof_format(uint64_t index, const struct gbx_merkle_proof *path, const char *message, size_t message_size,
                     const struct gbx_bytes *extra, struct gbx_buffer *ret, struct gbx_error *err) {
        int r = gbx_buffer_printf(ret, err, "%s\n%s", first_line, extra ? "extra " : "");

        if (r == 0 && extra) {
                r = gbx_base64_encode(GBX_BASE64_PADDED, extra->data, extra->size, ret, err);
                if (r == 0)
                        r = gbx_buffer_append_byte(ret, '\n', err);
        }
        if (r == 0)
                r = gbx_buffer_printf(ret, err, "index %" PRIu64 "\n", index);

        for (size_t i = 0; r == 0 && i < path->count; i++) {
                r = gbx_base64_encode(GBX_BASE64_PADDED, path->hashes[i].bytes, sizeof path->hashes[i], ret, err);
                if (r == 0)
                        r = gbx_buffer_append_byte(ret, '\n', err);
        }
        if (r == 0)
                r = gbx_buffer_append_byte(ret, '\n', err);
        return r < 0 ? r : gbx_buffer_append(ret, message, message_size, err);
}

int gbx_proof_verify(const struct gbx_proof *proof, const void *entry, size_t entry_size,
                     const struct gbx_note_verifier *verifier, const char *origin,
                     struct gbx_checkpoint *ret_checkpoint, struct gbx_error *err) {
        struct gbx_checkpoint checkpoint;
        struct gbx_hash leaf;
        int r = gbx_checkpoint_open(proof->message, proof->message_size, verifier, origin, &checkpoint, err);

        if (r < 0)
                return r;
        gbx_merkle_leaf(entry, entry_size, &leaf);
        r = gbx_merkle_verify_inclusion(proof->index, checkpoint.size, &leaf, proof->path.hashes, proof->path.count,
                                        &checkpoint.root, err);
        if (r == 0 && ret_checkpoint)
                *ret_checkpoint = checkpoint;
        return r;
}
