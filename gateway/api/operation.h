/*
 * Operations: one row a verb
 *
 * A row says what an operation is called, which action of policy's table
 * (policy/decision_action.c) it asks for, the fields of its request, the parts
 * of its answer, and the function that performs it. Everything that people or
 * programs see of it is made from the row: options and arguments, help, manual
 * pages, completion, tables, JSON, OpenAPI. Nothing is said twice.
 *
 * Requests and answers are JSON. A request is an object with a member for each
 * field that was given. An answer is an object, or an array where the first
 * part is rows without a member. What no part declares does not leave
 * (perform.h), nor what its column keeps for other roles.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* --- requests ------------------------------------------------------------------ */

enum gbx_field_type {
        GBX_FIELD_TEXT,     /* UTF-8 without control characters */
        GBX_FIELD_NAME,     /* gbx_name_valid */
        GBX_FIELD_INTEGER,  /* 0 or more */
        GBX_FIELD_BOOLEAN,  /* on the command line a switch */
        GBX_FIELD_TIME,     /* 2026-12-31T00:00:00Z, or 2026-12-31: its first second; UTC */
        GBX_FIELD_OBJECT,   /* a JSON object; on the command line a file that holds one */
        GBX_FIELD_DOCUMENT, /* UTF-8 text; on the command line the file that holds it */
        GBX_FIELD_FILE,     /* bytes attached to the session; the member is the file's name */
        GBX_FIELD_PATH,     /* a place on the machine where the gateway runs: for the command line alone */
};

struct gbx_field {
        const char *name; /* of the member, and of the option without "--"; NULL ends the table */
        enum gbx_field_type type;
        const char *value; /* how help calls the value */
        const char *help;
        const char *words; /* the values there are, separated by blanks; NULL: any */
        bool required;
        bool repeated;   /* an array; the option may stand several times */
        bool positional; /* on the command line an argument, in the order of the table */
        bool client;     /* used up by the command line (cli/client.h), never sent */
};

/* --- answers ------------------------------------------------------------------- */

enum gbx_column_kind {
        GBX_COLUMN_TEXT,
        GBX_COLUMN_NUMBER,
        GBX_COLUMN_DIGEST, /* people see the first digits */
        GBX_COLUMN_TIME,
        GBX_COLUMN_BOOLEAN,
        GBX_COLUMN_LIST,   /* an array */
        GBX_COLUMN_LINES,  /* an array of texts; in a table each has a line of its own */
        GBX_COLUMN_OBJECT, /* an object of its own form */
};

struct gbx_column {
        const char *name; /* of the member; NULL ends the table */
        const char *title; /* NULL: for programs, not shown to people */
        enum gbx_column_kind kind;
        unsigned roles; /* who learns it (enum gbx_role); 0: all who may do this at all */
};

enum gbx_part_kind {
        GBX_PART_END,
        GBX_PART_FIELDS, /* members of an object, a line each */
        GBX_PART_ROWS,   /* an array of objects, as a table */
        GBX_PART_LINES,  /* an array of texts, each through `text` */
        GBX_PART_LINE,   /* a sentence; people only */
        GBX_PART_NOTE,   /* the same on standard error */
        GBX_PART_TEXT,   /* a text of several lines, as it is */
        GBX_PART_TABLES, /* an array of {"name","rows","csv"} */
        GBX_PART_BYTES,  /* what the operation gives to sink.chunk; in JSON a member, text or base64 */
};

struct gbx_part {
        enum gbx_part_kind kind;
        const char *member; /* of the answer; NULL: the answer itself */
        const char *when;   /* shown if this member is there and neither null, false nor empty; "!x" turns it round */
        const char *text;   /* of sentences: "{member}" is filled in, "{}" the item; of rows: what is said of none */
        const struct gbx_column *columns;
        const char *each; /* of rows: people see a row for each object in this member of them; NULL: each row itself */
};

/* --- performing ------------------------------------------------------------------ */

struct gbx_session;

/* What comes before the answer. A function may be NULL. */
struct gbx_sink {
        void *context;
        void (*progress)(void *context, const char *label, double fraction); /* 0 to 1; below 0: over */
        void (*event)(void *context, const json_t *answer);                  /* of operations that go on and on: one turn */
        int (*chunk)(void *context, const void *data, size_t size, struct gbx_error *err);
};

enum gbx_operation_kind {
        GBX_READ,  /* changes nothing; waits for nobody who changes something */
        GBX_WRITE, /* changes the site in transactions that ask for the right again */
        GBX_JOB,   /* the same, and computes for a while; can be cancelled */
        GBX_LOCAL, /* needs no site, or finds it by itself (gbx_session_open) */
};

struct gbx_operation {
        const char *noun; /* NULL ends a table */
        const char *verb; /* NULL: the noun stands alone */
        const char *action;
        enum gbx_operation_kind kind;
        const char *summary;
        const char *details; /* paragraphs for help; NULL: none */
        const struct gbx_field *fields; /* NULL: none */
        const struct gbx_part *answer;
        const char *records; /* actions of the log that its caller becomes the actor of, separated by blanks; NULL: none */
        /* Rows and objects of the answer's first part belong to whom this member names: callers whose right reaches no
         * further than their own (GBX_SCOPE_OWN) get no others. NULL: `perform` sees to that, or there is no such thing. */
        const char *own;
        /* Returns GBX_EXIT_DONE or, with an answer, another enum gbx_exit; or a negative error. */
        int (*perform)(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                       struct gbx_error *err);
};

/* The beginning of a row: does not compile without an action. */
#define GBX_OPERATION(noun_, verb_, action_, kind_, perform_)                                             \
        .noun = noun_, .verb = verb_, .action = (action_ "") + 0 * sizeof(char[sizeof(action_) > 1 ? 1 : -1]), \
        .kind = kind_, .perform = perform_

/* Tables of all nouns, ended by NULL. */
extern const struct gbx_operation *const gbx_operation_tables[];

/* The action whose right the actor of an entry needs, by the entry's action: "job run" of run.decide. NULL: nobody's. */
const char *gbx_operation_action_of(const char *record);

/* The operation that "noun verb" or "noun" names, or NULL. `ls` and `list` are one. A noun that stands alone is also found
 * where its verb is none of the noun's: that is its first argument then. */
const struct gbx_operation *gbx_operation_find(const char *noun, const char *verb);

/* "user add"; `ret` holds at least GBX_OPERATION_NAME_SIZE bytes. */
enum { GBX_OPERATION_NAME_SIZE = 64 };
const char *gbx_operation_name(const struct gbx_operation *operation, char ret[static GBX_OPERATION_NAME_SIZE]);

/* Calls `visit` for each operation until one call returns something else than 0, and returns that. */
int gbx_operation_each(int (*visit)(void *context, const struct gbx_operation *operation), void *context);
