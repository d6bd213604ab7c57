/*
 * What disclosure control is told of the tables of one run
 *
 * Keys are shared by all tables: two tables that group by the same key name the
 * same key, so that their common margins are the same cells. The codes of a key
 * form a tree: code 0 is everything ("(all)"), its children are the values or
 * groups of values, and so on. A cell is named by one code for each key of its
 * table; keys that a table does not have count as code 0.
 *
 * A universe is a set of rows (the dataset after the table's filter), a measure
 * is what is added up over them. Two cells with the same universe, measure and
 * codes are the same quantity, whatever their tables call it. Cells with the
 * same universe and codes are suppressed together in all measures: a count gives
 * back a sum where the mean is known.
 *
 * Values are whole numbers of the smallest unit that is shown (persons, cents).
 * Everything belongs to the caller and is only read.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_DISCLOSURE_MAX_KEYS = 16,
        GBX_DISCLOSURE_MAX_TABLES = 1000,
        GBX_DISCLOSURE_MAX_CODES = 100000,
        GBX_DISCLOSURE_MAX_CELLS = 100000, /* of a linear system, cells that nobody shows included */
};

/* Values, bounds and costs are at most this much, either way: sums of them fit. */
#define GBX_DISCLOSURE_MAX_VALUE (INT64_C(1) << 52)

struct gbx_disclosure_code {
        const char *label; /* UTF-8; for messages and certificates only */
        size_t parent;     /* index of an earlier code; code 0 is its own parent */
};

struct gbx_disclosure_key {
        const char *name;
        const struct gbx_disclosure_code *codes;
        size_t code_count; /* at least 1 */
};

struct gbx_disclosure_cell {
        const size_t *codes; /* one for each key of the table */
        int64_t value;
        uint64_t count; /* contributors: what a rest that nobody shows is judged by */
        /* If the cell is suppressed, somebody who knows everything else that is published must find both
         * value - lower or less and value + upper or more possible. 0, 0: nothing is asked. */
        int64_t lower, upper;
        int64_t cost; /* information lost if it is suppressed; at least 0 */
        bool unsafe;  /* must be suppressed: a rule of the gate failed on it */
};

struct gbx_disclosure_table {
        const char *name;
        size_t universe, measure; /* small numbers that the caller gives */
        const size_t *keys;       /* indices of the set's keys, without repetition */
        size_t key_count;
        const struct gbx_disclosure_cell *cells;
        size_t cell_count;
        bool non_negative; /* everybody knows that the measure is never below zero */
        bool integer;      /* everybody knows that the measure is a whole number of units */
};

struct gbx_disclosure_set {
        const struct gbx_disclosure_key *keys;
        size_t key_count;
        const struct gbx_disclosure_table *tables;
        size_t table_count;
        /* A total can say more than its parts do: 1,461 days and four kinds of weather that make 1,435 leave a fifth
         * kind with 26. Such a rest with fewer than `minimum` contributors is unsafe. It must look possible that it
         * is nothing and that it is as large as `minimum` contributors on its own average would make it. */
        uint64_t minimum;
};
