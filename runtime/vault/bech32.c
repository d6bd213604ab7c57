#include "runtime/vault/bech32.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <string.h>

enum { CHECKSUM = 6, MAX_DIGITS = (GBX_BECH32_MAX_DATA * 8 + 4) / 5 + CHECKSUM };

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* The values (0 to 31) behind the text; wiped when they go. */
struct digits {
        uint8_t values[MAX_DIGITS];
        size_t count;
};

static void wipe_digits(struct digits *digits) { OPENSSL_cleanse(digits, sizeof *digits); }

static uint32_t checksum_step(uint32_t state, uint8_t value) {
        static const uint32_t generator[] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3 };
        uint32_t top = state >> 25;

        state = (state & 0x1ffffff) << 5 ^ value;
        for (unsigned i = 0; i < 5; i++)
                if (top >> i & 1)
                        state ^= generator[i];
        return state;
}

static uint32_t checksum(const char *prefix, const struct digits *digits) {
        uint32_t state = 1;

        for (const char *p = prefix; *p; p++)
                state = checksum_step(state, (uint8_t)*p >> 5);
        state = checksum_step(state, 0);
        for (const char *p = prefix; *p; p++)
                state = checksum_step(state, (uint8_t)*p & 31);
        for (size_t i = 0; i < digits->count; i++)
                state = checksum_step(state, digits->values[i]);
        return state;
}

int gbx_bech32_encode(const char *prefix, const uint8_t *data, size_t size, struct gbx_buffer *buffer,
                      struct gbx_error *err) {
        gbx_auto(wipe_digits) struct digits digits = {};
        char text[MAX_DIGITS + 1];
        uint32_t bits = 0, sum;
        unsigned held = 0;
        int r;

        if (size > GBX_BECH32_MAX_DATA)
                return gbx_fail(err, -EINVAL, "%zu bytes are too many for a Bech32 text", size);
        for (size_t i = 0; i < size; i++) {
                bits = (bits << 8 | data[i]) & 0xfff;
                for (held += 8; held >= 5; held -= 5)
                        digits.values[digits.count++] = bits >> (held - 5) & 31;
        }
        if (held > 0)
                digits.values[digits.count++] = bits << (5 - held) & 31;
        digits.count += CHECKSUM; /* six zeros for now */
        sum = checksum(prefix, &digits) ^ 1;
        for (unsigned i = 0; i < CHECKSUM; i++)
                digits.values[digits.count - CHECKSUM + i] = sum >> 5 * (CHECKSUM - 1 - i) & 31;
        for (size_t i = 0; i < digits.count; i++)
                text[i] = alphabet[digits.values[i]];
        text[digits.count] = '\0';
        r = gbx_buffer_printf(buffer, err, "%s1%s", prefix, text);
        OPENSSL_cleanse(text, sizeof text);
        return r;
}

/* Compares the front of the text with "<prefix>1" and notes which case was seen. */
static bool prefix_matches(const char *prefix, const char *text, bool *lower, bool *upper) {
        size_t length = strlen(prefix);

        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c >= 'a' && c <= 'z')
                        *lower = true;
                if (c >= 'A' && c <= 'Z') {
                        *upper = true;
                        c = (unsigned char)(c - 'A' + 'a');
                }
                if (c != (unsigned char)prefix[i])
                        return false;
        }
        return text[length] == '1';
}

static int read_digits(const char *text, size_t length, bool lower, bool upper, struct digits *digits,
                       struct gbx_error *err) {
        for (size_t i = 0; i < length; i++) {
                char c = text[i];
                const char *place;

                lower |= c >= 'a' && c <= 'z';
                upper |= c >= 'A' && c <= 'Z';
                if (c >= 'A' && c <= 'Z')
                        c = (char)(c - 'A' + 'a');
                place = c ? strchr(alphabet, c) : NULL;
                if (!place)
                        return gbx_fail(err, -EINVAL, "not Bech32: unexpected character");
                digits->values[digits->count++] = (uint8_t)(place - alphabet);
        }
        if (lower && upper)
                return gbx_fail(err, -EINVAL, "not Bech32: upper and lower case are mixed");
        return 0;
}

int gbx_bech32_decode(const char *prefix, const char *text, size_t length, uint8_t *ret_data, size_t size,
                      struct gbx_error *err) {
        gbx_auto(wipe_digits) struct digits digits = {};
        size_t front = strlen(prefix) + 1, count = (size * 8 + 4) / 5;
        bool lower = false, upper = false;
        uint32_t bits = 0;
        unsigned held = 0;
        int r;

        if (size > GBX_BECH32_MAX_DATA || length < front || !prefix_matches(prefix, text, &lower, &upper))
                return gbx_fail(err, -EINVAL, "not a key that begins with '%s1'", prefix);
        if (length - front != count + CHECKSUM)
                return gbx_fail(err, -EINVAL, "not Bech32 of %zu bytes: %zu characters instead of %zu", size, length,
                                front + count + CHECKSUM);
        r = read_digits(text + front, length - front, lower, upper, &digits, err);
        if (r < 0)
                return r;
        if (checksum(prefix, &digits) != 1)
                return gbx_fail(err, -EINVAL, "not Bech32: the checksum is wrong (a typing mistake?)");
        if (size * 8 % 5 != 0 && digits.values[count - 1] & (31U >> (size * 8 % 5)))
                return gbx_fail(err, -EINVAL, "not Bech32: padding bits are not zero");
        for (size_t i = 0; i < count; i++) {
                bits = (bits << 5 | digits.values[i]) & 0xfff;
                held += 5;
                if (held >= 8) {
                        held -= 8;
                        *ret_data++ = (uint8_t)(bits >> held);
                }
        }
        return 0;
}
