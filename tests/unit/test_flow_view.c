/* What the view makes of flows: use by day, failures, breakers; and a view of another version. */
#include "gateway/store/view.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static uint64_t next;

static void apply(sqlite3 *view, const char *entry) {
        struct gbx_error err = {};

        if (gbx_view_apply(view, NULL, next++, entry, strlen(entry), &err) < 0)
                fail_msg("%s: %s", entry, err.message);
}

static void decide(sqlite3 *view, const char *run, const char *analyst, const char *datasets) {
        char entry[512];

        (void)snprintf(entry, sizeof entry,
                       "{\"action\":\"run.decide\",\"actor\":\"%s\",\"details\":{\"datasets\":%s,\"purpose\":\"scoring\"},\"object\":\"%s\","
                       "\"outcome\":\"allowed\",\"time\":\"2026-11-25T10:00:00Z\",\"v\":1}", analyst, datasets, run);
        apply(view, entry);
}

static void flow(sqlite3 *view, const char *action, const char *run, const char *time, const char *outcome, const char *reason, const char *details) {
        char entry[512];

        (void)snprintf(entry, sizeof entry,
                       "{\"action\":\"%s\",\"actor\":\"system\",\"details\":{%s},\"object\":\"%s\",\"outcome\":\"%s\",\"reasons\":[%s],"
                       "\"time\":\"%s\",\"v\":1}", action, details, run, outcome, reason, time);
        apply(view, entry);
}

static void expect(sqlite3 *view, const char *sql, const char *wanted) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        gbx_auto(gbx_free_pointer) char *text = NULL;
        struct gbx_error err = {};

        if (gbx_view_query(view, &rows, &err, sql, NULL) < 0)
                fail_msg("%s", err.message);
        text = json_dumps(rows, JSON_COMPACT);
        assert_string_equal(text, wanted);
}

static void test_days(void **state) {
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;

        (void)state;
        next = 0;
        assert_int_equal(gbx_view_open(&view, ":memory:", NULL, NULL), 0);
        decide(view, "run-1", "bank-a", "[\"credit\",\"homes\"]");
        decide(view, "run-2", "bank-b", "[\"credit\"]");
        flow(view, "flow.opened", "run-1", "2026-11-25T23:59:58Z", "allowed", "", "\"rule\":\"scores\"");
        flow(view, "flow.closed", "run-1", "2026-11-25T23:59:59Z", "done", "", "\"rule\":\"scores\",\"sent\":10,\"received\":20");
        flow(view, "flow.opened", "run-1", "2026-11-25T23:59:59Z", "allowed", "", "\"rule\":\"scores\"");
        flow(view, "flow.closed", "run-1", "2026-11-26T00:00:00Z", "failed", "\"aborted\"", "\"rule\":\"scores\",\"sent\":1,\"received\":2");
        flow(view, "flow.opened", "run-2", "2026-11-26T00:00:01Z", "allowed", "", "\"rule\":\"other\"");
        flow(view, "flow.closed", "run-2", "2026-11-26T00:00:02Z", "done", "", "\"rule\":\"other\",\"sent\":100,\"received\":200");
        expect(view, "SELECT connections AS c, sent AS s, received AS r FROM flow_usage WHERE day='2026-11-25' AND dataset='credit'",
               "[{\"c\":2,\"s\":10,\"r\":20}]");
        expect(view, "SELECT SUM(connections) AS c, SUM(sent) AS s FROM flow_usage WHERE day='2026-11-26' AND dataset='credit'",
               "[{\"c\":1,\"s\":101}]");
        expect(view, "SELECT SUM(sent) AS s FROM flow_usage WHERE dataset=''", "[{\"s\":111}]"); /* each flow once */
        expect(view, "SELECT SUM(sent) AS s FROM flow_usage WHERE dataset='homes'", "[{\"s\":11}]");
}

static void test_failures(void **state) {
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;

        (void)state;
        next = 0;
        assert_int_equal(gbx_view_open(&view, ":memory:", NULL, NULL), 0);
        decide(view, "run-1", "bank-a", "[\"credit\"]");
        flow(view, "flow.refused", "run-1", "2026-11-25T10:00:00Z", "denied", "\"host\"", "\"destination\":\"x\"");
        flow(view, "flow.refused", "run-1", "2026-11-25T10:00:01Z", "denied", "\"breaker\"", "\"destination\":\"x\"");
        flow(view, "flow.closed", "run-1", "2026-11-25T10:00:02Z", "failed", "\"cut\"", "\"rule\":\"r\"");
        flow(view, "flow.closed", "run-1", "2026-11-25T10:00:02Z", "done", "", "\"rule\":\"r\"");
        flow(view, "flow.closed", "run-1", "2026-11-25T10:00:02Z", "done", "", "\"rule\":\"r\",\"left_out\":40");
        expect(view, "SELECT kind, name, SUM(count) AS n FROM flow_failure GROUP BY 1, 2",
               "[{\"kind\":\"analyst\",\"name\":\"bank-a\",\"n\":41},{\"kind\":\"dataset\",\"name\":\"credit\",\"n\":41}]");
        flow(view, "breaker.open", "bank-a", "2026-11-25T10:00:03Z", "denied", "", "\"kind\":\"analyst\",\"failures\":41");
        expect(view, "SELECT state, failures FROM breaker", "[{\"state\":\"open\",\"failures\":41}]");
        flow(view, "breaker.close", "bank-a", "2026-11-25T10:00:04Z", "done", "", "\"kind\":\"dataset\""); /* of that name there is none */
        expect(view, "SELECT state FROM breaker", "[{\"state\":\"open\"}]");
        flow(view, "breaker.close", "bank-a", "2026-11-25T10:00:05Z", "done", "", "\"kind\":\"analyst\"");
        expect(view, "SELECT state, seq FROM breaker", "[{\"state\":\"closed\",\"seq\":8}]");
}

static void test_version(void **state) {
        char path[] = "/tmp/gbx-view-XXXXXX";
        int fd = mkstemp(path);
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
        sqlite3 *old = NULL;
        uint64_t applied = 1;

        (void)state;
        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
        assert_int_equal(sqlite3_exec(old, "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
                                           "INSERT INTO meta VALUES('applied', 7); CREATE TABLE gone(x)", NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(old);
        assert_int_equal(gbx_view_open(&view, path, NULL, NULL), 0);
        assert_int_equal(gbx_view_applied(view, &applied, NULL), 0);
        assert_int_equal(applied, 0); /* all of the log is applied again */
        expect(view, "SELECT count(*) AS n FROM sqlite_master WHERE name='gone'", "[{\"n\":0}]");
        next = 0;
        decide(view, "run-1", "bank-a", "[]");
        (void)sqlite3_close(view);
        view = NULL;
        assert_int_equal(gbx_view_open(&view, path, NULL, NULL), 0); /* its own version: as it was left */
        assert_int_equal(gbx_view_applied(view, &applied, NULL), 0);
        assert_int_equal(applied, 1);
        (void)sqlite3_close(view); /* takes its side files along */
        view = NULL;
        (void)unlink(path);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_days), cmocka_unit_test(test_failures), cmocka_unit_test(test_version) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
