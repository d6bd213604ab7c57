/*
 * The command line's frame: tables of commands and their options
 *
 * A command is a noun and a verb ("audit verify"), or a noun alone ("init",
 * "trace"). Each file of this folder holds the commands of one noun as a table
 * ended by an empty element; commands.c lists the tables. Usage, --help, option
 * checks and shell-friendly errors all come from the tables.
 *
 * Every command also takes --site DIR (or GBX_SITE), --as NAME (or GBX_AS),
 * --json and --help.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        GBX_CLI_MAX_OPTIONS = 24,
        GBX_CLI_MAX_VALUES = 64,
};

struct gbx_option {
        const char *name;  /* without "--"; NULL ends the table */
        const char *value; /* how the value is called in help; NULL: a switch */
        const char *help;
        bool required;
        bool repeated; /* may stand several times */
};

struct gbx_cli;

struct gbx_command {
        const char *noun;      /* NULL ends the table */
        const char *verb;      /* NULL: the noun stands alone */
        const char *arguments; /* of the synopsis, say "NAME PART…"; NULL: none */
        const char *summary;   /* one line */
        const char *details;   /* paragraphs for --help; NULL: none */
        const struct gbx_option *options; /* NULL: none */
        size_t arguments_min, arguments_max;
        const char *action; /* of the authorisation table (policy/decision.h); NULL: anybody may */
        bool without_site;  /* runs where there is no site; `site` is NULL then */
        /* Returns an exit code (enum gbx_exit) or a negative error. */
        int (*run)(struct gbx_cli *cli, struct gbx_error *err);
};

struct gbx_cli_value {
        const char *name, *value;
};

struct gbx_cli {
        const struct gbx_command *command;
        const char *site_path; /* never NULL */
        const char *as;        /* NULL: not given */
        bool json;             /* the output is for a machine */
        size_t argument_count;
        char **arguments;
        size_t value_count;
        struct gbx_cli_value values[GBX_CLI_MAX_VALUES];
        struct gbx_site *site; /* open, unless the command runs without one */
        struct gbx_caller *caller, *owned; /* who acts; the latter, if set, is freed by the frame */
};

/* The (first) value of an option, or NULL. A switch that was given has the value "". */
const char *gbx_cli_option(const struct gbx_cli *cli, const char *name);
/* The value number `index` of a repeated option, or NULL. */
const char *gbx_cli_option_at(const struct gbx_cli *cli, const char *name, size_t index);

/* The principal that acts: --as NAME. -EINVAL with a hint if it is missing. */
int gbx_cli_principal(const struct gbx_cli *cli, const char **ret_name, struct gbx_error *err);

/* Prints a JSON value on standard output (consumes the reference). */
void gbx_cli_print_json(json_t *value);

/* Tables of all nouns; ended by NULL. */
extern const struct gbx_command *const gbx_command_tables[];
