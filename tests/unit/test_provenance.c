/* Provenance: DSSE's published vector, signing, and everything that must be refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "gateway/handover/provenance.h"

#include <string.h>

static void encoding_is_that_of_the_specification(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};

        (void)state;
        assert_int_equal(gbx_dsse_encode("http://example.com/HelloWorld", "hello world", 11, &bytes, NULL), 0);
        assert_string_equal(gbx_buffer_text(&bytes), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

static void envelopes_are_signed_and_checked(void **state) {
        const uint8_t seed[32] = { 1 };
        uint8_t public_key[32], other[32], digest[32];
        struct gbx_provenance_subject subject = { .name = "table.csv" };
        gbx_auto(gbx_buffer_free) struct gbx_buffer envelope = {};
        json_t *predicate = json_pack("{s:s}", "run", "run-000001"), *statement = NULL;
        char *place;

        (void)state;
        gbx_sha256("a,b\n", 4, subject.digest);
        gbx_sha256("x", 1, digest);
        assert_int_equal(gbx_ed25519_public(seed, public_key, NULL), 0);
        memcpy(other, public_key, 32);
        other[3] ^= 1;
        assert_int_equal(gbx_provenance_sign(&subject, 1, predicate, seed, &envelope, NULL), 0);
        assert_int_equal(gbx_provenance_verify(envelope.data, envelope.size, public_key, &statement, NULL), 0);
        assert_string_equal(gbx_provenance_find(statement, subject.digest), "table.csv");
        assert_null(gbx_provenance_find(statement, digest));
        json_decref(statement);
        assert_int_equal(gbx_provenance_verify(envelope.data, envelope.size, other, &statement, NULL), -EBADMSG);
        assert_int_equal(gbx_provenance_verify(envelope.data, envelope.size / 2, public_key, &statement, NULL), -EINVAL);
        place = strstr((char *)envelope.data, "\"payload\":\"") + strlen("\"payload\":\"");
        place[8] = place[8] == 'A' ? 'B' : 'A';
        assert_int_equal(gbx_provenance_verify(envelope.data, envelope.size, public_key, &statement, NULL), -EBADMSG);
        json_decref(predicate);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(encoding_is_that_of_the_specification),
                cmocka_unit_test(envelopes_are_signed_and_checked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
