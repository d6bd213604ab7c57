/* A family of releases to mark and trace, for the unit tests of watermark */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "tests/tools/lab_tables.h"
#include "watermark/mark.h"
#include "watermark/trace.h"

#include <string.h>

static const uint8_t root[GBX_MARK_ROOT_SIZE] = "a root key of thirty-two bytes!";

/* A small table of aggregates. */
static const struct gbx_mark_column rates[] = {
        { .name = "job", .type = GBX_MARK_TEXT, .role = GBX_MARK_KEY },
        { .name = "n", .type = GBX_MARK_INTEGER, .role = GBX_MARK_COUNT },
        { .name = "rate", .type = GBX_MARK_DECIMAL, .unit = "0.001" },
};

enum { RELEASES = 12 };

struct family {
        const struct gbx_mark_column *columns;
        size_t column_count;
        struct gbx_mark_options options;
        bool json;
        const char *name; /* NULL: "family" */
        struct gbx_buffer original;
        struct gbx_buffer copies[RELEASES];
        struct gbx_mark marks[RELEASES];
        char names[RELEASES][16];
        struct gbx_trace_candidate candidates[RELEASES];
};

static inline void release_all(struct family *f) {
        for (size_t i = 0; i < RELEASES; i++) {
                struct gbx_mark_request request = { .root = root,
                                                    .family = f->name ? f->name : "family",
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
                f->candidates[i] = (struct gbx_trace_candidate){ f->names[i], "bank", request.family, f->marks[i].record, NULL, 0 };
        }
}

static inline void family_free(struct family *f) {
        gbx_buffer_free(&f->original);
        for (size_t i = 0; i < RELEASES; i++) {
                gbx_buffer_free(&f->copies[i]);
                gbx_mark_clear(&f->marks[i]);
        }
}

static inline void give_originals(struct family *f, bool give) {
        for (size_t i = 0; i < RELEASES; i++) {
                f->candidates[i].original = give ? f->original.data : NULL;
                f->candidates[i].original_size = give ? f->original.size : 0;
        }
}

/* The suspect is traced to exactly release `index`; -1: to nobody. */
static inline void expect_traced(struct family *f, const struct gbx_buffer *suspect, int index, const char *format) {
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

static inline void make_people(struct gbx_buffer *csv, size_t rows) {
        static const char *const regions[] = { "north", "south", "east", "west" };

        lab_seed(rows);
        (void)gbx_buffer_append_text(csv, "id,region,age,income,debt,amount\n", NULL);
        for (size_t i = 0; i < rows; i++)
                (void)gbx_buffer_printf(csv, NULL, "P%05zu,%s,%u,%u.%02u,%u,%u.%u\n", 7 * i + 3, regions[lab_random() % 4],
                                        18 + lab_random() % 70, 100 + lab_random() % 90000, lab_random() % 100,
                                        1000 + lab_random() % 50000, 10 + lab_random() % 9000, lab_random() % 10);
}

static inline void make_family(struct family *f, size_t rows) {
        f->columns = columns;
        f->column_count = gbx_array_size(columns);
        make_people(&f->original, rows);
        release_all(f);
}
