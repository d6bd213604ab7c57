#include "watermark/trace.h"

#include "base/cleanup.h"
#include "watermark/content.h"
#include "watermark/flatten.h"
#include "watermark/layout.h"
#include "watermark/match.h"
#include "watermark/read.h"
#include "watermark/score.h"

#include <math.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum {
        CONTENT_CELLS = 50000, /* as in mark.c: larger tables have no content digest */
        LAYOUT_NOTES = 8,      /* accused whose layout is compared */
};

static const double default_alpha = 1e-6;

const char *gbx_trace_verdict_text(enum gbx_trace_verdict verdict) {
        static const char *const texts[] = { "unrelated", "too-little", "not-traced", "content-match", "traced" };

        return texts[verdict];
}

const char *gbx_trace_test_text(enum gbx_trace_test test) {
        static const char *const texts[] = { "matches", "likelihood", "collusion", "content" };

        return texts[test];
}

void gbx_trace_clear(struct gbx_trace *trace) {
        free(trace->results);
        free(trace->notes);
        *trace = (struct gbx_trace){};
}

/* Candidates that share family, columns, layers and code: their symbols stand in the same cells. */
struct member {
        uint8_t group[GBX_SHA256_SIZE];
        size_t candidate;
        uint8_t content[GBX_SHA256_SIZE];
        bool has_content;
};

/* The best so far of all groups, kept for the threshold. */
struct champion {
        struct gbx_scorer *scorer;
        struct gbx_scored scored;
};

struct tracing {
        const uint8_t *root;
        const struct gbx_trace_candidate *candidates;
        struct gbx_suspect suspect;
        struct gbx_table plain; /* a JSON suspect, flattened as for marking */
        uint8_t content[GBX_SHA256_SIZE];
        bool has_content;
        struct member *members;
        size_t count;
        /* Results, not yet corrected: adjusted_p holds ln p */
        struct gbx_trace_result *results;
        size_t result_count;
        double tests;     /* of all releases together */
        uint64_t ways;    /* most that a release was put to */
        uint64_t matched;
        struct champion champion;
        struct gbx_buffer notes;
        const void *digested; /* the original whose digest this is */
        uint8_t original[GBX_SHA256_SIZE];
        struct gbx_error *err;
};

static void tracing_free(struct tracing *t) {
        gbx_suspect_free(&t->suspect);
        gbx_table_free(&t->plain);
        gbx_scorer_free(t->champion.scorer);
        gbx_buffer_free(&t->notes);
        free(t->members);
        free(t->results);
}

/* --- grouping ------------------------------------------------------------------- */

static int by_group(const void *a, const void *b) {
        const struct member *x = a, *y = b;
        int r = memcmp(x->group, y->group, sizeof x->group);

        return r ? r : x->candidate < y->candidate ? -1 : x->candidate > y->candidate;
}

/* Candidates often share their original: its digest is taken once while they follow one another. */
static const uint8_t *original_digest(struct tracing *t, const struct gbx_trace_candidate *c) {
        if (!c->original)
                return NULL;
        if (c->original != t->digested)
                gbx_sha256(c->original, c->original_size, t->original);
        t->digested = c->original;
        return t->original;
}

/* What two records must share: everything but digests, claim and capacity; and the original, where it is kept. */
static int identify(struct tracing *t, struct member *member) {
        const struct gbx_trace_candidate *c = &t->candidates[member->candidate];
        const uint8_t *original = original_digest(t, c);
        gbx_auto(gbx_record_free) struct gbx_record record = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_bytes parts[3];
        int r = gbx_record_read(&record, c->record, t->err);

        if (r < 0)
                return gbx_context(t->err, r, "release %.80s", c->release);
        memcpy(member->content, record.content, sizeof member->content);
        member->has_content = record.has_content;
        record.capacity = record.floor = 0;
        record.claim = GBX_MARK_MANIFEST_ONLY;
        record.has_content = false;
        memset(record.digest, 0, sizeof record.digest);
        r = gbx_record_write(&record, "", &text, t->err);
        if (r < 0)
                return r;
        parts[0] = (struct gbx_bytes){ c->family, strlen(c->family) + 1 };
        parts[1] = (struct gbx_bytes){ text.data, text.size };
        parts[2] = (struct gbx_bytes){ original, original ? GBX_SHA256_SIZE : 0 };
        gbx_sha256_parts(parts, 3, member->group);
        return 0;
}

