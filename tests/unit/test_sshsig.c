/* SSHSIG: what ssh-keygen signs is accepted; anything else is not. */
#include "tests/unit/signing.h"

#include "base/encode.h"
#include "policy/approval.h"
#include "policy/sshsig.h"

static const char message[] = "glovebox approval v1\nsomething\n";

static struct gbx_ssh_key wang, li;
static struct gbx_buffer good; /* by wang, over message */

static int verify(const struct gbx_ssh_key *key, const char *text, size_t size, const struct gbx_buffer *signature,
                  struct gbx_error *err) {
        return gbx_sshsig_verify(key, GBX_SSHSIG_NAMESPACE, text, size, gbx_buffer_text(signature), signature->size, err);
}

static int start(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer a = {}, b = {};
        struct gbx_error err = {};

        if (signing_start(state) < 0)
                return -1;
        make_key("wang", "ed25519", &a);
        make_key("li", "ed25519", &b);
        if (gbx_ssh_key_parse(gbx_buffer_text(&a), &wang, &err) < 0 || gbx_ssh_key_parse(gbx_buffer_text(&b), &li, &err) < 0)
                fail_msg("%s", err.message);
        sign("wang", "glovebox", "", message, strlen(message), &good);
        return 0;
}

static int end(void **state) {
        gbx_buffer_free(&good);
        return signing_end(state);
}

static void test_good(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer signature = {}, empty = {};
        struct gbx_error err = {};

        (void)state;
        if (verify(&wang, message, strlen(message), &good, &err) < 0)
                fail_msg("%s", err.message);
        sign("wang", "glovebox", "-O hashalg=sha256", message, strlen(message), &signature);
        if (verify(&wang, message, strlen(message), &signature, &err) < 0)
                fail_msg("%s", err.message);
        sign("wang", "glovebox", "-O hashalg=sha512", "", 0, &empty);
        assert_int_equal(verify(&wang, "", 0, &empty, &err), 0);
        assert_int_equal(verify(&wang, "x", 1, &empty, &err), -EBADMSG);
}

static void test_other_message_key_namespace(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer signature = {};
        struct gbx_error err = {};
        char copy[sizeof message];

        (void)state;
        for (size_t i = 0; i < strlen(message); i++) {
                memcpy(copy, message, sizeof copy);
                copy[i] ^= 1;
                assert_int_equal(verify(&wang, copy, strlen(message), &good, &err), -EBADMSG);
        }
        assert_int_equal(verify(&wang, message, strlen(message) - 1, &good, &err), -EBADMSG);
        assert_int_equal(verify(&wang, message, sizeof message, &good, &err), -EBADMSG);
        assert_int_equal(verify(&li, message, strlen(message), &good, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "another key"));
        sign("wang", "file", "", message, strlen(message), &signature);
        assert_int_equal(verify(&wang, message, strlen(message), &signature, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "namespace 'file'"));
        assert_int_equal(gbx_sshsig_verify(&wang, "file", message, strlen(message), gbx_buffer_text(&signature), signature.size, &err), 0);
}

/* The armored signature as bytes, and back. */
static void decode(const struct gbx_buffer *armored, struct gbx_buffer *ret) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer body = {};
        const char *text = strchr(gbx_buffer_text(armored), '\n'), *last = strstr(text, "-----END");

        for (const char *c = text; c < last; c++)
                if (*c != '\n')
                        assert_int_equal(gbx_buffer_append_byte(&body, (uint8_t)*c, NULL), 0);
        assert_int_equal(gbx_base64_decode(GBX_BASE64_PADDED, gbx_buffer_text(&body), body.size, ret, NULL), 0);
}

static int verify_blob(const void *data, size_t size) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_error err = {};

        assert_int_equal(gbx_buffer_append_text(&text, "-----BEGIN SSH SIGNATURE-----\n", NULL), 0);
        assert_int_equal(gbx_base64_encode(GBX_BASE64_PADDED, data, size, &text, NULL), 0);
        assert_int_equal(gbx_buffer_append_text(&text, "\n-----END SSH SIGNATURE-----\n", NULL), 0);
        return verify(&wang, message, strlen(message), &text, &err);
}

