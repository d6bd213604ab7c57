#include "watermark/score.h"

#include "base/cleanup.h"
#include "watermark/code.h"
#include "watermark/stats.h"

#include <math.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { LIKELIHOOD, COLLUSION, KINDS };

struct weight {
        int32_t one[KINDS], zero[KINDS];
};

struct sums {
        uint64_t matches;
        int64_t score[KINDS];
};

/* Votes [first, end) judged together. */
struct way {
        size_t first, end;
        struct gbx_null *null[KINDS]; /* NULL for an unbiased code */
};

struct gbx_scorer {
        struct gbx_votes votes;
        struct weight *weights;
        struct gbx_cell_id *ids;
        struct gbx_draw *draws;
        struct way ways[GBX_LAYER_MAX + 1]; /* the last is all votes together */
        unsigned way_count;
        bool unbiased;
};

static struct gbx_weights weights_of(const struct gbx_vote *vote, int kind) {
        double p = vote->threshold * 0x1p-32;

        return kind == LIKELIHOOD ? gbx_code_likelihood_weights(p, vote->observed)
                                  : gbx_code_collusion_weights(p, vote->observed);
}

/* A threshold of 0 would make weights infinite; it comes up once in 2^32 and says nothing. */
static bool useless(const struct gbx_vote *vote) { return vote->threshold == 0; }

static void compute_weights(struct gbx_scorer *s, int kind) {
        double variance = 0, scale;

        for (size_t i = 0; i < s->votes.count; i++) {
                const struct gbx_vote *vote = &s->votes.items[i];
                double p = vote->threshold * 0x1p-32;
                struct gbx_weights w = weights_of(vote, kind);

                if (!useless(vote))
                        variance += p * (1 - p) * (w.one - w.zero) * (w.one - w.zero);
        }
        scale = gbx_null_scale(s->votes.count < GBX_NULL_EXACT_CELLS ? s->votes.count : GBX_NULL_EXACT_CELLS, variance);
        for (size_t i = 0; i < s->votes.count; i++) {
                struct gbx_weights w = weights_of(&s->votes.items[i], kind);

                if (useless(&s->votes.items[i]))
                        w = (struct gbx_weights){};
                s->weights[i].one[kind] = (int32_t)lround(w.one * scale);
                s->weights[i].zero[kind] = (int32_t)lround(w.zero * scale);
        }
}

static int compute_null(struct gbx_scorer *s, struct way *way, int kind, struct gbx_error *err) {
        size_t count = way->end - way->first;
        gbx_auto(gbx_free_pointer) struct gbx_null_cell *cells = calloc(count + 1, sizeof *cells);

        if (!cells)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < count; i++)
                cells[i] = (struct gbx_null_cell){ s->votes.items[way->first + i].threshold * 0x1p-32,
                                                   s->weights[way->first + i].one[kind],
                                                   s->weights[way->first + i].zero[kind] };
        return gbx_null_new(&way->null[kind], cells, count, err);
}

static void find_ways(struct gbx_scorer *s) {
        size_t count = s->votes.count;

        for (size_t first = 0, end; first < count; first = end) {
                for (end = first; end < count && s->votes.items[end].layer == s->votes.items[first].layer; end++)
                        ;
                s->ways[s->way_count++] = (struct way){ first, end, {} };
        }
        if (s->way_count > 1)
                s->ways[s->way_count++] = (struct way){ 0, count, {} };
}

int gbx_scorer_new(struct gbx_scorer **ret, struct gbx_votes *votes, struct gbx_error *err) {
        gbx_auto(gbx_scorer_freep) struct gbx_scorer *s = calloc(1, sizeof *s);
        int r = 0;

        if (!s)
                return gbx_fail_memory(err);
        s->weights = calloc(votes->count + 1, sizeof *s->weights);
        s->ids = calloc(votes->count + 1, sizeof *s->ids);
        s->draws = calloc(votes->count + 1, sizeof *s->draws);
        if (!s->weights || !s->ids || !s->draws)
                return gbx_fail_memory(err);
        s->votes = *votes;
        s->unbiased = true;
        for (size_t i = 0; i < votes->count; i++) {
                s->ids[i] = votes->items[i].id;
                s->unbiased &= votes->items[i].threshold == UINT32_C(1) << 31;
        }
        find_ways(s);
        for (int kind = 0; kind < KINDS && !s->unbiased; kind++) {
                compute_weights(s, kind);
                for (unsigned i = 0; i < s->way_count && r >= 0; i++)
                        r = compute_null(s, &s->ways[i], kind, err);
        }
        if (r < 0) {
                s->votes = (struct gbx_votes){};
                return r;
        }
        *votes = (struct gbx_votes){};
        *ret = gbx_take_ptr(s);
        return 0;
}

