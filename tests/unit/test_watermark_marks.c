/* watermark: what marking keeps, small tables, records */
#include "tests/unit/watermark_family.h"

#include "watermark/record.h"

/* --- what marking keeps ------------------------------------------------------------ */

static struct gbx_number at(struct grid *grid, size_t row, size_t column) {
        struct gbx_number number;

        assert_true(grid_number(grid, row, column, &number));
        return number;
}

static void marking_is_deterministic_and_small(void **state) {
        gbx_auto(family_free) struct family f = {}, again = {};
        struct grid before, after;
        size_t changed = 0, up = 0;

        (void)state;
        make_family(&f, 800);
        make_family(&again, 800);
        assert_int_equal(f.copies[0].size, again.copies[0].size);
        assert_memory_equal(f.copies[0].data, again.copies[0].data, f.copies[0].size);
        assert_string_equal(f.marks[0].record, again.marks[0].record);
        assert_memory_not_equal(f.copies[0].data, f.copies[1].data, f.copies[0].size);
        grid_read(&before, &f.original);
        grid_read(&after, &f.copies[0]);
        assert_int_equal(before.rows, after.rows);
        for (size_t row = 0; row < before.rows; row++)
                for (size_t i = 0; i < before.columns; i++) {
                        const char *a = *grid_cell(&before, row, i), *b = *grid_cell(&after, row, i);
                        struct gbx_number unit, moved;
                        int direction;

                        assert_true(a && b);
                        if (!a || !b || strcmp(a, b) == 0)
                                continue;
                        assert_true(columns[i].unit != NULL); /* exact columns stay */
                        if (!columns[i].unit)
                                continue;
                        assert_true(gbx_number_parse(columns[i].unit, strlen(columns[i].unit), &unit));
                        direction = gbx_number_compare(at(&after, row, i), at(&before, row, i));
                        assert_true(gbx_number_add_units(at(&before, row, i), unit, direction, &moved));
                        assert_int_equal(gbx_number_compare(moved, at(&after, row, i)), 0); /* one unit */
                        assert_int_equal(at(&after, row, i).decimals, at(&before, row, i).decimals);
                        changed++;
                        up += direction > 0;
                }
        assert_int_equal(changed, f.marks[0].cells_changed);
        assert_in_range(changed, f.marks[0].cells_marked * 45 / 100, f.marks[0].cells_marked * 55 / 100);
        assert_in_range(up, changed * 43 / 100, changed * 57 / 100); /* unbiased */
        grid_free(&before);
        grid_free(&after);
}

static void limits_are_kept(void **state) {
        static const struct gbx_mark_column limited[] = {
                { .name = "k", .role = GBX_MARK_KEY },
                { .name = "count", .type = GBX_MARK_INTEGER, .role = GBX_MARK_COUNT, .unit = "1", .threshold = "10" },
                { .name = "share", .type = GBX_MARK_DECIMAL, .unit = "0.01", .minimum = "0", .maximum = "0.05" },
                { .name = "change", .type = GBX_MARK_INTEGER, .unit = "1" },
                { .name = "exact", .type = GBX_MARK_INTEGER, .unit = "1", .exact = true },
                { .name = "other", .type = GBX_MARK_INTEGER, .role = GBX_MARK_COUNT },
        };
        gbx_auto(family_free) struct family f = { .columns = limited, .column_count = gbx_array_size(limited) };
        struct grid before, after;

        (void)state;
        lab_seed(1);
        (void)gbx_buffer_append_text(&f.original, "k,count,share,change,exact,other\n", NULL);
        for (int i = 0; i < 600; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "k%d,%u,0.0%u,%d,%d,%d\n", i, 8 + lab_random() % 5, lab_random() % 6,
                                        (int)(lab_random() % 5) - 2, i, i);
        release_all(&f);
        grid_read(&before, &f.original);
        for (size_t n = 0; n < RELEASES; n++) {
                assert_true(f.marks[n].cells_changed > 0);
                grid_read(&after, &f.copies[n]);
                for (size_t row = 0; row < before.rows; row++) {
                        assert_int_equal(at(&before, row, 1).mantissa < 10, at(&after, row, 1).mantissa < 10);
                        assert_in_range(at(&after, row, 2).mantissa, 0, 5);
                        /* no number becomes, or stops being, zero; none changes its sign */
                        assert_int_equal(at(&before, row, 3).mantissa > 0, at(&after, row, 3).mantissa > 0);
                        assert_int_equal(at(&before, row, 3).mantissa < 0, at(&after, row, 3).mantissa < 0);
                        assert_string_equal(*grid_cell(&before, row, 4), *grid_cell(&after, row, 4));
                        assert_string_equal(*grid_cell(&before, row, 5), *grid_cell(&after, row, 5));
                }
                grid_free(&after);
        }
        grid_free(&before);
}

