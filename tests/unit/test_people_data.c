/* Users, datasets and words of reviewers: what is refused, and that it left nothing */
#include "tests/unit/gateway_fixture.h"

static json_t *user_with(const char *name, const char *role, const char *key_of) { return world_user(name, role, key_of); }

static void one_key_is_one_person(void **state) {
        struct world *world = *state;

        world_expect(world, -EKEYREJECTED, "admin", "user", "add", user_with("other", "analyst", "wang")); /* somebody's */
        world_expect(world, 0, "admin", "user", "remove", json_pack("{s:s}", "name", "wang"));
        world_expect(world, -EKEYREJECTED, "admin", "user", "add", user_with("other", "reviewer", "wang")); /* somebody's once */
        world_expect(world, 0, "admin", "user", "add", user_with("wang", "reviewer", "wang"));
        world_needs_sandbox();
        assert_int_equal(world_run(world, "bank-a", "release"), GBX_EXIT_DENIED); /* what was approved before does not revive */
        world_replays(world);
}

static void there_is_always_an_administrator(void **state) {
        struct world *world = *state;

        world_expect(world, -EKEYREJECTED, "admin", "user", "remove", json_pack("{s:s}", "name", "admin"));
        world_expect(world, -EKEYREJECTED, "admin", "user", "add", json_pack("{s:s, s:[s]}", "name", "admin", "role", "auditor"));
        world_expect(world, 0, "admin", "user", "add", user_with("second", "admin", "second"));
        world_expect(world, 0, "second", "user", "remove", json_pack("{s:s}", "name", "admin"));
        world_expect(world, -EKEYREJECTED, "admin", "user", "ls", NULL);
        world_replays(world);
}

static void users_are_checked(void **state) {
        struct world *world = *state;

        world_expect(world, -EINVAL, "admin", "user", "add", json_pack("{s:s, s:[s]}", "name", "new", "role", "owner")); /* no key */
        world_expect(world, -EINVAL, "admin", "user", "add", json_pack("{s:s, s:[s], s:s}", "name", "new", "role", "king", "ssh-key", "x"));
        world_expect(world, -EINVAL, "admin", "user", "add",
                     json_pack("{s:s, s:[s], s:s}", "name", "new", "role", "owner", "ssh-key", "ssh-rsa AAAA"));
        world_expect(world, -EINVAL, "admin", "user", "add",
                     json_pack("{s:s, s:[s], s:s}", "name", "new", "role", "owner", "ssh-key", "-----BEGIN OPENSSH PRIVATE KEY-----"));
        world_expect(world, -EINVAL, "admin", "user", "add", json_pack("{s:s, s:s}", "name", "bank-a", "age", "age1nothing"));
        world_expect(world, -ENOENT, "admin", "user", "remove", json_pack("{s:s}", "name", "ghost"));
        assert_int_equal(world_count(world, "SELECT * FROM user"), 8);
        world_replays(world);
}

