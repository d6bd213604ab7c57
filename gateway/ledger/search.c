/*
 * Deciding: is there a combination over too few units?
 *
 * New vectors are reduced by the rows, and so are rows whose pivot's atom they cut
 * into small parts. What is left is eliminated in the large parts of atoms first.
 * If nothing remains, no new combination of anything at all is over small parts
 * alone, and there is nothing to find: this is exact. What remains (the *rest*)
 * spans, with the rows that were such before, all combinations over small parts.
 * Among them are tried
 *   - each of them alone, in echelon form: finds every combination over one part,
 *     and all that contain one pivot only;
 *   - each two of the rest, with every weight that cancels a part;
 *   - where few vectors are concerned, each two of all of them, again after other
 *     choices of pivots, a fixed number of times;
 *   - each new vector with one or two that were noted, or with the sum of a table,
 *     by their sketches, however many small parts there are.
 */
#include "gateway/ledger/space.h"

#include "base/cleanup.h"

#include <string.h>

enum {
        MOST_PAIRS = 100000, /* pairs tried in one go */
        CHOICES = 8,         /* of other pivots */
        MOST_MIXED = 64,     /* vectors that pivots are chosen anew for */
};

/* One vector at work, over columns of the cut atoms, and how it is made. */
struct work {
        uint32_t *values;
        uint32_t *from; /* new vectors, then rows */
};

struct deciding {
        struct gbx_space *space;
        struct gbx_refinement parts;
        size_t vector_count;
        /* Columns: for each old atom what no vector touches (at the atom's own number; size 0 if nothing), then the parts. */
        size_t column_count, from_count;
        uint32_t *sizes;
        uint32_t *best; /* for each atom its largest column */
        uint32_t *small; /* columns of small parts, largest first is not needed */
        size_t small_count;
        struct work *works;
        size_t work_count, work_capacity;
        uint32_t *scratch;
};

static void free_deciding(struct deciding *d) {
        for (size_t i = 0; i < d->work_count; i++) {
                free(d->works[i].values);
                free(d->works[i].from);
        }
        free(d->works);
        free(d->sizes);
        free(d->best);
        free(d->small);
        free(d->scratch);
        gbx_refinement_clear(&d->parts);
}

static int lay_columns(struct deciding *d, struct gbx_error *err) {
        const struct gbx_space *space = d->space;
        size_t atoms = space->atom_count;

        d->column_count = atoms + d->parts.part_count;
        d->from_count = d->vector_count + space->row_count;
        d->sizes = calloc(d->column_count + 1, sizeof *d->sizes);
        d->best = calloc(atoms + 1, sizeof *d->best);
        d->small = calloc(d->column_count + 1, sizeof *d->small);
        d->scratch = calloc(d->column_count + 1, sizeof *d->scratch);
        if (!d->sizes || !d->best || !d->small || !d->scratch)
                return gbx_fail_memory(err);
        for (size_t a = 1; a < atoms; a++) {
                d->sizes[a] = space->sizes[a];
                d->best[a] = (uint32_t)a;
        }
        for (size_t p = 0; p < d->parts.part_count; p++) {
                d->sizes[atoms + p] = d->parts.parts[p].size;
                if (d->parts.parts[p].atom)
                        d->sizes[d->parts.parts[p].atom] -= d->parts.parts[p].size;
        }
        for (size_t p = 0; p < d->parts.part_count; p++) {
                uint32_t atom = d->parts.parts[p].atom;

                if (atom && d->sizes[atoms + p] > d->sizes[d->best[atom]])
                        d->best[atom] = (uint32_t)(atoms + p);
        }
        for (size_t c = 1; c < d->column_count; c++)
                if (d->sizes[c] > 0 && d->sizes[c] < space->minimum)
                        d->small[d->small_count++] = (uint32_t)c;
        return 0;
}

static struct work *add_work(struct deciding *d, struct gbx_error *err) {
        struct work work = {};

