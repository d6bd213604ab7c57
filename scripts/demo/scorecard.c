/*
 * The default-rate table as a native job
 *
 * Does what default-rate.lua does, as a program of an analyst's own: reads
 * /data/credit and /job/params.json, writes /out/default-rate.csv and the
 * manifest /out/release.json. It knows nothing of Glovebox but these paths.
 *
 *   gcc -O2 -static -o scorecard scorecard.c -ljansson
 *
 * A first argument names another root than "/", for trying it outside.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 64, KEYS_MAX = 3, GROUPS_MAX = 1000, LINE_MAX_BYTES = 4096 };

struct group {
        char *key[KEYS_MAX];
        long applicants;
        long bad;
};

static const char *root = "";
static const char *by[KEYS_MAX] = { "job", "home" };
static size_t by_count = 2;
static struct group groups[GROUPS_MAX];
static size_t group_count;

static void die(const char *message) {
        (void)fprintf(stderr, "scorecard: %s\n", message);
        exit(1);
}

static FILE *open_file(const char *path, const char *mode) {
        char full[4096];
        FILE *file;

        (void)snprintf(full, sizeof full, "%s%s", root, path);
        file = fopen(full, mode);
        if (!file)
                die(path);
        return file;
}

/* params.json: {"by": ["job", "home"]} */
static void read_params(void) {
        FILE *file = open_file("/job/params.json", "r");
        json_t *params = json_loadf(file, 0, NULL); /* lives as long as the program: `by` points into it */
        json_t *list = json_object_get(params, "by");

        (void)fclose(file);
        if (!list)
                return;
        by_count = json_array_size(list);
        if (by_count < 1 || by_count > KEYS_MAX)
                die("by: one to three columns");
        for (size_t i = 0; i < by_count; i++) {
                by[i] = json_string_value(json_array_get(list, i));
                if (!by[i])
                        die("by: not a list of names");
        }
}

/* Splits a line of CSV in place; no field of this dataset holds a line break. */
static size_t split(char *line, char *fields[COLUMNS_MAX]) {
        size_t count = 0;
        char *from = line;

        while (count < COLUMNS_MAX) {
                char *to = from;
                bool quoted = *from == '"';

                fields[count++] = to;
                for (from += quoted; *from && (quoted || (*from != ',' && *from != '\n' && *from != '\r')); from++) {
                        if (quoted && *from == '"') {
                                if (from[1] != '"')
                                        break;
                                from++;
                        }
                        *to++ = *from;
                }
                from += quoted && *from == '"';
                if (*from != ',') {
                        *to = '\0';
                        return count;
                }
                from++;
                *to = '\0';
        }
        die("too many columns");
        return 0;
}

static size_t find_column(char *fields[], size_t count, const char *name) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(fields[i], name) == 0)
                        return i;
        die("the dataset lacks a column");
        return 0;
}

static struct group *find_group(char *const key[]) {
        for (size_t g = 0; g < group_count; g++) {
                size_t same = 0;

                while (same < by_count && strcmp(groups[g].key[same], key[same]) == 0)
                        same++;
                if (same == by_count)
                        return &groups[g];
        }
        if (group_count == GROUPS_MAX)
                die("too many groups");
        for (size_t i = 0; i < by_count; i++)
                groups[group_count].key[i] = strdup(key[i]);
        return &groups[group_count++];
}

static void read_data(void) {
        FILE *file = open_file("/data/credit", "r");
        char line[LINE_MAX_BYTES], *fields[COLUMNS_MAX], *key[KEYS_MAX];
        size_t places[KEYS_MAX], status, count;

        if (!fgets(line, sizeof line, file))
                die("the dataset is empty");
        count = split(line, fields);
        status = find_column(fields, count, "status");
        for (size_t i = 0; i < by_count; i++)
                places[i] = find_column(fields, count, by[i]);
        while (fgets(line, sizeof line, file)) {
                bool known = true;
                struct group *group;

                if (split(line, fields) != count)
                        die("a row has another number of fields");
                for (size_t i = 0; i < by_count; i++) {
                        key[i] = fields[places[i]];
                        known = known && *key[i];
                }
                if (!known)
                        continue;
                group = find_group(key);
                group->applicants++;
                group->bad += strcmp(fields[status], "bad") == 0;
        }
        (void)fclose(file);
}

static int compare_groups(const void *left, const void *right) {
        const struct group *a = left, *b = right;
        int order = 0;

        for (size_t i = 0; i < by_count && order == 0; i++)
                order = strcmp(a->key[i], b->key[i]);
        return order;
}

static void write_table(void) {
        FILE *file = open_file("/out/default-rate.csv", "w");

        qsort(groups, group_count, sizeof *groups, compare_groups);
        for (size_t i = 0; i < by_count; i++)
                (void)fprintf(file, "%s,", by[i]);
        (void)fprintf(file, "applicants,default_rate\n");
        for (size_t g = 0; g < group_count; g++) {
                for (size_t i = 0; i < by_count; i++)
                        (void)fprintf(file, "%s,", groups[g].key[i]);
                (void)fprintf(file, "%ld,%.3f\n", groups[g].applicants,
                              (double)groups[g].bad / (double)groups[g].applicants);
        }
        if (fclose(file) != 0)
                die("/out/default-rate.csv");
}

static void write_manifest(void) {
        FILE *file = open_file("/out/release.json", "w");
        json_t *columns = json_array();

        for (size_t i = 0; i < by_count; i++)
                (void)json_array_append_new(columns,
                                            json_pack("{ssssss}", "name", by[i], "type", "text", "role", "key"));
        (void)json_array_append_new(columns,
                                    json_pack("{ssssss}", "name", "applicants", "type", "integer", "role", "count"));
        (void)json_array_append_new(columns, json_pack("{ssssssss}", "name", "default_rate", "type", "decimal", "role",
                                                       "value", "unit", "0.001"));
        if (json_dumpf(json_pack("{sis[{sssssO}]}", "version", 1, "outputs", "file", "default-rate.csv", "kind", "table",
                                 "columns", columns),
                       file, JSON_INDENT(1)) < 0 ||
            fclose(file) != 0)
                die("/out/release.json");
}

int main(int argc, char **argv) {
        if (argc > 1)
                root = argv[1];
        read_params();
        read_data();
        write_table();
        write_manifest();
        return 0;
}
