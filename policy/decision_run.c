/* May this run start? */
#include "policy/verdict.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/reviewer.h"
#include "policy/sshsig.h"

#include <string.h>

struct deciding {
        const struct gbx_policy *policy;
        const struct gbx_run_request *request;
        struct gbx_verdict *verdict;
        bool denied;
        struct gbx_person submitter, requester; /* whose own signatures count for nothing, where the policy says so */
        struct gbx_voices voices; /* reviewers that count so far */
        struct gbx_error *err;
};

#define DENY(deciding, ...) \
        ({ \
                (deciding)->denied = true; \
                gbx_verdict_add((deciding)->verdict, (deciding)->err, __VA_ARGS__); \
        })
/* A reason that an approval does not count; it denies nothing by itself. */
#define NOTE(deciding, ...) gbx_verdict_add((deciding)->verdict, (deciding)->err, __VA_ARGS__)

static int check_who_and_what(struct deciding *d) {
        const struct gbx_run_request *request = d->request;
        int engine = gbx_engine_parse(request->engine), r = 0;

        if (strcmp(d->policy->purpose, request->purpose) != 0)
                r = DENY(d, "purpose", "the policy is for the purpose '%s', not '%s'", d->policy->purpose, request->purpose);
        if (r >= 0 && !(request->requester_roles & GBX_ROLE_ANALYST))
                r = DENY(d, "role", "'%s' is not an analyst", request->requester);
        if (r >= 0 && (engine < 0 || !(d->policy->engines & 1U << engine)))
                r = DENY(d, "engine", "the policy does not allow the engine '%s'", request->engine);
        return r;
}

static int check_datasets(struct deciding *d) {
        const struct gbx_run_request *request = d->request;
        int r = 0;

        if (request->dataset_count == 0)
                r = DENY(d, "no-dataset", "the request names no dataset");
        for (size_t i = 0; r >= 0 && i < request->dataset_count; i++) {
                const struct gbx_run_dataset *dataset = request->datasets + i;

                if (!gbx_texts_contain(&d->policy->datasets, dataset->name))
                        r = DENY(d, "dataset-not-covered", "the policy does not cover the dataset '%s'", dataset->name);
                if (r >= 0 && !dataset->available)
                        r = DENY(d, "dataset-unavailable", "the dataset '%s' version %llu was revoked or destroyed",
                                 dataset->name, (unsigned long long)dataset->version);
                for (size_t j = 0; r >= 0 && j < i; j++)
                        if (strcmp(dataset->name, request->datasets[j].name) == 0)
                                r = DENY(d, "dataset-repeated", "the dataset '%s' stands twice", dataset->name);
        }
        return r;
}

static int check_parameters(struct deciding *d) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer complaints = {};
        char *rest, *line;
        int r = gbx_policy_check_parameters(d->policy, d->request->parameters, &complaints, d->err);

        rest = complaints.size ? (char *)complaints.data : NULL;
        while (r > 0 && (line = strsep(&rest, "\n")))
                if (*line && DENY(d, "parameters", "%s", line) < 0)
                        return -ENOMEM;
        return r < 0 ? r : 0;
}

/* --- approvals ------------------------------------------------------------------------ */

/* Whether the statement names exactly the request's datasets. */
static bool same_datasets(const struct gbx_approval *statement, const struct gbx_run_request *request) {
        if (statement->dataset_count != request->dataset_count)
                return false;
        for (size_t i = 0; i < request->dataset_count; i++) {
                const struct gbx_run_dataset *wanted = request->datasets + i;
                bool found = false;

                for (size_t j = 0; !found && j < statement->dataset_count; j++)
                        found = strcmp(statement->datasets[j].name, wanted->name) == 0 &&
                                statement->datasets[j].version == wanted->version &&
                                strcmp(statement->datasets[j].digest, wanted->digest) == 0;
                if (!found)
                        return false;
        }
        return true;
}

