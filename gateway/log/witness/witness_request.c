#include "gateway/log/witness/witness.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static int next_line(const char **text, const char *end, const char **ret_line, size_t *ret_size) {
        const char *newline = *text < end ? memchr(*text, '\n', (size_t)(end - *text)) : NULL;

        if (!newline)
                return -EINVAL;
        *ret_line = *text;
        *ret_size = (size_t)(newline - *text);
        *text = newline + 1;
        return 0;
}

static int parse_old(const char *line, size_t size, uint64_t *ret) {
        char digits[24];

        if (size < 5 || size - 4 >= sizeof digits || memcmp(line, "old ", 4) != 0 || memchr(line, '\0', size))
                return -EINVAL;
        memcpy(digits, line + 4, size - 4);
        digits[size - 4] = '\0';
        return gbx_parse_u64(digits, ret, NULL);
}

int gbx_witness_request_parse(const void *request, size_t size, struct gbx_witness_request *ret, struct gbx_error *err) {
        struct gbx_witness_request parsed = {};
        const char *text = request, *end = text + size, *line;
        size_t length;

        if (next_line(&text, end, &line, &length) < 0 || parse_old(line, length, &parsed.old_size) < 0)
                return gbx_fail(err, -EINVAL, "the first line is not 'old' and a size");
        for (;;) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer hash = {};

                if (next_line(&text, end, &line, &length) < 0)
                        return gbx_fail(err, -EINVAL, "no empty line in front of the checkpoint");
                if (length == 0)
                        break;
                if (parsed.proof.count == GBX_MERKLE_PROOF_MAX)
                        return gbx_fail(err, -EINVAL, "more than %d proof lines", GBX_MERKLE_PROOF_MAX);
                if (gbx_base64_decode(GBX_BASE64_PADDED, line, length, &hash, err) < 0 || hash.size != sizeof(struct gbx_hash))
                        return gbx_fail(err, -EINVAL, "proof line %zu is not a hash", parsed.proof.count + 1);
                memcpy(parsed.proof.hashes[parsed.proof.count++].bytes, hash.data, sizeof(struct gbx_hash));
        }
        parsed.message = text;
        parsed.message_size = (size_t)(end - text);
        *ret = parsed;
        return 0;
}

int gbx_witness_request_format(uint64_t old_size, const struct gbx_merkle_proof *proof, const struct gbx_buffer *message,
                               struct gbx_buffer *ret, struct gbx_error *err) {
        int r = gbx_buffer_printf(ret, err, "old %" PRIu64 "\n", old_size);

        for (size_t i = 0; r == 0 && i < proof->count; i++) {
                r = gbx_base64_encode(GBX_BASE64_PADDED, proof->hashes[i].bytes, sizeof proof->hashes[i], ret, err);
                if (r == 0)
                        r = gbx_buffer_append_byte(ret, '\n', err);
        }
        if (r == 0)
                r = gbx_buffer_append_byte(ret, '\n', err);
        return r < 0 ? r : gbx_buffer_append(ret, message->data, message->size, err);
}
