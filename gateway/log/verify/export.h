/*
 * Entries for people and other programs: filters and formats
 *
 *   JSON lines    the entry with its number as "index", an object a line
 *   CSV           index,time,actor,action,object,outcome,reasons,details
 *   OpenLineage   run events (openlineage.io, 2-0-2), one a line: START, COMPLETE, FAIL and ABORT of runs with
 *                 their inputs, OTHER for releases with their outputs
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Every field that is set must match; NULL or 0 matches everything. */
struct gbx_log_filter {
        const char *actor, *object, *outcome;
        const char *action;   /* a whole action, or its first part: "run" matches run.start */
        int64_t since, until; /* seconds since 1970; `until` is not included */
};

bool gbx_log_filter_matches(const struct gbx_log_filter *filter, const json_t *entry);

enum gbx_log_format {
        GBX_LOG_JSON_LINES,
        GBX_LOG_CSV,
        GBX_LOG_OPENLINEAGE,
};

/* "jsonl", "csv", "openlineage". -EINVAL names them. */
int gbx_log_format_parse(const char *text, enum gbx_log_format *ret, struct gbx_error *err);

struct gbx_log_export;

/* `origin` names the log; it becomes the namespace of OpenLineage events. */
int gbx_log_export_new(struct gbx_log_export **ret, enum gbx_log_format format, const char *origin,
                       struct gbx_error *err);
struct gbx_log_export *gbx_log_export_free(struct gbx_log_export *export);
static inline void gbx_log_export_freep(struct gbx_log_export **export) { *export = gbx_log_export_free(*export); }

/* Appends what stands in front of the first entry (the CSV header). */
int gbx_log_export_begin(struct gbx_log_export *export, struct gbx_buffer *ret, struct gbx_error *err);

/* Appends entry number `index`. With `matches` false the entry was filtered out: nothing is appended, but what later
 * entries build on (the inputs of a run) is remembered. */
int gbx_log_export_entry(struct gbx_log_export *export, uint64_t index, const json_t *entry, bool matches,
                         struct gbx_buffer *ret, struct gbx_error *err);
