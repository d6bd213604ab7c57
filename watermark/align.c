#include "watermark/align.h"

#include "base/cleanup.h"
#include "watermark/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
        RAREST = 4,         /* values of a row that are looked up */
        LONGEST = 2000,     /* rows that a value may name to be of use */
        RATIO_SAMPLE = 4001,
};

static const double margin = 3; /* bits by which a pair must beat chance, and the next best row */

/* The rows of the original that hold a class of values in one column. */
struct posting {
        uint32_t class, row;
};

struct aligner {
        const struct gbx_plan *plan;
        const struct gbx_mark_keys *keys;
        struct gbx_view *suspect;
        const struct gbx_view *original;
        unsigned *columns; /* of the plan, in both views */
        unsigned count;
        struct posting **postings; /* a sorted list for each of them */
        uint32_t *classes;         /* of the original: rows * count */
        uint32_t *pairs;
        uint64_t matched;
        struct gbx_error *err;
};

static int by_class(const void *a, const void *b) {
        const struct posting *x = a, *y = b;

        if (x->class != y->class)
                return x->class < y->class ? -1 : 1;
        return x->row < y->row ? -1 : x->row > y->row;
}

/* 0: empty. */
static uint32_t class_of(const struct aligner *a, const struct gbx_view *view, unsigned column, size_t row) {
        struct gbx_number number;
        size_t size;
        const char *text = gbx_table_cell(view->table, row, (size_t)view->columns[column].column, &size);

        if (size == 0)
                return 0;
        if (gbx_view_number(view, column, row, &number))
                return gbx_sketch_number(&a->keys->sketch, number, 0) | 1;
        return gbx_sketch_text(&a->keys->sketch, text, size) | 1;
}

/* --- by the declared key ------------------------------------------------------ */

struct keyed {
        struct gbx_cell_id id;
        uint32_t row;
};

static int by_id(const void *a, const void *b) {
        const struct keyed *x = a, *y = b;

        if (x->id.half[0] != y->id.half[0])
                return x->id.half[0] < y->id.half[0] ? -1 : 1;
        return x->id.half[1] < y->id.half[1] ? -1 : x->id.half[1] > y->id.half[1];
}

static int list_keys(const struct aligner *a, const struct gbx_view *view, struct keyed *list, size_t *ret_count) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer key = {};
        size_t count = 0;

        for (size_t row = 0; row < view->table->rows; row++) {
                int r;

                gbx_buffer_clear(&key);
                r = gbx_layer_row_key(a->plan, 0, view, row, &key, a->err);
                if (r < 0)
                        return r;
                if (r == 0)
                        list[count++] = (struct keyed){ gbx_sip128(&a->keys->select, key.data, key.size), (uint32_t)row };
        }
        qsort(list, count, sizeof *list, by_id);
        *ret_count = count;
        return 0;
}

static int pair_by_key(struct aligner *a) {
        gbx_auto(gbx_free_pointer) struct keyed *ours = calloc(a->original->table->rows + 1, sizeof *ours);
        gbx_auto(gbx_free_pointer) struct keyed *theirs = calloc(a->suspect->table->rows + 1, sizeof *theirs);
        size_t our_count = 0, their_count = 0, i = 0;
        int r;

        if (!ours || !theirs)
                return gbx_fail_memory(a->err);
        r = list_keys(a, a->original, ours, &our_count);
        if (r >= 0)
                r = list_keys(a, a->suspect, theirs, &their_count);
        if (r < 0)
                return r;
        for (size_t k = 0; k < their_count; k++) {
                while (i < our_count && by_id(&ours[i], &theirs[k]) < 0)
                        i++;
                if (i == our_count)
                        break;
                if (by_id(&ours[i], &theirs[k]) == 0 && (i + 1 == our_count || by_id(&ours[i + 1], &theirs[k]) != 0)) {
                        a->pairs[theirs[k].row] = ours[i].row;
                        a->matched++;
                }
        }
        return 0;
}

static bool has_declared_key(const struct aligner *a) {
        const struct gbx_layer *layer = &a->plan->layers[0];

        if (a->plan->layer_count == 0 || a->plan->columns[layer->keys[0].column].role != GBX_MARK_KEY)
                return false;
        for (unsigned i = 0; i < layer->key_count; i++)
                if (a->suspect->columns[layer->keys[i].column].column < 0)
                        return false;
        return true;
}

