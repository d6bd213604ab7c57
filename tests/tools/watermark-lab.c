/*
 * watermark-lab: how well marks hold, measured
 *
 *   watermark-lab [--quick | --trials=N] [--seconds=N] [--first=N] [--only=ATTACK] [--slice=I/N] [--brief]
 *                 [detect | survey | keyless | classic | collude | mix | innocents | distort | repair | speed]...
 *
 * Prints Markdown. Every trial has a root key of its own. Detection trials
 * correct for 1,000 releases at a bound of 1e-6. --seconds= begins no trial on
 * a table after so long, --first= makes other trials than a run without it,
 * --only= takes a part of an attack's label, --slice=0/2 and --slice=1/2 are
 * the halves of the attacks, --brief leaves out other layouts and programs.
 * Run from the top of the source tree (fixtures are read from tests/fixtures).
 */
#include "base/csv.h"
#include "tests/tools/lab_programs.h"
#include "tests/tools/lab_samples.h"
#include "tests/tools/lab_trial.h"
#include "watermark/score.h"

static const char *only; /* attacks whose label contains it; NULL: all */

/* --- detection ------------------------------------------------------------------------ */

struct experiment {
        const char *label;
        attack run;
        double strength;
        bool aligned; /* with the table before marking */
        enum layout layout;
        const char *program; /* of tests/tools/launder, after the attack; NULL: none */
};

static unsigned slice, slices = 1; /* every so-manieth attack, so that processes can share a run */
static bool brief;                 /* leave out other layouts and programs */
static double seconds = INFINITY;  /* after which no new trial begins */
static unsigned first_trial;       /* its keys and chances are those of this number and on */

static bool is_wanted(const struct experiment *e, size_t index) {
        return index % slices == slice && (!only || strstr(e->label, only)) && !(brief && (e->program || e->layout != LAYOUT_CSV));
}

static void detect_one(struct trial *t, const struct experiment *e, struct tally *tally) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer suspect = {};
        struct lab_case about = lab_about(t->table);
        struct grid grid;

        grid_read(&grid, &t->copies[0]);
        about.original = t->original;
        e->run(&grid, e->strength, &about);
        grid_write(&grid, e->layout, &suspect);
        if (!e->program || launder_through(e->program, &suspect))
                trial_trace(t, &suspect, e->aligned, tally);
        grid_free(&grid);
}

static void print_mark(const struct lab_table *table, const struct gbx_buffer *original) {
        struct trial t;

        trial_begin(&t, table, original, 1, 1);
        printf("\n### %s\n\n%llu symbols in %llu cells, %llu cells changed, code %s, coalition %u, gamma %u, "
               "cells a row %u, floor %llu.\n\n",
               table->name, (unsigned long long)t.marks[0].capacity_cells, (unsigned long long)t.marks[0].cells_marked,
               (unsigned long long)t.marks[0].cells_changed, gbx_mark_code_text(t.marks[0].code), t.marks[0].coalition,
               t.marks[0].gamma, t.marks[0].cells_per_row, (unsigned long long)t.marks[0].floor_cells);
        printf("| attack | symbols read | leaker named (95 %% interval) | innocents named |\n| --- | --- | --- | --- |\n");
        trial_end(&t);
}

static void detect_table(const struct lab_table *table, const struct experiment *experiments, size_t count) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer original = {};
        struct tally *tallies = calloc(count, sizeof *tallies);
        double start = now();

        if (!tallies)
                abort();
        lab_make(table, &original);
        print_mark(table, &original);
        for (unsigned n = 0; n < trials && now() - start < seconds; n++) {
                struct trial t;

                trial_begin(&t, table, &original, 1, first_trial + n + 1);
                for (size_t i = 0; i < count; i++)
                        if (is_wanted(&experiments[i], i))
                                detect_one(&t, &experiments[i], &tallies[i]);
                trial_end(&t);
        }
        for (size_t i = 0; i < count; i++)
                if (tallies[i].trials)
                        print_tally(experiments[i].label, &tallies[i], 1);
        free(tallies);
}

