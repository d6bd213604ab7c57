#include "gateway/disclosure/system.h"

#include "base/cleanup.h"
#include "gateway/disclosure/place.h"

#include <stdio.h>
#include <string.h>

/* One deriving under way. Children of codes are listed once: first_child, next_child by key. */
struct deriving {
        const struct gbx_disclosure_set *set;
        struct gbx_system *system;
        struct gbx_places cells, decisions;
        size_t cell_capacity, term_capacity, equation_capacity, decision_capacity;
        size_t *first_child[GBX_DISCLOSURE_MAX_KEYS], *next_child[GBX_DISCLOSURE_MAX_KEYS];
        size_t given; /* cells of tables: the first of all */
};

static const size_t NO_CHILD = SIZE_MAX;

static int grow(void **array, size_t *capacity, size_t count, size_t item, struct gbx_error *err) {
        size_t wanted = *capacity ? *capacity * 2 : 64;
        void *larger;

        if (count < *capacity)
                return 0;
        larger = realloc(*array, wanted * item);
        if (!larger)
                return gbx_fail_memory(err);
        *array = larger;
        *capacity = wanted;
        return 0;
}

static int check_key(const struct gbx_disclosure_key *key, struct gbx_error *err) {
        if (key->code_count == 0 || key->code_count > GBX_DISCLOSURE_MAX_CODES || key->codes[0].parent != 0)
                return gbx_fail(err, -EINVAL, "disclosure: key '%s' has no code for everything, or too many codes", key->name);
        for (size_t i = 1; i < key->code_count; i++)
                if (key->codes[i].parent >= i)
                        return gbx_fail(err, -EINVAL, "disclosure: key '%s': a group must come before its parts", key->name);
        return 0;
}

static bool within(int64_t value) { return value <= GBX_DISCLOSURE_MAX_VALUE && value >= -GBX_DISCLOSURE_MAX_VALUE; }

static int check_table(const struct gbx_disclosure_set *set, const struct gbx_disclosure_table *table, struct gbx_error *err) {
        uint32_t seen = 0;

        if (table->key_count > set->key_count)
                return gbx_fail(err, -EINVAL, "disclosure: table '%s' names a key twice", table->name);
        for (size_t i = 0; i < table->key_count; i++) {
                if (table->keys[i] >= set->key_count || (seen & (1U << table->keys[i])))
                        return gbx_fail(err, -EINVAL, "disclosure: table '%s' names a key twice, or one that is not there", table->name);
                seen |= 1U << table->keys[i];
        }
        for (size_t c = 0; c < table->cell_count; c++) {
                const struct gbx_disclosure_cell *cell = &table->cells[c];

                for (size_t i = 0; i < table->key_count; i++)
                        if (cell->codes[i] >= set->keys[table->keys[i]].code_count)
                                return gbx_fail(err, -EINVAL, "disclosure: table '%s', cell %zu: no such code", table->name, c);
                if (!within(cell->value) || cell->lower < 0 || cell->upper < 0 || cell->cost < 0 || !within(cell->lower) ||
                    !within(cell->upper) || !within(cell->cost) || cell->count > (uint64_t)GBX_DISCLOSURE_MAX_VALUE ||
                    (table->non_negative && cell->value < 0))
                        return gbx_fail(err, -EINVAL, "disclosure: table '%s', cell %zu: a number is out of range", table->name, c);
        }
        return 0;
}

static int check_set(const struct gbx_disclosure_set *set, struct gbx_error *err) {
        int r;

        if (set->key_count > GBX_DISCLOSURE_MAX_KEYS || set->table_count > GBX_DISCLOSURE_MAX_TABLES ||
            set->minimum > (uint64_t)GBX_DISCLOSURE_MAX_VALUE)
                return gbx_fail(err, -EDQUOT, "disclosure: at most %d keys and %d tables", GBX_DISCLOSURE_MAX_KEYS,
                                GBX_DISCLOSURE_MAX_TABLES);
        for (size_t i = 0; i < set->key_count; i++)
                if ((r = check_key(&set->keys[i], err)) < 0)
                        return r;
        for (size_t i = 0; i < set->table_count; i++)
                if ((r = check_table(set, &set->tables[i], err)) < 0)
                        return r;
        return 0;
}

