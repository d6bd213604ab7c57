/* Help, from the table of operations: overview, nouns, operations; and what was probably meant. */
#pragma once

#include "gateway/api/operation.h"

#include <stdbool.h>
#include <stdio.h>

void gbx_help_overview(FILE *out);
/* The verbs of a noun. False: there is no such noun. */
bool gbx_help_noun(FILE *out, const char *noun);
void gbx_help_operation(FILE *out, const struct gbx_operation *operation);

/* The nearest command to one that does not exist, or NULL; belongs to the program. */
const char *gbx_help_nearest(const char *noun, const char *verb);

/* "--schema FILE" or "NAME", as in a synopsis; `ret` holds 64 bytes. */
const char *gbx_help_option(const struct gbx_field *field, char ret[static 64]);

/* Options of every command: site, as, json, help. */
extern const struct gbx_field gbx_help_globals[];

/* Names of programs' own commands, which are no operations: help, completion, api. */
struct gbx_help_own {
        const char *name, *arguments, *summary;
};
extern const struct gbx_help_own gbx_help_own[];
