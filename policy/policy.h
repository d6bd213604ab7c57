/*
 * Policies
 *
 * A policy says for one purpose which datasets may be used, by which engines,
 * who approves algorithms, how much a run may consume, and what may leave it.
 * The format is described in docs/policy-reference.md; its tables are in
 * policy.c. A policy is named by the SHA-256 of its file's bytes.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "policy/problems.h"
#include "policy/yaml.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum gbx_engine { GBX_ENGINE_LUA, GBX_ENGINE_NATIVE, GBX_ENGINE_LUA_SQL /* with data.query */, GBX_ENGINE_COUNT };

/* Types of columns and of parameters. */
enum gbx_type { GBX_TYPE_INTEGER, GBX_TYPE_DECIMAL, GBX_TYPE_TEXT, GBX_TYPE_DATE, GBX_TYPE_BOOLEAN, GBX_TYPE_COUNT };

enum gbx_declared_counts { GBX_COUNTS_HOLD, GBX_COUNTS_TRUST_REVIEWED_CODE };
enum gbx_hold { GBX_HOLD_ON_FAILURE, GBX_HOLD_NEVER, GBX_HOLD_ALWAYS };
enum gbx_watermark { GBX_WATERMARK_REQUIRED, GBX_WATERMARK_OFF };
enum gbx_opaque { GBX_OPAQUE_REFUSE, GBX_OPAQUE_HOLD };
enum gbx_network { GBX_NETWORK_NONE, GBX_NETWORK_FLOWS };

enum {
        GBX_POLICY_MAX_OPEN_FILES = 1000, /* as many as the sandbox gives (runtime/sandbox/spec.h) */
        GBX_POLICY_MAX_CPU_PERCENT = 100 * 1024,
        GBX_POLICY_MAX_OUTPUT_NAME = 60, /* with ".csv" a name (base/text.h) */
};

struct gbx_policy_approvals {
        uint64_t required;          /* distinct reviewers */
        struct gbx_texts reviewers; /* who may; never empty if required > 0 */
        bool exclude_submitter;
        uint64_t valid_ms; /* the longest life of an approval */
};

struct gbx_policy_limits {
        uint64_t wall_ms, cpu_ms;
        uint64_t memory_bytes;
        uint64_t processes;
        uint64_t open_files;
        uint64_t output_bytes;  /* all of /out */
        uint64_t output_files;
        uint64_t scratch_bytes; /* all of /tmp */
        uint64_t cpu_percent;   /* of one processor: slowed, not killed; 0: no cap */
};

/* What makes it harder for a job to learn of others on the same machine by timing; both cost speed. */
struct gbx_policy_sandbox {
        bool core_scheduling; /* no core is shared with threads of others */
        bool coarse_timers;   /* reading the time stamp counter faults */
};

/* What of a job's own words reaches the requester. The job chooses both, so both can carry data. */
struct gbx_policy_messages {
        bool line;     /* in which line of its script a job failed */
        bool progress; /* how far a job says it has come, in tenths */
};

/* A column that tables may have when the policy lists them. */
struct gbx_policy_column {
        char *name;
        unsigned type;           /* enum gbx_type */
        struct gbx_texts values; /* the only texts allowed; empty: any */
        char *unit;              /* the finest unit a decimal may be declared with; NULL: any */
        bool mark;               /* a watermark may replace texts by others of the column: false facts */
        bool prose;              /* a watermark may put an invisible character into its texts */
        /* What a watermark must respect in numbers (watermark/mark.h): */
        bool exact;             /* never changed, whatever its unit */
        uint64_t weight;        /* share of the marks, against the other columns; 0: 1 */
        char *minimum, *maximum; /* decimals that marks do not cross; NULL: none */
        bool keep_total;        /* the total over all rows of a table stays */
        char *sum_group;        /* columns of one group keep their sum in each row; NULL: none */
        char *per;              /* column whose value decides this one, so that its rows are marked alike; NULL: none */
};

struct gbx_policy_release {
        uint64_t minimum_count; /* contributors of each row */
        uint64_t max_tables, max_rows, max_columns, max_bytes; /* max_bytes: of all tables together */
        uint64_t max_text;          /* bytes of one text cell */
        unsigned declared_counts;   /* enum gbx_declared_counts */
        unsigned hold;              /* enum gbx_hold */
        unsigned opaque;            /* enum gbx_opaque */
        unsigned watermark;         /* enum gbx_watermark */
        bool banner;                /* each table begins with a comment line that says whose copy it is */
        uint64_t coalition;         /* recipients who may pool their copies and still be traced, 2 to 8; 0: by the table */
        bool row_order_mark;        /* the order of rows means nothing: a watermark may swap neighbours */
        struct gbx_texts recipients; /* principals; empty: the requester of the run */
        struct gbx_texts outputs;    /* names that tables may have; empty: the gate numbers them */
        struct gbx_records columns;  /* struct gbx_policy_column; empty: any name and text */
};

