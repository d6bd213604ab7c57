#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int gbx_parse_u64(const char *text, uint64_t *ret, struct gbx_error *err) {
        uint64_t value = 0;

        if (!*text || (text[0] == '0' && text[1]))
                return gbx_fail(err, -EINVAL, "'%.40s' is not a whole number", text);
        for (const char *c = text; *c; c++) {
                if (*c < '0' || *c > '9')
                        return gbx_fail(err, -EINVAL, "'%.40s' is not a whole number", text);
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
                        return gbx_fail(err, -EINVAL, "'%.40s' is too large a number", text);
        }
        *ret = value;
        return 0;
}

struct unit {
        const char *name;
        uint64_t factor;
};

/* Parses digits followed by one of the units. */
static int parse_with_unit(const char *text, const struct unit *units, size_t count, const char *hint, uint64_t *ret,
                           struct gbx_error *err) {
        size_t digits = strspn(text, "0123456789");
        char number[24];
        uint64_t value;
        int r;

        if (digits == 0 || digits >= sizeof number)
                return gbx_fail(err, -EINVAL, "'%.40s' is not %s", text, hint);
        memcpy(number, text, digits);
        number[digits] = '\0';
        r = gbx_parse_u64(number, &value, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++)
                if (strcmp(text + digits, units[i].name) == 0) {
                        if (__builtin_mul_overflow(value, units[i].factor, &value))
                                return gbx_fail(err, -EINVAL, "'%.40s' is too large", text);
                        *ret = value;
                        return 0;
                }
        return gbx_fail(err, -EINVAL, "'%.40s' is not %s", text, hint);
}

int gbx_parse_size(const char *text, uint64_t *ret_bytes, struct gbx_error *err) {
        static const struct unit units[] = {
                { "", 1 }, { "K", 1ULL << 10 }, { "M", 1ULL << 20 }, { "G", 1ULL << 30 }, { "T", 1ULL << 40 },
        };

        return parse_with_unit(text, units, sizeof units / sizeof *units, "a size such as 65536, 64K, 256M or 2G",
                               ret_bytes, err);
}

int gbx_parse_duration(const char *text, uint64_t *ret_milliseconds, struct gbx_error *err) {
        static const struct unit units[] = {
                { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000UL }, { "h", 3600 * 1000UL }, { "d", 24UL * 3600 * 1000 },
        };

        return parse_with_unit(text, units, sizeof units / sizeof *units, "a duration such as 500ms, 30s, 5m, 2h or 90d",
                               ret_milliseconds, err);
}