static int group_candidates(struct tracing *t) {
        t->members = calloc(t->count + 1, sizeof *t->members);
        t->results = calloc(t->count + 1, sizeof *t->results);
        if (!t->members || !t->results)
                return gbx_fail_memory(t->err);
        for (size_t i = 0; i < t->count; i++) {
                int r;

                t->members[i].candidate = i;
                r = identify(t, &t->members[i]);
                if (r < 0)
                        return r;
        }
        qsort(t->members, t->count, sizeof *t->members, by_group);
        return 0;
}

/* --- one group ------------------------------------------------------------------- */

struct group {
        const struct member *members;
        size_t count;
        struct gbx_record record;
        struct gbx_mark_keys keys;
        struct gbx_view view;
};

static void group_clear(struct group *g) {
        gbx_record_free(&g->record);
        gbx_mark_keys_clear(&g->keys);
        gbx_view_free(&g->view);
}

/* The suspect as the group's layout reads it. */
static int choose_table(struct tracing *t, const struct group *g, const struct gbx_table **ret) {
        int r = 0;

        *ret = &t->suspect.table;
        if (!g->record.json || !t->suspect.is_json)
                return 0;
        if (t->plain.columns == 0)
                r = gbx_flatten(&t->plain, &t->suspect.json, false, t->err);
        *ret = &t->plain;
        return r;
}

static int open_group(struct tracing *t, struct group *g, bool *ret_fits) {
        const struct gbx_trace_candidate *c = &t->candidates[g->members[0].candidate];
        const struct gbx_table *table;
        unsigned found, markable = 0;
        int r = gbx_record_read(&g->record, c->record, t->err);

        if (r >= 0)
                r = gbx_mark_keys_derive(t->root, c->family, &g->keys, t->err);
        if (r >= 0)
                r = choose_table(t, g, &table);
        if (r < 0)
                return r;
        gbx_plan_finish(&g->record.plan, &g->keys);
        if (g->record.json && g->record.plan.layer_count > 0 && !g->record.plan.layers[0].virtual)
                g->record.plan.layers[0].virtual = true;
        r = gbx_match_view(&g->view, &g->record.plan, &g->keys, table, t->suspect.separator, &found, &t->notes, t->err);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < g->record.plan.column_count; i++)
                markable += g->record.plan.columns[i].markable && g->view.columns[i].column >= 0;
        *ret_fits = markable > 0;
        return 0;
}

static int read_original(struct tracing *t, const struct gbx_trace_candidate *c, bool json, struct gbx_table *table) {
        gbx_auto(gbx_json_free) struct gbx_json tree = {};
        int r;

        if (!json)
                return gbx_table_read_csv(table, c->original, c->original_size, t->err);
        r = gbx_json_read(&tree, c->original, c->original_size, NULL, t->err);
        return r < 0 ? r : gbx_flatten(table, &tree, false, t->err);
}

static int vote_by_alignment(struct tracing *t, struct group *g, struct gbx_votes *votes) {
        const struct gbx_trace_candidate *c = &t->candidates[g->members[0].candidate];
        gbx_auto(gbx_table_free) struct gbx_table table = {};
        gbx_auto(gbx_view_free) struct gbx_view original = {};
        uint64_t matched = 0;
        int r;

        if (!c->original)
                return 0;
        r = read_original(t, c, g->record.json, &table);
        if (r >= 0)
                r = gbx_view_new(&original, &g->record.plan, &table, t->err);
        if (r >= 0)
                r = gbx_votes_aligned(&g->record, &g->keys, &g->view, &original, votes, &matched, &t->notes, t->err);
        if (r < 0)
                return gbx_context(t->err, r, "the original of release %.80s", c->release);
        if (matched > t->matched)
                t->matched = matched;
        return 0;
}

/* Scores all members by one set of votes, which it takes; the better of two sets counts. */
static int score_members(struct tracing *t, const struct group *g, struct gbx_votes *votes, struct gbx_scored *scored,
                         uint64_t *tests) {
        gbx_auto(gbx_scorer_freep) struct gbx_scorer *scorer = NULL;
        struct gbx_scored best = {};
        int r;

        if (votes->count == 0)
                return 0;
        r = gbx_scorer_new(&scorer, votes, t->err);
        for (size_t i = 0; i < g->count && r >= 0; i++) {
                const struct gbx_trace_candidate *c = &t->candidates[g->members[i].candidate];
                struct gbx_scored found;
                uint8_t key[16];

                r = gbx_mark_release_key(&g->keys, c->release, c->recipient, key, t->err);
                if (r >= 0)
                        r = gbx_scorer_run(scorer, key, &found, t->err);
                OPENSSL_cleanse(key, sizeof key);
                if (r < 0)
                        return r;
                if (scored[i].n == 0 || found.log_p < scored[i].log_p)
                        scored[i] = found;
                if (best.n == 0 || found.log_p < best.log_p)
                        best = found;
        }
        if (r < 0)
                return r;
        *tests += gbx_scorer_tests(scorer);
        if (!t->champion.scorer || best.log_p < t->champion.scored.log_p) {
                gbx_scorer_free(t->champion.scorer);
                t->champion.scorer = gbx_take_ptr(scorer);
                t->champion.scored = best;
        }
        return 0;
}