static void data_is_its_owner_s(void **state) {
        struct world *world = *state;
        gbx_auto(gbx_free_pointer) char *statement = NULL, *intake = NULL;

        assert_int_equal(world_prepare_data(world, "ministry", "ministry"), -EKEYREJECTED);
        world_says(world, "belongs to another owner");
        assert_int_equal(world_prepare_data(world, "ministry", "fund"), -EKEYREJECTED);
        assert_int_equal(world_prepare_data(world, "fund", "nobody"), -EKEYREJECTED);
        assert_int_equal(world_prepare_data(world, "fund", "fund"), 0);
        intake = strdup(world_member(world, "intake"));
        world_expect(world, -EBADMSG, "fund", "data", "add",
                     json_pack("{s:s, s:o}", "intake", intake, "signature", world_signature("ministry", world_member(world, "manifest"))));
        assert_true(world_ask(world, "fund", "data", "add", json_pack("{s:s}", "intake", intake)) < 0); /* an intake is used once */
        assert_int_equal(world_prepare_data(world, "fund", "fund"), 0);
        free(intake);
        intake = strdup(world_member(world, "intake"));
        world_expect(world, 0, "fund", "data", "discard", json_pack("{s:s}", "intake", intake));
        assert_true(world_ask(world, "fund", "data", "add", json_pack("{s:s}", "intake", intake)) < 0);
        world_expect(world, -EKEYREJECTED, "ministry", "data", "revoke", json_pack("{s:s}", "name", "credit"));
        world_expect(world, -EKEYREJECTED, "ministry", "data", "usage", json_pack("{s:s}", "name", "credit"));
        world_expect(world, 0, "fund", "data", "usage", json_pack("{s:s}", "name", "credit"));
        world_expect(world, 0, "fund", "data", "transfer-statement", json_pack("{s:s, s:s}", "name", "credit", "to", "ministry"));
        statement = strdup(world_member(world, "statement"));
        assert_true(world_ask(world, "fund", "data", "transfer",
                              json_pack("{s:s, s:o, s:o}", "statement", statement, "from", world_signature("fund", statement), "to",
                                        world_signature("fund", statement))) < 0);
        world_expect(world, 0, "ministry", "data", "transfer",
                     json_pack("{s:s, s:o, s:o}", "statement", statement, "from", world_signature("fund", statement), "to",
                               world_signature("ministry", statement)));
        assert_true(world_ask(world, "ministry", "data", "transfer",
                              json_pack("{s:s, s:o, s:o}", "statement", statement, "from", world_signature("fund", statement), "to",
                                        world_signature("ministry", statement))) < 0); /* a statement counts once */
        assert_int_equal(world_add_data(world, "ministry", "ministry"), 0);
        world_expect(world, -EINVAL, "ministry", "data", "destroy", json_pack("{s:s}", "name", "credit"));
        world_expect(world, 0, "ministry", "data", "destroy", json_pack("{s:s, s:s}", "name", "credit", "confirm", "credit"));
        assert_int_equal(world_run(world, "bank-a", "release"), GBX_EXIT_DENIED);
        world_replays(world);
}

static void data_that_is_not_for_the_site_is_refused(void **state) {
        struct world *world = *state;
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *stranger = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};

        assert_int_equal(gbx_age_identity_generate(&stranger, NULL), 0);
        assert_int_equal(
                gbx_age_encrypt_buffer("a,b\n", 4, (struct gbx_age_recipients){ gbx_age_identity_recipient(stranger), 1 }, &sealed, NULL),
                0);
        for (size_t i = 0; i < 2; i++) {
                world_attach(world, "file", i ? (const void *)"plain text" : sealed.data, i ? 10 : sealed.size);
                assert_true(world_ask(world, "fund", "data", "prepare",
                                      json_pack("{s:s, s:s, s:s}", "name", "credit", "owner", "fund", "schema", world_schema)) < 0);
        }
        world_attach(world, "file", sealed.data, sealed.size);
        world_expect(world, -EINVAL, "fund", "data", "prepare",
                     json_pack("{s:s, s:s, s:s}", "name", "credit", "owner", "fund", "schema", "dataset: credit\ncolumns: 7\n"));
        assert_true(json_array_size(world->problems) > 0);
        world_attach(world, "file", sealed.data, sealed.size);
        world_expect(world, -EINVAL, "fund", "data", "prepare",
                     json_pack("{s:s, s:s, s:s}", "name", "debit", "owner", "fund", "schema", world_schema));
        world_replays(world);
}

