#include "gateway/tabulate/tally.h"

#include "base/cleanup.h"

#include <string.h>

enum { FIRST_SLOTS = 16 };

void gbx_tally_plan(const struct gbx_statistic *statistic, bool one_row_each, struct gbx_tally_plan *ret) {
        const struct gbx_expression *operands[] = { statistic->of_expression, statistic->over_expression, statistic->weight_expression };
        enum gbx_statistic_kind kind = statistic->kind;
        struct gbx_tally_plan plan = { .statistic = statistic, .one_row_each = one_row_each, .weighted = statistic->weight_expression != NULL };

        for (size_t i = 0; i < gbx_array_size(operands); i++) {
                plan.own_members |= operands[i] && operands[i]->type.missing;
                plan.columns[i] = operands[i] ? gbx_expression_column(operands[i]) : SIZE_MAX;
        }
        plan.second = kind == GBX_STATISTIC_RATIO || kind == GBX_STATISTIC_CORRELATION;
        plan.squares = kind == GBX_STATISTIC_VARIANCE || kind == GBX_STATISTIC_CORRELATION;
        plan.sums = plan.second || plan.squares || kind == GBX_STATISTIC_SUM || kind == GBX_STATISTIC_MEAN || kind == GBX_STATISTIC_SHARE ||
                    kind == GBX_STATISTIC_PERCENT;
        plan.extremes = kind == GBX_STATISTIC_MINIMUM || kind == GBX_STATISTIC_MAXIMUM;
        plan.values = kind == GBX_STATISTIC_QUANTILE;
        plan.distinct = kind == GBX_STATISTIC_DISTINCT;
        plan.twofold = plan.sums || plan.extremes || plan.values;
        *ret = plan;
}

/* --- top contributors ------------------------------------------------------------- */

static unsigned __int128 size_of(__int128 value) { return value < 0 ? -(unsigned __int128)value : (unsigned __int128)value; }

/* Larger first; of equals the one that came first. */
static void insert(struct gbx_top *top, __int128 value, uint32_t contributor) {
        size_t at = top->count;

        top->negative |= value < 0;
        if (top->count == GBX_TALLY_TOP) {
                const struct gbx_contribution *last = &top->items[GBX_TALLY_TOP - 1];

                if (size_of(value) < size_of(last->value) || (size_of(value) == size_of(last->value) && contributor > last->contributor))
                        return;
                at--;
        } else
                top->count++;
        for (; at > 0; at--) {
                const struct gbx_contribution *before = &top->items[at - 1];

                if (size_of(before->value) > size_of(value) ||
                    (size_of(before->value) == size_of(value) && before->contributor < contributor))
                        break;
                top->items[at] = *before;
        }
        top->items[at] = (struct gbx_contribution){ value, contributor };
}

static struct gbx_partial *find_partial(struct gbx_partial *slots, size_t count, uint32_t contributor) {
        size_t at = (size_t)gbx_mix(contributor) & (count - 1);

        while (slots[at].taken && slots[at].contributor != contributor)
                at = (at + 1) & (count - 1);
        return &slots[at];
}

static int add_partial(struct gbx_tally *tally, uint32_t contributor, __int128 x, __int128 y, struct gbx_error *err) {
        struct gbx_partial *partial;

        if (tally->partial_count * 2 >= tally->partial_slots) {
                size_t slots = tally->partial_slots ? tally->partial_slots * 2 : FIRST_SLOTS;
                struct gbx_partial *all = calloc(slots, sizeof *all);

                if (!all)
                        return gbx_fail_memory(err);
                for (size_t i = 0; i < tally->partial_slots; i++)
                        if (tally->partials[i].taken)
                                *find_partial(all, slots, tally->partials[i].contributor) = tally->partials[i];
                free(tally->partials);
                tally->partials = all;
                tally->partial_slots = slots;
        }
        partial = find_partial(tally->partials, tally->partial_slots, contributor);
        if (!partial->taken) {
                *partial = (struct gbx_partial){ .contributor = contributor, .taken = true };
                tally->partial_count++;
        }
        if (__builtin_add_overflow(partial->sums[0], x, &partial->sums[0]) || __builtin_add_overflow(partial->sums[1], y, &partial->sums[1]))
                return gbx_fail(err, -ERANGE, "what one contributor adds does not fit into 128 bits");
        return 0;
}

/* --- rows ------------------------------------------------------------------------- */

/* Whether all contributors have one value, or one of two: such a sum is a count in disguise. */
static int note_value(struct gbx_tally *tally, int64_t value, uint32_t contributor, struct gbx_error *err) {
        if (tally->different > 2)
                return 0;
        if (tally->different == 0 || (tally->different == 1 && value != tally->values[0]))
                tally->values[tally->different++] = value;
        if (value == tally->values[0])
                return gbx_members_add(&tally->first, contributor, err);
        if (value == tally->values[1])
                return gbx_members_add(&tally->second, contributor, err);
        tally->different = 3;
        gbx_members_free(&tally->first);
        gbx_members_free(&tally->second);
        return 0;
}

