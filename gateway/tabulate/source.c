#include "gateway/tabulate/source.h"

#include "base/cleanup.h"
#include "gateway/tabulate/dictionary.h"
#include "gateway/tabulate/reader.h"

#include <string.h>

/* A joined dataset, in memory: row n belongs to entry n of `keys`. */
struct joined {
        const struct gbx_table_join *join;
        const struct gbx_source_schema *schema;
        struct gbx_dictionary keys, texts;
        struct gbx_scalar *values; /* row after row, one for each column of the schema */
        size_t rows, capacity;
};

struct gbx_source {
        const struct gbx_table *table;
        const struct gbx_source_schema *schema;
        struct gbx_reader *reader;
        bool *wanted; /* of the table's own dataset */
        struct joined joined[GBX_TABLE_MAX_JOINS];
        struct gbx_scalar *row;
        struct gbx_scratch scratch;
        struct gbx_dictionary contributors;
        bool one_row_each;
        uint64_t rows;
};

struct gbx_source *gbx_source_free(struct gbx_source *source) {
        if (!source)
                return NULL;
        (void)gbx_reader_free(source->reader);
        for (size_t i = 0; i < GBX_TABLE_MAX_JOINS; i++) {
                gbx_dictionary_free(&source->joined[i].keys);
                gbx_dictionary_free(&source->joined[i].texts);
                free(source->joined[i].values);
        }
        gbx_dictionary_free(&source->contributors);
        gbx_scratch_free(&source->scratch);
        free(source->wanted);
        free(source->row);
        free(source);
        return NULL;
}

struct gbx_scratch *gbx_source_scratch(struct gbx_source *source) { return &source->scratch; }
bool gbx_source_one_row_each(const struct gbx_source *source) { return source->one_row_each; }
uint64_t gbx_source_rows(const struct gbx_source *source) { return source->rows; }

uint64_t gbx_source_contributors(const struct gbx_source *source) {
        return source->schema->contributor == SIZE_MAX ? source->rows : source->contributors.count;
}

/* Keeps one row of a joined dataset; its texts are copied, each different one once. */
static int keep_row(struct joined *joined, const struct gbx_scalar *values, const bool *wanted, struct gbx_error *err) {
        size_t width = joined->schema->count;
        struct gbx_scalar *row;

        if (joined->rows == joined->capacity) {
                size_t capacity = joined->capacity ? joined->capacity * 2 : 256;
                struct gbx_scalar *all = reallocarray(joined->values, capacity, width * sizeof *all);

                if (!all)
                        return gbx_fail_memory(err);
                joined->values = all;
                joined->capacity = capacity;
        }
        row = joined->values + joined->rows++ * width;
        memcpy(row, values, width * sizeof *row);
        for (size_t i = 0; i < width; i++) {
                uint32_t number;
                int r;

                if (!wanted[i] || joined->schema->columns[i].type.kind != GBX_KIND_TEXT || row[i].missing)
                        continue;
                r = gbx_dictionary_number(&joined->texts, &row[i], true, &number, NULL, err);
                if (r < 0)
                        return r;
                row[i].text = joined->texts.entries[number].text;
        }
        return 0;
}

static int load_joined(struct joined *joined, int root, const struct gbx_table *table, struct gbx_error *err) {
        const struct gbx_source_schema *schema = joined->schema;
        gbx_auto(gbx_free_pointer) bool *wanted = calloc(schema->count, sizeof *wanted);
        gbx_auto(gbx_free_pointer) struct gbx_scalar *values = calloc(schema->count, sizeof *values);
        gbx_auto(gbx_reader_freep) struct gbx_reader *reader = NULL;
        size_t key = joined->join->key_column;
        uint32_t number;
        bool fresh;
        int r;

        if (!wanted || !values)
                return gbx_fail_memory(err);
        memcpy(wanted, table->used + joined->join->first, schema->count * sizeof *wanted);
        wanted[key] = true;
        r = gbx_reader_open(&reader, root, schema, wanted, err);
        while (r >= 0 && (r = gbx_reader_next(reader, values, err)) > 0) {
                r = gbx_dictionary_number(&joined->keys, &values[key], schema->columns[key].type.kind == GBX_KIND_TEXT, &number, &fresh, err);
                if (r >= 0 && !fresh)
                        return gbx_fail(err, -EBADMSG, "dataset '%s', row %zu: '%s' is declared a key, and a value stands twice", schema->dataset,
                                        joined->rows + 1, schema->columns[key].name);
                if (r >= 0)
                        r = keep_row(joined, values, wanted, err);
        }
        return r;
}

