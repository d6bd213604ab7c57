/* Plans: from declarations to columns and layers */
#include "watermark/layer.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

static int read_limits(struct gbx_plan_column *to, const struct gbx_mark_column *from, struct gbx_error *err) {
        const struct {
                const char *text, *what;
                struct gbx_number *number;
                bool *has;
        } limits[] = {
                { from->minimum, "minimum", &to->minimum, &to->has_minimum },
                { from->maximum, "maximum", &to->maximum, &to->has_maximum },
                { from->threshold, "threshold", &to->threshold, &to->has_threshold },
        };
        int r;

        for (size_t i = 0; i < gbx_array_size(limits); i++) {
                if (!limits[i].text)
                        continue;
                r = gbx_number_declared(limits[i].text, limits[i].what, from->name, limits[i].number, err);
                if (r < 0)
                        return r;
                *limits[i].has = true;
        }
        return 0;
}

static int read_column(struct gbx_plan_column *to, const struct gbx_mark_column *from, struct gbx_error *err) {
        int r = 0;

        to->name = strdup(from->name);
        if (!to->name)
                return gbx_fail_memory(err);
        to->type = from->type;
        to->role = from->role;
        to->weight = from->weight ? from->weight : 1;
        to->keep_total = from->keep_total;
        to->prose = from->prose && from->type == GBX_MARK_TEXT && from->role == GBX_MARK_VALUE && !from->exact;
        to->sum_group = to->per = -1;
        if (to->weight > 1000000)
                return gbx_fail(err, -EINVAL, "column '%s': the weight is above 1,000,000", from->name);
        if (from->unit)
                r = gbx_number_declared(from->unit, "unit", from->name, &to->unit, err);
        if (r < 0)
                return r;
        if (from->unit && to->unit.mantissa <= 0)
                return gbx_fail(err, -EINVAL, "column '%s': the unit '%s' is not positive", from->name, from->unit);
        if (from->keep_total && (from->per || from->sum_group))
                return gbx_fail(err, -EINVAL,
                                "column '%s': keep_total cannot be combined with per or sum_group; choose one", from->name);
        to->mark_text = from->mark_text && from->type == GBX_MARK_TEXT && from->role == GBX_MARK_VALUE && !from->exact;
        to->markable = to->mark_text || (from->unit && !from->exact && from->role != GBX_MARK_KEY &&
                                         from->type != GBX_MARK_TEXT);
        return read_limits(to, from, err);
}

static int find_declared(const struct gbx_mark_request *request, const char *name) {
        for (size_t i = 0; i < request->column_count; i++)
                if (strcmp(request->columns[i].name, name) == 0)
                        return (int)i;
        return -1;
}

/* `per` and `sum_group` as numbers. */
static int link_columns(struct gbx_plan *plan, const struct gbx_mark_request *request, struct gbx_error *err) {
        for (unsigned i = 0; i < plan->column_count; i++) {
                const struct gbx_mark_column *from = &request->columns[i];
                struct gbx_plan_column *to = &plan->columns[i];

                if (find_declared(request, from->name) != (int)i)
                        return gbx_fail(err, -EINVAL, "column '%s' is declared twice", from->name);
                if (from->per) {
                        to->per = find_declared(request, from->per);
                        if (to->per < 0 || to->per == (int)i || plan->columns[to->per].markable)
                                return gbx_fail(err, -EINVAL,
                                                "column '%s': per '%s' must name another declared column that stays exact",
                                                from->name, from->per);
                }
                for (unsigned k = 0; from->sum_group && k <= i; k++)
                        if (request->columns[k].sum_group && strcmp(request->columns[k].sum_group, from->sum_group) == 0) {
                                to->sum_group = (int)k;
                                break;
                        }
        }
        return 0;
}

static int add_mark(struct gbx_plan *plan, struct gbx_layer *layer, unsigned column, struct gbx_error *err) {
        if (!layer->marks) {
                layer->marks = calloc(plan->column_count, sizeof *layer->marks);
                if (!layer->marks)
                        return gbx_fail_memory(err);
        }
        layer->marks[layer->mark_count++] = column;
        return 0;
}

