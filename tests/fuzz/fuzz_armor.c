/* ASCII armor: what is taken for armor decodes to bytes whose encoding is the very text between the marker lines. */
#include "base/encode.h"
#include "runtime/vault/age_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text's base64 characters, and nothing else of it. */
static size_t keep_body(const uint8_t *data, size_t size, char *body) {
        const uint8_t *begin = memmem(data, size, "FILE-----", 9), *end;
        size_t length = 0;

        if (!begin)
                abort();
        begin += 9;
        end = memmem(begin, size - (size_t)(begin - data), "-----END", 8);
        if (!end)
                abort();
        for (; begin < end; begin++)
                if (!isspace(*begin))
                        body[length++] = (char)*begin;
        return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_age_source source;
        struct gbx_buffer bytes = {}, text = {};
        size_t got = 0;
        uint8_t block[1000];
        int r = gbx_age_source_open_memory(&source, data, size, GBX_AGE_ARMORED, NULL);

        while (r == 0 && (r = gbx_age_source_read(&source, block, sizeof block, &got, NULL)) == 0 && got > 0)
                if (gbx_buffer_append(&bytes, block, got, NULL) < 0)
                        abort();
        if (r == 0) {
                char *body = malloc(size + 1);
                size_t length = body ? keep_body(data, size, body) : 0;

                if (gbx_base64_encode(GBX_BASE64_PADDED, bytes.data, bytes.size, &text, NULL) < 0 ||
                    text.size != length || (length && memcmp(text.data, body, length) != 0))
                        abort();
                free(body);
        } else if (source.failure != GBX_AGE_ARMOR_FAILURE) {
                abort();
        }
        gbx_buffer_free(&bytes);
        gbx_buffer_free(&text);
        gbx_age_source_close(&source);
        return 0;
}