static int list_children(struct deriving *d, struct gbx_error *err) {
        for (size_t k = 0; k < d->set->key_count; k++) {
                const struct gbx_disclosure_key *key = &d->set->keys[k];

                d->first_child[k] = malloc(key->code_count * sizeof(size_t));
                d->next_child[k] = malloc(key->code_count * sizeof(size_t));
                if (!d->first_child[k] || !d->next_child[k])
                        return gbx_fail_memory(err);
                for (size_t i = 0; i < key->code_count; i++)
                        d->first_child[k][i] = d->next_child[k][i] = NO_CHILD;
                for (size_t i = key->code_count - 1; i > 0; i--) {
                        d->next_child[k][i] = d->first_child[k][key->codes[i].parent];
                        d->first_child[k][key->codes[i].parent] = i;
                }
        }
        return 0;
}

static int find_decision(struct deriving *d, const struct gbx_system_cell *cell, size_t *ret, struct gbx_error *err) {
        struct gbx_system *system = d->system;
        int r = gbx_places_add(&d->decisions, cell->universe, 0, cell->codes, system->decision_count, ret, err);

        if (r <= 0)
                return r;
        r = grow((void **)&system->decisions, &d->decision_capacity, system->decision_count, sizeof *system->decisions, err);
        if (r < 0)
                return r;
        system->decisions[system->decision_count++] = (struct gbx_system_decision){};
        return 0;
}

