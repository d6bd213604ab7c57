/*
 * ASCII armor: strict PEM (RFC 7468, figure 3) with the label "AGE ENCRYPTED FILE"
 *
 * Only white space may stand around it (1 KiB on each side), every line but
 * the last has exactly 64 columns, the base64 is canonical. Lines end with LF
 * or CRLF. All else would make one file writable in several ways.
 */
#include "base/cleanup.h"
#include "base/encode.h"
#include "runtime/vault/age_internal.h"

#include <string.h>

enum { COLUMNS = 64, MAX_WHITE_SPACE = 1024, LINE_SIZE = MAX_WHITE_SPACE + 1 };

static const char begin_line[] = "-----BEGIN AGE ENCRYPTED FILE-----";
static const char end_line[] = "-----END AGE ENCRYPTED FILE-----";

static bool is_white(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool all_white(const char *text, size_t length) {
        for (size_t i = 0; i < length; i++)
                if (!is_white(text[i]))
                        return false;
        return true;
}

bool gbx_age_armor_detect(const uint8_t *data, size_t size) {
        static const char mark[] = "-----BEGIN";
        size_t i = 0;

        while (i < size && i < MAX_WHITE_SPACE && is_white((char)data[i]))
                i++;
        return size - i >= sizeof mark - 1 && memcmp(data + i, mark, sizeof mark - 1) == 0;
}

static int malformed(struct gbx_age_source *source, struct gbx_error *err, const char *what) {
        source->failure = GBX_AGE_ARMOR_FAILURE;
        return gbx_fail(err, -EINVAL, "the ASCII armor is malformed: %s", what);
}

/* One line without its end. 1: a line. 0: the file had ended before it. */
static int read_line(struct gbx_age_source *source, char line[static LINE_SIZE], size_t *ret_length,
                     struct gbx_error *err) {
        size_t length = 0;
        bool any = false;

        for (;;) {
                uint8_t byte;
                int r = gbx_age_source_byte_raw(source, &byte, err);

                if (r < 0)
                        return r;
                any |= r > 0;
                if (r == 0 || byte == '\n')
                        break;
                if (length == LINE_SIZE - 1)
                        return malformed(source, err, "a line is too long");
                line[length++] = (char)byte;
        }
        if (length > 0 && line[length - 1] == '\r')
                length--;
        *ret_length = length;
        return any;
}

static bool line_is(const char *line, size_t length, const char *expected) {
        return length == strlen(expected) && memcmp(line, expected, length) == 0;
}

static int read_begin(struct gbx_age_source *source, struct gbx_error *err) {
        size_t passed = 0, length = 0;
        char line[LINE_SIZE];

        for (;;) {
                int r = read_line(source, line, &length, err);

                if (r < 0)
                        return r;
                if (r == 0)
                        return malformed(source, err, "the file ends before its BEGIN line");
                if (!all_white(line, length))
                        break;
                passed += length + 1;
                if (passed > MAX_WHITE_SPACE)
                        return malformed(source, err, "too much white space before the BEGIN line");
        }
        if (!line_is(line, length, begin_line))
                return malformed(source, err, "the first line is not -----BEGIN AGE ENCRYPTED FILE-----");
        source->armor = GBX_AGE_ARMOR_BODY;
        return 0;
}

/* Behind the END line only white space may follow. */
static int read_rest(struct gbx_age_source *source, struct gbx_error *err) {
        for (size_t passed = 0;; passed++) {
                uint8_t byte;
                int r = gbx_age_source_byte_raw(source, &byte, err);

                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                if (!is_white((char)byte))
                        return malformed(source, err, "something stands behind the END line");
                if (passed == MAX_WHITE_SPACE)
                        return malformed(source, err, "too much white space behind the END line");
        }
        source->armor = GBX_AGE_ARMOR_END;
        return 0;
}

static int decode_line(struct gbx_age_source *source, const char *line, size_t length, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        int r;

        if (length == 0)
                return malformed(source, err, "an empty line");
        if (length > COLUMNS)
                return malformed(source, err, "a line is longer than 64 columns");
        r = gbx_base64_decode(GBX_BASE64_PADDED, line, length, &bytes, NULL);
        if (r == -ENOMEM) {
                source->failure = GBX_AGE_OTHER_FAILURE;
                return gbx_fail_memory(err);
        }
        if (r < 0)
                return malformed(source, err, "a line is not canonical base64");
        memcpy(source->line, bytes.data, bytes.size);
        source->line_begin = 0;
        source->line_end = bytes.size;
        return 0;
}

int gbx_age_armor_fill(struct gbx_age_source *source, struct gbx_error *err) {
        char line[LINE_SIZE];
        size_t length = 0;
        int r;

        source->line_begin = source->line_end = 0;
        if (source->armor == GBX_AGE_ARMOR_BEGIN) {
                r = read_begin(source, err);
                if (r < 0)
                        return r;
        }
        if (source->armor == GBX_AGE_ARMOR_END)
                return 0;
        r = read_line(source, line, &length, err);
        if (r < 0)
                return r;
        if (r == 0)
                return malformed(source, err, "the END line is missing");
        if (line_is(line, length, end_line))
                return read_rest(source, err);
        r = decode_line(source, line, length, err);
        if (r < 0 || source->line_end == sizeof source->line)
                return r;
        /* A short line is the last one. */
        r = read_line(source, line, &length, err);
        if (r < 0)
                return r;
        if (r == 0 || !line_is(line, length, end_line)) {
                source->line_end = 0;
                return malformed(source, err, "a short line is not followed by the END line");
        }
        return read_rest(source, err);
}
