/* gbx: the command line of Glovebox. Finds the command, checks its options, opens the site, runs it. */
#include "base/cleanup.h"
#include "base/process.h"
#include "gateway/cli/commands.h"
#include "gateway/store/authorise.h"

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct gbx_option global_options[] = {
        { "site", "DIR", "the site (default: GBX_SITE, else the folder gbx-site)", false, false },
        { "as", "NAME", "the principal that acts (default: GBX_AS)", false, false },
        { "json", NULL, "output for machines", false, false },
        { "help", NULL, "show this text", false, false },
        {},
};

static const struct gbx_command *find_command(const char *noun, const char *verb) {
        for (size_t t = 0; gbx_command_tables[t]; t++)
                for (const struct gbx_command *c = gbx_command_tables[t]; c->noun; c++)
                        if (strcmp(c->noun, noun) == 0 && (!c->verb || (verb && strcmp(c->verb, verb) == 0)))
                                return c;
        return NULL;
}

static bool print_verbs(FILE *out, const char *noun) {
        bool found = false;

        for (size_t t = 0; gbx_command_tables[t]; t++)
                for (const struct gbx_command *c = gbx_command_tables[t]; c->noun; c++) {
                        char name[64];

                        if (noun && strcmp(noun, c->noun) != 0)
                                continue;
                        (void)snprintf(name, sizeof name, "%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");
                        fprintf(out, "  %-18s %s\n", name, c->summary);
                        found = true;
                }
        return found;
}

static void print_option(FILE *out, const struct gbx_option *option) {
        char name[64];

        (void)snprintf(name, sizeof name, "--%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        fprintf(out, "  %-26s %s%s%s\n", name, option->help, option->required ? " (required)" : "",
                option->repeated ? " (may be repeated)" : "");
}

static void print_help(FILE *out, const struct gbx_command *command) {
        fprintf(out, "Usage: gbx %s%s%s%s%s", command->noun, command->verb ? " " : "", command->verb ? command->verb : "",
                command->arguments ? " " : "", command->arguments ? command->arguments : "");
        for (const struct gbx_option *o = command->options; o && o->name; o++)
                if (o->required)
                        fprintf(out, " --%s %s", o->name, o->value);
        fprintf(out, " [OPTION…]\n\n%s\n", command->summary);
        if (command->details)
                fprintf(out, "\n%s\n", command->details);
        fputs("\nOptions:\n", out);
        for (const struct gbx_option *o = command->options; o && o->name; o++)
                print_option(out, o);
        for (const struct gbx_option *o = global_options; o->name; o++)
                print_option(out, o);
}

static int usage(const struct gbx_command *command, struct gbx_error *err, const char *problem, const char *what) {
        return gbx_fail(err, -EINVAL, "%s%s; see 'gbx %s%s%s --help'", problem, what, command->noun,
                        command->verb ? " " : "", command->verb ? command->verb : "");
}

static size_t count_options(const struct gbx_option *options) {
        size_t count = 0;

        while (options && options[count].name)
                count++;
        return count;
}

static int take_option(struct gbx_cli *cli, const struct gbx_option *option, const char *value, struct gbx_error *err) {
        if (!option->repeated && gbx_cli_option(cli, option->name))
                return usage(cli->command, err, "option given twice: --", option->name);
        if (cli->value_count == GBX_CLI_MAX_VALUES)
                return usage(cli->command, err, "too many options", "");
        cli->values[cli->value_count++] = (struct gbx_cli_value){ option->name, value ? value : "" };
        return 0;
}

static int check_counts(const struct gbx_cli *cli, struct gbx_error *err) {
        for (const struct gbx_option *o = cli->command->options; o && o->name; o++)
                if (o->required && !gbx_cli_option(cli, o->name))
                        return usage(cli->command, err, "missing option --", o->name);
        if (cli->argument_count < cli->command->arguments_min)
                return usage(cli->command, err, "too few arguments, expected: ",
                             cli->command->arguments ? cli->command->arguments : "");
        if (cli->argument_count > cli->command->arguments_max)
                return usage(cli->command, err, "unexpected argument ", cli->arguments[cli->command->arguments_max]);
        return 0;
}

