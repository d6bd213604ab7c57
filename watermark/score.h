/*
 * Scores: how well the symbols of each release fit the votes
 *
 * Votes are judged in ways: all together, and each layer by itself if there
 * are several (a key that was destroyed must not drown the others). In each
 * way a biased code is put to two tests. The caller corrects for all of them.
 */
#pragma once

#include "watermark/trace.h"
#include "watermark/votes.h"

struct gbx_scorer; /* votes with their weights and the distributions for innocents */

struct gbx_scored {
        double log_p; /* of the best way and test, not corrected */
        double score; /* standard deviations, there */
        uint64_t n, matches;
        unsigned way; /* for gbx_scorer_threshold */
        enum gbx_trace_test test;
};

/* Takes the votes, on success. */
int gbx_scorer_new(struct gbx_scorer **ret, struct gbx_votes *votes, struct gbx_error *err);
struct gbx_scorer *gbx_scorer_free(struct gbx_scorer *scorer);
static inline void gbx_scorer_freep(struct gbx_scorer **scorer) { *scorer = gbx_scorer_free(*scorer); }

/* Tests that a release is put to: ways times tests. */
uint64_t gbx_scorer_tests(const struct gbx_scorer *scorer);

/* The score of a release by its key. */
int gbx_scorer_run(struct gbx_scorer *scorer, const uint8_t key[static 16], struct gbx_scored *ret,
                   struct gbx_error *err);

/* The score, in standard deviations, at which ln p <= log_p in the way and test of `scored`; infinite if nowhere. */
double gbx_scorer_threshold(const struct gbx_scorer *scorer, const struct gbx_scored *scored, double log_p);

/* Whether even a perfect fit could reach ln p <= log_p. */
bool gbx_scorer_can_reach(const struct gbx_scorer *scorer, double log_p);
