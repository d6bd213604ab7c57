/* The age format: C2SP's vectors, round trips in every way of reading, and files that must not open. */
#include "tests/tools/age_vectors.h"
#include "runtime/vault/bech32.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 5 * 65536 + 17, 1 << 20 };

struct keys {
        struct gbx_age_identity *a, *b;
        const struct gbx_age_identity *first[1], *second[1];
        struct gbx_age_identities as_a, as_b;
        struct gbx_age_recipients to_a, to_b;
};

static int make_keys(void **state) {
        struct keys *keys = calloc(1, sizeof *keys);

        assert_non_null(keys);
        assert_int_equal(gbx_age_identity_generate(&keys->a, NULL), 0);
        assert_int_equal(gbx_age_identity_generate(&keys->b, NULL), 0);
        keys->first[0] = keys->a;
        keys->second[0] = keys->b;
        keys->as_a = (struct gbx_age_identities){ keys->first, 1 };
        keys->as_b = (struct gbx_age_identities){ keys->second, 1 };
        keys->to_a = (struct gbx_age_recipients){ gbx_age_identity_recipient(keys->a), 1 };
        keys->to_b = (struct gbx_age_recipients){ gbx_age_identity_recipient(keys->b), 1 };
        *state = keys;
        return 0;
}

static int free_keys(void **state) {
        struct keys *keys = *state;

        gbx_age_identity_free(keys->a);
        gbx_age_identity_free(keys->b);
        free(keys);
        return 0;
}

static void fill(struct gbx_buffer *buffer, size_t size) {
        assert_int_equal(gbx_buffer_reserve(buffer, size, NULL), 0);
        for (size_t i = 0; i < size; i++)
                assert_int_equal(gbx_buffer_append_byte(buffer, (uint8_t)(i * 7 + i / 251 + i / 65536), NULL), 0);
}

/* A memory file with the bytes in it, at position 0. */
static int memory_file(const void *data, size_t size) {
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(gbx_write_all(fd, data, size, NULL), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

static void expect_content(int fd, const struct gbx_buffer *expected) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};

        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(gbx_read_fd(fd, CASE_MAX_FILE, &content, NULL), 0);
        assert_int_equal(content.size, expected->size);
        if (expected->size > 0)
                assert_memory_equal(content.data, expected->data, expected->size);
}

static void public_vectors_pass(void **state) {
        gbx_auto(gbx_close_directory) DIR *directory = opendir("tests/fixtures/age");
        struct dirent *entry;
        unsigned passed = 0;

        (void)state;
        assert_non_null(directory);
        while ((entry = readdir(directory))) {
                char message[512];
                enum case_result result;

                if (entry->d_name[0] == '.')
                        continue;
                result = case_run_file(dirfd(directory), entry->d_name, message);
                passed += result == CASE_PASS;
                if (result == CASE_FAIL)
                        fail_msg("%s: %s", entry->d_name, message);
                if (result == CASE_SKIP)
                        assert_string_equal(message, "scrypt");
        }
        assert_true(passed >= 77);
}

/* The runner itself must be able to fail: the same case with another expectation, hash or identity. */
static void vector_runner_notices(void **state) {
        static const char *const changes[][2] = {
                { "expect: success", "expect: no match" },
                { "payload: 013f", "payload: 113f" },
        };
        gbx_auto(gbx_buffer_free) struct gbx_buffer original = {};

        (void)state;
        assert_int_equal(gbx_read_file(AT_FDCWD, "tests/fixtures/age/x25519", CASE_MAX_FILE, &original, NULL), 0);
        for (size_t i = 0; i < gbx_array_size(changes); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
                gbx_auto(case_free) struct age_case test = {};
                char *place = strstr((char *)original.data, changes[i][0]);
                size_t front = (size_t)(place - (char *)original.data), length = strlen(changes[i][0]);

                assert_non_null(place);
                assert_int_equal(gbx_buffer_append(&text, original.data, front, NULL), 0);
                assert_int_equal(gbx_buffer_append_text(&text, changes[i][1], NULL), 0);
                assert_int_equal(gbx_buffer_append(&text, place + length, original.size - front - length, NULL), 0);
                assert_int_equal(case_parse(&test, (char *)text.data, text.size), CASE_PASS);
                assert_int_equal(case_run(&test), CASE_FAIL);
        }
}

