/* What is taken of a job's own words: the listener on descriptor 3, the table of words, the judgement. */
#include "gateway/executor/listener.h"
#include "gateway/log/format/entry.h"
#include "gateway/run/outcome.h"
#include "runtime/engine/report.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static uint64_t now;
static double said[32];
static size_t said_count;

static uint64_t test_clock(void) { return now; }

static void note(void *userdata, double fraction) {
        (void)userdata;
        assert_true(said_count < gbx_array_size(said));
        said[said_count++] = fraction;
}

static struct gbx_listener listen(bool host, unsigned lines) {
        said_count = 0;
        now = 1000000;
        return (struct gbx_listener){ .host = host, .lines = lines, .progress = note, .clock = test_clock };
}

static struct gbx_job_end end_of(bool host, unsigned lines, const char *text) {
        struct gbx_listener listener = listen(host, lines);

        gbx_listener_take(&listener, text, strlen(text));
        return listener.end;
}

static void expect_end(const char *text, enum gbx_word word, unsigned line) {
        struct gbx_job_end end = end_of(true, 20, text);

        if (end.word != word || end.line != line)
                fail_msg("%s: word %d, line %u", text, (int)end.word, end.line);
}

/* Every rule that the engine can report is known, under its own name, and as a limit exactly if its status says so. */
static void test_engine_rules(void **state) {
        (void)state;
        for (enum gbx_rule rule = GBX_RULE_SYNTAX; rule < GBX_RULE_COUNT_; rule++) {
                enum gbx_word word = gbx_word_of_host(gbx_rule_name(rule));

                if (word == GBX_WORD_FAILED)
                        fail_msg("gateway/run/words.c does not know the rule '%s'", gbx_rule_name(rule));
                assert_string_equal(gbx_word_name(word), gbx_rule_name(rule));
                assert_int_equal(gbx_word_is_limit(word), gbx_rule_exit_code(rule) == (int)GBX_EXIT_LIMIT);
        }
}

/* What the engine writes is what the listener reads. */
static void test_engine_lines(void **state) {
        int pipe_ends[2];

        (void)state;
        for (enum gbx_rule rule = GBX_RULE_NONE; rule < GBX_RULE_COUNT_; rule++) {
                struct gbx_listener listener = listen(true, 20);
                struct gbx_report report = { .percent = -1 };
                char text[512];
                ssize_t size;

                assert_int_equal(pipe(pipe_ends), 0);
                report.fd = pipe_ends[1];
                gbx_report_progress(&report, 0.5, 3);
                gbx_report_end(&report, &(struct gbx_end){ rule, 7 });
                size = read(pipe_ends[0], text, sizeof text);
                assert_true(size > 0);
                gbx_listener_take(&listener, text, (size_t)size);
                assert_int_equal(said_count, 1);
                assert_true(listener.ended);
                if (rule == GBX_RULE_NONE)
                        assert_int_equal(listener.end.word, GBX_WORD_NONE);
                else
                        assert_string_equal(gbx_word_name(listener.end.word), gbx_rule_name(rule));
                assert_int_equal(listener.end.line, rule != GBX_RULE_NONE && rule != GBX_RULE_JOB ? 7 : 0);
                (void)close(pipe_ends[0]);
                (void)close(pipe_ends[1]);
        }
}

static void test_ends(void **state) {
        (void)state;
        expect_end("{\"end\":\"done\"}\n", GBX_WORD_NONE, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":12}\n", GBX_WORD_RUNTIME_ERROR, 12);
        expect_end("{\"end\":\"error\",\"rule\":\"memory-limit\"}\n", GBX_WORD_MEMORY_LIMIT, 0);
        /* other words are one constant */
        expect_end("{\"end\":\"error\",\"rule\":\"A0001,good,29\"}\n", GBX_WORD_FAILED, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"A0001\",\"line\":3}\n", GBX_WORD_FAILED, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"a limit\"}\n", GBX_WORD_FAILED, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"runtime-error\\n\"}\n", GBX_WORD_FAILED, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"\\u001b[2J\"}\n", GBX_WORD_FAILED, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"wall\"}\n", GBX_WORD_FAILED, 0); /* a word of the sandbox alone */
        expect_end("{\"end\":\"error\"}\n", GBX_WORD_FAILED, 0);
        expect_end("{\"end\":\"A0001\",\"rule\":\"runtime-error\"}\n", GBX_WORD_FAILED, 0);
        expect_end("{\"end\":\"done\",\"rule\":\"A0001\"}\n", GBX_WORD_FAILED, 0);
        /* no line that the script does not have; one past the end is the end */
        expect_end("{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":20}\n", GBX_WORD_RUNTIME_ERROR, 20);
        expect_end("{\"end\":\"error\",\"rule\":\"syntax-error\",\"line\":21}\n", GBX_WORD_SYNTAX_ERROR, 20);
        expect_end("{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":22}\n", GBX_WORD_RUNTIME_ERROR, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":0}\n", GBX_WORD_RUNTIME_ERROR, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":-5}\n", GBX_WORD_RUNTIME_ERROR, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":9223372036854775807}\n", GBX_WORD_RUNTIME_ERROR, 0);
        expect_end("{\"end\":\"error\",\"rule\":\"job-error\",\"line\":7}\n", GBX_WORD_JOB_ERROR, 0);
}