        if (d->work_count == d->work_capacity) {
                size_t capacity = d->work_capacity * 2 + 64;
                struct work *larger = realloc(d->works, capacity * sizeof *larger);

                if (!larger) {
                        (void)gbx_fail_memory(err);
                        return NULL;
                }
                d->works = larger;
                d->work_capacity = capacity;
        }
        work.values = calloc(d->column_count + 1, sizeof *work.values);
        work.from = calloc(d->from_count + 1, sizeof *work.from);
        if (!work.values || !work.from) {
                free(work.values);
                free(work.from);
                (void)gbx_fail_memory(err);
                return NULL;
        }
        d->works[d->work_count] = work;
        return &d->works[d->work_count++];
}

static void drop_work(struct deciding *d, size_t place) {
        free(d->works[place].values);
        free(d->works[place].from);
        d->works[place] = d->works[--d->work_count];
}

/* The parts get the values of their atoms; what has no units has none. */
static void spread(const struct deciding *d, uint32_t *values) {
        for (size_t p = 0; p < d->parts.part_count; p++)
                values[d->space->atom_count + p] = values[d->parts.parts[p].atom];
        for (size_t a = 0; a < d->space->atom_count; a++)
                if (!d->sizes[a])
                        values[a] = 0;
}

static int take_row(struct deciding *d, size_t row, struct gbx_error *err) {
        struct work *work = add_work(d, err);

        if (!work)
                return -ENOMEM;
        memcpy(work->values, d->space->rows[row].values, d->space->atom_count * sizeof *work->values);
        spread(d, work->values);
        work->from[d->vector_count + row] = 1;
        return 0;
}

/* A new vector, reduced by all rows: their coefficients are read off at the largest part of their pivot's atom. */
static int take_vector(struct deciding *d, size_t vector, struct gbx_error *err) {
        const struct gbx_space *space = d->space;
        struct work *work = add_work(d, err);

        if (!work)
                return -ENOMEM;
        for (size_t i = 0; i < space->row_count; i++) {
                uint32_t column = d->best[space->rows[i].pivot], value;

                if (column < space->atom_count)
                        continue; /* what no vector touches */
                value = d->parts.values[(column - space->atom_count) * d->vector_count + vector];
                if (!value)
                        continue;
                gbx_field_subtract(&space->field, work->values, space->rows[i].values, value, space->atom_count);
                work->from[d->vector_count + i] = gbx_field_negate(&space->field, value);
        }
        spread(d, work->values);
        for (size_t p = 0; p < d->parts.part_count; p++) {
                uint32_t *value = &work->values[space->atom_count + p];

                *value = gbx_field_add(&space->field, *value, d->parts.values[p * d->vector_count + vector]);
        }
        work->from[vector] = 1;
        return 0;
}

static void subtract(const struct deciding *d, struct work *target, const struct work *source, uint32_t factor) {
        gbx_field_subtract(&d->space->field, target->values, source->values, factor, d->column_count);
        gbx_field_subtract(&d->space->field, target->from, source->from, factor, d->from_count);
}

/* Makes the vector 1 in the column and all others 0 there. */
static void pivot_at(struct deciding *d, size_t place, uint32_t column) {
        uint32_t factor = gbx_field_invert(&d->space->field, d->works[place].values[column]);

        gbx_field_scale(&d->space->field, d->works[place].values, factor, d->column_count);
        gbx_field_scale(&d->space->field, d->works[place].from, factor, d->from_count);
        for (size_t i = 0; i < d->work_count; i++)
                if (i != place && d->works[i].values[column])
                        subtract(d, &d->works[i], &d->works[place], d->works[i].values[column]);
}

/* Eliminates in the large columns; what has something there is gone, the rest stays. */
static void eliminate_large(struct deciding *d) {
        for (size_t i = 0; i < d->work_count;) {
                uint32_t found = 0;

                for (uint32_t c = 1; c < d->column_count && !found; c++)
                        if (d->sizes[c] >= d->space->minimum && d->works[i].values[c])
                                found = c;
                if (!found) {
                        i++;
                        continue;
                }
                pivot_at(d, i, found);
                drop_work(d, i);
        }
}

/* Units that the vector is over, counted up to the threshold. */
static uint32_t weigh(const struct deciding *d, const uint32_t *values) {
        uint32_t units = 0;

        for (size_t i = 0; i < d->small_count && units < d->space->minimum; i++)
                if (values[d->small[i]])
                        units += d->sizes[d->small[i]];
        return units;
}

