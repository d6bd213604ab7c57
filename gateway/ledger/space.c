#include "gateway/ledger/space.h"

#include "base/cleanup.h"

#include <string.h>

int gbx_space_start(struct gbx_space *space, uint32_t minimum, uint64_t seed, struct gbx_error *err) {
        *space = (struct gbx_space){ .field = gbx_field_of(seed), .seed = seed, .minimum = minimum, .atom_count = 1, .atom_capacity = 64,
                                     .sketches = { .seed = gbx_mix(seed) } };
        space->sizes = calloc(space->atom_capacity, sizeof *space->sizes);
        return space->sizes ? 0 : gbx_fail_memory(err);
}

void gbx_space_clear(struct gbx_space *space) {
        for (size_t i = 0; i < space->row_count; i++) {
                free(space->rows[i].values);
                free(space->rows[i].origin);
        }
        free(space->rows);
        free(space->basis);
        free(space->atom_of);
        free(space->touched);
        free(space->sizes);
        free(space->known);
        gbx_sketches_clear(&space->sketches);
        *space = (struct gbx_space){};
}

static int resize(void **array, size_t old, size_t count, size_t item, struct gbx_error *err) {
        char *larger = realloc(*array, count * item);

        if (!larger)
                return gbx_fail_memory(err);
        memset(larger + old * item, 0, (count - old) * item);
        *array = larger;
        return 0;
}

/* --- fingerprints ------------------------------------------------------------------------------------------------ */

/* A sum over units of keyed numbers, times the weight: the same for the same vector, however its terms are written. */
static int fingerprint(const struct gbx_space *space, const struct gbx_vector *vector, uint64_t ret[2], struct gbx_error *err) {
        ret[0] = ret[1] = 0;
        for (size_t t = 0; t < vector->term_count; t++) {
                size_t count = roaring_bitmap_get_cardinality(vector->terms[t].units);
                gbx_auto(gbx_free_pointer) uint32_t *units = malloc((count + 1) * sizeof *units);
                uint64_t weight = (uint64_t)vector->terms[t].weight;

                if (!units)
                        return gbx_fail_memory(err);
                roaring_bitmap_to_uint32_array(vector->terms[t].units, units);
                for (size_t i = 0; i < count; i++) {
                        ret[0] += weight * gbx_mix(space->seed ^ units[i]);
                        ret[1] += weight * gbx_mix(~space->seed ^ ((uint64_t)units[i] << 32));
                }
        }
        return 0;
}

static uint64_t *place_of(uint64_t (*table)[2], size_t capacity, const uint64_t print[2]) {
        size_t place = (size_t)print[0] & (capacity - 1);

        while ((table[place][0] || table[place][1]) && memcmp(table[place], print, sizeof table[place]) != 0)
                place = (place + 1) & (capacity - 1);
        return table[place];
}

bool gbx_space_knows(const struct gbx_space *space, const struct gbx_vector *vector, uint64_t ret_print[2], struct gbx_error *err) {
        if (fingerprint(space, vector, ret_print, err) < 0)
                return false;
        if (!ret_print[0] && !ret_print[1])
                return true; /* a vector of nothing says nothing */
        return space->known_capacity && place_of(space->known, space->known_capacity, ret_print)[0] == ret_print[0];
}

static int know(struct gbx_space *space, const uint64_t print[2], struct gbx_error *err) {
        if (space->known_count * 2 >= space->known_capacity) {
                size_t capacity = space->known_capacity ? space->known_capacity * 2 : 256;
                uint64_t(*larger)[2] = calloc(capacity, sizeof *larger);

                if (!larger)
                        return gbx_fail_memory(err);
                for (size_t i = 0; i < space->known_capacity; i++)
                        if (space->known[i][0] || space->known[i][1])
                                memcpy(place_of(larger, capacity, space->known[i]), space->known[i], sizeof *larger);
                free(space->known);
                space->known = larger;
                space->known_capacity = capacity;
        }
        memcpy(place_of(space->known, space->known_capacity, print), print, sizeof *space->known);
        space->known_count++;
        return 0;
}

/* --- cutting atoms ----------------------------------------------------------------------------------------------- */

void gbx_refinement_clear(struct gbx_refinement *refinement) {
        free(refinement->parts);
        free(refinement->values);
        free(refinement->units);
        free(refinement->part_of);
        *refinement = (struct gbx_refinement){};
}

