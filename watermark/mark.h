/*
 * Marking: a copy of a table (or of JSON) that names its recipient
 *
 * The keyed cell fingerprint. A keyed pseudorandom function of the row's key
 * chooses cells; all recipients of one logical table (one family) share the
 * places, so that comparing copies does not find them. Each chosen cell
 * carries one symbol, drawn independently for (release, cell). It is embedded
 * as the parity of value / unit: half of the chosen cells move by one unit up
 * or down, evenly, the others not at all. See docs/watermark.md for what a
 * mark promises; the building blocks are those of Agrawal and Kiernan (VLDB
 * 2002) for the choice of cells and Tardos (STOC 2003; symmetric score of
 * Skoric et al. 2008) for the code.
 *
 * Tables that are too small for a traceable mark get keyed stochastic rounding
 * where finer digits than the unit are at hand, parity elsewhere, and are
 * recognised by their content (the caller's register of digests): `claim`
 * says which.
 *
 * Marking is deterministic: the same request and bytes give the same copy. It
 * never touches key columns, exact columns, zeros, missing values, a value
 * that is common in its column, or a digit that would move a value across a
 * declared minimum, maximum or threshold.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_MARK_ROOT_SIZE = 32,
        GBX_MARK_MAX_COLUMNS = 4096,
};

enum gbx_mark_type {
        GBX_MARK_TEXT = 0,
        GBX_MARK_INTEGER,
        GBX_MARK_DECIMAL,
};

enum gbx_mark_role {
        GBX_MARK_VALUE = 0, /* may be marked if it has a unit */
        GBX_MARK_KEY,       /* names the row, alone or with other key columns; never changed */
        GBX_MARK_COUNT,     /* a number of contributors; marked only if it has a unit */
};

struct gbx_mark_column {
        const char *name; /* as in the header; for JSON a pattern, see gbx_mark_json */
        enum gbx_mark_type type;
        enum gbx_mark_role role;
        const char *unit;      /* tolerated step as a decimal, say "0.001"; NULL: the column stays exact */
        bool exact;            /* stays exact even if it has a unit */
        unsigned weight;       /* share of the cells chosen, against the other columns; 0 means 1 */
        const char *minimum;   /* decimals; NULL: none. Marking stays within them */
        const char *maximum;
        const char *threshold; /* a value at or above it stays so, a value below it stays so; NULL: none */
        bool keep_total;       /* the column's total over all rows stays as it is */
        const char *sum_group; /* columns of one group keep their sum in every row; NULL: none */
        const char *per;       /* column whose value decides this one (a household's income: "household"),
                                * so that all its rows carry the same mark; NULL: none */
        bool prose;            /* text only: may get an invisible character (GBX_MARK_ZERO_WIDTH) */
        bool mark_text;        /* text only: may be replaced by another value of the column (a false fact) */
};

enum gbx_mark_code {
        GBX_MARK_CODE_AUTO = 0,
        GBX_MARK_CODE_UNBIASED, /* every symbol 0 or 1 with probability 1/2: names a single leaker */
        GBX_MARK_CODE_TARDOS,   /* biased symbols: names one of up to `coalition` pooling recipients */
};

/* Marks in the layout: extra evidence, fragile, never counted in the error bound. Off unless asked for. */
enum {
        GBX_MARK_ROW_ORDER = 1 << 0,   /* CSV: which of two rows comes first; only where order carries no meaning */
        GBX_MARK_ZERO_WIDTH = 1 << 1,  /* CSV: U+200B behind the first blank of a cell of a prose column */
        GBX_MARK_JSON_SPACES = 1 << 2, /* JSON: a blank behind the colon of a member */
        GBX_MARK_JSON_ORDER = 1 << 3,  /* JSON: which of two neighbouring members comes first */
        GBX_MARK_LAYOUTS = 15,
};

