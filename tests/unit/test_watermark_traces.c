/* watermark: what traces survive, and what they refuse */
#include "tests/unit/watermark_family.h"

#include "watermark/content.h"
#include "watermark/json.h"
#include "watermark/record.h"

/* --- what traces survive --------------------------------------------------------------- */

static void attacked(struct family *f, size_t index, attack run, double strength, enum layout layout, struct gbx_buffer *ret) {
        const struct lab_case about = { f->columns, f->column_count, "id", NULL };
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
        assert_in_range(record.plan.layer_count, 3, 6);
        for (unsigned l = 0; l < record.plan.layer_count; l++) {
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
        attacked(&f, 7, redraw, 0.5, LAYOUT_CSV, &suspect);
        expect_traced(&f, &suspect, 7, NULL);
}

/* Dropping any one column breaks the keys that it is part of and no others; each cell says alone whose it is. */
static void a_broken_virtual_key_leaves_others(void **state) {
        struct gbx_mark_column keyless[9];
        gbx_auto(family_free) struct family f = { .columns = keyless, .column_count = gbx_array_size(keyless) };
        gbx_auto(gbx_record_free) struct gbx_record record = {};
        unsigned broken = 0;

        (void)state;
        memcpy(keyless, generated_columns(gbx_array_size(keyless)) + 1, sizeof keyless);
        lab_make(&(struct lab_table){ .rows = 2000, .numbers = gbx_array_size(keyless) }, &f.original);
        release_all(&f);
        assert_int_equal(gbx_record_read(&record, f.marks[0].record, NULL), 0);
        for (unsigned column = 0; column < gbx_array_size(keyless); column++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer suspect = {};
                struct grid grid;
                unsigned whole = 0;

                for (unsigned l = 0; l < record.plan.layer_count; l++)
                        whole += !gbx_layer_has_key(&record.plan.layers[l], column);
                assert_true(2 * whole >= record.plan.layer_count);
                broken += record.plan.layer_count - whole;
                grid_read(&grid, &f.copies[column]);
                for (size_t i = 0; i < grid.columns; i++)
                        if (strcmp(grid.names[i], keyless[column].name) == 0)
                                remove_column(&grid, i);
                grid_write(&grid, LAYOUT_CSV, &suspect);
                grid_free(&grid);
                expect_traced(&f, &suspect, (int)column, NULL);
        }
        assert_true(broken > 0);
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

/* Order of members and blanks; a leaker who writes the file anew takes them away, and the numbers still speak. */
static void json_layout_is_extra_evidence(void **state) {
        static const struct gbx_mark_column leaf[] = { { .name = "/*/v", .type = GBX_MARK_INTEGER, .unit = "1" } };
        gbx_auto(family_free) struct family f = { .columns = leaf, .column_count = 1, .json = true,
                                                  .options = { .layout = GBX_MARK_JSON_SPACES | GBX_MARK_JSON_ORDER } };
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {}, plain = {};
        gbx_auto(gbx_json_free) struct gbx_json json = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer anew = {};
        struct gbx_error err = {};
        size_t swapped = 0;

        (void)state;
        lab_seed(7);
        for (int i = 0; i < 100; i++)
                (void)gbx_buffer_printf(&f.original, NULL, "%s{\"n\\\\\": \"x\\\"\" ,\"v\" : %u, \"list\":[{\"a\":1,\"b\":null}],\"z\":0}",
                                        i ? "," : "[", 100 + lab_random() % 9000);
        (void)gbx_buffer_append_text(&f.original, "]", NULL);
        release_all(&f);
        if (gbx_trace(root, f.copies[4].data, f.copies[4].size, f.candidates, RELEASES, NULL, &trace, &err) < 0)
                fail_msg("%s\n%.400s", err.message, gbx_buffer_text(&f.copies[4]));
        assert_int_equal(trace.results[0].candidate, 4);
        assert_non_null(strstr(trace.notes, "500 of 500 JSON blanks, 200 of 200 pairs of JSON members agree"));
        assert_int_equal(gbx_json_read(&json, gbx_buffer_text(&f.copies[4]), f.copies[4].size, NULL, NULL), 0);
        for (uint32_t i = json.nodes[0].child; i; i = json.nodes[i].next) {
                uint32_t first = json.nodes[i].child;

                swapped += strcmp(gbx_json_name(&json, first), "v") == 0;
                (void)gbx_buffer_printf(&anew, NULL, "%s{\"v\":%s}", anew.size ? "," : "[",
                                        gbx_json_text(&json, gbx_json_member(&json, i, "v")));
        }
        (void)gbx_buffer_append_text(&anew, "]", NULL);
        assert_in_range(swapped, 30, 70);
        assert_int_equal(gbx_trace(root, anew.data, anew.size, f.candidates, RELEASES, NULL, &plain, NULL), 0);
        assert_int_equal(plain.results[0].candidate, 4);
        assert_null(strstr(plain.notes, "200 of 200"));
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
                cmocka_unit_test(reformatted_copies_are_traced),
                cmocka_unit_test(other_shapes_are_read),
                cmocka_unit_test(the_original_helps),
                cmocka_unit_test(virtual_keys_replace_a_key),
                cmocka_unit_test(a_broken_virtual_key_leaves_others),
                cmocka_unit_test(json_leaves_are_marked),
                cmocka_unit_test(json_without_keys_goes_by_index),
                cmocka_unit_test(layout_is_extra_evidence),
                cmocka_unit_test(json_layout_is_extra_evidence),
                cmocka_unit_test(the_family_is_found),
                cmocka_unit_test(colluders_are_named),
                cmocka_unit_test(bad_suspects_are_named),
                cmocka_unit_test(the_plot_names_only_the_accused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