static int make_unit_room(struct gbx_space *space, uint32_t most, struct gbx_error *err) {
        size_t capacity = space->unit_capacity ? space->unit_capacity : 1024;
        int r;

        if (most < space->unit_capacity)
                return 0;
        if (most > GBX_RECORD_MAX_UNIT)
                return gbx_fail(err, -EDQUOT, "ledger: units must be numbered from 0 to %d", GBX_RECORD_MAX_UNIT);
        while (capacity <= most)
                capacity *= 2;
        r = resize((void **)&space->atom_of, space->unit_capacity, capacity, sizeof *space->atom_of, err);
        if (r == 0)
                r = resize((void **)&space->touched, space->unit_capacity, capacity, sizeof *space->touched, err);
        if (r == 0)
                space->unit_capacity = capacity;
        return r;
}

/* All units of all vectors, flat: where each term's begin is in `starts`. */
struct flat {
        uint32_t *units;
        size_t *starts;
        size_t term_count;
};

static void free_flat(struct flat *flat) {
        free(flat->units);
        free(flat->starts);
}

static int flatten(const struct gbx_vector *vectors, size_t count, struct flat *ret, struct gbx_error *err) {
        size_t units = 0, next = 0;

        for (size_t v = 0; v < count; v++)
                for (size_t t = 0; t < vectors[v].term_count; t++, ret->term_count++)
                        units += roaring_bitmap_get_cardinality(vectors[v].terms[t].units);
        ret->units = malloc((units + 1) * sizeof *ret->units);
        ret->starts = malloc((ret->term_count + 1) * sizeof *ret->starts);
        if (!ret->units || !ret->starts)
                return gbx_fail_memory(err);
        ret->starts[0] = 0;
        for (size_t v = 0; v < count; v++)
                for (size_t t = 0; t < vectors[v].term_count; t++, next++) {
                        roaring_bitmap_to_uint32_array(vectors[v].terms[t].units, ret->units + ret->starts[next]);
                        ret->starts[next + 1] = ret->starts[next] + roaring_bitmap_get_cardinality(vectors[v].terms[t].units);
                }
        return 0;
}

/* Marks each unit with a number that depends on its values in all vectors: equal for equal values. */
static void mark_units(struct gbx_space *space, const struct gbx_vector *vectors, size_t count, const struct flat *flat,
                       struct gbx_refinement *refinement, uint64_t *marks) {
        size_t term = 0;

        for (size_t v = 0; v < count; v++) {
                uint64_t key = gbx_mix(space->seed * 3 + v) | 1;

                for (size_t t = 0; t < vectors[v].term_count; t++, term++) {
                        for (size_t i = flat->starts[term]; i < flat->starts[term + 1]; i++) {
                                uint32_t unit = flat->units[i];

                                if (!space->touched[unit]) {
                                        refinement->units[refinement->unit_count] = unit;
                                        space->touched[unit] = (uint32_t)++refinement->unit_count;
                                        marks[space->touched[unit] - 1] = 0;
                                }
                                marks[space->touched[unit] - 1] += key * (uint64_t)vectors[v].terms[t].weight;
                        }
                }
        }
}

/* Units of the same atom with the same mark are one part. */
static int group_units(struct gbx_space *space, const uint64_t *marks, struct gbx_refinement *refinement, struct gbx_error *err) {
        size_t capacity = 64;

        while (capacity < refinement->unit_count * 2)
                capacity *= 2;

        gbx_auto(gbx_free_pointer) uint32_t *table = calloc(capacity, sizeof *table);
        refinement->parts = calloc(refinement->unit_count + 1, sizeof *refinement->parts);
        if (!table || !refinement->parts)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < refinement->unit_count; i++) {
                uint32_t atom = space->atom_of[refinement->units[i]];
                size_t place = (size_t)gbx_mix(marks[i] + atom) & (capacity - 1);
                struct gbx_part *part;

                while (table[place] && (refinement->parts[table[place] - 1].atom != atom ||
                                        refinement->parts[table[place] - 1].mark != marks[i]))
                        place = (place + 1) & (capacity - 1);
                if (!table[place]) {
                        refinement->parts[refinement->part_count] = (struct gbx_part){ .atom = atom, .unit = refinement->units[i],
                                                                                      .mark = marks[i] };
                        table[place] = (uint32_t)++refinement->part_count;
                }
                part = &refinement->parts[table[place] - 1];
                part->size++;
                refinement->part_of[i] = table[place] - 1;
        }
        return 0;
}

static int fill_values(struct gbx_space *space, const struct gbx_vector *vectors, size_t count, const struct flat *flat,
                       struct gbx_refinement *refinement, struct gbx_error *err) {
        size_t term = 0;

        refinement->values = calloc(refinement->part_count * count + 1, sizeof *refinement->values);
        if (!refinement->values)
                return gbx_fail_memory(err);
        for (size_t v = 0; v < count; v++) {
                for (size_t t = 0; t < vectors[v].term_count; t++, term++) {
                        uint32_t weight = gbx_field_from(&space->field, vectors[v].terms[t].weight);

                        for (size_t i = flat->starts[term]; i < flat->starts[term + 1]; i++) {
                                size_t part = refinement->part_of[space->touched[flat->units[i]] - 1];
                                uint32_t *value = &refinement->values[part * count + v];

                                if (refinement->parts[part].unit == flat->units[i])
                                        *value = gbx_field_add(&space->field, *value, weight);
                        }
                }
        }
        return 0;
}

