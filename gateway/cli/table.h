/*
 * Rows for people or for machines
 *
 * Commands gather a JSON array of objects; with --json it is printed as it is,
 * else as a table (libsmartcols) of the columns that matter to a reader.
 */
#pragma once

#include "gateway/cli/command.h"

struct gbx_cli_column {
        const char *field; /* of the row objects; NULL ends the table */
        const char *title;
        enum { GBX_COLUMN_TEXT, GBX_COLUMN_NUMBER, GBX_COLUMN_DIGEST, GBX_COLUMN_TIME } kind;
};

/* Prints the rows (consumes the reference). `nothing` is shown to people if there are none. */
int gbx_cli_print_rows(const struct gbx_cli *cli, json_t *rows, const struct gbx_cli_column *columns, const char *nothing,
                       struct gbx_error *err);

/* Prints one object (consumes the reference): with --json as it is, else a line a field: "title: value". */
int gbx_cli_print_object(const struct gbx_cli *cli, json_t *object, const struct gbx_cli_column *columns,
                         struct gbx_error *err);

/* Prints text on standard error unless --json asks for silence. */
void gbx_cli_say(const struct gbx_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A progress bar on standard error, if that is a terminal; `fraction` from 0 to 1, negative to clear it. */
void gbx_cli_progress(const struct gbx_cli *cli, const char *label, double fraction);
