/* Columns found again under other names: sketches, and traces that rest on them */
#include "tests/unit/watermark_family.h"
#include "watermark/sketch.h"

static const struct gbx_sip_key key = { { 3, 4 } };

/* A profile of the numbers first, first + step, …: `count` of them, each in `copies` rows. */
static struct gbx_column_profile profile_of(uint32_t first, uint32_t step, size_t count, size_t copies) {
        uint32_t *hashes = calloc(count * copies, sizeof *hashes);
        struct gbx_column_profile profile = {};

        assert_non_null(hashes);
        for (size_t i = 0; i < count * copies; i++) {
                char text[16];
                int size = snprintf(text, sizeof text, "%u", first + step * (uint32_t)(i / copies));

                hashes[i] = gbx_sketch_exact(&key, text, (size_t)size, 0);
        }
        assert_int_equal(gbx_column_profile_new(&profile, hashes, count * copies, count * copies, NULL), 0);
        return profile;
}

static double like(const struct gbx_sketch *sketch, struct gbx_column_profile profile) {
        double found = gbx_sketch_likeness(sketch, GBX_SKETCH_KEY_SIZE, &profile);

        gbx_column_profile_free(&profile);
        return found;
}

static void a_part_is_known_and_a_container_is_not(void **state) {
        struct gbx_sketch sketch = {};

        (void)state;
        for (uint32_t i = 0; i < 5000; i++) {
                char text[16];
                int size = snprintf(text, sizeof text, "%u", 1000 + 2 * i);

                gbx_sketch_add(&sketch, GBX_SKETCH_KEY_SIZE, gbx_sketch_exact(&key, text, (size_t)size, 0));
        }
        assert_int_equal(sketch.count, GBX_SKETCH_KEY_SIZE);
        assert_int_equal(sketch.rows, 5000);
        assert_true(like(&sketch, profile_of(1000, 2, 5000, 1)) > 0.99);
        assert_true(like(&sketch, profile_of(1000, 4, 2500, 1)) > 0.7);  /* every second row */
        assert_true(like(&sketch, profile_of(1000, 40, 250, 1)) > 0.3);  /* one row of twenty */
        assert_true(like(&sketch, profile_of(1000, 1, 10000, 1)) < 0.6); /* all of it, and as many others between */
        assert_true(like(&sketch, profile_of(1000, 2, 500, 10)) < 0.2);  /* some of the values, far more often */
        assert_true(like(&sketch, profile_of(1001, 2, 5000, 1)) == 0);
}

static void keys_count_by_all_digits(void **state) {
        (void)state;
        assert_int_equal(gbx_sketch_exact(&key, "100001", 6, 0), gbx_sketch_exact(&key, "100001.0", 8, 0));
        assert_int_equal(gbx_sketch_exact(&key, "100001", 6, 0), gbx_sketch_exact(&key, "100,001", 7, '.'));
        assert_int_not_equal(gbx_sketch_exact(&key, "100001", 6, 0), gbx_sketch_exact(&key, "100002", 6, 0));
        assert_int_equal(gbx_sketch_exact(&key, "a00001", 6, 0), gbx_sketch_exact(&key, " A00001", 7, 0));
}

/* Without names, in another order, with one row of `kept` left. */
static void trace_renamed(struct family *f, size_t index, double deleted) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer suspect = {};
        struct lab_case about = { .columns = f->columns, .column_count = f->column_count };
        struct grid grid;

        lab_seed(index + 100);
        grid_read(&grid, &f->copies[index]);
        delete_rows(&grid, deleted, &about);
        rename_and_reorder(&grid, 0, &about);
        sort_rows(&grid);
        grid_write(&grid, LAYOUT_CSV, &suspect);
        grid_free(&grid);
        expect_traced(f, &suspect, (int)index, NULL);
}

/* With half of the rows gone, half of the values of a key column are gone: it must be found all the same. */
static void renamed_columns_are_found_in_a_part_of_the_rows(void **state) {
        gbx_auto(family_free) struct family f = {};

        (void)state;
        make_family(&f, 3000);
        for (size_t i = 0; i < 6; i++)
                trace_renamed(&f, i, 0.5);
        trace_renamed(&f, 6, 0.8);
        trace_renamed(&f, 7, 0.9);
}

/* Two columns of numbers, of which one holds all values of the other. */
static void a_column_is_not_taken_for_one_that_contains_it(void **state) {
        static const struct gbx_mark_column nested[] = {
                { .name = "number", .type = GBX_MARK_INTEGER, .role = GBX_MARK_KEY },
                { .name = "price", .type = GBX_MARK_INTEGER, .unit = "1" },
                { .name = "amount", .type = GBX_MARK_INTEGER, .unit = "1" },
        };
        gbx_auto(family_free) struct family f = { .columns = nested, .column_count = gbx_array_size(nested) };

        (void)state;
        lab_seed(5);
        (void)gbx_buffer_append_text(&f.original, "number,price,amount\n", NULL);
        for (size_t i = 0; i < 3000; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "%zu,%u,%u\n", 200 + i, 100 + lab_random() % 4000,
                                        300 + lab_random() % 300);
        release_all(&f);
        for (size_t i = 0; i < 6; i++)
                trace_renamed(&f, i, 0.5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_part_is_known_and_a_container_is_not),
                cmocka_unit_test(keys_count_by_all_digits),
                cmocka_unit_test(renamed_columns_are_found_in_a_part_of_the_rows),
                cmocka_unit_test(a_column_is_not_taken_for_one_that_contains_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
