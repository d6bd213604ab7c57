/* Views: a plan's columns in a table, and the values that are common in them */
#include "watermark/layer.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

enum {
        SAMPLE = 8192,   /* rows looked at for common values */
        SPIKE_COUNT = 5, /* a spike has at least so many rows, one in GBX_SPIKE_SHARE … */
        SPIKE_RATIO = 3, /* … and so many times those of both neighbouring values together */
};

int gbx_view_new(struct gbx_view *view, const struct gbx_plan *plan, const struct gbx_table *table,
                 struct gbx_error *err) {
        view->table = table;
        view->count = plan->column_count;
        view->columns = calloc(plan->column_count + 1, sizeof *view->columns);
        if (!view->columns)
                return gbx_fail_memory(err);
        for (unsigned i = 0; i < plan->column_count; i++) {
                view->columns[i].column = -1;
                for (size_t k = 0; k < table->columns; k++)
                        if (strcmp(plan->columns[i].name, gbx_table_name(table, k)) == 0)
                                view->columns[i].column = (int)k;
                if (view->columns[i].column < 0)
                        return gbx_fail(err, -EINVAL, "the declared column '%.80s' is not in the table",
                                        plan->columns[i].name);
        }
        return 0;
}

static int compare_units(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return x < y ? -1 : x > y;
}

/* Counts of the runs in sorted units; a value whose neighbours are much rarer is a spike. */
static size_t find_runs(const int64_t *units, size_t count, size_t least, int64_t *spikes) {
        size_t found = 0, before = 0; /* rows of the value one below */

        for (size_t i = 0, end; i < count; i = end) {
                size_t after = 0, run;

                for (end = i; end < count && units[end] == units[i]; end++)
                        ;
                run = end - i;
                for (size_t j = end; j < count && units[j] == units[i] + 1; j++)
                        after++;
                if (i == 0 || units[i - 1] != units[i] - 1)
                        before = 0;
                if (run >= least && run > SPIKE_RATIO * (before + after))
                        spikes[found++] = units[i];
                before = run;
        }
        return found;
}

static int compare_hashes(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

static int find_column_spikes(const struct gbx_view *view, struct gbx_plan *plan, const struct gbx_mark_keys *keys,
                              unsigned column, int64_t *units, struct gbx_error *err) {
        struct gbx_plan_column *c = &plan->columns[column];
        size_t step = (view->table->rows + SAMPLE - 1) / SAMPLE, count = 0, zeros = 0, least;
        gbx_auto(gbx_free_pointer) int64_t *spikes = NULL;

        for (size_t row = 0; row < view->table->rows; row += step) {
                struct gbx_number number;

                if (!gbx_view_number(view, column, row, &number))
                        continue;
                if (number.mantissa == 0)
                        zeros++;
                else if (gbx_number_units(number, c->unit, &units[count]))
                        count++;
        }
        qsort(units, count, sizeof *units, compare_units);
        least = count / GBX_SPIKE_SHARE > SPIKE_COUNT ? count / GBX_SPIKE_SHARE : SPIKE_COUNT;
        spikes = calloc(count / least + 1, sizeof *spikes);
        free(c->spikes);
        c->spikes = calloc(count / least + 2, sizeof *c->spikes);
        if (!spikes || !c->spikes)
                return gbx_fail_memory(err);
        c->spike_count = (unsigned)find_runs(units, count, least, spikes);
        for (unsigned i = 0; i < c->spike_count; i++)
                c->spikes[i] = gbx_layer_spike_hash(keys, c, spikes[i]);
        if (zeros >= SPIKE_COUNT && zeros >= (count + zeros) / GBX_SPIKE_SHARE)
                c->spikes[c->spike_count++] = gbx_layer_spike_hash(keys, c, 0);
        qsort(c->spikes, c->spike_count, sizeof *c->spikes, compare_hashes);
        return 0;
}

int gbx_view_find_spikes(const struct gbx_view *view, struct gbx_plan *plan, const struct gbx_mark_keys *keys,
                         struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) int64_t *units = calloc(SAMPLE, sizeof *units);
        int r;

        if (!units)
                return gbx_fail_memory(err);
        for (unsigned i = 0; i < plan->column_count; i++) {
                if (!plan->columns[i].markable || plan->columns[i].mark_text || view->columns[i].column < 0)
                        continue;
                r = find_column_spikes(view, plan, keys, i, units, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

void gbx_view_free(struct gbx_view *view) {
        free(view->columns);
        *view = (struct gbx_view){};
}