/* The layer whose key is the one column `per`. */
static int add_to_per_layer(struct gbx_plan *plan, unsigned column, struct gbx_error *err) {
        unsigned per = (unsigned)plan->columns[column].per;

        for (unsigned l = 0; l < plan->layer_count; l++)
                if (plan->layers[l].key_count == 1 && plan->layers[l].keys[0].column == per)
                        return add_mark(plan, &plan->layers[l], column, err);
        if (plan->layer_count == GBX_LAYER_MAX - GBX_LAYER_MAX_VIRTUAL)
                return gbx_fail(err, -EINVAL, "more than %d different columns decide others",
                                GBX_LAYER_MAX - GBX_LAYER_MAX_VIRTUAL - 1);
        plan->layers[plan->layer_count] = (struct gbx_layer){ .keys = { { .column = per } }, .key_count = 1 };
        return add_mark(plan, &plan->layers[plan->layer_count++], column, err);
}

static int add_declared_layers(struct gbx_plan *plan, struct gbx_error *err) {
        struct gbx_layer *key = &plan->layers[0];
        int r;

        for (unsigned i = 0; i < plan->column_count; i++) {
                if (plan->columns[i].role != GBX_MARK_KEY)
                        continue;
                if (key->key_count == GBX_LAYER_MAX_KEYS)
                        return gbx_fail(err, -EINVAL, "more than %d key columns", GBX_LAYER_MAX_KEYS);
                key->keys[key->key_count++].column = i;
        }
        plan->layer_count = key->key_count > 0;
        for (unsigned i = 0; i < plan->column_count; i++) {
                if (!plan->columns[i].markable)
                        continue;
                if (plan->columns[i].per >= 0)
                        r = add_to_per_layer(plan, i, err);
                else
                        r = key->key_count > 0 ? add_mark(plan, key, i, err) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_plan_new(struct gbx_plan *plan, const struct gbx_mark_request *request, struct gbx_error *err) {
        int r;

        if (request->column_count > GBX_MARK_MAX_COLUMNS)
                return gbx_fail(err, -EINVAL, "more than %d columns are declared", GBX_MARK_MAX_COLUMNS);
        plan->columns = calloc(request->column_count + 1, sizeof *plan->columns);
        if (!plan->columns)
                return gbx_fail_memory(err);
        plan->column_count = (unsigned)request->column_count;
        plan->gamma = plan->cells_per_row = 1;
        for (unsigned i = 0; i < plan->column_count; i++) {
                r = read_column(&plan->columns[i], &request->columns[i], err);
                if (r < 0)
                        return r;
        }
        r = link_columns(plan, request, err);
        return r < 0 ? r : add_declared_layers(plan, err);
}

void gbx_plan_finish(struct gbx_plan *plan, const struct gbx_mark_keys *keys) {
        for (unsigned i = 0; i < plan->column_count; i++) {
                plan->columns[i].layers = 0;
                plan->columns[i].hash = gbx_sip64(&keys->cell, plan->columns[i].name, strlen(plan->columns[i].name));
        }
        for (unsigned l = 0; l < plan->layer_count; l++) {
                plan->layers[l].weight = 0;
                for (unsigned i = 0; i < plan->layers[l].mark_count; i++) {
                        struct gbx_plan_column *column = &plan->columns[plan->layers[l].marks[i]];

                        plan->layers[l].weight += column->weight;
                        column->layers |= UINT32_C(1) << l;
                }
        }
}

void gbx_plan_free(struct gbx_plan *plan) {
        for (unsigned i = 0; plan->columns && i < plan->column_count; i++) {
                free(plan->columns[i].name);
                free(plan->columns[i].spikes);
        }
        free(plan->columns);
        for (unsigned l = 0; l < plan->layer_count; l++)
                free(plan->layers[l].marks);
        *plan = (struct gbx_plan){};
}
