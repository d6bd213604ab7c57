#include "gateway/review/approvals.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/objects.h"
#include "gateway/store/policies.h"
#include "gateway/store/transaction.h"
#include "policy/reviewer.h"
#include "policy/sshsig.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The current version of each dataset that the policy covers and the site has. */
static int add_datasets(struct gbx_site *site, const struct gbx_policy *policy, struct gbx_approval *approval,
                        struct gbx_error *err) {
        for (size_t i = 0; i < policy->datasets.count; i++) {
                gbx_auto(gbx_json_freep) json_t *row = NULL;
                struct gbx_approval_dataset *dataset = &approval->datasets[approval->dataset_count];
                int r = gbx_fact_one(site, &row, err, "dataset", "name=?1 AND state='active'", policy->datasets.items[i], NULL);

                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (approval->dataset_count == GBX_APPROVAL_MAX_DATASETS)
                        return gbx_fail(err, -EINVAL, "the policy covers more than %d datasets", GBX_APPROVAL_MAX_DATASETS);
                (void)snprintf(dataset->name, sizeof dataset->name, "%s", policy->datasets.items[i]);
                dataset->version = (uint64_t)json_integer_value(json_object_get(row, "version"));
                (void)snprintf(dataset->digest, sizeof dataset->digest, "%s", json_string_value(json_object_get(row, "manifest")));
                approval->dataset_count++;
        }
        return approval->dataset_count ? 0
                                       : gbx_fail(err, -ENOENT, "the site has none of the datasets of the policy '%s'", policy->name);
}

/* The text for what `approval` has of its own (purpose, reviewer, times, nonce) and what the site knows now. */
static int complete(struct gbx_site *site, const json_t *algorithm, const struct gbx_policy *policy, struct gbx_approval *approval,
                    struct gbx_buffer *ret_text, struct gbx_error *err) {
        int r, engine = gbx_engine_parse(json_string_value(json_object_get(algorithm, "engine")));

        if (engine < 0)
                return gbx_fail(err, -EINVAL, "the algorithm names an unknown engine");
        approval->engine = (enum gbx_engine)engine;
        approval->dataset_count = 0;
        (void)snprintf(approval->site, sizeof approval->site, "%s", site->origin);
        (void)snprintf(approval->algorithm, sizeof approval->algorithm, "%s",
                       json_string_value(json_object_get(algorithm, "digest")));
        (void)snprintf(approval->policy, sizeof approval->policy, "%s", policy->digest);
        r = add_datasets(site, policy, approval, err);
        return r < 0 ? r : gbx_approval_text(approval, ret_text, err);
}

/* A user as policy/reviewer.h asks for one; `ret_row` keeps the texts. Somebody who is no user (the operator) has neither key
 * nor roles; who was removed has a key that can be compared, and no roles. */
static int find_reviewer(struct gbx_site *site, const char *name, json_t **ret_row, struct gbx_reviewer *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *roles = NULL;
        struct gbx_reviewer found = { .name = name };
        int r = gbx_fact_one(site, &row, err, "user", "name=?1", name, NULL);

        if (r == 0) {
                found.key = gbx_json_text(row, "ssh_key");
                roles = json_loads(gbx_json_text(row, "roles"), 0, NULL);
                if (strcmp(gbx_json_text(row, "state"), "active") == 0)
                        r = gbx_roles_from_list(roles, &found.roles, err);
        }
        if (r < 0)
                return r;
        *ret_row = gbx_take_ptr(row);
        *ret = found;
        return 0;
}

/* What would not count is refused before it is signed, and again before it is recorded: nobody reads "Approved" in vain. */
static int check_counts(struct gbx_site *site, const json_t *algorithm, const struct gbx_policy *policy, const char *reviewer,
                        struct gbx_error *err) {
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        gbx_auto(gbx_json_freep) json_t *reviewer_row = NULL, *submitter_row = NULL;
        struct gbx_reviewer reviewing, submitting;
        int r = find_reviewer(site, reviewer, &reviewer_row, &reviewing, err);

        if (r >= 0)
                r = find_reviewer(site, gbx_json_text(algorithm, "submitter"), &submitter_row, &submitting, err);
        if (r >= 0)
                r = gbx_policy_reviewer_counts(policy, GBX_REVIEW_ALGORITHM, &reviewing, &submitting, NULL, &verdict, err);
        if (r < 0 || verdict.outcome == GBX_OUTCOME_ALLOWED)
                return r < 0 ? r : 0;
        return gbx_fail(err, -EKEYREJECTED, "it would not count under the policy '%s': %s (%s)", policy->name,
                        verdict.reasons[0].text, verdict.reasons[0].code);
}

