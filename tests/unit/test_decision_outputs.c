/* Reviewers and held outputs: statements, and what follows from signed decisions (threats E18, E25). */
#include "tests/unit/signing.h"

#include "policy/decision_outputs.h"
#include "policy/reviewer.h"

#define DIGEST(digit) "sha256:" digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit
#define OUTPUTS DIGEST("1111")
#define FINDINGS DIGEST("2222")
#define OTHER DIGEST("3333")
#define REASON DIGEST("4444")

enum { NOW = 1795000000 }; /* 2026-11-18T11:06:40Z */

static struct gbx_policy *two, *any; /* two of wang, li, zhao, bank-a, bank-b; the default */
static struct gbx_policy *policy;    /* the one in use */
static struct gbx_buffer wang, li, bank_a, bank_b;
static unsigned nonce;

static struct gbx_policy *make_policy(const char *section) {
        struct gbx_policy *made = NULL;
        struct gbx_error err = {};
        char text[1024];

        (void)snprintf(text, sizeof text, "policy: p\npurpose: p\ndatasets: [d]\nengines: [lua]\n"
                                          "approvals: { required: 1, reviewers: [w] }\nrelease: { minimum-count: 10 }\n%s", section);
        if (gbx_policy_parse(&made, "f", text, strlen(text), NULL, &err) < 0)
                fail_msg("%s", err.message);
        return made;
}

static int start(void **state) {
        if (signing_start(state) < 0)
                return -1;
        make_key("wang", "ed25519", &wang);
        make_key("li", "ed25519", &li);
        make_key("bank-a", "ed25519", &bank_a);
        make_key("bank-b", "ed25519", &bank_b);
        two = make_policy("output-review: { required: 2, reviewers: [wang, li, zhao, bank-a, bank-b] }\n");
        any = make_policy("");
        policy = two;
        return 0;
}

static int end(void **state) {
        two = gbx_policy_free(two);
        any = gbx_policy_free(any);
        gbx_buffer_free(&wang);
        gbx_buffer_free(&li);
        gbx_buffer_free(&bank_a);
        gbx_buffer_free(&bank_b);
        return signing_end(state);
}

static struct gbx_output_statement statement_of(const char *reviewer, enum gbx_output_decision decision) {
        struct gbx_output_statement statement = {
                .site = "gbx.example/demo", .run = "run-000007", .decision = decision, .outputs = OUTPUTS, .findings = FINDINGS,
                .recipient = "bank-a", .reason = REASON, .made = NOW - 60,
        };

        (void)snprintf(statement.policy, sizeof statement.policy, "%s", policy->digest);
        (void)snprintf(statement.reviewer, sizeof statement.reviewer, "%s", reviewer);
        (void)snprintf(statement.nonce, sizeof statement.nonce, "%032x", ++nonce);
        return statement;
}

static const struct gbx_buffer *key_of(const char *signer) {
        return strcmp(signer, "wang") == 0 ? &wang : strcmp(signer, "li") == 0 ? &li : strcmp(signer, "bank-a") == 0 ? &bank_a : &bank_b;
}

/* Signs a statement and puts the decision into the request; the view knows the signer's key as the reviewer's. */
static void decide_as(json_t *request, const struct gbx_output_statement *statement, const char *signer) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, signature = {};
        json_t *list = json_object_get(request, "decisions");

        assert_int_equal(gbx_output_statement_text(statement, &text, NULL), 0);
        sign(signer, "glovebox", "", text.data, text.size, &signature);
        assert_int_equal(json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:b}", "reviewer", statement->reviewer,
                                                               "roles", "reviewer", "key", gbx_buffer_text(key_of(signer)), "key_since", 7,
                                                               "statement", gbx_buffer_text(&text), "signature",
                                                               gbx_buffer_text(&signature), "seq", 100 + (int)json_array_size(list),
                                                               "withdrawn", 0)), 0);
}

static void add(json_t *request, const char *reviewer, enum gbx_output_decision decision) {
        struct gbx_output_statement statement = statement_of(reviewer, decision);

        decide_as(request, &statement, reviewer);
}