/* The datasets and versions of statement and run, for people. */
static int name_datasets(struct deciding *d, const struct gbx_approval *statement, struct gbx_buffer *ret) {
        const struct gbx_run_request *request = d->request;
        gbx_auto(gbx_buffer_free) struct gbx_buffer given = {}, wanted = {};
        int r = 0;

        for (size_t i = 0; i < statement->dataset_count && r >= 0; i++)
                r = gbx_buffer_printf(&given, d->err, "%s%s version %llu", i ? ", " : "", statement->datasets[i].name,
                                      (unsigned long long)statement->datasets[i].version);
        for (size_t i = 0; i < request->dataset_count && r >= 0; i++)
                r = gbx_buffer_printf(&wanted, d->err, "%s%s version %llu", i ? ", " : "", request->datasets[i].name,
                                      (unsigned long long)request->datasets[i].version);
        if (r < 0)
                return r;
        if (strcmp(gbx_buffer_text(&given), gbx_buffer_text(&wanted)) == 0)
                return gbx_buffer_printf(ret, d->err, "is for %s with another manifest", gbx_buffer_text(&given));
        return gbx_buffer_printf(ret, d->err, "is for %s, but the run would use %s", gbx_buffer_text(&given),
                                 request->dataset_count ? gbx_buffer_text(&wanted) : "none");
}

/* Each way in which a statement can speak of something else. Positive: it does. */
static int check_binding(struct deciding *d, const struct gbx_run_approval *approval,
                         const struct gbx_approval *statement) {
        const struct gbx_run_request *request = d->request;
        int64_t longest = statement->made + (int64_t)(d->policy->approvals.valid_ms / 1000);
        gbx_auto(gbx_buffer_free) struct gbx_buffer datasets = {};
        bool same = same_datasets(statement, request);
        int r = same ? 0 : name_datasets(d, statement, &datasets), bad = 0;
        const struct {
                const char *code;
                bool good;
                const char *text;
        } checks[] = {
                { "approval-site", strcmp(statement->site, request->site) == 0, "was given for another site" },
                { "approval-algorithm", strcmp(statement->algorithm, request->algorithm) == 0, "is for another algorithm" },
                { "approval-engine", strcmp(gbx_engine_name(statement->engine), request->engine) == 0, "is for another engine" },
                { "approval-dataset", same, gbx_buffer_text(&datasets) },
                { "approval-purpose", strcmp(statement->purpose, request->purpose) == 0, "is for another purpose" },
                { "approval-policy", strcmp(statement->policy, d->policy->digest) == 0, "was given under another policy" },
                { "approval-reviewer", strcmp(statement->reviewer, approval->reviewer) == 0, "names another reviewer" },
                { "approval-made", statement->made <= request->now, "was made at a time that has not come yet" },
                { "approval-expired", statement->expires > request->now, "has expired" },
                { "approval-too-long", statement->expires <= longest, "lasts longer than the policy allows" },
        };

        for (size_t i = 0; r >= 0 && i < gbx_array_size(checks); i++)
                if (!checks[i].good) {
                        bad = 1;
                        r = NOTE(d, checks[i].code, "the approval by '%s' %s", approval->reviewer, checks[i].text);
                }
        return r < 0 ? r : bad;
}

/* Whether the statement is one that was withdrawn: its nonce makes it another one than all that were not. */
static bool was_revoked(const struct deciding *d, const struct gbx_run_approval *approval) {
        for (size_t i = 0; i < d->request->approval_count; i++) {
                const struct gbx_run_approval *other = d->request->approvals + i;

                if (other != approval && other->revoked && strcmp(other->statement, approval->statement) == 0)
                        return true;
        }
        return false;
}

/* What the log says of reviewer and approval now, whatever was signed. Positive: the approval does not count. */
static int check_reviewer(struct deciding *d, const struct gbx_run_approval *approval) {
        struct gbx_person reviewer = {};
        /* A key that cannot be read is told by check_statement. */
        int r = gbx_person_read(&reviewer, approval->reviewer, approval->key, NULL) == -ENOMEM ? gbx_fail_memory(d->err) : 0, bad = 0;
        const struct {
                const char *code;
                bool good;
                const char *text;
        } checks[] = {
                { "approval-revoked", !approval->revoked, "was revoked" },
                { "approval-replayed", approval->revoked || !was_revoked(d, approval), "has the statement of one that was revoked" },
                { "approval-before-key", !approval->key || approval->seq > approval->key_since,
                  "is older than the reviewer's key or membership: it must be given again" },
        };

        for (size_t i = 0; r >= 0 && i < gbx_array_size(checks); i++)
                if (!checks[i].good) {
                        bad = 1;
                        r = NOTE(d, checks[i].code, "the approval by '%s' %s", approval->reviewer, checks[i].text);
                }
        if (r >= 0)
                r = gbx_reviewer_check(d->policy, GBX_REVIEW_ALGORITHM, &reviewer, approval->key, approval->roles, &d->submitter,
                                       &d->requester, d->verdict, d->err);
        return r < 0 ? r : bad || r;
}

