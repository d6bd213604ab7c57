/*
 * Evidence: what the gate must know of a table that its cells do not show
 *
 * The tabulator writes one file a table, of one version of one format
 * (docs/tabulator.md): true numbers of contributors, the largest of them, and
 * the set of contributors of every cell. It is plaintext about people: the
 * gateway seals it as soon as it leaves the sandbox, and nobody else reads it.
 *
 *   "GBXEVID1"                 8 bytes
 *   size of the JSON           8 bytes, least significant first
 *   the JSON                   what is below
 *   sets                       Roaring bitmaps in their portable form, which the JSON names by place and size
 *   SHA-256 of all before it   32 bytes
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "gateway/tabulate/cells.h"

enum { GBX_EVIDENCE_MAX_BYTES = 1 << 30 };

/* Where a set stands, from the first byte behind the JSON. size 0: the set is that of the cell. */
struct gbx_evidence_set {
        uint64_t place, size;
};

/* Of a sum: its contributors' shares, in units of its last decimal. */
struct gbx_evidence_sum {
        struct gbx_wide total, top[GBX_TALLY_TOP];
        size_t count; /* of top; fewer than GBX_TALLY_TOP only if there are no more contributors */
        bool negative;
};

struct gbx_evidence_value {
        char text[GBX_WIDE_TEXT_SIZE]; /* as the table shows it */
        uint64_t rows, contributors;   /* unweighted, of those with all operands */
        struct gbx_evidence_set members;
        struct gbx_evidence_sum sums[2];
        unsigned different;            /* values of `of`: 0, 1, 2, or 3 for more */
        uint64_t with[2];              /* contributors with the first and the second of them, if there are no more than two */
        bool holds_first;              /* of a share: the first of them is the one for which the condition holds */
        struct gbx_evidence_set with_members[2];
        uint64_t below, above;         /* of a quantile: contributors at most and at least there */
};

struct gbx_evidence_cell {
        char *keys[GBX_TABLE_MAX_KEYS]; /* as the table shows them */
        uint8_t states[GBX_TABLE_MAX_KEYS]; /* as struct gbx_cell */
        uint64_t rows, contributors;
        struct gbx_evidence_set members;
        struct gbx_evidence_value *values; /* one a statistic */
};

struct gbx_evidence_statistic {
        char *name;
        unsigned kind; /* enum gbx_statistic_kind */
};

struct gbx_evidence {
        char *table, *data;
        uint64_t rows, contributors; /* of the whole dataset */
        uint64_t absent;             /* combinations of key values without a cell */
        unsigned parameters;         /* of a model: coefficients; 0: no model */
        size_t key_count, statistic_count, cell_count;
        char *keys[GBX_TABLE_MAX_KEYS];
        struct gbx_evidence_statistic statistics[GBX_TABLE_MAX_STATISTICS];
        struct gbx_evidence_cell *cells;
        struct gbx_buffer sets; /* the bytes that gbx_evidence_set points into */
};

/* Of the whole dataset, for the file's head. */
struct gbx_evidence_source {
        const char *data;
        const char *contributor; /* the column; NULL: each row is one */
        uint64_t rows, contributors;
        unsigned parameters; /* of a model: coefficients; 0: no model */
};

/* Appends the file for settled cells. */
int gbx_evidence_write(const struct gbx_cells *cells, const struct gbx_evidence_source *source, struct gbx_buffer *ret, struct gbx_error *err);

/* Reads a file. -EBADMSG: its digest is wrong. -EINVAL: it is not of this form. */
int gbx_evidence_read(struct gbx_evidence **ret, const void *data, size_t size, struct gbx_error *err);
struct gbx_evidence *gbx_evidence_free(struct gbx_evidence *evidence);
static inline void gbx_evidence_freep(struct gbx_evidence **evidence) { *evidence = gbx_evidence_free(*evidence); }

/* A set as a bitmap, which the caller frees with roaring_bitmap_free. -EBADMSG: it is none. */
int gbx_evidence_members(const struct gbx_evidence *evidence, const struct gbx_evidence_set *set, roaring_bitmap_t **ret, struct gbx_error *err);
