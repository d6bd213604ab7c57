/* One trial of watermark-lab: a few releases of one table, one or several of them leaked, and a trace over all */
#pragma once

#include "base/cleanup.h"
#include "tests/tools/lab_tables.h"
#include "watermark/stats.h"
#include "watermark/trace.h"

#include <time.h>

enum { RELEASES = 1000, OTHERS = 9 };

static unsigned trials = 200;
static bool quick;

static inline double now(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct trial {
        const struct lab_table *table;
        uint8_t root[GBX_MARK_ROOT_SIZE];
        const struct gbx_buffer *original;
        struct gbx_buffer copies[8];
        struct gbx_mark marks[8];
        struct gbx_trace_candidate candidates[8 + OTHERS];
        char names[8 + OTHERS][24];
        unsigned leakers;
};

static inline void trial_begin(struct trial *t, const struct lab_table *table, const struct gbx_buffer *original, unsigned leakers,
                        uint64_t seed) {
        struct lab_case about = lab_about(table);
        struct gbx_error err = {};

        *t = (struct trial){ .table = table, .original = original, .leakers = leakers };
        gbx_sha256(&seed, sizeof seed, t->root);
        for (unsigned i = 0; i < leakers + OTHERS; i++) {
                struct gbx_mark_request request = { .root = t->root,
                                                    .family = table->name,
                                                    .release = t->names[i],
                                                    .recipient = "r",
                                                    .columns = about.columns,
                                                    .column_count = about.column_count,
                                                    .options = table->options };

                (void)snprintf(t->names[i], sizeof t->names[i], "release-%u", i);
                if (i < leakers)
                        lab_check(gbx_mark_table(&request, original->data, original->size, &t->copies[i], &t->marks[i], &err),
                                  &err);
                t->candidates[i] = (struct gbx_trace_candidate){ t->names[i], "r", table->name,
                                                                 t->marks[i < leakers ? i : 0].record, NULL, 0 };
        }
        lab_seed(seed);
}

static inline void trial_end(struct trial *t) {
        for (unsigned i = 0; i < t->leakers; i++) {
                gbx_buffer_free(&t->copies[i]);
                gbx_mark_clear(&t->marks[i]);
        }
}

struct tally {
        unsigned trials, hits; /* trials in which a leaker was named */
        unsigned all;          /* leakers named */
        unsigned innocents;    /* others named */
        double symbols;        /* read, on average */
        double score;
};

/* Content digests would recognise untouched copies; only the marks are measured here. */
static inline void trial_trace(struct trial *t, const struct gbx_buffer *suspect, bool aligned, struct tally *tally) {
        const struct gbx_trace_options options = { .tested = RELEASES };
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
        struct gbx_error err = {};
        bool hit = false;

        for (unsigned i = 0; i < t->leakers + OTHERS; i++) {
                t->candidates[i].original = aligned ? t->original->data : NULL;
                t->candidates[i].original_size = aligned ? t->original->size : 0;
        }
        lab_check(gbx_trace(t->root, suspect->data, suspect->size, t->candidates, t->leakers + OTHERS, &options, &trace, &err),
                  &err);
        for (size_t i = 0; i < trace.count; i++) {
                if (trace.results[i].verdict != GBX_TRACE_TRACED)
                        continue;
                if (trace.results[i].candidate < t->leakers)
                        hit = true, tally->all++;
                else
                        tally->innocents++;
        }
        tally->trials++;
        tally->hits += hit;
        tally->symbols += trace.count ? (double)trace.results[0].n : 0;
        tally->score += trace.count ? trace.results[0].score : 0;
}

static inline void print_tally(const char *label, const struct tally *tally, unsigned leakers) {
        double low, high;

        gbx_clopper_pearson(tally->hits, tally->trials, 0.95, &low, &high);
        printf("| %s | %.0f | %.3f (%.3f to %.3f) | ", label, tally->symbols / tally->trials,
               (double)tally->hits / tally->trials, low, high);
        if (leakers > 1)
                printf("%.0f %% | ", 100.0 * tally->all / (tally->trials * leakers));
        printf("%u of %u |\n", tally->innocents, tally->trials * OTHERS);
        (void)fflush(stdout);
}