static void add_results(struct tracing *t, const struct group *g, const struct gbx_scored *scored) {
        for (size_t i = 0; i < g->count; i++) {
                const struct member *member = &g->members[i];
                struct gbx_trace_result *result = &t->results[t->result_count++];

                *result = (struct gbx_trace_result){
                        .candidate = member->candidate,
                        .verdict = scored[i].n ? GBX_TRACE_NOT_TRACED : GBX_TRACE_TOO_LITTLE,
                        .test = scored[i].test,
                        .n = scored[i].n,
                        .matches = scored[i].matches,
                        .score = scored[i].score,
                        .adjusted_p = scored[i].log_p,
                };
                if (t->has_content && member->has_content && memcmp(t->content, member->content, GBX_SHA256_SIZE) == 0)
                        result->verdict = GBX_TRACE_CONTENT_MATCH;
        }
}

static int trace_group(struct tracing *t, const struct member *members, size_t count) {
        gbx_auto(group_clear) struct group g = { .members = members, .count = count };
        gbx_auto(gbx_votes_free) struct gbx_votes blind = {}, aligned = {};
        gbx_auto(gbx_free_pointer) struct gbx_scored *scored = calloc(count, sizeof *scored);
        uint64_t tests = 0;
        bool fits, content = false;
        int r;

        if (!scored)
                return gbx_fail_memory(t->err);
        r = open_group(t, &g, &fits);
        if (r < 0)
                return r;
        for (size_t i = 0; i < count && t->has_content; i++)
                content |= members[i].has_content && memcmp(t->content, members[i].content, GBX_SHA256_SIZE) == 0;
        if (!fits && !content)
                return 0;
        if (fits)
                r = gbx_votes_blind(&g.record, &g.keys, &g.view, &blind, t->err);
        if (fits && r >= 0)
                r = vote_by_alignment(t, &g, &aligned);
        if (r >= 0)
                r = score_members(t, &g, &blind, scored, &tests);
        if (r >= 0)
                r = score_members(t, &g, &aligned, scored, &tests);
        if (r < 0)
                return r;
        t->tests += (double)(tests * count);
        if (tests > t->ways)
                t->ways = tests;
        add_results(t, &g, scored);
        return 0;
}

/* --- verdicts --------------------------------------------------------------------- */

/* Accused first, then by p-value, then by score: the order tells nothing about who is not accused. */
static int best_first(const void *a, const void *b) {
        const struct gbx_trace_result *x = a, *y = b;

        if (x->verdict != y->verdict)
                return x->verdict > y->verdict ? -1 : 1;
        if (x->adjusted_p != y->adjusted_p)
                return x->adjusted_p < y->adjusted_p ? -1 : 1;
        return x->score > y->score ? -1 : x->score < y->score;
}

static void judge(struct tracing *t, struct gbx_trace *trace, const struct gbx_trace_options *options) {
        double total = t->tests, log_alpha = log(trace->alpha), log_total;
        bool reachable;

        trace->tested = t->result_count;
        if (options && options->tested > t->result_count) {
                total += (double)(options->tested - t->result_count) * (double)t->ways;
                trace->tested = options->tested;
        }
        log_total = log(fmax(total, 1));
        reachable = t->champion.scorer && gbx_scorer_can_reach(t->champion.scorer, log_alpha - log_total);
        for (size_t i = 0; i < t->result_count; i++) {
                struct gbx_trace_result *result = &t->results[i];
                double log_p = result->n ? result->adjusted_p + log_total : 0;

                result->adjusted_p = fmin(1, exp(log_p));
                if (result->n && log_p <= log_alpha)
                        result->verdict = GBX_TRACE_TRACED;
                else if (result->verdict == GBX_TRACE_NOT_TRACED && !reachable)
                        result->verdict = GBX_TRACE_TOO_LITTLE;
                if (result->verdict == GBX_TRACE_CONTENT_MATCH)
                        result->test = GBX_TRACE_BY_CONTENT;
        }
        qsort(t->results, t->result_count, sizeof *t->results, best_first);
        for (size_t i = 0; i < t->result_count; i++) {
                struct gbx_trace_result *result = &t->results[i];

                if (result->verdict >= GBX_TRACE_CONTENT_MATCH) {
                        trace->accused++;
                        continue;
                }
                result->candidate = GBX_TRACE_NOBODY;
                if (result->score > trace->innocent_maximum)
                        trace->innocent_maximum = result->score;
        }
        if (reachable) {
                double threshold = gbx_scorer_threshold(t->champion.scorer, &t->champion.scored, log_alpha - log_total);

                trace->threshold = isfinite(threshold) ? threshold : 0;
        }
}

