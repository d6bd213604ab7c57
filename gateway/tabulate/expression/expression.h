/*
 * Expressions over one row: row filters and derived columns of tables
 *
 *   age >= 18 and status in ('good', 'bad')
 *   if(income is missing, 0, income - expenses)
 *   case when seniority < 5 then 'new' else cut(age, 30, 50) end
 *
 * The language is closed: columns, literals, the operators and functions of
 * docs/tabulator.md, and nothing that reads, writes, loops or remembers. Every
 * expression has one type, known before a row is read. Names of columns stand
 * as they are, or in double quotes where they are no identifiers.
 *
 * Missing values follow SQL's three-valued logic: an operator on a missing
 * value gives a missing value, but for `and`, `or`, `is missing`, `coalesce`,
 * `if` and `case`. A text is never empty: what would be is missing. A division
 * by zero is missing. A number that does not fit into 64 bits is an error.
 *
 * Every reader works on text from untrusted hands: length, depth and number of
 * nodes are limited, and nothing is ever evaluated from text, only from a
 * checked tree.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_EXPRESSION_MAX_BYTES = 4096,
        GBX_EXPRESSION_MAX_DEPTH = 32,
        GBX_EXPRESSION_MAX_NODES = 512,
        GBX_EXPRESSION_MAX_TEXT = 65536, /* bytes of text that the expressions of one row may make */
};

enum gbx_kind { GBX_KIND_NUMBER, GBX_KIND_TEXT, GBX_KIND_DATE, GBX_KIND_BOOLEAN };

struct gbx_kind_of {
        enum gbx_kind kind;
        unsigned scale; /* of a number: its decimals */
        bool missing;   /* it may be missing */
};

/* What an expression may name, found by name and used by place. */
struct gbx_scope_column {
        const char *name;
        struct gbx_kind_of type;
};

struct gbx_scope {
        const struct gbx_scope_column *columns;
        size_t count;
};

/* A value of a row. Dates are days since 1970, booleans 0 and 1. */
struct gbx_scalar {
        const char *text; /* of a text: `size` bytes, not ended by zero */
        size_t size;
        int64_t number; /* of all others */
        bool missing;
};

/* Room for texts that expressions make. Emptied for each row; start from {}. */
struct gbx_scratch {
        struct gbx_buffer bytes;
        size_t used;
};

struct gbx_node;
struct gbx_expression {
        struct gbx_node *root;
        struct gbx_node *all; /* every node, for the clean-up */
        struct gbx_kind_of type;
};

/* A mistake in an expression: where, in characters from 1, and what. */
struct gbx_expression_mistake {
        size_t character;
        char message[256];
};

/* Reads and checks. -EINVAL: `ret_mistake` (may be NULL) and the error say where and what. Errors otherwise: -ENOMEM. */
int gbx_expression_parse(struct gbx_expression **ret, const char *text, const struct gbx_scope *scope,
                         struct gbx_expression_mistake *ret_mistake, struct gbx_error *err);
struct gbx_expression *gbx_expression_free(struct gbx_expression *expression);
static inline void gbx_expression_freep(struct gbx_expression **expression) {
        *expression = gbx_expression_free(*expression);
}

/* The place in the scope if the expression is a column and nothing else; SIZE_MAX otherwise. */
size_t gbx_expression_column(const struct gbx_expression *expression);

/* Marks in `used`, one for each column of the scope, what the expression reads. */
void gbx_expression_columns(const struct gbx_expression *expression, bool *used);

/* The value for a row with the scope's columns. Texts live as long as `row` and until the scratch is emptied.
 * -ERANGE: a number does not fit. -EDQUOT: too much text. Messages never hold a value. */
int gbx_expression_evaluate(const struct gbx_expression *expression, const struct gbx_scalar *row,
                            struct gbx_scratch *scratch, struct gbx_scalar *ret, struct gbx_error *err);
void gbx_scratch_clear(struct gbx_scratch *scratch);
void gbx_scratch_free(struct gbx_scratch *scratch);

/* Appends the same expression for DuckDB. Column i of the scope is there under the name c<i>: a BIGINT (a number of
 * scale s times 10^s), VARCHAR, DATE or BOOLEAN, NULL for missing; so is the result. Both give the
 * same value; but one of them may report an overflow in a part that does not matter, which the other never looked at. */
int gbx_expression_sql(const struct gbx_expression *expression, struct gbx_buffer *sql, struct gbx_error *err);

const char *gbx_kind_name(enum gbx_kind kind);