/* Verifies the signature and what it says. Positive: the approval does not count. */
static int check_statement(struct deciding *d, const struct gbx_run_approval *approval, struct gbx_ssh_key *ret_key) {
        gbx_auto(gbx_free_pointer) struct gbx_approval *statement = calloc(1, sizeof *statement);
        struct gbx_error problem = {};
        int r;

        if (!statement)
                return gbx_fail_memory(d->err);
        r = gbx_ssh_key_parse(approval->key, ret_key, &problem);
        if (r == -EINVAL) {
                r = NOTE(d, "approval-key", "the key of '%s': %s", approval->reviewer, problem.message);
                return r < 0 ? r : 1;
        }
        if (r >= 0)
                r = gbx_sshsig_verify(ret_key, GBX_SSHSIG_NAMESPACE, approval->statement, strlen(approval->statement),
                                      approval->signature, strlen(approval->signature), &problem);
        if (r == -EINVAL || r == -EBADMSG) {
                r = NOTE(d, "approval-signature", "the approval by '%s': %s", approval->reviewer, problem.message);
                return r < 0 ? r : 1;
        }
        if (r >= 0)
                r = gbx_approval_parse(approval->statement, strlen(approval->statement), statement, &problem);
        if (r == -EINVAL) {
                r = NOTE(d, "approval-statement", "the approval by '%s': %s", approval->reviewer, problem.message);
                return r < 0 ? r : 1;
        }
        return r < 0 ? gbx_fail(d->err, r, "%s", problem.message) : check_binding(d, approval, statement);
}

/* Counts an approval that is good, unless its reviewer or key counts already. */
static int count(struct deciding *d, const struct gbx_run_approval *approval, const struct gbx_ssh_key *key) {
        const struct gbx_person person = { .name = approval->reviewer, .has_key = true, .key = *key };
        const struct gbx_person *other = gbx_voices_find(&d->voices, &person);

        if (other)
                return NOTE(d, "approval-repeated", "the approval by '%s' repeats that of '%s' (same person or same key)",
                            approval->reviewer, other->name);
        gbx_voices_add(&d->voices, &person);
        return 0;
}

static int check_approvals(struct deciding *d) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer names = {};
        uint64_t required = d->policy->approvals.required;
        size_t counted;
        int r = gbx_person_read(&d->submitter, d->request->submitter, d->request->submitter_key, d->err);

        if (r >= 0)
                r = gbx_person_read(&d->requester, d->request->requester, d->request->requester_key, d->err);
        for (size_t i = 0; r >= 0 && i < d->request->approval_count; i++) {
                const struct gbx_run_approval *approval = d->request->approvals + i;
                struct gbx_ssh_key key = {};
                int bad = check_reviewer(d, approval), wrong = 0;

                if (bad >= 0 && approval->key)
                        wrong = check_statement(d, approval, &key);
                r = bad < 0 ? bad : wrong < 0 ? wrong : bad || wrong ? 0 : count(d, approval, &key);
        }
        counted = d->voices.count;
        for (size_t i = 0; r >= 0 && i < counted; i++)
                r = gbx_buffer_printf(&names, d->err, "%s%s", i ? ", " : "", d->voices.people[i].name);
        if (r < 0)
                return r;
        if (counted < required)
                return DENY(d, "too-few-approvals", "%zu of %llu approvals%s%s", counted, (unsigned long long)required,
                            counted ? ": " : "", gbx_buffer_text(&names));
        return NOTE(d, "approved", "%zu of %llu approvals: %s", counted, (unsigned long long)required,
                    gbx_buffer_text(&names));
}

int gbx_decide_run(const struct gbx_policy *policy, const struct gbx_run_request *request, struct gbx_verdict *ret,
                   struct gbx_error *err) {
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        struct deciding deciding = { .policy = policy, .request = request, .verdict = &verdict, .err = err };
        int r;

        if (policy ? !request->policy || strcmp(policy->digest, request->policy) != 0 : request->policy != NULL)
                return gbx_fail(err, -EINVAL, "the request names another policy than the one it is judged by");
        if (!policy)
                r = DENY(&deciding, "no-policy", "no policy is in force for the purpose '%s'", request->purpose);
        else {
                r = check_who_and_what(&deciding);
                if (r >= 0)
                        r = check_datasets(&deciding);
                if (r >= 0)
                        r = check_parameters(&deciding);
                if (r >= 0)
                        r = check_approvals(&deciding);
        }
        if (r < 0)
                return r;
        verdict.outcome = deciding.denied ? GBX_OUTCOME_DENIED : GBX_OUTCOME_ALLOWED;
        gbx_verdict_move(&verdict, ret);
        return 0;
}
