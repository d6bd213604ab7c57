#include "gateway/review/outputs_request.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/log/writer/log.h"
#include "gateway/review/outputs.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/objects.h"
#include "policy/decision_outputs.h"

#include <string.h>

int gbx_outputs_policy(struct gbx_site *site, const json_t *row, struct gbx_policy **ret, struct gbx_error *err) {
        const char *digest = gbx_json_text(row, "policy");
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        int r = digest ? gbx_object_get(site->directory, digest, &source, err)
                       : gbx_fail(err, -EBADMSG, "the log names no policy of %s", gbx_json_text(row, "id"));

        return r < 0 ? r : gbx_policy_parse(ret, digest, source.data, source.size, NULL, err);
}

/* Who somebody is now: key (NULL: removed), roles as text, since when. */
static int find_person(struct gbx_site *site, const char *name, json_t **ret, struct gbx_error *err) {
        int r = gbx_fact_one(site, ret, err, "user", "name=?1", name, NULL);

        return r > 0 ? gbx_fail(err, -EBADMSG, "the log knows no user '%s'", name) : r;
}

static json_t *decision_json(const json_t *user, const char *statement, const char *signature, json_int_t seq) {
        bool active = strcmp(gbx_json_text(user, "state"), "active") == 0;

        return json_pack("{s:s, s:o, s:s?, s:I, s:s, s:s, s:I, s:b}", "reviewer", gbx_json_text(user, "name"), "roles", gbx_roles_column_text(gbx_json_text(user, "roles")), "key",
                         active ? gbx_json_text(user, "ssh_key") : NULL, "key_since", gbx_json_number(user, "since"), "statement", statement,
                         "signature", signature, "seq", seq, "withdrawn", 0);
}

static int add_recorded(struct gbx_site *site, const json_t *review, json_t *decisions, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer statement = {}, signature = {};
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        int r = find_person(site, gbx_json_text(review, "reviewer"), &user, err);

        if (r >= 0)
                r = gbx_object_get(site->directory, gbx_json_text(review, "statement"), &statement, err);
        if (r >= 0)
                r = gbx_object_get(site->directory, gbx_json_text(review, "signature"), &signature, err);
        if (r >= 0 && json_array_append_new(decisions, decision_json(user, gbx_buffer_text(&statement), gbx_buffer_text(&signature),
                                                                     gbx_json_number(review, "seq"))) < 0)
                r = gbx_fail_memory(err);
        return r;
}

/* All but the decisions. */
static int describe(struct gbx_site *site, const json_t *row, int64_t time, json_t *decisions, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL, *requester = NULL, *submitter = NULL;
        char now[GBX_TIME_TEXT_SIZE];
        int r = gbx_fact_one(site, &algorithm, err, "algorithm", "digest=?1", gbx_json_text(row, "algorithm"), NULL);

        if (r > 0)
                r = gbx_fail(err, -EBADMSG, "the log knows no algorithm %s", gbx_json_text(row, "algorithm"));
        if (r >= 0)
                r = find_person(site, gbx_json_text(row, "requester"), &requester, err);
        if (r >= 0)
                r = find_person(site, gbx_json_text(algorithm, "submitter"), &submitter, err);
        if (r < 0)
                return r;
        gbx_time_text(time, now);
        *ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "site", site->origin, "now", now, "run",
                         gbx_json_text(row, "id"), "outputs", gbx_json_text(row, "output"), "findings", gbx_json_text(row, "findings"),
                         "recipient", gbx_json_text(row, "requester"), "policy", gbx_json_text(row, "policy"), "requester",
                         gbx_json_text(row, "requester"), "requester_key", gbx_json_text(requester, "ssh_key"), "submitter",
                         gbx_json_text(algorithm, "submitter"), "submitter_key", gbx_json_text(submitter, "ssh_key"), "decisions", decisions);
        return *ret ? 0 : gbx_fail(err, -EBADMSG, "the log does not say what was held of %s", gbx_json_text(row, "id"));
}

static int decide(struct gbx_site *site, const json_t *row, int64_t time, json_t *decisions, struct gbx_verdict *ret, struct gbx_error *err) {
        gbx_auto(gbx_outputs_request_free) struct gbx_outputs_request request = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        int r = gbx_outputs_policy(site, row, &policy, err);

        if (r >= 0)
                r = describe(site, row, time, decisions, &json, err);
        if (r >= 0)
                r = gbx_outputs_request_from_json(json, &request, err);
        return r < 0 ? r : gbx_decide_outputs(policy, &request, ret, err);
}

int gbx_outputs_decide(struct gbx_site *site, const json_t *row, int64_t time, struct gbx_verdict *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *reviews = NULL, *decisions = json_array();
        size_t i;
        json_t *review;
        int r = gbx_fact_rows(site, &reviews, err, "output_review", "run=?1", gbx_json_text(row, "id"), NULL);

        json_array_foreach(reviews, i, review)
                if (r >= 0)
                        r = add_recorded(site, review, decisions, err);
        return r < 0 ? r : decide(site, row, time, decisions, ret, err);
}

int gbx_outputs_decide_with(struct gbx_site *site, const json_t *row, int64_t time, const struct gbx_caller *caller,
                            const struct gbx_signed_statement *given, struct gbx_verdict *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *user = NULL, *decisions = json_array(), *word = NULL;
        gbx_auto(gbx_free_pointer) char *statement = strndup(given->statement, given->statement_size);
        gbx_auto(gbx_free_pointer) char *signature = strndup(given->signature, given->signature_size);
        int r = statement && signature ? gbx_fact_one(site, &user, err, "user", "name=?1", gbx_caller_name(caller), NULL) : gbx_fail_memory(err);

        if (r > 0)
                return gbx_fail(err, -EKEYREJECTED, "'%s' is not a user of this site", gbx_caller_name(caller));
        if (r < 0)
                return r;
        word = decision_json(user, statement, signature, (json_int_t)gbx_log_size(site->log));
        if (!word)
                return gbx_fail(err, -EINVAL, "statement and signature must be text");
        if (json_array_append(decisions, word) < 0)
                return gbx_fail_memory(err);
        return decide(site, row, time, decisions, ret, err);
}
