#include "watermark/embed.h"

#include "base/cleanup.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { WRITING_SAMPLE = 16384 }; /* rows looked at for how a column writes its numbers */

static int append_edit(struct gbx_edits *edits, const struct gbx_edit *edit, struct gbx_error *err) {
        if (edits->count == edits->capacity) {
                size_t capacity = edits->capacity ? 2 * edits->capacity : 256;
                struct gbx_edit *grown = reallocarray(edits->items, capacity, sizeof *grown);

                if (!grown)
                        return gbx_fail_memory(err);
                edits->items = grown;
                edits->capacity = capacity;
        }
        edits->items[edits->count++] = *edit;
        return 0;
}

static bool same_bucket(const struct gbx_layer_key *key, struct gbx_number before, struct gbx_number after) {
        int64_t a, b;
        uint32_t rest;

        if (key->bucket.mantissa == 0)
                return false;
        return gbx_number_floor_units(before, key->bucket, &a, &rest) &&
               gbx_number_floor_units(after, key->bucket, &b, &rest) && a == b;
}

bool gbx_embed_allowed(const struct gbx_plan *plan, unsigned column, struct gbx_number before, struct gbx_number after) {
        const struct gbx_plan_column *c = &plan->columns[column];

        if (after.mantissa == 0 || (after.mantissa < 0) != (before.mantissa < 0))
                return false;
        if ((c->has_minimum && gbx_number_compare(after, c->minimum) < 0) ||
            (c->has_maximum && gbx_number_compare(after, c->maximum) > 0))
                return false;
        if (c->has_threshold &&
            (gbx_number_compare(after, c->threshold) < 0) != (gbx_number_compare(before, c->threshold) < 0))
                return false;
        for (unsigned l = 0; l < plan->layer_count; l++)
                for (unsigned i = 0; i < plan->layers[l].key_count; i++)
                        if (plan->layers[l].keys[i].column == column &&
                            !same_bucket(&plan->layers[l].keys[i], before, after))
                                return false;
        return true;
}

/* A column is written with as many decimals as the unit everywhere, or without trailing zeros. */
struct writing {
        bool minimal;
};

static void find_writing(const struct gbx_embedding *e, struct writing *writing) {
        size_t step = (e->view->table->rows + WRITING_SAMPLE - 1) / WRITING_SAMPLE;

        for (unsigned i = 0; i < e->plan->column_count; i++) {
                uint8_t decimals = e->plan->columns[i].unit.decimals;
                bool trailing = false, shorter = false;

                if (!e->plan->columns[i].markable || e->view->columns[i].column < 0 || decimals == 0)
                        continue;
                for (size_t row = 0; row < e->view->table->rows && !trailing; row += step) {
                        struct gbx_number number;

                        if (!gbx_view_number(e->view, i, row, &number))
                                continue;
                        trailing = number.decimals > 0 && number.mantissa % 10 == 0;
                        shorter |= number.decimals < decimals;
                }
                writing[i].minimal = shorter && !trailing;
        }
}

static void write_number(const struct writing *writing, struct gbx_number number, struct gbx_edit *edit) {
        if (writing->minimal)
                number = gbx_number_reduce(number);
        edit->size = (uint8_t)gbx_number_print(number, edit->text);
}

struct worker {
        struct gbx_embedding *e;
        struct writing *writing;
        int64_t *imbalance;    /* of columns that keep their total, in units */
        uint32_t *touched;     /* 1 + last row in which a column was chosen or adjusted */
        struct gbx_draw *draws;
        const struct gbx_cells *cells;
};

static int keep_number(struct worker *w, uint32_t row, unsigned column, struct gbx_number number, int step,
                       struct gbx_error *err) {
        struct gbx_edit edit = { .row = row, .column = (uint16_t)column, .step = (int8_t)step };

        write_number(&w->writing[column], number, &edit);
        return append_edit(&w->e->edits, &edit, err);
}

