/* Attacks on marked tables: what a leaker does to a copy before passing it on */
#pragma once

#include "tests/tools/lab_grid.h"
#include "watermark/mark.h"

#include <math.h>

/* The table under attack and what the attacker cannot know but the lab must. */
struct lab_case {
        const struct gbx_mark_column *columns;
        size_t column_count;
        const char *key; /* name of the key column, or NULL */
        const struct gbx_buffer *original;
};

typedef void (*attack)(struct grid *grid, double strength, const struct lab_case *about);

/* The unit that marking used in a column of the grid; false: not marked. */
static inline bool unit_of(const struct grid *grid, size_t column, const struct lab_case *about, struct gbx_number *ret) {
        for (size_t i = 0; i < about->column_count; i++)
                if (about->columns[i].unit && strcmp(about->columns[i].name, grid->names[column]) == 0)
                        return gbx_number_parse(about->columns[i].unit, strlen(about->columns[i].unit), ret);
        return false;
}

static inline void nothing(struct grid *grid, double strength, const struct lab_case *about) {
        (void)grid, (void)strength, (void)about;
}

static inline void delete_rows(struct grid *grid, double share, const struct lab_case *about) {
        size_t kept = 0;

        (void)about;
        for (size_t row = 0; row < grid->rows; row++)
                if (!lab_chance(share))
                        memmove(grid_cell(grid, kept++, 0), grid_cell(grid, row, 0), grid->columns * sizeof *grid->cells);
        grid->rows = kept ? kept : 1;
}

static inline void keep_rows(struct grid *grid, double rows, const struct lab_case *about) {
        delete_rows(grid, 1 - rows / (double)grid->rows, about);
}

static inline void shuffle_rows(struct grid *grid, double strength, const struct lab_case *about) {
        (void)strength, (void)about;
        for (size_t row = grid->rows; row-- > 1;) {
                size_t other = lab_random() % (row + 1);

                for (size_t i = 0; i < grid->columns; i++) {
                        const char *swap = *grid_cell(grid, row, i);

                        *grid_cell(grid, row, i) = *grid_cell(grid, other, i);
                        *grid_cell(grid, other, i) = swap;
                }
        }
}

static inline void remove_column(struct grid *grid, size_t column) {
        for (size_t row = 0, to = 0; row < grid->rows; row++)
                for (size_t i = 0; i < grid->columns; i++)
                        if (i != column)
                                grid->cells[to++] = *grid_cell(grid, row, i);
        memmove(&grid->names[column], &grid->names[column + 1], (grid->columns - column - 1) * sizeof *grid->names);
        grid->columns--;
}

/* Any columns but the key. */
static inline void drop_columns(struct grid *grid, double count, const struct lab_case *about) {
        for (int n = 0; n < (int)count && grid->columns > 2; n++) {
                size_t column;

                do
                        column = lab_random() % grid->columns;
                while (about->key && strcmp(grid->names[column], about->key) == 0);
                remove_column(grid, column);
        }
}

static inline void drop_key(struct grid *grid, double strength, const struct lab_case *about) {
        (void)strength;
        for (size_t i = 0; i < grid->columns; i++)
                if (about->key && strcmp(grid->names[i], about->key) == 0)
                        remove_column(grid, i);
        shuffle_rows(grid, 0, about);
}

static inline void rename_columns(struct grid *grid, double strength, const struct lab_case *about) {
        (void)strength, (void)about;
        for (size_t i = 0; i < grid->columns; i++) {
                char name[24];

                (void)snprintf(name, sizeof name, "v%zu", (i * 7 + 3) % 1000);
                grid->names[i] = grid_keep(grid, name);
        }
}

