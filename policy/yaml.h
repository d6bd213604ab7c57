/*
 * YAML, strictly
 *
 * A layer on libyaml's events that accepts a small, unambiguous subset:
 * mappings, sequences and scalars. No anchors, aliases, tags, directives,
 * merge keys, block scalars, second documents or duplicate keys; no character
 * that does not show, in comments neither (gbx_text_hidden); limits on size,
 * depth and number of nodes. A scalar is text and nothing else: the
 * table of fields that a format is made of says how the text is read, so "no"
 * is a country code where a name is asked for and false where a boolean is.
 *
 * A format is a table of fields (struct gbx_yaml_field) that fills a C
 * structure. Unknown keys, missing keys and wrong values are all reported,
 * with line and column, before the reader gives up (policy/problems.h).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "policy/problems.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_YAML_MAX_BYTES = 1024 * 1024,
        GBX_YAML_MAX_DEPTH = 16,
        GBX_YAML_MAX_NODES = 20000,
};

enum gbx_yaml_kind { GBX_YAML_SCALAR, GBX_YAML_SEQUENCE, GBX_YAML_MAPPING };

/* One node of a parsed document. Children of a mapping are its values; each carries its key. */
struct gbx_yaml_node {
        enum gbx_yaml_kind kind;
        size_t line, column; /* where the node starts, from 1 */
        char *key;           /* in a mapping; otherwise NULL */
        size_t key_line, key_column;
        char *text; /* of a scalar: UTF-8 without control characters */
        struct gbx_yaml_node **children;
        size_t count;
};

/* Parses one document as far as it can be read. Problems may have been added even on success, so that the caller goes
 * on to gbx_yaml_read and to checks of its own, and asks gbx_problems_result at the end. -EINVAL: nothing can be read. */
int gbx_yaml_parse(struct gbx_yaml_node **ret, const void *data, size_t size, struct gbx_problems *problems,
                   struct gbx_error *err);
struct gbx_yaml_node *gbx_yaml_free(struct gbx_yaml_node *node);
static inline void gbx_yaml_freep(struct gbx_yaml_node **node) { *node = gbx_yaml_free(*node); }

/* The value of a key of a mapping, or NULL. Takes NULL. */
const struct gbx_yaml_node *gbx_yaml_get(const struct gbx_yaml_node *mapping, const char *key);

enum gbx_yaml_type {
        GBX_YAML_TEXT,     /* char *: 1 to 1,024 bytes, one line */
        GBX_YAML_NAME,     /* char *: gbx_name_valid */
        GBX_YAML_WORD,     /* char *: an identifier, [A-Za-z_][A-Za-z0-9_]*, at most 64 */
        GBX_YAML_DECIMAL,  /* char *: -12.50 and the like, kept as text (policy/decimal.h) */
        GBX_YAML_DATE,     /* char *: 2026-11-25, a real day */
        GBX_YAML_DIGEST,   /* char *: "sha256:…" */
        GBX_YAML_INTEGER,  /* uint64_t within [min, max] */
        GBX_YAML_SIZE,     /* uint64_t bytes within [min, max] */
        GBX_YAML_DURATION, /* uint64_t milliseconds within [min, max] */
        GBX_YAML_BOOLEAN,  /* bool: yes or no */
        GBX_YAML_CHOICE,   /* unsigned: the index of one of `words` */
        GBX_YAML_CHOICES,  /* unsigned: a list of `words`, each a bit (1 << index) */
        GBX_YAML_NAMES,    /* struct gbx_texts: a list of names, no two the same */
        GBX_YAML_TEXTS,    /* struct gbx_texts: a list of texts, no two the same */
        GBX_YAML_RECORD,   /* the structure of `fields`, embedded */
        GBX_YAML_RECORDS,  /* struct gbx_records: a list of mappings, elements of `size` bytes */
};

struct gbx_texts {
        char **items;
        size_t count;
};

struct gbx_records {
        void *items; /* an array of structures */
        size_t count;
};

/* One key of a mapping. A table ends with an element whose key is NULL. */
struct gbx_yaml_field {
        const char *key;
        const char *fallback; /* the value of a missing key, as text; NULL: see `required` */
        const char *const *words;              /* of choices; ended by NULL */
        const struct gbx_yaml_field *fields;   /* of records */
        size_t offset;                         /* in the structure */
        size_t size;                           /* of an element of records */
        uint64_t min, max;                     /* of numbers; length of lists and of text. max 0: the type's own */
        enum gbx_yaml_type type;
        bool required; /* a missing key is a problem; otherwise it leaves zero, NULL or an empty list, or `fallback` */
};

/* Fills `target` (zeroed by the caller) from a mapping, adding a problem for whatever is wrong: zero, even so. `target`
 * holds what could be read, and must be released in any case. Errors: -ENOMEM. */
int gbx_yaml_read(const struct gbx_yaml_node *mapping, const struct gbx_yaml_field *fields, void *target,
                  struct gbx_problems *problems, struct gbx_error *err);

/* Frees what gbx_yaml_read allocated in `target` and zeroes those members. */
void gbx_yaml_release(const struct gbx_yaml_field *fields, void *target);

bool gbx_texts_contain(const struct gbx_texts *texts, const char *text);
