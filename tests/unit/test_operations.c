/*
 * Operations, all of them: what a request may hold, who may ask, what an answer leaves out
 *
 * Nothing here names an operation where the table can: one that is added is tested as it is.
 */
#include "tests/unit/gateway_fixture.h"

#include "gateway/log/writer/log.h"
#include "gateway/store/authorise.h"

static const char *const people[] = { "admin", "fund", "ministry", "bank-a", "bank-b", "wang", "li", "audit", NULL /* the operator */ };

/* --- requests made from the table ---------------------------------------------------------- */

/* A value that the field takes. */
static json_t *plausible(const struct gbx_field *field) {
        static const struct {
                const char *name, *value;
        } known[] = { { "algo", world_algorithm }, { "data", "credit" },     { "name", "credit" },   { "purpose", "credit-scoring" },
                      { "run", "run-1" },          { "what", world_algorithm }, { "owner", "fund" }, { "to", "ministry" },
                      { "role", "owner" },         { "policy", world_policy }, { "intake", "none" }, { "schema", world_schema } };
        const char *text = field->type == GBX_FIELD_PATH ? "/nowhere/text" : "text"; /* nothing is written beside the tests */

        switch (field->type) {
        case GBX_FIELD_INTEGER:
                return json_integer(0);
        case GBX_FIELD_BOOLEAN:
                return json_true();
        case GBX_FIELD_TIME:
                return json_string("2026-12-31");
        case GBX_FIELD_OBJECT:
                return json_object();
        default:
                break;
        }
        for (size_t i = 0; i < gbx_array_size(known); i++)
                if (strcmp(known[i].name, field->name) == 0)
                        text = known[i].value;
        if (field->words)
                return json_stringn(field->words, strcspn(field->words, " "));
        return json_string(text);
}

static json_t *value_of(const struct gbx_field *field) { return field->repeated ? json_pack("[o]", plausible(field)) : plausible(field); }

/* With what is required, or with everything. */
static json_t *request_of(const struct gbx_operation *operation, bool everything) {
        json_t *request = json_object();

        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (!f->client && (f->required || everything))
                        (void)json_object_set_new(request, f->name, value_of(f));
        return request;
}

static int ask(struct world *world, const char *who, const struct gbx_operation *operation, json_t *request) {
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (f->type == GBX_FIELD_FILE && !f->client && f->required)
                        world_attach(world, f->name, "what is this?", 13);
        return world_ask(world, who, operation->noun, operation->verb, request);
}

/* --- what a request may hold ------------------------------------------------------------------ */

static int visit_fields(void *context, const struct gbx_operation *operation) {
        struct world *world = context;
        char name[GBX_OPERATION_NAME_SIZE];
        gbx_auto(gbx_json_freep) json_t *good = request_of(operation, true), *surplus = request_of(operation, true), *none = json_array();

        (void)gbx_operation_name(operation, name);
        if (gbx_api_check(operation, good, NULL, &world->err) < 0)
                fail_msg("%s: %s", name, world->err.message);
        (void)json_object_set_new(surplus, "unheard-of", json_true());
        assert_int_equal(gbx_api_check(operation, surplus, NULL, &world->err), -EINVAL);
        world_says(world, "unheard-of");
        assert_int_equal(gbx_api_check(operation, none, NULL, &world->err), -EINVAL);
        for (const struct gbx_field *f = operation->fields; f && f->name; f++) {
                gbx_auto(gbx_json_freep) json_t *bad = request_of(operation, true), *less = request_of(operation, true), *problems = NULL;
                json_t *wrong = f->type == GBX_FIELD_OBJECT || f->type == GBX_FIELD_INTEGER || f->type == GBX_FIELD_BOOLEAN
                                        ? json_string("x")
                                        : json_integer(7);

                if (f->client) {
                        json_decref(wrong);
                        continue;
                }
                (void)json_object_set_new(bad, f->name, f->repeated ? json_pack("[o]", wrong) : wrong);
                if (gbx_api_check(operation, bad, &problems, &world->err) != -EINVAL)
                        fail_msg("%s takes anything as '%s'", name, f->name);
                assert_int_equal(json_array_size(problems), 1);
                world_says(world, f->name);
                (void)json_object_del(less, f->name);
                if ((gbx_api_check(operation, less, NULL, &world->err) < 0) != f->required)
                        fail_msg("%s: '%s' is%s required: %s", name, f->name, f->required ? "" : " not", world->err.message);
        }
        return 0;
}

