#include "watermark/votes.h"

#include "base/cleanup.h"
#include "watermark/align.h"

#include <stdlib.h>
#include <string.h>

static int append(struct gbx_votes *votes, const struct gbx_vote *vote, struct gbx_error *err) {
        if (votes->count == votes->capacity) {
                size_t capacity = votes->capacity ? 2 * votes->capacity : 256;
                struct gbx_vote *grown = reallocarray(votes->items, capacity, sizeof *grown);

                if (!grown)
                        return gbx_fail_memory(err);
                votes->items = grown;
                votes->capacity = capacity;
        }
        votes->items[votes->count++] = *vote;
        return 0;
}

static int by_layer_and_id(const void *a, const void *b) {
        const struct gbx_vote *x = a, *y = b;

        if (x->layer != y->layer)
                return x->layer < y->layer ? -1 : 1;
        if (x->id.half[0] != y->id.half[0])
                return x->id.half[0] < y->id.half[0] ? -1 : 1;
        return x->id.half[1] < y->id.half[1] ? -1 : x->id.half[1] > y->id.half[1];
}

/* One vote for each id, by majority; ties say nothing. Then, of very many, those with the smallest ids. */
static void collapse(struct gbx_votes *votes) {
        size_t kept = 0;

        if (votes->count == 0)
                return;
        qsort(votes->items, votes->count, sizeof *votes->items, by_layer_and_id);
        for (size_t i = 0, end; i < votes->count; i = end) {
                size_t ones = 0;

                for (end = i; end < votes->count && by_layer_and_id(&votes->items[i], &votes->items[end]) == 0; end++)
                        ones += votes->items[end].observed;
                if (2 * ones == end - i)
                        continue;
                votes->items[kept] = votes->items[i];
                votes->items[kept++].observed = 2 * ones > end - i;
        }
        votes->count = kept;
        if (kept > GBX_VOTES_MAX) {
                uint64_t limit = (uint64_t)(0x1p64 * GBX_VOTES_MAX / (double)kept);

                kept = 0;
                for (size_t i = 0; i < votes->count; i++)
                        if (votes->items[i].id.half[0] < limit)
                                votes->items[kept++] = votes->items[i];
                votes->count = kept;
        }
}

int gbx_votes_blind(const struct gbx_record *record, const struct gbx_mark_keys *keys, const struct gbx_view *suspect,
                    struct gbx_votes *votes, struct gbx_error *err) {
        gbx_auto(gbx_cells_free) struct gbx_cells cells = {};
        int r = gbx_layer_collect(&record->plan, keys, suspect, false, &cells, err);

        for (size_t i = 0; i < cells.count && r >= 0; i++) {
                const struct gbx_marked_cell *cell = &cells.items[i];
                const struct gbx_plan_column *column = &record->plan.columns[cell->column];
                struct gbx_vote vote = { .id = cell->id, .layer = (uint8_t)cell->layer };
                struct gbx_cell_bias bias = gbx_layer_bias(keys, &record->code, cell->id);
                int64_t units;
                size_t size;

                if (record->rounded[cell->column])
                        continue; /* only alignment can read it */
                if (column->mark_text) {
                        const char *text = gbx_table_cell(suspect->table, cell->row,
                                                          (size_t)suspect->columns[cell->column].column, &size);

                        units = gbx_layer_text_class(keys, cell->id, text, size);
                } else if (!gbx_number_units(cell->value, column->unit, &units)) {
                        continue;
                }
                vote.threshold = bias.threshold;
                vote.observed = (uint8_t)(((uint64_t)units & 1) ^ bias.mask);
                r = append(votes, &vote, err);
        }
        if (r < 0)
                return r;
        collapse(votes);
        return 0;
}

