/*
 * An invocation: what was typed, and the request that it becomes
 *
 * Options and arguments are the fields of the operation (gateway/api/operation.h);
 * options of every command are --site, --as, --json and --help, which may stand
 * anywhere, also before the noun. Files that are named are read or opened here,
 * by the one who typed their names: what is not there is a fault of usage, exit
 * code 2, whatever the command.
 */
#pragma once

#include "base/error.h"
#include "gateway/api/operation.h"
#include "gateway/api/session.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { GBX_CLI_MAX_VALUES = 256 };

struct gbx_cli_value {
        const struct gbx_field *field;
        const char *text; /* NULL: a switch */
};

struct gbx_invocation {
        const char *noun, *verb;
        const char *site_path; /* never NULL once parsed */
        const char *as;        /* NULL: nobody was named */
        bool json, help, version;
        const struct gbx_operation *operation;
        struct gbx_cli_value values[GBX_CLI_MAX_VALUES];
        size_t value_count;
        struct gbx_session session;
};

/* Takes the options of every command up to noun and verb; returns the number of elements of argv that were used. */
int gbx_invocation_begin(struct gbx_invocation *invocation, int argc, char **argv, struct gbx_error *err);

/* Takes the rest, by the fields of `invocation->operation`. */
int gbx_invocation_parse(struct gbx_invocation *invocation, int argc, char **argv, struct gbx_error *err);

/* GBX_SITE and GBX_AS, where no option says otherwise. -EINVAL for an empty name. */
int gbx_invocation_environment(struct gbx_invocation *invocation, struct gbx_error *err);

/* Whether all that is required is there and nothing stands twice. */
int gbx_invocation_check(const struct gbx_invocation *invocation, struct gbx_error *err);

/* The text of an option, or NULL; of a switch "". */
const char *gbx_invocation_value(const struct gbx_invocation *invocation, const char *name);

/* The request of `operation`, from those values that have the names of its fields. Files are attached to the session. */
int gbx_invocation_request(struct gbx_invocation *invocation, const struct gbx_operation *operation, json_t **ret_request,
                           struct gbx_error *err);

/* Reads a file that was named on the command line. -EINVAL if it cannot be read. */
int gbx_cli_read_file(const char *path, size_t limit, struct gbx_buffer *ret, struct gbx_error *err);

void gbx_invocation_end(struct gbx_invocation *invocation);
