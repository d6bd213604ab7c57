/* gateway/log, gateway/store: the time of the log never steps back unsaid */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"
#include "gateway/audit/replay.h"
#include "gateway/log/format/entry.h"
#include "gateway/store/site.h"
#include "gateway/store/transaction.h"
#include "tests/unit/log_fixture.h"

enum { READINGS = 300 };
static const int64_t start = 1795571857;

static int append(struct gbx_log *log, const json_t *entry) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_entry_format(entry, &text, NULL);

        return r < 0 ? r : gbx_log_append(log, text.data, text.size, NULL, NULL);
}

static json_t *new_entry(int64_t now) {
        json_t *entry = NULL;

        assert_int_equal(gbx_entry_new(&entry, "user.remove", "root", "bank-a", "done", now, NULL, NULL), 0);
        return entry;
}

/* Logs an entry as the site does, when the clock reads `now`. Returns how many seconds of a step were said. */
static int64_t log_at(struct gbx_log *log, int64_t now) {
        gbx_auto(gbx_json_freep) json_t *entry = new_entry(now), *step = NULL;
        int r = gbx_log_time(log, now, entry, &step, NULL);

        assert_true(r == 0 || r == GBX_ENTRY_STEPPED);
        if (r > 0)
                assert_int_equal(append(log, step), 0);
        assert_int_equal(append(log, entry), 0);
        return r > 0 ? json_integer_value(json_object_get(json_object_get(step, "details"), "seconds")) : 0;
}

struct list {
        json_t *entries;
        int64_t last;
};

static int collect(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        struct list *list = context;
        json_t *entry = NULL;
        int64_t time = 0;

        (void)index;
        assert_int_equal(gbx_entry_parse(data, size, &entry, err), 0);
        assert_int_equal(gbx_time_parse(json_string_value(json_object_get(entry, "time")), &time, NULL), 0);
        assert_true(time >= list->last);
        list->last = time;
        return json_array_append_new(list->entries, entry);
}

static size_t count_faults(const json_t *entries, size_t *ret_notes) {
        struct gbx_entry_times times = {};
        const json_t *entry;
        size_t i, faults = 0;
        char what[160];

        *ret_notes = 0;
        json_array_foreach(entries, i, entry) {
                int r = gbx_entry_times_follow(&times, entry, what, sizeof what);

                faults += r == GBX_ENTRY_TIME_FAULT;
                *ret_notes += r == GBX_ENTRY_GAP_NOTE;
        }
        return faults;
}

/* Whatever the clock does, times never fall, each step back is said with its length, and only a step is. */
static void every_step_back_is_said(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = fixture_create(f);
        struct list list = { .entries = json_array() };
        int64_t clock = start, said = 0, stepped = 0;
        size_t steps = 0, notes, jumps = 0;
        uint32_t dice = 88172645;

        for (int i = 0; i < READINGS; i++) {
                int64_t before = clock;

                dice = dice * 1103515245 + 12345;
                switch (dice >> 24 & 7) {
                case 0: clock -= 1 + (dice >> 8 & 0xffff); break;
                case 1: clock += 2 * GBX_ENTRY_GAP; break;
                case 2: break;
                default: clock += dice >> 8 & 0xff; break;
                }
                if (i > 0 && clock < before) {
                        stepped += before - clock;
                        steps++;
                }
                jumps += i > 0 && clock - before > GBX_ENTRY_GAP;
                said += log_at(log, clock);
                if (i % 50 == 49)
                        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        }
        assert_true(steps > 10);
        assert_true(jumps > 10);
        assert_int_equal(said, stepped);
        assert_int_equal(gbx_log_each(log, 0, collect, &list, NULL), 0);
        assert_int_equal(json_array_size(list.entries), READINGS + steps);
        assert_int_equal(count_faults(list.entries, &notes), 0);
        assert_int_equal(notes, jumps);

        /* without any one of the entries that say so, the step shows; so it does if its length is another */
        for (size_t i = 0; i < json_array_size(list.entries); i++) {
                gbx_auto(gbx_json_freep) json_t *less = json_copy(list.entries);
                json_t *entry = json_array_get(list.entries, i), *details = json_object_get(entry, "details");

                if (strcmp(json_string_value(json_object_get(entry, "action")), "clock.step") != 0)
                        continue;
                assert_int_equal(json_array_remove(less, i), 0);
                assert_int_not_equal(count_faults(less, &notes), 0);
                assert_int_equal(json_object_set_new(details, "seconds", json_integer(json_integer_value(json_object_get(details, "seconds")) + 1)), 0);
                assert_int_not_equal(count_faults(list.entries, &notes), 0);
                assert_int_equal(json_object_set_new(details, "seconds", json_integer(json_integer_value(json_object_get(details, "seconds")) - 1)), 0);
        }
        json_decref(list.entries);
        gbx_log_free(log);
}