/* The weight of a + factor * b, counted likewise. */
static uint32_t weigh_sum(const struct deciding *d, const uint32_t *a, const uint32_t *b, uint32_t factor) {
        const struct gbx_field *field = &d->space->field;
        uint32_t units = 0;

        for (size_t i = 0; i < d->small_count && units < d->space->minimum; i++) {
                uint32_t c = d->small[i];

                if ((a[c] || b[c]) && gbx_field_reduce(field, (uint64_t)b[c] * factor + a[c]))
                        units += d->sizes[c];
        }
        return units;
}

static bool is_small(const struct deciding *d, const uint32_t *values, uint64_t *ret_units) {
        uint32_t units = weigh(d, values);

        *ret_units = units;
        return units > 0 && units < d->space->minimum;
}

/* Gives each vector a pivot among the small columns, in the order that `choice` makes; drops what is zero. */
static void eliminate_small(struct deciding *d, unsigned choice, uint32_t *ret_pivots) {
        uint64_t state = gbx_mix(d->space->seed + choice);

        for (size_t i = 0; i < d->work_count;) {
                size_t start = choice && d->small_count ? (size_t)(gbx_mix(state + i) % d->small_count) : 0;
                uint32_t found = 0;

                for (size_t s = 0; s < d->small_count && !found; s++) {
                        uint32_t c = d->small[(s + start) % d->small_count];

                        if (d->works[i].values[c])
                                found = c;
                }
                if (!found) {
                        drop_work(d, i);
                        continue;
                }
                pivot_at(d, i, found);
                if (ret_pivots)
                        ret_pivots[i] = found;
                i++;
        }
}

/* Two vectors, with every weight that cancels one of the first few columns of the first. 1: found, `a` holds it. */
static int try_pair(struct deciding *d, struct work *a, const struct work *b, uint64_t *ret_units) {
        const struct gbx_field *field = &d->space->field;
        uint32_t units = 0, last = 0;

        for (size_t i = 0; i < d->small_count && units < d->space->minimum; i++) {
                uint32_t c = d->small[i], factor, weight;

                if (!a->values[c])
                        continue;
                units += d->sizes[c]; /* if none of these is cancelled, they are too many by themselves */
                if (!b->values[c])
                        continue;
                factor = gbx_field_multiply(field, gbx_field_negate(field, a->values[c]), gbx_field_invert(field, b->values[c]));
                if (factor == last)
                        continue;
                last = factor;
                weight = weigh_sum(d, a->values, b->values, factor);
                if (weight > 0 && weight < d->space->minimum) {
                        subtract(d, a, b, gbx_field_negate(field, factor));
                        *ret_units = weight;
                        return 1;
                }
        }
        return 0;
}

static int try_all(struct deciding *d, struct work **ret, uint64_t *ret_units) {
        size_t pairs = 0;

        for (size_t i = 0; i < d->work_count; i++)
                if (is_small(d, d->works[i].values, ret_units)) {
                        *ret = &d->works[i];
                        return 1;
                }
        for (size_t i = 0; i < d->work_count; i++) {
                for (size_t j = 0; j < d->work_count; j++) {
                        if (i == j || ++pairs > MOST_PAIRS)
                                continue;
                        if (try_pair(d, &d->works[i], &d->works[j], ret_units)) {
                                *ret = &d->works[i];
                                return 1;
                        }
                }
        }
        return 0;
}

/* Whether the row shares a small column with any vector at work. */
static bool meets(const struct deciding *d, const uint32_t *row_values) {
        for (size_t p = 0; p < d->small_count; p++) {
                uint32_t c = d->small[p];
                uint32_t atom = c < d->space->atom_count ? c : d->parts.parts[c - d->space->atom_count].atom;

                if (d->scratch[c] && row_values[atom])
                        return true;
        }
        return false;
}

