/*
 * Plays releases against the ledger, as a file of words says
 *
 *   ledger-run < FILE
 *
 * Lines:  case NAME MINIMUM               a new, empty ledger
 *         set NAME RANGES                 a set of units: "0-9 12 14-20"; kept over all cases
 *         whole DATASET SET               everybody knows the whole
 *         release NAME RECIPIENT DATASET  begins one
 *         cell LABEL                      begins a cell of it
 *         stat COLUMN WEIGHT SET [WEIGHT SET]...
 *         decide                          decides, and notes it if nothing is found; prints a line
 * Prints: CASE RELEASE released|held REASON UNITS MICROSECONDS COLUMN WEIGHT*RELEASE/LABEL...
 * Names and labels are words without spaces.
 */
#include "base/cleanup.h"
#include "gateway/ledger/ledger.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct named {
        char *name;
        roaring_bitmap_t *units;
};

struct player {
        struct gbx_ledger *ledger;
        char title[256];
        struct named *sets; /* a hash table */
        size_t set_count, set_capacity;
        struct gbx_ledger_release release;
};

static void give_up(const char *what, const char *which) {
        fprintf(stderr, "ledger-run: %s: %s\n", what, which);
        exit(1);
}

static void *more(void *array, size_t count, size_t item) {
        void *larger = realloc(array, count * item);

        if (!larger)
                give_up("no memory", "");
        return larger;
}

static char *copy(const char *word) {
        char *text = word ? strdup(word) : NULL;

        if (!text)
                give_up("a word is missing", "");
        return text;
}

static struct named *find(struct named *sets, size_t capacity, const char *name) {
        size_t hash = 5381;

        for (const char *c = name; *c; c++)
                hash = hash * 33 + (unsigned char)*c;
        hash &= capacity - 1;
        while (sets[hash].name && strcmp(sets[hash].name, name) != 0)
                hash = (hash + 1) & (capacity - 1);
        return &sets[hash];
}

static void add_set(struct player *player, char **rest) {
        roaring_bitmap_t *units = roaring_bitmap_create();
        char *name = strsep(rest, " "), *word;
        struct named *place;

        if (player->set_count * 2 >= player->set_capacity) {
                size_t capacity = player->set_capacity ? player->set_capacity * 2 : 1024;
                struct named *larger = calloc(capacity, sizeof *larger);

                if (!larger)
                        give_up("no memory", "");
                for (size_t i = 0; i < player->set_capacity; i++)
                        if (player->sets[i].name)
                                *find(larger, capacity, player->sets[i].name) = player->sets[i];
                free(player->sets);
                player->sets = larger;
                player->set_capacity = capacity;
        }
        while ((word = strsep(rest, " "))) {
                unsigned from, to;
                int n = sscanf(word, "%u-%u", &from, &to);

                if (n >= 1)
                        roaring_bitmap_add_range_closed(units, from, n == 2 ? to : from);
        }
        (void)roaring_bitmap_run_optimize(units);
        place = find(player->sets, player->set_capacity, name);
        if (place->name)
                give_up("a set is named twice", name);
        *place = (struct named){ .name = copy(name), .units = units };
        player->set_count++;
}

static const roaring_bitmap_t *set_named(const struct player *player, const char *name) {
        struct named *place = name && player->set_capacity ? find(player->sets, player->set_capacity, name) : NULL;

        if (!place || !place->units)
                give_up("no such set", name ? name : "");
        return place->units;
}

static void begin_case(struct player *player, char **rest) {
        struct gbx_ledger_options options = { .seed = 20261201 };
        struct gbx_error err = {};

        (void)snprintf(player->title, sizeof player->title, "%s", strsep(rest, " "));
        options.minimum = strtoull(*rest ? strsep(rest, " ") : "10", NULL, 10);
        gbx_ledger_free(player->ledger);
        player->ledger = NULL;
        if (gbx_ledger_new(&options, &player->ledger, &err) < 0)
                give_up(err.message, player->title);
}