/* The cell of this name, new (returns 1) or known (returns 0). */
static int add_cell(struct deriving *d, const struct gbx_system_cell *cell, size_t *ret, struct gbx_error *err) {
        struct gbx_system *system = d->system;
        int r = gbx_places_add(&d->cells, cell->universe, cell->measure, cell->codes, system->cell_count, ret, err);

        if (r <= 0)
                return r;
        if (system->cell_count >= GBX_DISCLOSURE_MAX_CELLS)
                return gbx_fail(err, -EDQUOT, "disclosure: the tables have more than %d cells and margins", GBX_DISCLOSURE_MAX_CELLS);
        r = grow((void **)&system->cells, &d->cell_capacity, system->cell_count, sizeof *system->cells, err);
        if (r < 0)
                return r;
        system->cells[system->cell_count] = *cell;
        r = find_decision(d, cell, &system->cells[system->cell_count].decision, err);
        if (r < 0)
                return r;
        system->cell_count++;
        return 1;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* A cell may be in several tables: the same number everywhere, the strictest demand counts. */
static int merge_cell(struct deriving *d, const struct gbx_disclosure_table *table, const struct gbx_disclosure_cell *from, size_t place,
                      struct gbx_error *err) {
        struct gbx_system_cell *cell = &d->system->cells[place];
        char text[200];

        if (cell->value != from->value || cell->count != from->count || cell->non_negative != table->non_negative ||
            cell->integer != table->integer) {
                gbx_system_cell_text(d->set, cell, text, sizeof text);
                return gbx_fail(err, -EINVAL, "disclosure: table '%s' gives %s another value than a table before it", table->name, text);
        }
        cell->lower = larger(cell->lower, from->lower);
        cell->upper = larger(cell->upper, from->upper);
        cell->unsafe = cell->unsafe || from->unsafe;
        return 0;
}

static int add_table(struct deriving *d, const struct gbx_disclosure_table *table, struct gbx_error *err) {
        for (size_t c = 0; c < table->cell_count; c++) {
                const struct gbx_disclosure_cell *from = &table->cells[c];
                struct gbx_system_cell cell = {
                        .value = from->value, .count = from->count, .lower = from->lower, .upper = from->upper, .unsafe = from->unsafe,
                        .non_negative = table->non_negative, .integer = table->integer, .universe = table->universe,
                                .measure = table->measure,
                };
                struct gbx_system_decision *decision;
                size_t place;
                int r;

                for (size_t i = 0; i < table->key_count; i++)
                        cell.codes[table->keys[i]] = from->codes[i];
                r = add_cell(d, &cell, &place, err);
                if (r == 0)
                        r = merge_cell(d, table, from, place, err);
                if (r < 0)
                        return r;
                decision = &d->system->decisions[d->system->cells[place].decision];
                decision->cost = larger(decision->cost, from->cost);
                decision->forced = decision->forced || from->unsafe;
                d->system->table_cells[d->system->table_cell_count++] = place;
        }
        return 0;
}

/* All margins above a cell: itself with the code of any one key replaced by its parent, and so on. New cells are
 * appended and come under the same loop, so that the closure is complete when it ends. */
static int add_margins(struct deriving *d, struct gbx_error *err) {
        for (size_t i = 0; i < d->system->cell_count; i++) {
                for (size_t k = 0; k < d->set->key_count; k++) {
                        struct gbx_system_cell margin = d->system->cells[i];
                        size_t place;
                        int r;

                        if (margin.codes[k] == 0)
                                continue;
                        margin.codes[k] = d->set->keys[k].codes[margin.codes[k]].parent;
                        margin.hidden = true;
                        margin.unsafe = false;
                        margin.value = 0;
                        margin.count = 0;
                        margin.lower = margin.upper = 0;
                        r = add_cell(d, &margin, &place, err);
                        if (r < 0)
                                return r;
                        if (r > 0)
                                d->system->decisions[d->system->cells[place].decision].forced = true;
                }
        }
        return 0;
}

static int add_term(struct deriving *d, size_t cell, int coefficient, struct gbx_error *err) {
        int r = grow((void **)&d->system->terms, &d->term_capacity, d->system->term_count, sizeof *d->system->terms, err);

        if (r < 0)
                return r;
        d->system->terms[d->system->term_count++] = (struct gbx_system_term){ .cell = cell, .coefficient = coefficient };
        return 0;
}

/* A rest with few contributors is as unsafe as a cell of its own would be. */
static void judge_rest(const struct gbx_disclosure_set *set, struct gbx_system_cell *rest) {
        __int128 size = rest->value < 0 ? -(__int128)rest->value : rest->value, full;

        if (rest->count == 0 || rest->count >= set->minimum)
                return;
        rest->unsafe = true;
        full = (size * (__int128)set->minimum + rest->count - 1) / rest->count;
        rest->lower = rest->non_negative ? rest->value : (int64_t)size;
        rest->upper = full - size > GBX_DISCLOSURE_MAX_VALUE ? GBX_DISCLOSURE_MAX_VALUE : (int64_t)(full - size);
        if (rest->upper == 0)
                rest->upper = 1;
}

/* What the total has and its parts have not. */
static int add_rest(struct deriving *d, size_t total, size_t key, int64_t value, int64_t count, struct gbx_error *err) {
        struct gbx_system_cell rest = d->system->cells[total];
        char text[200];
        size_t place;
        int r;

        if (count < 0 || (rest.non_negative && value < 0) || !within(value)) {
                gbx_system_cell_text(d->set, &rest, text, sizeof text);
                return gbx_fail(err, -EINVAL, "disclosure: the parts of %s by %s are more than the whole", text, d->set->keys[key].name);
        }
        rest.value = value;
        rest.count = (uint64_t)count;
        rest.codes[key] += d->set->keys[key].code_count;
        rest.hidden = true;
        rest.unsafe = false;
        rest.lower = rest.upper = 0;
        judge_rest(d->set, &rest);
        r = add_cell(d, &rest, &place, err);
        if (r < 0)
                return r;
        d->system->decisions[d->system->cells[place].decision].forced = true;
        return add_term(d, place, 1, err);
}

/* The equation of one cell by one key; none if no part of it is known. */
static int add_equation(struct deriving *d, size_t total, size_t key, bool *known, struct gbx_error *err) {
        struct gbx_system *system = d->system;
        struct gbx_system_cell part = system->cells[total];
        size_t first = system->term_count, place;
        int64_t value = 0, count = 0;
        int r = add_term(d, total, -1, err);

        for (size_t child = d->first_child[key][part.codes[key]]; r >= 0 && child != NO_CHILD; child = d->next_child[key][child]) {
                struct gbx_system_cell name = part;

                name.codes[key] = child;
                if (!gbx_places_find(&d->cells, name.universe, name.measure, name.codes, &place))
                        continue;
                value += system->cells[place].value;
                count += (int64_t)system->cells[place].count;
                if (!within(value) || count > GBX_DISCLOSURE_MAX_VALUE)
                        return gbx_fail(err, -EINVAL, "disclosure: a sum of cells is out of range");
                r = add_term(d, place, 1, err);
        }
        if (r < 0 || system->term_count == first + 1) {
                system->term_count = first;
                return r;
        }
        if (!*known) { /* a total that nobody shows is what its parts make */
                system->cells[total].value = value;
                system->cells[total].count = (uint64_t)count;
                *known = true;
        }
        value = system->cells[total].value - value;
        count = (int64_t)system->cells[total].count - count;
        if ((value != 0 || count != 0) && (r = add_rest(d, total, key, value, count, err)) < 0)
                return r;
        r = grow((void **)&system->equations, &d->equation_capacity, system->equation_count, sizeof *system->equations, err);
        if (r < 0)
                return r;
        system->equations[system->equation_count++] = (struct gbx_system_equation){ .first = first, .count = system->term_count - first };
        return 0;
}

/* How far below "everything" a cell is: parts have a greater depth than their totals. */
static size_t depth(const struct gbx_disclosure_set *set, const struct gbx_system_cell *cell) {
        size_t steps = 0;

        for (size_t k = 0; k < set->key_count; k++)
                for (size_t code = cell->codes[k]; code != 0; code = set->keys[k].codes[code].parent)
                        steps++;
        return steps;
}

/* Deepest first, so that the parts of a hidden total have their values before it. */
static int add_equations(struct deriving *d, struct gbx_error *err) {
        size_t count = d->system->cell_count, deepest = 0;
        gbx_auto(gbx_free_pointer) size_t *depths = malloc((count + 1) * sizeof *depths);

        if (!depths)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < count; i++) {
                depths[i] = depth(d->set, &d->system->cells[i]);
                deepest = depths[i] > deepest ? depths[i] : deepest;
        }
        for (size_t level = deepest + 1; level-- > 0;) {
                for (size_t i = 0; i < count; i++) {
                        bool known = i < d->given;
                        int r = 0;

                        for (size_t k = 0; depths[i] == level && k < d->set->key_count && r >= 0; k++)
                                r = add_equation(d, i, k, &known, err);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* No demand goes below what everybody knows to be possible. */
static void settle(struct gbx_system *system) {
        for (size_t i = 0; i < system->cell_count; i++) {
                struct gbx_system_cell *cell = &system->cells[i];

                if (cell->non_negative && cell->lower > cell->value)
                        cell->lower = cell->value;
        }
}

static int derive(struct deriving *d, struct gbx_error *err) {
        size_t cells = 0;
        int r = check_set(d->set, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < d->set->table_count; i++)
                cells += d->set->tables[i].cell_count;
        d->system->table_cells = calloc(cells + 1, sizeof *d->system->table_cells);
        if (!d->system->table_cells)
                return gbx_fail_memory(err);
        r = list_children(d, err);
        for (size_t i = 0; r >= 0 && i < d->set->table_count; i++)
                r = add_table(d, &d->set->tables[i], err);
        d->given = d->system->cell_count;
        if (r >= 0)
                r = add_margins(d, err);
        if (r >= 0)
                r = add_equations(d, err);
        settle(d->system);
        return r;
}

int gbx_system_derive(const struct gbx_disclosure_set *set, struct gbx_system *ret, struct gbx_error *err) {
        struct gbx_system system = { .key_count = set->key_count };
        struct deriving d = { .set = set, .system = &system,
                              .cells = { .key_count = set->key_count }, .decisions = { .key_count = set->key_count } };
        int r = derive(&d, err);

        for (size_t k = 0; k < GBX_DISCLOSURE_MAX_KEYS; k++) {
                free(d.first_child[k]);
                free(d.next_child[k]);
        }
        gbx_places_free(&d.cells);
        gbx_places_free(&d.decisions);
        if (r < 0) {
                gbx_system_free(&system);
                return r;
        }
        *ret = system;
        return 0;
}

void gbx_system_free(struct gbx_system *system) {
        free(system->cells);
        free(system->decisions);
        free(system->equations);
        free(system->terms);
        free(system->table_cells);
        *system = (struct gbx_system){};
}

void gbx_system_cell_text(const struct gbx_disclosure_set *set, const struct gbx_system_cell *cell, char *ret, size_t ret_size) {
        size_t used = 0;

        (void)snprintf(ret, ret_size, "everything");
        for (size_t k = 0; k < set->key_count && used < ret_size; k++) {
                const struct gbx_disclosure_key *key = &set->keys[k];
                size_t code = cell->codes[k];
                int n;

                if (code == 0)
                        continue;
                n = snprintf(ret + used, ret_size - used, "%s%s=%s%s", used ? ", " : "", key->name,
                             code >= key->code_count ? "rest of " : "", key->codes[code % key->code_count].label);
                used += n > 0 ? (size_t)n : 0;
        }
}