/* Rows over small atoms alone that have to do with the rest, step by step. 1: too many. */
static int take_neighbours(struct deciding *d, struct gbx_error *err) {
        const struct gbx_space *space = d->space;
        gbx_auto(gbx_free_pointer) bool *taken = calloc(space->row_count + 1, sizeof *taken);
        size_t seen = 0;

        if (!taken)
                return gbx_fail_memory(err);
        memset(d->scratch, 0, d->column_count * sizeof *d->scratch);
        for (bool more = true; more;) {
                more = false;
                for (; seen < d->work_count; seen++)
                        for (size_t i = 0; i < d->small_count; i++)
                                d->scratch[d->small[i]] |= d->works[seen].values[d->small[i]] != 0;
                for (size_t i = 0; i < space->row_count; i++) {
                        int r;

                        if (taken[i] || space->sizes[space->rows[i].pivot] >= space->minimum || !meets(d, space->rows[i].values))
                                continue;
                        if (d->work_count >= MOST_MIXED)
                                return 1;
                        taken[i] = more = true;
                        r = take_row(d, i, err);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* The weight of a row after the rest's pivots are eliminated from it, counted up to the threshold. */
static uint32_t weigh_row(const struct deciding *d, const uint32_t *row, const uint32_t *factors) {
        const struct gbx_space *space = d->space;
        uint32_t units = 0;

        for (size_t i = 0; i < d->small_count && units < space->minimum; i++) {
                uint32_t c = d->small[i], value = row[c < space->atom_count ? c : d->parts.parts[c - space->atom_count].atom];

                for (size_t w = 0; w < d->work_count; w++)
                        if (factors[w] && d->works[w].values[c])
                                value = gbx_field_reduce(&space->field,
                                                         (uint64_t)d->works[w].values[c] * (space->field.prime - factors[w]) + value);
                if (value)
                        units += d->sizes[c];
        }
        return units;
}

/* Each row over small atoms alone, as the rest changes it: together they stay in echelon form. `pivots` are the rest's. */
static int try_rows(struct deciding *d, const uint32_t *pivots, struct work **ret, uint64_t *ret_units, struct gbx_error *err) {
        const struct gbx_space *space = d->space;
        size_t rest = d->work_count;
        gbx_auto(gbx_free_pointer) uint32_t *factors = calloc(rest + 1, sizeof *factors);

        if (!factors)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < space->row_count; i++) {
                const uint32_t *row = space->rows[i].values;
                bool changed = false;
                uint32_t units;

                if (space->sizes[space->rows[i].pivot] >= space->minimum)
                        continue;
                for (size_t w = 0; w < rest; w++) {
                        uint32_t c = pivots[w];

                        factors[w] = row[c < space->atom_count ? c : d->parts.parts[c - space->atom_count].atom];
                        changed = changed || factors[w];
                }
                units = changed ? weigh_row(d, row, factors) : 0;
                if (units == 0 || units >= space->minimum)
                        continue;
                if (take_row(d, i, err) < 0)
                        return -ENOMEM;
                for (size_t w = 0; w < rest; w++)
                        subtract(d, &d->works[rest], &d->works[w], factors[w]);
                *ret = &d->works[rest];
                *ret_units = units;
                return 1;
        }
        return 0;
}

static int search(struct deciding *d, struct work **ret, uint64_t *ret_units, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) uint32_t *pivots = calloc(d->work_count + 1, sizeof *pivots);
        int r;

        if (!pivots)
                return gbx_fail_memory(err);
        eliminate_small(d, 0, pivots);
        if (d->work_count == 0)
                return 0;
        if (try_all(d, ret, ret_units))
                return 1;
        r = try_rows(d, pivots, ret, ret_units, err);
        if (r != 0)
                return r;
        r = take_neighbours(d, err);
        if (r != 0)
                return r < 0 ? r : 0;
        for (unsigned choice = 0; choice <= CHOICES; choice++) {
                eliminate_small(d, choice, NULL);
                if (try_all(d, ret, ret_units))
                        return 1;
        }
        return 0;
}

/* From new vectors and rows to new vectors and noted ones. */
static int explain(const struct deciding *d, const struct work *found, struct gbx_combination *ret, struct gbx_error *err) {
        const struct gbx_space *space = d->space;

        ret->weights = calloc(d->from_count + 1, sizeof *ret->weights);
        if (!ret->weights)
                return gbx_fail_memory(err);
        memcpy(ret->weights, found->from, d->vector_count * sizeof *ret->weights);
        for (size_t i = 0; i < space->row_count; i++)
                gbx_field_subtract(&space->field, ret->weights + d->vector_count, space->rows[i].origin,
                                   gbx_field_negate(&space->field, found->from[d->vector_count + i]), space->row_count);
        return 1;
}

/* The marker of a new vector among the numbers of those that were noted. */
static const size_t NEW = SIZE_MAX / 2;

static int take_match(const struct deciding *d, size_t vector, const struct gbx_sketch_match *match, struct gbx_combination *ret,
                      struct gbx_error *err) {
        ret->weights = calloc(d->from_count + 1, sizeof *ret->weights);
        if (!ret->weights)
                return gbx_fail_memory(err);
        ret->units = match->units;
        if (vector < d->vector_count)
                ret->weights[vector] = 1;
        for (size_t v = 0; vector == d->vector_count && v < vector; v++) /* all of them together */
                ret->weights[v] = 1;
        for (size_t i = 0; i < match->count; i++) {
                if (match->numbers[i] >= NEW) {
                        uint32_t *weight = &ret->weights[match->numbers[i] - NEW];

                        *weight = gbx_field_add(&d->space->field, *weight, gbx_field_from(&d->space->field, match->weights[i]));
                        continue;
                }
                ret->known[ret->known_count] = match->numbers[i];
                ret->known_weights[ret->known_count++] = match->weights[i];
        }
        return 1;
}

/* New vectors one by one, then all together, each with those that were noted and with the new ones before it. */
static int search_sketches(struct deciding *d, const struct gbx_vector *vectors, struct gbx_combination *ret, struct gbx_error *err) {
        struct gbx_sketches *sketches = &d->space->sketches;
        struct gbx_sketch sum = {};
        size_t kept = 0;
        int r = 0;

        for (size_t v = 0; v <= d->vector_count && r == 0; v++) {
                struct gbx_sketch sketch = {};
                struct gbx_sketch_match match;

                if (v < d->vector_count)
                        r = gbx_space_sketch(d->space, &vectors[v], &sketch, err);
                else
                        sketch = sum;
                if (r == 0 && (v < d->vector_count || v > 1) && gbx_sketches_match(sketches, &sketch, d->space->minimum, &match))
                        r = take_match(d, v, &match, ret, err);
                if (r != 0 || v == d->vector_count)
                        break;
                gbx_sketch_combine(&sum, &sketch, 1);
                r = gbx_sketches_keep(sketches, &sketch, NEW + v, err);
                kept += r == 0;
        }
        while (kept-- > 0)
                gbx_sketches_forget_last(sketches);
        return r;
}

static int take_all(struct deciding *d, struct gbx_error *err) {
        const struct gbx_space *space = d->space;
        int r = 0;

        for (size_t v = 0; v < d->vector_count && r == 0; v++)
                r = take_vector(d, v, err);
        for (size_t i = 0; i < space->row_count && r == 0; i++)
                if (space->sizes[space->rows[i].pivot] >= space->minimum && d->sizes[d->best[space->rows[i].pivot]] < space->minimum)
                        r = take_row(d, i, err);
        return r;
}

int gbx_space_decide(struct gbx_space *space, const struct gbx_vector *vectors, size_t count, struct gbx_combination *ret,
                     struct gbx_error *err) {
        gbx_auto(free_deciding) struct deciding d = { .space = space, .vector_count = count };
        struct gbx_combination combination = {};
        struct work *found = NULL;
        bool rest;
        int r = gbx_refine(space, vectors, count, &d.parts, err);

        if (r < 0)
                return r;
        if ((space->atom_count + d.parts.part_count) * (space->row_count + count) > GBX_SPACE_MAX_NUMBERS)
                return 2;
        r = lay_columns(&d, err);
        if (r == 0)
                r = take_all(&d, err);
        if (r < 0)
                return r;
        eliminate_large(&d);
        rest = d.work_count > 0;
        r = search(&d, &found, &combination.units, err);
        if (r == 0 && rest)
                r = search_sketches(&d, vectors, &combination, err);
        else if (r == 1)
                r = explain(&d, found, &combination, err);
        if (r == 1)
                *ret = combination;
        return r;
}