static int note_measured(struct gbx_tally *tally, int64_t value, uint32_t contributor, struct gbx_error *err) {
        if (tally->measured_count == tally->measured_capacity) {
                size_t capacity = tally->measured_capacity ? tally->measured_capacity * 2 : 16;
                struct gbx_measured *all = reallocarray(tally->measured, capacity, sizeof *all);

                if (!all)
                        return gbx_fail_memory(err);
                tally->measured = all;
                tally->measured_capacity = capacity;
        }
        tally->measured[tally->measured_count++] = (struct gbx_measured){ value, contributor };
        return 0;
}

/* Puts `near` where it belongs. */
static void flush(struct gbx_tally *tally) {
        gbx_wide_add_wide_number(&tally->x, tally->near);
        tally->near = 0;
}

static void add_sums(struct gbx_tally *tally, const struct gbx_tally_plan *plan, int64_t w, int64_t x, int64_t y) {
        __int128 sum;

        if (__builtin_add_overflow(tally->near, (__int128)w * x, &sum)) {
                flush(tally);
                sum = (__int128)w * x;
        }
        tally->near = sum;
        if (plan->squares)
                gbx_wide_add_product3(&tally->xx, w, x, x);
        if (!plan->second)
                return;
        gbx_wide_add_product(&tally->y, w, y);
        if (plan->squares) {
                gbx_wide_add_product3(&tally->yy, w, y, y);
                gbx_wide_add_product3(&tally->xy, w, x, y);
        }
}

static int add_row(struct gbx_tally *tally, const struct gbx_tally_plan *plan, int64_t w, int64_t x, int64_t y, uint32_t contributor,
                   struct gbx_error *err) {
        __int128 wx = (__int128)w * x, wy = (__int128)w * y;
        int r = 0;

        if (plan->extremes && (tally->rows == 0 || x < tally->minimum))
                tally->minimum = x;
        if (plan->extremes && (tally->rows == 0 || x > tally->maximum))
                tally->maximum = x;
        tally->rows++;
        if (plan->weighted)
                gbx_wide_add_number(&tally->weight, w);
        if (plan->sums)
                add_sums(tally, plan, w, x, y);
        if (plan->own_members)
                r = gbx_members_add(&tally->members, contributor, err);
        if (r >= 0 && plan->twofold && tally->different <= 2)
                r = note_value(tally, x, contributor, err);
        if (r >= 0 && plan->values)
                r = note_measured(tally, x, contributor, err);
        if (r < 0 || !plan->sums)
                return r;
        if (!plan->one_row_each)
                return add_partial(tally, contributor, wx, wy, err);
        if (wx < 0 || size_of(wx) >= tally->floor) {
                insert(&tally->top[0], wx, contributor);
                tally->floor = tally->top[0].count == GBX_TALLY_TOP ? size_of(tally->top[0].items[GBX_TALLY_TOP - 1].value) : 0;
        }
        if (plan->second)
                insert(&tally->top[1], wy, contributor);
        return 0;
}

int gbx_tally_add(struct gbx_tally *tally, const struct gbx_tally_plan *plan, const struct gbx_scalar *row, uint32_t contributor,
                  struct gbx_scratch *scratch, struct gbx_error *err) {
        const struct gbx_expression *operands[] = { plan->statistic->of_expression, plan->statistic->over_expression,
                                                    plan->statistic->weight_expression };
        int64_t numbers[3] = { 0, 0, 1 };
        uint32_t number;
        int r = 0;

        for (size_t i = 0; i < gbx_array_size(operands) && r >= 0; i++) {
                const struct gbx_scalar *value = operands[i] && plan->columns[i] != SIZE_MAX ? &row[plan->columns[i]] : NULL;
                struct gbx_scalar computed;

                if (!operands[i])
                        continue;
                if (!value) {
                        r = gbx_expression_evaluate(operands[i], row, scratch, &computed, err);
                        value = &computed;
                }
                if (r < 0)
                        break;
                if (value->missing)
                        return 0;
                numbers[i] = value->number;
                if (plan->distinct)
                        r = gbx_dictionary_number(&tally->distinct, value, operands[0]->type.kind == GBX_KIND_TEXT, &number, NULL, err);
        }
        if (r >= 0 && numbers[2] < 0)
                r = gbx_fail(err, -EINVAL, "a weight is below zero");
        if (r >= 0)
                r = add_row(tally, plan, numbers[2], numbers[0], numbers[1], contributor, err);
        return r < 0 ? gbx_context(err, r, "statistic '%s'", plan->statistic->name) : 0;
}

/* --- putting together --------------------------------------------------------------- */

