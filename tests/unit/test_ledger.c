/* The ledger: what combines into a number over too few units is held, whatever it is called; the rest is not. */
#include "base/cleanup.h"
#include "gateway/ledger/field.h"
#include "gateway/ledger/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_CELLS = 8, MOST_UNITS = 4096 };

/* A release made step by step; everything in it is static or freed by drop. */
struct made {
        struct gbx_ledger_release release;
        struct gbx_ledger_cell cells[MOST_CELLS];
        struct gbx_ledger_statistic statistics[MOST_CELLS];
        struct gbx_ledger_term terms[MOST_CELLS][2];
};

static char *text(const char *words) { return (char *)(uintptr_t)words; }

static void make(struct made *made, const char *name, const char *recipient) {
        *made = (struct made){ .release = { .name = text(name), .recipient = text(recipient), .dataset = text("credit") } };
        made->release.cells = made->cells;
}

static void cell(struct made *made, const char *label, const char *column, roaring_bitmap_t *units) {
        size_t place = made->release.cell_count++;

        assert_true(place < MOST_CELLS);
        made->terms[place][0] = (struct gbx_ledger_term){ .weight = 1, .units = units };
        made->statistics[place] = (struct gbx_ledger_statistic){ .column = text(column), .terms = made->terms[place], .term_count = 1 };
        made->cells[place] = (struct gbx_ledger_cell){ .label = text(label), .statistics = &made->statistics[place], .statistic_count = 1 };
}

static void drop(struct made *made) {
        for (size_t i = 0; i < made->release.cell_count; i++)
                for (size_t t = 0; t < made->statistics[i].term_count; t++)
                        roaring_bitmap_free(made->terms[i][t].units);
        *made = (struct made){};
}

static roaring_bitmap_t *range(uint32_t from, uint32_t to) { return roaring_bitmap_from_range(from, to, 1); }

static roaring_bitmap_t *without(uint32_t from, uint32_t to, uint32_t unit) {
        roaring_bitmap_t *units = range(from, to);

        roaring_bitmap_remove(units, unit);
        return units;
}

static struct gbx_ledger *start(uint64_t minimum) {
        struct gbx_ledger_options options = { .minimum = minimum, .seed = 42 };
        struct gbx_ledger *ledger;

        assert_int_equal(gbx_ledger_new(&options, &ledger, NULL), 0);
        return ledger;
}

/* Decides, and notes what is released. */
static int offer(struct gbx_ledger *ledger, struct made *made, struct gbx_ledger_finding *finding) {
        gbx_auto(gbx_ledger_finding_clear) struct gbx_ledger_finding own = {};
        struct gbx_error err = {};
        int r = gbx_ledger_decide(ledger, &made->release, finding ? finding : &own, &err);

        if (r < 0)
                fail_msg("%s", err.message);
        if (r == 0)
                assert_int_equal(gbx_ledger_record(ledger, &made->release, NULL), 0);
        drop(made);
        return r;
}

static void test_all_but_one(void **state) {
        (void)state;
        for (int runs = 1; runs <= 2; runs++) {
                gbx_auto(gbx_ledger_freep) struct gbx_ledger *ledger = start(10);
                gbx_auto(gbx_ledger_finding_clear) struct gbx_ledger_finding finding = {};
                struct made made;

                make(&made, "run-1", "bank");
                cell(&made, "all=100", GBX_LEDGER_COUNT, range(0, 100));
                if (runs == 2) {
                        assert_int_equal(offer(ledger, &made, NULL), 0);
                        make(&made, "run-2", "bank");
                }
                cell(&made, "All=100", GBX_LEDGER_COUNT, without(0, 100, 37)); /* renamed, and its count is a lie */
                assert_int_equal(offer(ledger, &made, &finding), GBX_LEDGER_HELD);
                assert_int_equal(finding.reason, GBX_LEDGER_DIFFERENCE);
                assert_int_equal(finding.units, 1);
                assert_int_equal(finding.part_count, 2);
                assert_int_equal(finding.parts[0].weight + finding.parts[1].weight, 0);
                assert_string_equal(gbx_ledger_word(GBX_LEDGER_HELD), "held");
        }
}

