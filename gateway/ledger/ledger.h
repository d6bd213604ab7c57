/*
 * The ledger: whether a release, together with all that left before, says too much
 *
 * Everything that left is kept as sets of units. A new release is compared with
 * all releases of the same dataset to the same recipient or to somebody who may
 * collude with him, in all combinations: differences, complements, unions of parts,
 * any sum with any weights. If some combination of counts, or of sums of one
 * column, is over fewer units than the threshold, the release is held.
 *
 * What is found is certain: the combination is given. What is promised not to exist:
 *   - any combination at all over units that no table tells apart in groups
 *     below the threshold: none exists in such a group of units unless it is found;
 *   - a combination that leaves one such small group alone.
 * Combinations over several small groups are searched for (search.c says how far);
 * docs/disclosure.md states the bounds.
 *
 * In memory; the caller keeps the records. The same records in the same order give
 * the same decisions. Not for two threads at once.
 */
#pragma once

#include "gateway/ledger/record.h"

struct gbx_ledger;

struct gbx_ledger_options {
        uint64_t minimum; /* the threshold of units: 2 to 1,000 */
        uint64_t seed;    /* secret, the same at each start: arithmetic is modulo a prime derived from it */
        /* Groups of recipients who may pool what they get; groups with a common member are one. NULL: everybody. */
        const char *const *const *coalitions; /* each ends with NULL */
        size_t coalition_count;
};

int gbx_ledger_new(const struct gbx_ledger_options *options, struct gbx_ledger **ret, struct gbx_error *err);
void gbx_ledger_free(struct gbx_ledger *ledger);
static inline void gbx_ledger_freep(struct gbx_ledger **ledger) { gbx_ledger_free(*ledger); }

/* Everybody knows how many units the dataset has, and how often the whole was counted: say so before its first record. */
int gbx_ledger_know_whole(struct gbx_ledger *ledger, const char *dataset, const roaring_bitmap_t *units, struct gbx_error *err);

/* Notes a release that leaves. */
int gbx_ledger_record(struct gbx_ledger *ledger, const struct gbx_ledger_release *release, struct gbx_error *err);

/* Notes all records that a reader gives: `next` returns 0 with a record's bytes, 1 at the end, or a negative error. */
typedef int gbx_ledger_next(void *context, struct gbx_buffer *ret, struct gbx_error *err);
int gbx_ledger_load(struct gbx_ledger *ledger, gbx_ledger_next *next, void *context, struct gbx_error *err);

enum gbx_ledger_reason {
        GBX_LEDGER_SMALL = 1,      /* a cell alone is over too few units */
        GBX_LEDGER_DIFFERENCE = 2, /* a combination of cells is */
        GBX_LEDGER_TOO_LARGE = 3,  /* the ledger could not decide within its limits */
};

/* One cell of the combination that was found. */
struct gbx_ledger_part {
        char *release; /* of the new one or of an earlier one */
        char *label;
        int64_t weight;
};

/* For reviewers only. */
struct gbx_ledger_finding {
        enum gbx_ledger_reason reason;
        char *column;
        uint64_t units; /* that the combination is over */
        struct gbx_ledger_part *parts;
        size_t part_count;
};

/* 0: nothing found. GBX_LEDGER_HELD: with the finding. Nothing is noted. */
enum { GBX_LEDGER_HELD = 1 };
int gbx_ledger_decide(struct gbx_ledger *ledger, const struct gbx_ledger_release *release, struct gbx_ledger_finding *ret,
                      struct gbx_error *err);
void gbx_ledger_finding_clear(struct gbx_ledger_finding *finding);

/* All that an analyst learns: "released" or "held". */
const char *gbx_ledger_word(int decision);
const char *gbx_ledger_reason_text(enum gbx_ledger_reason reason);
