#include "policy/statement.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

void gbx_nonce_text(const uint8_t nonce[static GBX_NONCE_SIZE], char ret_text[static GBX_NONCE_TEXT_SIZE]) {
        for (size_t i = 0; i < GBX_NONCE_SIZE; i++)
                (void)snprintf(ret_text + 2 * i, 3, "%02x", nonce[i]);
}

bool gbx_statement_site_valid(const char *text) {
        size_t length = strlen(text);

        if (length == 0 || length > GBX_SITE_NAME_MAX)
                return false;
        for (size_t i = 0; i < length; i++)
                if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '+')
                        return false;
        return true;
}

bool gbx_statement_digest_valid(const char *text) {
        uint8_t digest[GBX_SHA256_SIZE];
        char again[GBX_SHA256_TEXT_SIZE];

        if (gbx_sha256_parse(text, digest, NULL) < 0)
                return false;
        gbx_sha256_text(digest, again);
        return strcmp(again, text) == 0; /* lower-case digits only */
}

bool gbx_statement_nonce_valid(const char *text) {
        return strlen(text) == GBX_NONCE_TEXT_SIZE - 1 && strspn(text, "0123456789abcdef") == GBX_NONCE_TEXT_SIZE - 1;
}

int gbx_statement_start(struct gbx_statement_reader *reader, const char *what, const char *first_line, const char *text,
                        size_t size, struct gbx_error *err) {
        size_t first = strlen(first_line);

        if (size > GBX_STATEMENT_MAX_BYTES)
                return gbx_fail(err, -EINVAL, "the %s is longer than %d bytes", what, GBX_STATEMENT_MAX_BYTES);
        if (size <= first || memcmp(text, first_line, first) != 0 || text[first] != '\n')
                return gbx_fail(err, -EINVAL, "this is no %s (its first line would be '%s')", what, first_line);
        *reader = (struct gbx_statement_reader){ .what = what, .next = text + first + 1, .left = size - first - 1, .number = 1 };
        return 0;
}

int gbx_statement_next(struct gbx_statement_reader *reader, struct gbx_error *err) {
        const char *end = reader->left ? memchr(reader->next, '\n', reader->left) : NULL, *colon;
        size_t length;

        reader->number++;
        if (!end)
                return gbx_fail(err, -EINVAL, "%s, line %u: the text ends too early", reader->what, reader->number);
        length = (size_t)(end - reader->next);
        colon = memchr(reader->next, ':', length);
        if (memchr(reader->next, '\0', length) || !colon || (size_t)(colon - reader->next) >= sizeof reader->key ||
            (size_t)(end - colon) < 3 || colon[1] != ' ' || (size_t)(end - colon) - 2 >= sizeof reader->value)
                return gbx_fail(err, -EINVAL, "%s, line %u: not of the form 'key: value'", reader->what, reader->number);
        (void)snprintf(reader->key, sizeof reader->key, "%.*s", (int)(colon - reader->next), reader->next);
        (void)snprintf(reader->value, sizeof reader->value, "%.*s", (int)(end - colon - 2), colon + 2);
        reader->left -= length + 1;
        reader->next = end + 1;
        return 0;
}

int gbx_statement_wrong(const struct gbx_statement_reader *reader, struct gbx_error *err) {
        return gbx_fail(err, -EINVAL, "%s, line %u: the value of '%s' is not valid", reader->what, reader->number, reader->key);
}

int gbx_statement_take(const struct gbx_statement_reader *reader, char *ret, size_t size, struct gbx_error *err) {
        if (strlen(reader->value) >= size)
                return gbx_statement_wrong(reader, err);
        memcpy(ret, reader->value, strlen(reader->value) + 1);
        return 0;
}

int gbx_statement_expect(struct gbx_statement_reader *reader, const char *key, char *ret, size_t size, struct gbx_error *err) {
        int r = gbx_statement_next(reader, err);

        if (r < 0)
                return r;
        if (strcmp(reader->key, key) != 0)
                return gbx_fail(err, -EINVAL, "%s, line %u: '%s' is due", reader->what, reader->number, key);
        return gbx_statement_take(reader, ret, size, err);
}

int gbx_statement_expect_time(struct gbx_statement_reader *reader, const char *key, int64_t *ret_seconds, struct gbx_error *err) {
        char text[GBX_TIME_TEXT_SIZE];
        int r = gbx_statement_expect(reader, key, text, sizeof text, err);

        return r < 0 ? r : gbx_time_parse(text, ret_seconds, NULL) < 0 ? gbx_statement_wrong(reader, err) : 0;
}

int gbx_statement_canonical(const struct gbx_statement_reader *reader, const struct gbx_buffer *again, const char *text,
                            size_t size, struct gbx_error *err) {
        if (again->size != size || memcmp(again->data, text, size) != 0)
                return gbx_fail(err, -EINVAL, "the %s is not in its canonical form", reader->what);
        return 0;
}