static void test_who_may_pool(void **state) {
        static const char *const one[] = { "bank", "shop", NULL }, *const two[] = { "shop", "agency", NULL };
        static const char *const *const both[] = { one, two };
        struct gbx_ledger_options options = { .minimum = 10, .coalitions = both, .coalition_count = 2 };
        static const char *const others[] = { "bank", "shop", "agency", "stranger" };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(others); i++) {
                gbx_auto(gbx_ledger_freep) struct gbx_ledger *ledger = NULL;
                struct made made;

                assert_int_equal(gbx_ledger_new(&options, &ledger, NULL), 0);
                make(&made, "run-1", "bank");
                cell(&made, "all", GBX_LEDGER_COUNT, range(0, 100));
                assert_int_equal(offer(ledger, &made, NULL), 0);
                make(&made, "run-2", others[i]);
                cell(&made, "all", GBX_LEDGER_COUNT, without(0, 100, 3));
                assert_int_equal(offer(ledger, &made, NULL), i < 3 ? GBX_LEDGER_HELD : 0);
        }
}

/* Unions of parts, an odd circle (each set is half of a sum), inclusion and exclusion, weights, one-hot sums. */
static void test_kinds(void **state) {
        gbx_auto(gbx_ledger_freep) struct gbx_ledger *ledger = start(10);
        struct made made;

        (void)state;
        make(&made, "parts", "bank");
        cell(&made, "a", GBX_LEDGER_COUNT, range(0, 30));
        cell(&made, "b", GBX_LEDGER_COUNT, range(30, 60));
        cell(&made, "c", GBX_LEDGER_COUNT, range(60, 90));
        assert_int_equal(offer(ledger, &made, NULL), 0);
        make(&made, "same", "bank");
        cell(&made, "a", GBX_LEDGER_COUNT, range(0, 60)); /* follows from what is known */
        cell(&made, "b", GBX_LEDGER_COUNT, range(0, 100));
        assert_int_equal(offer(ledger, &made, NULL), 0);
        make(&made, "rest", "bank");
        cell(&made, "all", GBX_LEDGER_COUNT, range(0, 97)); /* 90 to 96 */
        assert_int_equal(offer(ledger, &made, NULL), GBX_LEDGER_HELD);
        make(&made, "sum", "bank"); /* of another column: nothing is known of it */
        cell(&made, "all", "income", range(0, 97));
        assert_int_equal(offer(ledger, &made, NULL), 0);

        make(&made, "circle", "bank"); /* 1000-1099, 1100-1199, 1200-1204 by twos */
        cell(&made, "ab", "income", range(1000, 1200));
        cell(&made, "bc", "income", range(1100, 1205));
        made.terms[2][0] = (struct gbx_ledger_term){ .weight = 1, .units = range(1000, 1100) };
        roaring_bitmap_add_range(made.terms[2][0].units, 1200, 1205);
        made.statistics[2] = (struct gbx_ledger_statistic){ .column = text("income"), .terms = made.terms[2], .term_count = 1 };
        made.cells[2] = (struct gbx_ledger_cell){ .label = text("ca"), .statistics = &made.statistics[2], .statistic_count = 1 };
        made.release.cell_count = 3;
        assert_int_equal(offer(ledger, &made, NULL), GBX_LEDGER_HELD);

        make(&made, "union", "bank");
        cell(&made, "a", "age", range(0, 55));
        cell(&made, "b", "age", range(50, 100));
        assert_int_equal(offer(ledger, &made, NULL), 0);
        make(&made, "union", "bank");
        cell(&made, "a or b", "age", range(0, 100));
        assert_int_equal(offer(ledger, &made, NULL), GBX_LEDGER_HELD);

        make(&made, "plain", "bank");
        cell(&made, "all", "debt", range(0, 200));
        assert_int_equal(offer(ledger, &made, NULL), 0);
        make(&made, "repeated", "bank"); /* one row five times */
        cell(&made, "all", "debt", range(0, 200));
        made.terms[0][1] = (struct gbx_ledger_term){ .weight = 4, .units = range(77, 78) };
        made.statistics[0].term_count = 2;
        assert_int_equal(offer(ledger, &made, NULL), GBX_LEDGER_HELD);
        make(&made, "one-hot", "bank");
        cell(&made, "mean", "weighted debt", range(77, 78));
        assert_int_equal(offer(ledger, &made, NULL), GBX_LEDGER_HELD);
}

