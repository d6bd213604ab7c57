/* watermark: what marking keeps, and what traces survive */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "tests/tools/lab_attacks.h"
#include "watermark/content.h"
#include "watermark/mark.h"
#include "watermark/record.h"
#include "watermark/trace.h"

#include <string.h>

static const uint8_t root[GBX_MARK_ROOT_SIZE] = "a root key of thirty-two bytes!";

/* --- a family of releases --------------------------------------------------------- */

enum { RELEASES = 12 };

struct family {
        const struct gbx_mark_column *columns;
        size_t column_count;
        struct gbx_mark_options options;
        bool json;
        struct gbx_buffer original;
        struct gbx_buffer copies[RELEASES];
        struct gbx_mark marks[RELEASES];
        char names[RELEASES][16];
        struct gbx_trace_candidate candidates[RELEASES];
};

static void release_all(struct family *f) {
        for (size_t i = 0; i < RELEASES; i++) {
                struct gbx_mark_request request = { .root = root,
                                                    .family = "family",
                                                    .release = f->names[i],
                                                    .recipient = "bank",
                                                    .columns = f->columns,
                                                    .column_count = f->column_count,
                                                    .options = f->options };
                struct gbx_error err = {};
                int r;

                (void)snprintf(f->names[i], sizeof f->names[i], "rel-%zu", i);
                r = (f->json ? gbx_mark_json : gbx_mark_table)(&request, f->original.data, f->original.size,
                                                               &f->copies[i], &f->marks[i], &err);
                if (r < 0)
                        fail_msg("%s", err.message);
                f->candidates[i] = (struct gbx_trace_candidate){ f->names[i], "bank", "family", f->marks[i].record, NULL, 0 };
        }
}

static void family_free(struct family *f) {
        gbx_buffer_free(&f->original);
        for (size_t i = 0; i < RELEASES; i++) {
                gbx_buffer_free(&f->copies[i]);
                gbx_mark_clear(&f->marks[i]);
        }
}

static void give_originals(struct family *f, bool give) {
        for (size_t i = 0; i < RELEASES; i++) {
                f->candidates[i].original = give ? f->original.data : NULL;
                f->candidates[i].original_size = give ? f->original.size : 0;
        }
}

/* The suspect is traced to exactly release `index`; -1: to nobody. */
static void expect_traced(struct family *f, const struct gbx_buffer *suspect, int index, const char *format) {
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
        struct gbx_error err = {};

        if (gbx_trace(root, suspect->data, suspect->size, f->candidates, RELEASES, NULL, &trace, &err) < 0)
                fail_msg("%s", err.message);
        if (format)
                assert_string_equal(trace.format, format);
        if (index < 0) {
                assert_int_equal(trace.accused, 0);
                return;
        }
        if (trace.accused != 1)
                fail_msg("%zu accused, verdict %s, n %llu, score %.2f, threshold %.2f; %s", trace.accused,
                         gbx_trace_verdict_text(trace.verdict), (unsigned long long)trace.results[0].n,
                         trace.results[0].score, trace.threshold, trace.notes);
        assert_int_equal(trace.results[0].verdict, GBX_TRACE_TRACED);
        assert_int_equal(trace.results[0].candidate, (size_t)index);
        assert_true(trace.results[0].adjusted_p <= 1e-6);
}

static const struct gbx_mark_column columns[] = {
        { .name = "id", .type = GBX_MARK_TEXT, .role = GBX_MARK_KEY },
        { .name = "region", .type = GBX_MARK_TEXT },
        { .name = "age", .type = GBX_MARK_INTEGER },
        { .name = "income", .type = GBX_MARK_DECIMAL, .unit = "0.01" },
        { .name = "debt", .type = GBX_MARK_INTEGER, .unit = "1" },
        { .name = "amount", .type = GBX_MARK_DECIMAL, .unit = "0.1" },
};

static void make_people(struct gbx_buffer *csv, size_t rows) {
        static const char *const regions[] = { "north", "south", "east", "west" };

        lab_seed(rows);
        (void)gbx_buffer_append_text(csv, "id,region,age,income,debt,amount\n", NULL);
        for (size_t i = 0; i < rows; i++)
                (void)gbx_buffer_printf(csv, NULL, "P%05zu,%s,%u,%u.%02u,%u,%u.%u\n", 7 * i + 3, regions[lab_random() % 4],
                                        18 + lab_random() % 70, 100 + lab_random() % 90000, lab_random() % 100,
                                        1000 + lab_random() % 50000, 10 + lab_random() % 9000, lab_random() % 10);
}

