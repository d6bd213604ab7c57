#include "watermark/match.h"

#include "base/cleanup.h"
#include "watermark/flatten.h"
#include "watermark/read.h"
#include "watermark/sketch.h"

#include <stdlib.h>
#include <string.h>

enum {
        SAMPLE = 16384,        /* rows of the suspect that are compared with a sketch */
        SHIFTED_SAMPLE = 2048, /* … for each power of ten tried */
        SKETCH_SAMPLE = 8192,  /* rows of the original that a sketch is made of, but of key columns */
        MAX_SHIFT = 9,
        MAX_PAIRS = 65536,
};

static const double clear_likeness = 0.35, least_likeness = 0.1;

/* Letters and digits only, in small letters; of a JSON pattern the last name. */
static void plain_name(const char *name, char *ret, size_t size) {
        const char *last = strrchr(name, '/');
        size_t n = 0;

        if (*name == '/' && last[1] && strcmp(last, "/*") != 0)
                name = last + 1;
        for (; *name && n + 1 < size; name++) {
                char c = *name;

                if (c >= 'A' && c <= 'Z')
                        c = (char)(c | 0x20);

                if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80))
                        ret[n++] = c;
        }
        ret[n] = 0;
}

struct matcher {
        struct gbx_view *view;
        const struct gbx_plan *plan;
        const struct gbx_mark_keys *keys;
        const struct gbx_table *table;
        bool *taken;      /* columns of the table */
        char *separators; /* of the table's columns */
        struct gbx_error *err;
};

static void by_name(struct matcher *m) {
        for (int exact = 1; exact >= 0; exact--)
                for (unsigned i = 0; i < m->plan->column_count; i++) {
                        char ours[256], theirs[256];

                        plain_name(m->plan->columns[i].name, ours, sizeof ours);
                        for (size_t k = 0; k < m->table->columns && m->view->columns[i].column < 0; k++) {
                                const char *name = gbx_table_name(m->table, k);

                                if (m->taken[k])
                                        continue;
                                plain_name(name, theirs, sizeof theirs);
                                if (exact ? strcmp(name, m->plan->columns[i].name) != 0
                                          : (!*ours || strcmp(ours, theirs) != 0))
                                        continue;
                                m->view->columns[i].column = (int)k;
                                m->taken[k] = true;
                        }
                }
}

/* What a column of the table looks like: rows sampled, numbers times 10^shift; or (`exact`) as a key column, with all
 * its rows but only hashes up to `top`. */
static int look_at(const struct matcher *m, size_t column, char separator, int shift, bool exact, uint32_t top,
                   struct gbx_column_profile *ret) {
        size_t sample = exact && top < UINT32_MAX ? m->table->rows : shift ? SHIFTED_SAMPLE : SAMPLE;
        size_t step = (m->table->rows + sample - 1) / sample, count = 0, capacity = SAMPLE, rows = 0;
        gbx_auto(gbx_free_pointer) uint32_t *hashes = malloc(capacity * sizeof *hashes);
        int r;

        if (!hashes)
                return gbx_fail_memory(m->err);
        for (size_t row = 0; row < m->table->rows; row += step) {
                struct gbx_number number;
                size_t size;
                const char *text = gbx_table_cell(m->table, row, column, &size);
                uint32_t hash;

                if (size == 0)
                        continue;
                rows++;
                if (exact)
                        hash = gbx_sketch_exact(&m->keys->sketch, text, size, separator);
                else if (gbx_number_parse_loose(text, size, separator, &number))
                        hash = gbx_sketch_number(&m->keys->sketch, number, shift);
                else
                        hash = gbx_sketch_text(&m->keys->sketch, text, size);
                if (hash > top)
                        continue;
                if (count == capacity) {
                        uint32_t *grown = reallocarray(hashes, capacity *= 2, sizeof *hashes);

                        if (!grown)
                                return gbx_fail_memory(m->err);
                        hashes = grown;
                }
                hashes[count++] = hash;
        }
        r = gbx_column_profile_new(ret, hashes, count, rows, m->err);
        if (r >= 0)
                hashes = NULL;
        return r;
}

static bool is_key(const struct gbx_plan_column *column) { return column->role == GBX_MARK_KEY; }

static unsigned sketch_limit(const struct gbx_plan_column *column) {
        return is_key(column) ? GBX_SKETCH_KEY_SIZE : GBX_SKETCH_SIZE;
}

static double likeness(const struct matcher *m, unsigned column, const struct gbx_column_profile *profile) {
        const struct gbx_plan_column *c = &m->plan->columns[column];

        return gbx_sketch_likeness(&c->sketch, sketch_limit(c), profile);
}

/* 1.234 in a column of whole numbers is one thousand and more, unless the column is scaled. */
static char separator_of(const struct matcher *m, unsigned column, size_t theirs, int shift) {
        if (m->plan->columns[column].type != GBX_MARK_INTEGER || shift != 0)
                return m->separators[theirs];
        return gbx_suspect_integer_separator(m->table, theirs, m->separators[theirs]);
}

