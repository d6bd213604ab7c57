/* Decisions: who may do what, which runs may start (threat E18), which outputs may leave. */
#include "tests/unit/signing.h"

#include "policy/decision.h"
#include "policy/sshsig.h"

static const char policy_text[] = "policy: credit-scoring\npurpose: credit-scoring\ndatasets: [credit, claims]\nengines: [lua]\n"
                                  "approvals: { required: 2, reviewers: [wang, li, bank-a, wang-too], valid-for: 90d }\n"
                                  "parameters: [{ name: by, type: text, list: yes, values: [job, home] }]\n"
                                  "release: { minimum-count: 10 }\n";

#define DIGEST(digit) "sha256:" digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit
#define ALGORITHM DIGEST("1111")
#define CREDIT DIGEST("2222")
#define OTHER DIGEST("3333")

enum { NOW = 1795000000, DAY = 86400 };

static struct gbx_policy *policy;
static struct gbx_buffer wang, li, bank; /* public key lines */

static int start(void **state) {
        struct gbx_error err = {};

        if (signing_start(state) < 0)
                return -1;
        make_key("wang", "ed25519", &wang);
        make_key("li", "ed25519", &li);
        make_key("bank-a", "ed25519", &bank);
        if (gbx_policy_parse(&policy, "f", policy_text, strlen(policy_text), NULL, &err) < 0)
                fail_msg("%s", err.message);
        return 0;
}

static int end(void **state) {
        policy = gbx_policy_free(policy);
        gbx_buffer_free(&wang);
        gbx_buffer_free(&li);
        gbx_buffer_free(&bank);
        return signing_end(state);
}

/* The statement that a reviewer should sign for the request below. */
static struct gbx_approval statement_of(const char *reviewer) {
        static unsigned nonce;
        struct gbx_approval approval = {
                .site = "gbx.example/demo", .algorithm = ALGORITHM, .engine = GBX_ENGINE_LUA,
                .datasets = { { "credit", 1, CREDIT } }, .dataset_count = 1, .purpose = "credit-scoring",
                .made = NOW - DAY, .expires = NOW + 30 * DAY,
        };

        (void)snprintf(approval.nonce, sizeof approval.nonce, "%032x", ++nonce);
        (void)snprintf(approval.policy, sizeof approval.policy, "%s", policy->digest);
        (void)snprintf(approval.reviewer, sizeof approval.reviewer, "%s", reviewer);
        return approval;
}

/* Signs a statement and puts the approval into the request. */
static void approve(json_t *request, const struct gbx_approval *approval, const char *signer, const char *namespace) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, signature = {};
        const struct gbx_buffer *key = strcmp(signer, "wang") == 0 ? &wang : strcmp(signer, "li") == 0 ? &li : &bank;
        json_t *list = json_object_get(request, "approvals");

        assert_int_equal(gbx_approval_text(approval, &text, NULL), 0);
        sign(signer, namespace, "", text.data, text.size, &signature);
        assert_int_equal(json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:b}", "reviewer",
                                                               approval->reviewer, "roles", "reviewer", "key", gbx_buffer_text(key),
                                                               "key_since", 7, "statement", gbx_buffer_text(&text), "signature",
                                                               gbx_buffer_text(&signature), "seq", 100 + (int)json_array_size(list),
                                                               "revoked", 0)), 0);
}

/* A request that is allowed. */
static json_t *good_request(void) {
        struct gbx_approval by_wang = statement_of("wang"), by_li = statement_of("li");
        char now[GBX_SHA256_TEXT_SIZE] = "2026-11-18T11:06:40Z"; /* NOW */
        json_t *request = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:i, s:s, s:s, s:b}], s:{s:[s]}, s:[]}",
                                    "site", "gbx.example/demo", "now", now, "requester", "bank-a", "requester_roles", "analyst",
                                    "requester_key", gbx_buffer_text(&bank), "submitter", "bank-a", "submitter_key",
                                    gbx_buffer_text(&bank), "algorithm", ALGORITHM, "engine", "lua", "purpose", "credit-scoring",
                                    "policy", policy->digest, "datasets", "name", "credit", "version", 1, "digest", CREDIT,
                                    "owner", "fund", "available", 1, "parameters", "by", "job", "approvals");

        assert_non_null(request);
        approve(request, &by_wang, "wang", "glovebox");
        approve(request, &by_li, "li", "glovebox");
        return request;
}

