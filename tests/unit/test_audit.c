/*
 * Replay names what cannot have happened: for each kind of entry that the log of a full story has, variants of it that
 * somebody with the log's own key appends
 *
 * An entry is taken as it stands, one thing in it is made otherwise (the actor, the object, the outcome, each of its
 * details), and it is appended. What replay does not look at is listed, so that the list is seen to shrink or to grow.
 */
#include "tests/unit/gateway_fixture.h"

#include "base/text.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"

static char released[24], held[24];

/* Runs, held outputs, a release that was fetched, a transfer: an entry of each kind that is judged. */
static void tell_the_story(struct world *world) {
        gbx_auto(gbx_free_pointer) char *statement = NULL;
        char folder[80];

        world_expect(world, 0, "fund", "data", "transfer-statement", json_pack("{s:s, s:s}", "name", "credit", "to", "ministry"));
        statement = strdup(world_member(world, "statement"));
        world_expect(world, 0, "fund", "data", "transfer",
                     json_pack("{s:s, s:o, s:o}", "statement", statement, "from", world_signature("fund", statement), "to",
                               world_signature("ministry", statement)));
        assert_int_equal(world_run(world, "bank-a", "release"), GBX_EXIT_DONE);
        (void)snprintf(released, sizeof released, "%s", world_member(world, "run"));
        (void)snprintf(folder, sizeof folder, "%.60s/out", world->root);
        world_expect(world, 0, "bank-a", "job", "fetch", json_pack("{s:s, s:s}", "run", released, "output", folder));
        assert_int_equal(world_run(world, "bank-a", "small"), GBX_EXIT_HELD);
        (void)snprintf(held, sizeof held, "%s", world_member(world, "run"));
        assert_int_equal(world_review(world, "wang", held, true), GBX_EXIT_HELD);
        assert_int_equal(world_review(world, "li", held, true), GBX_EXIT_DONE);
        assert_int_equal(world_run(world, "bank-a", "small"), GBX_EXIT_HELD);
        (void)snprintf(held, sizeof held, "%s", world_member(world, "run"));
        assert_int_equal(world_review(world, "wang", held, false), GBX_EXIT_DONE);
        world_replays(world);
}

static int read_entry(struct gbx_site *site, uint64_t index, json_t **ret) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

        assert_int_equal(gbx_log_read(site->log, index, &text, NULL), 0);
        return gbx_entry_parse(text.data, text.size, ret, NULL);
}

/* The last entry of an action, with the time of now; NULL if there is none. */
static json_t *last_of(struct gbx_site *site, const char *action) {
        for (uint64_t i = gbx_log_size(site->log); i-- > 0;) {
                json_t *entry = NULL;
                char now[GBX_TIME_TEXT_SIZE];

                assert_int_equal(read_entry(site, i, &entry), 0);
                if (strcmp(gbx_json_text(entry, "action"), action) == 0) {
                        gbx_time_text(gbx_time_now(), now);
                        (void)json_object_set_new(entry, "time", json_string(now));
                        return entry;
                }
                json_decref(entry);
        }
        return NULL;
}

/* Appends the entry to a copy of the site, past every rule, and says whether replay names it. -1: no such entry can be. */
static int is_named(struct world *world, const json_t *forged, char ret_what[static 200]) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_replay_free) struct gbx_replay replay = {};
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        struct world copy = {};
        uint64_t index = 0;
        size_t i;
        const json_t *divergence;
        int result = 0;

        (void)snprintf(copy.path, sizeof copy.path, "%.60s/forged", world->root);
        if (gbx_entry_format(forged, &text, NULL) < 0)
                return -1;
        assert_int_equal(world_copy_tree(world->path, copy.path), 0);
        site = world_open(&copy);
        assert_int_equal(gbx_log_append(site->log, text.data, text.size, &index, NULL), 0);
        if (gbx_replay_log(site, gbx_operation_action_of, &replay, &copy.err) < 0) { /* the tables cannot even hold it */
                (void)snprintf(ret_what, 200, "%.199s", copy.err.message);
                result = 1;
        }
        json_array_foreach(replay.divergences, i, divergence)
                if ((uint64_t)gbx_json_number(divergence, "entry") == index) {
                        (void)snprintf(ret_what, 200, "%s", gbx_json_text(divergence, "what"));
                        result = 1;
                }
        world_remove(copy.path);
        return result;
}

