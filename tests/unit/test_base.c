/* base: errors, buffers, encodings, hashes, files, text, CSV */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/csv.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"

#include <string.h>
#include <sys/stat.h>

static void errors_carry_context(void **state) {
        struct gbx_error err = {};

        (void)state;
        errno = ENOENT;
        assert_int_equal(gbx_fail_errno(&err, "cannot open '%s'", "x"), -ENOENT);
        assert_int_equal(gbx_context(&err, -ENOENT, "dataset %s", "credit"), -ENOENT);
        assert_string_equal(err.message, "dataset credit: cannot open 'x': No such file or directory");
        assert_int_equal(gbx_error_exit_code(-EBADMSG), GBX_EXIT_INTEGRITY);
        assert_int_equal(gbx_error_exit_code(-ENOENT), GBX_EXIT_FAILED);
}

static void buffers_grow(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer buffer = { .secret = true };

        (void)state;
        assert_string_equal(gbx_buffer_text(&buffer), "");
        for (int i = 0; i < 1000; i++)
                assert_int_equal(gbx_buffer_printf(&buffer, NULL, "%d,", i), 0);
        assert_int_equal(buffer.size, 3890);
        assert_memory_equal(buffer.data, "0,1,2,3,", 8);
        assert_int_equal(buffer.data[buffer.size], 0);
}

static void base64_is_strict(void **state) {
        static const char *const bad[] = { "Zg", "Zg=", "Zh==", "Zg==Zg==", "Z", "Zm9v\n", "Zm9=", "=", "====", "Zm 9" };
        static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
        static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(plain); i++) { /* RFC 4648, section 10 */
                gbx_auto(gbx_buffer_free) struct gbx_buffer out = {}, back = {};

                assert_int_equal(gbx_base64_encode(GBX_BASE64_PADDED, plain[i], strlen(plain[i]), &out, NULL), 0);
                assert_string_equal(gbx_buffer_text(&out), coded[i]);
                assert_int_equal(gbx_base64_decode(GBX_BASE64_PADDED, coded[i], strlen(coded[i]), &back, NULL), 0);
                assert_string_equal(gbx_buffer_text(&back), plain[i]);
        }
        for (size_t i = 0; i < gbx_array_size(bad); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer out = {};

                assert_int_equal(gbx_base64_decode(GBX_BASE64_PADDED, bad[i], strlen(bad[i]), &out, NULL), -EINVAL);
        }
}