static int64_t total(struct grid *grid, size_t column) {
        int64_t sum = 0;

        for (size_t row = 0; row < grid->rows; row++)
                sum += at(grid, row, column).mantissa;
        return sum;
}

static void sums_are_kept(void **state) {
        static const struct gbx_mark_column summed[] = {
                { .name = "k", .role = GBX_MARK_KEY },
                { .name = "a", .type = GBX_MARK_INTEGER, .unit = "1", .sum_group = "parts" },
                { .name = "b", .type = GBX_MARK_INTEGER, .unit = "1", .sum_group = "parts" },
                { .name = "c", .type = GBX_MARK_INTEGER, .unit = "1", .sum_group = "parts" },
                { .name = "paid", .type = GBX_MARK_INTEGER, .unit = "1", .keep_total = true },
        };
        gbx_auto(family_free) struct family f = { .columns = summed, .column_count = gbx_array_size(summed),
                                                  .options = { .gamma = 1, .cells_per_row = 2 } };
        struct grid before, after;

        (void)state;
        lab_seed(2);
        (void)gbx_buffer_append_text(&f.original, "k,a,b,c,sum,paid\n", NULL);
        for (int i = 0; i < 500; i++) {
                unsigned a = 100 + lab_random() % 5000, b = 100 + lab_random() % 5000, c = 100 + lab_random() % 5000;

                (void)gbx_buffer_printf(&f.original, NULL, "k%d,%u,%u,%u,%u,%u\n", i, a, b, c, a + b + c,
                                        100 + lab_random() % 5000);
        }
        release_all(&f);
        grid_read(&before, &f.original);
        for (size_t n = 0; n < RELEASES; n++) {
                grid_read(&after, &f.copies[n]);
                assert_int_equal(total(&before, 5), total(&after, 5));
                for (size_t row = 0; row < before.rows; row++)
                        assert_int_equal(at(&after, row, 1).mantissa + at(&after, row, 2).mantissa +
                                                 at(&after, row, 3).mantissa,
                                         at(&after, row, 4).mantissa);
                grid_free(&after);
        }
        grid_free(&before);
        expect_traced(&f, &f.copies[4], 4, "CSV");
}

static void rows_of_one_household_stay_alike(void **state) {
        static const struct gbx_mark_column household[] = {
                { .name = "person", .type = GBX_MARK_INTEGER, .role = GBX_MARK_KEY },
                { .name = "house", .type = GBX_MARK_INTEGER },
                { .name = "rent", .type = GBX_MARK_DECIMAL, .unit = "0.01", .per = "house" },
                { .name = "wage", .type = GBX_MARK_DECIMAL, .unit = "0.01" },
        };
        gbx_auto(family_free) struct family f = { .columns = household, .column_count = gbx_array_size(household) };
        struct grid after;
        size_t changed = 0;

        (void)state;
        lab_seed(3);
        (void)gbx_buffer_append_text(&f.original, "person,house,rent,wage\n", NULL);
        for (int h = 0; h < 300; h++)
                for (int p = 0; p < 3; p++)
                        (void)gbx_buffer_printf(&f.original, NULL, "%d,%d,%d.%02d,%u.%02u\n", 10 * h + p, h, 300 + 3 * h, h % 100,
                                                1000 + lab_random() % 5000, lab_random() % 100);
        release_all(&f);
        grid_read(&after, &f.copies[0]);
        for (size_t row = 0; row < after.rows; row += 3) {
                char rent[24];

                assert_string_equal(*grid_cell(&after, row, 2), *grid_cell(&after, row + 1, 2));
                assert_string_equal(*grid_cell(&after, row, 2), *grid_cell(&after, row + 2, 2));
                (void)snprintf(rent, sizeof rent, "%zu.%02zu", 300 + row, row / 3 % 100);
                changed += strcmp(rent, *grid_cell(&after, row, 2)) != 0;
        }
        assert_in_range(changed, 100, 200);
        grid_free(&after);
        expect_traced(&f, &f.copies[1], 1, "CSV");
}

