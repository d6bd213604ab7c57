#include "gateway/api/log_source.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/audit/source.h"
#include "gateway/store/keys.h"

#include <stdio.h>
#include <string.h>

void gbx_api_log_free(struct gbx_api_log *log) {
        free(log->path);
        log->path = NULL;
}

int gbx_api_log_find(struct gbx_session *session, const json_t *request, struct gbx_api_log *ret, struct gbx_error *err) {
        const char *given = gbx_json_text(request, "log");
        char *path = NULL, *site = NULL;
        int r;

        if (given ? !(path = strdup(given)) : asprintf(&path, "%s/log", session->site_path) < 0)
                return gbx_fail_memory(err);
        r = given ? gbx_log_site(given, &site, err) : 1;
        if (r < 0) {
                free(path);
                return r;
        }
        if (site) { /* the site that is named by its log is the one that is asked */
                free(session->owned_site_path);
                session->site_path = session->owned_site_path = site;
        }
        *ret = (struct gbx_api_log){ path, given != NULL, !given || site };
        return 0;
}

int gbx_api_log_open(struct gbx_session *session, const json_t *request, const char *action, struct gbx_api_log *ret,
                     struct gbx_error *err) {
        struct gbx_api_log log = {};
        int r = gbx_api_log_find(session, request, &log, err);

        if (r >= 0 && log.own)
                r = gbx_session_open(session, action, err);
        if (r < 0) {
                gbx_api_log_free(&log);
                return r;
        }
        *ret = log;
        return 0;
}

int gbx_api_log_verifier(struct gbx_session *session, const json_t *request, struct gbx_note_verifier *ret, struct gbx_error *err) {
        const char *text = gbx_json_text(request, "vkey");
        int r;

        if (text) {
                r = gbx_note_verifier_parse(text, strlen(text), ret, err);
                return r < 0 ? gbx_context(err, r, "--vkey") : 0;
        }
        if (gbx_json_text(request, "log"))
                return gbx_fail(err, -EINVAL, "--log needs --vkey: the key of a log is not taken from the log itself");
        r = gbx_site_log_verifier(session->site_path, ret, err);
        return r < 0 ? gbx_context(err, r, "no --vkey, and no site to take it from") : 0;
}

int gbx_api_witness_policy(const json_t *request, struct gbx_witness_policy **ret, struct gbx_error *err) {
        const json_t *text = json_object_get(request, "witness-policy");
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = NULL;
        int r;

        if (!text)
                return 0;
        policy = calloc(1, sizeof *policy);
        if (!policy)
                return gbx_fail_memory(err);
        r = gbx_witness_policy_parse(json_string_value(text), json_string_length(text), policy, err);
        if (r >= 0)
                *ret = gbx_take_ptr(policy);
        return r < 0 ? gbx_context(err, r, "--witness-policy") : 0;
}
