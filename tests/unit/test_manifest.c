/* Dataset manifests: one text for one meaning, and a file that is another is noticed. */
#include "base/cleanup.h"
#include "runtime/vault/manifest.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"
#define REST "\"id\":\"credit\",\"owner\":\"fund\",\"schema\":\"" D1 "\",\"site\":\"gbx.example/demo\"," \
             "\"type\":\"glovebox dataset manifest v1\",\"version\":3}\n"
#define GOOD "{\"bytes\":70000,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST

static struct gbx_age_facts facts(void) {
        struct gbx_age_facts result = { .plaintext_size = 70000, .chunks = 2 };

        memset(result.ciphertext_digest, 0x22, sizeof result.ciphertext_digest);
        memset(result.header_digest, 0x33, sizeof result.header_digest);
        return result;
}

static struct gbx_manifest example(void) {
        struct gbx_manifest manifest = { .id = "credit", .version = 3, .owner = "fund", .site = "gbx.example/demo", .schema = D1 };
        struct gbx_age_facts found = facts();

        gbx_manifest_describe(&manifest, &found);
        return manifest;
}

static void text_is_canonical(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, again = {};
        struct gbx_manifest manifest = example(), parsed;

        (void)state;
        assert_int_equal(gbx_manifest_text(&manifest, &text, NULL), 0);
        assert_string_equal(gbx_buffer_text(&text), GOOD);
        assert_int_equal(gbx_manifest_parse(text.data, text.size, &parsed, NULL), 0);
        assert_int_equal(gbx_manifest_text(&parsed, &again, NULL), 0);
        assert_string_equal(gbx_buffer_text(&again), GOOD);
        assert_string_equal(parsed.policy, "");
        memcpy(manifest.policy, D2, sizeof manifest.policy);
        gbx_buffer_clear(&text);
        assert_int_equal(gbx_manifest_text(&manifest, &text, NULL), 0);
        assert_int_equal(gbx_manifest_parse(text.data, text.size, &parsed, NULL), 0);
        assert_string_equal(parsed.policy, D2);
}

static void other_texts_are_refused(void **state) {
        static const char *const bad[] = {
                "", "[]", "{}", "{}\n", "nonsense", GOOD " ", " " GOOD,
                /* spaces; another order; a number as text; a duplicate; an unknown member; capital digits; no type; zeros */
                "{\"bytes\": 70000,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST,
                "{\"chunks\":2,\"bytes\":70000,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST,
                "{\"bytes\":\"70000\",\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST,
                "{\"bytes\":70000,\"bytes\":70000,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST,
                "{\"a\":1,\"bytes\":70000,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST,
                "{\"bytes\":70000,\"chunks\":0,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST,
                "{\"bytes\":-1,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST,
                "{\"bytes\":70000,\"chunks\":2,\"ciphertext\":\"sha256:22\",\"format\":\"csv\",\"header\":\"" D3 "\"," REST,
                "{\"bytes\":70000,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"xls\",\"header\":\"" D3 "\"," REST,
                "{\"bytes\":70000,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\"," REST,
                "{\"bytes\":70000,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\",\"id\":\"Credit\","
                "\"owner\":\"fund\",\"schema\":\"" D1 "\",\"site\":\"x\",\"type\":\"glovebox dataset manifest v1\",\"version\":3}\n",
                "{\"bytes\":70000,\"chunks\":2,\"ciphertext\":\"" D2 "\",\"format\":\"csv\",\"header\":\"" D3 "\",\"id\":\"credit\","
                "\"owner\":\"fund\",\"schema\":\"" D1 "\",\"site\":\"x\",\"type\":\"glovebox dataset manifest v2\",\"version\":3}\n",
        };
        struct gbx_manifest parsed = { .version = 99 }, manifest = example();
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

        (void)state;
        for (size_t i = 0; i < gbx_array_size(bad); i++) {
                assert_int_equal(gbx_manifest_parse(bad[i], strlen(bad[i]), &parsed, NULL), -EINVAL);
                assert_int_equal(parsed.version, 99);
        }
        manifest.version = 0;
        assert_int_equal(gbx_manifest_text(&manifest, &text, NULL), -EINVAL);
        manifest = example();
        manifest.site[0] = '"';
        assert_int_equal(gbx_manifest_text(&manifest, &text, NULL), -EINVAL);
        manifest = example();
        memset(manifest.id, 'a', sizeof manifest.id);
        assert_int_equal(gbx_manifest_text(&manifest, &text, NULL), -EINVAL);
        assert_int_equal(text.size, 0);
}

static void another_file_is_noticed(void **state) {
        struct gbx_manifest manifest = example();
        struct gbx_error err = {};

        (void)state;
        for (int i = 0; i < 5; i++) {
                static const char *const words[] = { NULL, "plaintext bytes", "chunks", "file's digest", "header's digest" };
                struct gbx_age_facts found = facts();

                found.plaintext_size += i == 1;
                found.chunks += i == 2;
                found.ciphertext_digest[31] ^= i == 3;
                found.header_digest[0] ^= i == 4;
                assert_int_equal(gbx_manifest_check(&manifest, &found, &err), i == 0 ? 0 : -EBADMSG);
                if (i > 0)
                        assert_non_null(strstr(err.message, words[i]));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(text_is_canonical),
                cmocka_unit_test(other_texts_are_refused),
                cmocka_unit_test(another_file_is_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