#define EUSILC "tests/fixtures/eusilc.csv"
#define CREDIT "tests/fixtures/credit.csv"

static const struct lab_table eusilc = { .name = "eusilc.csv (14,827 x 28), key rb030", .path = EUSILC, .key = "rb030",
                                         .columns = eusilc_columns, .column_count = gbx_array_size(eusilc_columns) };
static const struct lab_table keyless = { .name = "eusilc.csv, virtual keys", .path = EUSILC,
                                          .columns = eusilc_keyless_columns,
                                          .column_count = gbx_array_size(eusilc_keyless_columns) };
static const struct lab_table credit = { .name = "credit.csv (4,454 x 15), key applicant_id", .path = CREDIT,
                                         .key = "applicant_id", .columns = credit_columns,
                                         .column_count = gbx_array_size(credit_columns) };

/* As in simulations of the literature: one cell a row, unbiased code. */
#define CLASSIC(rows_, numbers_, gamma_) \
        { .name = #rows_ " x " #numbers_ ", generated, one row of " #gamma_ ", unbiased", .rows = rows_, .numbers = numbers_, \
          .key = "id", .options = { .code = GBX_MARK_CODE_UNBIASED, .gamma = gamma_, .cells_per_row = 1 } }

/* The same table, marked under another key in other cells: on top of this copy (strength 1), or the original instead of
 * it, as another site would hand it out. */
static void mark_elsewhere(struct grid *grid, double strength, const struct lab_case *about) {
        static const uint8_t root[GBX_MARK_ROOT_SIZE] = { 0x5a };
        const struct gbx_mark_request request = { .root = root, .family = "theirs", .release = "theirs-1", .recipient = "x",
                                                  .columns = about->columns, .column_count = about->column_count };
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {}, marked = {};
        const struct gbx_buffer *from = strength > 0 ? &csv : about->original;
        struct gbx_mark mark = {};
        struct gbx_error err = {};

        grid_write(grid, LAYOUT_CSV, &csv);
        lab_check(gbx_mark_table(&request, from->data, from->size, &marked, &mark, &err), &err);
        gbx_mark_clear(&mark);
        grid_free(grid);
        grid_read(grid, &marked);
}

