/* gateway/log: filters, exports, anchors' receipts */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "gateway/log/witness/anchor.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/verify/export.h"

#include <string.h>

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASH "0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static json_t *make(const char *action, const char *actor, const char *object, const char *outcome, int64_t time, json_t *details) {
        json_t *entry = NULL;
        struct gbx_error err = {};

        if (gbx_entry_new(&entry, action, actor, object, outcome, time, details, &err) < 0 || gbx_entry_check(entry, &err) < 0)
                fail_msg("%s", err.message);
        return entry;
}

static void filters_match_what_they_say(void **state) {
        json_t *entry = make("run.start", "system", "r-1", "done", 1000, NULL);
        static const struct {
                struct gbx_log_filter filter;
                bool matches;
        } cases[] = {
                { {}, true },
                { { .actor = "system" }, true },
                { { .actor = "systems" }, false },
                { { .action = "run" }, true },
                { { .action = "run.start" }, true },
                { { .action = "run.st" }, false },
                { { .action = "r" }, false },
                { { .object = "r-1", .outcome = "done" }, true },
                { { .object = "r-1", .outcome = "failed" }, false },
                { { .since = 1000 }, true },
                { { .since = 1001 }, false },
                { { .until = 1000 }, false },
                { { .until = 1001 }, true },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++)
                if (gbx_log_filter_matches(&cases[i].filter, entry) != cases[i].matches)
                        fail_msg("case %zu", i);
        json_decref(entry);
}

static void csv_is_quoted_and_is_no_formula(void **state) {
        gbx_auto(gbx_log_export_freep) struct gbx_log_export *export = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        json_t *entry = make("policy.apply", "admin", "=cmd|' /C calc'!A0", "done", 0,
                             json_pack("{s:s, s:s}", "digest", DIGEST, "purpose", "a, \"b\""));

        (void)state;
        assert_int_equal(gbx_entry_add_reason(entry, "one", NULL), 0);
        assert_int_equal(gbx_entry_add_reason(entry, "two", NULL), 0);
        assert_int_equal(gbx_log_export_new(&export, GBX_LOG_CSV, "test", NULL), 0);
        assert_int_equal(gbx_log_export_begin(export, &text, NULL), 0);
        assert_int_equal(gbx_log_export_entry(export, 7, entry, true, &text, NULL), 0);
        assert_int_equal(gbx_log_export_entry(export, 8, entry, false, &text, NULL), 0);
        assert_string_equal(gbx_buffer_text(&text),
                            "index,time,actor,action,object,outcome,reasons,details\r\n"
                            "7,1970-01-01T00:00:00Z,admin,policy.apply,'=cmd|' /C calc'!A0,done,one; two,"
                            "\"{\"\"digest\"\":\"\"" DIGEST "\"\",\"\"purpose\"\":\"\"a, \\\"\"b\\\"\"\"\"}\"\r\n");
        json_decref(entry);
}

/* Runs an entry through the export and returns its event, or NULL. */
static json_t *event(struct gbx_log_export *export, uint64_t index, json_t *entry, bool matches) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

        assert_int_equal(gbx_log_export_entry(export, index, entry, matches, &text, NULL), 0);
        json_decref(entry);
        return text.size ? json_loads(gbx_buffer_text(&text), 0, NULL) : NULL;
}

static const char *at(json_t *json, const char *one, const char *two) {
        return json_string_value(json_object_get(json_object_get(json, one), two));
}

static void runs_become_openlineage_events(void **state) {
        gbx_auto(gbx_log_export_freep) struct gbx_log_export *export = NULL;
        json_t *start, *end, *release;
        const char *id;

        (void)state;
        assert_int_equal(gbx_log_export_new(&export, GBX_LOG_OPENLINEAGE, "test.example/log", NULL), 0);
        assert_null(event(export, 0, make("run.decide", "bank-a", "r-1", "allowed", 0,
                                          json_pack("{s:s, s:s, s:[s]}", "algorithm", DIGEST, "purpose", "p", "datasets", "credit")),
                          false)); /* filtered out, and remembered all the same */
        start = event(export, 1, make("run.start", "system", "r-1", "done", 0, NULL), true);
        end = event(export, 2, make("run.end", "system", "r-1", "done", 5, NULL), true);
        release = event(export, 3, make("release.create", "system", "rel-1", "done", 6,
                                        json_pack("{s:s, s:s, s:[{s:s}]}", "run", "r-1", "recipient", "bank-a", "outputs", "file",
                                                  "rates.csv")), true);
        assert_string_equal(json_string_value(json_object_get(start, "eventType")), "START");
        assert_string_equal(json_string_value(json_object_get(end, "eventType")), "COMPLETE");
        assert_string_equal(json_string_value(json_object_get(release, "eventType")), "OTHER");
        assert_string_equal(at(start, "job", "name"), DIGEST);
        assert_string_equal(at(start, "job", "namespace"), "test.example/log");
        id = at(start, "run", "runId");
        assert_int_equal(strlen(id), 36);
        assert_int_equal(id[14], '8'); /* the version of the UUID */
        assert_string_equal(at(end, "run", "runId"), id);
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(end, "inputs"), 0), "name")), "data/credit");
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(release, "outputs"), 0), "name")),
                            "rel-1/rates.csv");
        json_decref(start);
        json_decref(end);
        json_decref(release);
        end = event(export, 9, make("run.end", "system", "r-2", "limit", 5, NULL), true);
        assert_string_equal(json_string_value(json_object_get(end, "eventType")), "FAIL");
        json_decref(end);
        assert_null(event(export, 10, make("user.remove", "admin", "x", "done", 5, NULL), true));
}

static void anchor_payloads_and_receipts_are_exact(void **state) {
        struct gbx_checkpoint checkpoint = { .origin = "test", .size = 0x0102, .root = { { 0xaa } } };
        struct gbx_anchor anchor = { .size = 0x0102, .root = checkpoint.root, .chain = 31337, .block = 7, .transaction = HASH,
                                     .block_hash = HASH };
        uint8_t payload[GBX_ANCHOR_PAYLOAD];
        json_t *details = NULL;
        struct gbx_anchor back;

        (void)state;
        gbx_anchor_payload(&checkpoint, payload);
        assert_memory_equal(payload, "glovebox-anchor-v1\x9f\x86\xd0\x81", 22); /* SHA-256("test") = 9f86d081... */
        assert_memory_equal(payload + 50, "\0\0\0\0\0\0\1\2\xaa\0", 10);
        assert_int_equal(gbx_anchor_to_details(&anchor, &details, NULL), 0);
        assert_int_equal(gbx_anchor_from_details(details, &back, NULL), 0);
        assert_memory_equal(&back, &anchor, sizeof back);
        json_decref(make("anchor.receipt", "system", "test", "done", 0, json_incref(details)));
        json_object_set_new(details, "transaction", json_string("0x12"));
        assert_int_equal(gbx_anchor_from_details(details, &back, NULL), -EINVAL);
        json_decref(details);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(filters_match_what_they_say),
                cmocka_unit_test(csv_is_quoted_and_is_no_formula),
                cmocka_unit_test(runs_become_openlineage_events),
                cmocka_unit_test(anchor_payloads_and_receipts_are_exact),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