static inline void reorder_columns(struct grid *grid, double strength, const struct lab_case *about) {
        (void)strength, (void)about;
        for (size_t i = grid->columns; i-- > 1;) {
                size_t other = lab_random() % (i + 1);
                const char *swap = grid->names[i];

                grid->names[i] = grid->names[other];
                grid->names[other] = swap;
                for (size_t row = 0; row < grid->rows; row++) {
                        swap = *grid_cell(grid, row, i);
                        *grid_cell(grid, row, i) = *grid_cell(grid, row, other);
                        *grid_cell(grid, row, other) = swap;
                }
        }
}

static inline void rename_and_reorder(struct grid *grid, double strength, const struct lab_case *about) {
        rename_columns(grid, strength, about);
        reorder_columns(grid, strength, about);
}

/* Moves a share of the numbers by one unit: a wrong symbol each. */
static inline void flip(struct grid *grid, double share, const struct lab_case *about) {
        for (size_t i = 0; i < grid->columns; i++) {
                struct gbx_number unit, number;

                if (!unit_of(grid, i, about, &unit))
                        continue;
                for (size_t row = 0; row < grid->rows; row++)
                        if (lab_chance(share) && grid_number(grid, row, i, &number) &&
                            gbx_number_add_units(number, unit, lab_random() & 1 ? 1 : -1, &number))
                                grid_set_number(grid, row, i, number);
        }
}

/* Adds noise of up to ten units to a share of the numbers: half the symbols come out wrong. */
static inline void redraw(struct grid *grid, double share, const struct lab_case *about) {
        for (size_t i = 0; i < grid->columns; i++) {
                struct gbx_number unit, number;

                if (!unit_of(grid, i, about, &unit))
                        continue;
                for (size_t row = 0; row < grid->rows; row++)
                        if (lab_chance(share) && grid_number(grid, row, i, &number) &&
                            gbx_number_add_units(number, unit, (int64_t)(lab_random() % 21) - 10, &number))
                                grid_set_number(grid, row, i, number);
        }
}

/* Rounds to 10^strength units. */
static inline void round_numbers(struct grid *grid, double strength, const struct lab_case *about) {
        for (size_t i = 0; i < grid->columns; i++) {
                struct gbx_number unit, number, coarse = {};
                int64_t units;

                if (!unit_of(grid, i, about, &unit))
                        continue;
                (void)gbx_number_add_units(coarse, unit, (int64_t)pow(10, strength), &coarse);
                for (size_t row = 0; row < grid->rows; row++)
                        if (grid_number(grid, row, i, &number) && gbx_number_units(number, coarse, &units) &&
                            gbx_number_add_units((struct gbx_number){ 0, unit.decimals }, coarse, units, &number))
                                grid_set_number(grid, row, i, number);
        }
}

/* Rounds one half of the marked columns away. */
static inline void round_half(struct grid *grid, double strength, const struct lab_case *about) {
        struct lab_case half = *about;

        half.column_count /= 2;
        round_numbers(grid, strength, &half);
}

static inline void scale(struct grid *grid, double power, const struct lab_case *about) {
        for (size_t i = 0; i < grid->columns; i++) {
                struct gbx_number unit, number;

                if (!unit_of(grid, i, about, &unit))
                        continue;
                for (size_t row = 0; row < grid->rows; row++)
                        if (grid_number(grid, row, i, &number) && gbx_number_shift(&number, (int)power))
                                grid_set_number(grid, row, i, number);
        }
}

/* Another currency: numbers times `factor`, to two more digits. */
static inline void convert(struct grid *grid, double factor, const struct lab_case *about) {
        for (size_t i = 0; i < grid->columns; i++) {
                struct gbx_number unit, number;

                if (!unit_of(grid, i, about, &unit))
                        continue;
                for (size_t row = 0; row < grid->rows; row++) {
                        char text[GBX_NUMBER_TEXT_SIZE];

                        if (!grid_number(grid, row, i, &number))
                                continue;
                        (void)snprintf(text, sizeof text, "%.*f", unit.decimals + 2, gbx_number_double(number) * factor);
                        *grid_cell(grid, row, i) = grid_keep(grid, text);
                }
        }
}