static void texts_change_only_where_allowed(void **state) {
        static const struct gbx_mark_column coded[] = {
                { .name = "k", .role = GBX_MARK_KEY },
                { .name = "code", .type = GBX_MARK_TEXT, .mark_text = true },
                { .name = "name", .type = GBX_MARK_TEXT },
        };
        gbx_auto(family_free) struct family f = { .columns = coded, .column_count = gbx_array_size(coded) };
        struct grid before, after;
        size_t changed = 0;

        (void)state;
        lab_seed(4);
        (void)gbx_buffer_append_text(&f.original, "k,code,name\n", NULL);
        for (int i = 0; i < 300; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "k%d,\"c, %u\",n%u\n", i, lab_random() % 9, lab_random() % 9);
        release_all(&f);
        grid_read(&before, &f.original);
        grid_read(&after, &f.copies[0]);
        for (size_t row = 0; row < before.rows; row++) {
                assert_string_equal(*grid_cell(&before, row, 2), *grid_cell(&after, row, 2));
                assert_int_equal(strncmp(*grid_cell(&after, row, 1), "c, ", 3), 0);
                changed += strcmp(*grid_cell(&before, row, 1), *grid_cell(&after, row, 1)) != 0;
        }
        assert_in_range(changed, 90, 210);
        grid_free(&before);
        grid_free(&after);
        expect_traced(&f, &f.copies[2], 2, "CSV");
}

/* Two values are enough, whatever the key: of half of the cells one value says 0 and the other 1. */
static void two_categories_carry_marks(void **state) {
        static const struct gbx_mark_column coded[] = { { .name = "k", .role = GBX_MARK_KEY },
                                                        { .name = "sex", .type = GBX_MARK_TEXT, .mark_text = true } };

        (void)state;
        for (uint32_t seed = 0; seed < 8; seed++) {
                gbx_auto(family_free) struct family f = { .columns = coded, .column_count = gbx_array_size(coded),
                                                          .name = (char[]){ 'f', (char)('0' + seed), 0 } };

                lab_seed(seed);
                (void)gbx_buffer_append_text(&f.original, "k,sex\n", NULL);
                for (int i = 0; i < 1000; i++)
                        (void)gbx_buffer_printf(&f.original, NULL, "k%d,%s\n", i, lab_random() & 1 ? "f" : "m");
                release_all(&f);
                expect_traced(&f, &f.copies[seed], (int)seed, "CSV");
        }
}

static void bytes_around_stay(void **state) {
        static const struct gbx_mark_column one[] = { { .name = "k", .role = GBX_MARK_KEY },
                                                      { .name = "v", .type = GBX_MARK_INTEGER, .unit = "1" } };
        gbx_auto(family_free) struct family f = { .columns = one, .column_count = 2 };

        (void)state;
        (void)gbx_buffer_append_text(&f.original, "k,\"te\"\"xt, x\",v\r\n", NULL);
        for (int i = 0; i < 200; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "\"k,%d\",\"a\"\"b\n%d\",\"%d\"\r\n", i, i, 1000 + 37 * i);
        release_all(&f);
        assert_int_equal(f.copies[0].size, f.original.size);
        for (size_t i = 0; i < f.original.size; i++) {
                uint8_t a = f.original.data[i], b = f.copies[0].data[i];

                assert_true(a == b || (a >= '0' && a <= '9' && b >= '0' && b <= '9'));
        }
        assert_true(memcmp(f.original.data, f.copies[0].data, f.original.size) != 0);
}

