/* The table of operations: complete, in step with policy's table of actions and the log's; requests are checked, answers
 * hold what their readers may see. */
#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/api/openapi.h"
#include "gateway/api/operation.h"
#include "gateway/api/perform.h"
#include "gateway/api/session.h"
#include "gateway/log/format/entry.h"
#include "policy/decision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- completeness -------------------------------------------------------------------- */

static bool has_action(const char *action) {
        struct gbx_action_rule rule;

        for (size_t i = 0; gbx_action_at(i, &rule); i++)
                if (strcmp(rule.action, action) == 0)
                        return true;
        return false;
}

static int check_fields(const struct gbx_operation *operation, const char *name) {
        size_t files = 0;
        bool optional = false;

        for (const struct gbx_field *f = operation->fields; f && f->name; f++) {
                if (!f->value && f->type != GBX_FIELD_BOOLEAN)
                        fail_msg("gbx %s: %s has no name for its value", name, f->name);
                if (!f->help && !f->positional)
                        fail_msg("gbx %s: --%s is not explained", name, f->name);
                if (f->positional && f->required && optional)
                        fail_msg("gbx %s: %s is required behind one that is not", name, f->name);
                optional |= f->positional && !f->required;
                files += f->type == GBX_FIELD_FILE;
                for (const struct gbx_field *g = operation->fields; g != f; g++)
                        if (strcmp(f->name, g->name) == 0)
                                fail_msg("gbx %s: %s stands twice", name, f->name);
        }
        assert_true(files <= GBX_SESSION_ATTACHMENTS);
        return 0;
}

static int check_operation(void *context, const struct gbx_operation *operation) {
        char name[GBX_OPERATION_NAME_SIZE];
        size_t *count = context;

        (void)gbx_operation_name(operation, name);
        (*count)++;
        if (!operation->perform || !operation->summary || !operation->answer)
                fail_msg("gbx %s: no function, no summary or no answer", name);
        if (!operation->action || !has_action(operation->action))
                fail_msg("gbx %s: '%s' is not in policy/decision_action.c", name, operation->action);
        assert_ptr_equal(gbx_operation_find(operation->noun, operation->verb), operation);
        for (const struct gbx_part *p = operation->answer; p->kind; p++)
                if ((p->kind == GBX_PART_ROWS || p->kind == GBX_PART_FIELDS) && !p->columns)
                        fail_msg("gbx %s: a part without columns", name);
        return check_fields(operation, name);
}

static void operations_are_complete(void **state) {
        size_t count = 0;

        (void)state;
        assert_int_equal(gbx_operation_each(check_operation, &count), 0);
        assert_true(count > 40);
}

struct search {
        const char *action;
        bool found;
};

static int find_action(void *context, const struct gbx_operation *operation) {
        struct search *search = context;

        search->found |= strcmp(operation->action, search->action) == 0;
        return 0;
}

/* Rights that are asked inside a room, or of operations that are still to come: these have no verb of that name. */
static const char *const without_verb[] = { "user change", "user rotate", "data use", "job submit", "job cancel", "service recover" };

static void every_action_has_an_operation(void **state) {
        struct gbx_action_rule rule;

        (void)state;
        for (size_t i = 0; gbx_action_at(i, &rule); i++) {
                struct search search = { .action = rule.action };

                (void)gbx_operation_each(find_action, &search);
                for (size_t k = 0; k < gbx_array_size(without_verb); k++)
                        search.found |= strcmp(without_verb[k], rule.action) == 0;
                if (!search.found)
                        fail_msg("policy/decision_action.c lists '%s', which no operation asks for", rule.action);
        }
}

/* What the gateway records of itself, or as part of what an operation began. */
static const char *const of_the_gateway[] = {
        "site.init",     "access.denied", "key.use",      "data.classify",    "run.start",    "run.end",       "run.cancel",
        "sandbox.missing", "syscall.denied", "flow.opened", "flow.refused",   "flow.closed",  "breaker.open",  "gate.check",
        "gate.hold",     "budget.spend",  "release.create", "witness.cosigned", "clock.step", "service.start", "service.stop",
        "service.recover",
};

static void every_entry_of_a_person_has_an_operation(void **state) {
        (void)state;
        for (const struct gbx_entry_action *a = gbx_entry_actions(); a->name; a++) {
                bool known = gbx_operation_action_of(a->name);

                for (size_t i = 0; i < gbx_array_size(of_the_gateway); i++)
                        known |= strcmp(of_the_gateway[i], a->name) == 0;
                if (!known)
                        fail_msg("entries '%s' are of nobody's operation: replay would not ask who may", a->name);
        }
        assert_string_equal(gbx_operation_action_of("run.decide"), "job run");
        assert_string_equal(gbx_operation_action_of("user.change"), "user add");
        assert_null(gbx_operation_action_of("run.end"));
        assert_null(gbx_operation_action_of("user"));
}