void gbx_time_text(int64_t seconds, char ret_text[static GBX_TIME_TEXT_SIZE]) {
        time_t time = (time_t)seconds;
        struct tm parts = {};

        if (!gmtime_r(&time, &parts) || parts.tm_year > 8099 ||
            strftime(ret_text, GBX_TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
                (void)snprintf(ret_text, GBX_TIME_TEXT_SIZE, "9999-12-31T23:59:59Z");
}

int gbx_time_parse(const char *text, int64_t *ret_seconds, struct gbx_error *err) {
        char check[GBX_TIME_TEXT_SIZE];
        struct tm parts = {};
        const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
        int64_t seconds;

        if (!rest || *rest)
                return gbx_fail(err, -EINVAL, "'%.40s' is not a time such as 2026-11-25T00:00:00Z", text);
        seconds = (int64_t)timegm(&parts);
        gbx_time_text(seconds, check);
        if (strcmp(check, text) != 0) /* 30 February and the like */
                return gbx_fail(err, -EINVAL, "'%.40s' is not a time such as 2026-11-25T00:00:00Z", text);
        *ret_seconds = seconds;
        return 0;
}

bool gbx_date_valid(const char *text) {
        char time[GBX_TIME_TEXT_SIZE];
        int64_t seconds;

        if (strlen(text) != 10)
                return false;
        (void)snprintf(time, sizeof time, "%.10sT00:00:00Z", text);
        return gbx_time_parse(time, &seconds, NULL) >= 0;
}

int64_t gbx_time_now(void) {
        return (int64_t)time(NULL);
}

bool gbx_name_valid(const char *text) {
        size_t length = strlen(text);

        if (length == 0 || length > 64 || strchr("._-", text[0]))
                return false;
        return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

/* The length of the well-formed UTF-8 sequence at `text`, 0 if there is none. */
static size_t utf8_sequence(const char *text, size_t length) {
        const uint8_t *b = (const uint8_t *)text;
        size_t need = b[0] < 0x80 ? 1 : b[0] >= 0xc2 && b[0] < 0xe0 ? 2 : (b[0] & 0xf0) == 0xe0 ? 3 : b[0] >= 0xf0 && b[0] < 0xf5 ? 4 : 0;

        if (need == 0 || need > length)
                return 0;
        for (size_t i = 1; i < need; i++)
                if ((b[i] & 0xc0) != 0x80)
                        return 0;
        if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf0 && b[1] < 0x90) ||
            (b[0] == 0xf4 && b[1] > 0x8f))
                return 0;
        return need;
}

bool gbx_utf8_valid(const char *text, size_t length) {
        while (length > 0) {
                size_t used = utf8_sequence(text, length);

                if (used == 0)
                        return false;
                text += used;
                length -= used;
        }
        return true;
}

uint32_t gbx_utf8_next(const char **at) {
        const uint8_t *b = (const uint8_t *)*at;
        unsigned more = b[0] < 0x80 ? 0 : b[0] < 0xe0 ? 1 : b[0] < 0xf0 ? 2 : 3;
        uint32_t character = more == 0 ? b[0] : b[0] & (0x3fU >> more);

        for (unsigned i = 1; i <= more; i++)
                character = character << 6 | (b[i] & 0x3f);
        *at += more + 1;
        return character;
}

bool gbx_character_hidden(uint32_t character) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x34f, 0x34f },     { 0x61c, 0x61c },
                { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },   { 0x200b, 0x200f },   { 0x2028, 0x202e },
                { 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xe000, 0xf8ff },   { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
                { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0x10ffff },
        };

        for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
                if (character >= ranges[i].first && character <= ranges[i].last)
                        return true;
        return false;
}

/* Hidden characters that every text file may have. */
static bool usual(const char *text, size_t length, size_t offset, uint32_t character) {
        return character == '\n' || character == '\t' || (character == '\r' && offset + 1 < length && text[offset + 1] == '\n') ||
               (character == 0xfeff && offset == 0);
}

bool gbx_text_hidden(const char *text, size_t length, struct gbx_text_place *place) {
        struct gbx_text_place at = *place;
        bool first = at.line == 0, passed = !first; /* the character at `at` was told before */

        if (first)
                at = (struct gbx_text_place){ .line = 1, .column = 1 };
        while (at.offset < length) {
                size_t used = utf8_sequence(text + at.offset, length - at.offset);
                const char *next = text + at.offset;

                at.character = used ? gbx_utf8_next(&next) : 'x';
                if (!passed && gbx_character_hidden(at.character) && !usual(text, length, at.offset, at.character)) {
                        *place = at;
                        return true;
                }
                passed = false;
                at.offset += used ? used : 1;
                at.column++;
                if (at.character == '\n') {
                        at.line++;
                        at.column = 1;
                }
        }
        return false;
}

void gbx_text_printable(const char *text, size_t length, char *ret, size_t ret_size) {
        size_t out = 0;

        while (length > 0) {
                size_t used = utf8_sequence(text, length);
                const char *next = text;
                bool control = used == 0 || gbx_character_hidden(gbx_utf8_next(&next));

                if (out + 5 > ret_size)
                        break;
                if (used == 0)
                        used = 1;
                if (control)
                        for (size_t i = 0; i < used && out + 5 <= ret_size; i++)
                                out += (size_t)snprintf(ret + out, ret_size - out, "\\x%02x", (uint8_t)text[i]);
                else {
                        memcpy(ret + out, text, used);
                        out += used;
                }
                text += used;
                length -= used;
        }
        ret[out] = '\0';
}
