#include "gateway/ledger/ledger.h"

#include "base/cleanup.h"
#include "gateway/ledger/space.h"

#include <stdio.h>
#include <string.h>

/* Where a vector that is kept came from. */
struct origin {
        char *release, *label;
};

/* One column of one dataset, as one coalition knows it. */
struct shelf {
        char *dataset, *coalition, *column;
        struct gbx_space space;
};

struct whole {
        char *dataset;
        roaring_bitmap_t *units;
};

struct gbx_ledger {
        uint64_t minimum, seed;
        bool everybody;
        char **members; /* of coalitions */
        size_t *groups; /* of each member; equal for those who may pool */
        size_t member_count;
        struct shelf *shelves;
        size_t shelf_count, shelf_capacity;
        struct origin *origins;
        size_t origin_count, origin_capacity;
        struct whole *wholes;
        size_t whole_count;
};

static int grow(void **array, size_t *capacity, size_t count, size_t item, struct gbx_error *err) {
        size_t wanted = *capacity * 2 + 16;
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

void gbx_ledger_free(struct gbx_ledger *ledger) {
        if (!ledger)
                return;
        for (size_t i = 0; i < ledger->member_count; i++)
                free(ledger->members[i]);
        for (size_t i = 0; i < ledger->shelf_count; i++) {
                free(ledger->shelves[i].dataset);
                free(ledger->shelves[i].coalition);
                free(ledger->shelves[i].column);
                gbx_space_clear(&ledger->shelves[i].space);
        }
        for (size_t i = 0; i < ledger->origin_count; i++) {
                free(ledger->origins[i].release);
                free(ledger->origins[i].label);
        }
        for (size_t i = 0; i < ledger->whole_count; i++) {
                free(ledger->wholes[i].dataset);
                roaring_bitmap_free(ledger->wholes[i].units);
        }
        free(ledger->members);
        free(ledger->groups);
        free(ledger->shelves);
        free(ledger->origins);
        free(ledger->wholes);
        free(ledger);
}

/* --- who may pool ------------------------------------------------------------------------------------------------ */

static size_t find_member(const struct gbx_ledger *ledger, const char *name) {
        for (size_t i = 0; i < ledger->member_count; i++)
                if (strcmp(ledger->members[i], name) == 0)
                        return i;
        return SIZE_MAX;
}

static int add_member(struct gbx_ledger *ledger, const char *name, size_t group, struct gbx_error *err) {
        size_t known = find_member(ledger, name), old;

        if (known != SIZE_MAX) { /* two groups with a common member are one */
                old = ledger->groups[known];
                for (size_t i = 0; i < ledger->member_count; i++)
                        if (ledger->groups[i] == old)
                                ledger->groups[i] = group;
                return 0;
        }
        ledger->members[ledger->member_count] = strdup(name);
        if (!ledger->members[ledger->member_count])
                return gbx_fail_memory(err);
        ledger->groups[ledger->member_count++] = group;
        return 0;
}

static int add_coalitions(struct gbx_ledger *ledger, const struct gbx_ledger_options *options, struct gbx_error *err) {
        size_t count = 0;

        for (size_t i = 0; i < options->coalition_count; i++)
                for (size_t m = 0; options->coalitions[i][m]; m++)
                        count++;
        ledger->members = calloc(count + 1, sizeof *ledger->members);
        ledger->groups = calloc(count + 1, sizeof *ledger->groups);
        if (!ledger->members || !ledger->groups)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < options->coalition_count; i++)
                for (size_t m = 0; options->coalitions[i][m]; m++) {
                        int r = add_member(ledger, options->coalitions[i][m], i, err);

                        if (r < 0)
                                return r;
                }
        return 0;
}

/* One name for all who pool with the recipient: the first member's. "" stands for everybody. */
static const char *coalition_of(const struct gbx_ledger *ledger, const char *recipient) {
        size_t member = find_member(ledger, recipient);

        if (ledger->everybody)
                return "";
        for (size_t i = 0; member != SIZE_MAX && i < ledger->member_count; i++)
                if (ledger->groups[i] == ledger->groups[member])
                        return ledger->members[i];
        return recipient;
}

int gbx_ledger_new(const struct gbx_ledger_options *options, struct gbx_ledger **ret, struct gbx_error *err) {
        gbx_auto(gbx_ledger_freep) struct gbx_ledger *ledger = NULL;
        int r;

        if (options->minimum < 2 || options->minimum > 1000)
                return gbx_fail(err, -EINVAL, "ledger: the threshold must be 2 to 1000 units");
        ledger = calloc(1, sizeof *ledger);
        if (!ledger)
                return gbx_fail_memory(err);
        ledger->minimum = options->minimum;
        ledger->seed = options->seed;
        ledger->everybody = !options->coalitions;
        if (options->coalitions) {
                r = add_coalitions(ledger, options, err);
                if (r < 0)
                        return r;
        }
        *ret = gbx_take_ptr(ledger);
        return 0;
}

