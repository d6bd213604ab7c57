/*
 * Virtual keys: naming rows without a declared key
 *
 * A virtual key is three to six stable columns, numbers taken in coarse
 * buckets. Several keys are made of columns as different as the table allows
 * (none is in more than half of them), so that dropping some columns leaves a
 * key whole; each marks all columns that it does not itself contain.
 */
#include "watermark/layer.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
        SAMPLE = 8192,
        SLOTS = 4 * SAMPLE,
        INGREDIENTS = 64,
        LEAST_KEYS = 3,
        BUCKETS = 256,      /* about so many between the 5th and the 95th percentile */
        MARK_BUCKET = 100,  /* units that a bucket of a marked column has at least */
};

static const double enough_distinct = 0.8, /* share of rows that a key should tell apart */
                    use_penalty = 0.1,     /* a column in one more key is worth so much less */
                    least_entropy = 0.2;

/* A column that keys may be made of. */
struct ingredient {
        unsigned column;
        struct gbx_number bucket;
        double entropy; /* bits */
        uint64_t *classes; /* of the sampled rows */
        unsigned uses;     /* keys that it is part of */
};

struct composer {
        struct ingredient ingredients[INGREDIENTS];
        unsigned available;
        size_t rows;        /* sampled */
        uint64_t *seen;     /* see distinct_share */
        unsigned most_uses; /* of one ingredient: dropping a column must leave keys whole */
};

static void composer_free(struct composer *c) {
        for (unsigned i = 0; i < c->available; i++)
                free(c->ingredients[i].classes);
        free(c->seen);
}

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

/* Distinct keys among the sampled rows, as a share. `seen` is room for SLOTS words. */
static double distinct_share(const struct composer *c, const unsigned *picked, unsigned count) {
        size_t distinct = 0;

        memset(c->seen, 0, SLOTS * sizeof *c->seen);
        for (size_t row = 0; row < c->rows; row++) {
                uint64_t mixed = 1;
                size_t at;

                for (unsigned i = 0; i < count; i++)
                        mixed = (mixed ^ c->ingredients[picked[i]].classes[row]) * UINT64_C(0x9e3779b97f4a7c15);
                mixed |= 1;
                for (at = (size_t)(mixed >> 40) % SLOTS; c->seen[at] && c->seen[at] != mixed; at = (at + 1) % SLOTS)
                        ;
                distinct += c->seen[at] == 0;
                c->seen[at] = mixed;
        }
        return (double)distinct / (double)c->rows;
}

static bool has_same_key(const struct gbx_layer *a, const struct gbx_layer *b) {
        if (a->key_count != b->key_count)
                return false;
        for (unsigned i = 0; i < a->key_count; i++)
                if (!gbx_layer_has_key(b, a->keys[i].column))
                        return false;
        return true;
}

/* Adds, one by one, the column that tells most rows apart, rather one that few other keys have. */
static void compose_key(struct composer *c, struct gbx_layer *layer) {
        unsigned picked[GBX_LAYER_MAX_KEYS], count = 0;
        bool used[INGREDIENTS] = {};
        double share = 0;

        while (count < GBX_LAYER_MAX_KEYS && (count < LEAST_KEYS || share < enough_distinct)) {
                double best = -INFINITY;
                unsigned best_index = 0;

                for (unsigned i = 0; i < c->available; i++) {
                        double score;

                        if (used[i] || c->ingredients[i].entropy < least_entropy || c->ingredients[i].uses >= c->most_uses)
                                continue;
                        picked[count] = i;
                        score = distinct_share(c, picked, count + 1) - use_penalty * c->ingredients[i].uses;
                        if (score > best) {
                                best = score;
                                best_index = i;
                        }
                }
                if (isinf(best))
                        break;
                picked[count++] = best_index;
                used[best_index] = true;
                share = distinct_share(c, picked, count);
                c->ingredients[best_index].uses++;
        }
        layer->virtual = true;
        layer->key_count = count;
        for (unsigned i = 0; i < count; i++)
                layer->keys[i] = (struct gbx_layer_key){ c->ingredients[picked[i]].column, c->ingredients[picked[i]].bucket };
}

/* As many different keys as the columns give, up to `wanted`. */
static void compose_keys(struct composer *c, struct gbx_plan *plan, unsigned wanted) {
        unsigned first = plan->layer_count;

        c->most_uses = wanted > 2 ? wanted / 2 : 1;
        if (c->available < 2 * LEAST_KEYS && wanted > 1)
                c->most_uses = wanted - 1; /* too few columns to be choosy */
        for (unsigned n = 0; n < wanted; n++) {
                struct gbx_layer *layer = &plan->layers[plan->layer_count];
                bool known = false;

                compose_key(c, layer);
                for (unsigned l = first; l < plan->layer_count; l++)
                        known |= has_same_key(&plan->layers[l], layer);
                if (layer->key_count == 0 || (n > 0 && layer->key_count < LEAST_KEYS) || known)
                        *layer = (struct gbx_layer){};
                else
                        plan->layer_count++;
        }
}

/* Every new layer marks all columns that it is not made of. */
static int give_columns(struct gbx_plan *plan, unsigned first, struct gbx_error *err) {
        for (unsigned l = first; l < plan->layer_count; l++) {
                struct gbx_layer *layer = &plan->layers[l];

                layer->marks = calloc(plan->column_count, sizeof *layer->marks);
                if (!layer->marks)
                        return gbx_fail_memory(err);
                for (unsigned i = 0; i < plan->column_count; i++)
                        if (plan->columns[i].markable && plan->columns[i].per < 0 && !gbx_layer_has_key(layer, i))
                                layer->marks[layer->mark_count++] = i;
        }
        return 0;
}

int gbx_plan_add_virtual_keys(struct gbx_plan *plan, const struct gbx_view *view, unsigned count,
                              struct gbx_error *err) {
        size_t rows = view->table->rows, step = (rows + SAMPLE - 1) / SAMPLE;
        gbx_auto(composer_free) struct composer c = { .rows = step ? (rows + step - 1) / step : 0 };
        unsigned first = plan->layer_count;
        int r = 0;

        c.seen = calloc(SLOTS, sizeof *c.seen);
        if (!c.seen)
                return gbx_fail_memory(err);
        for (unsigned i = 0; i < plan->column_count && c.available < INGREDIENTS && r >= 0; i++) {
                if (view->columns[i].column < 0 || plan->columns[i].role == GBX_MARK_KEY || plan->columns[i].mark_text)
                        continue;
                r = look_at(plan, view, i, &c.ingredients[c.available], err);
                c.available += r == 0;
        }
        if (r < 0)
                return r;
        qsort(c.ingredients, c.available, sizeof *c.ingredients, by_entropy);
        if (c.available > 0 && c.rows > 0)
                compose_keys(&c, plan, count);
        return give_columns(plan, first, err);
}
