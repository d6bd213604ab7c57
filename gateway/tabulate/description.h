/*
 * Descriptions of tables: what a job, or a table file without a job, asks the tabulator for
 *
 *   tables:
 *     - name: default-rate
 *       data: credit
 *       where: income is not missing
 *       derive:
 *         - { name: band, value: "cut(age, 30, 50)" }
 *       by: [home, band]
 *       statistics:
 *         - { name: applicants, kind: count }
 *         - { name: rate, kind: share, of: "status = 'bad'", decimals: 4 }
 *       margins: all
 *
 * The same in JSON (tables.json). Every mistake is reported with line and
 * column (policy/problems.h); docs/tabulator.md is the manual. A description
 * that was taken is typed: nothing in it is text to be interpreted again.
 */
#pragma once

#include "gateway/tabulate/expression/expression.h"
#include "gateway/tabulate/source_schema.h"
#include "policy/problems.h"
#include "policy/yaml.h"

enum {
        GBX_TABLES_MAX = 32,
        GBX_TABLE_MAX_JOINS = 4,
        GBX_TABLE_MAX_DERIVED = 32,
        GBX_TABLE_MAX_KEYS = 6,
        GBX_TABLE_MAX_STATISTICS = 16,
        GBX_TABLE_MAX_TERMS = 16,
        GBX_STATISTIC_DECIMALS = 6,      /* of what is rounded, if the description says nothing */
        GBX_STATISTIC_MAX_DECIMALS = 12,
};

enum gbx_statistic_kind {
        GBX_STATISTIC_COUNT,        /* rows; with `of` those where it is not missing; with `weight` their weights */
        GBX_STATISTIC_CONTRIBUTORS, /* distinct contributors */
        GBX_STATISTIC_DISTINCT,     /* distinct values */
        GBX_STATISTIC_SUM,
        GBX_STATISTIC_MEAN,
        GBX_STATISTIC_VARIANCE,     /* divided by n - 1; with weights by their sum - 1 */
        GBX_STATISTIC_SHARE,        /* of the rows where `of`, a condition, is not missing, the part where it holds */
        GBX_STATISTIC_PERCENT,      /* the same times 100 */
        GBX_STATISTIC_RATIO,        /* sum of `of` by sum of `over`, where neither is missing */
        GBX_STATISTIC_QUANTILE,     /* at `at`, linear between neighbours (type 7 of Hyndman and Fan 1996) */
        GBX_STATISTIC_MINIMUM,
        GBX_STATISTIC_MAXIMUM,
        GBX_STATISTIC_CORRELATION,  /* Pearson's, of `of` and `over` */
        GBX_STATISTIC_KINDS_,
};

enum gbx_margins { GBX_MARGINS_NONE, GBX_MARGINS_TOTAL, GBX_MARGINS_ROLLUP, GBX_MARGINS_ALL };
/* Combinations of key values that no row has: a cell with zero rows, or no cell (for keys that are nested, say). */
enum gbx_empty { GBX_EMPTY_SHOW, GBX_EMPTY_OMIT };
enum gbx_model_kind { GBX_MODEL_LINEAR, GBX_MODEL_LOGISTIC };
enum gbx_join_kind { GBX_JOIN_INNER, GBX_JOIN_LEFT };

struct gbx_table_join {
        char *data, *as, *on, *key;
        unsigned kind; /* enum gbx_join_kind */
        /* checked: */
        size_t schema;       /* of the schemas given to the reader */
        size_t on_column;    /* of the table's own dataset */
        size_t key_column;   /* of the joined one */
        size_t first;        /* where its columns begin in the scope */
};

struct gbx_table_derived {
        char *name, *value;
        struct gbx_expression *expression;
};

struct gbx_statistic {
        char *name, *of, *over, *weight, *at, *decimals_text;
        unsigned kind; /* enum gbx_statistic_kind */
        /* checked: */
        struct gbx_expression *of_expression, *over_expression, *weight_expression; /* NULL: not given */
        unsigned decimals; /* of the result */
        int64_t at_millionths; /* of a quantile: its place, 1 to 999,999 */
};

struct gbx_table_model {
        char *outcome;
        unsigned kind; /* enum gbx_model_kind */
        struct gbx_texts terms;
        struct gbx_expression *outcome_expression, *term_expressions[GBX_TABLE_MAX_TERMS];
};

struct gbx_table {
        char *name, *data, *where;
        struct gbx_records joins, derived, statistics; /* struct gbx_table_join, gbx_table_derived, gbx_statistic */
        struct gbx_texts by;
        unsigned margins; /* enum gbx_margins */
        unsigned empty;   /* enum gbx_empty */
        struct gbx_table_model model;
        /* checked: */
        bool has_model;
        size_t schema;      /* of `data` */
        struct gbx_scope_column *columns; /* the dataset's, then the joined ones' as alias.name, then the derived */
        size_t source_columns, column_count;
        char **names; /* those of the joined columns, for the clean-up; as many as columns */
        bool *used;   /* one for each column: something reads it */
        struct gbx_expression *where_expression;
        size_t keys[GBX_TABLE_MAX_KEYS]; /* columns */
};

struct gbx_tables {
        struct gbx_records tables; /* struct gbx_table */
};

/* Reads and checks. `file` is for messages; JSON is recognised by its first character, '{'. `schemas` are those of all
 * datasets that tables may use. As gbx_schema_parse otherwise: problems are listed, -EINVAL if there are any. */
int gbx_tables_parse(struct gbx_tables **ret, const char *file, const void *data, size_t size,
                     const struct gbx_source_schema *schemas, size_t schema_count, struct gbx_problems *problems,
                     struct gbx_error *err);
struct gbx_tables *gbx_tables_free(struct gbx_tables *tables);
static inline void gbx_tables_freep(struct gbx_tables **tables) { *tables = gbx_tables_free(*tables); }

const char *gbx_statistic_kind_name(enum gbx_statistic_kind kind);

/* Private to the reader (description_check.c): types one table. `node` is its mapping. */
int gbx_table_check(struct gbx_table *table, const struct gbx_yaml_node *node, const struct gbx_source_schema *schemas,
                    size_t schema_count, struct gbx_problems *problems, struct gbx_error *err);
