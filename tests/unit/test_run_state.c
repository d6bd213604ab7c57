/* The states of a run: the table is whole, and the view's effects do what it says. */
#include "gateway/run/state.h"
#include "gateway/run/usage.h"
#include "gateway/store/view.h"
#include "gateway/store/view_effects.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static uint64_t next;

static void apply(sqlite3 *view, const char *action, const char *outcome) {
        char entry[512];
        struct gbx_error err = {};
        bool release = strcmp(action, "release.create") == 0;

        (void)snprintf(entry, sizeof entry,
                       "{\"action\":\"%s\",\"actor\":\"system\",\"details\":{\"datasets\":[\"credit\"],\"run\":\"run-1\"},"
                       "\"object\":\"%s\",\"outcome\":\"%s\",\"time\":\"2026-11-25T10:00:00Z\",\"v\":1}", action, release ? "release-1" : "run-1", outcome);
        if (gbx_view_apply(view, NULL, next++, entry, strlen(entry), &err) < 0)
                fail_msg("%s: %s", entry, err.message);
}

static void expect_state(sqlite3 *view, const char *wanted, const char *why) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        struct gbx_error err = {};
        const char *found;

        assert_int_equal(gbx_view_query_one(view, &row, &err, "SELECT state, outcome FROM run WHERE id='run-1'", NULL), 0);
        found = gbx_run_state_of(json_string_value(json_object_get(row, "state")), json_string_value(json_object_get(row, "outcome")));
        if (strcmp(found, wanted) != 0)
                fail_msg("%s: the view says '%s', the table '%s'", why, found, wanted);
}

static const char *outcome_of(const struct gbx_run_transition *transition) { return transition->outcome ? transition->outcome : "done"; }

/* Brings a run into the state by the table's own ways. */
static void bring_to(sqlite3 *view, const char *state, unsigned depth) {
        assert_true(depth < gbx_run_transition_count);
        for (size_t i = 0; i < gbx_run_transition_count; i++) {
                const struct gbx_run_transition *transition = &gbx_run_transitions[i];

                if (strcmp(transition->to, state) != 0)
                        continue;
                if (transition->from)
                        bring_to(view, transition->from, depth + 1);
                apply(view, transition->action, outcome_of(transition));
                return;
        }
        fail_msg("nothing leads to the state '%s'", state);
}

static void test_view_follows(void **state) {
        (void)state;
        for (size_t i = 0; i < gbx_run_transition_count; i++) {
                const struct gbx_run_transition *transition = &gbx_run_transitions[i];
                gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
                char why[128];

                next = 0;
                assert_int_equal(gbx_view_open(&view, ":memory:", NULL, NULL), 0);
                if (transition->from)
                        bring_to(view, transition->from, 0);
                apply(view, transition->action, outcome_of(transition));
                (void)snprintf(why, sizeof why, "%s (%s) in '%s'", transition->action, outcome_of(transition),
                               transition->from ? transition->from : "none");
                expect_state(view, transition->to, why);
                assert_string_equal(gbx_run_next(transition->from, transition->action, outcome_of(transition)), transition->to);
        }
}

/* No effect changes a run's state behind the table's back. */
static void test_effects_are_in_the_table(void **state) {
        size_t found = 0;

        (void)state;
        for (const struct gbx_view_effect *effect = gbx_view_effects; effect->action; effect++) {
                const char *update = strstr(effect->sql, "UPDATE run SET");

                if (!strstr(effect->sql, "INSERT INTO run(") && !(update && strstr(update, "state=")))
                        continue;
                found++;
                if (!gbx_run_moves(effect->action))
                        fail_msg("the effect of '%s' sets a run's state; gateway/run/state.c has no line for it", effect->action);
        }
        assert_true(found >= 8);
}