/* The power of ten by which a column's values must be multiplied to look most like what they were. */
static int find_shift(const struct matcher *m, unsigned column, int *ret) {
        size_t theirs = (size_t)m->view->columns[column].column;
        double best = 0;

        for (int far = 0; far <= MAX_SHIFT; far++)
                for (int shift = -far; shift <= far; shift += far ? 2 * far : 1) {
                        gbx_auto(gbx_column_profile_free) struct gbx_column_profile profile = {};
                        double found;
                        char separator = separator_of(m, column, theirs, shift);
                        int r = look_at(m, theirs, separator, shift, false, UINT32_MAX, &profile);

                        if (r < 0)
                                return r;
                        found = likeness(m, column, &profile);
                        if (far == 0 && found >= clear_likeness)
                                return 0;
                        if (far == 0 ? found > best : found >= clear_likeness && found > 2 * best) {
                                best = far == 0 ? found : found / 2;
                                *ret = shift;
                        }
                }
        return 0;
}

/* Columns matched by name whose values are another power of ten. */
static int find_shifts(struct matcher *m, struct gbx_buffer *notes) {
        int r = 0;

        for (unsigned i = 0; i < m->plan->column_count && r >= 0; i++) {
                struct gbx_view_column *look = &m->view->columns[i];

                if (look->column < 0 || look->shift || !m->plan->columns[i].markable || m->plan->columns[i].mark_text)
                        continue;
                r = find_shift(m, i, &look->shift);
                if (r >= 0 && look->shift)
                        r = gbx_buffer_printf(notes, m->err, "column '%s' is scaled by 10^%d\n", m->plan->columns[i].name,
                                              -look->shift);
        }
        return r;
}

struct pair {
        double likeness;
        unsigned ours;
        int shift;
        size_t theirs;
};

static int best_first(const void *a, const void *b) {
        const struct pair *x = a, *y = b;

        if (x->likeness != y->likeness)
                return x->likeness > y->likeness ? -1 : 1;
        if ((x->shift == 0) != (y->shift == 0))
                return x->shift == 0 ? -1 : 1;
        if (x->ours != y->ours)
                return x->ours < y->ours ? -1 : 1;
        return x->theirs < y->theirs ? -1 : x->theirs > y->theirs;
}

struct pairs {
        struct pair *items;
        size_t count;
};

/* Our columns not yet found, of the kind asked for, that look like one of theirs. */
static int collect_pairs(struct matcher *m, size_t theirs, int shift, bool keys, double least, struct pairs *pairs) {
        gbx_auto(gbx_column_profile_free) struct gbx_column_profile profile = {};
        uint32_t top = 0;
        bool any = false;
        int r;

        for (unsigned i = 0; i < m->plan->column_count; i++) {
                const struct gbx_sketch *sketch = &m->plan->columns[i].sketch;

                if (m->view->columns[i].column >= 0 || is_key(&m->plan->columns[i]) != keys || sketch->count == 0)
                        continue;
                any = true;
                if (!keys || sketch->count < GBX_SKETCH_KEY_SIZE)
                        top = UINT32_MAX;
                else if (sketch->hashes[sketch->count - 1] > top)
                        top = sketch->hashes[sketch->count - 1];
        }
        if (!any)
                return 0;
        r = look_at(m, theirs, m->separators[theirs], shift, keys, top, &profile);
        for (unsigned i = 0; i < m->plan->column_count && r >= 0; i++) {
                double found;

                if (m->view->columns[i].column >= 0 || is_key(&m->plan->columns[i]) != keys || pairs->count == MAX_PAIRS)
                        continue;
                found = likeness(m, i, &profile);
                if (found >= least)
                        pairs->items[pairs->count++] = (struct pair){ found, i, shift, theirs };
        }
        return r;
}

static bool any_unmatched(const struct matcher *m) {
        bool ours = false, theirs = false;

        for (unsigned i = 0; i < m->plan->column_count; i++)
                ours |= m->view->columns[i].column < 0 && strcmp(m->plan->columns[i].name, GBX_FLATTEN_INDEX) != 0;
        for (size_t k = 0; k < m->table->columns; k++)
                theirs |= !m->taken[k] && strcmp(gbx_table_name(m->table, k), GBX_FLATTEN_INDEX) != 0;
        return ours && theirs;
}

