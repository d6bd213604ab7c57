/*
 * Findings: what the gate's checks say about the outputs of a run
 *
 * {"rule":"minimum-count","severity":"fail","output":"table.csv","row":3,
 *  "column":"applicants","detail":"…"}
 *
 * Analysts see rule, severity and output; `detail` and the position are for
 * reviewers, for they may tell something about the data.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { GBX_FINDINGS_MAX = 1000 };

enum gbx_severity { GBX_SEVERITY_PASS, GBX_SEVERITY_REVIEW, GBX_SEVERITY_FAIL };

struct gbx_finding {
        char *rule;   /* a name, of the table in docs/gate.md */
        enum gbx_severity severity;
        char *output; /* printable; NULL: all of them */
        uint64_t row; /* of the table as given, from 1, without the header; 0: none */
        char *column; /* printable; NULL: none */
        char *detail; /* printable; NULL: none */
};

struct gbx_findings {
        struct gbx_finding *items;
        size_t count;
        size_t left_out; /* beyond GBX_FINDINGS_MAX; the first of each rule, severity and output is always kept */
};

/* Adds a finding; texts are copied in printable form and shortened. Errors: -ENOMEM. */
int gbx_findings_add(struct gbx_findings *findings, const struct gbx_finding *finding, struct gbx_error *err);

/* The worst severity; GBX_SEVERITY_PASS if there are none. */
enum gbx_severity gbx_findings_worst(const struct gbx_findings *findings);
const char *gbx_severity_name(enum gbx_severity severity);

/* {"findings":[…],"left_out":0} */
int gbx_findings_to_json(const struct gbx_findings *findings, json_t **ret, struct gbx_error *err);
int gbx_findings_from_json(const json_t *json, struct gbx_findings *ret, struct gbx_error *err);

/* What an analyst may see: a sorted array of {"rule":…,"severity":…,"output":…} without repetition and without passes. */
int gbx_findings_public(const struct gbx_findings *findings, json_t **ret, struct gbx_error *err);

void gbx_findings_free(struct gbx_findings *findings);
