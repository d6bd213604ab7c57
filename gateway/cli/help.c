#include "gateway/cli/help.h"

#include "base/cleanup.h"
#include "base/install.h"

#include <string.h>

const struct gbx_field gbx_help_globals[] = {
        { .name = "site", .value = "DIR", .help = "the site (default: GBX_SITE, else the folder gbx-site)" },
        { .name = "as", .value = "NAME", .help = "the principal that acts (default: GBX_AS)" },
        { .name = "json", .type = GBX_FIELD_BOOLEAN, .help = "one JSON document, for machines" },
        { .name = "help", .type = GBX_FIELD_BOOLEAN, .help = "show this text (-h)" },
        {},
};

const struct gbx_help_own gbx_help_own[] = {
        { "help", "[NOUN [VERB]]", "explain a noun or a command" },
        { "completion", "bash | zsh", "print a script that completes commands in this shell" },
        { "api", "--openapi | --man [NOUN] | --nouns", "describe all operations: OpenAPI 3.1, manual pages" },
        {},
};

static void print_command(FILE *out, const char *name, const char *summary) {
        fprintf(out, "  %-25s %s\n", name, summary);
}

struct listing {
        FILE *out;
        const char *noun; /* NULL: all */
        bool found;
};

static int list(void *context, const struct gbx_operation *operation) {
        char name[GBX_OPERATION_NAME_SIZE];
        struct listing *listing = context;

        if (!listing->noun || strcmp(listing->noun, operation->noun) == 0) {
                print_command(listing->out, gbx_operation_name(operation, name), operation->summary);
                listing->found = true;
        }
        return 0;
}

void gbx_help_overview(FILE *out) {
        struct listing listing = { .out = out };

        fputs("Glovebox: data usable, never visible.\n\n"
              "Usage: gbx [--site DIR] [--as NAME] [--json] NOUN VERB [ARGUMENT…]\n\n",
              out);
        (void)gbx_operation_each(list, &listing);
        fputc('\n', out);
        for (const struct gbx_help_own *own = gbx_help_own; own->name; own++)
                print_command(out, own->name, own->summary);
        fputs("\n'gbx NOUN VERB --help' tells more. Exit codes: 0 done, 1 failed, 2 usage, 3 denied by policy,\n"
              "4 held for review, 5 integrity broken, 6 limit reached.\n",
              out);
}

bool gbx_help_noun(FILE *out, const char *noun) {
        struct listing listing = { .out = out, .noun = noun };

        (void)gbx_operation_each(list, &listing);
        return listing.found;
}

const char *gbx_help_option(const struct gbx_field *field, char ret[static 64]) {
        bool toggle = field->type == GBX_FIELD_BOOLEAN;

        if (field->positional)
                (void)snprintf(ret, 64, "%s", field->value);
        else
                (void)snprintf(ret, 64, "--%s%s%s", field->name, toggle ? "" : " ", toggle ? "" : field->value);
        return ret;
}

/* Pages of the manual stand in the table as "docs/PAGE.md"; where gbx is installed they are elsewhere. */
static void print_text(FILE *out, const char *text) {
        static const char folder[] = "docs/";
        gbx_auto(gbx_free_pointer) char *manual = NULL;
        const char *at;

        if (strstr(text, folder))
                (void)gbx_install_manual(&manual, NULL);
        for (; manual && (at = strstr(text, folder)); text = at + strlen(folder))
                fprintf(out, "%.*s%s", (int)(at - text), text, manual);
        fputs(text, out);
}

static void print_field(FILE *out, const struct gbx_field *field) {
        char name[64];

        fprintf(out, "  %-26s ", gbx_help_option(field, name));
        print_text(out, field->help ? field->help : "");
        if (field->words)
                fprintf(out, " (%s)", field->words);
        fprintf(out, "%s%s\n", field->required && !field->positional ? " (required)" : "", field->repeated ? " (may be repeated)" : "");
}

static void print_synopsis(FILE *out, const struct gbx_operation *operation) {
        char name[GBX_OPERATION_NAME_SIZE], option[64];

        fprintf(out, "Usage: gbx %s", gbx_operation_name(operation, name));
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (f->positional)
                        fprintf(out, f->required ? " %s" : " [%s]", gbx_help_option(f, option));
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (f->required && !f->positional)
                        fprintf(out, " %s", gbx_help_option(f, option));
        fputs(" [OPTION…]\n", out);
}

void gbx_help_operation(FILE *out, const struct gbx_operation *operation) {
        bool arguments = false;

        print_synopsis(out, operation);
        fprintf(out, "\n%s\n", operation->summary);
        if (operation->details) {
                fputc('\n', out);
                print_text(out, operation->details);
                fputc('\n', out);
        }
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (f->positional && (f->help || f->words)) {
                        fputs(arguments ? "" : "\nArguments:\n", out);
                        arguments = true;
                        print_field(out, f);
                }
        fputs("\nOptions:\n", out);
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (!f->positional)
                        print_field(out, f);
        for (const struct gbx_field *f = gbx_help_globals; f->name; f++)
                print_field(out, f);
}

/* --- what was meant ---------------------------------------------------------------- */

/* How many letters to add, take away, change or exchange with a neighbour (restricted Damerau-Levenshtein). */
static size_t distance(const char *a, const char *b) {
        enum { MAX = GBX_OPERATION_NAME_SIZE };
        size_t rows[MAX + 1][MAX + 1], n = strlen(a), m = strlen(b);

        if (n > MAX || m > MAX)
                return MAX;
        for (size_t i = 0; i <= n; i++)
                for (size_t k = 0; k <= m; k++) {
                        size_t best = i == 0 ? k : k == 0 ? i : rows[i - 1][k - 1] + (a[i - 1] != b[k - 1]);

                        if (i > 0 && k > 0 && rows[i - 1][k] + 1 < best)
                                best = rows[i - 1][k] + 1;
                        if (i > 0 && k > 0 && rows[i][k - 1] + 1 < best)
                                best = rows[i][k - 1] + 1;
                        if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && rows[i - 2][k - 2] + 1 < best)
                                best = rows[i - 2][k - 2] + 1;
                        rows[i][k] = best;
                }
        return rows[n][m];
}

struct nearest {
        const char *given;
        const struct gbx_operation *best;
        size_t distance;
};

static int compare(void *context, const struct gbx_operation *operation) {
        char name[GBX_OPERATION_NAME_SIZE];
        struct nearest *nearest = context;
        size_t found = distance(nearest->given, gbx_operation_name(operation, name));

        if (found < nearest->distance) {
                nearest->distance = found;
                nearest->best = operation;
        }
        return 0;
}

const char *gbx_help_nearest(const char *noun, const char *verb) {
        static char name[GBX_OPERATION_NAME_SIZE];
        char given[GBX_OPERATION_NAME_SIZE];
        struct nearest nearest = { .given = given, .distance = 4 };

        (void)snprintf(given, sizeof given, "%s%s%s", noun, verb ? " " : "", verb ? verb : "");
        (void)gbx_operation_each(compare, &nearest);
        return nearest.best ? gbx_operation_name(nearest.best, name) : NULL;
}
