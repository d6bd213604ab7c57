/*
 * The release gate
 *
 * What a job left in /out is hostile. It is parsed by gbx-gate alone, a
 * program that runs in a sandbox of its own (profile "gate") with copies of the
 * outputs as a read-only mount, the policy and the scan rules beside it, and a
 * pipe as its only way to speak. What comes back are canonical tables, made anew cell
 * by cell, and findings (policy/finding.h; the rules are in docs/gate.md).
 * Nothing of the job's own bytes passes.
 *
 * Canonical CSV: header; LF; quotes only where RFC 4180 needs them; rows
 * sorted by the key columns; numbers rounded to the declared unit and written
 * with its digits; dates ISO 8601; booleans true and false.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "policy/finding.h"
#include "policy/policy.h"
#include "runtime/vault/delivery.h"

#include <jansson.h>
#include <stddef.h>

enum gbx_column_role { GBX_COLUMN_KEY, GBX_COLUMN_COUNT, GBX_COLUMN_VALUE };

struct gbx_gate_column {
        char *name;
        enum gbx_type type;
        enum gbx_column_role role;
        char *unit; /* of values that are numbers: all cells are multiples of it, "0.001"; NULL for others */
};

struct gbx_gate_table {
        char *name; /* "default-rate.csv"; by the policy's list, or "table-1.csv", … */
        struct gbx_gate_column *columns;
        size_t column_count;
        size_t rows;
        struct gbx_buffer csv; /* canonical */
        char digest[GBX_SHA256_TEXT_SIZE]; /* of it */
};

struct gbx_gate_result {
        struct gbx_findings findings;
        struct gbx_gate_table *tables;
        size_t table_count;
        size_t opaque_count;  /* outputs of another kind; they stay where they are */
        bool declared_counts; /* some table's contributor counts are the job's own word */
};

struct gbx_gate {
        const char *name;      /* of the sandbox: "gate-run-000123" */
        const char *launcher;  /* path of gbx-sandbox */
        const char *program;   /* path of gbx-gate */
        const char *image;     /* path of a sandbox image that holds nothing (images/native-min) */
        const char *image_digest; /* "sha256:…" */
        struct gbx_delivery *outputs; /* of the dead job; is sealed if it was not (runtime/vault/delivery.h) */
        const struct gbx_policy *policy;
        const void *scan_rules; /* bytes of the rules file (scan.h) */
        size_t scan_rules_size;
};

/* Runs the gate. Whatever the outputs are is a result: findings, perhaps no tables. So is a gate that reached a limit
 * or died on them (rule "gate-limit", severity fail). Errors: the gate itself could not be set up. */
int gbx_gate_run(const struct gbx_gate *gate, struct gbx_gate_result *ret, struct gbx_error *err);
void gbx_gate_result_free(struct gbx_gate_result *result);

const char *gbx_column_role_name(enum gbx_column_role role);