/* A column of the same sum group that takes the opposite step in this row. Returns 1 if there is none. */
static int balance_row(struct worker *w, const struct gbx_marked_cell *cell, int step, struct gbx_error *err) {
        const struct gbx_plan *plan = w->e->plan;
        const struct gbx_plan_column *moved = &plan->columns[cell->column];

        for (unsigned n = 1; n < plan->column_count; n++) {
                unsigned i = (cell->column + n) % plan->column_count;
                const struct gbx_plan_column *c = &plan->columns[i];
                struct gbx_number before, after;

                if (c->sum_group != moved->sum_group || !c->markable || w->touched[i] == cell->row + 1 ||
                    w->e->view->columns[i].column < 0 || !gbx_view_number(w->e->view, i, cell->row, &before))
                        continue;
                if (!gbx_number_add_units(before, moved->unit, -step, &after) ||
                    !gbx_embed_allowed(plan, i, before, after))
                        continue;
                w->touched[i] = cell->row + 1;
                return keep_number(w, cell->row, i, after, 0, err);
        }
        return 1;
}

static int embed_parity(struct worker *w, const struct gbx_marked_cell *cell, const struct gbx_draw *draw,
                        struct gbx_cell_bias bias, struct gbx_error *err) {
        const struct gbx_plan *plan = w->e->plan;
        const struct gbx_plan_column *c = &plan->columns[cell->column];
        unsigned wanted = (draw->symbol < bias.threshold) ^ bias.mask;
        int step = draw->direction & 1 ? 1 : -1, r;
        int64_t units;

        if (!gbx_number_units(cell->value, c->unit, &units))
                return 1;
        if (((uint64_t)units & 1) == wanted)
                return 0;
        if (c->keep_total && w->imbalance[cell->column] != 0)
                step = w->imbalance[cell->column] > 0 ? -1 : 1;
        for (int attempt = 0; attempt < 2; attempt++, step = -step) {
                struct gbx_number after;

                if (!gbx_number_add_units(cell->value, c->unit, step, &after) ||
                    !gbx_embed_allowed(plan, cell->column, cell->value, after))
                        continue;
                if (c->sum_group >= 0) {
                        r = balance_row(w, cell, step, err);
                        if (r < 0)
                                return r;
                        if (r > 0)
                                continue;
                }
                w->imbalance[cell->column] += step;
                return keep_number(w, cell->row, cell->column, after, step, err);
        }
        return 1;
}

/* Up with the probability of the rest: right on average, and never off by a whole unit. */
static int embed_rounding(struct worker *w, const struct gbx_marked_cell *cell, const struct gbx_draw *draw,
                          struct gbx_error *err) {
        const struct gbx_plan_column *c = &w->e->plan->columns[cell->column];
        struct gbx_number after;
        uint32_t rest;
        int64_t units;

        if (!gbx_number_floor_units(cell->value, c->unit, &units, &rest))
                return 1;
        units += draw->rounding < rest;
        after = (struct gbx_number){ c->unit.mantissa, c->unit.decimals };
        if (__builtin_mul_overflow(units, after.mantissa, &after.mantissa))
                return 1;
        if (c->has_threshold &&
            (gbx_number_compare(after, c->threshold) < 0) != (gbx_number_compare(cell->value, c->threshold) < 0)) {
                after.mantissa += draw->rounding < rest ? -c->unit.mantissa : c->unit.mantissa;
                if ((gbx_number_compare(after, c->threshold) < 0) != (gbx_number_compare(cell->value, c->threshold) < 0))
                        return 1;
        }
        if (gbx_number_compare(after, cell->value) == 0 && cell->value.decimals == after.decimals)
                return 0;
        return keep_number(w, cell->row, cell->column, after, 0, err);
}

/* Replaces a text by another value of the column that is of the wanted class, taken from a row drawn by key: values
 * come as often as they stand in the column. */
static int embed_text(struct worker *w, const struct gbx_marked_cell *cell, const struct gbx_draw *draw,
                      struct gbx_cell_bias bias, struct gbx_error *err) {
        enum { ATTEMPTS = 64 };
        const struct gbx_table *table = w->e->view->table;
        size_t column = (size_t)w->e->view->columns[cell->column].column, size;
        unsigned wanted = (draw->symbol < bias.threshold) ^ bias.mask;
        const char *text = gbx_table_cell(table, cell->row, column, &size);
        uint64_t state = (uint64_t)draw->direction << 32 | draw->spare;

        if (gbx_layer_text_class(w->e->keys, cell->id, text, size) == wanted)
                return 0;
        for (int i = 0; i < ATTEMPTS; i++) {
                uint32_t row;

                state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                row = (uint32_t)((state >> 32) * table->rows >> 32);
                text = gbx_table_cell(table, row, column, &size);
                if (size > 0 && gbx_layer_text_class(w->e->keys, cell->id, text, size) == wanted) {
                        struct gbx_edit edit = { .row = cell->row, .column = cell->column, .donor = row + 1 };

                        return append_edit(&w->e->edits, &edit, err);
                }
        }
        return 1;
}