/* Every verdict of these tests goes to JSON and back, and comes out the same. */
static void check_verdict_json(const struct gbx_verdict *verdict) {
        gbx_auto(gbx_verdict_free) struct gbx_verdict again = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer first = {}, second = {};
        json_t *json = NULL, *other = NULL;
        struct gbx_error err = {};

        assert_int_equal(gbx_verdict_json(verdict, &json, &err), 0);
        if (gbx_verdict_from_json(json, &again, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(gbx_verdict_json(&again, &other, &err), 0);
        assert_int_equal(gbx_json_canonical(json, &first, &err), 0);
        assert_int_equal(gbx_json_canonical(other, &second, &err), 0);
        assert_string_equal(gbx_buffer_text(&first), gbx_buffer_text(&second));
        json_object_set_new(json, "outcome", json_string("perhaps"));
        gbx_verdict_free(&again);
        assert_int_equal(gbx_verdict_from_json(json, &again, &err), -EINVAL);
        json_decref(json);
        json_decref(other);
}

/* "outcome: code code …" */
static void decide(const json_t *json, char ret[static 512]) {
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        struct gbx_error err = {};

        if (gbx_run_request_from_json(json, &request, &err) < 0 || gbx_decide_run(policy, &request, &verdict, &err) < 0) {
                (void)snprintf(ret, 512, "error: %.400s", err.message);
                return;
        }
        check_verdict_json(&verdict);
        (void)snprintf(ret, 512, "%s:", gbx_outcome_name(verdict.outcome));
        for (size_t i = 0; i < verdict.count; i++)
                (void)snprintf(ret + strlen(ret), 512 - strlen(ret), " %s", verdict.reasons[i].code);
}

static void expect(json_t *request, const char *expected) {
        char got[512];

        decide(request, got);
        if (strcmp(got, expected) != 0) {
                char *text = json_dumps(request, JSON_INDENT(1));

                fail_msg("expected «%s», got «%s» for %s", expected, got, text);
        }
}

static void test_good_run(void **state) {
        json_t *request = good_request();

        (void)state;
        expect(request, "allowed: approved");
        json_decref(request);
}

/* One change of the request at a time; the approvals stay as they are. */
static void test_other_request(void **state) {
        static const struct {
                const char *path, *value, *expected;
        } cases[] = {
                { "algorithm", "\"" DIGEST("1112") "\"", "denied: approval-algorithm approval-algorithm too-few-approvals" },
                { "engine", "\"native\"", "denied: engine approval-engine approval-engine too-few-approvals" },
                { "engine", "\"\"", "denied: engine approval-engine approval-engine too-few-approvals" },
                { "purpose", "\"marketing\"", "denied: purpose approval-purpose approval-purpose too-few-approvals" },
                { "site", "\"gbx.example/other\"", "denied: approval-site approval-site too-few-approvals" },
                { "now", "\"2026-12-18T11:06:39Z\"", "allowed: approved" },
                { "now", "\"2026-12-18T11:06:40Z\"", "denied: approval-expired approval-expired too-few-approvals" },
                { "now", "\"2027-12-18T11:06:40Z\"", "denied: approval-expired approval-expired too-few-approvals" },
                { "now", "\"2026-11-17T11:06:40Z\"", "allowed: approved" }, /* the moment they were made */
                { "now", "\"2026-11-17T11:06:39Z\"", "denied: approval-made approval-made too-few-approvals" },
                { "submitter_key", "null", "allowed: approved" },
                { "requester_key", "null", "allowed: approved" },
                { "submitter_key", "\"ssh-ed25519 nonsense\"", "error: the key of 'bank-a': the SSH public key is cut off" },
                { "requester", "\"wang\"", "denied: approval-requester too-few-approvals" },
                { "approvals/0/key_since", "99", "allowed: approved" },
                { "approvals/0/key_since", "100", "denied: approval-before-key too-few-approvals" },
                { "approvals/0/key_since", "5000", "denied: approval-before-key too-few-approvals" },
                { "approvals/0/key_since", "-1", "error: run request: an approval is malformed" },
                { "approvals/0/seq", "7", "denied: approval-before-key too-few-approvals" },
                { "approvals/0/seq", "101", "error: run request: the approvals do not stand in the order of their entries" },
                { "submitter", "\"wang\"", "denied: approval-submitter too-few-approvals" },
                { "requester_roles", "\"auditor,admin\"", "denied: role approved" },
                { "requester_roles", "\"\"", "denied: role approved" },
                { "datasets", "[]", "denied: no-dataset approval-dataset approval-dataset too-few-approvals" },
                { "parameters", "{\"by\":[\"age\"],\"sql\":\"x\"}", "denied: parameters parameters approved" },
                { "approvals", "[]", "denied: too-few-approvals" },
                { "datasets/0/name", "\"claims\"", "denied: approval-dataset approval-dataset too-few-approvals" },
                { "datasets/0/name", "\"taxes\"", "denied: dataset-not-covered approval-dataset approval-dataset too-few-approvals" },
                { "datasets/0/version", "2", "denied: approval-dataset approval-dataset too-few-approvals" },
                { "datasets/0/digest", "\"" OTHER "\"", "denied: approval-dataset approval-dataset too-few-approvals" },
                { "datasets/0/available", "false", "denied: dataset-unavailable approved" },
                { "approvals/0/revoked", "true", "denied: approval-revoked too-few-approvals" },
                { "approvals/0/key", "null", "denied: approval-key too-few-approvals" },
                { "approvals/0/key", "\"ssh-rsa AAAA\"", "denied: approval-key too-few-approvals" },
                { "approvals/0/roles", "\"analyst\"", "denied: approval-role too-few-approvals" },
                { "approvals/0/roles", "\"\"", "denied: approval-role too-few-approvals" },
                { "approvals/0/reviewer", "\"zhao\"", "denied: approval-reviewer approval-reviewer too-few-approvals" },
                { "approvals/0/reviewer", "\"wang-too\"", "denied: approval-reviewer too-few-approvals" },
                { "approvals/0/statement", "\"approved!\"", "denied: approval-signature too-few-approvals" },
                { "approvals/0/signature", "\"\"", "denied: approval-signature too-few-approvals" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                json_t *request = good_request(), *at = request;
                gbx_auto(gbx_free_pointer) char *path = strdup(cases[i].path);
                char *rest = path, *step = strsep(&rest, "/");

                while (rest) {
                        at = json_object_get(at, step);
                        at = json_array_get(at, (size_t)strtoul(strsep(&rest, "/"), NULL, 10));
                        step = strsep(&rest, "/");
                }
                assert_int_equal(json_object_set_new(at, step, json_loads(cases[i].value, JSON_DECODE_ANY, NULL)), 0);
                expect(request, cases[i].expected);
                json_decref(request);
        }
}

/* Each way to sign something else than what is asked. */
static void test_other_statement(void **state) {
        static const struct {
                const char *change, *signer, *namespace, *expected;
        } cases[] = {
                { "", "wang", "glovebox", "allowed: approved" },
                { "", "wang", "file", "denied: approval-signature too-few-approvals" },
                { "", "bank-a", "glovebox", "denied: approval-reviewer too-few-approvals" }, /* bank-a's key, named wang */
                { "algorithm", "wang", "glovebox", "denied: approval-algorithm too-few-approvals" },
                { "engine", "wang", "glovebox", "denied: approval-engine too-few-approvals" },
                { "dataset", "wang", "glovebox", "denied: approval-dataset too-few-approvals" },
                { "more-datasets", "wang", "glovebox", "denied: approval-dataset too-few-approvals" },
                { "purpose", "wang", "glovebox", "denied: approval-purpose too-few-approvals" },
                { "policy", "wang", "glovebox", "denied: approval-policy too-few-approvals" },
                { "site", "wang", "glovebox", "denied: approval-site too-few-approvals" },
                { "expired", "wang", "glovebox", "denied: approval-expired too-few-approvals" },
                { "forever", "wang", "glovebox", "denied: approval-too-long too-few-approvals" },
                { "tomorrow", "wang", "glovebox", "denied: approval-made too-few-approvals" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_approval by_li = statement_of("li"), approval = statement_of("wang");
                json_t *request = good_request();
                const char *change = cases[i].change;

                json_object_set_new(request, "approvals", json_array());
                if (strcmp(change, "algorithm") == 0)
                        approval.algorithm[70] = '2';
                else if (strcmp(change, "engine") == 0)
                        approval.engine = GBX_ENGINE_NATIVE;
                else if (strcmp(change, "dataset") == 0)
                        approval.datasets[0].version = 7;
                else if (strcmp(change, "more-datasets") == 0)
                        approval.datasets[approval.dataset_count++] = (struct gbx_approval_dataset){ "claims", 1, CREDIT };
                else if (strcmp(change, "purpose") == 0)
                        (void)snprintf(approval.purpose, sizeof approval.purpose, "marketing");
                else if (strcmp(change, "policy") == 0)
                        (void)snprintf(approval.policy, sizeof approval.policy, OTHER);
                else if (strcmp(change, "site") == 0)
                        (void)snprintf(approval.site, sizeof approval.site, "gbx.example/twin");
                else if (strcmp(change, "expired") == 0)
                        approval.expires = NOW;
                else if (strcmp(change, "forever") == 0)
                        approval.expires = NOW + 91 * DAY; /* from its making on */
                else if (strcmp(change, "tomorrow") == 0)
                        approval.made = NOW + 1;
                approve(request, &approval, cases[i].signer, cases[i].namespace);
                approve(request, &by_li, "li", "glovebox");
                if (strcmp(cases[i].signer, "bank-a") == 0) {
                        /* The view knows wang's key, not the one that signed. */
                        json_object_set_new(json_array_get(json_object_get(request, "approvals"), 0), "key",
                                            json_string(gbx_buffer_text(&wang)));
                        expect(request, "denied: approval-signature too-few-approvals");
                } else
                        expect(request, cases[i].expected);
                json_decref(request);
        }
}

/* One byte of a signed statement changed, at every place. */
static void test_changed_statement(void **state) {
        json_t *request = good_request(), *approval = json_array_get(json_object_get(request, "approvals"), 1);
        gbx_auto(gbx_free_pointer) char *text = strdup(json_string_value(json_object_get(approval, "statement")));

        (void)state;
        for (size_t i = 0; text[i]; i++) {
                char old = text[i];

                text[i] = old == 'a' ? 'b' : 'a';
                json_object_set_new(approval, "statement", json_string(text));
                expect(request, "denied: approval-signature too-few-approvals");
                text[i] = old;
        }
        json_decref(request);
}

/* Two signatures of one person, two names with one key, a signature moved to another statement. */
static void test_replays(void **state) {
        struct gbx_approval by_wang = statement_of("wang"), too = statement_of("wang-too"), by_li = statement_of("li");
        json_t *request = good_request(), *list;

        (void)state;
        json_object_set_new(request, "approvals", json_array());
        approve(request, &by_wang, "wang", "glovebox");
        by_wang.expires -= DAY;
        approve(request, &by_wang, "wang", "glovebox");
        expect(request, "denied: approval-repeated too-few-approvals");

        json_object_set_new(request, "approvals", json_array());
        approve(request, &by_wang, "wang", "glovebox");
        approve(request, &too, "wang", "glovebox");
        expect(request, "denied: approval-repeated too-few-approvals");

        /* li's signature over an older statement, put beside the one that is wanted. */
        json_object_set_new(request, "approvals", json_array());
        approve(request, &by_wang, "wang", "glovebox");
        approve(request, &by_li, "li", "glovebox");
        by_li.algorithm[70] = '2';
        approve(request, &by_li, "li", "glovebox");
        list = json_object_get(request, "approvals");
        json_object_set(json_array_get(list, 1), "signature", json_object_get(json_array_get(list, 2), "signature"));
        json_array_remove(list, 2);
        expect(request, "denied: approval-signature too-few-approvals");

        /* More than enough is fine; what does not count is told all the same. */
        json_object_set_new(request, "approvals", json_array());
        approve(request, &by_wang, "wang", "glovebox");
        by_li = statement_of("li");
        approve(request, &by_li, "li", "glovebox");
        by_li.expires = NOW - 1;
        approve(request, &by_li, "li", "glovebox");
        expect(request, "allowed: approval-expired approved");
        json_decref(request);
}

/* Withdrawn, and handed in again by whoever kept statement and signature; a new statement is another one. */
static void test_withdrawn(void **state) {
        struct gbx_approval by_wang = statement_of("wang"), by_li = statement_of("li"), again = statement_of("wang");
        json_t *request = good_request();

        (void)state;
        json_object_set_new(request, "approvals", json_array());
        approve(request, &by_wang, "wang", "glovebox");
        approve(request, &by_li, "li", "glovebox");
        expect(request, "allowed: approved");
        json_object_set_new(json_array_get(json_object_get(request, "approvals"), 0), "revoked", json_true());
        approve(request, &by_wang, "wang", "glovebox");
        expect(request, "denied: approval-revoked approval-replayed too-few-approvals");
        approve(request, &again, "wang", "glovebox");
        expect(request, "allowed: approval-revoked approval-replayed approved");
        json_decref(request);
}

/* The submitter or the requester under a second name with the own key: no second person. */
static void test_own_key_under_another_name(void **state) {
        static const char *const keys[] = { "submitter", "requester" };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(keys); i++) {
                char key[32], expected[96];
                json_t *request = good_request();

                json_object_set_new(request, "submitter", json_string("bank-b"));
                json_object_set_new(request, "submitter_key", json_null());
                json_object_set_new(request, "requester_key", json_null());
                expect(request, "allowed: approved"); /* the control */
                (void)snprintf(key, sizeof key, "%s_key", keys[i]);
                (void)snprintf(expected, sizeof expected, "denied: approval-%s too-few-approvals", keys[i]);
                json_object_set_new(request, key, json_string(gbx_buffer_text(&li)));
                expect(request, expected);
                json_decref(request);
        }
}

/* Without exclude-submitter the own signature counts, by name and by key. */
static void test_submitter_included(void **state) {
        struct gbx_policy *strict = policy;
        gbx_auto(gbx_policy_freep) struct gbx_policy *open = NULL;
        gbx_auto(gbx_free_pointer) char *text = NULL;
        struct gbx_approval by_wang, by_bank;
        json_t *request;

        (void)state;
        assert_true(asprintf(&text, "%.*sapprovals: { required: 2, reviewers: [wang, li, bank-a], exclude-submitter: no }\n"
                             "release: { minimum-count: 10 }\nparameters: [{ name: by, type: text, list: yes }]\n",
                             (int)(strstr(policy_text, "approvals") - policy_text), policy_text) > 0);
        assert_int_equal(gbx_policy_parse(&open, "f", text, strlen(text), NULL, NULL), 0);
        policy = open;
        request = good_request();
        by_wang = statement_of("wang");
        by_bank = statement_of("bank-a");
        json_object_set_new(request, "approvals", json_array());
        approve(request, &by_wang, "wang", "glovebox");
        approve(request, &by_bank, "bank-a", "glovebox");
        expect(request, "allowed: approved");
        policy = strict;
        json_decref(request);
}

/* The message says which versions were approved and which would be used. */
static void test_dataset_message(void **state) {
        static const struct {
                const char *field;
                json_int_t version;
                const char *digest, *text;
        } cases[] = {
                { "version", 3, CREDIT, "the approval by 'wang' is for credit version 1, but the run would use credit version 3" },
                { "digest", 1, OTHER, "the approval by 'wang' is for credit version 1 with another manifest" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
                gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
                json_t *json = good_request(), *dataset = json_array_get(json_object_get(json, "datasets"), 0);

                json_object_set_new(dataset, "version", json_integer(cases[i].version));
                json_object_set_new(dataset, "digest", json_string(cases[i].digest));
                assert_int_equal(gbx_run_request_from_json(json, &request, NULL), 0);
                assert_int_equal(gbx_decide_run(policy, &request, &verdict, NULL), 0);
                assert_string_equal(verdict.reasons[0].code, "approval-dataset");
                assert_string_equal(verdict.reasons[0].text, cases[i].text);
                json_decref(json);
        }
}

static void test_self_approval(void **state) {
        struct gbx_approval by_wang = statement_of("wang"), by_bank = statement_of("bank-a");
        json_t *request = good_request();

        (void)state;
        json_object_set_new(request, "approvals", json_array());
        approve(request, &by_wang, "wang", "glovebox");
        approve(request, &by_bank, "bank-a", "glovebox");
        expect(request, "denied: approval-submitter too-few-approvals");
        json_object_set_new(request, "submitter", json_string("somebody-else"));
        json_object_set_new(request, "submitter_key", json_null());
        expect(request, "denied: approval-requester too-few-approvals");
        json_object_set_new(request, "requester", json_string("somebody-else")); /* a positive control */
        json_object_set_new(request, "requester_key", json_null());
        expect(request, "allowed: approved");
        json_decref(request);
}

static void test_no_or_other_policy(void **state) {
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        json_t *json = good_request();
        struct gbx_error err = {};

        (void)state;
        json_object_set_new(json, "policy", json_string(OTHER));
        assert_int_equal(gbx_run_request_from_json(json, &request, &err), 0);
        assert_int_equal(gbx_decide_run(policy, &request, &verdict, &err), -EINVAL);
        gbx_run_request_free(&request);
        json_object_set_new(json, "policy", json_null());
        assert_int_equal(gbx_run_request_from_json(json, &request, &err), 0);
        assert_int_equal(gbx_decide_run(policy, &request, &verdict, &err), -EINVAL);
        assert_int_equal(gbx_decide_run(NULL, &request, &verdict, &err), 0);
        assert_int_equal(verdict.outcome, GBX_OUTCOME_DENIED);
        assert_string_equal(verdict.reasons[0].code, "no-policy");
        json_decref(json);
}

/* To JSON and back: the same text, and so the same verdict on replay. Unknown and missing keys are refused. */
static void test_request_json(void **state) {
        gbx_auto(gbx_run_request_free) struct gbx_run_request request = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer first = {}, second = {};
        json_t *json = good_request(), *again = NULL, *copy;
        struct gbx_error err = {};
        const char *key;
        json_t *value;

        (void)state;
        assert_int_equal(gbx_run_request_from_json(json, &request, &err), 0);
        assert_int_equal(gbx_run_request_to_json(&request, &again, &err), 0);
        assert_int_equal(gbx_json_canonical(json, &first, &err), 0);
        assert_int_equal(gbx_json_canonical(again, &second, &err), 0);
        assert_string_equal(gbx_buffer_text(&first), gbx_buffer_text(&second));
        json_object_foreach(json, key, value) {
                gbx_auto(gbx_run_request_free) struct gbx_run_request other = {};

                copy = json_copy(json);
                json_object_del(copy, key);
                assert_int_equal(gbx_run_request_from_json(copy, &other, &err), -EINVAL);
                json_object_set_new(copy, key, json_integer(7));
                assert_int_equal(gbx_run_request_from_json(copy, &other, &err), -EINVAL);
                json_decref(copy);
        }
        copy = json_copy(json);
        json_object_set_new(copy, "extra", json_true());
        gbx_run_request_free(&request);
        assert_int_equal(gbx_run_request_from_json(copy, &request, &err), -EINVAL);
        json_decref(copy);
        json_decref(json);
        json_decref(again);
}

static void test_actions(void **state) {
        static const struct {
                const char *roles, *action;
                bool allowed;
        } cases[] = {
                { "analyst", "algo submit", true },     { "reviewer", "algo submit", false },
                { "analyst", "review approve", false }, { "reviewer", "review approve", true },
                { "admin", "review approve", false },   { "admin", "policy apply", true },
                { "analyst", "policy apply", false },   { "owner", "data add", true },
                { "admin", "data destroy", true },      { "analyst", "data add", false },
                { "auditor", "audit verify", true },    { "analyst", "audit verify", false },
                { "auditor", "audit anything", false }, { "auditor", "auditor", false },
                { "auditor", "audit *", false },        { "owner", "data usage", true },
                { "admin", "data add", false },         { "admin", "data transfer", false },
                { "owner", "data destroy", true },      { "reviewer", "data destroy", false },
                { "reviewer", "algo show", true },      { "owner", "algo show", false },
                { "admin", "review show", false },      { "auditor", "review statement", false },
                { "owner", "job ls", true },            { "owner", "job cancel", false },
                { "analyst", "job cancel", true },      { "admin", "backup", true },
                { "auditor", "restore", false },        { "auditor", "heartbeat", true },
                { "analyst", "audit prove", false },    { "owner", "audit ls", false },
                { "analyst", "keys", true },            { "owner", "release ls", false },
                { "auditor", "trace", true },           { "analyst", "trace", false },
                { "analyst", "job run", true },         { "reviewer,analyst", "job fetch", true },
                { "admin", "job fetch", false },        { "analyst,reviewer,admin,auditor,owner", "job explode", false },
                { "analyst,reviewer,admin,auditor,owner", "", false },
                { "analyst,reviewer,admin,auditor,owner", "job run ", false },
        };
        static const char *const bad[] = { "", "root", "analyst,", ",analyst", "analyst,analyst", "analyst reviewer", "Analyst" };
        struct gbx_error err = {};
        unsigned roles;

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                assert_int_equal(gbx_roles_parse(cases[i].roles, &roles, &err), 0);
                if (gbx_decide_action(roles, cases[i].action, &err) != (cases[i].allowed ? 0 : -EKEYREJECTED))
                        fail_msg("%s: %s", cases[i].roles, cases[i].action);
        }
        assert_int_equal(gbx_decide_action(0, "status", &err), -EKEYREJECTED);
        assert_int_equal(gbx_decide_action(GBX_ROLE_ANALYST, "data add", &err), -EKEYREJECTED);
        assert_string_equal(err.message, "'data add' asks for the role owner");
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_int_equal(gbx_roles_parse(bad[i], &roles, &err), -EINVAL);
}

/* The whole table: each row once, with somebody who may, or open; and the scope that each role gets. */
static void test_action_table(void **state) {
        struct gbx_action_rule rule, other;
        size_t rows = 0;

        (void)state;
        for (; gbx_action_at(rows, &rule); rows++) {
                if (rule.open ? rule.all || rule.own : !(rule.all | rule.own))
                        fail_msg("'%s' is for nobody, or open and for somebody", rule.action);
                if (rule.all & rule.own)
                        fail_msg("'%s' gives a role both scopes", rule.action);
                if (strspn(rule.action, "abcdefghijklmnopqrstuvwxyz -") != strlen(rule.action))
                        fail_msg("'%s' is no noun and verb", rule.action);
                for (size_t i = 0; i < rows; i++)
                        if (gbx_action_at(i, &other) && strcmp(rule.action, other.action) == 0)
                                fail_msg("'%s' stands twice", rule.action);
                for (unsigned role = GBX_ROLE_ANALYST; role <= GBX_ROLE_OWNER; role <<= 1) {
                        enum gbx_scope scope = GBX_SCOPE_OWN;
                        int r = gbx_decide_scope(role, rule.action, &scope, NULL);

                        assert_int_equal(r, rule.open || role & (rule.all | rule.own) ? 0 : -EKEYREJECTED);
                        assert_int_equal(r, gbx_decide_action(role, rule.action, NULL));
                        assert_int_equal(scope, r == 0 && (rule.open || role & rule.all) ? GBX_SCOPE_ALL : GBX_SCOPE_OWN);
                }
                /* Without any role (somebody who was removed) only what is open. */
                assert_int_equal(gbx_decide_action(0, rule.action, NULL), rule.open ? 0 : -EKEYREJECTED);
        }
        assert_in_range(rows, 50, 200);
        assert_false(gbx_action_at(rows, &rule));
}

static void test_release(void **state) {
        static const struct {
                const char *release; /* behind minimum-count */
                int severity;        /* of one finding; -1: none */
                struct gbx_release_request request;
                const char *expected;
        } cases[] = {
                { "declared-counts: trust-reviewed-code", -1, { "a", "a", 1, 0, true, false }, "release: checks-passed" },
                { "declared-counts: trust-reviewed-code", GBX_SEVERITY_PASS, { "a", "a", 1, 0, true, false }, "release: checks-passed" },
                { "hold: on-failure", -1, { "a", "a", 1, 0, true, false }, "hold: declared-counts" },
                { "hold: on-failure", -1, { "a", "a", 1, 0, false, false }, "release: checks-passed" },
                { "hold: never", -1, { "a", "a", 1, 0, true, false }, "refuse: declared-counts" },
                { "declared-counts: trust-reviewed-code", GBX_SEVERITY_FAIL, { "a", "a", 1, 0, true, false }, "hold: findings-failed" },
                { "declared-counts: trust-reviewed-code", GBX_SEVERITY_REVIEW, { "a", "a", 1, 0, true, false }, "hold: findings-review" },
                { "declared-counts: trust-reviewed-code, hold: never", GBX_SEVERITY_FAIL, { "a", "a", 1, 0, true, false }, "refuse: findings-failed" },
                { "declared-counts: trust-reviewed-code, hold: never", GBX_SEVERITY_REVIEW, { "a", "a", 1, 0, true, false }, "refuse: findings-review" },
                { "declared-counts: trust-reviewed-code, hold: always", -1, { "a", "a", 1, 0, true, false }, "hold: held-always" },
                { "declared-counts: trust-reviewed-code", -1, { "a", "b", 1, 0, true, false }, "refuse: recipient" },
                { "declared-counts: trust-reviewed-code, recipients: [b]", -1, { "a", "b", 1, 0, true, false }, "release: checks-passed" },
                { "declared-counts: trust-reviewed-code, recipients: [b]", -1, { "a", "a", 1, 0, true, false }, "refuse: recipient" },
                { "declared-counts: trust-reviewed-code", -1, { "a", "a", 0, 0, false, false }, "refuse: no-output" },
                { "declared-counts: trust-reviewed-code", -1, { "a", "a", 1, 1, true, false }, "refuse: opaque-output" },
                { "declared-counts: trust-reviewed-code, opaque-outputs: hold", -1, { "a", "a", 0, 1, false, false }, "hold: opaque-output" },
                { "declared-counts: trust-reviewed-code, opaque-outputs: hold, hold: never", -1, { "a", "a", 0, 1, false, false }, "refuse: opaque-output" },
                { "hold: always", GBX_SEVERITY_FAIL, { "a", "b", 0, 0, true, false }, "refuse: recipient no-output findings-failed declared-counts held-always" },
                { "declared-counts: trust-reviewed-code", -1, { "a", "a", 1, 0, true, true }, "refuse: withdrawn" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_policy_freep) struct gbx_policy *other = NULL;
                gbx_auto(gbx_findings_free) struct gbx_findings findings = {};
                gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
                struct gbx_error err = {};
                char text[1024], got[512];

                (void)snprintf(text, sizeof text, "policy: p\npurpose: p\ndatasets: [d]\nengines: [lua]\napprovals: { required: 1, reviewers: [w] }\n"
                                                  "release: { minimum-count: 10, %s }\n", cases[i].release);
                if (gbx_policy_parse(&other, "f", text, strlen(text), NULL, &err) < 0)
                        fail_msg("%s", err.message);
                if (cases[i].severity >= 0)
                        assert_int_equal(gbx_findings_add(&findings, &(struct gbx_finding){ .rule = (char[]){ "minimum-count" },
                                                                  .severity = (enum gbx_severity)cases[i].severity }, &err), 0);
                assert_int_equal(gbx_decide_release(other, &cases[i].request, &findings, &verdict, &err), 0);
                check_verdict_json(&verdict);
                (void)snprintf(got, sizeof got, "%s:", gbx_outcome_name(verdict.outcome));
                for (size_t j = 0; j < verdict.count; j++)
                        (void)snprintf(got + strlen(got), sizeof got - strlen(got), " %s", verdict.reasons[j].code);
                if (strcmp(got, cases[i].expected) != 0)
                        fail_msg("case %zu: expected «%s», got «%s»", i, cases[i].expected, got);
        }
}

static void test_findings(void **state) {
        gbx_auto(gbx_findings_free) struct gbx_findings findings = {}, again = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer first = {}, second = {}, shown = {};
        json_t *json = NULL, *other = NULL, *public = NULL;
        struct gbx_error err = {};
        char rule[] = "minimum-count", output[] = "t\x1b[31m.csv", detail[] = "3 of 10", column[] = "n", late[] = "late";

        (void)state;
        for (uint64_t i = 0; i < GBX_FINDINGS_MAX + 50; i++)
                assert_int_equal(gbx_findings_add(&findings, &(struct gbx_finding){ rule, GBX_SEVERITY_FAIL, output, i + 1, column, detail }, &err), 0);
        assert_int_equal(findings.count, GBX_FINDINGS_MAX);
        assert_int_equal(findings.left_out, 50);
        /* A kind that was not there yet is kept even so: the verdict depends on it. */
        assert_int_equal(gbx_findings_add(&findings, &(struct gbx_finding){ late, GBX_SEVERITY_REVIEW, NULL, 0, NULL, NULL }, &err), 0);
        assert_int_equal(findings.count, GBX_FINDINGS_MAX + 1);
        assert_int_equal(gbx_findings_worst(&findings), GBX_SEVERITY_FAIL);
        assert_int_equal(gbx_findings_to_json(&findings, &json, &err), 0);
        assert_int_equal(gbx_findings_from_json(json, &again, &err), 0);
        assert_int_equal(gbx_findings_to_json(&again, &other, &err), 0);
        assert_int_equal(gbx_json_canonical(json, &first, &err), 0);
        assert_int_equal(gbx_json_canonical(other, &second, &err), 0);
        assert_string_equal(gbx_buffer_text(&first), gbx_buffer_text(&second));
        assert_int_equal(gbx_findings_public(&findings, &public, &err), 0);
        assert_int_equal(gbx_json_canonical(public, &shown, &err), 0);
        assert_string_equal(gbx_buffer_text(&shown), "[{\"output\":\"t\\\\x1b[31m.csv\",\"rule\":\"minimum-count\",\"severity\":\"fail\"},"
                                                     "{\"rule\":\"late\",\"severity\":\"review\"}]");
        json_decref(json);
        json_decref(other);
        json_decref(public);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good_run),          cmocka_unit_test(test_other_request),
                cmocka_unit_test(test_other_statement),   cmocka_unit_test(test_changed_statement),
                cmocka_unit_test(test_replays),           cmocka_unit_test(test_withdrawn),
                cmocka_unit_test(test_own_key_under_another_name),
                cmocka_unit_test(test_submitter_included), cmocka_unit_test(test_dataset_message),
                cmocka_unit_test(test_self_approval),
                cmocka_unit_test(test_no_or_other_policy), cmocka_unit_test(test_request_json),
                cmocka_unit_test(test_actions), cmocka_unit_test(test_action_table),          cmocka_unit_test(test_release),
                cmocka_unit_test(test_findings),
        };

        return cmocka_run_group_tests(tests, start, end);
}