static void keys_have_a_text_form(void **state) {
        /* The examples of the specification. */
        static const char secret[] = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        static const char public_text[] = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL, *other = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        char recipient[GBX_AGE_RECIPIENT_TEXT_SIZE], changed[sizeof secret];
        struct gbx_age_recipient parsed;
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_age_identity_parse(secret, strlen(secret), &identity, NULL), 0);
        gbx_age_recipient_format(gbx_age_identity_recipient(identity), recipient);
        assert_string_equal(recipient, public_text);
        assert_int_equal(gbx_age_identity_format(identity, &text, NULL), 0);
        assert_string_equal(gbx_buffer_text(&text), secret);
        assert_int_equal(gbx_age_recipient_parse(public_text, &parsed, NULL), 0);
        assert_memory_equal(&parsed, gbx_age_identity_recipient(identity), sizeof parsed);
        for (size_t i = 0; i < sizeof secret - 1; i++) { /* every single mistake is noticed, and none is repeated */
                memcpy(changed, secret, sizeof secret);
                changed[i] = changed[i] == 'Q' ? 'P' : 'Q';
                assert_int_equal(gbx_age_identity_parse(changed, strlen(changed), &other, &err), -EINVAL);
                assert_null(strstr(err.message, "GFPYY"));
        }
        memcpy(changed, secret, sizeof secret);
        changed[20] = (char)tolower(changed[20]);
        assert_int_equal(gbx_age_identity_parse(changed, strlen(changed), &other, &err), -EINVAL);
        assert_int_equal(gbx_age_recipient_parse("age1", &parsed, &err), -EINVAL);
        assert_int_equal(gbx_age_recipient_parse(secret, &parsed, &err), -EINVAL);
        assert_int_equal(gbx_age_recipient_parse("", &parsed, &err), -EINVAL);
}

static void bech32_follows_bip_173(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        static const char one_to_32[] = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
        uint8_t data[20], nothing[1];
        static const uint8_t expected[20] = { 0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf,
                                              0x84, 0x65, 0x3a, 0x56, 0xd7, 0xc6, 0x75, 0xbe, 0x77, 0xdf };

        (void)state;
        assert_int_equal(gbx_bech32_decode("abcdef", one_to_32, strlen(one_to_32), data, sizeof data, NULL), 0);
        assert_memory_equal(data, expected, sizeof data);
        assert_int_equal(gbx_bech32_encode("abcdef", data, sizeof data, &text, NULL), 0);
        assert_string_equal(gbx_buffer_text(&text), one_to_32);
        assert_int_equal(gbx_bech32_decode("a", "A12UEL5L", 8, nothing, 0, NULL), 0);
        assert_int_equal(gbx_bech32_decode("a", "A12UEl5L", 8, nothing, 0, NULL), -EINVAL);
        assert_int_equal(gbx_bech32_decode("a", "A12UEL5L", 7, nothing, 0, NULL), -EINVAL);
        assert_int_equal(gbx_bech32_decode("a", "a12uel5", 7, nothing, 0, NULL), -EINVAL);
        assert_int_equal(gbx_bech32_decode("a", "", 0, nothing, 0, NULL), -EINVAL);
}

static void every_size_comes_back(void **state) {
        struct keys *keys = *state;
        struct gbx_age_recipient both[2] = { *keys->to_a.list, *keys->to_b.list };

        for (size_t i = 0; i < gbx_array_size(sizes); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer plain = {}, sealed = {}, back = {};
                gbx_auto(gbx_close_fd) int in = -1, middle = memory_file("", 0), out = memory_file("", 0);
                struct gbx_age_facts written, read_facts;

                fill(&plain, sizes[i]);
                assert_int_equal(gbx_age_encrypt_buffer(plain.data, plain.size, keys->to_a, &sealed, NULL), 0);
                assert_int_equal(gbx_age_decrypt_buffer(sealed.data, sealed.size, keys->as_b, SIZE_MAX, &back, NULL),
                                 -ENOKEY);
                assert_int_equal(gbx_age_decrypt_buffer(sealed.data, sealed.size, keys->as_a, sizes[i], &back, NULL), 0);
                assert_int_equal(back.size, plain.size);
                if (sizes[i] > 0) {
                        assert_memory_equal(back.data, plain.data, plain.size);
                        assert_int_equal(gbx_age_decrypt_buffer(sealed.data, sealed.size, keys->as_a, sizes[i] - 1,
                                                                &back, NULL), -EFBIG);
                        assert_int_equal(back.size, plain.size);
                }
                in = memory_file(plain.data, plain.size);
                assert_int_equal(gbx_age_encrypt_fd(in, middle, (struct gbx_age_recipients){ both, 2 }, &written, NULL), 0);
                assert_int_equal(lseek(middle, 0, SEEK_SET), 0);
                assert_int_equal(gbx_age_decrypt_fd(middle, out, keys->as_b, &read_facts, NULL), 0);
                assert_memory_equal(&written, &read_facts, sizeof written);
                assert_int_equal(written.plaintext_size, sizes[i]);
                assert_int_equal(written.chunks, sizes[i] ? (sizes[i] + 65535) / 65536 : 1);
                expect_content(out, &plain);
        }
}