/* --- by likeness --------------------------------------------------------------- */

static int index_original(struct aligner *a) {
        size_t rows = a->original->table->rows;

        a->postings = calloc(a->count + 1, sizeof *a->postings);
        a->classes = calloc(rows * a->count + 1, sizeof *a->classes);
        if (!a->postings || !a->classes)
                return gbx_fail_memory(a->err);
        for (unsigned i = 0; i < a->count; i++) {
                a->postings[i] = calloc(rows, sizeof **a->postings);
                if (!a->postings[i])
                        return gbx_fail_memory(a->err);
                for (size_t row = 0; row < rows; row++) {
                        uint32_t class = class_of(a, a->original, a->columns[i], row);

                        a->classes[row * a->count + i] = class;
                        a->postings[i][row] = (struct posting){ class, (uint32_t)row };
                }
                qsort(a->postings[i], rows, sizeof **a->postings, by_class);
        }
        return 0;
}

static size_t lower_bound(const struct posting *list, size_t count, uint64_t class) {
        size_t low = 0, high = count;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (list[middle].class < class)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

struct lookup {
        unsigned column; /* index into a->columns */
        size_t first, length;
};

/* What each of a row's values says: which rows hold it, and how many bits that is worth. */
static void look_up_row(const struct aligner *a, size_t row, uint32_t *classes, double *bits, struct lookup *rarest) {
        size_t rows = a->original->table->rows;

        for (unsigned n = 0; n < RAREST; n++)
                rarest[n].length = SIZE_MAX;
        for (unsigned i = 0; i < a->count; i++) {
                struct lookup found = { i, 0, SIZE_MAX };

                classes[i] = class_of(a, a->suspect, a->columns[i], row);
                bits[i] = 0;
                if (!classes[i])
                        continue;
                found.first = lower_bound(a->postings[i], rows, classes[i]);
                found.length = lower_bound(a->postings[i], rows, (uint64_t)classes[i] + 1) - found.first;
                if (found.length == 0)
                        continue;
                bits[i] = log2((double)rows / (double)found.length);
                for (unsigned n = 0; n < RAREST; n++)
                        if (found.length < rarest[n].length) {
                                struct lookup swap = rarest[n];

                                rarest[n] = found;
                                found = swap;
                        }
        }
}

static void pair_row(struct aligner *a, size_t row, uint32_t *classes, double *bits) {
        struct lookup rarest[RAREST];
        double best = 0, second = 0;
        uint32_t best_row = GBX_ALIGN_NONE;

        look_up_row(a, row, classes, bits, rarest);
        for (unsigned n = 0; n < RAREST && rarest[n].length <= LONGEST; n++) {
                const struct posting *list = a->postings[rarest[n].column] + rarest[n].first;

                if (n > 0 && best >= log2((double)a->original->table->rows) + 2 * margin && best - second >= margin)
                        break;
                for (size_t k = 0; k < rarest[n].length; k++) {
                        const uint32_t *theirs = a->classes + (size_t)list[k].row * a->count;
                        double sum = 0;

                        if (list[k].row == best_row)
                                continue;
                        for (unsigned i = 0; i < a->count; i++)
                                sum += theirs[i] == classes[i] ? bits[i] : 0;
                        if (sum > best) {
                                second = best;
                                best = sum;
                                best_row = list[k].row;
                        } else if (sum > second) {
                                second = sum;
                        }
                }
        }
        if (best_row != GBX_ALIGN_NONE && best >= log2((double)a->original->table->rows) + margin &&
            best - second >= margin) {
                a->pairs[row] = best_row;
                a->matched++;
        }
}

static int pair_by_likeness(struct aligner *a) {
        gbx_auto(gbx_free_pointer) uint32_t *classes = calloc(a->count + 1, sizeof *classes);
        gbx_auto(gbx_free_pointer) double *bits = calloc(a->count + 1, sizeof *bits);
        int r;

        if (!classes || !bits)
                return gbx_fail_memory(a->err);
        r = index_original(a);
        for (size_t row = 0; row < a->suspect->table->rows && r >= 0; row++)
                if (a->pairs[row] == GBX_ALIGN_NONE)
                        pair_row(a, row, classes, bits);
        return r;
}

/* --- scales --------------------------------------------------------------------- */

bool gbx_align_units(const struct gbx_plan *plan, const struct gbx_view *suspect, unsigned column, size_t row,
                     int64_t *ret_units) {
        struct gbx_number number;
        double units;

        if (!gbx_view_number(suspect, column, row, &number))
                return false;
        if (suspect->columns[column].factor <= 0)
                return gbx_number_units(number, plan->columns[column].unit, ret_units);
        units = floor(gbx_number_double(number) * suspect->columns[column].factor /
                              gbx_number_double(plan->columns[column].unit) + 0.5);
        if (!(fabs(units) < 1e15))
                return false;
        *ret_units = (int64_t)units;
        return true;
}

static int by_size(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

/* A constant factor between paired values: taken if most of them agree with it to a thousandth. */
static int find_factor(struct aligner *a, unsigned column) {
        gbx_auto(gbx_free_pointer) double *ratios = calloc(RATIO_SAMPLE, sizeof *ratios);
        size_t count = 0, agree = 0, same = 0;
        double factor;

        if (!ratios)
                return gbx_fail_memory(a->err);
        for (size_t row = 0; row < a->suspect->table->rows && count < RATIO_SAMPLE; row++) {
                struct gbx_number ours, theirs;

                if (a->pairs[row] == GBX_ALIGN_NONE || !gbx_view_number(a->suspect, column, row, &theirs) ||
                    !gbx_view_number(a->original, column, a->pairs[row], &ours) || theirs.mantissa == 0 ||
                    ours.mantissa == 0)
                        continue;
                ratios[count] = gbx_number_double(ours) / gbx_number_double(theirs);
                same += fabs(ratios[count] - 1) < 1e-3 ||
                        fabs(gbx_number_double(ours) - gbx_number_double(theirs)) <=
                                1.5 * gbx_number_double(a->plan->columns[column].unit);
                count++;
        }
        if (count < 8 || 4 * same >= count)
                return 0;
        qsort(ratios, count, sizeof *ratios, by_size);
        factor = ratios[count / 2];
        for (size_t i = 0; i < count; i++)
                agree += fabs(ratios[i] / factor - 1) < 1e-3;
        if (2 * agree >= count && factor > 0)
                a->suspect->columns[column].factor = factor;
        return 0;
}

static int find_factors(struct aligner *a, struct gbx_buffer *notes) {
        int r = 0;

        for (unsigned i = 0; i < a->count && r >= 0; i++) {
                unsigned column = a->columns[i];

                if (!a->plan->columns[column].markable || a->plan->columns[column].mark_text)
                        continue;
                r = find_factor(a, column);
                if (r >= 0 && a->suspect->columns[column].factor > 0)
                        r = gbx_buffer_printf(notes, a->err, "column '%s' is scaled by %.6g\n",
                                              a->plan->columns[column].name, 1 / a->suspect->columns[column].factor);
        }
        return r;
}

int gbx_align(const struct gbx_plan *plan, const struct gbx_mark_keys *keys, struct gbx_view *suspect,
              const struct gbx_view *original, uint32_t *ret_pairs, uint64_t *ret_matched, struct gbx_buffer *notes,
              struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) unsigned *columns = calloc(plan->column_count + 1, sizeof *columns);
        struct aligner a = { plan, keys, suspect, original, columns, 0, NULL, NULL, ret_pairs, 0, err };
        int r;

        if (!columns)
                return gbx_fail_memory(err);
        for (unsigned i = 0; i < plan->column_count; i++)
                if (suspect->columns[i].column >= 0 && original->columns[i].column >= 0)
                        columns[a.count++] = i;
        for (size_t row = 0; row < suspect->table->rows; row++)
                ret_pairs[row] = GBX_ALIGN_NONE;
        r = has_declared_key(&a) ? pair_by_key(&a) : 0;
        if (r >= 0 && 2 * a.matched < suspect->table->rows)
                r = pair_by_likeness(&a);
        if (r >= 0)
                r = find_factors(&a, notes);
        for (unsigned i = 0; a.postings && i < a.count; i++)
                free(a.postings[i]);
        free(a.postings);
        free(a.classes);
        if (r < 0)
                return r;
        *ret_matched = a.matched;
        return 0;
}