static const struct experiment attacks[] = {
        { .label = "none", .run = nothing },
        { .label = "delete 50 % of the rows", .run = delete_rows, .strength = 0.5 },
        { .label = "delete 80 %", .run = delete_rows, .strength = 0.8 },
        { .label = "delete 90 %", .run = delete_rows, .strength = 0.9 },
        { .label = "delete 95 %", .run = delete_rows, .strength = 0.95 },
        { .label = "delete 98 %", .run = delete_rows, .strength = 0.98 },
        { .label = "keep 100 rows", .run = keep_rows, .strength = 100 },
        { .label = "shuffle the rows", .run = shuffle_rows },
        { .label = "drop 3 columns", .run = drop_columns, .strength = 3 },
        { .label = "drop 5 columns", .run = drop_columns, .strength = 5 },
        { .label = "drop 5 columns, with the original", .run = drop_columns, .strength = 5, .aligned = true },
        { .label = "drop 10 columns", .run = drop_columns, .strength = 10 },
        { .label = "drop 10 columns, with the original", .run = drop_columns, .strength = 10, .aligned = true },
        { .label = "rename all columns", .run = rename_columns },
        { .label = "rename and reorder all columns", .run = rename_and_reorder },
        { .label = "sort, keep half of the rows, drop 3 columns, rename all", .run = sort_sample_drop_rename, .strength = 0.5 },
        { .label = "one unit more or less in 10 % of the numbers", .run = flip, .strength = 0.1 },
        { .label = "one unit more or less in 20 %", .run = flip, .strength = 0.2 },
        { .label = "one unit more or less in 30 %", .run = flip, .strength = 0.3 },
        { .label = "one unit more or less in 40 %", .run = flip, .strength = 0.4 },
        { .label = "one unit more or less in 45 %", .run = flip, .strength = 0.45 },
        { .label = "noise of 10 units on 50 % of the numbers", .run = redraw, .strength = 0.5 },
        { .label = "noise of 10 units on 80 %", .run = redraw, .strength = 0.8 },
        { .label = "noise of 10 units on 80 %, with the original", .run = redraw, .strength = 0.8, .aligned = true },
        { .label = "noise of 10 units on 90 %", .run = redraw, .strength = 0.9 },
        { .label = "noise of 10 units on all", .run = redraw, .strength = 1 },
        { .label = "round half of the columns to 10 units", .run = round_half, .strength = 1 },
        { .label = "round half of the columns to 100 units", .run = round_half, .strength = 2 },
        { .label = "round all to 10 units", .run = round_numbers, .strength = 1 },
        { .label = "divide by 1,000", .run = scale, .strength = -3 },
        { .label = "times 1,000", .run = scale, .strength = 3 },
        { .label = "times 7.5345, with the original", .run = convert, .strength = 7.5345, .aligned = true },
        { .label = "add half as many foreign rows", .run = add_foreign, .strength = 0.5 },
        { .label = "add as many foreign rows", .run = add_foreign, .strength = 1 },
        { .label = "add twice as many", .run = add_foreign, .strength = 2 },
        { .label = "repair by common values", .run = correlation },
        { .label = "drop the key and shuffle", .run = drop_key },
        { .label = "drop the key and shuffle, with the original", .run = drop_key, .aligned = true },
        { .label = "delete 90 %, flip 30 %, drop 5 columns", .run = delete_flip_drop, .strength = 0.9 },
        { .label = "delete 90 %, flip 30 %, drop 5 columns, with the original", .run = delete_flip_drop, .strength = 0.9,
          .aligned = true },
        { .label = "marked again under another key", .run = mark_elsewhere, .strength = 1 },
        { .label = "numbers through single precision, 7 digits", .run = launder, .strength = 7 },
        { .label = "as TSV", .run = nothing, .layout = LAYOUT_TSV },
        { .label = "as JSON", .run = nothing, .layout = LAYOUT_JSON },
        { .label = "semicolons, decimal commas, points between thousands", .run = nothing, .layout = LAYOUT_GERMAN },
        { .label = "commas between thousands", .run = nothing, .layout = LAYOUT_THOUSANDS },
        { .label = "as a Markdown table", .run = nothing, .layout = LAYOUT_MARKDOWN },
        { .label = "through SQLite (numeric columns, random order) to CSV", .run = nothing, .program = "sqlite" },
        { .label = "through SQLite to JSON", .run = nothing, .program = "sqlite-json" },
        { .label = "through Lua numbers to CSV", .run = nothing, .program = "lua" },
        { .label = "through Python's csv and json, floats", .run = nothing, .program = "python" },
        { .label = "through Parquet (DuckDB) to CSV", .run = nothing, .program = "parquet" },
        { .label = "never released: the table before marking", .run = unmark },
        { .label = "never released: another site's copy", .run = mark_elsewhere },
};

static void detect(void) {
        printf("\n## Detection\n\n%u trials each; bound 1e-6 over %d releases.\n", trials, RELEASES);
        detect_table(&credit, attacks, gbx_array_size(attacks));
}

/* A larger table, by key and by virtual keys. */
static void survey(void) {
        printf("\n## Detection in a larger table\n\n%u trials each; bound 1e-6 over %d releases.\n", trials, RELEASES);
        detect_table(&eusilc, attacks, gbx_array_size(attacks));
}

static void without_key(void) {
        printf("\n## Detection by virtual keys\n\n%u trials each; bound 1e-6 over %d releases.\n", trials, RELEASES);
        detect_table(&keyless, attacks, gbx_array_size(attacks));
}