static int take_best(struct matcher *m, struct pairs *pairs, struct gbx_buffer *notes) {
        int r = 0;

        qsort(pairs->items, pairs->count, sizeof *pairs->items, best_first);
        for (size_t i = 0; i < pairs->count && r >= 0; i++) {
                const struct pair *pair = &pairs->items[i];
                struct gbx_view_column *look = &m->view->columns[pair->ours];

                if (look->column >= 0 || m->taken[pair->theirs])
                        continue;
                look->column = (int)pair->theirs;
                look->shift = pair->shift;
                m->taken[pair->theirs] = true;
                r = gbx_buffer_printf(notes, m->err, "column %zu looks like '%s'", pair->theirs + 1,
                                      m->plan->columns[pair->ours].name);
                if (r >= 0 && look->shift)
                        r = gbx_buffer_printf(notes, m->err, ", scaled by 10^%d", -look->shift);
                if (r >= 0)
                        r = gbx_buffer_append_byte(notes, '\n', m->err);
        }
        return r;
}

/* Clear cases first, nearest powers of ten before others; then what is left, unscaled, if it looks alike at all. */
static int by_content(struct matcher *m, struct gbx_buffer *notes) {
        gbx_auto(gbx_free_pointer) struct pair *items = calloc(MAX_PAIRS, sizeof *items);
        int r = 0;

        if (!items)
                return gbx_fail_memory(m->err);
        for (int far = 0; far <= MAX_SHIFT + 1 && r >= 0 && any_unmatched(m); far++) {
                bool last = far > MAX_SHIFT;
                double least = last ? least_likeness : clear_likeness;
                struct pairs pairs = { items, 0 };

                for (size_t k = 0; k < m->table->columns && r >= 0; k++) {
                        if (m->taken[k])
                                continue;
                        r = collect_pairs(m, k, last ? 0 : far, false, least, &pairs);
                        if (r >= 0 && (far == 0 || last))
                                r = collect_pairs(m, k, 0, true, least, &pairs);
                        else if (r >= 0)
                                r = collect_pairs(m, k, -far, false, least, &pairs);
                }
                if (r >= 0)
                        r = take_best(m, &pairs, notes);
        }
        return r;
}

/* Nothing matched and as many columns as declared: they may stand in their order. */
static int by_position(struct matcher *m, struct gbx_buffer *notes, struct gbx_error *err) {
        for (unsigned i = 0; i < m->plan->column_count; i++)
                if (m->view->columns[i].column >= 0)
                        return 0;
        if (m->table->columns != m->plan->column_count)
                return 0;
        for (unsigned i = 0; i < m->plan->column_count; i++)
                m->view->columns[i].column = (int)i;
        return gbx_buffer_append_text(notes, "columns taken in their order\n", err);
}

void gbx_match_sketch(struct gbx_plan *plan, const struct gbx_mark_keys *keys, const struct gbx_view *view) {
        size_t rows = view->table->rows, sampled = (rows + SKETCH_SAMPLE - 1) / SKETCH_SAMPLE;

        for (unsigned i = 0; i < plan->column_count; i++) {
                struct gbx_plan_column *c = &plan->columns[i];

                if (view->columns[i].column < 0)
                        continue;
                c->sketch = (struct gbx_sketch){};
                for (size_t row = 0; row < rows; row += is_key(c) ? 1 : sampled) {
                        struct gbx_number number;
                        size_t size;
                        const char *text = gbx_table_cell(view->table, row, (size_t)view->columns[i].column, &size);

                        if (size == 0)
                                continue;
                        gbx_sketch_add(&c->sketch, sketch_limit(c),
                                       is_key(c) ? gbx_sketch_exact(&keys->sketch, text, size, 0)
                                       : gbx_view_number(view, i, row, &number)
                                               ? gbx_sketch_number(&keys->sketch, number, 0)
                                               : gbx_sketch_text(&keys->sketch, text, size));
                }
        }
}

int gbx_match_view(struct gbx_view *view, const struct gbx_plan *plan, const struct gbx_mark_keys *keys,
                   const struct gbx_table *table, char decimal, unsigned *ret_found, struct gbx_buffer *notes,
                   struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) bool *taken = calloc(table->columns, sizeof *taken);
        gbx_auto(gbx_free_pointer) char *separators = calloc(table->columns, sizeof *separators);
        struct matcher m = { view, plan, keys, table, taken, separators, err };
        unsigned found = 0;
        int r;

        view->table = table;
        view->count = plan->column_count;
        view->columns = calloc(plan->column_count + 1, sizeof *view->columns);
        if (!taken || !separators || !view->columns)
                return gbx_fail_memory(err);
        for (unsigned i = 0; i < plan->column_count; i++)
                view->columns[i].column = -1;
        for (size_t k = 0; k < table->columns; k++)
                separators[k] = gbx_suspect_separator(table, k, decimal);
        if (!table->headless)
                by_name(&m);
        r = any_unmatched(&m) ? by_content(&m, notes) : 0;
        if (r >= 0)
                r = by_position(&m, notes, err);
        if (r >= 0)
                r = find_shifts(&m, notes);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < plan->column_count; i++) {
                found += view->columns[i].column >= 0;
                if (view->columns[i].column < 0)
                        continue;
                view->columns[i].separator =
                        separator_of(&m, i, (size_t)view->columns[i].column, view->columns[i].shift);
        }
        *ret_found = found;
        return 0;
}