static void test_whole_is_public(void **state) {
        gbx_auto(gbx_ledger_freep) struct gbx_ledger *ledger = start(10);
        roaring_bitmap_t *whole = range(0, 4454);
        struct made made;

        (void)state;
        assert_int_equal(gbx_ledger_know_whole(ledger, "credit", whole, NULL), 0);
        roaring_bitmap_free(whole);
        make(&made, "run-1", "bank");
        cell(&made, "job known", GBX_LEDGER_COUNT, range(2, 4454));
        assert_int_equal(offer(ledger, &made, NULL), GBX_LEDGER_HELD);
        make(&made, "run-2", "bank");
        cell(&made, "half", GBX_LEDGER_COUNT, range(0, 2000));
        assert_int_equal(offer(ledger, &made, NULL), 0);
}

/* Four groupings by columns with missing values: 4,454 in all, groups of 2, 6 and 1 without. */
static void test_missing_values(void **state) {
        static const uint32_t starts[] = { 0, 2, 6, 1 };
        gbx_auto(gbx_ledger_freep) struct gbx_ledger *ledger = start(10);
        struct made made;

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                make(&made, "run", "bank");
                cell(&made, "first", GBX_LEDGER_COUNT, range(starts[i] + (uint32_t)i * 20, 3000));
                cell(&made, "second", GBX_LEDGER_COUNT, range(3000, 4454));
                if (i > 0) /* the first rows of all but those whose value is missing */
                        roaring_bitmap_add_range(made.terms[0][0].units, 0, i * 20);
                assert_int_equal(offer(ledger, &made, NULL), i == 0 ? 0 : GBX_LEDGER_HELD);
        }
}

/* Random sets of few units: whenever trying all weights from -2 to 2 finds something, so does the ledger; and what the
 * ledger finds is there. */
static bool beaten_by_trying(const uint32_t *sets, size_t count, unsigned units, unsigned minimum) {
        size_t total = 1;

        for (size_t i = 0; i < count; i++)
                total *= 5;
        for (size_t code = 0; code < total; code++) {
                unsigned support = 0;

                for (unsigned u = 0; u < units; u++) {
                        size_t rest = code;
                        int sum = 0;

                        for (size_t i = 0; i < count; i++, rest /= 5)
                                sum += (sets[i] >> u & 1) ? (int)(rest % 5) - 2 : 0;
                        support += sum != 0;
                }
                if (support > 0 && support < minimum)
                        return true;
        }
        return false;
}

static roaring_bitmap_t *set_of(uint32_t bits, unsigned units, uint32_t wide) {
        roaring_bitmap_t *set = roaring_bitmap_create();

        for (unsigned u = 0; u < units; u++)
                if (bits >> u & 1)
                        roaring_bitmap_add_range(set, (uint64_t)u * wide, (uint64_t)(u + 1) * wide);
        return set;
}

static void check_finding(const struct gbx_ledger_finding *finding, const uint32_t *sets, unsigned units, unsigned minimum) {
        unsigned support = 0;

        for (unsigned u = 0; u < units; u++) {
                int64_t sum = 0;

                for (size_t i = 0; i < finding->part_count; i++)
                        sum += (sets[atoi(finding->parts[i].label)] >> u & 1) ? finding->parts[i].weight : 0;
                support += sum != 0;
        }
        assert_true(support > 0 && support < minimum);
        assert_int_equal(support, finding->units);
}