static void classic(void) {
        static const struct experiment none[] = { { .label = "none", .run = nothing } };
        static const struct experiment thousand[] = {
                { .label = "delete 50 %", .run = delete_rows, .strength = 0.5 },  { .label = "delete 80 %", .run = delete_rows, .strength = 0.8 },
                { .label = "delete 90 %", .run = delete_rows, .strength = 0.9 },  { .label = "delete 95 %", .run = delete_rows, .strength = 0.95 },
                { .label = "flip 20 %", .run = flip, .strength = 0.2 },           { .label = "flip 30 %", .run = flip, .strength = 0.3 },
                { .label = "flip 40 %", .run = flip, .strength = 0.4 },           { .label = "drop 10 of 20 columns", .run = drop_columns, .strength = 10 },
                { .label = "drop 15", .run = drop_columns, .strength = 15 },      { .label = "drop 18", .run = drop_columns, .strength = 18 },
        };
        static const struct experiment large[] = {
                { .label = "delete 90 %", .run = delete_rows, .strength = 0.9 },
                { .label = "delete 90 %, flip 30 %, drop 5 columns", .run = delete_flip_drop, .strength = 0.9 },
                { .label = "flip 45 %", .run = flip, .strength = 0.45 },
        };
        static const struct lab_table tables[] = { CLASSIC(20, 20, 1), CLASSIC(50, 20, 1), CLASSIC(100, 20, 1),
                                                   CLASSIC(1000, 20, 1), CLASSIC(1000, 20, 2), CLASSIC(30000, 10, 10) };

        printf("\n## The cases of the literature and of earlier simulations\n");
        for (size_t i = 0; i < 3; i++)
                detect_table(&tables[i], none, 1);
        detect_table(&tables[3], thousand, gbx_array_size(thousand));
        detect_table(&tables[4], thousand, 3);
        detect_table(&tables[5], large, gbx_array_size(large));
}

/* --- collusion ------------------------------------------------------------------------- */

static void collude_one(const struct lab_table *table, const struct gbx_buffer *original, unsigned leakers,
                        enum strategy strategy, const char *label) {
        struct tally tally = {};

        for (unsigned n = 0; n < (leakers > 5 ? trials / 5 : trials); n++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer suspect = {};
                struct grid grids[8];
                struct trial t;

                trial_begin(&t, table, original, leakers, 1000 * leakers + n);
                for (unsigned i = 0; i < leakers; i++)
                        grid_read(&grids[i], &t.copies[i]);
                merge(&grids[0], &grids[1], leakers, strategy);
                grid_write(&grids[0], LAYOUT_CSV, &suspect);
                trial_trace(&t, &suspect, false, &tally);
                for (unsigned i = 0; i < leakers; i++)
                        grid_free(&grids[i]);
                trial_end(&t);
        }
        print_tally(label, &tally, leakers);
}

/* Two copies of a real table, put together without looking at them. */
static void mix(void) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer original = {};

        lab_make(&credit, &original);
        printf("\n## Two copies of credit.csv mixed\n\n| mix | symbols read | one named (95 %% interval) | share named | "
               "innocents named |\n| --- | --- | --- | --- | --- |\n");
        collude_one(&credit, &original, 2, MIX_ROWS, strategy_names[MIX_ROWS]);
        collude_one(&credit, &original, 2, MIX_COLUMNS, strategy_names[MIX_COLUMNS]);
}

static void collude(void) {
        /* Rows with one symbol each, so that the capacity is the number of rows. */
        static const struct {
                unsigned leakers;
                struct lab_table table;
        } cases[] = {
                { 2, { .name = "c2", .rows = 560, .numbers = 1, .key = "id", .options = { .coalition = 2, .gamma = 1 } } },
                { 3, { .name = "c3", .rows = 1250, .numbers = 1, .key = "id", .options = { .coalition = 3, .gamma = 1 } } },
                { 5, { .name = "c5", .rows = 3500, .numbers = 1, .key = "id", .options = { .coalition = 5, .gamma = 1 } } },
                { 8, { .name = "c8", .rows = 8900, .numbers = 1, .key = "id", .options = { .coalition = 8, .gamma = 1 } } },
        };

        printf("\n## Collusion\n\nGenerated tables just above the stated capacity; %u trials each, a fifth of that for 8. The last but one column is "
               "the share of all colluders that was named.\n\n"
               "| colluders, symbols, strategy | symbols read | one named (95 %% interval) | share named | innocents named |\n"
               "| --- | --- | --- | --- | --- |\n",
               trials);
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer original = {};

                lab_make(&cases[i].table, &original);
                for (enum strategy s = 0; s < STRATEGIES; s++) {
                        char label[64];

                        (void)snprintf(label, sizeof label, "%u, %zu, %s", cases[i].leakers, cases[i].table.rows,
                                       strategy_names[s]);
                        collude_one(&cases[i].table, &original, cases[i].leakers, s, label);
                }
        }
}

