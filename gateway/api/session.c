#include "gateway/api/session.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/job/recover.h"
#include "gateway/people/users.h"
#include "gateway/store/authorise.h"
#include "policy/problems.h"

#include <stdio.h>
#include <string.h>

void gbx_session_close(struct gbx_session *session) {
        for (size_t i = 0; i < session->attachment_count; i++)
                gbx_close_fd(&session->attachments[i].fd);
        session->attachment_count = 0;
        session->site = gbx_site_close(session->site);
        session->owned_caller = gbx_caller_free(session->owned_caller);
        free(session->owned_site_path);
        session->owned_site_path = NULL;
        json_decref(session->labels);
        json_decref(session->problems);
        session->labels = session->problems = NULL;
}

/* Whether nobody is asked who they are. */
static bool is_open(const char *action) {
        struct gbx_action_rule rule;

        for (size_t i = 0; gbx_action_at(i, &rule); i++)
                if (strcmp(rule.action, action) == 0)
                        return rule.open;
        return false;
}

/* What a crash left comes first. */
static int open_site(struct gbx_session *session, struct gbx_error *err) {
        int r;

        if (session->site)
                return 0;
        r = gbx_site_open(&session->site, session->site_path, err);
        if (r >= 0)
                gbx_recover_if_needed(session->site);
        return r;
}

int gbx_session_open(struct gbx_session *session, const char *action, struct gbx_error *err) {
        int r = open_site(session, err);

        if (r < 0 || is_open(action))
                return r;
        r = gbx_authorise_read(session->site, session->caller, action, err);
        if (r >= 0)
                r = gbx_caller_roles(session->site, session->caller, &session->roles, err);
        return r < 0 ? r : gbx_decide_scope(session->roles, action, &session->scope, err);
}

int gbx_session_attach(struct gbx_session *session, const char *field, int fd, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int owned = fd;

        if (session->attachment_count == GBX_SESSION_ATTACHMENTS)
                return gbx_fail(err, -EINVAL, "more than %d files", GBX_SESSION_ATTACHMENTS);
        session->attachments[session->attachment_count++] = (struct gbx_attachment){ field, gbx_take_fd(&owned) };
        return 0;
}

int gbx_session_file(const struct gbx_session *session, const char *field) {
        for (size_t i = 0; i < session->attachment_count; i++)
                if (strcmp(session->attachments[i].field, field) == 0)
                        return session->attachments[i].fd;
        return -1;
}

int gbx_session_read(const struct gbx_session *session, const char *field, size_t limit, struct gbx_buffer *ret, struct gbx_error *err) {
        int r = gbx_read_fd(gbx_session_file(session, field), limit, ret, err);

        return r < 0 ? gbx_context(err, r, "%s", gbx_session_label(session, field)) : 0;
}

const char *gbx_session_label(const struct gbx_session *session, const char *field) {
        const char *label = gbx_json_text(session->labels, field);

        return label ? label : field;
}

int gbx_session_act_as(struct gbx_session *session, const char *name, struct gbx_error *err) {
        struct gbx_caller *caller;
        int r;

        if (session->caller && strcmp(gbx_caller_proof(session->caller), "directory") != 0)
                return gbx_fail(err, -EKEYREJECTED, "only who has the site's directory may act as another");
        r = gbx_caller_directory(&caller, name, err);
        if (r < 0)
                return r;
        session->owned_caller = gbx_caller_free(session->owned_caller);
        session->caller = session->owned_caller = caller;
        return 0;
}

int gbx_session_become(struct gbx_session *session, const char *public_key_line, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        int r = open_site(session, err);

        if (r >= 0)
                r = gbx_user_by_key(session->site, public_key_line, &user, err);
        if (r > 0)
                r = gbx_fail(err, -ENOENT, "no user of this site has this key");
        return r < 0 ? r : gbx_session_act_as(session, gbx_json_text(user, "name"), err);
}

int64_t gbx_request_time(const json_t *request, const char *field) {
        const char *text = gbx_json_text(request, field);
        char whole[GBX_TIME_TEXT_SIZE];
        int64_t seconds = 0;

        if (!text)
                return 0;
        (void)snprintf(whole, sizeof whole, "%.10sT00:00:00Z", text);
        return gbx_time_parse(strlen(text) == 10 ? whole : text, &seconds, NULL) < 0 ? 0 : seconds;
}

bool gbx_request_is(const json_t *request, const char *field) {
        return json_is_true(json_object_get(request, field));
}

void gbx_session_refuse(struct gbx_session *session, const struct gbx_problems *problems) {
        json_t *list;

        if (problems->count == 0 || gbx_problems_json(problems, &list, NULL) < 0)
                return;
        json_decref(session->problems);
        session->problems = list;
}