/* Who judges outputs that the gate held (policy/decision_outputs.h). The requester of the run never does. */
struct gbx_policy_output_review {
        uint64_t required;          /* distinct reviewers */
        struct gbx_texts reviewers; /* who may; empty: everybody with the role */
        bool exclude_submitter;
        bool blind; /* reviewers learn of each other's decisions only when they have made their own */
};

/* Bytes of one text in a list of texts. */
enum { GBX_TEXT_PARAMETER_MAX = 256 };

/* What analysts may set when they run an approved algorithm. */
struct gbx_policy_parameter {
        char *name;
        unsigned type; /* enum gbx_type */
        bool list;     /* an array of such values, no two the same */
        bool required;
        struct gbx_texts values; /* the only values allowed, as text; empty: any in [min, max] */
        char *min, *max;         /* of integers and decimals; NULL: open */
        uint64_t max_length;     /* bytes of a text, elements of a list */
};

/* Of all flows of an analyst, or of all runs on a dataset: failures in the window after which they are closed. */
struct gbx_policy_flow_breakers {
        uint64_t analyst_failures, dataset_failures;
        uint64_t window_ms;
};

/* What one analyst's flows, or the flows of all runs on one dataset, may use on one day (UTC); 0: no limit. */
struct gbx_policy_flow_quota {
        uint64_t request_bytes_day, response_bytes_day, connections_day;
};

struct gbx_policy_flow_quotas {
        struct gbx_policy_flow_quota analyst, dataset;
};

struct gbx_policy {
        char *name;
        char *purpose;
        struct gbx_texts datasets;
        unsigned engines; /* 1 << enum gbx_engine */
        struct gbx_policy_approvals approvals;
        struct gbx_policy_limits limits;
        struct gbx_policy_sandbox sandbox;
        struct gbx_policy_messages messages;
        struct gbx_policy_release release;
        struct gbx_policy_output_review output_review;
        struct gbx_records parameters; /* struct gbx_policy_parameter */
        unsigned network;              /* enum gbx_network */
        struct gbx_records flows;      /* struct gbx_policy_flow (policy/flows.h); with GBX_NETWORK_FLOWS, and only then */
        struct gbx_policy_flow_breakers flow_breakers;
        struct gbx_policy_flow_quotas flow_quotas;

        struct gbx_buffer source;               /* the file's bytes */
        char digest[GBX_SHA256_TEXT_SIZE];      /* of those */
};

/* Parses the bytes of a policy file. `problems` may be NULL; otherwise it gets all problems, under the file's name
 * `file`. Errors: -EINVAL with the first problem as the message. */
int gbx_policy_parse(struct gbx_policy **ret, const char *file, const void *data, size_t size,
                     struct gbx_problems *problems, struct gbx_error *err);

/* The same for a file by path. */
int gbx_policy_load(struct gbx_policy **ret, const char *path, struct gbx_problems *problems, struct gbx_error *err);

struct gbx_policy *gbx_policy_free(struct gbx_policy *policy);
static inline void gbx_policy_freep(struct gbx_policy **policy) { *policy = gbx_policy_free(*policy); }

/* A description for people, a line a fact, as `gbx policy show` prints it. */
int gbx_policy_describe(const struct gbx_policy *policy, struct gbx_buffer *buffer, struct gbx_error *err);

/* The words of the format: "lua", "integer". */
const char *gbx_engine_name(enum gbx_engine engine);
const char *gbx_column_type_name(enum gbx_type type);
/* Negative: no such engine. */
int gbx_engine_parse(const char *name);
int gbx_column_type_parse(const char *name);

/* Checks a job's parameters (a JSON object) against the policy: the number of complaints, each appended to `buffer`
 * as one line that does not repeat the value; 0 if all is well. Without a `parameters` section none are allowed. */
int gbx_policy_check_parameters(const struct gbx_policy *policy, const json_t *parameters, struct gbx_buffer *buffer,
                                struct gbx_error *err);