static int check_records(void *context, const struct gbx_operation *operation) {
        char name[64];

        (void)context;
        for (const char *at = operation->records; at && *at; at += strcspn(at, " "), at += *at == ' ') {
                (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, " "), at);
                if (!gbx_entry_action_find(name))
                        fail_msg("gbx %s %s records '%s', which is no action of the log", operation->noun, operation->verb, name);
        }
        if (operation->kind == GBX_READ && operation->records)
                fail_msg("gbx %s %s reads, and records", operation->noun, operation->verb);
        return 0;
}

static void records_are_actions_of_the_log(void **state) {
        (void)state;
        (void)gbx_operation_each(check_records, NULL);
}

static void verbs_are_found(void **state) {
        (void)state;
        assert_ptr_equal(gbx_operation_find("job", "list"), gbx_operation_find("job", "ls"));
        assert_null(gbx_operation_find("job", NULL));
        assert_null(gbx_operation_find("job", "lss"));
        assert_string_equal(gbx_operation_find("keys", "rotate")->verb, "rotate");
        assert_null(gbx_operation_find("keys", "recipient")->verb);
}

/* --- requests -------------------------------------------------------------------------- */

static size_t problems_of(const char *noun, const char *verb, const char *text) {
        gbx_auto(gbx_json_freep) json_t *request = json_loads(text, 0, NULL), *problems = NULL;
        struct gbx_error err = {};
        int r = gbx_api_check(gbx_operation_find(noun, verb), request, &problems, &err);
        size_t count = json_array_size(problems);

        assert_non_null(request);
        assert_int_equal(r, count ? -EINVAL : 0);
        return count;
}

static void requests_are_checked_whole(void **state) {
        (void)state;
        assert_int_equal(problems_of("job", "run", "{\"algo\":\"x\",\"data\":[\"a\",\"b\"],\"purpose\":\"p\"}"), 0);
        assert_int_equal(problems_of("job", "run", "{}"), 3);
        assert_int_equal(problems_of("job", "run", "{\"algo\":1,\"data\":\"a\",\"purpose\":\"p\",\"extra\":true,\"params\":[]}"), 4);
        assert_int_equal(problems_of("job", "run", "{\"algo\":\"x\",\"data\":[],\"purpose\":\"p\"}"), 1);
        assert_int_equal(problems_of("job", "run", "{\"algo\":\"x\",\"data\":[\"a,b\"],\"purpose\":\"p\"}"), 1);
        assert_int_equal(problems_of("job", "run", "{\"algo\":\"x\\u0007\",\"data\":[\"../x\"],\"purpose\":\"p\\n\"}"), 3);
        assert_int_equal(problems_of("audit", "ls", "{\"since\":\"2026-11-25\",\"until\":\"2026-11-25T08:00:00Z\",\"limit\":5}"), 0);
        assert_int_equal(problems_of("audit", "ls", "{\"since\":\"yesterday\",\"until\":\"2026-13-01\",\"limit\":-1}"), 3);
        assert_int_equal(problems_of("audit", "export", "{\"format\":\"json\"}"), 1);
        assert_int_equal(problems_of("audit", "export", "{\"format\":\"csv\"}"), 0);
        assert_int_equal(problems_of("algo", "show", "{\"algo\":\"x\",\"source\":\"yes\"}"), 1);
        /* what belongs to the client is not sent: a private key stays where it is */
        assert_int_equal(problems_of("review", "approve", "{\"what\":\"x\",\"key\":\"id_ed25519\"}"), 1);
}

static void comma_lists_are_explained(void **state) {
        gbx_auto(gbx_json_freep) json_t *request = json_loads("{\"algo\":\"x\",\"data\":[\"a,b\"],\"purpose\":\"p\"}", 0, NULL);
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_api_check(gbx_operation_find("job", "run"), request, NULL, &err), -EINVAL);
        assert_non_null(strstr(err.message, "repeat --data"));
}

/* --- answers ------------------------------------------------------------------------------ */

static json_t *left(const struct gbx_operation *operation, unsigned roles, enum gbx_scope scope, const char *text) {
        gbx_auto(gbx_caller_freep) struct gbx_caller *caller = NULL;
        json_t *answer = json_loads(text, 0, NULL);
        struct gbx_session session = { .roles = roles, .scope = scope };

        assert_non_null(answer);
        assert_int_equal(gbx_caller_directory(&caller, "ana", NULL), 0);
        session.caller = caller;
        if (gbx_api_leave_out(&session, operation, answer, NULL) < 0) {
                json_decref(answer);
                return NULL;
        }
        return answer;
}