static void test_what_may_not_follow(void **state) {
        static const struct { const char *state, *action, *outcome; } wrong[] = {
                { NULL, "run.start", "done" },           { NULL, "run.end", "done" },          { "allowed", "run.decide", "allowed" },
                { "denied", "run.start", "done" },       { "allowed", "run.end", "done" },     { "failed", "gate.check", "release" },
                { "limit", "gate.check", "release" },    { "cancelled", "gate.check", "hold" }, { "running", "gate.check", "release" },
                { "hold", "release.create", "done" },    { "held", "release.create", "done" }, { "rejected", "release.create", "done" },
                { "refuse", "release.create", "done" },  { "released", "release.create", "done" }, { "release", "gate.hold", "held" },
                { "checking", "release.create", "done" }, { "running", "run.end", "released" }, { "running", "run.end", "A00001" },
        };
        static const char *const final[] = { "denied", "failed", "limit", "cancelled", "refuse", "rejected", "released" };
        static const char *const open_states[] = { "allowed", "running", "checking", "hold", "release", "held", "approved" };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(wrong); i++)
                if (gbx_run_next(wrong[i].state, wrong[i].action, wrong[i].outcome))
                        fail_msg("%s follows '%s'", wrong[i].action, wrong[i].state ? wrong[i].state : "none");
        for (size_t i = 0; i < gbx_array_size(final); i++)
                assert_true(gbx_run_is_final(final[i]));
        for (size_t i = 0; i < gbx_array_size(open_states); i++)
                assert_false(gbx_run_is_final(open_states[i]));
}

static void test_words_for_people(void **state) {
        (void)state;
        assert_string_equal(gbx_run_state_of("ended", "failed"), "failed");
        assert_string_equal(gbx_run_state_of("ended", "limit"), "limit");
        assert_string_equal(gbx_run_state_of("ended", "cancelled"), "cancelled");
        assert_string_equal(gbx_run_state_of("ended", "done"), "checking");
        assert_string_equal(gbx_run_state_of("ended", NULL), "failed");
        assert_string_equal(gbx_run_state_of("ended", "?"), "failed");
        assert_string_equal(gbx_run_state_of("running", NULL), "running");
        assert_string_equal(gbx_run_state_of("held", "done"), "held");
}

static void expect_figures(json_int_t cpu, json_int_t memory, uint64_t cpu_limit, uint64_t memory_limit, json_int_t told_cpu,
                           json_int_t told_memory) {
        gbx_auto(gbx_json_freep) json_t *row =
                json_pack("{s:I, s:n, s:I, s:I, s:I}", "cpu_ms", cpu, "wall_ms", "memory_bytes", memory, "denied", (json_int_t)7, "seq",
                          (json_int_t)9);
        const struct gbx_policy_limits limits = { .cpu_ms = cpu_limit, .wall_ms = cpu_limit, .memory_bytes = memory_limit };

        gbx_usage_coarsen(row, &limits);
        assert_int_equal(gbx_json_number(row, "cpu_ms"), told_cpu);
        assert_int_equal(gbx_json_number(row, "memory_bytes"), told_memory);
        assert_true(json_is_null(json_object_get(row, "wall_ms")));
        assert_null(json_object_get(row, "denied"));
        assert_null(json_object_get(row, "seq"));
}

/* The last step is the policy's limit: "at most 60 s" under a limit of 30 s says nothing true. */
static void test_figures(void **state) {
        const json_int_t mib = 1024 * 1024;

        (void)state;
        expect_figures(3, 1000, 30000, 256 * (uint64_t)mib, 1000, 64 * mib);
        expect_figures(9000, 65 * mib, 30000, 256 * (uint64_t)mib, 10000, 256 * mib);
        expect_figures(12000, 65 * mib, 30000, 2048 * (uint64_t)mib, 30000, 1024 * mib);
        expect_figures(30400, 300 * mib, 30000, 256 * (uint64_t)mib, 30000, 256 * mib); /* a little over: the same */
        expect_figures(12000, 65 * mib, 0, 0, 60000, 1024 * mib);
        expect_figures(1, 1, 100, 16 * (uint64_t)mib, 100, 16 * mib);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_view_follows),     cmocka_unit_test(test_effects_are_in_the_table),
                cmocka_unit_test(test_what_may_not_follow), cmocka_unit_test(test_words_for_people), cmocka_unit_test(test_figures),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