/* A statement must be newer than its reviewer's last rejection, and times are whole seconds: one that is asked for in the
 * second of the rejection is made in the next. A clock that was set back is not waited for. */
static int wait_for_next_second(struct gbx_site *site, const json_t *algorithm, const char *reviewer, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rejected = NULL;
        int64_t time = 0;
        int r = gbx_fact_one(site, &rejected, err, "approval", "algorithm=?1 AND reviewer=?2 AND decision='reject'",
                             gbx_json_text(algorithm, "digest"), reviewer, NULL);

        if (r != 0)
                return r < 0 ? r : 0;
        (void)gbx_time_parse(gbx_json_text(rejected, "time"), &time, NULL);
        for (int i = 0; i < 120 && gbx_time_now() == time; i++)
                (void)nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
        return 0;
}

int gbx_make_statement(struct gbx_site *site, const json_t *algorithm, const char *purpose, const char *reviewer, int64_t expires,
                       struct gbx_buffer *ret_text, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_free_pointer) struct gbx_approval *approval = calloc(1, sizeof *approval);
        uint8_t nonce[GBX_NONCE_SIZE];
        int r = approval ? gbx_policy_in_force(site, purpose, &policy, err) : gbx_fail_memory(err);

        if (r >= 0)
                r = check_counts(site, algorithm, policy, reviewer, err);
        if (r >= 0)
                r = wait_for_next_second(site, algorithm, reviewer, err);
        if (r >= 0)
                r = gbx_random(nonce, sizeof nonce, err);
        if (r < 0)
                return r;
        gbx_nonce_text(nonce, approval->nonce);
        approval->made = gbx_time_now();
        approval->expires = expires ? expires : approval->made + (int64_t)(policy->approvals.valid_ms / 1000);
        (void)snprintf(approval->purpose, sizeof approval->purpose, "%s", purpose);
        (void)snprintf(approval->reviewer, sizeof approval->reviewer, "%s", reviewer);
        return complete(site, algorithm, policy, approval, ret_text, err);
}

/* The statement must be one that this site would make at that time, of its own time and nonce. */
static int check_text(struct gbx_site *site, const json_t *algorithm, const struct gbx_approval *approval, const void *statement,
                      size_t size, int64_t time, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_free_pointer) struct gbx_approval *now = malloc(sizeof *now);
        gbx_auto(gbx_buffer_free) struct gbx_buffer expected = {};
        int r;

        if (!now)
                return gbx_fail_memory(err);
        if (approval->expires <= time)
                return gbx_fail(err, -EINVAL, "the statement has expired");
        if (approval->made > time)
                return gbx_fail(err, -EINVAL, "the statement was made at a time that has not come yet");
        *now = *approval;
        r = gbx_policy_in_force(site, approval->purpose, &policy, err);
        if (r >= 0)
                r = complete(site, algorithm, policy, now, &expected, err);
        if (r < 0)
                return r;
        if (expected.size != size || memcmp(expected.data, statement, size) != 0)
                return gbx_fail(err, -EINVAL, "the statement is not about the algorithm, datasets and policy as they stand here now; "
                                              "get the current one with: gbx review statement");
        return 0;
}

static int verify(struct gbx_site *site, const struct gbx_approval *approval, const void *statement, size_t statement_size,
                  const void *signature, size_t signature_size, json_t **ret_user, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        struct gbx_ssh_key key;
        int r = gbx_fact_one(site, &row, err, "user", "name=?1 AND state='active'", approval->reviewer, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -EKEYREJECTED, "the reviewer '%s' is not a user of this site", approval->reviewer);
        r = gbx_ssh_key_parse(json_string_value(json_object_get(row, "ssh_key")), &key, err);
        if (r >= 0)
                r = gbx_sshsig_verify(&key, GBX_SSHSIG_NAMESPACE, statement, statement_size, signature, signature_size, err);
        if (r < 0)
                return gbx_context(err, r, "the signature of '%s'", approval->reviewer);
        *ret_user = gbx_take_ptr(row);
        return 0;
}

/* A statement that was withdrawn is dead, and so is one that is older than the reviewer's last rejection: whoever kept it and
 * its signature cannot bring it again. */