static void test_nobody_beats_it(void **state) {
        size_t held = 0, released = 0;

        (void)state;
        for (uint64_t seed = 0; seed < 600; seed++) {
                unsigned units = 10 + (unsigned)(seed % 14), minimum = 2 + (unsigned)(seed % 3);
                gbx_auto(gbx_ledger_freep) struct gbx_ledger *ledger = start(minimum);
                static const char *const labels[] = { "0", "1", "2", "3", "4", "5" };
                uint32_t sets[6];
                size_t count = 0;

                for (size_t i = 0; i < 6; i++) {
                        gbx_auto(gbx_ledger_finding_clear) struct gbx_ledger_finding finding = {};
                        uint64_t random = gbx_mix(seed * 100 + i);
                        struct made made;
                        bool beaten;
                        int r;

                        /* Random sets, and some that differ little from a sum of earlier ones. */
                        sets[count] = (uint32_t)random & ((1U << units) - 1);
                        if (count >= 2 && random >> 40 & 1)
                                sets[count] = (sets[0] ^ sets[count - 1]) ^ (1U << (random >> 50) % units);
                        if (!sets[count])
                                continue;
                        beaten = beaten_by_trying(sets, count + 1, units, minimum);
                        make(&made, "run", "bank");
                        cell(&made, labels[count], GBX_LEDGER_COUNT, set_of(sets[count], units, 1));
                        r = offer(ledger, &made, &finding);
                        if (beaten && r == 0)
                                fail_msg("seed %d: not found", (int)seed);
                        if (r == GBX_LEDGER_HELD) {
                                check_finding(&finding, sets, units, minimum);
                                held++;
                        } else {
                                released++;
                                count++;
                        }
                }
        }
        assert_true(held > 300 && released > 300);
}

/* Records written and read again decide the same; damaged ones are refused. */
struct shelf_of_records {
        struct gbx_buffer records[3];
        size_t next;
};

static int next_record(void *context, struct gbx_buffer *ret, struct gbx_error *err) {
        struct shelf_of_records *shelf = context;

        const struct gbx_buffer *record = &shelf->records[shelf->next];

        if (shelf->next == 3)
                return 1;
        shelf->next++;
        return gbx_buffer_append(ret, record->data, record->size, err);
}

static void test_records(void **state) {
        gbx_auto(gbx_ledger_freep) struct gbx_ledger *ledger = start(10);
        struct shelf_of_records shelf = {};
        struct made made;

        (void)state;
        for (uint32_t i = 0; i < 3; i++) {
                make(&made, "run", "bank");
                cell(&made, "part", GBX_LEDGER_COUNT, range(i * 1000, i * 1000 + 1000));
                roaring_bitmap_add(made.terms[0][0].units, 5000 + i);
                assert_int_equal(gbx_ledger_record_write(&made.release, &shelf.records[i], NULL), 0);
                drop(&made);
        }
        assert_int_equal(gbx_ledger_load(ledger, next_record, &shelf, NULL), 0);
        make(&made, "run-4", "bank");
        cell(&made, "all", GBX_LEDGER_COUNT, range(0, 3000));
        assert_int_equal(offer(ledger, &made, NULL), GBX_LEDGER_HELD); /* 5000, 5001, 5002 */
        for (size_t size = 0; size < shelf.records[0].size; size++) {
                struct gbx_ledger_release release = {};

                assert_int_equal(gbx_ledger_record_read(shelf.records[0].data, size, &release, NULL), -EBADMSG);
        }
        for (size_t i = 0; i < 3; i++)
                gbx_buffer_free(&shelf.records[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_but_one),     cmocka_unit_test(test_who_may_pool),   cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_whole_is_public), cmocka_unit_test(test_missing_values), cmocka_unit_test(test_nobody_beats_it),
                cmocka_unit_test(test_records),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