static void make_family(struct family *f, size_t rows) {
        f->columns = columns;
        f->column_count = gbx_array_size(columns);
        make_people(&f->original, rows);
        release_all(f);
}

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

                        if (strcmp(a, b) == 0)
                                continue;
                        assert_true(columns[i].unit != NULL); /* exact columns stay */
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

static const struct gbx_mark_column rates[] = {
        { .name = "job", .type = GBX_MARK_TEXT, .role = GBX_MARK_KEY },
        { .name = "n", .type = GBX_MARK_INTEGER, .role = GBX_MARK_COUNT },
        { .name = "rate", .type = GBX_MARK_DECIMAL, .unit = "0.001" },
};

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

/* --- what traces survive --------------------------------------------------------------- */

static void attacked(struct family *f, size_t index, attack run, double strength, enum layout layout, struct gbx_buffer *ret) {
        const struct lab_case about = { f->columns, f->column_count, "id" };
        struct grid grid;

        gbx_buffer_free(ret);
        grid_read(&grid, &f->copies[index]);
        run(&grid, strength, &about);
        grid_write(&grid, layout, ret);
        grid_free(&grid);
}

/* No column is left that tells what a point between digits means. */
static void only_integers(struct grid *grid, double strength, const struct lab_case *about) {
        (void)strength, (void)about;
        for (size_t i = grid->columns; i-- > 1;)
                if (strcmp(grid->names[i], "debt") != 0)
                        remove_column(grid, i);
}

static void reformatted_copies_are_traced(void **state) {
        static const struct {
                attack run;
                double strength;
                enum layout layout;
                const char *format;
        } cases[] = {
                { nothing, 0, LAYOUT_TSV, "TSV" },
                { nothing, 0, LAYOUT_GERMAN, "CSV with semicolons" },
                { nothing, 0, LAYOUT_THOUSANDS, "CSV" },
                { nothing, 0, LAYOUT_JSON, "JSON" },
                { nothing, 0, LAYOUT_MARKDOWN, "text table" },
                { rename_columns, 0, LAYOUT_CSV, "CSV" },
                { rename_and_reorder, 0, LAYOUT_CSV, "CSV" },
                { reorder_columns, 0, LAYOUT_JSON, "JSON" },
                { shuffle_rows, 0, LAYOUT_CSV, "CSV" },
                { delete_rows, 0.8, LAYOUT_TSV, "TSV" },
                { drop_columns, 2, LAYOUT_CSV, "CSV" },
                { only_integers, 0, LAYOUT_GERMAN, "CSV with semicolons" },
                { scale, -3, LAYOUT_CSV, "CSV" },
                { scale, 3, LAYOUT_GERMAN, NULL },
                { flip, 0.2, LAYOUT_CSV, "CSV" },
                { add_foreign, 1, LAYOUT_CSV, "CSV" },
        };
        gbx_auto(family_free) struct family f = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer suspect = {};

        (void)state;
        make_family(&f, 1500);
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                attacked(&f, i % RELEASES, cases[i].run, cases[i].strength, cases[i].layout, &suspect);
                expect_traced(&f, &suspect, (int)(i % RELEASES), cases[i].format);
        }
        attacked(&f, 0, round_numbers, 2, LAYOUT_CSV, &suspect); /* beyond the unit nothing is left */
        expect_traced(&f, &suspect, -1, "CSV");
}