static void answers_hold_what_is_declared_and_ones_own(void **state) {
        static const char users[] = "[{\"name\":\"ana\",\"roles\":\"[\\\"analyst\\\"]\",\"seq\":3},{\"name\":\"bob\",\"roles\":\"[]\"}]";
        const struct gbx_operation *ls = gbx_operation_find("user", "ls"), *releases = gbx_operation_find("release", "ls");
        gbx_auto(gbx_json_freep) json_t *own = left(ls, GBX_ROLE_ANALYST, GBX_SCOPE_OWN, users);
        gbx_auto(gbx_json_freep) json_t *all = left(ls, GBX_ROLE_ADMIN, GBX_SCOPE_ALL, users);
        gbx_auto(gbx_json_freep) json_t *marks = NULL, *none = NULL;

        (void)state;
        assert_int_equal(json_array_size(own), 1);
        assert_string_equal(gbx_json_text(json_array_get(own, 0), "name"), "ana");
        assert_true(json_is_array(json_object_get(json_array_get(own, 0), "roles")));
        assert_null(json_object_get(json_array_get(own, 0), "seq")); /* no column */
        assert_int_equal(json_array_size(all), 2);
        /* columns for other roles */
        marks = left(releases, GBX_ROLE_ANALYST, GBX_SCOPE_OWN,
                     "[{\"id\":\"release-1\",\"recipient\":\"ana\",\"mark\":\"{}\",\"family\":\"f\"}]");
        assert_int_equal(json_array_size(marks), 1);
        assert_null(json_object_get(json_array_get(marks, 0), "mark"));
        none = left(releases, GBX_ROLE_AUDITOR, GBX_SCOPE_ALL,
                    "[{\"id\":\"release-1\",\"recipient\":\"ana\",\"mark\":\"{}\",\"run\":null}]");
        assert_non_null(json_object_get(json_array_get(none, 0), "mark"));
}

static void status_tells_entries_to_some_alone(void **state) {
        const struct gbx_operation *status = gbx_operation_find("status", NULL);
        static const char counts[] = "{\"origin\":\"x\",\"entries\":12,\"covered\":12,\"runs\":1}";
        gbx_auto(gbx_json_freep) json_t *analyst = left(status, GBX_ROLE_ANALYST, GBX_SCOPE_OWN, counts);
        gbx_auto(gbx_json_freep) json_t *auditor = left(status, GBX_ROLE_AUDITOR, GBX_SCOPE_ALL, counts);

        (void)state;
        assert_null(json_object_get(analyst, "entries"));
        assert_null(json_object_get(analyst, "covered"));
        assert_int_equal(gbx_json_number(analyst, "runs"), 1);
        assert_int_equal(gbx_json_number(auditor, "entries"), 12);
}

/* --- OpenAPI --------------------------------------------------------------------------------- */

static int find_path(void *context, const struct gbx_operation *operation) {
        char path[GBX_OPERATION_NAME_SIZE + 8];
        const json_t *post;

        (void)snprintf(path, sizeof path, "/v1/%s%s%s", operation->noun, operation->verb ? "/" : "",
                       operation->verb ? operation->verb : "");
        post = json_object_get(json_object_get(json_object_get(context, "paths"), path), "post");
        if (!post || !json_object_get(post, "x-glovebox-rights") || !json_object_get(post, "responses"))
                fail_msg("%s is not described", path);
        assert_string_equal(gbx_json_text(post, "x-glovebox-action"), operation->action);
        return 0;
}

static void openapi_describes_all(void **state) {
        gbx_auto(gbx_json_freep) json_t *description = NULL;
        const json_t *approve;

        (void)state;
        assert_int_equal(gbx_api_openapi(&description, NULL), 0);
        (void)gbx_operation_each(find_path, description);
        approve = json_object_get(json_object_get(json_object_get(description, "paths"), "/v1/review/approve"), "post");
        approve = json_object_get(json_object_get(json_object_get(json_object_get(approve, "requestBody"), "content"), "application/json"),
                                  "schema");
        assert_non_null(json_object_get(json_object_get(approve, "properties"), "signature"));
        assert_null(json_object_get(json_object_get(approve, "properties"), "key"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(operations_are_complete),
                cmocka_unit_test(every_action_has_an_operation),
                cmocka_unit_test(every_entry_of_a_person_has_an_operation),
                cmocka_unit_test(records_are_actions_of_the_log),
                cmocka_unit_test(verbs_are_found),
                cmocka_unit_test(requests_are_checked_whole),
                cmocka_unit_test(comma_lists_are_explained),
                cmocka_unit_test(answers_hold_what_is_declared_and_ones_own),
                cmocka_unit_test(status_tells_entries_to_some_alone),
                cmocka_unit_test(openapi_describes_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