/* Not an attack: what somebody has who never got a copy. */
static inline void unmark(struct grid *grid, double strength, const struct lab_case *about) {
        (void)strength;
        grid_free(grid);
        grid_read(grid, about->original);
}

/* Adds rows of its own, in the same style: values from other rows, keys that do not exist. */
static inline void add_foreign(struct grid *grid, double share, const struct lab_case *about) {
        size_t rows = grid->rows, extra = (size_t)((double)rows * share);

        grid->cells = reallocarray(grid->cells, (rows + extra) * grid->columns, sizeof *grid->cells);
        if (!grid->cells)
                abort();
        grid->rows += extra;
        for (size_t row = rows; row < rows + extra; row++)
                for (size_t i = 0; i < grid->columns; i++) {
                        char key[24];

                        (void)snprintf(key, sizeof key, "9%08u", lab_random() % 100000000);
                        *grid_cell(grid, row, i) = about->key && strcmp(grid->names[i], about->key) == 0
                                                           ? grid_keep(grid, key)
                                                           : *grid_cell(grid, lab_random() % rows, i);
                }
}

/* Looks for digits that stick out: a number one unit beside a value that is common in the column (among rows that
 * agree in the first text column, too) is set to that value. */
static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* How many of the sorted texts are less than `text`, or not greater. */
static inline size_t count_below(const char **sorted, size_t count, const char *text, bool equal) {
        size_t low = 0, high = count;

        while (low < high) {
                size_t middle = (low + high) / 2;
                int order = strcmp(sorted[middle], text);

                if (order < 0 || (equal && order == 0))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static inline size_t count_text(const char **sorted, size_t count, const char *text) {
        return count_below(sorted, count, text, true) - count_below(sorted, count, text, false);
}

static inline void repair_column(struct grid *grid, size_t column, struct gbx_number unit) {
        const char **sorted = calloc(grid->rows, sizeof *sorted);

        if (!sorted)
                abort();
        for (size_t row = 0; row < grid->rows; row++)
                sorted[row] = *grid_cell(grid, row, column);
        qsort(sorted, grid->rows, sizeof *sorted, compare_texts);
        for (size_t row = 0; row < grid->rows; row++) {
                struct gbx_number number;
                size_t own, best;
                const char *better = NULL;

                if (!grid_number(grid, row, column, &number))
                        continue;
                own = best = count_text(sorted, grid->rows, *grid_cell(grid, row, column));
                for (int step = -1; step <= 1; step += 2) {
                        struct gbx_number beside;
                        char text[GBX_NUMBER_TEXT_SIZE];
                        size_t count;

                        if (!gbx_number_add_units(number, unit, step, &beside))
                                continue;
                        for (int reduced = 0; reduced < 2; reduced++) {
                                (void)gbx_number_print(reduced ? gbx_number_reduce(beside) : beside, text);
                                count = count_text(sorted, grid->rows, text);
                                if (count > best && count >= 3 * own) {
                                        best = count;
                                        better = grid_keep(grid, text);
                                }
                        }
                }
                if (better)
                        *grid_cell(grid, row, column) = better;
        }
        free(sorted);
}

static inline void correlation(struct grid *grid, double strength, const struct lab_case *about) {
        (void)strength;
        for (size_t i = 0; i < grid->columns; i++) {
                struct gbx_number unit;

                if (unit_of(grid, i, about, &unit))
                        repair_column(grid, i, unit);
        }
}

static inline void delete_flip_drop(struct grid *grid, double share, const struct lab_case *about) {
        delete_rows(grid, share, about);
        flip(grid, 0.3, about);
        drop_columns(grid, 5, about);
}

/* Numbers through binary floating point and back, as Parquet and data frames keep them: `digits` 15 for double, 7 for
 * single precision, which loses the last digits of long numbers. */
static inline void launder(struct grid *grid, double digits, const struct lab_case *about) {
        (void)about;
        for (size_t i = 0; i < grid->rows * grid->columns; i++) {
                struct gbx_number number;
                char text[GBX_NUMBER_TEXT_SIZE];
                double value;

                if (!gbx_number_parse(grid->cells[i], strlen(grid->cells[i]), &number))
                        continue;
                value = gbx_number_double(number);
                (void)snprintf(text, sizeof text, "%.*g", (int)digits, digits < 10 ? (double)(float)value : value);
                grid->cells[i] = grid_keep(grid, text);
        }
}

static inline int compare_first_cells(const void *a, const void *b) {
        return strcmp(**(const char **const *)a, **(const char **const *)b);
}

/* By the text of the first column. */
static inline void sort_rows(struct grid *grid) {
        const char ***rows = calloc(grid->rows, sizeof *rows);
        const char **sorted = calloc(grid->rows * grid->columns, sizeof *sorted);

        if (!rows || !sorted)
                abort();
        for (size_t row = 0; row < grid->rows; row++)
                rows[row] = grid_cell(grid, row, 0);
        qsort(rows, grid->rows, sizeof *rows, compare_first_cells);
        for (size_t row = 0; row < grid->rows; row++)
                memcpy(&sorted[row * grid->columns], rows[row], grid->columns * sizeof *sorted);
        free(rows);
        free(grid->cells);
        grid->cells = sorted;
}

static inline void sort_sample_drop_rename(struct grid *grid, double share, const struct lab_case *about) {
        delete_rows(grid, share, about);
        drop_columns(grid, 3, about);
        sort_rows(grid);
        rename_columns(grid, 0, about);
}

/* --- several copies --------------------------------------------------------------- */

/* Cell by cell, and (after STRATEGIES) plain mixes: the first rows of one copy and the last of another; columns in turn. */
enum strategy { INTERLEAVE, MAJORITY, MINORITY, LOWEST, COIN, STRATEGIES, MIX_ROWS = STRATEGIES, MIX_COLUMNS };

static const char *const strategy_names[] = { "interleave", "majority", "minority", "lowest", "coin", "halves of the rows",
                                              "columns in turn" };

/* One cell of a merged copy, from the texts that the colluders hold. */
static inline const char *merge_cell(const char **texts, unsigned count, enum strategy strategy) {
        const char *different[16];
        unsigned votes[16] = {}, kinds = 0, best = 0;

        for (unsigned i = 0; i < count; i++) {
                unsigned k = 0;

                while (k < kinds && strcmp(different[k], texts[i]) != 0)
                        k++;
                if (k == kinds)
                        different[kinds++] = texts[i];
                votes[k]++;
        }
        if (strategy == INTERLEAVE)
                return texts[lab_random() % count];
        if (strategy == COIN)
                return different[lab_random() % kinds];
        for (unsigned k = 1; k < kinds; k++) {
                struct gbx_number a, b;

                if (strategy == MAJORITY ? votes[k] > votes[best]
                    : strategy == MINORITY ? votes[k] < votes[best]
                                           : gbx_number_parse(different[k], strlen(different[k]), &a) &&
                                                     gbx_number_parse(different[best], strlen(different[best]), &b) &&
                                                     gbx_number_compare(a, b) < 0)
                        best = k;
        }
        return different[best];
}

static inline void merge(struct grid *into, struct grid *others, unsigned count, enum strategy strategy) {
        const char *texts[16];

        for (size_t i = 0; i < into->rows * into->columns; i++) {
                texts[0] = into->cells[i];
                for (unsigned k = 1; k < count; k++)
                        texts[k] = others[k - 1].cells[i];
                if (strategy == MIX_ROWS)
                        into->cells[i] = texts[i / into->columns * count / into->rows];
                else if (strategy == MIX_COLUMNS)
                        into->cells[i] = texts[i % into->columns % count];
                else
                        into->cells[i] = merge_cell(texts, count, strategy);
        }
}