static void requests_are_what_the_table_says(void **state) { assert_int_equal(gbx_operation_each(visit_fields, *state), 0); }

static void values_are_checked_by_their_type(void **state) {
        static const struct {
                enum gbx_field_type type;
                const char *json;
                int r;
        } values[] = {
                { GBX_FIELD_TEXT, "\"Größe\"", 0 },
                { GBX_FIELD_TEXT, "\"a\\nb\"", -EINVAL },
                { GBX_FIELD_TEXT, "7", -EINVAL },
                { GBX_FIELD_NAME, "\"bank-a\"", 0 },
                { GBX_FIELD_NAME, "\"a b\"", -EINVAL },
                { GBX_FIELD_NAME, "\"\"", -EINVAL },
                { GBX_FIELD_INTEGER, "0", 0 },
                { GBX_FIELD_INTEGER, "-1", -EINVAL },
                { GBX_FIELD_INTEGER, "1.5", -EINVAL },
                { GBX_FIELD_BOOLEAN, "true", 0 },
                { GBX_FIELD_BOOLEAN, "1", -EINVAL },
                { GBX_FIELD_TIME, "\"2026-12-31\"", 0 },
                { GBX_FIELD_TIME, "\"2026-12-31T00:00:00Z\"", 0 },
                { GBX_FIELD_TIME, "\"tomorrow\"", -EINVAL },
                { GBX_FIELD_TIME, "\"2026-13-01\"", -EINVAL },
                { GBX_FIELD_OBJECT, "{}", 0 },
                { GBX_FIELD_OBJECT, "[]", -EINVAL },
                { GBX_FIELD_DOCUMENT, "\"a\\nb\"", 0 },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(values); i++) {
                const struct gbx_field field = { .name = "field", .type = values[i].type };
                gbx_auto(gbx_json_freep) json_t *value = json_loads(values[i].json, JSON_DECODE_ANY, NULL);
                struct gbx_error err = {};

                assert_non_null(value);
                if (gbx_api_check_value(&field, value, &err) != values[i].r)
                        fail_msg("%s as type %d: %s", values[i].json, (int)values[i].type, err.message);
        }
}

/* --- who may ask ---------------------------------------------------------------------------------- */

static bool is_open_to_all(const char *action) {
        struct gbx_action_rule rule;

        for (size_t i = 0; gbx_action_at(i, &rule); i++)
                if (strcmp(rule.action, action) == 0)
                        return rule.open;
        fail_msg("%s is no action", action);
        return false;
}

static uint64_t log_size(struct world *world) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);

        return gbx_log_size(site->log);
}

static unsigned roles_of(struct world *world, const char *who) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        gbx_auto(gbx_caller_freep) struct gbx_caller *caller = NULL;
        unsigned roles = 0;

        assert_int_equal(gbx_caller_directory(&caller, who, NULL), 0);
        assert_int_equal(gbx_caller_roles(site, caller, &roles, NULL), 0);
        return roles;
}

/* What is made for another folder has its own site. */
static bool is_elsewhere(const struct gbx_operation *operation) {
        return strcmp(operation->noun, "init") == 0 || strcmp(operation->noun, "restore") == 0;
}

static int visit_rights(void *context, const struct gbx_operation *operation) {
        struct world *world = context;
        char name[GBX_OPERATION_NAME_SIZE];

        (void)gbx_operation_name(operation, name);
        if (is_open_to_all(operation->action) || is_elsewhere(operation))
                return 0;
        for (size_t i = 0; i < gbx_array_size(people); i++) {
                uint64_t before = log_size(world);
                enum gbx_scope scope;
                int allowed = gbx_decide_scope(roles_of(world, people[i]), operation->action, &scope, &world->err), r;

                if (allowed == 0)
                        continue;
                r = ask(world, people[i], operation, request_of(operation, false));
                if (r != -EKEYREJECTED)
                        fail_msg("%s by %s: %d: %s", name, people[i], r, world->err.message);
                assert_null(world->answer);
                /* The refusal is an entry, and nothing else is; what must work on a damaged view asks the log and records nothing. */
                if (log_size(world) != before + 1 && !(operation->kind == GBX_LOCAL && log_size(world) == before))
                        fail_msg("%s by %s left %llu entries", name, people[i], (unsigned long long)(log_size(world) - before));
        }
        if (ask(world, "nobody", operation, request_of(operation, false)) != -EKEYREJECTED)
                fail_msg("%s is done for somebody who is no user", name);
        return 0;
}