/* --- shelves ----------------------------------------------------------------------------------------------------- */

static int add_origin(struct gbx_ledger *ledger, const char *release, const char *label, struct gbx_error *err) {
        struct origin origin = { .release = strdup(release), .label = strdup(label) };
        int r = origin.release && origin.label ? 0 : gbx_fail_memory(err);

        if (r == 0)
                r = grow((void **)&ledger->origins, &ledger->origin_capacity, ledger->origin_count, sizeof *ledger->origins, err);
        if (r < 0) {
                free(origin.release);
                free(origin.label);
                return r;
        }
        ledger->origins[ledger->origin_count++] = origin;
        return 0;
}

static int note(struct gbx_ledger *ledger, struct shelf *shelf, const struct gbx_vector *vector, const char *release, const char *label,
                struct gbx_error *err) {
        size_t known = shelf->space.known_count;
        int r = gbx_space_record(&shelf->space, vector, ledger->origin_count, err);

        return r < 0 || shelf->space.known_count == known ? r : add_origin(ledger, release, label, err);
}

static int note_whole(struct gbx_ledger *ledger, struct shelf *shelf, struct gbx_error *err) {
        for (size_t i = 0; i < ledger->whole_count; i++) {
                struct gbx_ledger_term term = { .weight = 1, .units = ledger->wholes[i].units };
                struct gbx_vector vector = { .terms = &term, .term_count = 1 };
                int r;

                if (strcmp(ledger->wholes[i].dataset, shelf->dataset) != 0 || strcmp(shelf->column, GBX_LEDGER_COUNT) != 0)
                        continue;
                r = note(ledger, shelf, &vector, "(public)", "number of units in the dataset", err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int find_shelf(struct gbx_ledger *ledger, const struct gbx_ledger_release *release, const char *column, size_t *ret,
                      struct gbx_error *err) {
        const char *coalition = coalition_of(ledger, release->recipient);
        struct shelf shelf = {};
        int r;

        for (size_t i = 0; i < ledger->shelf_count; i++) {
                const struct shelf *known = &ledger->shelves[i];

                if (strcmp(known->column, column) == 0 && strcmp(known->dataset, release->dataset) == 0 &&
                    strcmp(known->coalition, coalition) == 0) {
                        *ret = i;
                        return 0;
                }
        }
        r = grow((void **)&ledger->shelves, &ledger->shelf_capacity, ledger->shelf_count, sizeof *ledger->shelves, err);
        if (r == 0)
                r = gbx_space_start(&shelf.space, (uint32_t)ledger->minimum, ledger->seed, err);
        if (r < 0)
                return r;
        shelf.dataset = strdup(release->dataset);
        shelf.coalition = strdup(coalition);
        shelf.column = strdup(column);
        ledger->shelves[ledger->shelf_count++] = shelf;
        if (!shelf.dataset || !shelf.coalition || !shelf.column)
                return gbx_fail_memory(err);
        *ret = ledger->shelf_count - 1;
        return note_whole(ledger, &ledger->shelves[*ret], err);
}

int gbx_ledger_know_whole(struct gbx_ledger *ledger, const char *dataset, const roaring_bitmap_t *units, struct gbx_error *err) {
        struct whole *larger = realloc(ledger->wholes, (ledger->whole_count + 1) * sizeof *larger);
        struct whole whole = { .dataset = strdup(dataset), .units = roaring_bitmap_copy(units) };

        if (larger)
                ledger->wholes = larger;
        if (!larger || !whole.dataset || !whole.units) {
                free(whole.dataset);
                if (whole.units)
                        roaring_bitmap_free(whole.units);
                return gbx_fail_memory(err);
        }
        ledger->wholes[ledger->whole_count++] = whole;
        for (size_t i = 0; i < ledger->shelf_count; i++)
                if (strcmp(ledger->shelves[i].dataset, dataset) == 0)
                        return gbx_fail(err, -EINVAL, "ledger: the whole of '%s' must be known before its first release", dataset);
        return 0;
}

/* Whether an earlier statistic of the release has the same column: they are taken together. */
static bool seen_before(const struct gbx_ledger_release *release, size_t cell, size_t statistic) {
        const char *column = release->cells[cell].statistics[statistic].column;

        for (size_t c = 0; c <= cell; c++)
                for (size_t s = 0; s < (c < cell ? release->cells[c].statistic_count : statistic); s++)
                        if (strcmp(release->cells[c].statistics[s].column, column) == 0)
                                return true;
        return false;
}

/* What a release says about one column: all of it, or what is new. */
struct batch {
        struct gbx_vector *vectors;
        const struct gbx_ledger_cell **cells;
        size_t count;
};

static void free_batch(struct batch *batch) {
        free(batch->vectors);
        free(batch->cells);
}

static int collect(const struct gbx_ledger_release *release, const struct shelf *shelf, bool all, struct batch *ret,
                   struct gbx_error *err) {
        size_t total = 0;

        for (size_t c = 0; c < release->cell_count; c++)
                total += release->cells[c].statistic_count;
        ret->vectors = calloc(total + 1, sizeof *ret->vectors);
        ret->cells = calloc(total + 1, sizeof *ret->cells);
        if (!ret->vectors || !ret->cells)
                return gbx_fail_memory(err);
        for (size_t c = 0; c < release->cell_count; c++) {
                for (size_t s = 0; s < release->cells[c].statistic_count; s++) {
                        const struct gbx_ledger_statistic *statistic = &release->cells[c].statistics[s];
                        struct gbx_vector vector = { .terms = statistic->terms, .term_count = statistic->term_count };
                        struct gbx_error own = {};
                        uint64_t print[2];

                        if (strcmp(statistic->column, shelf->column) != 0 || (!all && gbx_space_knows(&shelf->space, &vector, print, &own)))
                                continue;
                        if (own.code < 0)
                                return gbx_fail_memory(err);
                        ret->cells[ret->count] = &release->cells[c];
                        ret->vectors[ret->count++] = vector;
                }
        }
        return 0;
}

static int record_column(struct gbx_ledger *ledger, const struct gbx_ledger_release *release, const char *column, struct gbx_error *err) {
        gbx_auto(free_batch) struct batch batch = {};
        struct shelf *shelf;
        size_t place, known;
        int r = find_shelf(ledger, release, column, &place, err);

        if (r < 0)
                return r;
        shelf = &ledger->shelves[place];
        known = shelf->space.known_count;
        r = collect(release, shelf, true, &batch, err);
        for (size_t i = 0; i < batch.count && r == 0; i++)
                r = note(ledger, shelf, &batch.vectors[i], release->name, batch.cells[i]->label, err);
        if (r < 0 || batch.count < 2 || shelf->space.known_count == known)
                return r;
        r = gbx_space_keep_sum(&shelf->space, batch.vectors, batch.count, ledger->origin_count, err);
        return r < 0 ? r : add_origin(ledger, release->name, "(all cells together)", err);
}

int gbx_ledger_record(struct gbx_ledger *ledger, const struct gbx_ledger_release *release, struct gbx_error *err) {
        int r = 0;

        for (size_t c = 0; c < release->cell_count && r == 0; c++)
                for (size_t s = 0; s < release->cells[c].statistic_count && r == 0; s++)
                        if (!seen_before(release, c, s))
                                r = record_column(ledger, release, release->cells[c].statistics[s].column, err);
        return r;
}

int gbx_ledger_load(struct gbx_ledger *ledger, gbx_ledger_next *next, void *context, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = { .secret = true };

        for (;;) {
                gbx_auto(gbx_ledger_release_clear) struct gbx_ledger_release release = {};
                int r;

                gbx_buffer_clear(&bytes);
                r = next(context, &bytes, err);
                if (r != 0)
                        return r < 0 ? r : 0;
                r = gbx_ledger_record_read(bytes.data, bytes.size, &release, err);
                if (r == 0)
                        r = gbx_ledger_record(ledger, &release, err);
                if (r < 0)
                        return r;
        }
}

/* --- deciding ---------------------------------------------------------------------------------------------------- */

static int add_part(struct gbx_ledger_finding *finding, const char *release, const char *label, int64_t weight, struct gbx_error *err) {
        struct gbx_ledger_part *part = &finding->parts[finding->part_count];

        part->release = strdup(release);
        part->label = strdup(label);
        part->weight = weight;
        finding->part_count++;
        return part->release && part->label ? 0 : gbx_fail_memory(err);
}

/* The factor that makes all weights small whole numbers, where there is one: people read them. */
static uint32_t nicest(const struct gbx_field *field, const uint32_t *weights, size_t count) {
        uint32_t first = 1;

        for (size_t i = count; i-- > 0;)
                first = weights[i] ? weights[i] : first;
        first = gbx_field_invert(field, first);
        for (uint32_t times = 1; times <= 60; times++) {
                uint32_t factor = gbx_field_multiply(field, first, times);
                bool good = true;

                for (size_t i = 0; i < count && good; i++) {
                        int64_t near = gbx_field_near(field, gbx_field_multiply(field, weights[i], factor));

                        good = near < 1000 && near > -1000;
                }
                if (good)
                        return factor;
        }
        return first;
}

static int describe(const struct gbx_ledger *ledger, const struct gbx_ledger_release *release, const struct shelf *shelf,
                    const struct batch *batch, const struct gbx_combination *combination, struct gbx_ledger_finding *finding,
                    struct gbx_error *err) {
        const struct gbx_field *field = &shelf->space.field;
        size_t count = batch->count + shelf->space.row_count;
        uint32_t factor = combination->known_count ? 1 : nicest(field, combination->weights, count);
        int r = 0;

        finding->parts = calloc(count + 3, sizeof *finding->parts);
        if (!finding->parts)
                return gbx_fail_memory(err);
        finding->units = combination->units;
        for (size_t i = 0; i < count && r == 0; i++) {
                int64_t weight = gbx_field_near(field, gbx_field_multiply(field, combination->weights[i], factor));
                const struct origin *origin = i < batch->count ? NULL : &ledger->origins[shelf->space.basis[i - batch->count]];

                if (!weight)
                        continue;
                if (origin)
                        r = add_part(finding, origin->release, origin->label, weight, err);
                else if (batch->cells[i])
                        r = add_part(finding, release->name, batch->cells[i]->label, weight, err);
        }
        for (size_t i = 0; ledger->origins && i < combination->known_count && r == 0; i++) {
                const struct origin *origin = &ledger->origins[combination->known[i]];

                r = add_part(finding, origin->release, origin->label, combination->known_weights[i], err);
        }
        finding->reason = finding->part_count == 1 ? GBX_LEDGER_SMALL : GBX_LEDGER_DIFFERENCE;
        return r;
}

static int decide_shelf(struct gbx_ledger *ledger, const struct gbx_ledger_release *release, const char *column,
                        struct gbx_ledger_finding *finding, struct gbx_error *err) {
        gbx_auto(free_batch) struct batch batch = {};
        struct gbx_combination combination = {};
        struct shelf *shelf;
        size_t place;
        int r = find_shelf(ledger, release, column, &place, err);

        if (r < 0)
                return r;
        shelf = &ledger->shelves[place];
        r = collect(release, shelf, false, &batch, err);
        if (r < 0 || batch.count == 0)
                return r;
        r = gbx_space_decide(&shelf->space, batch.vectors, batch.count, &combination, err);
        if (r <= 0)
                return r;
        finding->column = strdup(column);
        if (r == 2)
                finding->reason = GBX_LEDGER_TOO_LARGE;
        else
                r = describe(ledger, release, shelf, &batch, &combination, finding, err);
        free(combination.weights);
        if (!finding->column)
                return gbx_fail_memory(err);
        return r < 0 ? r : GBX_LEDGER_HELD;
}

int gbx_ledger_decide(struct gbx_ledger *ledger, const struct gbx_ledger_release *release, struct gbx_ledger_finding *ret,
                      struct gbx_error *err) {
        struct gbx_ledger_finding finding = {};
        int r = 0;

        for (size_t c = 0; c < release->cell_count && r == 0; c++)
                for (size_t s = 0; s < release->cells[c].statistic_count && r == 0; s++)
                        if (!seen_before(release, c, s))
                                r = decide_shelf(ledger, release, release->cells[c].statistics[s].column, &finding, err);
        if (r == GBX_LEDGER_HELD)
                *ret = finding;
        else
                gbx_ledger_finding_clear(&finding);
        return r;
}

void gbx_ledger_finding_clear(struct gbx_ledger_finding *finding) {
        for (size_t i = 0; finding->parts && i < finding->part_count; i++) {
                free(finding->parts[i].release);
                free(finding->parts[i].label);
        }
        free(finding->parts);
        free(finding->column);
        *finding = (struct gbx_ledger_finding){};
}

const char *gbx_ledger_word(int decision) { return decision == 0 ? "released" : "held"; }

const char *gbx_ledger_reason_text(enum gbx_ledger_reason reason) {
        switch (reason) {
        case GBX_LEDGER_SMALL:
                return "a cell is over fewer units than the threshold";
        case GBX_LEDGER_DIFFERENCE:
                return "cells can be combined into a number over fewer units than the threshold";
        case GBX_LEDGER_TOO_LARGE:
                return "too much was released for this to be decided";
        }
        return "unknown";
}