static void whole_files_on_many_threads(void **state) {
        struct keys *keys = *state;

        for (size_t i = 0; i < gbx_array_size(sizes); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer plain = {};
                gbx_auto(gbx_close_fd) int in = -1, middle = memory_file("", 0), out = memory_file("surplus", 7);
                gbx_auto(gbx_age_file_freep) struct gbx_age_file *file = NULL;
                struct gbx_age_facts facts;
                uint8_t chunk[GBX_AGE_CHUNK_SIZE];
                size_t size;

                fill(&plain, sizes[i]);
                in = memory_file(plain.data, plain.size);
                assert_int_equal(gbx_age_encrypt_file(in, middle, keys->to_a, 3, &facts, NULL), 0);
                assert_int_equal(gbx_age_encrypt_file(in, middle, keys->to_a, 3, &facts, NULL), -EINVAL);
                assert_int_equal(gbx_age_file_open(&file, middle, keys->as_a, NULL, NULL), 0);
                assert_memory_equal(gbx_age_file_facts(file), &facts, sizeof facts);
                assert_int_equal(gbx_age_file_decrypt(file, out, 3, NULL), 0);
                expect_content(out, &plain);
                for (uint64_t k = facts.chunks; k-- > 0;) {
                        assert_int_equal(gbx_age_file_read(file, k, chunk, &size, NULL), 0);
                        if (size > 0)
                                assert_memory_equal(chunk, plain.data + k * 65536, size);
                }
                assert_int_equal(gbx_age_file_read(file, facts.chunks, chunk, &size, NULL), -ERANGE);
        }
}

static enum gbx_age_failure open_all(const void *data, size_t size, struct gbx_age_identities identities) {
        gbx_auto(gbx_age_reader_freep) struct gbx_age_reader *reader = NULL;
        enum gbx_age_failure failure = GBX_AGE_NO_FAILURE;
        const uint8_t *chunk;
        size_t chunk_size;
        int r = gbx_age_reader_new_memory(&reader, data, size, GBX_AGE_DETECT, identities, &failure, NULL);

        if (r < 0)
                return failure;
        while ((r = gbx_age_reader_next(reader, &chunk, &chunk_size, NULL)) > 0)
                ;
        return r < 0 ? gbx_age_reader_failure(reader) : GBX_AGE_NO_FAILURE;
}

/* No byte of the file can change, none can be missing, and none can follow. */
static void small_file_is_not_malleable(void **state) {
        struct keys *keys = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};

        assert_int_equal(gbx_age_encrypt_buffer("plaintext", 9, keys->to_a, &sealed, NULL), 0);
        assert_int_equal(open_all(sealed.data, sealed.size, keys->as_a), GBX_AGE_NO_FAILURE);
        for (size_t i = 0; i < sealed.size; i++) {
                uint8_t saved = sealed.data[i];

                sealed.data[i] ^= 1;
                assert_int_not_equal(open_all(sealed.data, sealed.size, keys->as_a), GBX_AGE_NO_FAILURE);
                sealed.data[i] = saved;
                assert_int_not_equal(open_all(sealed.data, i, keys->as_a), GBX_AGE_NO_FAILURE);
        }
        assert_int_equal(gbx_buffer_append_byte(&sealed, 0, NULL), 0);
        assert_int_equal(open_all(sealed.data, sealed.size, keys->as_a), GBX_AGE_PAYLOAD_FAILURE);
}