static void add_cell(struct player *player, char **rest) {
        struct gbx_ledger_release *release = &player->release;

        release->cells = more(release->cells, release->cell_count + 1, sizeof *release->cells);
        release->cells[release->cell_count++] = (struct gbx_ledger_cell){ .label = copy(strsep(rest, " ")) };
}

static void add_statistic(struct player *player, char **rest) {
        struct gbx_ledger_cell *cell = &player->release.cells[player->release.cell_count - 1];
        struct gbx_ledger_statistic statistic = { .column = copy(strsep(rest, " ")) };
        char *weight;

        while ((weight = strsep(rest, " "))) {
                statistic.terms = more(statistic.terms, statistic.term_count + 1, sizeof *statistic.terms);
                statistic.terms[statistic.term_count++] = (struct gbx_ledger_term){
                        .weight = atoll(weight), .units = roaring_bitmap_copy(set_named(player, strsep(rest, " "))),
                };
        }
        cell->statistics = more(cell->statistics, cell->statistic_count + 1, sizeof *cell->statistics);
        cell->statistics[cell->statistic_count++] = statistic;
}

static void decide(struct player *player) {
        gbx_auto(gbx_ledger_finding_clear) struct gbx_ledger_finding finding = {};
        struct timespec start, end;
        struct gbx_error err = {};
        long microseconds;
        int r;

        (void)clock_gettime(CLOCK_MONOTONIC, &start);
        r = gbx_ledger_decide(player->ledger, &player->release, &finding, &err);
        (void)clock_gettime(CLOCK_MONOTONIC, &end);
        if (r < 0)
                give_up(err.message, player->release.name);
        microseconds = (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000;
        printf("%s %s %s %d %llu %ld %s", player->title, player->release.name, gbx_ledger_word(r), finding.reason,
               (unsigned long long)finding.units, microseconds, finding.column ? finding.column : "-");
        for (size_t i = 0; i < finding.part_count; i++) {
                for (char *c = finding.parts[i].label; *c; c++)
                        *c = *c == ' ' ? '_' : *c;
                printf(" %lld*%s/%s", (long long)finding.parts[i].weight, finding.parts[i].release, finding.parts[i].label);
        }
        printf("\n");
        if (r == 0 && gbx_ledger_record(player->ledger, &player->release, &err) < 0)
                give_up(err.message, player->release.name);
        gbx_ledger_release_clear(&player->release);
}

static void play(struct player *player, char *line) {
        char *rest = line, *verb = strsep(&rest, " ");

        if (strcmp(verb, "set") == 0) {
                add_set(player, &rest);
        } else if (strcmp(verb, "case") == 0) {
                begin_case(player, &rest);
        } else if (strcmp(verb, "whole") == 0) {
                char *dataset = strsep(&rest, " ");

                if (gbx_ledger_know_whole(player->ledger, dataset, set_named(player, rest), NULL) < 0)
                        give_up("the whole comes too late", dataset);
        } else if (strcmp(verb, "release") == 0) {
                player->release = (struct gbx_ledger_release){ .name = copy(strsep(&rest, " ")), .recipient = copy(strsep(&rest, " ")) };
                player->release.dataset = copy(rest);
        } else if (strcmp(verb, "cell") == 0) {
                add_cell(player, &rest);
        } else if (strcmp(verb, "stat") == 0 && player->release.cell_count) {
                add_statistic(player, &rest);
        } else if (strcmp(verb, "decide") == 0) {
                decide(player);
        } else {
                give_up("no such line", verb);
        }
}

int main(void) {
        struct player player = {};
        char *line = NULL;
        size_t room = 0;
        ssize_t length;

        while ((length = getline(&line, &room, stdin)) > 0) {
                line[length - 1] = 0;
                play(&player, line);
        }
        free(line);
        gbx_ledger_free(player.ledger);
        gbx_ledger_release_clear(&player.release);
        for (size_t i = 0; i < player.set_capacity; i++) {
                free(player.sets[i].name);
                if (player.sets[i].units)
                        roaring_bitmap_free(player.sets[i].units);
        }
        free(player.sets);
        return 0;
}
