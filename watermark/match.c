#include "watermark/match.h"

#include "base/cleanup.h"
#include "watermark/flatten.h"
#include "watermark/read.h"
#include "watermark/sketch.h"

#include <stdlib.h>
#include <string.h>

enum {
        SAMPLE = 16384,   /* rows of the suspect that are compared with a sketch */
        MAX_SHIFT = 9,    /* powers of ten tried */
        SLOTS = 1 << 16,  /* of the set of hashes; at least twice SAMPLE */
        LEAST_HITS = 2,
};

static const double least_share = 0.34;

/* Letters and digits only, in small letters; of a JSON pattern the last name. */
static void plain_name(const char *name, char *ret, size_t size) {
        const char *last = strrchr(name, '/');
        size_t n = 0;

        if (*name == '/' && last[1] && strcmp(last, "/*") != 0)
                name = last + 1;
        for (; *name && n + 1 < size; name++) {
                char c = *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name;

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
        uint32_t *set;    /* open addressing; 0: free */
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

static void add_to_set(uint32_t *set, uint32_t value) {
        value |= value == 0;
        for (uint32_t i = value % SLOTS;; i = (i + 1) % SLOTS) {
                if (set[i] == value)
                        return;
                if (set[i] == 0) {
                        set[i] = value;
                        return;
                }
        }
}

static bool in_set(const uint32_t *set, uint32_t value) {
        value |= value == 0;
        for (uint32_t i = value % SLOTS; set[i]; i = (i + 1) % SLOTS)
                if (set[i] == value)
                        return true;
        return false;
}

/* The set of hashes of one column of the table, its values times 10^shift. */
static void fill_set(struct matcher *m, size_t column, int shift) {
        size_t step = (m->table->rows + SAMPLE - 1) / SAMPLE;

        memset(m->set, 0, SLOTS * sizeof *m->set);
        for (size_t row = 0; row < m->table->rows; row += step) {
                struct gbx_number number;
                size_t size;
                const char *text = gbx_table_cell(m->table, row, column, &size);

                if (gbx_number_parse_loose(text, size, m->separators[column], &number))
                        add_to_set(m->set, gbx_sketch_number(&m->keys->sketch, number, shift));
                else if (size > 0)
                        add_to_set(m->set, gbx_sketch_text(&m->keys->sketch, text, size));
        }
}

/* Share of a plan column's sketch that the set holds. */
static double share(const struct matcher *m, unsigned column) {
        const struct gbx_plan_column *c = &m->plan->columns[column];
        unsigned hits = 0;

        for (unsigned i = 0; i < c->sketch_count; i++)
                hits += in_set(m->set, c->sketch[i]);
        return hits < LEAST_HITS && hits < c->sketch_count ? 0 : (double)hits / (c->sketch_count + 1e-9);
}

/* Columns matched by name whose values are another power of ten. */
static int find_shifts(struct matcher *m, struct gbx_buffer *notes, struct gbx_error *err) {
        int r = 0;

        for (unsigned i = 0; i < m->plan->column_count && r >= 0; i++) {
                struct gbx_view_column *look = &m->view->columns[i];
                double best;

                if (look->column < 0 || !m->plan->columns[i].markable || m->plan->columns[i].mark_text)
                        continue;
                fill_set(m, (size_t)look->column, 0);
                best = share(m, i);
                if (best >= least_share)
                        continue;
                best = least_share;
                for (int shift = -MAX_SHIFT; shift <= MAX_SHIFT; shift++) {
                        fill_set(m, (size_t)look->column, shift);
                        if (share(m, i) > best) {
                                best = share(m, i);
                                look->shift = shift;
                        }
                }
                if (look->shift)
                        r = gbx_buffer_printf(notes, err, "column '%s' is scaled by 10^%d\n", m->plan->columns[i].name,
                                              -look->shift);
        }
        return r;
}

struct pair {
        double share;
        unsigned ours;
        int shift;
        size_t theirs;
};

static int best_first(const void *a, const void *b) {
        const struct pair *x = a, *y = b;

        if (x->share != y->share)
                return x->share > y->share ? -1 : 1;
        if ((x->shift == 0) != (y->shift == 0))
                return x->shift == 0 ? -1 : 1;
        if (x->ours != y->ours)
                return x->ours < y->ours ? -1 : 1;
        return x->theirs < y->theirs ? -1 : x->theirs > y->theirs;
}

static size_t collect_pairs(struct matcher *m, struct pair *pairs, int shift, size_t limit) {
        size_t count = 0;

        for (size_t k = 0; k < m->table->columns; k++) {
                if (m->taken[k])
                        continue;
                fill_set(m, k, shift);
                for (unsigned i = 0; i < m->plan->column_count && count < limit; i++) {
                        double s = m->view->columns[i].column < 0 ? share(m, i) : 0;

                        if (s >= least_share)
                                pairs[count++] = (struct pair){ s, i, shift, k };
                }
        }
        return count;
}

static bool any_unmatched(const struct matcher *m) {
        bool ours = false, theirs = false;

        for (unsigned i = 0; i < m->plan->column_count; i++)
                ours |= m->view->columns[i].column < 0 && strcmp(m->plan->columns[i].name, GBX_FLATTEN_INDEX) != 0;
        for (size_t k = 0; k < m->table->columns; k++)
                theirs |= !m->taken[k] && strcmp(gbx_table_name(m->table, k), GBX_FLATTEN_INDEX) != 0;
        return ours && theirs;
}

static int by_content(struct matcher *m, struct gbx_buffer *notes, struct gbx_error *err) {
        enum { LIMIT = 65536 };
        gbx_auto(gbx_free_pointer) struct pair *pairs = calloc(LIMIT, sizeof *pairs);
        int r = 0;

        if (!pairs)
                return gbx_fail_memory(err);
        for (int far = 0; far <= MAX_SHIFT && r >= 0 && any_unmatched(m); far++) {
                size_t count = collect_pairs(m, pairs, far, LIMIT);

                if (far > 0)
                        count += collect_pairs(m, pairs + count, -far, LIMIT - count);
                qsort(pairs, count, sizeof *pairs, best_first);
                for (size_t i = 0; i < count && r >= 0; i++) {
                        struct gbx_view_column *look = &m->view->columns[pairs[i].ours];

                        if (look->column >= 0 || m->taken[pairs[i].theirs])
                                continue;
                        look->column = (int)pairs[i].theirs;
                        look->shift = pairs[i].shift;
                        m->taken[pairs[i].theirs] = true;
                        r = gbx_buffer_printf(notes, err, "column %zu looks like '%s'", pairs[i].theirs + 1,
                                              m->plan->columns[pairs[i].ours].name);
                        if (r >= 0 && look->shift)
                                r = gbx_buffer_printf(notes, err, ", scaled by 10^%d", -look->shift);
                        if (r >= 0)
                                r = gbx_buffer_append_byte(notes, '\n', err);
                }
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

int gbx_match_view(struct gbx_view *view, const struct gbx_plan *plan, const struct gbx_mark_keys *keys,
                   const struct gbx_table *table, char decimal, unsigned *ret_found, struct gbx_buffer *notes,
                   struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) bool *taken = calloc(table->columns, sizeof *taken);
        gbx_auto(gbx_free_pointer) char *separators = calloc(table->columns, sizeof *separators);
        gbx_auto(gbx_free_pointer) uint32_t *set = calloc(SLOTS, sizeof *set);
        struct matcher m = { view, plan, keys, table, taken, separators, set };
        unsigned found = 0;
        int r;

        view->table = table;
        view->count = plan->column_count;
        view->columns = calloc(plan->column_count + 1, sizeof *view->columns);
        if (!taken || !separators || !set || !view->columns)
                return gbx_fail_memory(err);
        for (unsigned i = 0; i < plan->column_count; i++)
                view->columns[i].column = -1;
        for (size_t k = 0; k < table->columns; k++)
                separators[k] = gbx_suspect_separator(table, k, decimal);
        if (!table->headless)
                by_name(&m);
        r = any_unmatched(&m) ? by_content(&m, notes, err) : 0;
        if (r >= 0)
                r = by_position(&m, notes, err);
        if (r >= 0)
                r = find_shifts(&m, notes, err);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < plan->column_count; i++) {
                found += view->columns[i].column >= 0;
                if (view->columns[i].column < 0)
                        continue;
                /* 1.234 in a column of whole numbers is one thousand and more. */
                view->columns[i].separator = plan->columns[i].type == GBX_MARK_INTEGER && view->columns[i].shift == 0
                                                     ? gbx_suspect_integer_separator(table, (size_t)view->columns[i].column,
                                                                                     separators[view->columns[i].column])
                                                     : separators[view->columns[i].column];
        }
        *ret_found = found;
        return 0;
}