static void other_shapes_are_read(void **state) {
        gbx_auto(family_free) struct family f = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer lines = {}, utf16 = {}, banner = {}, headless = {}, columnar = {};
        struct grid grid;
        const char *body;

        (void)state;
        make_family(&f, 800);
        grid_read(&grid, &f.copies[6]);
        for (size_t row = 0; row < grid.rows; row++)
                (void)gbx_buffer_printf(&lines, NULL, "{\"id\":\"%s\",\"income\":%s,\"debt\":%s,\"amount\":%s}\n",
                                        *grid_cell(&grid, row, 0), *grid_cell(&grid, row, 3), *grid_cell(&grid, row, 4),
                                        *grid_cell(&grid, row, 5));
        expect_traced(&f, &lines, 6, "JSON lines");
        (void)gbx_buffer_append(&utf16, "\xff\xfe", 2, NULL);
        for (size_t i = 0; i < f.copies[7].size; i++) {
                uint8_t pair[2] = { f.copies[7].data[i], 0 };

                (void)gbx_buffer_append(&utf16, pair, 2, NULL);
        }
        expect_traced(&f, &utf16, 7, "CSV");
        (void)gbx_buffer_append_text(&banner, "# confidential, for bank-a only\n\n", NULL);
        (void)gbx_buffer_append(&banner, f.copies[8].data, f.copies[8].size, NULL);
        expect_traced(&f, &banner, 8, "CSV");
        body = strchr((const char *)f.copies[9].data, '\n') + 1;
        (void)gbx_buffer_append_text(&headless, body, NULL);
        expect_traced(&f, &headless, 9, "CSV");
        for (size_t i = 0; i < grid.columns; i++) {
                (void)gbx_buffer_printf(&columnar, NULL, "%s\"%s\":{", i ? "},\n" : "{", grid.names[i]);
                for (size_t row = 0; row < grid.rows; row++)
                        (void)gbx_buffer_printf(&columnar, NULL, "%s\"%zu\":\"%s\"", row ? "," : "", row, *grid_cell(&grid, row, i));
        }
        (void)gbx_buffer_append_text(&columnar, "}}", NULL);
        expect_traced(&f, &columnar, 6, "JSON");
        grid_free(&grid);
}

static void the_original_helps(void **state) {
        gbx_auto(family_free) struct family f = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer suspect = {};

        (void)state;
        make_family(&f, 1500);
        attacked(&f, 2, drop_key, 0, LAYOUT_CSV, &suspect);
        expect_traced(&f, &suspect, -1, NULL); /* no key, no virtual keys */
        give_originals(&f, true);
        expect_traced(&f, &suspect, 2, NULL);
        attacked(&f, 3, redraw, 0.9, LAYOUT_CSV, &suspect);
        expect_traced(&f, &suspect, 3, NULL);
        attacked(&f, 4, scale, 2, LAYOUT_CSV, &suspect);
        expect_traced(&f, &suspect, 4, NULL);
}

static void virtual_keys_replace_a_key(void **state) {
        static const struct gbx_mark_column keyless[] = {
                { .name = "region", .type = GBX_MARK_TEXT },
                { .name = "age", .type = GBX_MARK_INTEGER },
                { .name = "income", .type = GBX_MARK_DECIMAL, .unit = "0.01" },
                { .name = "debt", .type = GBX_MARK_INTEGER, .unit = "1" },
                { .name = "amount", .type = GBX_MARK_DECIMAL, .unit = "0.1" },
        };
        gbx_auto(family_free) struct family f = { .columns = keyless, .column_count = gbx_array_size(keyless) };
        gbx_auto(gbx_record_free) struct gbx_record record = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer suspect = {};

        (void)state;
        make_people(&f.original, 3000);
        release_all(&f);
        assert_int_equal(f.marks[0].claim, GBX_MARK_TRACEABLE);
        assert_int_equal(gbx_record_read(&record, f.marks[0].record, NULL), 0);
        assert_int_equal(record.plan.layer_count, 3);
        for (unsigned l = 0; l < 3; l++) {
                assert_true(record.plan.layers[l].virtual);
                assert_true(record.plan.layers[l].key_count >= 3);
                for (unsigned i = 0; i < record.plan.layers[l].key_count; i++)
                        for (unsigned k = 0; k < record.plan.layers[l].mark_count; k++)
                                assert_true(record.plan.layers[l].keys[i].column != record.plan.layers[l].marks[k]);
        }
        attacked(&f, 5, shuffle_rows, 0, LAYOUT_CSV, &suspect);
        expect_traced(&f, &suspect, 5, NULL);
        attacked(&f, 6, delete_rows, 0.5, LAYOUT_CSV, &suspect);
        expect_traced(&f, &suspect, 6, NULL);
}

