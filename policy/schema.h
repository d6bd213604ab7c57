/*
 * Schemas of datasets
 *
 *   dataset: credit
 *   description: one row a loan applicant
 *   contributor: applicant_id
 *   columns:
 *     - { name: applicant_id, type: text, class: identifier, key: yes }
 *     - { name: income, type: decimal, class: sensitive, missing: yes, unit: 1, min: 0 }
 *
 * The class of a column says how close it is to a person, after the terms of
 * the disclosure-control literature (Handbook on Statistical Disclosure
 * Control, 2nd ed., chapter 2).
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "policy/policy.h"

#include <jansson.h>

enum {
        GBX_SCHEMA_DECIMALS = 6,      /* of a decimal column that says neither `decimals` nor `unit` */
        GBX_SCHEMA_MAX_DECIMALS = 12, /* more would leave a sum no room in 64 bits */
};

enum gbx_class {
        GBX_CLASS_IDENTIFIER,       /* names one person: an id, a phone number */
        GBX_CLASS_QUASI_IDENTIFIER, /* names one together with others: age, home */
        GBX_CLASS_SENSITIVE,        /* what an attacker would like to learn */
        GBX_CLASS_MEASURE,          /* a number that is neither */
        GBX_CLASS_OPEN,             /* harmless */
};

struct gbx_schema_column {
        char *name;
        char *description; /* NULL: none */
        unsigned type;     /* enum gbx_type */
        unsigned class;    /* enum gbx_class */
        bool missing;      /* empty fields are allowed */
        bool key;          /* no two rows have the same value */
        struct gbx_texts values; /* the only texts allowed; empty: any */
        char *unit;        /* numbers are multiples of it; NULL: any */
        uint64_t decimals; /* digits behind the point that numbers may have, 0 for integers; see gbx_schema_json */
        bool round;        /* the schema says how many, so that more are rounded off when a table is computed */
        char *tolerance;   /* how far a watermark may move a released number of this name; NULL: nothing said */
        char *min, *max;   /* NULL: open */
};

struct gbx_schema {
        char *dataset;
        char *description;
        char *contributor; /* the column that names whom a row is about: person, household, firm; NULL: each row counts for itself */
        struct gbx_records columns; /* struct gbx_schema_column */
        char digest[GBX_SHA256_TEXT_SIZE]; /* of the file's bytes */
};

/* As gbx_policy_parse and gbx_policy_load. */
int gbx_schema_parse(struct gbx_schema **ret, const char *file, const void *data, size_t size,
                     struct gbx_problems *problems, struct gbx_error *err);
int gbx_schema_load(struct gbx_schema **ret, const char *path, struct gbx_problems *problems, struct gbx_error *err);
struct gbx_schema *gbx_schema_free(struct gbx_schema *schema);
static inline void gbx_schema_freep(struct gbx_schema **schema) { *schema = gbx_schema_free(*schema); }

const char *gbx_class_name(enum gbx_class class);

/* What the engine and the tabulator read as /job/schema/NAME.json:
 * {"columns":[{"name":"age","type":"integer","missing":true,"key":false,"decimals":0,"round":false}],"contributor":"person"}
 * The last is there if the schema has one. `decimals` of a decimal column: as the schema says, or the digits of its
 * unit, or GBX_SCHEMA_DECIMALS. */
int gbx_schema_json(const struct gbx_schema *schema, json_t **ret, struct gbx_error *err);