static void declarations_are_checked(void **state) {
        static const struct {
                struct gbx_mark_column column;
                const char *message;
        } cases[] = {
                { { .name = "v", .type = GBX_MARK_INTEGER, .unit = "x" }, "column 'v': the unit 'x' is not a decimal" },
                { { .name = "v", .type = GBX_MARK_INTEGER, .unit = "0" }, "column 'v': the unit '0' is not positive" },
                { { .name = "w", .type = GBX_MARK_INTEGER, .unit = "1" }, "the declared column 'w' is not in the table" },
                { { .name = "k", .type = GBX_MARK_INTEGER }, "column 'k' is declared twice" },
                { { .name = "v", .type = GBX_MARK_INTEGER, .unit = "1", .minimum = "low" },
                  "column 'v': the minimum 'low' is not a decimal" },
                { { .name = "v", .type = GBX_MARK_INTEGER, .unit = "1", .per = "nobody" }, "column 'v': per 'nobody'" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                const struct gbx_mark_column two[] = { { .name = "k", .role = GBX_MARK_KEY }, cases[i].column };
                const struct gbx_mark_request request = { .root = root, .family = "f", .release = "r", .recipient = "b",
                                                          .columns = two, .column_count = 2 };
                gbx_auto(gbx_buffer_free) struct gbx_buffer copy = {};
                struct gbx_mark mark = {};
                struct gbx_error err = {};

                assert_int_equal(gbx_mark_table(&request, "k,v\n1,2\n", 8, &copy, &mark, &err), -EINVAL);
                if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
                        fail_msg("%s", err.message);
                assert_null(mark.record);
                assert_int_equal(copy.size, 0);
        }
}

/* --- small tables -------------------------------------------------------------------- */

static void small_tables_are_known_by_content(void **state) {
        gbx_auto(family_free) struct family f = { .columns = rates, .column_count = gbx_array_size(rates) };
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {}, too_little = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer pasted = {}, half = {};
        struct grid grid;

        (void)state;
        (void)gbx_buffer_append_text(&f.original, "job,n,rate\n", NULL);
        for (int i = 0; i < 12; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "job %d,%d,0.%03d\n", i, 30 + i, 101 + 37 * i);
        release_all(&f);
        assert_int_equal(f.marks[0].claim, GBX_MARK_CONTENT_REGISTRY);
        assert_true(f.marks[0].capacity_cells < f.marks[0].floor_cells);
        /* Pasted as a drawn table, shuffled, and still the same content. */
        grid_read(&grid, &f.copies[5]);
        shuffle_rows(&grid, 0, &(struct lab_case){});
        grid_write(&grid, LAYOUT_MARKDOWN, &pasted);
        assert_int_equal(gbx_trace(root, pasted.data, pasted.size, f.candidates, RELEASES, NULL, &trace, NULL), 0);
        assert_int_equal(trace.verdict, GBX_TRACE_CONTENT_MATCH);
        assert_int_equal(trace.accused, 1);
        assert_int_equal(trace.results[0].candidate, 5);
        /* Half of it is no longer the content, and far too little for a statement by marks. */
        grid.rows = 6;
        grid_write(&grid, LAYOUT_CSV, &half);
        assert_int_equal(gbx_trace(root, half.data, half.size, f.candidates, RELEASES, NULL, &too_little, NULL), 0);
        assert_int_equal(too_little.verdict, GBX_TRACE_TOO_LITTLE);
        assert_int_equal(too_little.accused, 0);
        for (size_t i = 0; i < too_little.count; i++)
                assert_true(too_little.results[i].candidate == GBX_TRACE_NOBODY);
        grid_free(&grid);
}

static void same_content_names_the_whole_set(void **state) {
        static const struct gbx_mark_column nothing_to_mark[] = { { .name = "job", .role = GBX_MARK_KEY } };
        gbx_auto(family_free) struct family f = { .columns = nothing_to_mark, .column_count = 1 };
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};

        (void)state;
        (void)gbx_buffer_append_text(&f.original, "job,n\nfixed,12\nfreelance,30\n", NULL);
        release_all(&f);
        assert_int_equal(f.marks[0].claim, GBX_MARK_MANIFEST_ONLY);
        assert_string_equal(f.marks[0].scheme, "none");
        assert_int_equal(f.copies[0].size, f.original.size);
        assert_int_equal(gbx_trace(root, f.copies[0].data, f.copies[0].size, f.candidates, RELEASES, NULL, &trace, NULL), 0);
        assert_int_equal(trace.verdict, GBX_TRACE_CONTENT_MATCH);
        assert_int_equal(trace.accused, RELEASES);
}