/* --- innocents --------------------------------------------------------------------------- */

/* Votes as a suspect might show them, and very many keys that had no part in it. */
static void innocents_one(const char *label, const struct gbx_code *code, size_t symbols, size_t count) {
        static const double levels[] = { 1e-2, 1e-3, 1e-4, 1e-5, 1e-6 };
        struct gbx_votes votes = {};
        gbx_auto(gbx_scorer_freep) struct gbx_scorer *scorer = NULL;
        size_t below[gbx_array_size(levels)] = {}, accused = 0;
        double highest = 0, corrected;
        struct gbx_error err = {};

        lab_seed(symbols);
        votes.items = calloc(symbols, sizeof *votes.items);
        if (!votes.items)
                abort();
        for (votes.count = 0; votes.count < symbols; votes.count++)
                votes.items[votes.count] = (struct gbx_vote){ .id = { { (uint64_t)lab_random() << 32 | lab_random(), votes.count } },
                                                              .threshold = gbx_code_threshold(code, lab_random()),
                                                              .observed = lab_random() & 1 };
        lab_check(gbx_scorer_new(&scorer, &votes, &err), &err);
        corrected = log(1e-6 / ((double)count * (double)gbx_scorer_tests(scorer)));
        for (size_t i = 0; i < count; i++) {
                uint32_t key[4] = { lab_random(), lab_random(), lab_random(), lab_random() };
                struct gbx_scored scored;

                lab_check(gbx_scorer_run(scorer, (uint8_t *)key, &scored, &err), &err);
                for (size_t k = 0; k < gbx_array_size(levels); k++)
                        below[k] += scored.log_p + log((double)gbx_scorer_tests(scorer)) <= log(levels[k]);
                accused += scored.log_p <= corrected;
                highest = fmax(highest, scored.score);
        }
        printf("| %s | %zu | %zu", label, symbols, count);
        for (size_t k = 0; k < gbx_array_size(levels); k++)
                printf(" | %zu", below[k]);
        printf(" | %.2f | %zu |\n", highest, accused);
        (void)fflush(stdout);
}

static void innocents(void) {
        static const struct gbx_code unbiased = { GBX_MARK_CODE_UNBIASED, 1 }, two = { GBX_MARK_CODE_TARDOS, 2 },
                                     three = { GBX_MARK_CODE_TARDOS, 3 }, five = { GBX_MARK_CODE_TARDOS, 5 };
        size_t count = !quick ? 1000000 : 50000;

        printf("\n## Innocents\n\nReleases that had no part in the suspect: how many have a p-value (corrected for the tests of "
               "one release) of at most …, the highest score, and how many a trace over all of them accuses at 1e-6.\n\n"
               "| code | symbols | innocents | 1e-2 | 1e-3 | 1e-4 | 1e-5 | 1e-6 | highest score | accused |\n"
               "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        innocents_one("unbiased", &unbiased, 100, count);
        innocents_one("Tardos 2", &two, 560, count);
        innocents_one("Tardos 3", &three, 1250, count);
        innocents_one("Tardos 5", &five, 3500, count);
}

/* --- distortion ---------------------------------------------------------------------------- */

static void distort_table(const struct lab_table *table) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer original = {};
        struct lab_case about = lab_about(table);
        struct grid before, after;
        struct trial t;

        lab_make(table, &original);
        trial_begin(&t, table, &original, 1, 7);
        grid_read(&before, &original);
        grid_read(&after, &t.copies[0]);
        printf("\n### %s\n\n%llu of %zu cells changed.\n\n| column | unit | cells changed | mean before | shift | sd before | shift "
               "| KS distance |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
               table->name, (unsigned long long)t.marks[0].cells_changed, before.rows * before.columns);
        for (size_t i = 0; i < before.columns; i++) {
                struct sample a, b;
                struct gbx_number unit;
                size_t changed = 0;

                if (!unit_of(&before, i, &about, &unit))
                        continue;
                for (size_t row = 0; row < before.rows; row++)
                        changed += strcmp(*grid_cell(&before, row, i), *grid_cell(&after, row, i)) != 0;
                a = sample_column(&before, i);
                b = sample_column(&after, i);
                printf("| %s | %g | %zu | %.4f | %+.2e | %.4f | %+.2e | %.4f |\n", before.names[i], gbx_number_double(unit),
                       changed, a.mean, b.mean - a.mean, sqrt(a.variance), sqrt(b.variance) - sqrt(a.variance),
                       ks_distance(&a, &b));
                free(a.values);
                free(b.values);
        }
        grid_free(&before);
        grid_free(&after);
        trial_end(&t);
}

