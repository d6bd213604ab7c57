#include "policy/flow_rule.h"

#include "policy/host.h"

#include <string.h>

enum { DAY_SECONDS = 24 * 60 * 60, EPOCH_WEEKDAY = 3 /* 1970-01-01 was a Thursday; Monday is 0 */ };

static bool listed(char **texts, const char *text) {
        for (; texts && *texts; texts++)
                if (strcmp(*texts, text) == 0)
                        return true;
        return false;
}

static bool weekday_allowed(const struct gbx_flow_rule *rule, int64_t day) {
        return rule->days >> ((day + EPOCH_WEEKDAY) % 7) & 1;
}

bool gbx_flow_in_window(const struct gbx_flow_rule *rule, int64_t now) {
        int64_t day = now / DAY_SECONDS;
        int minute = (int)(now % DAY_SECONDS / 60);

        if (now < 0)
                return false;
        if (rule->from == rule->to)
                return weekday_allowed(rule, day);
        if (rule->from < rule->to)
                return weekday_allowed(rule, day) && minute >= rule->from && minute < rule->to;
        /* Over midnight: the hours after it belong to the day on which the window began. */
        if (minute >= rule->from)
                return weekday_allowed(rule, day);
        return minute < rule->to && weekday_allowed(rule, day + 6);
}

static bool method_allowed(const struct gbx_flow_rule *rule, const char *method) {
        if (rule->methods)
                return listed(rule->methods, method);
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static bool path_allowed(const struct gbx_flow_rule *rule, const char *path) {
        if (!rule->paths)
                return true;
        for (char **prefix = rule->paths; *prefix; prefix++) {
                size_t length = strlen(*prefix);

                if (strncmp(path, *prefix, length) == 0 &&
                    ((*prefix)[length - 1] == '/' || path[length] == '/' || path[length] == '\0'))
                        return true;
        }
        return false;
}

bool gbx_flow_readable(const struct gbx_flow_rule *rule) {
        return rule->scheme == GBX_FLOW_HTTP || (rule->scheme == GBX_FLOW_HTTPS && rule->tls == GBX_FLOW_TLS_INSPECT);
}

bool gbx_flow_response_type_allowed(const struct gbx_flow_rule *rule, const char *media_type) {
        return !rule->response_types || listed(rule->response_types, media_type);
}

/* How far a rule gets with the request. */
static enum gbx_refusal judge(const struct gbx_flow_rule *rule, const struct gbx_flow_request *request) {
        if (!gbx_host_matches(rule->host, request->host))
                return GBX_REFUSAL_HOST;
        if (rule->port != request->port)
                return GBX_REFUSAL_PORT;
        if (request->scheme && rule->scheme != *request->scheme)
                return GBX_REFUSAL_SCHEME;
        if (!gbx_flow_in_window(rule, request->now))
                return GBX_REFUSAL_WINDOW;
        if (request->method && !method_allowed(rule, request->method))
                return GBX_REFUSAL_METHOD;
        if (request->path && !path_allowed(rule, request->path))
                return GBX_REFUSAL_PATH;
        if (request->request_type && rule->request_types && !listed(rule->request_types, request->request_type))
                return GBX_REFUSAL_REQUEST_TYPE;
        return GBX_REFUSAL_NONE;
}

const struct gbx_flow_rule *gbx_flow_match(const struct gbx_flow_rules *rules, const struct gbx_flow_request *request,
                                           enum gbx_refusal *ret_refusal) {
        const struct gbx_flow_rule *first = NULL;
        enum gbx_refusal nearest = GBX_REFUSAL_HOST;

        for (size_t i = 0; i < rules->count; i++) {
                const struct gbx_flow_rule *rule = &rules->rules[i];
                enum gbx_refusal refusal = judge(rule, request);

                if (refusal > GBX_REFUSAL_PORT || refusal == GBX_REFUSAL_NONE) {
                        if (!first)
                                first = rule;
                        else if (rule->scheme != first->scheme || rule->tls != first->tls)
                                continue;
                }
                if (refusal == GBX_REFUSAL_NONE)
                        return rule;
                if (refusal > nearest)
                        nearest = refusal;
        }
        *ret_refusal = nearest;
        return NULL;
}