/* Fills `cli` from argv, whose first element stands for the command's name. */
static int parse_options(struct gbx_cli *cli, int argc, char **argv, struct gbx_error *err) {
        struct option table[GBX_CLI_MAX_OPTIONS + gbx_array_size(global_options)] = {};
        const struct gbx_option *sources[gbx_array_size(table)];
        const struct gbx_option *options[] = { cli->command->options, global_options };
        size_t count = 0;
        int index, c, r;

        for (size_t k = 0; k < gbx_array_size(options); k++)
                for (size_t i = 0; i < count_options(options[k]); i++) {
                        sources[count] = &options[k][i];
                        table[count++] = (struct option){ options[k][i].name,
                                                          options[k][i].value ? required_argument : no_argument, NULL, 1 };
                }
        opterr = 0;
        while ((c = getopt_long(argc, argv, ":", table, &index)) != -1) {
                if (c == ':')
                        return usage(cli->command, err, "a value is missing behind ", argv[optind - 1]);
                if (c != 1)
                        return usage(cli->command, err, "unknown option ", argv[optind - 1]);
                r = take_option(cli, sources[index], optarg, err);
                if (r < 0)
                        return r;
        }
        cli->arguments = argv + optind;
        cli->argument_count = (size_t)(argc - optind);
        return gbx_cli_option(cli, "help") ? 0 : check_counts(cli, err);
}

static int run_command(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_caller_freep) struct gbx_caller *caller = NULL;
        int r = gbx_caller_directory(&caller, cli->as && *cli->as ? cli->as : NULL, err);

        if (r < 0)
                return r;
        cli->caller = caller;
        if (!cli->command->without_site) {
                r = gbx_site_open(&site, cli->site_path, err);
                if (r < 0)
                        return r;
                cli->site = site;
        }
        if (cli->command->action && site) {
                r = gbx_authorise_read(site, cli->caller, cli->command->action, err);
                if (r < 0)
                        return r;
        }
        r = cli->command->run(cli, err);
        gbx_caller_freep(&cli->owned);
        return r;
}

static int report(const struct gbx_cli *cli, int r, const struct gbx_error *err) {
        enum gbx_exit code = gbx_error_exit_code(r);

        if (cli->json)
                gbx_cli_print_json(json_pack("{s:s, s:i}", "error", err->message, "exit", (int)code));
        fprintf(stderr, "gbx: %s\n", err->message);
        return (int)code;
}

/* A noun without a (known) verb: shows what there is. */
static int explain_noun(const char *noun, const char *verb) {
        bool help = verb && strcmp(verb, "--help") == 0;

        if (!help)
                fprintf(stderr, "gbx: no command '%s%s%s'\n", noun, verb ? " " : "", verb ? verb : "");
        if (!print_verbs(help ? stdout : stderr, noun)) {
                fputs("'gbx --help' lists all commands\n", stderr);
                return GBX_EXIT_USAGE;
        }
        return help ? GBX_EXIT_DONE : GBX_EXIT_USAGE;
}

static int run(int argc, char **argv) {
        struct gbx_cli cli = {};
        struct gbx_error err = {};
        const char *noun = argv[1], *verb = argc > 2 ? argv[2] : NULL;
        int r, skip;

        cli.command = find_command(noun, verb);
        if (!cli.command)
                return explain_noun(noun, verb);
        skip = cli.command->verb ? 2 : 1;
        r = parse_options(&cli, argc - skip, argv + skip, &err);
        cli.json = gbx_cli_option(&cli, "json");
        if (r < 0)
                return report(&cli, r, &err);
        if (gbx_cli_option(&cli, "help")) {
                print_help(stdout, cli.command);
                return GBX_EXIT_DONE;
        }
        cli.as = gbx_cli_option(&cli, "as") ? gbx_cli_option(&cli, "as") : getenv("GBX_AS");
        cli.site_path = gbx_cli_option(&cli, "site") ? gbx_cli_option(&cli, "site") : getenv("GBX_SITE");
        if (!cli.site_path || !*cli.site_path)
                cli.site_path = "gbx-site";
        r = run_command(&cli, &err);
        return r < 0 ? report(&cli, r, &err) : r;
}

int gbx_legacy(int argc, char **argv);
int gbx_legacy(int argc, char **argv) {
        if (argc == 0 && !argv[0])
                return print_verbs(stdout, NULL);
        if (argc == 0) {
                for (size_t t = 0; gbx_command_tables[t]; t++)
                        for (const struct gbx_command *c = gbx_command_tables[t]; c->noun; c++)
                                if (strcmp(c->noun, argv[0]) == 0)
                                        return 1;
                return 0;
        }
        return run(argc, argv);
}
