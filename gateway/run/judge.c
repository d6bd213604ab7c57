#include "base/json.h"
#include "gateway/run/outcome.h"

#include <string.h>

const char *gbx_run_state_name(enum gbx_run_state state) {
        static const char *const names[] = { "denied", "failed", "limit", "held", "refused", "released", "cancelled" };

        return names[state];
}

void gbx_run_outcome_free(struct gbx_run_outcome *outcome) {
        json_decref(outcome->reasons);
        json_decref(outcome->report);
        *outcome = (struct gbx_run_outcome){};
}

static enum gbx_word find_word(const struct gbx_execution_result *result) {
        const char *outcome = json_string_value(json_object_get(result->sandbox, "outcome"));
        const char *limit = json_string_value(json_object_get(result->sandbox, "limit"));
        const json_t *code = json_object_get(result->sandbox, "exit_code");

        if (outcome && strcmp(outcome, "cancelled") == 0)
                return GBX_WORD_CANCELLED;
        if (limit)
                return gbx_word_of_sandbox(limit);
        if (result->end.word != GBX_WORD_NONE)
                return result->end.word;
        return outcome && strcmp(outcome, "exited") == 0 && json_is_integer(code) && json_integer_value(code) == 0 ? GBX_WORD_NONE
                                                                                                                    : GBX_WORD_FAILED;
}

enum gbx_run_state gbx_run_judge(const struct gbx_execution_result *result, const struct gbx_policy_messages *messages,
                                 json_t **ret_reason) {
        enum gbx_word word = find_word(result);
        const char *name = gbx_word_has_line(word) ? gbx_word_name(word) : NULL;

        if (word == GBX_WORD_NONE) {
                *ret_reason = NULL;
                return GBX_RUN_RELEASED;
        }
        if (name && result->end.line > 0 && messages->line)
                *ret_reason = json_sprintf("%s at line %u of the script: %s", name, result->end.line, gbx_word_text(word));
        else if (name)
                *ret_reason = json_sprintf("%s: %s", name, gbx_word_text(word));
        else
                *ret_reason = json_string(gbx_word_text(word));
        if (word == GBX_WORD_CANCELLED)
                return GBX_RUN_CANCELLED;
        return gbx_word_is_limit(word) ? GBX_RUN_LIMITED : GBX_RUN_FAILED;
}