static void json_leaves_are_marked(void **state) {
        static const struct gbx_mark_column leaves[] = {
                { .name = "/groups/*/name", .type = GBX_MARK_TEXT, .role = GBX_MARK_KEY },
                { .name = "/groups/*/items/*/id", .type = GBX_MARK_INTEGER, .role = GBX_MARK_KEY },
                { .name = "/groups/*/items/*/price", .type = GBX_MARK_DECIMAL, .unit = "0.01" },
                { .name = "/groups/*/items/*/weight", .type = GBX_MARK_INTEGER, .unit = "1" },
                { .name = "/groups/*/total", .type = GBX_MARK_INTEGER, .unit = "1" },
        };
        gbx_auto(family_free) struct family f = { .columns = leaves, .column_count = gbx_array_size(leaves), .json = true };

        (void)state;
        lab_seed(5);
        (void)gbx_buffer_append_text(&f.original, "{ \"version\" : 3,\n \"groups\": [", NULL);
        for (int g = 0; g < 20; g++) {
                (void)gbx_buffer_printf(&f.original, NULL, "%s{\"name\":\"g\\u00e9 %d\", \"total\": %u,\"items\":[", g ? ",\n" : "", g,
                                        5000 + lab_random() % 1000);
                for (int i = 0; i < 30; i++)
                        (void)gbx_buffer_printf(&f.original, NULL, "%s{\"id\":%d,\"price\":%u.%02u, \"weight\":\"%u\",\"note\":\"x\"}",
                                                i ? ", " : "", i, 10 + lab_random() % 900, lab_random() % 100,
                                                1000 + lab_random() % 9000);
                (void)gbx_buffer_append_text(&f.original, "]}", NULL);
        }
        (void)gbx_buffer_append_text(&f.original, "]}\n", NULL);
        release_all(&f);
        assert_int_equal(f.copies[0].size, f.original.size); /* every number keeps its width here, and all else its bytes */
        assert_true(f.marks[0].capacity_cells > 1000);
        assert_int_equal(f.marks[0].claim, GBX_MARK_TRACEABLE);
        for (size_t i = 0; i < 3; i++)
                expect_traced(&f, &f.copies[i], (int)i, "JSON");
        expect_traced(&f, &f.original, -1, "JSON");
}

static void json_without_keys_goes_by_index(void **state) {
        static const struct gbx_mark_column leaf[] = { { .name = "/*/v", .type = GBX_MARK_INTEGER, .unit = "1" } };
        gbx_auto(family_free) struct family f = { .columns = leaf, .column_count = 1, .json = true };

        (void)state;
        lab_seed(6);
        for (int i = 0; i < 200; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "%s{\"v\":%u}", i ? "," : "[", 100 + lab_random() % 9000);
        (void)gbx_buffer_append_text(&f.original, "]", NULL);
        release_all(&f);
        expect_traced(&f, &f.copies[3], 3, "JSON");
}

static void layout_is_extra_evidence(void **state) {
        static const struct gbx_mark_column told[] = {
                { .name = "id", .type = GBX_MARK_INTEGER, .role = GBX_MARK_KEY },
                { .name = "remark", .type = GBX_MARK_TEXT, .prose = true },
                { .name = "v", .type = GBX_MARK_INTEGER, .unit = "1" },
        };
        gbx_auto(family_free) struct family f = { .columns = told, .column_count = 3,
                                                  .options = { .layout = GBX_MARK_ROW_ORDER | GBX_MARK_ZERO_WIDTH,
                                                               .banner = "confidential: for bank-a only" } };
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {}, sorted = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer digits = {}, plain = {};
        uint8_t ours[GBX_SHA256_SIZE];
        struct grid grid;
        const char *csv;

        (void)state;
        lab_seed(9);
        (void)gbx_buffer_append_text(&f.original, "id,remark,v\n", NULL);
        for (int i = 0; i < 301; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "%d,\"seen, on day %d\",%u\n", i, i, 100 + lab_random() % 9000);
        release_all(&f);
        assert_int_equal(strncmp((const char *)f.copies[2].data, "# confidential: for bank-a only\nid,remark,v\n", 44), 0);
        assert_non_null(strstr((const char *)f.copies[2].data, "\xe2\x80\x8b"));
        assert_int_equal(gbx_trace(root, f.copies[2].data, f.copies[2].size, f.candidates, RELEASES, NULL, &trace, NULL), 0);
        assert_int_equal(trace.verdict, GBX_TRACE_TRACED);
        assert_int_equal(trace.results[0].candidate, 2);
        assert_non_null(strstr(trace.notes, "layout of rel-2 (extra evidence, not counted): 150 of 150 pairs of rows, 301 of 301 cells"));
        /* The content is the same with and without invisible characters. */
        assert_int_equal(gbx_content_digest(f.copies[2].data, f.copies[2].size, ours, NULL), 0);
        assert_memory_equal(ours, f.marks[2].content_digest, sizeof ours);
        /* Sorted and cleaned, the numbers still speak and the layout is chance. */
        csv = strchr((const char *)f.copies[2].data, '\n') + 1;
        (void)gbx_buffer_append_text(&plain, csv, NULL);
        grid_read(&grid, &plain);
        shuffle_rows(&grid, 0, &(struct lab_case){});
        remove_column(&grid, 1);
        grid_write(&grid, LAYOUT_CSV, &digits);
        grid_free(&grid);
        assert_int_equal(gbx_trace(root, digits.data, digits.size, f.candidates, RELEASES, NULL, &sorted, NULL), 0);
        assert_int_equal(sorted.verdict, GBX_TRACE_TRACED);
        assert_null(strstr(sorted.notes, "150 of 150"));
}