/* Appends an entry past the site's own way of logging. */
static void smuggle(struct gbx_site *site, int64_t now) {
        gbx_auto(gbx_json_freep) json_t *entry = new_entry(now);

        assert_int_equal(append(site->log, entry), 0);
}

static size_t divergences_about_time(struct gbx_site *site, size_t *ret_notes) {
        gbx_auto(gbx_replay_free) struct gbx_replay replay = {};
        size_t i, count = 0;
        const json_t *item;

        assert_int_equal(gbx_replay_log(site, NULL, &replay, NULL), 0);
        json_array_foreach(replay.divergences, i, item)
                count += strstr(json_string_value(json_object_get(item, "what")), "time") || strstr(json_string_value(json_object_get(item, "what")), "clock");
        *ret_notes = json_array_size(replay.notes);
        return count;
}

static void a_site_says_so_and_replay_finds_what_is_not_said(void **state) {
        struct fixture *f = *state;
        struct gbx_site *site = NULL;
        struct gbx_error err = {};
        gbx_auto(gbx_json_freep) json_t *last = NULL, *step = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, before = {};
        int64_t now = gbx_time_now();
        struct gbx_action action = { .action = "service.stop", .object = "site", .outcome = "done" };
        size_t notes;
        char path[100];

        (void)snprintf(path, sizeof path, "%s/site", f->directory);
        if (gbx_site_create(path, "test.example/site", NULL, &err) < 0 || gbx_site_open(&site, path, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(divergences_about_time(site, &notes), 0);
        assert_int_equal(notes, 0);
        smuggle(site, now + 40 * GBX_ENTRY_GAP); /* the clock was ahead when this was logged, and is right again */
        assert_int_equal(gbx_record_system(site, &action, &err), 0);
        assert_int_equal(gbx_record_system(site, &action, &err), 0);
        assert_int_equal(gbx_log_size(site->log), 5); /* init, the smuggled one, the step, two */
        assert_int_equal(gbx_log_read_proven(site->log, 2, &before, NULL), 0);
        assert_int_equal(gbx_entry_parse(before.data, before.size, &step, NULL), 0);
        assert_string_equal(json_string_value(json_object_get(step, "action")), "clock.step");
        assert_in_range(json_integer_value(json_object_get(json_object_get(step, "details"), "seconds")), 40 * GBX_ENTRY_GAP - 600,
                        40 * GBX_ENTRY_GAP);
        assert_int_equal(gbx_log_read_proven(site->log, 4, &text, NULL), 0);
        assert_int_equal(gbx_entry_parse(text.data, text.size, &last, NULL), 0);
        assert_string_equal(json_string_value(json_object_get(last, "time")), json_string_value(json_object_get(step, "time")));
        assert_true(json_is_string(json_object_get(last, "clock")));
        assert_int_equal(divergences_about_time(site, &notes), 0);
        assert_int_equal(notes, 1);

        smuggle(site, now - 10); /* a step back that nothing says */
        assert_int_equal(divergences_about_time(site, &notes), 1);
        (void)gbx_site_close(site);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                TEST(every_step_back_is_said),
                TEST(a_site_says_so_and_replay_finds_what_is_not_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