static int check_fresh(struct gbx_site *site, const struct gbx_approval *approval, const char *statement, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *used = NULL, *rejected = NULL;
        char made[GBX_TIME_TEXT_SIZE];
        int r = gbx_fact_one(site, &used, err, "approval", "statement=?1", statement, NULL);

        if (r == 0 && strcmp(gbx_json_text(used, "state"), "active") == 0)
                return GBX_STATEMENT_STANDS;
        if (r == 0)
                return gbx_fail(err, -EKEYREJECTED, "an approval with this statement was withdrawn; get a new one with: gbx review statement");
        if (r > 0)
                r = gbx_fact_one(site, &rejected, err, "approval", "algorithm=?1 AND reviewer=?2 AND decision='reject'", approval->algorithm,
                                 approval->reviewer, NULL);
        if (r != 0)
                return r < 0 ? r : 0;
        gbx_time_text(approval->made, made);
        /* times are whole seconds: of the same second, which came first cannot be told, and it is dead */
        return strcmp(made, gbx_json_text(rejected, "time")) > 0
                       ? 0
                       : gbx_fail(err, -EKEYREJECTED, "the statement is not newer than the rejection in entry %lld; get a new one with: "
                                                      "gbx review statement", (long long)gbx_json_number(rejected, "seq"));
}

int gbx_check_statement(struct gbx_site *site, const json_t *algorithm, const struct gbx_approval *approval, const void *statement,
                        size_t size, int64_t time, const char *digest, struct gbx_error *err) {
        int r = check_text(site, algorithm, approval, statement, size, time, err);

        return r < 0 ? r : check_fresh(site, approval, digest, err);
}

static int record_approval(struct gbx_transaction *transaction, const struct gbx_approval *approval, const char *statement,
                           const char *signature, const json_t *user, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        char expires[GBX_TIME_TEXT_SIZE];

        gbx_time_text(approval->expires, expires);
        details = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "purpose", approval->purpose, "policy", approval->policy, "statement",
                            statement, "signature", signature, "ssh_key", gbx_json_text(user, "ssh_key"), "expires", expires);
        return gbx_transaction_record(transaction, &(struct gbx_action){ "review.approve", approval->algorithm, "done", NULL, details }, NULL,
                                      err);
}

static int check_reviewer(struct gbx_site *site, const json_t *algorithm, const struct gbx_approval *approval, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        int r = gbx_policy_in_force(site, approval->purpose, &policy, err);

        return r < 0 ? r : check_counts(site, algorithm, policy, approval->reviewer, err);
}

int gbx_take_approval(struct gbx_site *site, const struct gbx_caller *caller, const json_t *algorithm,
                      const struct gbx_signed_statement *given, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_free_pointer) struct gbx_approval *approval = calloc(1, sizeof *approval);
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        char statement[GBX_SHA256_TEXT_SIZE], signature[GBX_SHA256_TEXT_SIZE];
        int r = approval ? gbx_approval_parse(given->statement, given->statement_size, approval, err) : gbx_fail_memory(err);

        if (r >= 0 && strcmp(approval->reviewer, gbx_caller_name(caller)) != 0)
                r = gbx_fail(err, -EKEYREJECTED, "the statement is of the reviewer '%s', not of '%s'", approval->reviewer,
                             gbx_caller_name(caller));
        if (r >= 0)
                r = gbx_object_put(site->directory, given->statement, given->statement_size, statement, err);
        if (r >= 0)
                r = gbx_object_put(site->directory, given->signature, given->signature_size, signature, err);
        if (r >= 0)
                r = gbx_transaction_begin(&transaction, site, caller, "review approve", err);
        if (r >= 0)
                r = verify(site, approval, given->statement, given->statement_size, given->signature, given->signature_size, &user, err);
        if (r >= 0)
                r = gbx_check_statement(site, algorithm, approval, given->statement, given->statement_size, gbx_time_now(), statement, err);
        if (r == GBX_STATEMENT_STANDS)
                return 0;
        if (r >= 0)
                r = check_reviewer(site, algorithm, approval, err);
        if (r >= 0)
                r = record_approval(transaction, approval, statement, signature, user, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}

int gbx_reject_algorithm(struct gbx_site *site, const struct gbx_caller *caller, const json_t *algorithm, const char *reason,
                         struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *reasons = json_pack("[s]", reason);

        return gbx_record(site, caller, "review reject",
                          &(struct gbx_action){ "review.reject", gbx_json_text(algorithm, "digest"), "done", reasons, NULL }, err);
}
