/*
 * What a run tells while it runs and when it ends
 *
 * One JSON object a line on descriptor 3, if that is open. The vocabulary is
 * fixed, because whoever reads it may not see data:
 *
 *   {"progress":0.42}  {"progress":0.42,"step":3}
 *   {"end":"done"}
 *   {"end":"error","rule":"runtime-error","line":12}
 *
 * Progress only rises and has two decimals, so a run says at most 101 such
 * lines. `line` is a line of the script, left out where none applies.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum {
        GBX_REPORT_FD = 3,
        GBX_REPORT_STEP_MAX = 100,
};

enum gbx_rule {
        GBX_RULE_NONE,        /* the run is done */
        GBX_RULE_SYNTAX,      /* the script does not compile, or is bytecode */
        GBX_RULE_RUNTIME,     /* an error that the script raised or did not catch */
        GBX_RULE_RELEASE,     /* a table that cannot be released as it was described */
        GBX_RULE_DATA,        /* a dataset does not match its schema */
        GBX_RULE_MEMORY,      /* limits.memory_bytes */
        GBX_RULE_INSTRUCTIONS, /* limits.instructions */
        GBX_RULE_JOB,         /* /job or /out is not as the engine needs it: not the script's fault */
        GBX_RULE_COUNT_,
};

struct gbx_end {
        enum gbx_rule rule;
        int line; /* of the script, 0 if none applies */
};

struct gbx_report {
        int fd;      /* -1: nobody listens */
        int percent; /* reported last, -1 before the first */
};

/* The name of a rule in the report, say "runtime-error"; "done" for none. */
const char *gbx_rule_name(enum gbx_rule rule);
/* The exit status that goes with it: 0, GBX_EXIT_FAILED or GBX_EXIT_LIMIT. */
int gbx_rule_exit_code(enum gbx_rule rule);

/* Looks whether descriptor 3 is open. Call before anything else opens a file. */
void gbx_report_init(struct gbx_report *report);

/* `fraction` from 0 to 1 is cut to two decimals; what is not higher than before is dropped.
 * `step` from 1 to GBX_REPORT_STEP_MAX, or 0 for none. A reader that went away is no error. */
void gbx_report_progress(struct gbx_report *report, double fraction, int step);
void gbx_report_end(struct gbx_report *report, const struct gbx_end *end);