static int merge_values(struct gbx_tally *tally, struct gbx_tally *other, struct gbx_error *err) {
        struct gbx_members *sets[] = { &other->first, &other->second };
        int r = 0;

        if (other->different > 2)
                tally->different = 3;
        for (unsigned i = 0; i < other->different && i < 2 && tally->different <= 2 && r >= 0; i++) {
                unsigned at = 0;

                while (at < tally->different && tally->values[at] != other->values[i])
                        at++;
                if (at == tally->different && ++tally->different <= 2)
                        tally->values[at] = other->values[i];
                if (at < 2)
                        r = gbx_members_unite(at == 0 ? &tally->first : &tally->second, sets[i], err);
        }
        if (tally->different > 2) {
                gbx_members_free(&tally->first);
                gbx_members_free(&tally->second);
        }
        return r;
}

static int merge_lists(struct gbx_tally *tally, const struct gbx_tally_plan *plan, const struct gbx_tally *other, struct gbx_error *err) {
        bool text = plan->statistic->of_expression && plan->statistic->of_expression->type.kind == GBX_KIND_TEXT;
        uint32_t number;
        int r = 0;

        for (size_t i = 0; i < other->measured_count && r >= 0; i++)
                r = note_measured(tally, other->measured[i].value, other->measured[i].contributor, err);
        for (size_t i = 0; i < other->distinct.count && r >= 0; i++) {
                const struct gbx_dictionary_entry *entry = &other->distinct.entries[i];
                struct gbx_scalar value = { .size = entry->size };

                if (text)
                        value.text = entry->text;
                else
                        value.number = entry->number;
                r = gbx_dictionary_number(&tally->distinct, &value, text, &number, NULL, err);
        }
        for (size_t i = 0; i < other->partial_slots && r >= 0; i++)
                if (other->partials[i].taken)
                        r = add_partial(tally, other->partials[i].contributor, other->partials[i].sums[0], other->partials[i].sums[1], err);
        for (size_t k = 0; k < 2 && plan->one_row_each; k++) {
                for (size_t i = 0; i < other->top[k].count; i++)
                        insert(&tally->top[k], other->top[k].items[i].value, other->top[k].items[i].contributor);
                tally->top[k].negative |= other->top[k].negative;
        }
        return r;
}

int gbx_tally_merge(struct gbx_tally *tally, const struct gbx_tally_plan *plan, struct gbx_tally *other, struct gbx_error *err) {
        int r = 0;

        if (other->rows == 0)
                return 0;
        if (tally->rows == 0 || other->minimum < tally->minimum)
                tally->minimum = other->minimum;
        if (tally->rows == 0 || other->maximum > tally->maximum)
                tally->maximum = other->maximum;
        tally->rows += other->rows;
        flush(other);
        gbx_wide_add(&tally->weight, &other->weight);
        gbx_wide_add(&tally->x, &other->x);
        gbx_wide_add(&tally->xx, &other->xx);
        gbx_wide_add(&tally->y, &other->y);
        gbx_wide_add(&tally->yy, &other->yy);
        gbx_wide_add(&tally->xy, &other->xy);
        if (plan->own_members)
                r = gbx_members_unite(&tally->members, &other->members, err);
        if (r >= 0 && plan->twofold)
                r = merge_values(tally, other, err);
        return r < 0 ? r : merge_lists(tally, plan, other, err);
}

static int by_value(const void *a, const void *b) {
        const struct gbx_measured *x = a, *y = b;

        return x->value < y->value ? -1 : x->value > y->value;
}

int gbx_tally_settle(struct gbx_tally *tally, const struct gbx_tally_plan *plan, struct gbx_error *err) {
        struct gbx_members *sets[] = { &tally->members, &tally->first, &tally->second };
        int r = 0;

        flush(tally);
        for (size_t i = 0; i < gbx_array_size(sets) && r >= 0; i++)
                r = gbx_members_settle(sets[i], err);
        if (r < 0)
                return r;
        if (tally->partials) {
                tally->top[0] = tally->top[1] = (struct gbx_top){};
                for (size_t i = 0; i < tally->partial_slots; i++) {
                        const struct gbx_partial *partial = &tally->partials[i];

                        if (partial->taken)
                                insert(&tally->top[0], partial->sums[0], partial->contributor);
                        if (partial->taken && plan->second)
                                insert(&tally->top[1], partial->sums[1], partial->contributor);
                }
        }
        if (tally->measured_count)
                qsort(tally->measured, tally->measured_count, sizeof *tally->measured, by_value);
        return 0;
}

void gbx_tally_free(struct gbx_tally *tally) {
        gbx_members_free(&tally->members);
        gbx_members_free(&tally->first);
        gbx_members_free(&tally->second);
        gbx_dictionary_free(&tally->distinct);
        free(tally->partials);
        free(tally->measured);
        *tally = (struct gbx_tally){};
}