static json_t *empty_request(void) {
        json_t *request = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[]}", "site", "gbx.example/demo", "now",
                                    "2026-11-18T11:06:40Z", "run", "run-000007", "outputs", OUTPUTS, "findings", FINDINGS, "recipient",
                                    "bank-a", "policy", policy->digest, "requester", "bank-a", "requester_key", gbx_buffer_text(&bank_a),
                                    "submitter", "bank-b", "submitter_key", gbx_buffer_text(&bank_b), "decisions");

        assert_non_null(request);
        return request;
}

static json_t *good_request(void) {
        json_t *request = empty_request();

        add(request, "wang", GBX_OUTPUT_APPROVE);
        add(request, "li", GBX_OUTPUT_APPROVE);
        return request;
}

/* "outcome: code code …" of the request, which is given up. */
static void expect(json_t *json, const char *expected) {
        gbx_auto(gbx_outputs_request_free) struct gbx_outputs_request request = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {}, again = {};
        struct gbx_error err = {};
        json_t *written = NULL;
        char got[512];

        if (gbx_outputs_request_from_json(json, &request, &err) < 0 || gbx_decide_outputs(policy, &request, &verdict, &err) < 0)
                (void)snprintf(got, sizeof got, "error: %.400s", err.message);
        else {
                (void)snprintf(got, sizeof got, "%s:", gbx_outcome_name(verdict.outcome));
                for (size_t i = 0; i < verdict.count; i++)
                        (void)snprintf(got + strlen(got), sizeof got - strlen(got), " %s", verdict.reasons[i].code);
                assert_int_equal(gbx_outputs_request_to_json(&request, &written, &err), 0); /* replay reads the same */
                assert_true(json_equal(json, written));
                json_decref(written);
                assert_int_equal(gbx_verdict_json(&verdict, &written, &err), 0); /* and every code can be recorded */
                assert_int_equal(gbx_verdict_from_json(written, &again, &err), 0);
                json_decref(written);
        }
        if (strcmp(got, expected) != 0)
                fail_msg("expected «%s», got «%s»", expected, got);
        json_decref(json);
}

static void test_enough_and_too_few(void **state) {
        json_t *request = empty_request();

        (void)state;
        expect(good_request(), "release: outputs-approved");
        add(request, "wang", GBX_OUTPUT_APPROVE);
        expect(request, "hold: too-few-reviews");
        expect(empty_request(), "hold: too-few-reviews");
}

/* A rejection stands against any number of approvals, also of the same reviewer, until it is withdrawn. */
static void test_rejection(void **state) {
        json_t *request = good_request();

        (void)state;
        add(request, "wang", GBX_OUTPUT_REJECT);
        json_incref(request);
        expect(request, "refuse: outputs-rejected outputs-approved");
        json_object_set_new(json_array_get(json_object_get(request, "decisions"), 2), "withdrawn", json_true());
        expect(request, "release: review-withdrawn outputs-approved");

        request = empty_request();
        add(request, "wang", GBX_OUTPUT_REJECT);
        add(request, "wang", GBX_OUTPUT_APPROVE);
        expect(request, "refuse: outputs-rejected too-few-reviews");

        /* Somebody who does not count does not stop anything either. */
        request = good_request();
        add(request, "bank-a", GBX_OUTPUT_REJECT);
        expect(request, "release: review-requester outputs-approved");
}