/* Finer digits than the unit: rounded up or down by key, right on average, and read again through the original. */
static void rounding_is_keyed_and_fair(void **state) {
        gbx_auto(family_free) struct family f = { .columns = rates, .column_count = gbx_array_size(rates) };
        struct grid after;
        size_t ups = 0;

        (void)state;
        (void)gbx_buffer_append_text(&f.original, "job,n,rate\n", NULL);
        for (int i = 0; i < 28; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "job %d,%d,0.%03d25\n", i, 30 + i, 101 + 17 * i);
        release_all(&f);
        assert_string_equal(f.marks[0].scheme, "keyed-rounding-v1");
        assert_int_equal(f.marks[0].claim, GBX_MARK_CONTENT_REGISTRY);
        for (size_t n = 0; n < RELEASES; n++) {
                grid_read(&after, &f.copies[n]);
                for (int i = 0; i < 28; i++) {
                        struct gbx_number number = at(&after, (size_t)i, 2);

                        assert_int_equal(number.decimals, 3);
                        assert_in_range(number.mantissa, 101 + 17 * i, 102 + 17 * i);
                        ups += number.mantissa == 102 + 17 * i;
                }
                grid_free(&after);
        }
        assert_in_range(ups, RELEASES * 28 * 18 / 100, RELEASES * 28 * 32 / 100); /* a quarter */
        give_originals(&f, true);
        {
                gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};

                assert_int_equal(gbx_trace(root, f.copies[3].data, f.copies[3].size, f.candidates, RELEASES, NULL, &trace, NULL), 0);
                assert_true(trace.verdict >= GBX_TRACE_CONTENT_MATCH);
                assert_int_equal(trace.accused, 1);
                assert_int_equal(trace.results[0].candidate, 3);
                assert_true(trace.results[0].n >= 28);
                assert_int_equal(trace.results[0].matches, trace.results[0].n);
        }
}

static void records_round_trip(void **state) {
        gbx_auto(family_free) struct family f = {};
        gbx_auto(gbx_record_free) struct gbx_record record = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};

        (void)state;
        make_family(&f, 300);
        assert_int_equal(gbx_record_read(&record, f.marks[0].record, NULL), 0);
        assert_int_equal(gbx_record_write(&record, f.marks[0].scheme, &again, NULL), 0);
        assert_string_equal(gbx_buffer_text(&again), f.marks[0].record);
        assert_null(strstr(f.marks[0].record, "bank")); /* names neither release nor recipient */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(marking_is_deterministic_and_small),
                cmocka_unit_test(limits_are_kept),
                cmocka_unit_test(sums_are_kept),
                cmocka_unit_test(rows_of_one_household_stay_alike),
                cmocka_unit_test(texts_change_only_where_allowed),
                cmocka_unit_test(two_categories_carry_marks),
                cmocka_unit_test(bytes_around_stay),
                cmocka_unit_test(declarations_are_checked),
                cmocka_unit_test(small_tables_are_known_by_content),
                cmocka_unit_test(same_content_names_the_whole_set),
                cmocka_unit_test(rounding_is_keyed_and_fair),
                cmocka_unit_test(records_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
