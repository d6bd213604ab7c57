/*
 * The words for how a run ended
 *
 * A job says on descriptor 3 how it ended, in bytes that it may have made of
 * data; the sandbox names the limit that it met. Neither is passed on: what
 * they say is looked up here, and what an analyst reads and the log keeps is
 * this table's text. What the table does not know is GBX_WORD_FAILED, one
 * constant, whatever it was.
 *
 * To add a word: a line in the enumeration and in words.c, and for a rule of
 * the Lua host one in runtime/engine/report.c (a unit test compares the two).
 */
#pragma once

#include <stdbool.h>

enum gbx_word {
        GBX_WORD_NONE, /* ran to its end */
        GBX_WORD_FAILED,
        GBX_WORD_CANCELLED, /* by who asked for the run, or whoever may */
        GBX_WORD_INTERRUPTED, /* the process that executed the run died, or could not go on */
        /* rules of the Lua host (docs/lua.md) */
        GBX_WORD_SYNTAX_ERROR,
        GBX_WORD_RUNTIME_ERROR,
        GBX_WORD_RELEASE_ERROR,
        GBX_WORD_DATA_ERROR,
        GBX_WORD_MEMORY_LIMIT,
        GBX_WORD_INSTRUCTION_LIMIT,
        GBX_WORD_JOB_ERROR,
        /* limits of the sandbox (docs/sandbox.md) */
        GBX_WORD_LIMIT, /* one that this table does not know */
        GBX_WORD_LIMIT_WALL,
        GBX_WORD_LIMIT_CPU,
        GBX_WORD_LIMIT_MEMORY,
        GBX_WORD_LIMIT_PIDS,
        GBX_WORD_LIMIT_DENIALS,
        GBX_WORD_LIMIT_FILE,
        GBX_WORD_COUNT,
};

/* The last word of a job, as far as it was understood. */
struct gbx_job_end {
        enum gbx_word word;
        unsigned line; /* of the script, from 1 to its number of lines; 0: none */
};

/* By the name that the Lua host, or the sandbox, gives it; GBX_WORD_FAILED or GBX_WORD_LIMIT for any other text. */
enum gbx_word gbx_word_of_host(const char *rule);
enum gbx_word gbx_word_of_sandbox(const char *limit);

/* That name; NULL for the words that have none. */
const char *gbx_word_name(enum gbx_word word);

/* What people read: "limit reached: wall". */
const char *gbx_word_text(enum gbx_word word);

/* Whether the run reached a limit rather than failed; whether a line of the script may go with the word. */
bool gbx_word_is_limit(enum gbx_word word);
bool gbx_word_has_line(enum gbx_word word);