static void hashes_match_the_standards(void **state) {
        uint8_t digest[GBX_SHA256_SIZE], key[42], expected[42];
        char text[GBX_SHA256_TEXT_SIZE];
        uint8_t ikm[22], salt[13], info[10];

        (void)state;
        gbx_sha256("abc", 3, digest);
        gbx_sha256_text(digest, text);
        assert_string_equal(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_int_equal(gbx_sha256_parse(text + 1, digest, NULL), -EINVAL);
        memset(ikm, 0x0b, sizeof ikm); /* RFC 5869, A.1 */
        for (size_t i = 0; i < sizeof salt; i++)
                salt[i] = (uint8_t)i;
        for (size_t i = 0; i < sizeof info; i++)
                info[i] = (uint8_t)(0xf0 + i);
        assert_int_equal(gbx_hkdf_sha256(ikm, sizeof ikm, salt, sizeof salt, info, sizeof info, key, sizeof key, NULL), 0);
        assert_int_equal(gbx_hex_decode("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", 84,
                                        expected, sizeof expected, NULL), 0);
        assert_memory_equal(key, expected, sizeof key);
}

static void ed25519_signs_and_refuses(void **state) {
        uint8_t seed[32], public_key[32], signature[64];

        (void)state; /* RFC 8032, 7.1, test 1 */
        assert_int_equal(gbx_hex_decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", 64, seed, 32, NULL), 0);
        assert_int_equal(gbx_ed25519_public(seed, public_key, NULL), 0);
        assert_int_equal(public_key[0], 0xd7);
        assert_int_equal(gbx_ed25519_sign(seed, "", 0, signature, NULL), 0);
        assert_int_equal(signature[0], 0xe5);
        assert_int_equal(gbx_ed25519_verify(public_key, "", 0, signature, NULL), 0);
        assert_int_equal(gbx_ed25519_verify(public_key, "x", 1, signature, NULL), -EBADMSG);
}

static void files_are_replaced_whole(void **state) {
        char path[] = "/tmp/gbx-test-base-XXXXXX";
        gbx_auto(gbx_close_fd) int directory = -1;
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};

        (void)state;
        assert_non_null(mkdtemp(path));
        directory = gbx_open_directory(AT_FDCWD, path, NULL);
        assert_true(directory >= 0);
        assert_int_equal(gbx_make_directories(directory, "a/b/c", 0700, NULL), 0);
        assert_int_equal(gbx_make_directories(directory, "a/b/c", 0700, NULL), 0);
        assert_int_equal(gbx_write_file_durably(directory, "a/b/c/f", "one", 3, 0600, NULL), 0);
        assert_int_equal(gbx_write_file_durably(directory, "a/b/c/f", "two!", 4, 0600, NULL), 0);
        assert_int_equal(gbx_read_file(directory, "a/b/c/f", 4, &content, NULL), 0);
        assert_string_equal(gbx_buffer_text(&content), "two!");
        assert_int_equal(gbx_read_file(directory, "a/b/c/f", 3, &content, NULL), -EFBIG);
        assert_int_equal(symlinkat("/etc", directory, "link"), 0);
        assert_int_equal(gbx_open_beneath(directory, "link/passwd", O_RDONLY, 0, NULL), -ELOOP);
        assert_int_equal(gbx_open_beneath(directory, "../etc/passwd", O_RDONLY, 0, NULL), -EXDEV);
        assert_int_equal(unlinkat(directory, "link", 0), 0);
        assert_int_equal(unlinkat(directory, "a/b/c/f", 0), 0);
        assert_int_equal(unlinkat(directory, "a/b/c", AT_REMOVEDIR), 0);
        assert_int_equal(unlinkat(directory, "a/b", AT_REMOVEDIR), 0);
        assert_int_equal(unlinkat(directory, "a", AT_REMOVEDIR), 0);
        assert_int_equal(rmdir(path), 0);
}

static void text_is_parsed_strictly(void **state) {
        uint64_t value;
        int64_t seconds;
        char time[GBX_TIME_TEXT_SIZE], shown[64];

        (void)state;
        assert_int_equal(gbx_parse_u64("18446744073709551615", &value, NULL), 0);
        assert_true(value == UINT64_MAX);
        assert_int_equal(gbx_parse_u64("18446744073709551616", &value, NULL), -EINVAL);
        assert_int_equal(gbx_parse_u64("01", &value, NULL), -EINVAL);
        assert_int_equal(gbx_parse_u64("", &value, NULL), -EINVAL);
        assert_int_equal(gbx_parse_size("256M", &value, NULL), 0);
        assert_int_equal(value, 256 << 20);
        assert_int_equal(gbx_parse_size("1KB", &value, NULL), -EINVAL);
        assert_int_equal(gbx_parse_duration("90d", &value, NULL), 0);
        assert_true(value == 90ULL * 86400000);
        assert_int_equal(gbx_parse_duration("90", &value, NULL), -EINVAL);
        assert_int_equal(gbx_time_parse("2026-11-25T01:57:37Z", &seconds, NULL), 0);
        gbx_time_text(seconds, time);
        assert_string_equal(time, "2026-11-25T01:57:37Z");
        assert_int_equal(gbx_time_parse("2026-02-30T00:00:00Z", &seconds, NULL), -EINVAL);
        assert_true(gbx_date_valid("2024-02-29"));
        assert_false(gbx_date_valid("2026-02-29"));
        assert_false(gbx_date_valid("2026-2-3"));
        assert_true(gbx_name_valid("bank-a"));
        assert_false(gbx_name_valid("../x"));
        assert_false(gbx_name_valid("Wang"));
        gbx_text_printable("a\x1b[31mb\xff\xc2\xb5", 10, shown, sizeof shown);
        assert_string_equal(shown, "a\\x1b[31mb\\xff\xc2\xb5");
}

/* All places, as "line:column U+XXXX …". */
static void expect_hidden(const char *text, size_t size, const char *expected) {
        struct gbx_text_place place = {};
        char got[256] = "";

        while (gbx_text_hidden(text, size, &place))
                (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%zu:%zu U+%04X", *got ? " " : "", place.line, place.column,
                               place.character);
        assert_string_equal(got, expected);
}

static void hidden_text_is_found_and_escaped(void **state) {
        static const uint32_t hidden[] = { 0, 1, 8, 0xb, 0xc, 0xd, 0x1b, 0x1f, 0x7f, 0x80, 0x85, 0x9f, 0xad, 0x200b, 0x200c, 0x200d, 0x200e,
                                           0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068,
                                           0x2069, 0xfe0f, 0xfeff, 0xe0041, 0x10fffd };
        static const uint32_t shown[] = { '\t', ' ', '~', 0xa0, 0xe9, 0x4e2d, 0x2027, 0x202f, 0x2030, 0xff01, 0x1f600 };
        char text[16], out[64];

        (void)state;
        expect_hidden("", 0, "");
        expect_hidden("a\tb\r\nc\n", 7, "");
        expect_hidden("\xef\xbb\xbfx", 4, "");                      /* a byte order mark at the beginning */
        expect_hidden("x\xef\xbb\xbf", 4, "1:2 U+FEFF");           /* and elsewhere */
        expect_hidden("a\rb\r\n\r", 6, "1:2 U+000D 2:1 U+000D"); /* CR alone, also as the last byte */
        expect_hidden("\xc3\xa9\xff" "\xe2\x80\xa8" "x\ny\xc2\x85", 11, "1:3 U+2028 2:2 U+0085");
        for (size_t i = 0; i < gbx_array_size(hidden) + gbx_array_size(shown); i++) {
                bool is_hidden = i < gbx_array_size(hidden);
                uint32_t c = is_hidden ? hidden[i] : shown[i - gbx_array_size(hidden)];
                struct gbx_text_place place = {};
                size_t size = 0;

                text[size++] = 'x';
                if (c < 0x80)
                        text[size++] = (char)c;
                else {
                        unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

                        text[size++] = (char)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | c >> (6 * more));
                        for (unsigned k = more; k-- > 0;)
                                text[size++] = (char)(0x80 | (c >> (6 * k) & 0x3f));
                }
                text[size++] = 'y';
                if (gbx_text_hidden(text, size, &place) != is_hidden || (is_hidden && (place.character != c || place.offset != 1)))
                        fail_msg("U+%04X", c);
                /* Whatever is hidden is escaped, byte by byte; what shows stands as it is, but tabs. */
                gbx_text_printable(text, size, out, sizeof out);
                if (strlen(out) != (is_hidden || c == '\t' ? 2 + 4 * (size - 2) : size))
                        fail_msg("U+%04X is shown as %s", c, out);
        }
}

