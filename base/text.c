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

void gbx_text_printable(const char *text, size_t length, char *ret, size_t ret_size) {
        size_t out = 0;

        while (length > 0) {
                size_t used = utf8_sequence(text, length);
                bool control = used == 0 || (uint8_t)text[0] < 0x20 || text[0] == 0x7f ||
                               ((uint8_t)text[0] == 0xc2 && used == 2 && (uint8_t)text[1] < 0xa0);

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