int gbx_refine(struct gbx_space *space, const struct gbx_vector *vectors, size_t count, struct gbx_refinement *ret, struct gbx_error *err) {
        struct gbx_refinement refinement = { .vector_count = count };
        gbx_auto(free_flat) struct flat flat = {};
        gbx_auto(gbx_free_pointer) uint64_t *marks = NULL;
        uint32_t most = 0;
        size_t total;
        int r = flatten(vectors, count, &flat, err);

        if (r < 0)
                return r;
        total = flat.starts[flat.term_count];
        for (size_t i = 0; i < total; i++)
                most = flat.units[i] > most ? flat.units[i] : most;
        r = make_unit_room(space, most, err);
        if (r < 0)
                return r;
        marks = malloc((total + 1) * sizeof *marks);
        refinement.units = malloc((total + 1) * sizeof *refinement.units);
        refinement.part_of = malloc((total + 1) * sizeof *refinement.part_of);
        if (!marks || !refinement.units || !refinement.part_of) {
                gbx_refinement_clear(&refinement);
                return gbx_fail_memory(err);
        }
        mark_units(space, vectors, count, &flat, &refinement, marks);
        r = group_units(space, marks, &refinement, err);
        if (r == 0)
                r = fill_values(space, vectors, count, &flat, &refinement, err);
        for (size_t i = 0; i < refinement.unit_count; i++)
                space->touched[refinement.units[i]] = 0;
        if (r < 0)
                gbx_refinement_clear(&refinement);
        else
                *ret = refinement;
        return r;
}

/* --- noting a vector --------------------------------------------------------------------------------------------- */

static int make_atom_room(struct gbx_space *space, size_t more, struct gbx_error *err) {
        size_t capacity = space->atom_capacity;
        int r;

        while (capacity < space->atom_count + more)
                capacity *= 2;
        if (capacity == space->atom_capacity)
                return 0;
        if (capacity * (space->row_count + 1) > GBX_SPACE_MAX_NUMBERS)
                return gbx_fail(err, -EDQUOT, "ledger: more different groups of units were released than it can combine");
        r = resize((void **)&space->sizes, space->atom_capacity, capacity, sizeof *space->sizes, err);
        for (size_t i = 0; i < space->row_count && r == 0; i++)
                r = resize((void **)&space->rows[i].values, space->atom_capacity, capacity, sizeof(uint32_t), err);
        if (r == 0)
                space->atom_capacity = capacity;
        return r;
}

/* Cuts atoms for good. A part that is its whole atom stays it; else the part becomes a new atom. Fills each part's atom in. */
static int cut_atoms(struct gbx_space *space, struct gbx_refinement *refinement, struct gbx_error *err) {
        int r = make_atom_room(space, refinement->part_count, err);

        if (r < 0)
                return r;
        for (size_t p = 0; p < refinement->part_count; p++) {
                struct gbx_part *part = &refinement->parts[p];
                uint32_t old = part->atom;

                if (old && space->sizes[old] == part->size)
                        continue;
                part->atom = (uint32_t)space->atom_count++;
                space->sizes[part->atom] = part->size;
                if (!old)
                        continue;
                space->sizes[old] -= part->size;
                for (size_t i = 0; i < space->row_count; i++)
                        space->rows[i].values[part->atom] = space->rows[i].values[old];
        }
        for (size_t i = 0; i < refinement->unit_count; i++)
                space->atom_of[refinement->units[i]] = refinement->parts[refinement->part_of[i]].atom;
        return 0;
}

/* The largest atom where the row is not zero; 0: nowhere. */
static uint32_t best_pivot(const struct gbx_space *space, const uint32_t *values) {
        uint32_t best = 0;

        for (uint32_t a = 1; a < space->atom_count; a++)
                if (values[a] && (!best || space->sizes[a] > space->sizes[best]))
                        best = a;
        return best;
}