/* What the layout adds about the accused, and only about them. */
static int note_layout(struct tracing *t, const struct gbx_trace_result *result, const void *suspect, size_t size) {
        const struct gbx_trace_candidate *c = &t->candidates[result->candidate];
        gbx_auto(gbx_record_free) struct gbx_record record = {};
        gbx_auto(gbx_mark_keys_clear) struct gbx_mark_keys keys = {};
        struct gbx_layout_evidence e = {};
        uint8_t key[16];
        int r = gbx_record_read(&record, c->record, t->err);

        if (r < 0 || record.layout == 0)
                return r;
        r = gbx_mark_keys_derive(t->root, c->family, &keys, t->err);
        if (r >= 0)
                r = gbx_mark_release_key(&keys, c->release, c->recipient, key, t->err);
        if (r >= 0)
                r = gbx_layout_compare(&record, &keys, key, suspect, size, &e, t->err);
        OPENSSL_cleanse(key, sizeof key);
        if (r >= 0 && e.rows + e.zeros + e.spaces + e.members > 0)
                r = gbx_buffer_printf(&t->notes, t->err,
                                      "layout of %s (extra evidence, not counted): %llu of %llu pairs of rows, %llu of %llu cells "
                                      "of prose, %llu of %llu JSON blanks, %llu of %llu pairs of JSON members agree\n",
                                      c->release, (unsigned long long)e.rows_agree, (unsigned long long)e.rows,
                                      (unsigned long long)e.zeros_agree, (unsigned long long)e.zeros,
                                      (unsigned long long)e.spaces_agree, (unsigned long long)e.spaces,
                                      (unsigned long long)e.members_agree, (unsigned long long)e.members);
        return r;
}

static int run(struct tracing *t, const void *suspect, size_t size) {
        int r = gbx_suspect_read(&t->suspect, suspect, size, t->err);

        if (r < 0)
                return r;
        if (t->suspect.table.rows * t->suspect.table.columns <= CONTENT_CELLS) {
                r = gbx_content_digest(suspect, size, t->content, t->err);
                if (r < 0)
                        return r;
                t->has_content = true;
        }
        r = group_candidates(t);
        for (size_t first = 0, end; first < t->count && r >= 0; first = end) {
                for (end = first; end < t->count && memcmp(t->members[first].group, t->members[end].group,
                                                           sizeof t->members[first].group) == 0;
                     end++)
                        ;
                r = trace_group(t, &t->members[first], end - first);
        }
        return r;
}

int gbx_trace(const uint8_t *root, const void *suspect, size_t size, const struct gbx_trace_candidate *candidates,
              size_t count, const struct gbx_trace_options *options, struct gbx_trace *ret_trace,
              struct gbx_error *err) {
        gbx_auto(tracing_free) struct tracing t = { .root = root, .candidates = candidates, .count = count, .err = err };
        struct gbx_trace trace = { .alpha = options && options->alpha > 0 ? options->alpha : default_alpha };
        int r = run(&t, suspect, size);

        if (r < 0)
                return r;
        judge(&t, &trace, options);
        for (size_t i = 0; i < trace.accused && i < LAYOUT_NOTES && r >= 0; i++)
                r = note_layout(&t, &t.results[i], suspect, size);
        if (r < 0)
                return r;
        trace.ways = t.ways;
        trace.count = t.result_count;
        trace.verdict = t.result_count ? t.results[0].verdict : GBX_TRACE_UNRELATED;
        trace.format = t.suspect.format;
        trace.rows = t.suspect.table.rows;
        trace.columns = t.suspect.table.columns - (t.suspect.is_json ? 1 : 0);
        trace.rows_matched = t.matched;
        trace.notes = strdup(gbx_buffer_text(&t.notes));
        if (!trace.notes)
                return gbx_fail_memory(err);
        trace.results = gbx_take_ptr(t.results);
        *ret_trace = trace;
        return 0;
}
