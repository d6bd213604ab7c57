#include "gateway/gate/differencing.h"

#include "base/cleanup.h"
#include "base/csv.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { FINDINGS_PER_PAIR = 5 };

/* A group: its key's texts joined, and how many contributed. */
struct group {
        char *key;
        uint64_t count;
};

struct groups {
        struct group *items;
        size_t count, capacity;
};

static void free_groups(struct groups *groups) {
        for (size_t i = 0; i < groups->count; i++)
                free(groups->items[i].key);
        free(groups->items);
}

static const struct gbx_gate_column *find_column(const struct gbx_gate_table *table, enum gbx_column_role role,
                                                 const char *name) {
        for (size_t i = 0; i < table->column_count; i++)
                if (table->columns[i].role == role && strcmp(table->columns[i].name, name) == 0)
                        return table->columns + i;
        return NULL;
}

/* Whether all key columns of `a` are key columns of `b`. */
static bool keys_within(const struct gbx_gate_table *a, const struct gbx_gate_table *b) {
        for (size_t i = 0; i < a->column_count; i++)
                if (a->columns[i].role == GBX_COLUMN_KEY && !find_column(b, GBX_COLUMN_KEY, a->columns[i].name))
                        return false;
        return true;
}

/* Whether two count columns may count the same people: those of one name, or those whose names the other lacks. */
static bool comparable(const struct gbx_gate_table *a, size_t i, const struct gbx_gate_table *b, size_t j) {
        if (a->columns[i].role != GBX_COLUMN_COUNT || b->columns[j].role != GBX_COLUMN_COUNT)
                return false;
        if (strcmp(a->columns[i].name, b->columns[j].name) == 0)
                return true;
        return !find_column(b, GBX_COLUMN_COUNT, a->columns[i].name) && !find_column(a, GBX_COLUMN_COUNT, b->columns[j].name);
}

static int add_group(struct groups *groups, char *key, uint64_t count, struct gbx_error *err) {
        if (groups->count == groups->capacity) {
                size_t capacity = groups->capacity ? 2 * groups->capacity : 64;
                struct group *grown = reallocarray(groups->items, capacity, sizeof *grown);

                if (!grown) {
                        free(key);
                        return gbx_fail_memory(err);
                }
                groups->items = grown;
                groups->capacity = capacity;
        }
        groups->items[groups->count++] = (struct group){ key, count };
        return 0;
}

/* Joins the cells of the columns that are keys of `by`, in its order. Lengths in front keep "a|b","c" and "a","b|c" apart. */
static int join_key(const struct gbx_gate_table *table, const struct gbx_gate_table *by, const struct gbx_csv_row *row,
                    char **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer key = {};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < by->column_count; i++) {
                const struct gbx_gate_column *column = by->columns[i].role == GBX_COLUMN_KEY ?
                                                               find_column(table, GBX_COLUMN_KEY, by->columns[i].name) :
                                                               NULL;
                const struct gbx_csv_field *field = column ? row->fields + (column - table->columns) : NULL;

                if (field)
                        r = gbx_buffer_printf(&key, err, "%zu:%s,", field->size, field->data);
        }
        if (r < 0)
                return r;
        *ret = strdup(gbx_buffer_text(&key));
        return *ret ? 0 : gbx_fail_memory(err);
}

static int compare_groups(const void *a, const void *b) {
        return strcmp(((const struct group *)a)->key, ((const struct group *)b)->key);
}

/* Sorts, and adds up the rows of one key. */
static void collapse(struct groups *groups) {
        size_t kept = 0;

        if (groups->count)
                qsort(groups->items, groups->count, sizeof *groups->items, compare_groups);
        for (size_t i = 0; i < groups->count; i++) {
                if (kept && strcmp(groups->items[kept - 1].key, groups->items[i].key) == 0) {
                        uint64_t *sum = &groups->items[kept - 1].count;

                        if (__builtin_add_overflow(*sum, groups->items[i].count, sum))
                                *sum = UINT64_MAX; /* never a small number out of large ones */
                        free(groups->items[i].key);
                } else
                        groups->items[kept++] = groups->items[i];
        }
        groups->count = kept;
}