/* All zero is a good choice. */
struct gbx_mark_options {
        enum gbx_mark_code code;
        unsigned coalition;     /* Tardos: 2 to 8; 0 means the largest of 2, 3, 5 that the capacity carries */
        uint32_t gamma;         /* one row of `gamma` is chosen; 0 means by the size of the table */
        uint32_t cells_per_row; /* chosen in each such row; 0 means by the size of the table */
        uint64_t releases;      /* that a trace must tell apart; 0 means 1,000 */
        double alpha;           /* bound on accusing any innocent in one trace; 0 means 1e-6 */
        unsigned layout;        /* sum of GBX_MARK_ROW_ORDER, … */
        const char *banner;     /* CSV: a visible comment line in front, "# " and this text; NULL: none. Readers must be
                                 * told to skip it; anybody can remove it */
        unsigned virtual_keys;  /* 1 to 8, made of stable columns; 0 means 6 where no key column is declared, else none */
};

struct gbx_mark_request {
        const uint8_t *root;   /* GBX_MARK_ROOT_SIZE secret bytes of the site */
        const char *family;    /* text that all releases of one logical table share: dataset, query or algorithm, schema */
        const char *release;   /* this release's id, never used twice */
        const char *recipient;
        const struct gbx_mark_column *columns; /* columns not declared here stay exact */
        size_t column_count;
        struct gbx_mark_options options;
};

enum gbx_mark_claim {
        GBX_MARK_MANIFEST_ONLY = 0, /* nothing could be marked; only the signed manifest speaks */
        GBX_MARK_CONTENT_REGISTRY,  /* too few cells to name one of `releases`; recognised by content */
        GBX_MARK_TRACEABLE,         /* at least floor_cells cells carry symbols */
};

struct gbx_mark {
        const char *scheme; /* "keyed-cell-v1", "keyed-rounding-v1" (small tables) or "none" */
        enum gbx_mark_claim claim;
        enum gbx_mark_code code; /* UNBIASED or TARDOS */
        unsigned coalition;      /* 1 for the unbiased code */
        uint32_t gamma, cells_per_row;
        uint64_t capacity_cells;  /* independent symbols embedded */
        uint64_t floor_cells;     /* symbols needed, undamaged, to name one of `releases` at `alpha` */
        uint64_t cells_marked;    /* cells that carry them (rows with one key carry the same symbol) */
        uint64_t cells_changed;   /* cells whose text differs from the original */
        uint64_t cells_unmarkable; /* chosen, but a constraint forbade the change */
        uint8_t digest[GBX_SHA256_SIZE];         /* of the marked bytes: log it before delivery */
        uint8_t content_digest[GBX_SHA256_SIZE]; /* of the content, whatever its layout (content.h) */
        char *record; /* one line of JSON with all that a trace needs but the root key. Keep it with the release;
                       * no secret, but not for the recipient */
};

/* Marks canonical CSV with a header. `ret_marked` gets the copy appended. Errors: -EINVAL with line and
 * column where the table or a declaration is wrong. A table in which nothing can be marked is no error. */
int gbx_mark_table(const struct gbx_mark_request *request, const void *csv, size_t size,
                   struct gbx_buffer *ret_marked, struct gbx_mark *ret_mark, struct gbx_error *err);

/* The same for the numeric leaves of a JSON text. A column's name is a JSON Pointer (RFC 6901) with "*" for
 * any array index; an element of an array is known by its members that are declared as keys, else by its index. */
int gbx_mark_json(const struct gbx_mark_request *request, const void *json, size_t size,
                  struct gbx_buffer *ret_marked, struct gbx_mark *ret_mark, struct gbx_error *err);

/* The words of the manifest: "traceable", "content-registry", "manifest-only"; "unbiased", "tardos". */
const char *gbx_mark_claim_text(enum gbx_mark_claim claim);
const char *gbx_mark_code_text(enum gbx_mark_code code);

/* Takes what a call filled; all zero afterwards. */
void gbx_mark_clear(struct gbx_mark *mark);