static void json_blanks_are_extra_evidence(void **state) {
        static const struct gbx_mark_column leaf[] = { { .name = "/*/v", .type = GBX_MARK_INTEGER, .unit = "1" } };
        gbx_auto(family_free) struct family f = { .columns = leaf, .column_count = 1, .json = true,
                                                  .options = { .layout = GBX_MARK_JSON_SPACES } };
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};

        (void)state;
        lab_seed(7);
        for (int i = 0; i < 100; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "%s{\"n\":\"x\",\"v\": %u}", i ? "," : "[", 100 + lab_random() % 9000);
        (void)gbx_buffer_append_text(&f.original, "]", NULL);
        release_all(&f);
        assert_int_equal(gbx_trace(root, f.copies[4].data, f.copies[4].size, f.candidates, RELEASES, NULL, &trace, NULL), 0);
        assert_int_equal(trace.results[0].candidate, 4);
        assert_non_null(strstr(trace.notes, "200 of 200 JSON blanks agree"));
}

/* Two families at once: the file finds its own. */
static void the_family_is_found(void **state) {
        gbx_auto(family_free) struct family people = {}, small = { .columns = rates, .column_count = gbx_array_size(rates) };
        struct gbx_trace_candidate both[2 * RELEASES];
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {}, unrelated = {};

        (void)state;
        make_family(&people, 600);
        (void)gbx_buffer_append_text(&small.original, "job,n,rate\na,10,0.123\nb,20,0.456\n", NULL);
        release_all(&small);
        memcpy(both, small.candidates, sizeof small.candidates);
        memcpy(both + RELEASES, people.candidates, sizeof people.candidates);
        assert_int_equal(gbx_trace(root, people.copies[8].data, people.copies[8].size, both, 2 * RELEASES, NULL, &trace, NULL), 0);
        assert_int_equal(trace.accused, 1);
        assert_int_equal(trace.results[0].candidate, RELEASES + 8);
        assert_int_equal(gbx_trace(root, "x,y\nab,cd\nef,gh\n", 16, both, 2 * RELEASES, NULL, &unrelated, NULL), 0);
        assert_int_equal(unrelated.verdict, GBX_TRACE_UNRELATED);
        assert_int_equal(unrelated.count, 0);
}

static void colluders_are_named(void **state) {
        gbx_auto(family_free) struct family f = {};

        (void)state;
        make_family(&f, 2000);
        assert_int_equal(f.marks[0].code, GBX_MARK_CODE_TARDOS);
        assert_int_equal(f.marks[0].coalition, 5);
        for (enum strategy s = 0; s < STRATEGIES; s++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer suspect = {};
                gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
                struct grid grids[5];

                lab_seed(s + 1);
                for (size_t i = 0; i < 5; i++)
                        grid_read(&grids[i], &f.copies[i]);
                merge(&grids[0], &grids[1], 5, s);
                grid_write(&grids[0], LAYOUT_CSV, &suspect);
                assert_int_equal(gbx_trace(root, suspect.data, suspect.size, f.candidates, RELEASES, NULL, &trace, NULL), 0);
                assert_true(trace.accused >= 1);
                for (size_t i = 0; i < trace.accused; i++)
                        assert_true(trace.results[i].candidate < 5);
                for (size_t i = 0; i < 5; i++)
                        grid_free(&grids[i]);
        }
}