/* What the suspect's row `row` shows of one cell of the original. False: nothing. */
static bool read_aligned(const struct gbx_record *record, const struct gbx_mark_keys *keys,
                         const struct gbx_view *suspect, const struct gbx_marked_cell *cell, size_t row,
                         struct gbx_vote *vote) {
        const struct gbx_plan_column *column = &record->plan.columns[cell->column];
        struct gbx_cell_bias bias;
        int64_t before, after;
        uint32_t rest;

        if (suspect->columns[cell->column].column < 0)
                return false;
        if (record->rounded[cell->column]) {
                if (!gbx_align_units(&record->plan, suspect, cell->column, row, &after) ||
                    !gbx_number_floor_units(cell->value, column->unit, &before, &rest) || rest == 0 ||
                    after < before || after > before + 1)
                        return false;
                vote->threshold = rest;
                vote->observed = after > before;
                vote->rounding = 1;
                return true;
        }
        bias = gbx_layer_bias(keys, &record->code, cell->id);
        vote->threshold = bias.threshold;
        if (column->mark_text) {
                size_t size;
                const char *text = gbx_table_cell(suspect->table, row, (size_t)suspect->columns[cell->column].column, &size);

                vote->observed = (uint8_t)(gbx_layer_text_class(keys, cell->id, text, size) ^ bias.mask);
                return size > 0;
        }
        if (!gbx_align_units(&record->plan, suspect, cell->column, row, &after) ||
            !gbx_number_units(cell->value, column->unit, &before) || after < before - 1 || after > before + 1)
                return false;
        vote->observed = (uint8_t)(((uint64_t)after & 1) ^ bias.mask);
        return true;
}

/* Rows of the suspect that are paired with each row of the original: heads of lists. */
static int invert_pairs(const uint32_t *pairs, size_t count, size_t rows, uint32_t **ret_head, uint32_t **ret_next,
                        struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) uint32_t *head = malloc((rows + 1) * sizeof *head);
        gbx_auto(gbx_free_pointer) uint32_t *next = malloc((count + 1) * sizeof *next);

        if (!head || !next)
                return gbx_fail_memory(err);
        memset(head, 0xff, (rows + 1) * sizeof *head);
        for (size_t i = 0; i < count; i++) {
                if (pairs[i] == GBX_ALIGN_NONE)
                        continue;
                next[i] = head[pairs[i]];
                head[pairs[i]] = (uint32_t)i;
        }
        *ret_head = gbx_take_ptr(head);
        *ret_next = gbx_take_ptr(next);
        return 0;
}

int gbx_votes_aligned(const struct gbx_record *record, const struct gbx_mark_keys *keys, struct gbx_view *suspect,
                      struct gbx_view *original, struct gbx_votes *votes, uint64_t *ret_matched,
                      struct gbx_buffer *notes, struct gbx_error *err) {
        size_t count = suspect->table->rows;
        gbx_auto(gbx_free_pointer) uint32_t *pairs = calloc(count, sizeof *pairs);
        gbx_auto(gbx_free_pointer) uint32_t *head = NULL, *next = NULL;
        gbx_auto(gbx_cells_free) struct gbx_cells cells = {};
        int r;

        if (!pairs)
                return gbx_fail_memory(err);
        r = gbx_align(&record->plan, keys, suspect, original, pairs, ret_matched, notes, err);
        if (r >= 0)
                r = invert_pairs(pairs, count, original->table->rows, &head, &next, err);
        if (r >= 0)
                r = gbx_layer_collect(&record->plan, keys, original, record->rounded_any, &cells, err);
        for (size_t i = 0; i < cells.count && r >= 0; i++)
                for (uint32_t row = head[cells.items[i].row]; row != UINT32_MAX && r >= 0; row = next[row]) {
                        struct gbx_vote vote = { .id = cells.items[i].id };

                        if (read_aligned(record, keys, suspect, &cells.items[i], row, &vote))
                                r = append(votes, &vote, err);
                }
        if (r < 0)
                return r;
        collapse(votes);
        return 0;
}

void gbx_votes_free(struct gbx_votes *votes) {
        free(votes->items);
        *votes = (struct gbx_votes){};
}
