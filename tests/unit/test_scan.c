/* The content scan: what its rules find, and what they pass over. */
#include "base/cleanup.h"
#include "gateway/gate/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct gbx_scan_rules *rules;

static int start(void **state) {
        struct gbx_error err = {};

        (void)state;
        if (gbx_scan_rules_load(&rules, "policy/rules/content-scan.yaml", NULL, &err) < 0)
                fail_msg("%s", err.message);
        return 0;
}

static int end(void **state) {
        (void)state;
        rules = gbx_scan_rules_free(rules);
        return 0;
}

/* Collects "rule@offset+length " of each match. */
static int collect(const struct gbx_scan_match *match, void *userdata) {
        char *text = userdata;

        (void)snprintf(text + strlen(text), 512 - strlen(text), "%s@%zu+%zu ", match->rule, match->offset, match->length);
        return 0;
}

/* All numbers here were made up; their check digits are right where a match is expected. */
static void test_rules(void **state) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "", "" },
                { "job,home,applicants,default_rate", "" },
                { "11010519491231002X", "resident-id@0+18 " },
                { "id 11010519491231002x.", "resident-id@3+18 " },
                { "110105194912310021", "" },                /* wrong check character */
                { "110105194902310020", "" },                /* 31 February */
                { "A11010519491231002X", "" },               /* part of a longer word */
                { "13912345678", "mobile@0+11 " },
                { "call +86 139-1234-5678 now", "mobile@5+17 " },
                { "12912345678", "" },
                { "139123456789", "" },                      /* one digit more */
                { "4111111111111111", "bank-card@0+16 " },
                { "4111 1111 1111 1111", "bank-card@0+19 " },
                { "4111111111111112", "" },
                { "91350100M000100Y43", "credit-code@0+18 " },
                { "91350100M000100Y44", "" },
                { "mail li.wang@example.org please", "e-mail@5+19 " },
                { "a@b", "" },
                { "x@example", "" },
                { "0.281", "" },
                { "13912345678 and a@example.org", "mobile@0+11 e-mail@16+13 " },
        };

        (void)state;
        assert_int_equal(gbx_scan_rules_count(rules), 5);
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                char found[512] = "";
                struct gbx_error err = {};
                int r = gbx_scan(rules, cases[i].text, strlen(cases[i].text), collect, found, &err);

                if (strcmp(found, cases[i].expected) != 0 || r != (*cases[i].expected != 0))
                        fail_msg("in «%s» expected «%s», got «%s» (%d)", cases[i].text, cases[i].expected, found, r);
        }
}

static int stop(const struct gbx_scan_match *match, void *userdata) {
        (void)match;
        return ++*(int *)userdata == 2;
}

static void test_bytes_and_stopping(void **state) {
        static const char binary[] = "\0\xff\xfe" "13912345678\0" "13912345678\n13912345678";
        struct gbx_error err = {};
        int count = 0;

        (void)state;
        assert_int_equal(gbx_scan(rules, binary, sizeof binary - 1, stop, &count, &err), 1);
        assert_int_equal(count, 2);
        assert_int_equal(gbx_scan(rules, NULL, 0, NULL, NULL, &err), 0);
        assert_int_equal(gbx_scan(rules, "13912345678", 11, NULL, NULL, &err), 1);
}

/* Text that makes a pattern backtrack without end counts as found, and soon. */
static void test_backtracking(void **state) {
        static const char text[] = "rules: [{ name: evil, pattern: \"^(a+)+$\", severity: fail }]\n";
        gbx_auto(gbx_scan_rules_freep) struct gbx_scan_rules *evil = NULL;
        char subject[64], found[512] = "";
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_scan_rules_parse(&evil, "f", text, strlen(text), NULL, &err), 0);
        memset(subject, 'a', sizeof subject);
        subject[sizeof subject - 1] = 'b';
        assert_int_equal(gbx_scan(evil, subject, sizeof subject, collect, found, &err), 1);
        assert_string_equal(found, "evil@0+0 ");
}

static void test_values(void **state) {
        static const char text[] = "rules: []\n";
        gbx_auto(gbx_scan_rules_freep) struct gbx_scan_rules *own = NULL;
        char found[512] = "";
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_scan_rules_parse(&own, "f", text, strlen(text), NULL, &err), 0);
        assert_int_equal(gbx_scan_rules_add_value(own, "secret", GBX_SEVERITY_FAIL, "a\0b", 3, &err), 0);
        assert_int_equal(gbx_scan_rules_add_value(own, "secret", GBX_SEVERITY_FAIL, "", 0, &err), -EINVAL);
        assert_int_equal(gbx_scan(own, "xa\0bya\0b", 8, collect, found, &err), 1);
        assert_string_equal(found, "secret@1+3 secret@5+3 ");
        assert_int_equal(gbx_scan(own, "xab", 3, NULL, NULL, &err), 0);
}

static void test_bad_files(void **state) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "rules: [{ name: a, pattern: \"(\", severity: fail }]\n", "f:1:29: pattern: missing closing parenthesis" },
                { "rules: [{ name: a, pattern: \"(*UTF)a\", severity: fail }]\n", "pattern: " },
                { "rules: [{ name: a, pattern: b }]\n", "'severity' is missing" },
                { "rules: [{ name: a, pattern: b, severity: pass }]\n", "'pass' is not one of: review, fail" },
                { "rules: [{ name: a, pattern: b, severity: fail, check: sum }]\n", "'sum' is not one of" },
                { "rules: [{ name: a, severity: fail }]\n", "'pattern' is missing" },
                { "rules: [{ name: a, pattern: b, severity: fail }, { name: a, pattern: c, severity: fail }]\n", "'a' stands twice" },
                { "rules: 1\n", "a list of mappings is wanted" },
                { "{}\n", "'rules' is missing" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_scan_rules *bad = NULL;
                struct gbx_error err = {};

                assert_int_equal(gbx_scan_rules_parse(&bad, "f", cases[i].text, strlen(cases[i].text), NULL, &err), -EINVAL);
                assert_null(bad);
                if (!strstr(err.message, cases[i].expected))
                        fail_msg("for «%s» expected «%s», got «%s»", cases[i].text, cases[i].expected, err.message);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rules),  cmocka_unit_test(test_bytes_and_stopping), cmocka_unit_test(test_backtracking),
                cmocka_unit_test(test_values), cmocka_unit_test(test_bad_files),
        };

        return cmocka_run_group_tests(tests, start, end);
}