int gbx_source_open(struct gbx_source **ret, int root, const struct gbx_table *table, const struct gbx_source_schema *schemas,
                    struct gbx_error *err) {
        gbx_auto(gbx_source_freep) struct gbx_source *source = calloc(1, sizeof *source);
        const struct gbx_table_join *joins = table->joins.items;
        int r = 0;

        if (!source)
                return gbx_fail_memory(err);
        source->table = table;
        source->schema = &schemas[table->schema];
        source->row = calloc(table->column_count + 1, sizeof *source->row);
        source->wanted = calloc(source->schema->count, sizeof *source->wanted);
        if (!source->row || !source->wanted)
                return gbx_fail_memory(err);
        memcpy(source->wanted, table->used, source->schema->count * sizeof *source->wanted);
        source->one_row_each = source->schema->contributor == SIZE_MAX || source->schema->columns[source->schema->contributor].key;
        if (source->schema->contributor != SIZE_MAX)
                source->wanted[source->schema->contributor] = true;
        for (size_t i = 0; i < table->joins.count && r >= 0; i++) {
                source->joined[i].join = &joins[i];
                source->joined[i].schema = &schemas[joins[i].schema];
                r = load_joined(&source->joined[i], root, table, err);
        }
        if (r >= 0)
                r = gbx_reader_open(&source->reader, root, source->schema, source->wanted, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(source);
        return 0;
}

/* The row's contributor. A key that is none would count one person as several, so that is looked at here. */
static int find_contributor(struct gbx_source *source, uint32_t *ret, struct gbx_error *err) {
        size_t column = source->schema->contributor;
        bool fresh;
        int r;

        if (column == SIZE_MAX) {
                if (source->rows > GBX_DICTIONARY_MAX)
                        return gbx_fail(err, -EDQUOT, "dataset '%s' has more than %u rows", source->schema->dataset, GBX_DICTIONARY_MAX);
                *ret = (uint32_t)(source->rows - 1);
                return 0;
        }
        r = gbx_dictionary_number(&source->contributors, &source->row[column], source->schema->columns[column].type.kind == GBX_KIND_TEXT, ret,
                                  &fresh, err);
        if (r >= 0 && source->one_row_each && !fresh)
                return gbx_fail(err, -EBADMSG, "dataset '%s', row %llu: '%s' is declared a key, and a value stands twice", source->schema->dataset,
                                (unsigned long long)source->rows, source->schema->columns[column].name);
        return r;
}

/* Puts the joined columns into the row. False: an inner join that finds nothing drops it. */
static bool join_rows(struct gbx_source *source) {
        for (size_t i = 0; i < source->table->joins.count; i++) {
                const struct joined *joined = &source->joined[i];
                const struct gbx_scalar *value = &source->row[joined->join->on_column];
                struct gbx_scalar *place = source->row + joined->join->first;
                bool text = joined->schema->columns[joined->join->key_column].type.kind == GBX_KIND_TEXT;
                uint32_t number;

                if (!value->missing && gbx_dictionary_find(&joined->keys, value, text, &number)) {
                        memcpy(place, joined->values + number * joined->schema->count, joined->schema->count * sizeof *place);
                        continue;
                }
                if (joined->join->kind == GBX_JOIN_INNER)
                        return false;
                for (size_t k = 0; k < joined->schema->count; k++)
                        place[k] = (struct gbx_scalar){ .missing = true };
        }
        return true;
}

/* 1: the row passes the filter and has its derived columns. 0: it does not. */
static int complete_row(struct gbx_source *source, struct gbx_error *err) {
        const struct gbx_table *table = source->table;
        const struct gbx_table_derived *derived = table->derived.items;
        struct gbx_scalar value;
        int r;

        if (table->where_expression) {
                r = gbx_expression_evaluate(table->where_expression, source->row, &source->scratch, &value, err);
                if (r < 0)
                        return gbx_context(err, r, "table '%s', where", table->name);
                if (value.missing || !value.number)
                        return 0;
        }
        for (size_t i = 0; i < table->derived.count; i++) {
                r = gbx_expression_evaluate(derived[i].expression, source->row, &source->scratch, source->row + table->source_columns + i, err);
                if (r < 0)
                        return gbx_context(err, r, "table '%s', column '%s'", table->name, derived[i].name);
        }
        return 1;
}

int gbx_source_next(struct gbx_source *source, const struct gbx_scalar **ret_row, uint32_t *ret_contributor, struct gbx_error *err) {
        for (;;) {
                int r = gbx_reader_next(source->reader, source->row, err);

                if (r <= 0)
                        return r;
                source->rows++;
                gbx_scratch_clear(&source->scratch);
                r = find_contributor(source, ret_contributor, err);
                if (r >= 0 && join_rows(source))
                        r = complete_row(source, err);
                else if (r >= 0)
                        continue;
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                *ret_row = source->row;
                return 1;
        }
}