/* One change at a time, in the request or in what the log says about the first decision. */
static void test_changed(void **state) {
        static const struct {
                const char *of, *key, *value, *expected; /* of: "" the request, "0" the first decision */
        } cases[] = {
                { "", "site", "\"gbx.example/twin\"", "hold: review-site review-site too-few-reviews" },
                { "", "run", "\"run-000008\"", "hold: review-run review-run too-few-reviews" },
                { "", "outputs", "\"" OTHER "\"", "hold: review-outputs review-outputs too-few-reviews" },
                { "", "findings", "\"" OTHER "\"", "hold: review-findings review-findings too-few-reviews" },
                { "", "recipient", "\"wang\"", "refuse: recipient review-recipient review-recipient too-few-reviews" },
                { "", "policy", "\"" OTHER "\"", "error: the request names another policy than the one it is judged by" },
                { "", "now", "\"2026-11-18T11:05:40Z\"", "release: outputs-approved" },
                { "", "now", "\"2026-11-18T11:05:39Z\"", "hold: review-made review-made too-few-reviews" },
                { "", "submitter", "\"li\"", "hold: review-submitter too-few-reviews" },
                { "", "submitter_key", "null", "release: outputs-approved" },
                { "", "submitter_key", "\"nonsense\"", "error: the key of 'bank-b': the SSH public key line begins with 'nonsense'; only ssh-ed25519 keys are accepted (ssh-keygen -t ed25519)" },
                { "0", "withdrawn", "true", "hold: review-withdrawn too-few-reviews" },
                { "0", "roles", "\"analyst,admin\"", "hold: review-role too-few-reviews" },
                { "0", "roles", "\"\"", "hold: review-role too-few-reviews" },
                { "0", "roles", "\"king\"", "error: request about outputs: 'king' does not list roles (analyst, reviewer, admin, auditor, owner)" },
                { "0", "key", "null", "hold: review-key too-few-reviews" },
                { "0", "key", "\"ssh-rsa AAAA\"", "hold: review-key too-few-reviews" },
                { "0", "key_since", "99", "release: outputs-approved" },
                { "0", "key_since", "100", "hold: review-before-key too-few-reviews" },
                { "0", "key_since", "-1", "error: request about outputs: decisions.key_since: must be a whole number from 0 to 9223372036854775807" },
                { "0", "seq", "101", "error: request about outputs: the decisions do not stand in the order of their entries" },
                { "0", "reviewer", "\"zhao\"", "hold: review-reviewer too-few-reviews" },
                { "0", "reviewer", "\"qian\"", "hold: review-reviewer review-reviewer too-few-reviews" },
                { "0", "statement", "\"approved!\"", "hold: review-signature too-few-reviews" },
                { "0", "signature", "\"\"", "hold: review-signature too-few-reviews" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                json_t *request = good_request();
                json_t *at = *cases[i].of ? json_array_get(json_object_get(request, "decisions"), 0) : request;

                json_object_set_new(at, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
                expect(request, cases[i].expected);
        }
}

/* The requester never counts, the submitter only where the policy says so: by name, and by key under another name. */
static void test_own_outputs(void **state) {
        struct gbx_output_statement statement;
        gbx_auto(gbx_policy_freep) struct gbx_policy *lax =
                make_policy("output-review: { required: 1, reviewers: [wang, bank-a, bank-b], exclude-submitter: no }\n");
        json_t *request;

        (void)state;
        policy = lax;
        request = empty_request();
        add(request, "bank-a", GBX_OUTPUT_APPROVE);
        expect(request, "hold: review-requester too-few-reviews");
        request = empty_request();
        statement = statement_of("wang", GBX_OUTPUT_APPROVE);
        decide_as(request, &statement, "bank-a");
        json_object_set_new(json_array_get(json_object_get(request, "decisions"), 0), "roles", json_string("analyst,reviewer,admin"));
        expect(request, "hold: review-requester too-few-reviews");
        request = empty_request();
        add(request, "bank-b", GBX_OUTPUT_APPROVE);
        expect(request, "release: outputs-approved");
        policy = any;
        request = empty_request();
        statement = statement_of("wang", GBX_OUTPUT_APPROVE);
        decide_as(request, &statement, "bank-b");
        expect(request, "hold: review-submitter too-few-reviews");
        request = empty_request(); /* the default: any reviewer, one of them */
        add(request, "wang", GBX_OUTPUT_APPROVE);
        expect(request, "release: outputs-approved");
        policy = two;
}

/* One person twice, two names with one key, a decision that was withdrawn and is handed in again. */
static void test_replays(void **state) {
        struct gbx_output_statement by_wang = statement_of("wang", GBX_OUTPUT_APPROVE), too = statement_of("zhao", GBX_OUTPUT_APPROVE);
        json_t *request = empty_request(), *list;

        (void)state;
        add(request, "wang", GBX_OUTPUT_APPROVE);
        add(request, "wang", GBX_OUTPUT_APPROVE);
        expect(request, "hold: review-repeated too-few-reviews");
        request = empty_request();
        decide_as(request, &by_wang, "wang");
        decide_as(request, &too, "wang");
        expect(request, "hold: review-repeated too-few-reviews");
        request = good_request();
        list = json_object_get(request, "decisions");
        decide_as(request, &by_wang, "wang");
        json_array_append_new(list, json_deep_copy(json_array_get(list, 2)));
        json_object_set_new(json_array_get(list, 3), "seq", json_integer(200));
        json_object_set_new(json_array_get(list, 2), "withdrawn", json_true());
        json_array_remove(list, 0); /* wang's other one */
        expect(request, "hold: review-withdrawn review-replayed too-few-reviews");

        /* The signature of a rejection under the statement of an approval. */
        request = good_request();
        add(request, "li", GBX_OUTPUT_REJECT);
        list = json_object_get(request, "decisions");
        json_object_set(json_array_get(list, 1), "signature", json_object_get(json_array_get(list, 2), "signature"));
        json_array_remove(list, 2);
        expect(request, "hold: review-signature too-few-reviews");
}

/* An approval of an algorithm is no approval of outputs: the statements begin differently. */
static void test_other_kind_of_statement(void **state) {
        json_t *request = good_request(), *first = json_array_get(json_object_get(request, "decisions"), 0);
        gbx_auto(gbx_buffer_free) struct gbx_buffer signature = {};
        static const char text[] = "glovebox approval v2\nsite: gbx.example/demo\n";

        (void)state;
        sign("wang", "glovebox", "", text, strlen(text), &signature);
        json_object_set_new(first, "statement", json_string(text));
        json_object_set_new(first, "signature", json_string(gbx_buffer_text(&signature)));
        expect(request, "hold: review-statement too-few-reviews");
}

static void test_request_is_strict(void **state) {
        json_t *request = good_request(), *value;
        const char *key;

        (void)state;
        json_object_foreach(request, key, value) {
                gbx_auto(gbx_outputs_request_free) struct gbx_outputs_request other = {};
                json_t *copy = json_copy(request);

                json_object_del(copy, key);
                assert_int_equal(gbx_outputs_request_from_json(copy, &other, NULL), -EINVAL);
                json_object_set_new(copy, key, json_integer(7));
                assert_int_equal(gbx_outputs_request_from_json(copy, &other, NULL), -EINVAL);
                json_decref(copy);
        }
        json_object_set_new(request, "extra", json_true());
        expect(request, "error: request about outputs: extra: is not a field of this object");
}

/* --- who counts ------------------------------------------------------------------------ */

/* The question that is asked before somebody signs has the answer that the decision gives behind. */
static void test_reviewer_counts(void **state) {
        static const struct gbx_reviewer nobody = { .name = "nobody" };
        const char *wang_key = gbx_buffer_text(&wang), *li_key = gbx_buffer_text(&li);
        const struct {
                struct gbx_policy *policy;
                enum gbx_review review;
                struct gbx_reviewer reviewer, submitter;
                const struct gbx_reviewer *requester;
                const char *expected;
        } cases[] = {
                { two, GBX_REVIEW_OUTPUTS, { "wang", GBX_ROLE_REVIEWER, wang_key }, nobody, NULL, "allowed:" },
                { two, GBX_REVIEW_OUTPUTS, { "qian", GBX_ROLE_REVIEWER, wang_key }, nobody, NULL, "denied: review-reviewer" },
                { any, GBX_REVIEW_OUTPUTS, { "qian", GBX_ROLE_REVIEWER, wang_key }, nobody, NULL, "allowed:" },
                { two, GBX_REVIEW_OUTPUTS, { "wang", GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR, wang_key }, nobody, NULL, "denied: review-role" },
                { two, GBX_REVIEW_OUTPUTS, { "wang", GBX_ROLE_REVIEWER, NULL }, nobody, NULL, "denied: review-key" },
                { two, GBX_REVIEW_OUTPUTS, { "wang", GBX_ROLE_REVIEWER, wang_key }, { "sun", 0, wang_key }, NULL, "denied: review-submitter" },
                { two, GBX_REVIEW_OUTPUTS, { "wang", GBX_ROLE_REVIEWER, wang_key }, { "sun", 0, li_key }, NULL, "allowed:" },
                { two, GBX_REVIEW_OUTPUTS, { "wang", GBX_ROLE_REVIEWER, wang_key }, nobody, &(struct gbx_reviewer){ "sun", 0, wang_key },
                  "denied: review-requester" },
                { two, GBX_REVIEW_ALGORITHM, { "w", GBX_ROLE_REVIEWER, wang_key }, nobody, NULL, "allowed:" },
                { two, GBX_REVIEW_ALGORITHM, { "fake", GBX_ROLE_REVIEWER, wang_key }, nobody, NULL, "denied: approval-reviewer" },
                { two, GBX_REVIEW_ALGORITHM, { "w", 0, NULL }, { "w", 0, NULL }, NULL, "denied: approval-key approval-role approval-submitter" },
                { two, GBX_REVIEW_ALGORITHM, { "w", GBX_ROLE_REVIEWER, wang_key }, nobody, &(struct gbx_reviewer){ "w", 0, NULL },
                  "denied: approval-requester" },
        };
        gbx_auto(gbx_verdict_free) struct gbx_verdict broken = {};

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
                char got[256];

                assert_int_equal(gbx_policy_reviewer_counts(cases[i].policy, cases[i].review, &cases[i].reviewer, &cases[i].submitter,
                                                            cases[i].requester, &verdict, NULL), 0);
                (void)snprintf(got, sizeof got, "%s:", gbx_outcome_name(verdict.outcome));
                for (size_t j = 0; j < verdict.count; j++)
                        (void)snprintf(got + strlen(got), sizeof got - strlen(got), " %s", verdict.reasons[j].code);
                if (strcmp(got, cases[i].expected) != 0)
                        fail_msg("case %zu: expected «%s», got «%s»", i, cases[i].expected, got);
        }
        assert_int_equal(gbx_policy_reviewer_counts(two, GBX_REVIEW_OUTPUTS, &(struct gbx_reviewer){ "wang", GBX_ROLE_REVIEWER, "rubbish" },
                                                    &nobody, NULL, &broken, NULL), -EINVAL);
}

/* --- statements ---------------------------------------------------------------------- */

static void test_statement_text(void **state) {
        struct gbx_output_statement statement = statement_of("wang", GBX_OUTPUT_REJECT), parsed = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, again = {};

        (void)state;
        (void)snprintf(statement.policy, sizeof statement.policy, OTHER);
        (void)snprintf(statement.nonce, sizeof statement.nonce, "00112233445566778899aabbccddeeff");
        assert_int_equal(gbx_output_statement_text(&statement, &text, NULL), 0);
        assert_string_equal(gbx_buffer_text(&text),
                            "glovebox output decision v1\nsite: gbx.example/demo\nrun: run-000007\ndecision: reject\n"
                            "outputs: " OUTPUTS "\nfindings: " FINDINGS "\nrecipient: bank-a\npolicy: " OTHER "\nreason: " REASON "\n"
                            "reviewer: wang\nmade: 2026-11-18T11:05:40Z\nnonce: 00112233445566778899aabbccddeeff\n");
        assert_int_equal(gbx_output_statement_parse(gbx_buffer_text(&text), text.size, &parsed, NULL), 0);
        assert_int_equal(parsed.decision, GBX_OUTPUT_REJECT);
        assert_int_equal(gbx_output_statement_text(&parsed, &again, NULL), 0);
        assert_string_equal(gbx_buffer_text(&again), gbx_buffer_text(&text));
}

/* Any change of one byte gives another statement or none; a text that is cut, a line gone or twice gives none. */
static void test_statement_is_strict(void **state) {
        static const uint8_t others[] = { 0, ' ', '\n', '\r', 'A', '9', 0xff };
        struct gbx_output_statement statement = statement_of("wang", GBX_OUTPUT_APPROVE), parsed;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

        (void)state;
        assert_int_equal(gbx_output_statement_text(&statement, &text, NULL), 0);
        for (size_t i = 0; i < text.size; i++) {
                uint8_t old = text.data[i];

                for (size_t j = 0; j < sizeof others; j++) {
                        gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};

                        text.data[i] = others[j];
                        if (others[j] != old && gbx_output_statement_parse((char *)text.data, text.size, &parsed, NULL) >= 0) {
                                assert_int_equal(gbx_output_statement_text(&parsed, &again, NULL), 0);
                                assert_memory_equal(again.data, text.data, text.size);
                        }
                }
                text.data[i] = old;
                assert_int_equal(gbx_output_statement_parse((char *)text.data, i, &parsed, NULL), -EINVAL);
        }
        for (const char *line = gbx_buffer_text(&text); *line; line = strchr(line, '\n') + 1) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer less = {}, twice = {};
                size_t before = (size_t)(line - gbx_buffer_text(&text)), length = (size_t)(strchr(line, '\n') + 1 - line);

                assert_int_equal(gbx_buffer_append(&less, text.data, before, NULL), 0);
                assert_int_equal(gbx_buffer_append_text(&less, line + length, NULL), 0);
                assert_int_equal(gbx_output_statement_parse(gbx_buffer_text(&less), less.size, &parsed, NULL), -EINVAL);
                assert_int_equal(gbx_buffer_append(&twice, text.data, before + length, NULL), 0);
                assert_int_equal(gbx_buffer_append_text(&twice, line, NULL), 0);
                assert_int_equal(gbx_output_statement_parse(gbx_buffer_text(&twice), twice.size, &parsed, NULL), -EINVAL);
        }
}