/* Chunks swapped, dropped and repeated, in both ways of reading. */
static void chunks_stay_in_order(void **state) {
        struct keys *keys = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer plain = {}, sealed = {};
        enum { SEALED = GBX_AGE_CHUNK_SIZE + GBX_AGE_TAG_SIZE };
        static uint8_t chunk[SEALED];
        size_t start;
        struct gbx_age_file *file = NULL;
        gbx_auto(gbx_close_fd) int fd = -1, out = memory_file("old", 3);
        struct gbx_buffer nothing = {};

        fill(&plain, 4UL * GBX_AGE_CHUNK_SIZE);
        assert_int_equal(gbx_age_encrypt_buffer(plain.data, plain.size, keys->to_a, &sealed, NULL), 0);
        start = sealed.size - (size_t)4 * SEALED;
        assert_int_equal(open_all(sealed.data, sealed.size - SEALED, keys->as_a), GBX_AGE_PAYLOAD_FAILURE);
        memcpy(chunk, sealed.data + start, SEALED);
        memcpy(sealed.data + start, sealed.data + start + SEALED, SEALED);
        assert_int_equal(open_all(sealed.data, sealed.size, keys->as_a), GBX_AGE_PAYLOAD_FAILURE); /* repeated */
        memcpy(sealed.data + start + SEALED, chunk, SEALED);
        assert_int_equal(open_all(sealed.data, sealed.size, keys->as_a), GBX_AGE_PAYLOAD_FAILURE); /* swapped */
        fd = memory_file(sealed.data, sealed.size);
        assert_int_equal(gbx_age_file_open(&file, fd, keys->as_a, NULL, NULL), 0); /* its last chunk is fine */
        assert_int_equal(gbx_age_file_decrypt(file, out, 2, NULL), -EBADMSG);
        expect_content(out, &nothing);
        gbx_age_file_free(file);
        assert_int_equal(ftruncate(fd, (off_t)(sealed.size - SEALED)), 0);
        assert_int_equal(gbx_age_file_open(&file, fd, keys->as_a, NULL, NULL), -EBADMSG);
}

/* Who wants no more of it is heard between spans, and what was decrypted so far is gone. */
static void decrypting_can_be_cancelled(void **state) {
        struct keys *keys = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer plain = {}, sealed = {};
        gbx_auto(gbx_close_fd) int fd = -1, out = memory_file("", 0);
        struct gbx_age_file *file = NULL;
        struct gbx_buffer nothing = {};
        int cancel[2];

        fill(&plain, 4UL * GBX_AGE_CHUNK_SIZE);
        assert_int_equal(gbx_age_encrypt_buffer(plain.data, plain.size, keys->to_a, &sealed, NULL), 0);
        fd = memory_file(sealed.data, sealed.size);
        assert_int_equal(pipe(cancel), 0);
        assert_int_equal(gbx_age_file_open(&file, fd, keys->as_a, NULL, NULL), 0);
        gbx_age_file_cancel(file, cancel[0]);
        assert_int_equal(gbx_age_file_decrypt(file, out, 2, NULL), 0); /* nobody asks */
        expect_content(out, &plain);
        assert_int_equal(write(cancel[1], "x", 1), 1);
        assert_int_equal(gbx_age_file_decrypt(file, out, 2, NULL), -ECANCELED);
        expect_content(out, &nothing);
        gbx_age_file_free(file);
        (void)close(cancel[0]);
        (void)close(cancel[1]);
}

static void headers_have_bounds(void **state) {
        struct keys *keys = *state;
        struct gbx_age_recipient many[GBX_AGE_MAX_STANZAS + 1];
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {}, text = {};
        struct gbx_error err = {};
        struct gbx_age_reader *reader = NULL;

        for (size_t i = 0; i < gbx_array_size(many); i++)
                many[i] = *keys->to_b.list;
        many[GBX_AGE_MAX_STANZAS - 1] = *keys->to_a.list;
        assert_int_equal(gbx_age_encrypt_buffer("x", 1, (struct gbx_age_recipients){ many, GBX_AGE_MAX_STANZAS + 1 },
                                                &sealed, NULL), -EINVAL);
        assert_int_equal(gbx_age_encrypt_buffer("x", 1, (struct gbx_age_recipients){ many, 0 }, &sealed, NULL), -EINVAL);
        assert_int_equal(gbx_age_encrypt_buffer("x", 1, (struct gbx_age_recipients){ many, GBX_AGE_MAX_STANZAS },
                                                &sealed, NULL), 0);
        assert_int_equal(open_all(sealed.data, sealed.size, keys->as_a), GBX_AGE_NO_FAILURE);
        assert_int_equal(gbx_buffer_append_text(&text, "age-encryption.org/v1\n", NULL), 0);
        for (int i = 0; i < 5000; i++)
                assert_int_equal(gbx_buffer_append_text(&text, "-> other\n\n", NULL), 0);
        assert_int_equal(gbx_age_reader_new_memory(&reader, text.data, text.size, GBX_AGE_DETECT, keys->as_a, NULL, &err),
                         -EDQUOT);
        gbx_buffer_clear(&text);
        assert_int_equal(gbx_buffer_append_text(&text, "age-encryption.org/v1\n-> other ", NULL), 0);
        for (int i = 0; i < GBX_AGE_MAX_HEADER; i++)
                assert_int_equal(gbx_buffer_append_byte(&text, 'x', NULL), 0);
        assert_int_equal(gbx_age_reader_new_memory(&reader, text.data, text.size, GBX_AGE_DETECT, keys->as_a, NULL, &err),
                         -EDQUOT);
}