/* Lines that are not of the form are as if not said: what follows still counts. */
static void test_noise(void **state) {
        static const char *const noise[] = {
                "", "A0001,good", "{", "[]", "null", "{\"end\":7}", "{\"end\":\"error\",\"rule\":7}",
                "{\"end\":\"error\",\"end\":\"done\"}",
                "{\"end\":\"error\",\"rule\":\"data-error\",\"more\":1}", "{\"end\":\"error\",\"rule\":\"data-error\",\"line\":\"3\"}",
                "{\"end\":\"error\",\"rule\":\"data-error\",\"line\":99999999999999999999}",
                "{\"end\":\"error\",\"rule\":\"data-error\\u0000\"}", "{\"end\":\"error\",\"rule\":\"data-error\"} x",
                "{\"end\":\"error\",\"rule\":\"\xff\"}", "{\"progress\":\"0.5\"}", "{\"progress\":0.5,\"end\":\"done\"}",
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(noise); i++) {
                char text[512];

                (void)snprintf(text, sizeof text, "%s\n{\"end\":\"error\",\"rule\":\"release-error\",\"line\":2}\n", noise[i]);
                expect_end(text, GBX_WORD_RELEASE_ERROR, 2);
                assert_int_equal(said_count, 0);
        }
        expect_end("{\"end\":\"error\",\"rule\":\"release-error\"}", GBX_WORD_NONE, 0); /* a line that was not ended */
}

/* Dropped whole: neither its beginning nor its end is taken for a line. */
static void test_long_lines(void **state) {
        static const char honest[] = "{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":3}";
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_listener listener = listen(true, 20);

        (void)state;
        for (size_t length = GBX_LISTENER_LINE - sizeof honest; length < 5000; length = length < 140 ? length + 1 : length * 2) {
                gbx_buffer_clear(&text);
                assert_int_equal(gbx_buffer_append_text(&text, honest, NULL), 0);
                for (size_t i = 0; i < length; i++)
                        assert_int_equal(gbx_buffer_append_byte(&text, ' ', NULL), 0);
                assert_int_equal(gbx_buffer_append_byte(&text, '\n', NULL), 0);
                listener = listen(true, 20);
                gbx_listener_take(&listener, gbx_buffer_text(&text), text.size);
                assert_int_equal(listener.end.line, text.size - 1 <= GBX_LISTENER_LINE ? 3 : 0);
        }
        assert_false(listener.ended);
        gbx_listener_take(&listener, honest, strlen(honest));
        gbx_listener_take(&listener, "\n", 1);
        assert_int_equal(listener.end.line, 3);
}

static void test_first_end_counts(void **state) {
        struct gbx_listener listener = listen(true, 1000);
        char line[128];

        (void)state;
        for (unsigned i = 1; i <= 1000; i++) {
                (void)snprintf(line, sizeof line, "{\"end\":\"error\",\"rule\":\"%s\",\"line\":%u}\n",
                               i % 2 ? "data-error" : "runtime-error", i);
                gbx_listener_take(&listener, line, strlen(line));
        }
        assert_int_equal(listener.end.word, GBX_WORD_DATA_ERROR);
        assert_int_equal(listener.end.line, 1);
        expect_end("{\"end\":\"done\"}\n{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":2}\n", GBX_WORD_NONE, 0);
}

static void test_native_has_no_ends(void **state) {
        struct gbx_job_end end = end_of(false, 20, "{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":12}\n"
                                                   "{\"progress\":0.5}\n");

        (void)state;
        assert_int_equal(end.word, GBX_WORD_NONE);
        assert_int_equal(end.line, 0);
        assert_int_equal(said_count, 1); /* progress is the policy's to pass on */
}

static void progress(struct gbx_listener *listener, const char *number) {
        char line[64];

        (void)snprintf(line, sizeof line, "{\"progress\":%s}\n", number);
        gbx_listener_take(listener, line, strlen(line));
}

