#include "base/json.h"
#include "gateway/run/outcome.h"

#include <string.h>

const char *gbx_run_state_name(enum gbx_run_state state) {
        static const char *const names[] = { "denied", "failed", "limit", "held", "refused", "released" };

        return names[state];
}

void gbx_run_outcome_free(struct gbx_run_outcome *outcome) {
        json_decref(outcome->reasons);
        json_decref(outcome->report);
        *outcome = (struct gbx_run_outcome){};
}

enum gbx_run_state gbx_run_judge(const struct gbx_execution_result *result, json_t **ret_reason) {
        const char *outcome = json_string_value(json_object_get(result->sandbox, "outcome"));
        const char *limit = json_string_value(json_object_get(result->sandbox, "limit"));
        const char *end = json_string_value(json_object_get(result->end, "end"));
        const char *rule = json_string_value(json_object_get(result->end, "rule"));
        bool clean = outcome && strcmp(outcome, "exited") == 0 && gbx_json_number(result->sandbox, "exit_code") == 0;

        if (limit) {
                *ret_reason = json_sprintf("limit reached: %s", limit);
                return GBX_RUN_LIMITED;
        }
        if (rule && (!end || strcmp(end, "done") != 0)) {
                json_int_t line = gbx_json_number(result->end, "line");

                *ret_reason = line > 0 ? json_sprintf("%s at line %lld of the script", rule, (long long)line) : json_sprintf("%s", rule);
                return strstr(rule, "limit") ? GBX_RUN_LIMITED : GBX_RUN_FAILED;
        }
        if (!clean) {
                *ret_reason = json_string("the program failed");
                return GBX_RUN_FAILED;
        }
        *ret_reason = NULL;
        return GBX_RUN_RELEASED;
}