/* --- bad input --------------------------------------------------------------------------- */

static void bad_suspects_are_named(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer wide = {};
        static const struct {
                const char *bytes;
                size_t size;
                const char *message;
        } cases[] = {
                { "", 0, "the file is empty" },
                { " \n\n", 3, "the file is empty" },
                { "a\0b", 3, "the file is binary, no table: NUL byte at offset 1" },
                { "PAR1....", 8, "the file is a Parquet file; convert it to CSV first" },
                { "PK\3\4....", 8, "the file is a zip archive or spreadsheet" },
                { "Dear Sir,\n\nI write to you about the weather.\nIt rains.\n", 55, "the file is no table" },
                { "{\"a\":", 5, "read as JSON: line 1, column 6: not a JSON value" },
                { "[{\"a\":1},\n{\"a\":01}]", 19, "read as JSON: line 2, column 7" },
                { "a,b\n", 4, "the file is no table" },
        };
        struct gbx_trace trace = {};

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_error err = {};

                assert_int_equal(gbx_trace(root, cases[i].bytes, cases[i].size, NULL, 0, NULL, &trace, &err), -EINVAL);
                if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
                        fail_msg("case %zu: %s", i, err.message);
        }
        for (int i = 0; i < 2000000; i++)
                (void)gbx_buffer_append_text(&wide, i % 1000000 == 999999 ? "1\n" : "1,", NULL);
        {
                struct gbx_error err = {};

                assert_int_equal(gbx_trace(root, wide.data, wide.size, NULL, 0, NULL, &trace, &err), -EINVAL);
                assert_true(strlen(err.message) > 0);
        }
        {
                const struct gbx_trace_candidate damaged = { "r", "b", "f", "{\"v\":1}", NULL, 0 };
                struct gbx_error err = {};

                assert_int_equal(gbx_trace(root, "a,b\n1,2\n", 8, &damaged, 1, NULL, &trace, &err), -EINVAL);
                assert_string_equal(err.message, "release r: the record of a mark is damaged: layout");
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

static void the_plot_names_only_the_accused(void **state) {
        gbx_auto(family_free) struct family f = {};
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer svg = {};

        (void)state;
        make_family(&f, 600);
        for (size_t i = 0; i < RELEASES; i++)
                f.candidates[i].recipient = "bank";
        assert_int_equal(gbx_trace(root, f.copies[1].data, f.copies[1].size, f.candidates, RELEASES, NULL, &trace, NULL), 0);
        assert_int_equal(gbx_trace_plot(&trace, f.candidates, &svg, NULL), 0);
        assert_non_null(strstr(gbx_buffer_text(&svg), ">bank (rel-1)</text>"));
        assert_null(strstr(gbx_buffer_text(&svg), "rel-2"));
        assert_non_null(strstr(gbx_buffer_text(&svg), "threshold"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(marking_is_deterministic_and_small),
                cmocka_unit_test(limits_are_kept),
                cmocka_unit_test(sums_are_kept),
                cmocka_unit_test(rows_of_one_household_stay_alike),
                cmocka_unit_test(texts_change_only_where_allowed),
                cmocka_unit_test(bytes_around_stay),
                cmocka_unit_test(declarations_are_checked),
                cmocka_unit_test(small_tables_are_known_by_content),
                cmocka_unit_test(same_content_names_the_whole_set),
                cmocka_unit_test(rounding_is_keyed_and_fair),
                cmocka_unit_test(reformatted_copies_are_traced),
                cmocka_unit_test(other_shapes_are_read),
                cmocka_unit_test(the_original_helps),
                cmocka_unit_test(virtual_keys_replace_a_key),
                cmocka_unit_test(json_leaves_are_marked),
                cmocka_unit_test(json_without_keys_goes_by_index),
                cmocka_unit_test(layout_is_extra_evidence),
                cmocka_unit_test(json_blanks_are_extra_evidence),
                cmocka_unit_test(the_family_is_found),
                cmocka_unit_test(colluders_are_named),
                cmocka_unit_test(bad_suspects_are_named),
                cmocka_unit_test(records_round_trip),
                cmocka_unit_test(the_plot_names_only_the_accused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
