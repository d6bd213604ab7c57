/*
 * Virtual keys: naming rows without a declared key
 *
 * A virtual key is three to six stable columns, numbers taken in coarse
 * buckets. Several keys are made of columns as different as the table allows,
 * so that dropping some columns leaves one key whole; each marks columns that
 * it does not itself contain.
 */
#include "watermark/layer.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
        SAMPLE = 8192,
        LEAST_KEYS = 3,
        BUCKETS = 32,       /* about so many between the 5th and the 95th percentile */
        MARK_BUCKET = 100,  /* units that a bucket of a marked column has at least */
};

/* A column that keys may be made of. */
struct ingredient {
        unsigned column;
        struct gbx_number bucket;
        double entropy; /* bits */
        uint64_t *classes; /* of the sampled rows */
};

static int compare_numbers(const void *a, const void *b) {
        return gbx_number_compare(*(const struct gbx_number *)a, *(const struct gbx_number *)b);
}

static int compare_words(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

static int by_entropy(const void *a, const void *b) {
        const struct ingredient *x = a, *y = b;

        if (x->entropy != y->entropy)
                return x->entropy > y->entropy ? -1 : 1;
        return x->column < y->column ? -1 : 1;
}

/* The largest power of ten that still makes about BUCKETS buckets; mantissa 0: values as they are. */
static struct gbx_number choose_bucket(const struct gbx_plan_column *column, struct gbx_number *values, size_t count) {
        const struct gbx_number zero = {};
        struct gbx_number bucket = { 1, GBX_NUMBER_DIGITS }, least = { 1, 0 };
        double width;

        qsort(values, count, sizeof *values, compare_numbers);
        width = (gbx_number_double(values[count - 1 - count / 20]) - gbx_number_double(values[count / 20])) / BUCKETS;
        while (gbx_number_double(bucket) * 10 <= width && gbx_number_shift(&bucket, 1))
                ;
        if (column->markable) {
                least = column->unit;
                (void)gbx_number_add_units(zero, column->unit, MARK_BUCKET, &least);
        } else if (gbx_number_double(bucket) * BUCKETS < 1 && width * BUCKETS >= 1) {
                return least; /* whole numbers and finer ones alike */
        }
        if (gbx_number_compare(bucket, least) < 0)
                return column->markable ? least : (struct gbx_number){};
        return bucket;
}

/* Looks at a column; 1 if keys cannot be made of it. */
static int look_at(const struct gbx_plan *plan, const struct gbx_view *view, unsigned column, struct ingredient *ret,
                   struct gbx_error *err) {
        size_t rows = view->table->rows, step = (rows + SAMPLE - 1) / SAMPLE, count = 0, numbers = 0;
        gbx_auto(gbx_free_pointer) struct gbx_number *values = calloc(SAMPLE, sizeof *values);
        gbx_auto(gbx_free_pointer) uint64_t *sorted = calloc(SAMPLE, sizeof *sorted);
        static const struct gbx_sip_key fixed = { { 1, 2 } };
        gbx_auto(gbx_buffer_free) struct gbx_buffer key = {};
        struct gbx_plan one = { .columns = plan->columns, .column_count = plan->column_count, .layer_count = 1 };
        struct ingredient found = { .column = column };
        double entropy = 0;

        found.classes = calloc(SAMPLE, sizeof *found.classes);
        if (!values || !sorted || !found.classes) {
                free(found.classes);
                return gbx_fail_memory(err);
        }
        for (size_t row = 0; row < rows; row += step)
                numbers += gbx_view_number(view, column, row, &values[numbers]);
        if (numbers > 0)
                found.bucket = choose_bucket(&plan->columns[column], values, numbers);
        one.layers[0] = (struct gbx_layer){ .keys = { { column, found.bucket } }, .key_count = 1, .virtual = true };
        for (size_t row = 0; row < rows; row += step, count++) {
                gbx_buffer_clear(&key);
                if (gbx_layer_row_key(&one, 0, view, row, &key, err) < 0) {
                        free(found.classes);
                        return -ENOMEM;
                }
                found.classes[count] = sorted[count] = gbx_sip64(&fixed, key.data, key.size);
        }
        qsort(sorted, count, sizeof *sorted, compare_words);
        for (size_t i = 0, end; i < count; i = end) {
                for (end = i; end < count && sorted[end] == sorted[i]; end++)
                        ;
                entropy -= (double)(end - i) / (double)count * log2((double)(end - i) / (double)count);
        }
        found.entropy = entropy;
        *ret = found;
        return 0;
}

/* Share of sampled rows whose key is theirs alone or shared by few: distinct keys / rows. */
static double distinct_share(const struct ingredient *ingredients, const unsigned *picked, unsigned count, size_t rows) {
        gbx_auto(gbx_free_pointer) uint64_t *mixed = calloc(rows, sizeof *mixed);
        size_t distinct = 0;

        if (!mixed)
                return 0;
        for (size_t row = 0; row < rows; row++)
                for (unsigned i = 0; i < count; i++)
                        mixed[row] = (mixed[row] ^ ingredients[picked[i]].classes[row]) * UINT64_C(0x9e3779b97f4a7c15);
        qsort(mixed, rows, sizeof *mixed, compare_words);
        for (size_t i = 0; i < rows; i++)
                distinct += i == 0 || mixed[i] != mixed[i - 1];
        return (double)distinct / (double)rows;
}

static void compose_key(struct gbx_layer *layer, const struct ingredient *ingredients, unsigned available, unsigned which,
                        unsigned layers, size_t rows) {
        unsigned picked[GBX_LAYER_MAX_KEYS], count = 0;
        bool used[64] = {};

        /* Its own share first, dealt out in turn, then whatever tells most rows apart. */
        for (unsigned pass = 0; pass < 2; pass++)
                for (unsigned i = pass ? 0 : which; i < available && count < GBX_LAYER_MAX_KEYS; i += pass ? 1 : layers) {
                        if (used[i] || ingredients[i].entropy < 0.2)
                                continue;
                        if (count >= LEAST_KEYS && distinct_share(ingredients, picked, count, rows) > 0.8)
                                break;
                        used[i] = true;
                        picked[count++] = i;
                        if (pass && count >= LEAST_KEYS && layers > 1 && count >= (available + layers - 1) / layers)
                                break;
                }
        layer->virtual = true;
        layer->key_count = count;
        for (unsigned i = 0; i < count; i++)
                layer->keys[i] = (struct gbx_layer_key){ ingredients[picked[i]].column, ingredients[picked[i]].bucket };
}

static bool is_key_of(const struct gbx_layer *layer, unsigned column) {
        for (unsigned i = 0; i < layer->key_count; i++)
                if (layer->keys[i].column == column)
                        return true;
        return false;
}

/* Divides the columns that may be marked among the layers from `first` on, to the least loaded that may. */
static int divide_columns(struct gbx_plan *plan, unsigned first, bool declared, struct gbx_error *err) {
        for (unsigned i = 0; i < plan->column_count; i++) {
                struct gbx_layer *best = NULL;

                if (!plan->columns[i].markable || plan->columns[i].per >= 0)
                        continue;
                for (unsigned l = 0; l < plan->layer_count; l++) {
                        struct gbx_layer *layer = &plan->layers[l];

                        if ((l < first && !(declared && l == 0)) || is_key_of(layer, i))
                                continue;
                        if (!best || layer->mark_count < best->mark_count)
                                best = layer;
                }
                if (!best)
                        continue;
                if (!best->marks) {
                        best->marks = calloc(plan->column_count, sizeof *best->marks);
                        if (!best->marks)
                                return gbx_fail_memory(err);
                }
                best->marks[best->mark_count++] = i;
        }
        return 0;
}

int gbx_plan_add_virtual_keys(struct gbx_plan *plan, const struct gbx_view *view, unsigned count,
                              struct gbx_error *err) {
        struct ingredient ingredients[64] = {};
        size_t rows = view->table->rows, step = (rows + SAMPLE - 1) / SAMPLE, sampled = (rows + step - 1) / step;
        unsigned available = 0, first = plan->layer_count;
        bool declared = plan->layer_count > 0 && plan->columns[plan->layers[0].keys[0].column].role == GBX_MARK_KEY;
        int r = 0;

        for (unsigned i = 0; i < plan->column_count && available < gbx_array_size(ingredients) && r >= 0; i++) {
                if (view->columns[i].column < 0 || plan->columns[i].role == GBX_MARK_KEY || plan->columns[i].mark_text)
                        continue;
                r = look_at(plan, view, i, &ingredients[available], err);
                available += r == 0;
        }
        if (r >= 0) {
                qsort(ingredients, available, sizeof *ingredients, by_entropy);
                for (unsigned l = 0; l < count && available > 0; l++)
                        compose_key(&plan->layers[plan->layer_count++], ingredients, available, l, count, sampled);
                /* The declared key's layer shares the columns with the new ones. */
                if (declared)
                        plan->layers[0].mark_count = 0;
                r = divide_columns(plan, first, declared, err);
        }
        for (unsigned i = 0; i < available; i++)
                free(ingredients[i].classes);
        return r;
}