static void whoever_has_no_right_is_refused_everything(void **state) {
        struct world *world = *state;

        assert_int_equal(gbx_operation_each(visit_rights, world), 0);
        world_replays(world);
}

/* Whoever has the right is not refused for want of it, and what they ask about what is not there is an error, no crash. */
static int visit_allowed(void *context, const struct gbx_operation *operation) {
        struct world *world = context;
        char name[GBX_OPERATION_NAME_SIZE];

        (void)gbx_operation_name(operation, name);
        if (is_elsewhere(operation) || strcmp(name, "audit anchor") == 0)
                return 0;
        for (size_t i = 0; i < gbx_array_size(people); i++) {
                enum gbx_scope scope;
                int r;

                if (!is_open_to_all(operation->action) &&
                    gbx_decide_scope(roles_of(world, people[i]), operation->action, &scope, &world->err) < 0)
                        continue;
                if (operation->kind == GBX_READ) {
                        uint64_t before = log_size(world);

                        (void)ask(world, people[i], operation, request_of(operation, false));
                        if (log_size(world) != before)
                                fail_msg("%s by %s only reads, and left an entry", name, people[i]);
                        continue;
                }
                r = ask(world, people[i], operation, request_of(operation, false));
                if (r < 0 && !world->err.message[0])
                        fail_msg("%s by %s fails and does not say why", name, people[i]);
        }
        return 0;
}

static void whoever_has_the_right_gets_an_answer_or_a_reason(void **state) {
        struct world *world = *state;

        assert_int_equal(gbx_operation_each(visit_allowed, world), 0);
        world_replays(world);
}

/* --- what an answer leaves out ------------------------------------------------------------------------ */

static void one_s_own_alone(void **state) {
        struct world *world = *state;

        world_expect(world, 0, "bank-a", "user", "ls", NULL);
        assert_int_equal(json_array_size(world->answer), 1);
        assert_string_equal(gbx_json_text(json_array_get(world->answer, 0), "name"), "bank-a");
        world_expect(world, 0, "admin", "user", "ls", NULL);
        assert_int_equal(json_array_size(world->answer), 8);
        world_expect(world, 0, "bank-b", "algo", "ls", NULL);
        assert_int_equal(json_array_size(world->answer), 0);
        world_expect(world, -ENOENT, "bank-b", "algo", "show", json_pack("{s:s}", "algo", world_algorithm));
        world_expect(world, 0, "bank-a", "algo", "show", json_pack("{s:s, s:b}", "algo", "rates", "source", 1));
        assert_string_equal(gbx_buffer_text(&world->bytes), world_script);
        world_expect(world, 0, "ministry", "data", "ls", NULL);
        assert_int_equal(json_array_size(world->answer), 0);
        world_expect(world, 0, "bank-a", "data", "ls", NULL); /* what a policy names, without its size */
        assert_int_equal(json_array_size(world->answer), 1);
        assert_null(json_object_get(json_array_get(world->answer, 0), "bytes"));
        assert_null(json_object_get(json_array_get(world->answer, 0), "seq"));
        world_expect(world, 0, "fund", "data", "ls", NULL);
        assert_non_null(json_object_get(json_array_get(world->answer, 0), "bytes"));
        assert_null(json_object_get(json_array_get(world->answer, 0), "seq"));
        world_expect(world, 0, "audit", "data", "show", json_pack("{s:s}", "name", "credit"));
        assert_non_null(json_object_get(json_array_get(world->answer, 0), "seq"));
}