/* How many symbols an attacker repairs who trusts common values: cells that marking changed and the attack changed back. */
static void repair_table(const struct lab_table *table) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer original = {};
        struct lab_case about = lab_about(table);
        struct grid before, after, attacked;
        size_t repaired = 0, touched = 0;
        struct trial t;

        lab_make(table, &original);
        trial_begin(&t, table, &original, 1, 7);
        grid_read(&before, &original);
        grid_read(&after, &t.copies[0]);
        grid_read(&attacked, &t.copies[0]);
        correlation(&attacked, 0, &about);
        for (size_t i = 0; i < before.rows * before.columns; i++) {
                touched += strcmp(attacked.cells[i], after.cells[i]) != 0;
                repaired += strcmp(before.cells[i], after.cells[i]) != 0 && strcmp(attacked.cells[i], after.cells[i]) != 0;
        }
        printf("| %s | %llu | %zu | %zu | %.1f %% |\n", table->name, (unsigned long long)t.marks[0].cells_marked, touched, repaired,
               100.0 * (double)repaired / (double)t.marks[0].cells_marked);
        grid_free(&before);
        grid_free(&after);
        grid_free(&attacked);
        trial_end(&t);
}

static void repair(void) {
        printf("\n## Repair by common values\n\nThe attacker sets every number that stands one unit beside a much more common value "
               "to that value.\n\n| table | cells marked | cells the attacker changes | marked cells changed back | share of symbols |\n"
               "| --- | --- | --- | --- | --- |\n");
        repair_table(&credit);
        repair_table(&eusilc);
        repair_table(&keyless);
}

static void distort(void) {
        printf("\n## Distortion\n");
        distort_table(&credit);
        distort_table(&eusilc);
}

/* --- speed ---------------------------------------------------------------------------------- */

static double copy_csv(const struct gbx_buffer *csv) {
        gbx_auto(gbx_csv_freep) struct gbx_csv *reader = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = {};
        struct gbx_csv_row row;
        struct gbx_error err = {};
        double start = now();

        lab_check(gbx_csv_new_memory(&reader, csv->data, csv->size, NULL, &err), &err);
        while (gbx_csv_next(reader, &row, &err) > 0)
                for (size_t i = 0; i < row.count; i++) {
                        lab_check(gbx_csv_write_field(&out, row.fields[i].data, row.fields[i].size, row.fields[i].quoted, &err),
                                  &err);
                        lab_check(gbx_buffer_append_byte(&out, i + 1 < row.count ? ',' : '\n', &err), &err);
                }
        if (out.size != csv->size)
                abort();
        return now() - start;
}

static double mark_once(const struct lab_table *table, const struct gbx_buffer *csv, struct trial *ret) {
        double start = now();

        trial_begin(ret, table, csv, 1, 3);
        return now() - start;
}