static void test_progress(void **state) {
        static const char *const wrong[] = { "-0.1", "1.01", "7", "1e300", "NaN", "\"0.5\"", "true", "null", "[0.5]" };
        struct gbx_listener listener = listen(false, 0);

        (void)state;
        for (int i = 0; i <= 1000; i++) { /* a thousand values, the clock standing still */
                char number[16];

                (void)snprintf(number, sizeof number, "%.3f", i / 1000.0);
                progress(&listener, number);
        }
        assert_int_equal(said_count, 1);
        assert_true(said[0] == 0);
        listener = listen(false, 0);
        for (int i = 0; i <= 1000; i++) { /* and with time enough in between: eleven */
                char number[16];

                now += 1000;
                (void)snprintf(number, sizeof number, "%.3f", i / 1000.0);
                progress(&listener, number);
        }
        assert_int_equal(said_count, GBX_LISTENER_STEPS + 1);
        for (size_t i = 0; i < said_count; i++)
                assert_true(said[i] == (double)i / GBX_LISTENER_STEPS);
        for (size_t i = 0; i < gbx_array_size(wrong); i++) {
                listener = listen(false, 0);
                progress(&listener, wrong[i]);
                assert_int_equal(said_count, 0);
        }
        listener = listen(false, 0);
        progress(&listener, "0.6999");
        assert_true(said[0] == 0.6);
        now += 999;
        progress(&listener, "0.8");
        assert_int_equal(said_count, 1);
        now += 1;
        progress(&listener, "0.5"); /* it only rises */
        assert_int_equal(said_count, 1);
        progress(&listener, "0.85");
        assert_true(said_count == 2 && said[1] == 0.8);
        listener = listen(true, 9);
        listener.progress = NULL; /* the policy does not pass it on */
        progress(&listener, "0.5");
        assert_int_equal(listener.step, 0);
}

static void test_lines(void **state) {
        static const struct { const char *script; unsigned lines; } cases[] = {
                { "", 0 }, { "x", 1 }, { "x\n", 1 }, { "x\ny", 2 }, { "\n\n\n", 3 }, { "x\r\ny\r\n", 2 }, { "x\n\ry", 2 }, { "x\ry\r", 2 },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++)
                assert_int_equal(gbx_listener_count_lines(cases[i].script, strlen(cases[i].script)), cases[i].lines);
}

static void expect_judgement(const char *sandbox, struct gbx_job_end end, bool line, enum gbx_run_state wanted, const char *reason) {
        gbx_auto(gbx_json_freep) json_t *found = NULL;
        gbx_auto(gbx_execution_result_free) struct gbx_execution_result result = { .sandbox = json_loads(sandbox, 0, NULL), .end = end };

        assert_int_equal(gbx_run_judge(&result, &(struct gbx_policy_messages){ .line = line }, &found), wanted);
        if (reason)
                assert_string_equal(json_string_value(found), reason);
        else
                assert_null(found);
}

static void test_judgement(void **state) {
        static const char good[] = "{\"outcome\":\"exited\",\"exit_code\":0,\"limit\":null}";
        static const char bad[] = "{\"outcome\":\"exited\",\"exit_code\":1,\"limit\":null}";
        const struct gbx_job_end nothing = {}, runtime = { GBX_WORD_RUNTIME_ERROR, 12 }, memory = { GBX_WORD_MEMORY_LIMIT, 0 };

        (void)state;
        expect_judgement(good, nothing, true, GBX_RUN_RELEASED, NULL);
        expect_judgement(bad, nothing, true, GBX_RUN_FAILED, "the program failed");
        expect_judgement("{\"outcome\":\"signaled\",\"exit_code\":null,\"limit\":null}", nothing, true, GBX_RUN_FAILED,
                         "the program failed");
        expect_judgement("{}", nothing, true, GBX_RUN_FAILED, "the program failed");
        expect_judgement(bad, runtime, true, GBX_RUN_FAILED,
                         "runtime-error at line 12 of the script: an error that the script did not catch");
        expect_judgement(bad, runtime, false, GBX_RUN_FAILED, "runtime-error: an error that the script did not catch");
        expect_judgement(good, runtime, false, GBX_RUN_FAILED, "runtime-error: an error that the script did not catch");
        expect_judgement(bad, memory, true, GBX_RUN_LIMITED, "memory-limit: the script needed more memory than the policy gives");
        expect_judgement("{\"outcome\":\"limit\",\"limit\":\"cpu\"}", runtime, true, GBX_RUN_LIMITED, "limit reached: cpu");
        expect_judgement("{\"outcome\":\"limit\",\"limit\":\"A0001\\n\"}", runtime, true, GBX_RUN_LIMITED, "limit reached");
}

/* Whatever is found, the log takes it. */
static void test_log_takes_every_word(void **state) {
        (void)state;
        for (enum gbx_word word = GBX_WORD_NONE; word < GBX_WORD_COUNT; word++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
                gbx_auto(gbx_json_freep) json_t *entry = NULL;
                struct gbx_error err = {};

                assert_int_equal(gbx_entry_new(&entry, "run.end", "system", "run-000001", "failed", 0, NULL, &err), 0);
                assert_int_equal(gbx_entry_add_reason(entry, gbx_word_text(word), &err), 0);
                if (gbx_entry_format(entry, &text, &err) < 0)
                        fail_msg("%s", err.message);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_engine_rules),     cmocka_unit_test(test_engine_lines),       cmocka_unit_test(test_ends),
                cmocka_unit_test(test_noise),            cmocka_unit_test(test_long_lines),         cmocka_unit_test(test_first_end_counts),
                cmocka_unit_test(test_native_has_no_ends), cmocka_unit_test(test_progress),         cmocka_unit_test(test_lines),
                cmocka_unit_test(test_judgement),        cmocka_unit_test(test_log_takes_every_word),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
