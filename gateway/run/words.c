#include "gateway/run/words.h"

#include <stddef.h>
#include <string.h>

enum speaker { NOBODY, HOST, SANDBOX };

static const struct {
        enum speaker speaker;
        const char *name; /* as the speaker says it */
        const char *text;
        bool limit, line;
} words[GBX_WORD_COUNT] = {
        [GBX_WORD_NONE] = { NOBODY, NULL, "done", false, false },
        [GBX_WORD_FAILED] = { NOBODY, NULL, "the program failed", false, false },
        [GBX_WORD_CANCELLED] = { NOBODY, NULL, "cancelled", false, false },
        [GBX_WORD_INTERRUPTED] = { NOBODY, NULL, "interrupted", false, false },

        [GBX_WORD_SYNTAX_ERROR] = { HOST, "syntax-error", "the script does not compile", false, true },
        [GBX_WORD_RUNTIME_ERROR] = { HOST, "runtime-error", "an error that the script did not catch", false, true },
        [GBX_WORD_RELEASE_ERROR] = { HOST, "release-error", "a table cannot be released as it was described", false, true },
        [GBX_WORD_DATA_ERROR] = { HOST, "data-error", "a dataset is not as its schema says", false, true },
        [GBX_WORD_MEMORY_LIMIT] = { HOST, "memory-limit", "the script needed more memory than the policy gives", true, true },
        [GBX_WORD_INSTRUCTION_LIMIT] = { HOST, "instruction-limit", "the script took more steps than a run may", true, true },
        [GBX_WORD_JOB_ERROR] = { HOST, "job-error", "the run's files were not as the engine needs them; that is not the script's fault",
                                 false, false },

        [GBX_WORD_LIMIT] = { NOBODY, NULL, "limit reached", true, false },
        [GBX_WORD_LIMIT_WALL] = { SANDBOX, "wall", "limit reached: wall", true, false },
        [GBX_WORD_LIMIT_CPU] = { SANDBOX, "cpu", "limit reached: cpu", true, false },
        [GBX_WORD_LIMIT_MEMORY] = { SANDBOX, "memory", "limit reached: memory", true, false },
        [GBX_WORD_LIMIT_PIDS] = { SANDBOX, "pids", "limit reached: pids", true, false },
        [GBX_WORD_LIMIT_DENIALS] = { SANDBOX, "denials", "limit reached: denials", true, false },
        [GBX_WORD_LIMIT_FILE] = { SANDBOX, "file", "limit reached: file", true, false },
};

static enum gbx_word find(enum speaker speaker, const char *name, enum gbx_word otherwise) {
        for (enum gbx_word word = GBX_WORD_NONE; name && word < GBX_WORD_COUNT; word++)
                if (words[word].speaker == speaker && strcmp(words[word].name, name) == 0)
                        return word;
        return otherwise;
}

enum gbx_word gbx_word_of_host(const char *rule) { return find(HOST, rule, GBX_WORD_FAILED); }

enum gbx_word gbx_word_of_sandbox(const char *limit) { return find(SANDBOX, limit, GBX_WORD_LIMIT); }

const char *gbx_word_name(enum gbx_word word) { return words[word].name; }

const char *gbx_word_text(enum gbx_word word) { return words[word].text; }

bool gbx_word_is_limit(enum gbx_word word) { return words[word].limit; }

bool gbx_word_has_line(enum gbx_word word) { return words[word].line; }