/* Makes the row 1 at its pivot and all others 0 there. */
static void set_pivot(struct gbx_space *space, size_t row, uint32_t pivot) {
        struct gbx_space_row *mine = &space->rows[row];
        uint32_t factor = gbx_field_invert(&space->field, mine->values[pivot]);

        gbx_field_scale(&space->field, mine->values, factor, space->atom_count);
        gbx_field_scale(&space->field, mine->origin, factor, space->row_count);
        mine->pivot = pivot;
        for (size_t i = 0; i < space->row_count; i++) {
                uint32_t value = space->rows[i].values[pivot];

                if (i == row || !value)
                        continue;
                gbx_field_subtract(&space->field, space->rows[i].values, mine->values, value, space->atom_count);
                gbx_field_subtract(&space->field, space->rows[i].origin, mine->origin, value, space->row_count);
        }
}

/* A cut may leave the pivot in a small part. Rows move to the largest atom they have. */
static void move_pivots(struct gbx_space *space) {
        for (size_t i = 0; i < space->row_count; i++) {
                uint32_t best;

                if (space->sizes[space->rows[i].pivot] >= space->minimum)
                        continue;
                best = best_pivot(space, space->rows[i].values);
                if (best && space->sizes[best] >= space->minimum)
                        set_pivot(space, i, best);
        }
}

static int make_row_room(struct gbx_space *space, struct gbx_error *err) {
        size_t capacity = space->row_capacity ? space->row_capacity * 2 : 64;
        int r;

        if (space->row_count < space->row_capacity)
                return 0;
        r = resize((void **)&space->rows, space->row_capacity, capacity, sizeof *space->rows, err);
        if (r == 0)
                r = resize((void **)&space->basis, space->row_capacity, capacity, sizeof *space->basis, err);
        for (size_t i = 0; i < space->row_count && r == 0; i++)
                r = resize((void **)&space->rows[i].origin, space->row_capacity, capacity, sizeof(uint32_t), err);
        if (r == 0)
                space->row_capacity = capacity;
        return r;
}

static int add_row(struct gbx_space *space, const struct gbx_refinement *refinement, size_t number, struct gbx_error *err) {
        struct gbx_space_row row = {};
        uint32_t pivot;
        int r = make_row_room(space, err);

        if (r < 0)
                return r;
        row.values = calloc(space->atom_capacity, sizeof *row.values);
        row.origin = calloc(space->row_capacity, sizeof *row.origin);
        if (!row.values || !row.origin) {
                free(row.values);
                free(row.origin);
                return gbx_fail_memory(err);
        }
        for (size_t p = 0; p < refinement->part_count; p++)
                row.values[refinement->parts[p].atom] = refinement->values[p];
        for (size_t i = 0; i < space->row_count; i++) {
                uint32_t value = row.values[space->rows[i].pivot];

                gbx_field_subtract(&space->field, row.values, space->rows[i].values, value, space->atom_count);
                gbx_field_subtract(&space->field, row.origin, space->rows[i].origin, value, space->row_count);
        }
        pivot = best_pivot(space, row.values);
        if (!pivot) { /* nothing new */
                free(row.values);
                free(row.origin);
                return 0;
        }
        space->basis[space->row_count] = number;
        row.origin[space->row_count] = 1;
        space->rows[space->row_count++] = row;
        set_pivot(space, space->row_count - 1, pivot);
        return 0;
}

int gbx_space_sketch(const struct gbx_space *space, const struct gbx_vector *vector, struct gbx_sketch *ret, struct gbx_error *err) {
        int r = 0;

        for (size_t t = 0; t < vector->term_count && r == 0; t++)
                r = gbx_sketch_add(space->sketches.seed, ret, vector->terms[t].weight, vector->terms[t].units, err);
        return r;
}

int gbx_space_keep_sum(struct gbx_space *space, const struct gbx_vector *vectors, size_t count, size_t number, struct gbx_error *err) {
        struct gbx_sketch sketch = {};
        int r = 0;

        for (size_t i = 0; i < count && r == 0; i++)
                r = gbx_space_sketch(space, &vectors[i], &sketch, err);
        return r < 0 ? r : gbx_sketches_keep(&space->sketches, &sketch, number, err);
}

int gbx_space_record(struct gbx_space *space, const struct gbx_vector *vector, size_t number, struct gbx_error *err) {
        gbx_auto(gbx_refinement_clear) struct gbx_refinement refinement = {};
        struct gbx_error own = {};
        uint64_t print[2];
        int r;

        if (gbx_space_knows(space, vector, print, &own))
                return 0;
        if (own.code < 0)
                return gbx_fail_memory(err);
        r = gbx_refine(space, vector, 1, &refinement, err);
        if (r == 0)
                r = cut_atoms(space, &refinement, err);
        if (r < 0)
                return r;
        move_pivots(space);
        r = add_row(space, &refinement, number, err);
        if (r == 0)
                r = know(space, print, err);
        return r < 0 ? r : gbx_space_keep_sum(space, vector, 1, number, err);
}