static void words_of_reviewers_count_once_and_for_what_they_say(void **state) {
        struct world *world = *state;
        gbx_auto(gbx_free_pointer) char *statement = NULL;

        world_expect(world, 0, "wang", "review", "statement",
                     json_pack("{s:s, s:s}", "what", world_algorithm, "purpose", "credit-scoring"));
        statement = strdup(world_member(world, "statement"));
        assert_true(world_ask(world, "li", "review", "approve", /* another's statement */
                              json_pack("{s:s, s:s, s:o}", "what", world_algorithm, "statement", statement, "signature",
                                        world_signature("li", statement))) < 0);
        assert_true(world_ask(world, "wang", "review", "approve", /* another's signature */
                              json_pack("{s:s, s:s, s:o}", "what", world_algorithm, "statement", statement, "signature",
                                        world_signature("li", statement))) < 0);
        world_expect(world, 0, "wang", "review", "reject", json_pack("{s:s, s:s}", "what", world_algorithm, "reason", "no"));
        assert_true(world_ask(world, "wang", "review", "approve", /* made before the rejection */
                              json_pack("{s:s, s:s, s:o}", "what", world_algorithm, "statement", statement, "signature",
                                        world_signature("wang", statement))) < 0);
        assert_int_equal(world_run(world, "bank-a", "release"), GBX_EXIT_DENIED);
        assert_int_equal(world_approve(world, "wang", world_algorithm), 0); /* a new one counts, also at once */
        world_replays(world);
}

static void held_outputs_are_stopped_by_what_is_withdrawn(void **state) {
        struct world *world = *state;
        char run[24];

        world_needs_sandbox();
        assert_int_equal(world_run(world, "bank-a", "small"), GBX_EXIT_HELD);
        (void)snprintf(run, sizeof run, "%s", world_member(world, "run"));
        assert_true(world_ask(world, "bank-a", "review", "show", json_pack("{s:s}", "what", run)) < 0);
        world_expect(world, 0, "wang", "review", "show", json_pack("{s:s}", "what", run));
        assert_true(json_array_size(json_object_get(world->answer, "tables")) == 1);
        assert_int_equal(world_review(world, "wang", run, true), GBX_EXIT_HELD);
        assert_true(world_review(world, "wang", run, true) < 0); /* twice */
        world_expect(world, 0, "fund", "data", "revoke", json_pack("{s:s}", "name", "credit"));
        (void)world_review(world, "li", run, true);
        assert_int_equal(world_count(world, "SELECT * FROM release"), 0);
        world_replays(world);
}

static void a_release_is_fetched_by_its_recipient_and_traced(void **state) {
        struct world *world = *state;
        char run[24], out[80];

        world_needs_sandbox();
        assert_int_equal(world_run(world, "bank-a", "release"), GBX_EXIT_DONE);
        (void)snprintf(run, sizeof run, "%s", world_member(world, "run"));
        (void)snprintf(out, sizeof out, "%.60s/out", world->root);
        assert_true(world_ask(world, "bank-b", "job", "fetch", json_pack("{s:s, s:s}", "run", run, "output", out)) < 0);
        world_expect(world, 0, "bank-a", "job", "fetch", json_pack("{s:s, s:s}", "run", run, "output", out));
        assert_int_equal(json_array_size(json_object_get(world->answer, "files")), 2);
        world_expect(world, 0, "bank-a", "job", "show", json_pack("{s:s}", "run", run));
        assert_null(json_object_get(world->answer, "seq"));
        world_expect(world, -ENOENT, "bank-b", "job", "show", json_pack("{s:s}", "run", run));
        world_attach(world, "file", "home,applicants,rate\nowner,40,0.5\nrent,20,0.4\n", 45);
        world_expect(world, 0, "audit", "trace", NULL, NULL);
        assert_int_equal(world_run(world, "bank-b", "release"), GBX_EXIT_DONE); /* the same table for another */
        world_replays(world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(one_key_is_one_person),
                WORLD_TEST(there_is_always_an_administrator),
                WORLD_TEST(users_are_checked),
                WORLD_TEST(data_is_its_owner_s),
                WORLD_TEST(data_that_is_not_for_the_site_is_refused),
                WORLD_TEST(words_of_reviewers_count_once_and_for_what_they_say),
                WORLD_TEST(held_outputs_are_stopped_by_what_is_withdrawn),
                WORLD_TEST(a_release_is_fetched_by_its_recipient_and_traced),
        };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