struct gbx_scorer *gbx_scorer_free(struct gbx_scorer *s) {
        if (s) {
                for (unsigned i = 0; i < s->way_count; i++)
                        for (int kind = 0; kind < KINDS; kind++)
                                gbx_null_free(s->ways[i].null[kind]);
                if (s->draws)
                        OPENSSL_cleanse(s->draws, s->votes.count * sizeof *s->draws);
                free(s->draws);
                free(s->ids);
                free(s->weights);
                gbx_votes_free(&s->votes);
                free(s);
        }
        return NULL;
}

uint64_t gbx_scorer_tests(const struct gbx_scorer *s) { return s->way_count * (uint64_t)(s->unbiased ? 1 : KINDS); }

static struct sums add_votes(const struct gbx_scorer *s, size_t first, size_t end) {
        struct sums sums = {};

        for (size_t i = first; i < end; i++) {
                const struct gbx_vote *vote = &s->votes.items[i];
                uint32_t draw = vote->rounding ? s->draws[i].rounding : s->draws[i].symbol;
                bool one = draw < vote->threshold;
                const int32_t *w = one ? s->weights[i].one : s->weights[i].zero;

                sums.matches += one == vote->observed;
                sums.score[LIKELIHOOD] += w[LIKELIHOOD];
                sums.score[COLLUSION] += w[COLLUSION];
        }
        return sums;
}

static void consider(const struct gbx_scorer *s, unsigned way, const struct sums *sums, struct gbx_scored *best) {
        uint64_t n = s->ways[way].end - s->ways[way].first;
        struct gbx_scored found = { .n = n, .matches = sums->matches, .way = way };

        if (s->unbiased) {
                found.test = GBX_TRACE_BY_MATCHES;
                found.log_p = gbx_binomial_tail(n, sums->matches);
                found.score = (2 * (double)sums->matches - (double)n) / sqrt((double)n);
                if (found.log_p < best->log_p || best->n == 0)
                        *best = found;
                return;
        }
        for (int kind = 0; kind < KINDS; kind++) {
                const struct gbx_null *null = s->ways[way].null[kind];

                found.test = kind == LIKELIHOOD ? GBX_TRACE_BY_LIKELIHOOD : GBX_TRACE_BY_COLLUSION;
                found.log_p = gbx_null_tail(null, sums->score[kind]);
                found.score = ((double)sums->score[kind] - gbx_null_mean(null)) / fmax(gbx_null_deviation(null), 1e-9);
                if (found.log_p < best->log_p || best->n == 0)
                        *best = found;
        }
}

int gbx_scorer_run(struct gbx_scorer *s, const uint8_t key[static 16], struct gbx_scored *ret, struct gbx_error *err) {
        struct gbx_scored best = {};
        struct sums all = {};
        int r = gbx_mark_draw(key, s->ids, s->votes.count, s->draws, err);

        if (r < 0)
                return r;
        for (unsigned i = 0; i < s->way_count; i++) {
                bool last = s->way_count > 1 && i + 1 == s->way_count;
                struct sums sums = last ? all : add_votes(s, s->ways[i].first, s->ways[i].end);

                all.matches += sums.matches;
                for (int kind = 0; kind < KINDS; kind++)
                        all.score[kind] += sums.score[kind];
                consider(s, i, &sums, &best);
        }
        *ret = best;
        return 0;
}

double gbx_scorer_threshold(const struct gbx_scorer *s, const struct gbx_scored *scored, double log_p) {
        const struct way *way = &s->ways[scored->way];
        double n = (double)(way->end - way->first);
        const struct gbx_null *null;
        int64_t score;

        if (s->unbiased) {
                uint64_t m = gbx_binomial_threshold(way->end - way->first, log_p);

                return (double)m > n ? INFINITY : (2 * (double)m - n) / sqrt(n);
        }
        null = way->null[scored->test == GBX_TRACE_BY_COLLUSION ? COLLUSION : LIKELIHOOD];
        score = gbx_null_threshold(null, log_p);
        return score == INT64_MAX ? INFINITY : ((double)score - gbx_null_mean(null)) / gbx_null_deviation(null);
}

bool gbx_scorer_can_reach(const struct gbx_scorer *s, double log_p) {
        for (unsigned i = 0; i < s->way_count; i++) {
                if (s->unbiased ? (double)(s->ways[i].end - s->ways[i].first) * -M_LN2 <= log_p
                                : gbx_null_threshold(s->ways[i].null[LIKELIHOOD], log_p) != INT64_MAX)
                        return true;
        }
        return false;
}
