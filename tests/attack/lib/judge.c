#include "tests/attack/lib/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counts {
        unsigned tried, worked, stopped, absent, two_layers, wrong, declared;
        bool done;
};

bool judge_mode(struct judgement *judgement, const char *word) {
        static const char *const words[] = { "control", "stopped", "plain" };

        for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(word, words[i]) == 0) {
                        judgement->mode = (enum judge_mode)i;
                        return true;
                }
        return false;
}

void judge_take(void *userdata, const char *data, size_t size) {
        struct judgement *judgement = userdata;
        char *larger = realloc(judgement->output, judgement->output_size + size + 1);

        if (!larger)
                return;
        memcpy(larger + judgement->output_size, data, size);
        judgement->output = larger;
        judgement->output_size += size;
        larger[judgement->output_size] = '\0';
}

void judge_refused(struct judgement *judgement, const char *message) {
        (void)snprintf(judgement->refusal, sizeof(judgement->refusal), "%s", message);
        json_decref(judgement->result);
        judgement->result = NULL;
}

void judge_result(struct judgement *judgement, json_t *result) {
        json_decref(judgement->result);
        judgement->result = json_incref(result);
}

void judge_killed(struct judgement *judgement, const char *attempt) {
        char line[160];
        int length = snprintf(line, sizeof(line), "stopped %s run-killed\ndone 1\n", attempt);

        judge_take(judgement, line, (size_t)length);
}

