/* gateway/log: entries, their schemas, their canonical form */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "gateway/log/format/entry.h"

#include <stdio.h>
#include <string.h>

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define GOOD                                                                                                   \
        "{\"action\":\"algo.submit\",\"actor\":\"bank-a\",\"details\":{\"bytes\":12,\"engine\":\"lua\"," \
        "\"name\":\"n\"},\"object\":\"" DIGEST "\",\"outcome\":\"done\",\"reasons\":[\"\u00fc\"]," \
        "\"time\":\"2026-11-25T01:57:37Z\",\"v\":1}"

static void a_made_entry_reads_back(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        json_t *entry = NULL, *back = NULL;

        (void)state;
        assert_int_equal(gbx_entry_new(&entry, "algo.submit", "bank-a", DIGEST, "done", 1795571857,
                                       json_pack("{s:s,s:s,s:i}", "engine", "lua", "name", "n", "bytes", 12), NULL), 0);
        assert_int_equal(gbx_entry_add_reason(entry, "\u00fc", NULL), 0);
        assert_int_equal(gbx_entry_format(entry, &text, NULL), 0);
        assert_string_equal(gbx_buffer_text(&text), GOOD);
        assert_int_equal(gbx_entry_parse(text.data, text.size, &back, NULL), 0);
        assert_true(json_equal(entry, back));
        json_decref(entry);
        json_decref(back);
}

static void replace(const char *from, const char *to, char *ret, size_t size) {
        const char *place = strstr(GOOD, from);

        assert_non_null(place);
        (void)snprintf(ret, size, "%.*s%s%s", (int)(place - GOOD), GOOD, to, place + strlen(from));
}

static void every_deviation_is_refused(void **state) {
        static const struct {
                const char *from, *to, *message;
        } cases[] = {
                { "{\"action\"", "{ \"action\"", "canonical" },
                { "\"v\":1", "\"v\":2", "version 2" },
                { "\"v\":1", "\"v\":1.0", "v is not a count" },
                { ",\"v\":1", "", "v is missing" },
                { "algo.submit", "algo.sing", "not an action" },
                { "\"actor\":\"bank-a\"", "\"actor\":\"Bank A\"", "actor is not a name" },
                { "\"actor\":\"bank-a\",", "", "actor is missing" },
                { "\"engine\":\"lua\"", "\"engine\":7", "details.engine is not a name" },
                { "\"bytes\":12", "\"bytes\":-1", "details.bytes is not a count" },
                { "\"bytes\":12", "\"bytes\":12,\"bytes\":12", "JSON" },
                { "\"bytes\":12", "\"bytes\":12,\"colour\":12", "details.colour is not a field" },
                { "\"bytes\":12,\"engine\":\"lua\"", "\"engine\":\"lua\",\"bytes\":12", "canonical" },
                { ",\"name\":\"n\"", "", "details.name is missing" },
                { "2026-11-25T", "2026-11-25 ", "time is not a time" },
                { "[\"\u00fc\"]", "[\"\\u00fc\"]", "canonical" },
                { "[\"\u00fc\"]", "[\"\\u0000\"]", "" },
                { "[\"\u00fc\"]", "[\"\xff\"]", "JSON" },
                { "[\"\u00fc\"]", "[1]", "reasons is not a texts" },
                { "\"v\":1}", "\"v\":1}x", "JSON" },
                { "\"v\":1}", "\"v\":1", "JSON" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_error err = {};
                char text[1024];
                json_t *entry = NULL;

                replace(cases[i].from, cases[i].to, text, sizeof text);
                assert_int_equal(gbx_entry_parse(text, strlen(text), &entry, &err), -EINVAL);
                if (!strstr(err.message, cases[i].message))
                        fail_msg("case %zu: '%s' does not say '%s'", i, err.message, cases[i].message);
                assert_null(entry);
        }
}

static void free_form_values_have_limits(void **state) {
        json_t *entry = NULL, *deep = json_object(), *inner = deep;
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_entry_new(&entry, "run.end", "bank-a", NULL, "done", 0,
                                       json_pack("{s:{s:[i,b,s]}}", "resources", "a", 1, 1, "x"), NULL), 0);
        assert_int_equal(gbx_entry_check(entry, &err), 0);
        for (int i = 0; i < GBX_ENTRY_DEPTH_MAX; i++) {
                json_object_set_new(inner, "x", json_object());
                inner = json_object_get(inner, "x");
        }
        json_object_set_new(json_object_get(entry, "details"), "resources", deep);
        assert_int_equal(gbx_entry_check(entry, &err), -EINVAL);
        json_object_set_new(json_object_get(entry, "details"), "resources", json_pack("{s:f}", "x", 0.5));
        assert_int_equal(gbx_entry_check(entry, &err), -EINVAL);
        json_object_set_new(json_object_get(entry, "details"), "resources", json_pack("{s:n}", "x"));
        assert_int_equal(gbx_entry_check(entry, &err), -EINVAL);
        json_decref(entry);
}

static void digests_are_lower_case(void **state) {
        json_t *entry = NULL;
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_entry_new(&entry, "data.revoke", "fund", "credit", "done", 0,
                                       json_pack("{s:s}", "manifest", DIGEST), NULL), 0);
        assert_int_equal(gbx_entry_check(entry, &err), 0);
        json_object_set_new(json_object_get(entry, "details"), "manifest",
                            json_string("sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
        assert_int_equal(gbx_entry_check(entry, &err), -EINVAL);
        assert_string_equal(err.message, "log entry data.revoke: details.manifest is not a digest");
        json_object_set_new(json_object_get(entry, "details"), "manifest", json_string("0123"));
        assert_int_equal(gbx_entry_check(entry, &err), -EINVAL);
        json_decref(entry);
}

static void every_action_has_a_summary(void **state) {
        size_t count = 0;

        (void)state;
        for (const struct gbx_entry_action *a = gbx_entry_actions(); a->name; a++, count++) {
                assert_non_null(a->summary);
                assert_non_null(a->fields);
                assert_ptr_equal(gbx_entry_action_find(a->name), a); /* and none stands twice */
        }
        assert_true(count >= 30);
        assert_null(gbx_entry_action_find("nothing"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_made_entry_reads_back),
                cmocka_unit_test(every_deviation_is_refused),
                cmocka_unit_test(free_form_values_have_limits),
                cmocka_unit_test(digests_are_lower_case),
                cmocka_unit_test(every_action_has_a_summary),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