static int embed_cell(struct worker *w, size_t index, struct gbx_error *err) {
        const struct gbx_marked_cell *cell = &w->cells->items[index];
        const struct gbx_embedding *e = w->e;
        struct gbx_cell_bias bias;
        int r;

        if (e->rounded && e->rounded[cell->column])
                return embed_rounding(w, cell, &w->draws[index], err);
        bias = gbx_layer_bias(e->keys, &e->code, cell->id);
        r = e->plan->columns[cell->column].mark_text ? embed_text(w, cell, &w->draws[index], bias, err)
                                                     : embed_parity(w, cell, &w->draws[index], bias, err);
        return r;
}

/* Takes changes back, last first, until every column that keeps its total is balanced. */
static void settle_totals(struct worker *w) {
        struct gbx_edits *edits = &w->e->edits;
        size_t kept = 0;

        for (size_t i = edits->count; i-- > 0;) {
                struct gbx_edit *edit = &edits->items[i];
                int64_t *imbalance = &w->imbalance[edit->column];

                if (!w->e->plan->columns[edit->column].keep_total || *imbalance == 0 || edit->step == 0 ||
                    (*imbalance > 0) != (edit->step > 0))
                        continue;
                *imbalance -= edit->step;
                edit->row = UINT32_MAX;
                w->e->unmarkable++;
        }
        for (size_t i = 0; i < edits->count; i++)
                if (edits->items[i].row != UINT32_MAX)
                        edits->items[kept++] = edits->items[i];
        edits->count = kept;
}

/* Edits of one row in the order of the table's columns (they are few: insertion). */
static void sort_edits(const struct gbx_embedding *e) {
        struct gbx_edit *items = e->edits.items;

        for (size_t i = 1; i < e->edits.count; i++)
                for (size_t k = i; k > 0 && items[k - 1].row == items[k].row &&
                                   e->view->columns[items[k - 1].column].column > e->view->columns[items[k].column].column;
                     k--) {
                        struct gbx_edit swap = items[k];

                        items[k] = items[k - 1];
                        items[k - 1] = swap;
                }
}

/* All chosen columns of the row that begins at `first` are taken before any is used for balance. */
static size_t touch_row(struct worker *w, size_t first) {
        size_t end = first;

        for (; end < w->cells->count && w->cells->items[end].row == w->cells->items[first].row; end++)
                w->touched[w->cells->items[end].column] = w->cells->items[end].row + 1;
        return end;
}

int gbx_embed(struct gbx_embedding *e, const struct gbx_cells *cells, struct gbx_error *err) {
        size_t columns = e->plan->column_count + 1;
        gbx_auto(gbx_free_pointer) struct writing *writing = calloc(columns, sizeof *writing);
        gbx_auto(gbx_free_pointer) int64_t *imbalance = calloc(columns, sizeof *imbalance);
        gbx_auto(gbx_free_pointer) uint32_t *touched = calloc(columns, sizeof *touched);
        gbx_auto(gbx_free_pointer) struct gbx_cell_id *ids = calloc(cells->count + 1, sizeof *ids);
        struct worker w = { e, writing, imbalance, touched, (struct gbx_draw *)ids, cells };
        int r;

        _Static_assert(sizeof(struct gbx_draw) == sizeof(struct gbx_cell_id), "drawn in place");
        if (!writing || !imbalance || !touched || !ids)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < cells->count; i++)
                ids[i] = cells->items[i].id;
        r = gbx_mark_draw(e->release_key, ids, cells->count, w.draws, err);
        find_writing(e, writing);
        for (size_t first = 0; first < cells->count && r >= 0;) {
                size_t end = touch_row(&w, first);

                for (; first < end && r >= 0; first++) {
                        r = embed_cell(&w, first, err);
                        if (r > 0)
                                e->unmarkable++;
                }
        }
        OPENSSL_cleanse(ids, cells->count * sizeof *ids);
        if (r < 0)
                return r;
        settle_totals(&w);
        sort_edits(e);
        return 0;
}

void gbx_edits_free(struct gbx_edits *edits) {
        free(edits->items);
        *edits = (struct gbx_edits){};
}