static void passphrase_files_are_refused_clearly(void **state) {
        struct keys *keys = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_age_reader *reader = NULL;
        struct gbx_error err = {};
        char *file;

        assert_int_equal(gbx_read_file(AT_FDCWD, "tests/fixtures/age/scrypt", CASE_MAX_FILE, &text, NULL), 0);
        file = memmem(text.data, text.size, "\n\n", 2);
        assert_non_null(file);
        assert_int_equal(gbx_age_reader_new_memory(&reader, file + 2, text.size - (size_t)(file + 2 - (char *)text.data),
                                                   GBX_AGE_DETECT, keys->as_a, NULL, &err), -ENOKEY);
        assert_non_null(strstr(err.message, "passphrase"));
}

static void rewrapping_keeps_the_payload(void **state) {
        struct keys *keys = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer plain = {}, sealed = {}, copy = {}, back = {};
        gbx_auto(gbx_close_fd) int in = -1, out = memory_file("", 0), bad = -1, sink = memory_file("", 0);
        struct gbx_age_facts original, facts;
        uint8_t digest[GBX_SHA256_SIZE];

        fill(&plain, 200000);
        assert_int_equal(gbx_age_encrypt_buffer(plain.data, plain.size, keys->to_a, &sealed, NULL), 0);
        in = memory_file(sealed.data, sealed.size);
        assert_int_equal(gbx_age_rewrap(in, out, keys->as_a, keys->to_b, &original, &facts, NULL), 0);
        assert_int_equal(lseek(out, 0, SEEK_SET), 0);
        assert_int_equal(gbx_read_fd(out, CASE_MAX_FILE, &copy, NULL), 0);
        gbx_sha256(copy.data, copy.size, digest);
        assert_memory_equal(digest, facts.ciphertext_digest, sizeof digest);
        gbx_sha256(copy.data, facts.header_size, digest);
        assert_memory_equal(digest, facts.header_digest, sizeof digest);
        gbx_sha256(sealed.data, sealed.size, digest);
        assert_memory_equal(digest, original.ciphertext_digest, sizeof digest);
        assert_int_equal(facts.plaintext_size, plain.size);
        assert_memory_equal(copy.data + facts.header_size, sealed.data + original.header_size,
                            sealed.size - original.header_size);
        assert_int_equal(open_all(copy.data, copy.size, keys->as_a), GBX_AGE_NO_MATCH);
        assert_int_equal(gbx_age_decrypt_buffer(copy.data, copy.size, keys->as_b, plain.size, &back, NULL), 0);
        assert_memory_equal(back.data, plain.data, plain.size);
        bad = memory_file(sealed.data, sealed.size - 1);
        assert_int_equal(gbx_age_rewrap(bad, sink, keys->as_a, keys->to_b, NULL, NULL, NULL), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(public_vectors_pass),
                cmocka_unit_test(vector_runner_notices),
                cmocka_unit_test(keys_have_a_text_form),
                cmocka_unit_test(bech32_follows_bip_173),
                cmocka_unit_test(every_size_comes_back),
                cmocka_unit_test(whole_files_on_many_threads),
                cmocka_unit_test(small_file_is_not_malleable),
                cmocka_unit_test(chunks_stay_in_order),
                cmocka_unit_test(decrypting_can_be_cancelled),
                cmocka_unit_test(headers_have_bounds),
                cmocka_unit_test(passphrase_files_are_refused_clearly),
                cmocka_unit_test(rewrapping_keeps_the_payload),
        };

        return cmocka_run_group_tests(tests, make_keys, free_keys);
}
