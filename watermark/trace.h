/*
 * Tracing: from which release does this file come?
 *
 * The suspect may be CSV with any usual separator, JSON, JSON lines, or a
 * table pasted as text; columns may be renamed, dropped or reordered, rows
 * sorted or sampled, numbers reformatted, rounded or scaled. The candidates
 * are the releases that could be the source, of any number of families.
 *
 * A release is accused only if the probability that chance does as well, for
 * any of all releases tested in all ways they were tested, is at most
 * `alpha`. That bound rests on the secrecy of the root key alone, not on the
 * data. Results of releases not accused carry no name (`candidate` is
 * GBX_TRACE_NOBODY). See docs/watermark.md for the words.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GBX_TRACE_NOBODY SIZE_MAX

struct gbx_trace_candidate {
        const char *release;
        const char *recipient;
        const char *family; /* the same text as at marking */
        const char *record; /* gbx_mark.record */
        /* The table before marking (CSV or JSON), where it was kept or made again by replay; else NULL. Makes
         * the trace stronger: rows are found by alignment even if their keys are gone. Candidates of one
         * family usually share it. */
        const void *original;
        size_t original_size;
};

struct gbx_trace_options {
        double alpha;    /* 0 means 1e-6 */
        uint64_t tested; /* number of releases to correct for, if more than the candidates given; 0: those given */
};

enum gbx_trace_verdict {
        GBX_TRACE_UNRELATED = 0, /* the file does not look like any family: nothing was tested */
        GBX_TRACE_TOO_LITTLE,    /* too few marked cells survive for any statement */
        GBX_TRACE_NOT_TRACED,    /* tested, and the bound is not met: names nobody */
        GBX_TRACE_CONTENT_MATCH, /* the content is that of these releases, of several if they were given the same */
        GBX_TRACE_TRACED,        /* the bound is met: this release is a source of the file */
};

enum gbx_trace_test {
        GBX_TRACE_BY_MATCHES = 0, /* unbiased code: matches of n, exact binomial tail */
        GBX_TRACE_BY_LIKELIHOOD,  /* biased code, one leaker: log-likelihood ratio, exact or Chernoff tail */
        GBX_TRACE_BY_COLLUSION,   /* biased code, several leakers: symmetric Tardos score, exact or Chernoff tail */
        GBX_TRACE_BY_CONTENT,     /* equality of content digests */
};

struct gbx_trace_result {
        size_t candidate;               /* index, or GBX_TRACE_NOBODY if not accused */
        enum gbx_trace_verdict verdict; /* NOT_TRACED, TOO_LITTLE, CONTENT_MATCH or TRACED */
        enum gbx_trace_test test;       /* the test that spoke loudest */
        uint64_t n;                     /* symbols read */
        uint64_t matches;               /* of them equal to this release's */
        double score;                   /* standard deviations above what innocents get on average */
        double adjusted_p;              /* at most 1; bound on chance, corrected for all that was tested */
};

struct gbx_trace {
        enum gbx_trace_verdict verdict; /* the strongest of all results */
        struct gbx_trace_result *results; /* best first; one for each candidate of a family that fitted */
        size_t count;
        size_t accused;     /* how many of them, at the front, are TRACED or CONTENT_MATCH */
        uint64_t tested;    /* releases corrected for */
        uint64_t ways;      /* tests a release was put to (keys, alignment, scores), corrected for too */
        double alpha;
        double threshold;   /* the score (standard deviations) at which the best test's p-value meets the bound; 0: none */
        double innocent_maximum; /* highest score of those not accused; 0 if there is none */
        const char *format; /* as which the file was read: "CSV", "TSV", "JSON", "text table", … */
        uint64_t rows, columns; /* read */
        uint64_t rows_matched;  /* found in the family's table by key or by alignment */
        char *notes; /* one a line: renamed columns, scaled units, marks in the layout, … ("" if none) */
};

/* Errors: -EINVAL where the file is no table (says as what it was read, with line and column), or a record is
 * damaged; -EFBIG above 1 GiB. An innocent file is no error. */
int gbx_trace(const uint8_t *root, const void *suspect, size_t size, const struct gbx_trace_candidate *candidates,
              size_t count, const struct gbx_trace_options *options, struct gbx_trace *ret_trace,
              struct gbx_error *err);

/* The words of docs/watermark.md: "traced", "content-match", "not-traced", "too-little", "unrelated". */
const char *gbx_trace_verdict_text(enum gbx_trace_verdict verdict);
/* "matches", "likelihood", "collusion", "content". */
const char *gbx_trace_test_text(enum gbx_trace_test test);

/* The picture: scores of all tested releases, the threshold, the accused by name. Appends an SVG document. */
int gbx_trace_plot(const struct gbx_trace *trace, const struct gbx_trace_candidate *candidates,
                   struct gbx_buffer *buffer, struct gbx_error *err);

/* Takes what a call filled; all zero afterwards. */
void gbx_trace_clear(struct gbx_trace *trace);