static void test_outputs_digest(void **state) {
        static const struct gbx_output_item items[] = { { "b", OUTPUTS }, { "a", OTHER } }, turned[] = { { "a", OTHER }, { "b", OUTPUTS } },
                                            swapped[] = { { "a", OUTPUTS }, { "b", OTHER } }, twice[] = { { "a", OTHER }, { "a", OUTPUTS } },
                                            bad_name[] = { { "a\n", OTHER } }, bad_digest[] = { { "a", "sha256:12" } };
        static const char text[] = OTHER " a\n" OUTPUTS " b\n";
        char first[GBX_SHA256_TEXT_SIZE], second[GBX_SHA256_TEXT_SIZE];
        uint8_t digest[GBX_SHA256_SIZE];

        (void)state;
        assert_int_equal(gbx_outputs_digest(items, 2, first, NULL), 0);
        gbx_sha256(text, strlen(text), digest);
        gbx_sha256_text(digest, second);
        assert_string_equal(first, second);
        assert_int_equal(gbx_outputs_digest(turned, 2, second, NULL), 0);
        assert_string_equal(first, second);
        assert_int_equal(gbx_outputs_digest(swapped, 2, second, NULL), 0);
        assert_string_not_equal(first, second);
        assert_int_equal(gbx_outputs_digest(items, 1, second, NULL), 0);
        assert_string_not_equal(first, second);
        assert_int_equal(gbx_outputs_digest(items, 0, second, NULL), -EINVAL);
        assert_int_equal(gbx_outputs_digest(twice, 2, second, NULL), -EINVAL);
        assert_int_equal(gbx_outputs_digest(bad_name, 1, second, NULL), -EINVAL);
        assert_int_equal(gbx_outputs_digest(bad_digest, 1, second, NULL), -EINVAL);
}

