/*
 * Content scan: patterns of personal data in text that leaves
 *
 * Rules are PCRE2 patterns with an optional check of what they match (the
 * checksum of a resident identity number, say), in a YAML file; see
 * policy/rules/content-scan.yaml for the ones that come with Glovebox:
 *
 *   rules:
 *     - { name: bank-card, pattern: "[3-6](?:[ -]?[0-9]){12,18}", check: luhn, severity: fail }
 *
 * Used by the release gate on cells and by the egress proxy on request and
 * answer bodies. Matching is bounded (PCRE2 match and depth limits); text that
 * exhausts the limits counts as a match of the rule, never as clean.
 */
#pragma once

#include "base/error.h"
#include "policy/finding.h"
#include "policy/problems.h"

#include <stddef.h>

struct gbx_scan_rules;

/* -EINVAL with all problems in the list (`problems` may be NULL): bad YAML, bad pattern. */
int gbx_scan_rules_parse(struct gbx_scan_rules **ret, const char *file, const void *data, size_t size,
                         struct gbx_problems *problems, struct gbx_error *err);
int gbx_scan_rules_load(struct gbx_scan_rules **ret, const char *path, struct gbx_problems *problems,
                        struct gbx_error *err);
struct gbx_scan_rules *gbx_scan_rules_free(struct gbx_scan_rules *rules);
static inline void gbx_scan_rules_freep(struct gbx_scan_rules **rules) { *rules = gbx_scan_rules_free(*rules); }
size_t gbx_scan_rules_count(const struct gbx_scan_rules *rules);

/* Adds exact values (a secret's bytes, an identifier column's values) as rule `name`; they are kept as they are, so
 * the rules then are as secret as the values. */
int gbx_scan_rules_add_value(struct gbx_scan_rules *rules, const char *name, enum gbx_severity severity,
                             const void *value, size_t size, struct gbx_error *err);

struct gbx_scan_match {
        const char *rule; /* valid as long as the rules */
        enum gbx_severity severity;
        size_t offset, length; /* in the scanned bytes; the match itself is never copied */
};

/* Calls `report` for each match in bytes of any kind. A report that returns nonzero ends the scan.
 * Returns 0: no match, 1: some. */
int gbx_scan(const struct gbx_scan_rules *rules, const void *data, size_t size,
             int (*report)(const struct gbx_scan_match *match, void *userdata), void *userdata, struct gbx_error *err);