/* Reads a whole text and joins it as [a|b][c|d]; "!" and the message on error. */
static void expect_csv(const char *text, const char *expected) {
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = {};
        struct gbx_csv_row row;
        struct gbx_error err = {};
        int r;

        assert_int_equal(gbx_csv_new_memory(&csv, text, strlen(text), NULL, &err), 0);
        while ((r = gbx_csv_next(csv, &row, &err)) > 0)
                for (size_t i = 0; i < row.count; i++)
                        (void)gbx_buffer_printf(&out, NULL, "%s%s%s", i ? "|" : "[", row.fields[i].data,
                                                i + 1 == row.count ? "]" : "");
        if (r < 0)
                (void)gbx_buffer_printf(&out, NULL, "!%s", err.message);
        assert_string_equal(gbx_buffer_text(&out), expected);
}

static void csv_follows_rfc_4180(void **state) {
        (void)state;
        expect_csv("", "");
        expect_csv("a,b\n1,2\n", "[a|b][1|2]");
        expect_csv("\xef\xbb\xbf" "a,b\r\n1,\"x, \"\"y\"\"\r\nz\"", "[a|b][1|x, \"y\"\r\nz]");
        expect_csv("a\n\nb", "[a][][b]");
        expect_csv("a,\n,", "[a|][|]");
        expect_csv("a,b\n1\n", "[a|b]!line 2: 1 fields, expected 2");
        expect_csv("a\"b\n", "!line 1, field 1: a quote inside a field without quotes around it");
        expect_csv("\"a\nb\"c\n", "!line 2, field 1: text behind the closing quote");
        expect_csv("a,\"b", "!line 1, field 2: the quoted field is not closed");
        expect_csv("a\rb", "!line 1, field 1: carriage return without line feed");
}

static void csv_survives_long_input(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        struct gbx_csv_row row;
        uint64_t rows = 0;

        (void)state;
        for (int i = 0; i < 100000; i++)
                assert_int_equal(gbx_buffer_printf(&text, NULL, "%d,\"a\"\"%d\",z\n", i, i), 0);
        assert_int_equal(gbx_csv_new_memory(&csv, text.data, text.size, NULL, NULL), 0);
        while (gbx_csv_next(csv, &row, NULL) > 0) {
                char expected[32];

                (void)snprintf(expected, sizeof expected, "a\"%llu", (unsigned long long)rows);
                assert_string_equal(row.fields[1].data, expected);
                assert_true(row.offset < text.size && row.fields[0].size < text.size - row.offset);
                assert_memory_equal(text.data + row.offset, row.fields[0].data, row.fields[0].size);
                assert_int_equal(row.line, ++rows);
        }
        assert_int_equal(rows, 100000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(errors_carry_context),
                cmocka_unit_test(buffers_grow),
                cmocka_unit_test(base64_is_strict),
                cmocka_unit_test(hashes_match_the_standards),
                cmocka_unit_test(ed25519_signs_and_refuses),
                cmocka_unit_test(files_are_replaced_whole),
                cmocka_unit_test(text_is_parsed_strictly),
                cmocka_unit_test(hidden_text_is_found_and_escaped),
                cmocka_unit_test(csv_follows_rfc_4180),
                cmocka_unit_test(csv_survives_long_input),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