static void test_policy_section(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *bad = NULL;
        static const char wrong[] = "policy: p\npurpose: p\ndatasets: [d]\nengines: [lua]\napprovals: { required: 1, reviewers: [w] }\n"
                                    "release: { minimum-count: 10 }\noutput-review:\n  required: 3\n  reviewers: [a, b]\n  blind: no\n";
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(any->output_review.required, 1);
        assert_int_equal(any->output_review.reviewers.count, 0);
        assert_true(any->output_review.exclude_submitter && any->output_review.blind);
        assert_int_equal(gbx_policy_describe(any, &text, NULL), 0);
        assert_non_null(strstr(gbx_buffer_text(&text),
                               "output review  1 of: any reviewer; never the requester, never the submitter, each blind to the others\n"));
        assert_int_equal(gbx_policy_parse(&bad, "f", wrong, strlen(wrong), NULL, &err), -EINVAL);
        assert_string_equal(err.message, "f:8:13: required: 3 reviews, but only 2 reviewers are named");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_enough_and_too_few), cmocka_unit_test(test_rejection),
                cmocka_unit_test(test_changed),            cmocka_unit_test(test_own_outputs),
                cmocka_unit_test(test_replays),            cmocka_unit_test(test_other_kind_of_statement),
                cmocka_unit_test(test_request_is_strict),  cmocka_unit_test(test_statement_text),
                cmocka_unit_test(test_statement_is_strict), cmocka_unit_test(test_outputs_digest),
                cmocka_unit_test(test_policy_section),     cmocka_unit_test(test_reviewer_counts),
        };

        return cmocka_run_group_tests(tests, start, end);
}