/* No part declares it: it does not leave. */
static void what_is_not_declared_does_not_leave(void **state) {
        static const struct gbx_column columns[] = { { "name", "NAME", GBX_COLUMN_TEXT, 0 },
                                                     { "bytes", NULL, GBX_COLUMN_NUMBER, GBX_ROLE_AUDITOR },
                                                     { "list", NULL, GBX_COLUMN_LIST, 0 },
                                                     {} };
        static const struct gbx_part rows[] = { { .kind = GBX_PART_ROWS, .columns = columns }, {} };
        static const struct gbx_part fields[] = { { .kind = GBX_PART_FIELDS, .columns = columns },
                                                  { .kind = GBX_PART_LINES, .member = "lines" },
                                                  {} };
        const struct gbx_operation of_rows = { .noun = "thing", .own = "name", .answer = rows },
                                   of_fields = { .noun = "thing", .own = "name", .answer = fields };
        struct world *world = *state;
        gbx_auto(gbx_caller_freep) struct gbx_caller *caller = NULL;
        struct gbx_session session = { .roles = GBX_ROLE_ANALYST, .scope = GBX_SCOPE_OWN };
        gbx_auto(gbx_json_freep) json_t *list =
                json_loads("[{\"name\":\"bank-a\",\"bytes\":7,\"secret\":1,\"list\":\"[1,2]\"},{\"name\":\"bank-b\"}]", 0, NULL);
        gbx_auto(gbx_json_freep) json_t *one = json_loads("{\"name\":\"bank-a\",\"bytes\":7,\"lines\":[\"x\"],\"secret\":1}", 0, NULL);
        gbx_auto(gbx_json_freep) json_t *other = json_loads("{\"name\":\"bank-b\"}", 0, NULL), *all = json_deep_copy(list);

        assert_int_equal(gbx_caller_directory(&caller, "bank-a", NULL), 0);
        session.caller = caller;
        assert_int_equal(gbx_api_leave_out(&session, &of_rows, list, &world->err), 0);
        assert_int_equal(json_array_size(list), 1);
        assert_int_equal(json_object_size(json_array_get(list, 0)), 2);
        assert_int_equal(json_array_size(json_object_get(json_array_get(list, 0), "list")), 2);
        assert_int_equal(gbx_api_leave_out(&session, &of_fields, one, &world->err), 0);
        assert_int_equal(json_object_size(one), 2);
        assert_int_equal(gbx_api_leave_out(&session, &of_fields, other, &world->err), -ENOENT);
        session.roles = GBX_ROLE_AUDITOR;
        session.scope = GBX_SCOPE_ALL;
        assert_int_equal(gbx_api_leave_out(&session, &of_rows, all, &world->err), 0);
        assert_int_equal(json_array_size(all), 2);
        assert_int_equal(gbx_json_number(json_array_get(all, 0), "bytes"), 7);
        assert_null(json_object_get(json_array_get(all, 0), "secret"));
}

/* --- sessions ---------------------------------------------------------------------------------------------- */

static void a_session_is_of_one_caller(void **state) {
        struct world *world = *state;
        gbx_auto(gbx_caller_freep) struct gbx_caller *caller = NULL, *proven = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer line = {}, strange = {};
        struct gbx_session session = { .site_path = world->path }, peer = { .site_path = world->path };

        sshsig_public_line("wang", &line);
        sshsig_public_line("a stranger", &strange);
        assert_int_equal(gbx_caller_directory(&caller, NULL, NULL), 0);
        session.caller = caller;
        assert_int_equal(gbx_session_become(&session, gbx_buffer_text(&line), &world->err), 0);
        assert_string_equal(gbx_caller_name(session.caller), "wang");
        assert_int_equal(gbx_session_become(&session, gbx_buffer_text(&strange), &world->err), -ENOENT);
        for (int i = 0; i < GBX_SESSION_ATTACHMENTS; i++)
                assert_int_equal(gbx_session_attach(&session, "file", gbx_memfile("x", "x", 1, NULL), NULL), 0);
        assert_int_equal(gbx_session_attach(&session, "file", gbx_memfile("x", "x", 1, NULL), &world->err), -EINVAL);
        assert_int_equal(gbx_session_file(&session, "none"), -1);
        gbx_session_close(&session);
        assert_int_equal(gbx_caller_proven(&proven, "wang", GBX_PROOF_PEER, NULL), 0); /* who is somebody by proof becomes nobody else */
        peer.caller = proven;
        assert_int_equal(gbx_session_become(&peer, gbx_buffer_text(&line), &world->err), -EKEYREJECTED);
        gbx_session_close(&peer);
        (void)snprintf(world->path, sizeof world->path, "%s/nowhere", world->root);
        world_expect(world, -ENOENT, "admin", "user", "ls", NULL);
        world_says(world, "gbx init");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(requests_are_what_the_table_says),
                WORLD_TEST(values_are_checked_by_their_type),
                WORLD_TEST(whoever_has_no_right_is_refused_everything),
                WORLD_TEST(whoever_has_the_right_gets_an_answer_or_a_reason),
                WORLD_TEST(one_s_own_alone),
                WORLD_TEST(what_is_not_declared_does_not_leave),
                WORLD_TEST(a_session_is_of_one_caller),
        };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