/* The table's counts by the keys of `by`. */
static int read_groups(const struct gbx_gate_table *table, const struct gbx_gate_table *by, size_t place,
                       struct groups *groups, struct gbx_error *err) {
        struct gbx_csv_options options = { .max_columns = table->column_count };
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        struct gbx_csv_row row;
        int r = gbx_csv_new_memory(&csv, table->csv.data, table->csv.size, &options, err);

        if (r >= 0)
                r = gbx_csv_next(csv, &row, err); /* the header */
        if (r > 0 && row.count != table->column_count)
                return gbx_fail(err, -EINVAL, "the table '%s' is not canonical", table->name);
        while (r > 0) {
                uint64_t count = 0;
                char *key = NULL;

                r = gbx_csv_next(csv, &row, err);
                if (r <= 0)
                        break;
                if (row.fields[place].size && gbx_parse_u64(row.fields[place].data, &count, err) < 0)
                        return -EINVAL;
                r = join_key(table, by, &row, &key, err);
                if (r >= 0)
                        r = add_group(groups, key, count, err);
                r = r < 0 ? r : 1;
        }
        if (r >= 0)
                collapse(groups);
        return r;
}

/* Compares the coarse table's groups with what the fine one's add up to. A group of which the other says nothing is
 * passed over: nothing can be subtracted from it. */
static int compare(const struct groups *coarse, const struct groups *fine, const char *output, const char *column,
                   const char *release, uint64_t minimum, struct gbx_findings *findings, struct gbx_error *err) {
        size_t found = 0;

        for (size_t i = 0; i < coarse->count; i++) {
                const struct group *other = fine->count ? bsearch(coarse->items + i, fine->items, fine->count,
                                                                  sizeof *fine->items, compare_groups) :
                                                          NULL;
                uint64_t count = coarse->items[i].count, difference;
                char detail[128];
                struct gbx_finding finding = { .rule = (char *)(uintptr_t) "differencing", .severity = GBX_SEVERITY_FAIL,
                                               .output = (char *)(uintptr_t)output, .column = (char *)(uintptr_t)column,
                                               .detail = detail };
                int r;

                if (!other)
                        continue;
                difference = count > other->count ? count - other->count : other->count - count;
                if (difference == 0 || difference >= minimum)
                        continue;
                if (found++ >= FINDINGS_PER_PAIR) {
                        findings->left_out++;
                        continue;
                }
                (void)snprintf(detail, sizeof detail, "with %.40s: a group of %llu can be computed", release,
                               (unsigned long long)difference);
                r = gbx_findings_add(findings, &finding, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* One count column of each. */
static int check_columns(const struct gbx_gate_table *table, size_t place, const struct gbx_earlier_table *earlier,
                         size_t other_place, uint64_t minimum, struct gbx_findings *findings, struct gbx_error *err) {
        gbx_auto(free_groups) struct groups own = {}, other = {};
        bool finer = keys_within(&earlier->table, table); /* the new table has all keys of the earlier one */
        const struct gbx_gate_table *coarse = finer ? &earlier->table : table;
        int r = read_groups(table, coarse, place, &own, err);

        if (r >= 0)
                r = read_groups(&earlier->table, coarse, other_place, &other, err);
        if (r < 0)
                return r;
        return compare(finer ? &other : &own, finer ? &own : &other, table->name, table->columns[place].name,
                       earlier->release, minimum, findings, err);
}

static int check_pair(const struct gbx_gate_table *table, const struct gbx_earlier_table *earlier, uint64_t minimum,
                      struct gbx_findings *findings, struct gbx_error *err) {
        int r = 0;

        if (!keys_within(&earlier->table, table) && !keys_within(table, &earlier->table))
                return 0;
        for (size_t i = 0; i < table->column_count; i++)
                for (size_t j = 0; r >= 0 && j < earlier->table.column_count; j++)
                        if (comparable(table, i, &earlier->table, j))
                                r = check_columns(table, i, earlier, j, minimum, findings, err);
        return r;
}

int gbx_check_differencing(const struct gbx_gate_table *table, const struct gbx_earlier_table *earlier, size_t count,
                           uint64_t minimum, struct gbx_findings *findings, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < count; i++)
                r = check_pair(table, earlier + i, minimum, findings, err);
        return r < 0 ? r : 0;
}
