/* Users, approvals and datasets (checks.h) */
#include "gateway/audit/checks.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/algorithm/find.h"
#include "gateway/data/owner.h"
#include "gateway/people/users.h"
#include "gateway/review/approvals.h"
#include "gateway/store/fact.h"
#include "gateway/store/objects.h"
#include "policy/sshsig.h"
#include "policy/transfer_statement.h"
#include "runtime/vault/manifest.h"

#include <string.h>

int gbx_replay_check_signed(struct gbx_replay_state *state, const char *who, const char *object, const char *signature_object,
                            struct gbx_buffer *ret_text, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer signature = {};
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        struct gbx_ssh_key key;
        int r = gbx_fact_one(&state->then, &user, err, "user", "name=?1 AND state='active'", who, NULL);

        if (r > 0)
                return gbx_fail(err, -ENOENT, "'%s' was not an active user", who);
        if (r >= 0)
                r = gbx_object_get(state->then.directory, object, ret_text, err);
        if (r >= 0)
                r = gbx_object_get(state->then.directory, signature_object, &signature, err);
        if (r >= 0)
                r = gbx_ssh_key_parse(gbx_json_text(user, "ssh_key"), &key, err);
        state->report->signatures++;
        return r < 0 ? r : gbx_sshsig_verify(&key, GBX_SSHSIG_NAMESPACE, ret_text->data, ret_text->size, gbx_buffer_text(&signature),
                                             signature.size, err);
}

static int64_t entry_time(const struct gbx_replay_state *state) {
        int64_t time = 0;

        (void)gbx_time_parse(gbx_replay_top(state, "time"), &time, NULL);
        return time;
}

int gbx_replay_check_key(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        int r = gbx_fact_one(&state->then, &user, err, "user", "name=?1 AND state='active'", gbx_replay_top(state, "actor"), NULL);

        if (r > 0)
                return gbx_fail(err, -ENOENT, "'%s' was not an active user", gbx_replay_top(state, "actor"));
        return r < 0 || strcmp(gbx_json_text(user, "ssh_key"), gbx_replay_detail(state, "ssh_key")) == 0
                       ? r
                       : gbx_fail(err, -EBADMSG, "the key was another one");
}

/* What the entry says of the approval is what was signed, and the key that of the reviewer at that moment. */
static int check_said(struct gbx_replay_state *state, const struct gbx_approval *approval, struct gbx_error *err) {
        char expires[GBX_TIME_TEXT_SIZE];

        gbx_time_text(approval->expires, expires);
        if (strcmp(approval->purpose, gbx_replay_detail(state, "purpose")) != 0 ||
            strcmp(approval->policy, gbx_replay_detail(state, "policy")) != 0 ||
            strcmp(expires, gbx_replay_detail(state, "expires")) != 0)
                return gbx_fail(err, -EBADMSG, "the entry says something else than the statement");
        return gbx_replay_check_key(state, err);
}

static int check_approval(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_approval *approval = calloc(1, sizeof *approval);
        gbx_auto(gbx_buffer_free) struct gbx_buffer statement = {};
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL;
        struct gbx_error problem = {};
        int r = approval ? gbx_replay_check_signed(state, gbx_replay_top(state, "actor"), gbx_replay_detail(state, "statement"),
                                        gbx_replay_detail(state, "signature"), &statement, &problem)
                         : gbx_fail_memory(&problem);

        if (r >= 0)
                r = gbx_approval_parse(gbx_buffer_text(&statement), statement.size, approval, &problem);
        if (r >= 0)
                r = gbx_find_algorithm(&state->then, gbx_replay_top(state, "object"), &algorithm, &problem);
        if (r >= 0)
                r = gbx_check_statement(&state->then, algorithm, approval, gbx_buffer_text(&statement), statement.size, entry_time(state),
                                        gbx_replay_detail(state, "statement"), &problem);
        if (r >= 0 && strcmp(approval->reviewer, gbx_replay_top(state, "actor")) != 0)
                r = gbx_fail(&problem, -EBADMSG, "the statement is of another reviewer");
        if (r >= 0)
                r = check_said(state, approval, &problem);
        return r < 0 ? gbx_replay_diverge(state, err, "%s", problem.message) : 0;
}

/* One key, one person. */
static int check_user(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        struct gbx_error problem = {};
        int r = gbx_user_by_key(&state->then, gbx_replay_detail(state, "ssh_key"), &row, &problem);

        if (r < 0)
                return gbx_replay_diverge(state, err, "%s", problem.message);
        return r > 0 || strcmp(gbx_json_text(row, "name"), gbx_replay_top(state, "object")) == 0
                       ? 0
                       : gbx_replay_diverge(state, err, "the key was that of '%s'", gbx_json_text(row, "name"));
}