/* Another value of the same kind. */
static json_t *otherwise(const json_t *value) {
        const char *text = json_string_value(value);
        gbx_auto(gbx_free_pointer) char *copy = NULL;
        json_t *list;

        if (json_is_integer(value))
                return json_integer(json_integer_value(value) + 1);
        if (json_is_boolean(value))
                return json_boolean(!json_is_true(value));
        if (json_is_array(value)) {
                list = json_deep_copy(value);
                (void)json_array_append_new(list, json_string("admin"));
                return list;
        }
        if (json_is_object(value))
                return json_object();
        if (strncmp(text, "sha256:", 7) == 0) {
                copy = strdup(text);
                copy[10] = copy[10] == 'a' ? 'b' : 'a';
                return json_string(copy);
        }
        if (strncmp(text, "ssh-ed25519 ", 12) == 0) { /* somebody else's */
                gbx_auto(gbx_buffer_free) struct gbx_buffer line = {};

                sshsig_public_line("ministry", &line);
                return json_string(gbx_buffer_text(&line));
        }
        if (strncmp(text, "run-", 4) == 0)
                return json_string("run-000999");
        return json_string(strcmp(text, "bank-b") == 0 ? "audit" : "bank-b");
}

/* What replay does not judge. An administrator may give any roles; a release may be fetched twice. That the same word is said
 * twice adds nothing, for reviewers are counted and not words; the outcome of these is a word that nothing rests on. */
static bool beyond_replay(const char *action, const char *what) {
        static const char *const known[][2] = {
                { "user.add", "the same again" },      { "user.add", "details.roles" },     { "user.add", "outcome" },
                { "review.approve", "the same again" }, { "review.approve", "outcome" },    { "output.review", "the same again" },
                { "output.review", "outcome" },        { "release.fetch", "the same again" }, { "release.fetch", "outcome" },
        };

        for (size_t i = 0; i < gbx_array_size(known); i++)
                if (strcmp(known[i][0], action) == 0 && strcmp(known[i][1], what) == 0)
                        return true;
        return false;
}

static size_t try_one(struct world *world, const char *action, const char *what, const json_t *forged) {
        char said[200] = "";
        int named = is_named(world, forged, said);

        if (getenv("AUDIT_SHOW"))
                print_message("# %s, %s: %s\n", action, what, named < 0 ? "no entry" : named ? said : "NOT NAMED");
        if (getenv("AUDIT_SHOW"))
                return named > 0;
        if (named == 0 && !beyond_replay(action, what))
                fail_msg("%s with another %s is not named", action, what);
        if (named > 0 && beyond_replay(action, what))
                fail_msg("%s with another %s is named by now: say so in this test", action, what);
        return named > 0;
}

static size_t try_variants(struct world *world, const json_t *entry) {
        static const char *const members[] = { "actor", "object", "outcome" };
        const char *action = gbx_json_text(entry, "action"), *field;
        json_t *value;
        size_t n = try_one(world, action, "the same again", entry);

        for (size_t i = 0; i < gbx_array_size(members); i++) {
                gbx_auto(gbx_json_freep) json_t *forged = json_deep_copy(entry);

                (void)json_object_set_new(forged, members[i], otherwise(json_object_get(entry, members[i])));
                n += try_one(world, action, members[i], forged);
        }
        json_object_foreach(json_object_get(entry, "details"), field, value) {
                gbx_auto(gbx_json_freep) json_t *forged = json_deep_copy(entry);
                char what[80];

                (void)snprintf(what, sizeof what, "details.%s", field);
                (void)json_object_set_new(json_object_get(forged, "details"), field, otherwise(value));
                n += try_one(world, action, what, forged);
        }
        return n;
}

/* Entries that move a run or give a right: each once more at the end of the log is wrong in itself. */
static void forged_entries_are_named(void **state) {
        static const char *const actions[] = { "user.add",      "user.remove",     "review.approve", "data.add",       "data.transfer",
                                               "run.decide",    "run.start",       "run.end",        "gate.check",     "gate.hold",
                                               "output.review", "release.approve", "release.reject", "release.create", "release.fetch" };
        struct world *world = *state;
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        size_t named = 0;

        world_needs_sandbox();
        tell_the_story(world);
        site = world_open(world);
        for (size_t i = 0; i < gbx_array_size(actions); i++) {
                gbx_auto(gbx_json_freep) json_t *entry = last_of(site, actions[i]);

                if (entry)
                        named += try_variants(world, entry);
        }
        assert_true(named > 60);
}

int main(void) {
        const struct CMUnitTest tests[] = { WORLD_TEST(forged_entries_are_named) };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