static void trace_many(const struct lab_table *table, const struct trial *t, const char *label) {
        struct gbx_trace_candidate *candidates = calloc(RELEASES, sizeof *candidates);
        char(*names)[24] = calloc(RELEASES, sizeof *names);
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
        struct gbx_error err = {};
        double start;

        if (!candidates || !names)
                abort();
        for (size_t i = 0; i < RELEASES; i++) {
                (void)snprintf(names[i], sizeof names[i], "release-%zu", i);
                candidates[i] = (struct gbx_trace_candidate){ names[i], "r", table->name, t->marks[0].record, NULL, 0 };
        }
        start = now();
        lab_check(gbx_trace(t->root, t->copies[0].data, t->copies[0].size, candidates, RELEASES, NULL, &trace, &err), &err);
        printf("| trace over %d releases, %s | %.2f | %.2f million |\n", RELEASES, label, now() - start,
               (double)trace.rows / (now() - start) / 1e6);
        if (trace.accused != 1 || trace.results[0].candidate != 0)
                printf("(the trace failed)\n");
        free(candidates);
        free(names);
}

static void speed(void) {
        static const struct gbx_mark_options every_row = { .gamma = 1, .cells_per_row = 1 };
        struct lab_table table = { .name = "large", .rows = !quick ? 1000000 : 100000, .numbers = 9, .key = "id" };
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {};
        double copied = 1e9, marked = 1e9, dense;
        struct trial t;

        lab_make(&table, &csv);
        for (int i = 0; i < 3; i++) {
                copied = fmin(copied, copy_csv(&csv));
                marked = fmin(marked, mark_once(&table, &csv, &t));
                if (i < 2)
                        trial_end(&t);
        }
        printf("\n## Speed\n\n%zu rows x 10 columns, %.0f MB, one core, best of three.\n\n| step | seconds | rows a second |\n"
               "| --- | --- | --- |\n| plain CSV copy | %.3f | %.2f million |\n"
               "| mark (gamma %u) | %.3f (%.2f of the copy's rate) | %.2f million |\n",
               table.rows, (double)csv.size / 1e6, copied, (double)table.rows / copied / 1e6, t.marks[0].gamma, marked,
               copied / marked, (double)table.rows / marked / 1e6);
        trace_many(&table, &t, "one row of ten marked");
        trial_end(&t);
        table.options = every_row;
        dense = mark_once(&table, &csv, &t);
        printf("| mark every row | %.3f (%.2f of the copy's rate) | %.2f million |\n", dense, copied / dense,
               (double)table.rows / dense / 1e6);
        trace_many(&table, &t, "every row marked");
        trial_end(&t);
}

int main(int argc, char **argv) {
        static const struct {
                const char *name;
                void (*run)(void);
        } parts[] = { { "detect", detect },       { "survey", survey },       { "keyless", without_key },       { "classic", classic }, { "collude", collude },
                      { "mix", mix },             { "innocents", innocents }, { "distort", distort },     { "repair", repair },
                      { "speed", speed } };
        int named = 0;

        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--quick") == 0)
                        trials = 10, seconds = 30, quick = true;
                else if (strncmp(argv[i], "--trials=", 9) == 0 && atoi(argv[i] + 9) > 0)
                        trials = (unsigned)atoi(argv[i] + 9);
                else if (strncmp(argv[i], "--only=", 7) == 0)
                        only = argv[i] + 7;
                else if (sscanf(argv[i], "--slice=%u/%u", &slice, &slices) == 2 && slices > 0)
                        continue;
                else if (strncmp(argv[i], "--first=", 8) == 0 && atoi(argv[i] + 8) > 0)
                        first_trial = (unsigned)atoi(argv[i] + 8);
                else if (strcmp(argv[i], "--brief") == 0)
                        brief = true;
                else if (strncmp(argv[i], "--seconds=", 10) == 0 && atoi(argv[i] + 10) > 0)
                        seconds = atoi(argv[i] + 10);
                else
                        named++;
        printf("# watermark\n");
        for (size_t k = 0; k < gbx_array_size(parts); k++) {
                bool wanted = named == 0;

                for (int i = 1; i < argc; i++)
                        wanted |= strcmp(argv[i], parts[k].name) == 0;
                if (wanted)
                        parts[k].run();
        }
        return 0;
}