/* The manifest that the owner signed is about this version of this dataset. */
static int check_manifest(struct gbx_replay_state *state, json_int_t version, const struct gbx_buffer *text, struct gbx_error *err) {
        struct gbx_manifest manifest;
        int r = gbx_manifest_parse(text->data, text->size, &manifest, err);

        if (r < 0)
                return r;
        if (strcmp(manifest.id, gbx_replay_top(state, "object")) != 0 || manifest.version != (uint64_t)version ||
            strcmp(manifest.owner, gbx_replay_detail(state, "owner")) != 0 || strcmp(manifest.site, state->then.origin) != 0 ||
            strcmp(manifest.schema, gbx_replay_detail(state, "schema_source")) != 0 ||
            strcmp(manifest.ciphertext, gbx_replay_detail(state, "ciphertext")) != 0)
                return gbx_fail(err, -EBADMSG, "it is about another dataset, version, owner, schema or file");
        return 0;
}

static int check_dataset(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *before = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        const char *owner = gbx_replay_detail(state, "owner");
        char belongs[GBX_OWNER_SIZE];
        struct gbx_error problem = {};
        json_int_t version = gbx_json_number(json_object_get(state->entry, "details"), "version");
        int r = gbx_fact_one(&state->then, &before, err, "dataset", "name=?1", gbx_replay_top(state, "object"), NULL);

        if (r < 0)
                return r;
        if (r >= 0 && gbx_dataset_owner(&state->then, gbx_replay_top(state, "object"), belongs, &problem) == 0 && strcmp(belongs, owner) != 0)
                r = gbx_replay_diverge(state, err, "the name belonged to '%s'", belongs);
        if (r >= 0 && version != gbx_json_number(before, "version") + 1)
                r = gbx_replay_diverge(state, err, "the next version was %lld", (long long)gbx_json_number(before, "version") + 1);
        if (r < 0 || !*gbx_replay_detail(state, "signature"))
                return r < 0 ? r : 0;
        r = gbx_replay_check_signed(state, owner, gbx_replay_detail(state, "manifest"), gbx_replay_detail(state, "signature"), &text, &problem);
        if (r >= 0)
                r = check_manifest(state, version, &text, &problem);
        return r < 0 ? gbx_replay_diverge(state, err, "the owner's manifest: %s", problem.message) : 0;
}

/* A dataset changes hands by the signatures of both. */
static int check_transfer(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, again = {};
        gbx_auto(gbx_free_pointer) struct gbx_transfer *transfer = calloc(1, sizeof *transfer);
        const char *from = gbx_replay_detail(state, "from"), *to = gbx_replay_detail(state, "owner"), *object = gbx_replay_top(state, "object");
        char belongs[GBX_OWNER_SIZE];
        struct gbx_error problem = {};
        int r = transfer ? gbx_replay_check_signed(state, from, gbx_replay_detail(state, "statement"), gbx_replay_detail(state, "signature_from"),
                                                   &text, &problem)
                         : gbx_fail_memory(&problem);

        if (r >= 0)
                r = gbx_replay_check_signed(state, to, gbx_replay_detail(state, "statement"), gbx_replay_detail(state, "signature_to"), &again,
                                            &problem);
        if (r >= 0)
                r = gbx_transfer_parse(gbx_buffer_text(&text), text.size, transfer, &problem);
        if (r < 0)
                return gbx_replay_diverge(state, err, "%s", problem.message);
        if (gbx_dataset_owner(&state->then, object, belongs, &problem) != 0 || strcmp(belongs, from) != 0)
                return gbx_replay_diverge(state, err, "the dataset was not of '%s'", from);
        if (strcmp(transfer->dataset, object) != 0 || strcmp(transfer->from, from) != 0 || strcmp(transfer->to, to) != 0)
                return gbx_replay_diverge(state, err, "the statement is about another transfer");
        return 0;
}

/* What a rebuild found stays to be seen, though the view it found it in is gone. */
static int check_rebuild(struct gbx_replay_state *state, struct gbx_error *err) {
        const json_t *differences = json_object_get(json_object_get(state->entry, "details"), "differences");
        size_t i;
        json_t *difference;
        int r = 0;

        json_array_foreach(differences, i, difference) {
                gbx_auto(gbx_json_freep) json_t *text = json_sprintf("the view had been changed: %s", json_string_value(difference));

                if (r >= 0)
                        r = gbx_replay_note(state, json_string_value(text), err);
        }
        return r;
}

const struct gbx_replay_rule gbx_replay_people[] = {
        { "user.add", check_user },           { "user.change", check_user },      { "review.approve", check_approval },
        { "data.add", check_dataset },        { "data.transfer", check_transfer }, { "audit.rebuild", check_rebuild }, {},
};