static bool listed(const char *names, const char *name) {
        size_t length = strlen(name);

        for (const char *at = names; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
                if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
                        return true;
        return false;
}

/* Judges one line; a wrong one is printed. */
static void judge_line(const struct judgement *judgement, const char *line, struct counts *counts) {
        char word[16], name[96], why[32] = "";
        bool two_layers = strstr(line, " +2") != NULL, control = strstr(line, " -control") == NULL;
        bool breach, wrong;

        unsigned more;

        if (sscanf(line, "done %u", &more) == 1) {
                counts->declared += more;
                counts->done = true;
                return;
        }
        if (sscanf(line, "%15s %95s %31s", word, name, why) < 2)
                return;
        breach = strcmp(word, "BREACH") == 0;
        if (!breach && strcmp(word, "stopped") != 0 && strcmp(word, "absent") != 0)
                return;
        counts->tried++;
        counts->worked += breach;
        counts->stopped += strcmp(word, "stopped") == 0;
        counts->absent += strcmp(word, "absent") == 0;
        counts->two_layers += two_layers;
        if (judgement->mode == JUDGE_CONTROL)
                wrong = !breach && control && strcmp(word, "absent") != 0 && !listed(judgement->unproven, name);
        else
                wrong = breach && (!judgement->reduced || two_layers) && !listed(judgement->known, name);
        if (breach && judgement->mode == JUDGE_STOPPED && listed(judgement->known, name))
                (void)printf("# known, and documented as residual risk: %s\n", name);
        counts->wrong += wrong;
        if (wrong)
                (void)printf("# wrong: %s\n", line);
}

static struct counts judge_output(const struct judgement *judgement) {
        struct counts counts = { 0 };
        char *copy = strdup(judgement->output ? judgement->output : ""), *rest = copy, *line;

        while (copy && (line = strsep(&rest, "\n")))
                judge_line(judgement, line, &counts);
        free(copy);
        return counts;
}

/* Whether the run ended as expected: "WORD" or "WORD:DETAIL". */
static bool ended_as_expected(const struct judgement *judgement) {
        const char *expect = judgement->expect ? judgement->expect : "exited";
        const char *colon = strchr(expect, ':'), *detail = colon ? colon + 1 : NULL;
        const char *outcome = "refused", *field = NULL;
        char number[32] = "", word[32];

        (void)snprintf(word, sizeof(word), "%.*s", colon ? (int)(colon - expect) : (int)strlen(expect), expect);
        if (judgement->result) {
                const json_t *limit = json_object_get(judgement->result, "limit");
                const json_t *killer = json_object_get(judgement->result, "signal");

                outcome = json_string_value(json_object_get(judgement->result, "outcome"));
                (void)snprintf(number, sizeof(number), "%lld",
                               (long long)json_integer_value(json_object_get(judgement->result, "exit_code")));
                field = !outcome || strcmp(outcome, "exited") == 0  ? number
                        : strcmp(outcome, "limit") == 0             ? json_string_value(limit)
                                                                    : json_string_value(killer);
                if (field == NULL && killer && json_is_integer(killer)) {
                        (void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(killer));
                        field = number;
                }
        } else {
                field = judgement->refusal;
        }
        if (outcome && strcmp(outcome, word) == 0 &&
            (!detail || (field && (judgement->result ? listed(detail, field) : strstr(field, detail) != NULL))))
                return true;
        (void)printf("# wrong: expected %s, got %s%s%s\n", expect, outcome ? outcome : "nothing", field ? ":" : "",
                     field ? field : "");
        return false;
}

/* " without seccomp", or nothing. */
static void name_layers(const json_t *without, char *ret, size_t size) {
        ret[0] = '\0';
        for (size_t i = 0; i < json_array_size(without); i++)
                (void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", i ? "+" : " without ",
                               json_string_value(json_array_get(without, i)));
}

static void print_line(const struct judgement *judgement, const struct counts *counts, const json_t *without) {
        char layers[256];

        name_layers(without, layers, sizeof(layers));
        if (judgement->mode == JUDGE_CONTROL)
                (void)printf("%s: outside: %u tried, %u work, %u absent here\n", judgement->program, counts->tried,
                             counts->worked, counts->absent);
        else
                (void)printf("%s: inside%s: %u tried, %u stopped, %u must be stopped by a second layer too\n",
                             judgement->program, layers, counts->tried, counts->stopped, counts->two_layers);
}

static void add_to_table(const struct judgement *judgement, const struct counts *counts, const json_t *without) {
        const char *table = getenv("ATTACK_TABLE");
        FILE *file = table ? fopen(table, "ae") : NULL;
        char layers[256];

        if (!file)
                return;
        name_layers(without, layers, sizeof(layers));
        (void)fprintf(file, "%s\t%s%s%s%s\t%u\t%u\t%u\t%u\n", judgement->program,
                      judgement->mode == JUDGE_CONTROL ? "outside" : "inside", judgement->profile ? " " : "",
                      judgement->profile ? judgement->profile : "", layers, counts->tried, counts->worked,
                      counts->stopped, counts->two_layers);
        (void)fclose(file);
}

bool judge_verdict(struct judgement *judgement, const json_t *without) {
        struct counts counts = judge_output(judgement);
        bool well = counts.wrong == 0;

        if (judgement->mode == JUDGE_PLAIN) {
                (void)fputs(judgement->output ? judgement->output : "", stdout);
                if (judgement->result)
                        (void)json_dumpf(judgement->result, stdout, JSON_COMPACT), (void)puts("");
                else
                        (void)printf("refused: %s\n", judgement->refusal);
                return !judgement->expect || ended_as_expected(judgement);
        }
        if (judgement->mode == JUDGE_STOPPED)
                well &= ended_as_expected(judgement);
        if (judgement->refusal[0])
                (void)printf("# refused: %s\n", judgement->refusal);
        else if (!judgement->expect && (!counts.done || counts.tried == 0 || counts.tried != counts.declared)) {
                (void)printf("# wrong: %u attempts of %u reported: the program did not finish\n", counts.tried,
                             counts.declared);
                well = false;
        }
        if (counts.tried < judgement->required || (judgement->refusal[0] && !judgement->expect)) {
                (void)printf("# wrong: %u attempts of %u were made\n", counts.tried, judgement->required);
                well = false;
        }
        print_line(judgement, &counts, without);
        add_to_table(judgement, &counts, without);
        if (!well)
                (void)fputs(judgement->output ? judgement->output : "", stdout);
        return well;
}