static void test_every_bit_counts(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer blob = {};

        (void)state;
        decode(&good, &blob);
        assert_int_equal(verify_blob(blob.data, blob.size), 0);
        for (size_t i = 0; i < 8 * blob.size; i++) {
                blob.data[i / 8] ^= (uint8_t)(1 << i % 8);
                if (verify_blob(blob.data, blob.size) >= 0)
                        fail_msg("bit %zu of the signature does not matter", i);
                blob.data[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        for (size_t i = 0; i < blob.size; i++)
                if (verify_blob(blob.data, i) >= 0)
                        fail_msg("a signature cut to %zu bytes was accepted", i);
        assert_int_equal(gbx_buffer_append_byte(&blob, 0, NULL), 0);
        assert_int_equal(verify_blob(blob.data, blob.size), -EINVAL);
}

static void test_other_hash_and_reserved(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer blob = {}, longer = {};
        uint8_t *name;

        (void)state;
        decode(&good, &blob);
        name = memmem(blob.data, blob.size, "sha512", 6);
        assert_non_null(name);
        /* The reserved string stands before the hash's name with its length: 4 + 4 bytes. */
        assert_int_equal(gbx_buffer_append(&longer, blob.data, (size_t)(name - blob.data) - 8, NULL), 0);
        assert_int_equal(gbx_buffer_append(&longer, "\0\0\0\1x", 5, NULL), 0);
        assert_int_equal(gbx_buffer_append(&longer, name - 4, (size_t)(blob.data + blob.size - name) + 4, NULL), 0);
        assert_int_equal(verify_blob(longer.data, longer.size), -EINVAL);
        memcpy(name, "sha384", 6);
        assert_int_equal(verify_blob(blob.data, blob.size), -EINVAL);
        memcpy(name, "sha256", 6); /* a known hash, but not the one signed */
        assert_int_equal(verify_blob(blob.data, blob.size), -EBADMSG);
}

static void test_armor(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_error err = {};

        (void)state;
        for (size_t i = 0; i + 1 < good.size; i++)
                if (gbx_sshsig_verify(&wang, GBX_SSHSIG_NAMESPACE, message, strlen(message), gbx_buffer_text(&good), i, &err) >= 0)
                        fail_msg("armor cut to %zu bytes was accepted", i);
        assert_int_equal(gbx_sshsig_verify(&wang, GBX_SSHSIG_NAMESPACE, message, strlen(message), gbx_buffer_text(&good), good.size - 1, &err), 0); /* no last newline */
        assert_int_equal(gbx_buffer_append(&text, good.data, good.size, NULL), 0);
        assert_int_equal(gbx_buffer_append(&text, good.data, good.size, NULL), 0);
        assert_int_equal(verify(&wang, message, strlen(message), &text, &err), -EINVAL); /* two of them */
        gbx_buffer_clear(&text);
        while (text.size <= GBX_SSHSIG_MAX_BYTES)
                assert_int_equal(gbx_buffer_append_text(&text, "-----BEGIN SSH SIGNATURE-----\n", NULL), 0);
        assert_int_equal(verify(&wang, message, strlen(message), &text, &err), -EINVAL);
        assert_non_null(strstr(err.message, "longer than"));
}

static void test_key_lines(void **state) {
        static const char *const bad[] = {
                "", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 AAAA", "ssh-ed25519 !!!!",
                "restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKcCvC2jjyDVKYq2TeP+W5GKLHc2rHBlVvIL2ohHGLuI x",
                "ssh-ed25519  AAAAC3NzaC1lZDI1NTE5AAAAIKcCvC2jjyDVKYq2TeP+W5GKLHc2rHBlVvIL2ohHGLuI",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKcCvC2jjyDVKYq2TeP+W5GKLHc2rHBlVvIL2ohHGLuI a\nssh-ed25519 b",
        };
        gbx_auto(gbx_buffer_free) struct gbx_buffer line = {}, signature = {};
        struct gbx_ssh_key key;
        struct gbx_error err = {};
        char expected[128];

        (void)state;
        assert_int_equal(gbx_ssh_key_parse("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKcCvC2jjyDVKYq2TeP+W5GKLHc2rHBlVvIL2ohHGLuI a b c\n", &key, &err), 0);
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                if (gbx_ssh_key_parse(bad[i], &key, &err) != -EINVAL)
                        fail_msg("accepted: %s", bad[i]);
        make_key("rsa", "rsa -b 2048", &line);
        assert_int_equal(gbx_ssh_key_parse(gbx_buffer_text(&line), &key, &err), -EINVAL);
        assert_non_null(strstr(err.message, "only ssh-ed25519 keys are accepted"));
        sign("rsa", "glovebox", "", message, strlen(message), &signature);
        assert_int_equal(verify(&wang, message, strlen(message), &signature, &err), -EINVAL);
        assert_non_null(strstr(err.message, "of type ssh-rsa"));
        /* The fingerprint is the one that ssh-keygen shows. */
        (void)snprintf(expected, sizeof expected, "ssh-keygen -lf %s/wang.pub | grep -qF '%s'", signing_directory, wang.fingerprint);
        shell("%s", expected);
}

static const struct gbx_approval approval = {
        .site = "gbx.example/demo",
        .algorithm = "sha256:1111111111111111111111111111111111111111111111111111111111111111",
        .engine = GBX_ENGINE_LUA,
        .datasets = { { "zoo", 2, "sha256:2222222222222222222222222222222222222222222222222222222222222222" },
                      { "credit", 1, "sha256:3333333333333333333333333333333333333333333333333333333333333333" } },
        .dataset_count = 2,
        .purpose = "credit-scoring",
        .policy = "sha256:4444444444444444444444444444444444444444444444444444444444444444",
        .reviewer = "wang",
        .made = 1795000000,
        .expires = 1803254400,
        .nonce = "00112233445566778899aabbccddeeff",
};

static void test_approval_text(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, again = {};
        gbx_auto(gbx_free_pointer) struct gbx_approval *parsed = calloc(1, sizeof *parsed);
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_approval_text(&approval, &text, &err), 0);
        assert_string_equal(gbx_buffer_text(&text),
                            "glovebox approval v2\nsite: gbx.example/demo\ndecision: approve\n"
                            "algorithm: sha256:1111111111111111111111111111111111111111111111111111111111111111\nengine: lua\n"
                            "dataset: credit 1 sha256:3333333333333333333333333333333333333333333333333333333333333333\n"
                            "dataset: zoo 2 sha256:2222222222222222222222222222222222222222222222222222222222222222\n"
                            "purpose: credit-scoring\npolicy: sha256:4444444444444444444444444444444444444444444444444444444444444444\n"
                            "reviewer: wang\nmade: 2026-11-18T11:06:40Z\nexpires: 2027-02-22T00:00:00Z\n"
                            "nonce: 00112233445566778899aabbccddeeff\n");
        assert_int_equal(gbx_approval_parse(gbx_buffer_text(&text), text.size, parsed, &err), 0);
        assert_int_equal(gbx_approval_text(parsed, &again, &err), 0);
        assert_string_equal(gbx_buffer_text(&again), gbx_buffer_text(&text));
}

/* Any change of one byte gives another statement or none; deleting or repeating a line gives none. */
static void test_approval_is_strict(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_free_pointer) struct gbx_approval *parsed = calloc(1, sizeof *parsed);
        struct gbx_error err = {};
        const char *line;

        (void)state;
        assert_int_equal(gbx_approval_text(&approval, &text, &err), 0);
        for (size_t i = 0; i < text.size; i++) {
                uint8_t old = text.data[i];
                static const uint8_t others[] = { 0, ' ', '\n', '\r', 'A', '9', 0xff };

                for (size_t j = 0; j < sizeof others; j++) {
                        gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};

                        text.data[i] = others[j];
                        if (others[j] != old && gbx_approval_parse((char *)text.data, text.size, parsed, &err) >= 0) {
                                assert_int_equal(gbx_approval_text(parsed, &again, &err), 0);
                                assert_memory_equal(again.data, text.data, text.size);
                        }
                }
                text.data[i] = old;
                assert_int_equal(gbx_approval_parse((char *)text.data, i, parsed, &err), -EINVAL);
        }
        line = gbx_buffer_text(&text);
        while (*line) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer less = {}, twice = {};
                const char *next = strchr(line, '\n') + 1;
                size_t before = (size_t)(line - gbx_buffer_text(&text)), length = (size_t)(next - line);

                assert_int_equal(gbx_buffer_append(&less, text.data, before, NULL), 0);
                assert_int_equal(gbx_buffer_append_text(&less, next, NULL), 0);
                if (strncmp(line, "dataset", 7) != 0)
                        assert_int_equal(gbx_approval_parse(gbx_buffer_text(&less), less.size, parsed, &err), -EINVAL);
                assert_int_equal(gbx_buffer_append(&twice, text.data, before + length, NULL), 0);
                assert_int_equal(gbx_buffer_append(&twice, line, length, NULL), 0);
                assert_int_equal(gbx_buffer_append_text(&twice, next, NULL), 0);
                assert_int_equal(gbx_approval_parse(gbx_buffer_text(&twice), twice.size, parsed, &err), -EINVAL);
                line = next;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_other_message_key_namespace),
                cmocka_unit_test(test_every_bit_counts),
                cmocka_unit_test(test_other_hash_and_reserved),
                cmocka_unit_test(test_armor),
                cmocka_unit_test(test_key_lines),
                cmocka_unit_test(test_approval_text),
                cmocka_unit_test(test_approval_is_strict),
        };

        return cmocka_run_group_tests(tests, start, end);
}
