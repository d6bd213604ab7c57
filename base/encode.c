#include "base/encode.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void gbx_hex_encode(const void *data, size_t size, char *text) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *bytes = data;

        for (size_t i = 0; i < size; i++) {
                text[2 * i] = digits[bytes[i] >> 4];
                text[2 * i + 1] = digits[bytes[i] & 15];
        }
        text[2 * size] = '\0';
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int gbx_hex_decode(const char *text, size_t length, uint8_t *ret_data, size_t size, struct gbx_error *err) {
        if (length != 2 * size)
                return gbx_fail(err, -EINVAL, "hexadecimal text of %zu digits, expected %zu", length, 2 * size);
        for (size_t i = 0; i < length; i++)
                if (hex_digit(text[i]) < 0)
                        return gbx_fail(err, -EINVAL, "character %zu is not a hexadecimal digit", i + 1);
        for (size_t i = 0; i < size; i++)
                ret_data[i] = (uint8_t)((unsigned)hex_digit(text[2 * i]) << 4 | (unsigned)hex_digit(text[2 * i + 1]));
        return 0;
}

int gbx_base64_encode(enum gbx_base64 kind, const void *data, size_t size, struct gbx_buffer *buffer,
                      struct gbx_error *err) {
        const uint8_t *bytes = data;
        int r = gbx_buffer_reserve(buffer, size / 3 * 4 + 4, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < size; i += 3) {
                size_t left = size - i;
                uint32_t group = (uint32_t)bytes[i] << 16;
                char quad[4];
                size_t used = left >= 3 ? 4 : left + 1;

                if (left > 1)
                        group |= (uint32_t)bytes[i + 1] << 8;
                if (left > 2)
                        group |= bytes[i + 2];
                for (size_t k = 0; k < 4; k++)
                        quad[k] = (char)(k < used ? alphabet[group >> (18 - 6 * k) & 63] : '=');
                r = gbx_buffer_append(buffer, quad, kind == GBX_BASE64_PADDED ? 4 : used, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int base64_value(char c) {
        const char *place = c ? strchr(alphabet, c) : NULL;

        return place ? (int)(place - alphabet) : -1;
}

/* Decodes one group of 2, 3 or 4 digits to 1, 2 or 3 bytes. */
static int decode_group(const char *text, size_t digits, uint8_t bytes[static 3], struct gbx_error *err) {
        uint32_t group = 0;

        for (size_t k = 0; k < 4; k++) {
                int value = k < digits ? base64_value(text[k]) : 0;

                if (value < 0)
                        return gbx_fail(err, -EINVAL, "not base64: unexpected character");
                group = group << 6 | (uint32_t)value;
        }
        if ((digits == 2 && group & 0xffff) || (digits == 3 && group & 0xff))
                return gbx_fail(err, -EINVAL, "not base64: unused bits are not zero");
        bytes[0] = (uint8_t)(group >> 16);
        bytes[1] = (uint8_t)(group >> 8);
        bytes[2] = (uint8_t)group;
        return 0;
}

int gbx_base64_decode(enum gbx_base64 kind, const char *text, size_t length, struct gbx_buffer *buffer,
                      struct gbx_error *err) {
        int r;

        if (kind == GBX_BASE64_PADDED) {
                if (length % 4 != 0)
                        return gbx_fail(err, -EINVAL, "not base64: length %zu is not a multiple of four", length);
                for (int pad = 0; pad < 2 && length > 0 && text[length - 1] == '='; pad++)
                        length--;
        }
        if (length % 4 == 1)
                return gbx_fail(err, -EINVAL, "not base64: one digit is left over");
        r = gbx_buffer_reserve(buffer, length / 4 * 3 + 3, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < length; i += 4) {
                size_t digits = length - i < 4 ? length - i : 4;
                uint8_t bytes[3];

                r = decode_group(text + i, digits, bytes, err);
                if (r < 0)
                        return r;
                r = gbx_buffer_append(buffer, bytes, digits - 1, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
