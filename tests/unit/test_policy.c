/* Policies and schemas: the YAML subset, the tables, and that every mistake is told with its place. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "policy/decimal.h"
#include "policy/policy.h"
#include "policy/policy_names.h"
#include "policy/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const char minimal[] = "policy: p\npurpose: q\ndatasets: [d]\nengines: [lua]\n"
                              "approvals: { required: 1, reviewers: [wang] }\nrelease: { minimum-count: 10 }\n";

/* Parses a policy and gives all problems as text ("" if there are none). */
static void problems_of(const char *text, char ret[static 4096]) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer buffer = {};
        struct gbx_error err = {};
        int r = gbx_policy_parse(&policy, "f", text, strlen(text), &problems, &err);

        assert_int_equal(r, problems.count ? -EINVAL : 0);
        assert_int_equal(gbx_problems_text(&problems, &buffer, NULL), 0);
        (void)snprintf(ret, 4096, "%s", gbx_buffer_text(&buffer));
}

static void expect_problems(const char *text, const char *expected) {
        char problems[4096];

        problems_of(text, problems);
        assert_string_equal(problems, expected);
}

/* A minimal policy with something behind it, and one line of complaint. */
static void expect_problem(const char *more, const char *expected) {
        char text[4096], problems[4096];

        (void)snprintf(text, sizeof text, "%s%s", minimal, more);
        problems_of(text, problems);
        if (!strstr(problems, expected))
                fail_msg("for «%s» expected «%s», got «%s»", more, expected, problems);
}

static void test_defaults(void **state) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_policy_parse(&policy, "f", minimal, strlen(minimal), NULL, &err), 0);
        assert_string_equal(policy->name, "p");
        assert_int_equal(policy->engines, 1 << GBX_ENGINE_LUA);
        assert_true(policy->approvals.exclude_submitter);
        assert_true(policy->approvals.valid_ms == 90ULL * 86400000);
        assert_int_equal(policy->limits.wall_ms, 30000);
        assert_int_equal(policy->limits.memory_bytes, 256 << 20);
        assert_int_equal(policy->limits.output_files, 16);
        assert_int_equal(policy->release.max_tables, 1);
        assert_int_equal(policy->release.max_rows, 5000);
        /* What is left out is the strict choice. */
        assert_int_equal(policy->release.declared_counts, GBX_COUNTS_HOLD);
        assert_int_equal(policy->release.hold, GBX_HOLD_ON_FAILURE);
        assert_int_equal(policy->release.opaque, GBX_OPAQUE_REFUSE);
        assert_int_equal(policy->release.watermark, GBX_WATERMARK_REQUIRED);
        assert_false(policy->release.banner);
        assert_false(policy->release.row_order_mark);
        assert_int_equal(policy->limits.cpu_percent, 0);
        assert_false(policy->sandbox.core_scheduling || policy->sandbox.coarse_timers);
        assert_false(policy->messages.line || policy->messages.progress);
        assert_int_equal(policy->network, GBX_NETWORK_NONE);
        assert_int_equal(policy->source.size, strlen(minimal));
        assert_int_equal(strlen(policy->digest), 71);
}

static void test_demo_files(void **state) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        const struct gbx_schema_column *columns;
        struct gbx_error err = {};
        json_t *json = NULL;

        (void)state;
        if (gbx_policy_load(&policy, "scripts/demo/credit-scoring.yaml", NULL, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(policy->approvals.required, 2);
        assert_int_equal(policy->release.columns.count, 6);
        assert_int_equal(gbx_policy_describe(policy, &text, &err), 0);
        assert_non_null(strstr(gbx_buffer_text(&text), "approvals      2 of: wang, li; never the submitter, valid for at most 90d\n"));
        assert_non_null(strstr(gbx_buffer_text(&text), "30s wall time"));
        if (gbx_schema_load(&schema, "scripts/demo/credit.schema.yaml", NULL, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(schema->columns.count, 15);
        columns = schema->columns.items;
        assert_true(columns[0].key);
        assert_int_equal(columns[0].class, GBX_CLASS_IDENTIFIER);
        assert_int_equal(gbx_schema_json(schema, &json, &err), 0);
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(json, "columns"), 10), "name")), "income");
        assert_true(json_is_true(json_object_get(json_array_get(json_object_get(json, "columns"), 10), "missing")));
        json_decref(json);
}

static const char with_contributor[] = "dataset: d\ncontributor: %s\ncolumns:\n"
                                       "  - { name: person, type: text, class: identifier }\n"
                                       "  - { name: nickname, type: text, class: identifier, missing: yes }\n"
                                       "  - { name: income, type: decimal, class: sensitive, unit: 0.01 }\n"
                                       "  - { name: weight, type: decimal, class: measure, decimals: 12 }\n"
                                       "  - { name: rate, type: decimal, class: measure }\n";

static void test_contributor(void **state) {
        static const struct {
                const char *column, *complaint;
        } cases[] = {
                { "person", NULL },
                { "nobody", "there is no column 'nobody'" },
                { "nickname", "never missing" },
                { "income", "an integer, text or date" },
        };
        static const int decimals[] = { 0, 0, 2, 12, 6 };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
                gbx_auto(gbx_json_freep) json_t *json = NULL;
                struct gbx_error err = {};
                char text[1024];
                int length = snprintf(text, sizeof text, with_contributor, cases[i].column);
                int r = gbx_schema_parse(&schema, "f", text, (size_t)length, NULL, &err);

                if (cases[i].complaint) {
                        assert_int_equal(r, -EINVAL);
                        assert_non_null(strstr(err.message, cases[i].complaint));
                        continue;
                }
                assert_int_equal(r, 0);
                assert_string_equal(schema->contributor, "person");
                assert_int_equal(gbx_schema_json(schema, &json, &err), 0);
                assert_string_equal(gbx_json_text(json, "contributor"), "person");
                for (size_t k = 0; k < gbx_array_size(decimals); k++)
                        assert_int_equal(gbx_json_number(json_array_get(json_object_get(json, "columns"), k), "decimals"), decimals[k]);
        }
}

static void test_all_problems_at_once(void **state) {
        (void)state;
        expect_problems("policy: P!\n"
                        "purpos: q\n"
                        "datasets: d\n"
                        "engines: [lua, python]\n"
                        "approvals: { required: 3, reviewers: [wang, wang, li] }\n"
                        "release: { minimum-count: ten, hold: sometimes }\n"
                        "policy: again\n",
                        "f:1:1: the key 'purpose' is missing\n"
                        "f:1:9: policy: 'P!' is not a name (lower-case letters, digits, '.', '_' and '-', at most 64)\n"
                        "f:2:1: unknown key 'purpos'; known here: policy, purpose, datasets, engines, approvals, limits, sandbox, messages, release, output-review, parameters, network, flows, flow-breakers, flow-quotas\n"
                        "f:3:11: datasets: a list of names is wanted, say [a, b]\n"
                        "f:4:16: engines: 'python' is not one of: lua, native, lua-sql\n"
                        "f:5:24: required: 3 approvals, but only 2 reviewers are named\n"
                        "f:5:45: reviewers: 'wang' stands twice\n"
                        "f:6:27: minimum-count: 'ten' is not a whole number\n"
                        "f:6:38: hold: 'sometimes' is not one of: on-failure, never, always\n"
                        "f:7:1: the key 'policy' stands twice (first in line 1)\n");
}

static void test_subset(void **state) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "", "f:1:1: the file is empty\n" },
                { "# nothing\n", "f:2:1: the file is empty\n" },
                { "just text\n", "f:1:1: a mapping (key: value) is wanted\n" },
                { "policy: [a\n", "did not find expected ',' or ']'" },
                { "policy: &a p\n", "f:1:9: anchors are not allowed" },
                { "policy: *a\n", "f:1:9: aliases are not allowed" },
                { "policy: !!str p\n", "f:1:9: tags are not allowed" },
                { "policy: ! p\n", "f:1:9: tags are not allowed" },
                { "%YAML 1.1\n---\npolicy: p\n", "directives are not allowed" },
                { "policy: p\n---\npolicy: q\n", "f:2:1: a second document is not allowed" },
                { "policy: |\n  p\n", "f:1:9: block scalars are not allowed" },
                { "policy: \"a\n  b\"\n", "f:1:9: a value must stand on one line" },
                { "policy: \"a\\nb\"\n", "f:1:9: the text holds a control character" },
                { "policy: \"a\\0b\"\n", "f:1:9: the text holds a control character" },
                { "<<: p\n", "merge keys are not allowed" },
                { "? [a]\n: b\n", "f:1:3: a key must be plain text" },
                { "policy: {a: b}\n", "f:1:9: policy: a plain value is wanted, not a mapping" },
                { "a: [[[[[[[[[[[[[[[[[[b]]]]]]]]]]]]]]]]]]\n", "nested deeper than 16 levels" },
                { "policy: \xff\n", "invalid" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                char problems[4096];

                problems_of(cases[i].text, problems);
                if (!strstr(problems, cases[i].expected))
                        fail_msg("for «%s» expected «%s», got «%s»", cases[i].text, cases[i].expected, problems);
        }
}

static void test_values(void **state) {
        (void)state;
        expect_problem("network: open\n", "f:7:10: network: 'open' is not one of: none");
        expect_problem("limits: { wall-time: 30 }\n", "wall-time: '30' is not a duration");
        expect_problem("limits: { wall-time: 30d }\n", "out of range");
        expect_problem("limits: { memory: 1K }\n", "memory: '1K' is out of range");
        expect_problem("limits: { processes: -1 }\n", "not a whole number");
        expect_problem("limits: { processes: 0x10 }\n", "not a whole number");
        expect_problem("limits: { processes: 1e3 }\n", "not a whole number");
        expect_problem("limits: { open-files: 1001 }\n", "open-files: '1001' is out of range");
        expect_problem("limits: { cpu-percent: 0 }\n", "cpu-percent: '0' is out of range");
        expect_problem("limits: { cpu-percent: 50% }\n", "cpu-percent: '50%' is not a whole number");
        expect_problem("sandbox: { coarse-timers: 1 }\n", "coarse-timers: '1' is neither yes nor no");
        expect_problem("limits: [ ]\n", "limits: a mapping (key: value) is wanted");
        expect_problem("limits:\n", "limits: a mapping (key: value) is wanted");
        expect_problem("parameters: [{ name: by, type: text, min: 1 }]\n", "'min' and 'max' are for integers");
        expect_problem("parameters: [{ name: n, type: integer, min: 5, max: 4 }]\n", "'min' is greater than 'max'");
        expect_problem("parameters: [{ name: n, type: integer, values: [a] }]\n", "'a' is not of type integer");
        expect_problem("parameters: [{ name: n, type: integer }, { name: n, type: text }]\n", "the parameter 'n' stands twice");
        expect_problem("parameters: [{ name: n-x, type: integer }]\n", "not an identifier");
        expect_problem("parameters: [{ name: n, type: integer, list: true }]\n", "list: 'true' is neither yes nor no");
}

static void test_sandbox(void **state) {
        static const char more[] = "limits: { open-files: 1000, cpu-percent: 150 }\nsandbox: { core-scheduling: yes, coarse-timers: yes }\n";
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer description = {};
        struct gbx_error err = {};
        char text[2048];

        (void)state;
        (void)snprintf(text, sizeof text, "%s%s", minimal, more);
        if (gbx_policy_parse(&policy, "f", text, strlen(text), NULL, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(policy->limits.open_files, 1000);
        assert_int_equal(policy->limits.cpu_percent, 150);
        assert_true(policy->sandbox.core_scheduling && policy->sandbox.coarse_timers);
        expect_problems("policy: p\npurpose: q\ndatasets: [d]\nengines: [lua, lua-sql]\nsandbox: { coarse-timers: yes }\n"
                        "approvals: { required: 1, reviewers: [wang] }\nrelease: { minimum-count: 10 }\n",
                        "f:5:27: coarse-timers: the engine lua-sql cannot run without the counter; choose one\n");
        assert_int_equal(gbx_policy_describe(policy, &description, &err), 0);
        assert_non_null(strstr(gbx_buffer_text(&description), " 16M scratch, 150% of a processor\n"
                                                              "sandbox        shares no core with others, the time stamp counter cannot be read\n"));
}

static void test_messages(void **state) {
        static const struct { const char *more, *line; bool tells_line, tells_progress; } cases[] = {
                { "messages: { line: yes }\n", "messages       the requester is told the line in which a script failed\n", true, false },
                { "messages: { progress: yes, line: no }\n", "messages       the requester is told a run's progress\n", false, true },
                { "messages: { line: yes, progress: yes }\n",
                  "messages       the requester is told the line in which a script failed and a run's progress\n", true, true },
                { "messages: { }\n", NULL, false, false },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
                gbx_auto(gbx_buffer_free) struct gbx_buffer description = {};
                struct gbx_error err = {};
                char text[2048];

                (void)snprintf(text, sizeof text, "%s%s", minimal, cases[i].more);
                if (gbx_policy_parse(&policy, "f", text, strlen(text), NULL, &err) < 0)
                        fail_msg("%s", err.message);
                assert_int_equal(policy->messages.line, cases[i].tells_line);
                assert_int_equal(policy->messages.progress, cases[i].tells_progress);
                assert_int_equal(gbx_policy_describe(policy, &description, &err), 0);
                assert_int_equal(strstr(gbx_buffer_text(&description), cases[i].line ? cases[i].line : "messages ") != NULL,
                                 cases[i].line != NULL);
        }
        expect_problem("messages: { line: 12 }\n", "line: '12' is neither yes nor no");
}

/* A policy with these columns (and keys of `release` before them), and the complaint that is expected; "": none. */
static void expect_column_problem(const char *before, const char *columns, const char *expected) {
        char text[2048], problems[4096];

        (void)snprintf(text, sizeof text, "%.*srelease: { minimum-count: 10%s, columns: [%s] }\n",
                       (int)(strstr(minimal, "release:") - minimal), minimal, before, columns);
        problems_of(text, problems);
        if (*expected ? !strstr(problems, expected) : *problems)
                fail_msg("for «%s» expected «%s», got «%s»", text, expected, problems);
}

static void test_mark_constraints(void **state) {
        static const struct {
                const char *columns, *expected;
        } cases[] = {
                { "{ name: a, type: decimal, unit: 0.001, minimum: 0, maximum: 1, weight: 3 }", "" },
                { "{ name: a, type: decimal, minimum: 1, maximum: 1 }", "" },
                { "{ name: a, type: decimal, minimum: 1, maximum: 0.999 }", "f:6:41: 'minimum' is greater than 'maximum'" },
                { "{ name: a, type: decimal, maximum: one }", "maximum: 'one'" },
                { "{ name: a, type: integer, weight: 0 }", "weight: '0' is out of range" },
                { "{ name: a, type: integer, weight: 101 }", "weight: '101' is out of range" },
                { "{ name: a, type: text, maximum: 1 }", "are for columns of type decimal or integer" },
                { "{ name: a, type: date, keep-total: yes }", "are for columns of type decimal or integer" },
                { "{ name: a, type: text, weight: 2 }", "are for columns of type decimal or integer" },
                { "{ name: a, type: text, exact: yes }", "" },
                { "{ name: a, type: text, exact: yes, mark: yes }", "'exact' columns are never marked" },
                { "{ name: a, type: decimal, exact: yes, maximum: 1 }", "'exact' columns are never marked" },
                { "{ name: a, type: integer, keep-total: yes }", "" },
                { "{ name: a, type: integer, keep-total: yes, per: b }, { name: b, type: text }", "'keep-total' cannot be combined" },
                { "{ name: a, type: integer, sum-group: g }", "no other column is in 'g'" },
                { "{ name: a, type: integer, sum-group: g }, { name: b, type: integer, sum-group: g }", "" },
                { "{ name: a, type: decimal, unit: 0.1, sum-group: g }, { name: b, type: decimal, unit: 0.10, sum-group: g }", "" },
                { "{ name: a, type: decimal, unit: 0.1, sum-group: g }, { name: b, type: decimal, unit: 1, sum-group: g }", "the same 'unit'" },
                { "{ name: a, type: decimal, unit: 0.1, sum-group: g }, { name: b, type: decimal, sum-group: g }", "the same 'unit'" },
                { "{ name: a, type: integer, per: b }, { name: b, type: text }", "" },
                { "{ name: a, type: integer, per: b }, { name: b, type: integer, exact: yes }", "" },
                { "{ name: a, type: integer, per: b }, { name: b, type: integer }", "the column 'b' must stay as it is" },
                { "{ name: a, type: integer, per: b }, { name: b, type: text, mark: yes }", "the column 'b' must stay as it is" },
                { "{ name: a, type: integer, per: c }, { name: b, type: text }", "'c' must be another column" },
                { "{ name: a, type: integer, per: a }", "'a' must be another column" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++)
                expect_column_problem("", cases[i].columns, cases[i].expected);
        expect_column_problem(", coalition: 8", "{ name: a, type: integer }", "");
        expect_column_problem(", coalition: 0", "{ name: a, type: integer }", "");
        expect_column_problem(", coalition: 1", "{ name: a, type: integer }", "coalition: from 2 to 8");
        expect_column_problem(", coalition: 9", "{ name: a, type: integer }", "coalition: '9' is out of range");
}

/* More than the list holds: it ends, and says so. */
/* A comment holds keys for libyaml that no reviewer's diff shows: refused wherever it stands, in every file of the kind. */
static void test_hidden_text(void **state) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "\xe2\x80\xa8", "U+2028" }, { "\xe2\x80\xa9", "U+2029" }, { "\xc2\x85", "U+0085" },     { "\r", "U+000D" },
                { "\x0b", "U+000B" },         { "\x0c", "U+000C" },         { "\x1b", "U+001B" },         { "\x7f", "U+007F" },
                { "\xe2\x80\x8b", "U+200B" }, { "\xe2\x80\xae", "U+202E" }, { "\xe2\x81\xa6", "U+2066" }, { "\xef\xbb\xbf", "U+FEFF" },
        };
        static const struct {
                const char *before, *behind;
                unsigned line, column; /* of the hidden character; `minimal` has six lines */
        } places[] = {
                { "# a note", "network: flows\n", 7, 9 },      { "limits: { memory: 64M } # ", "x\n", 7, 27 },
                { "limits:\n  ", "memory: 64M\n", 8, 3 },      { "limits: { memory: \"64M", "\" }\n", 7, 23 },
                { "# \xe4\xb8\xad\xe6\x96\x87", "x", 7, 5 }, { "", "x\n", 7, 1 },
        };
        static const char schema_text[] = "dataset: d\ncolumns:\n  - { name: a, type: text, class: open }\n";
        char usual[512];

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases) * gbx_array_size(places); i++) {
                const char *hidden = cases[i % gbx_array_size(cases)].text, *name = cases[i % gbx_array_size(cases)].expected;
                gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
                gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
                size_t place = i / gbx_array_size(cases);
                struct gbx_error err = {};
                char text[1024], expected[128];

                (void)snprintf(text, sizeof text, "%s%s%s%s", minimal, places[place].before, hidden, places[place].behind);
                (void)snprintf(expected, sizeof expected, "f:%u:%u: %s does not show", places[place].line, places[place].column, name);
                assert_int_equal(gbx_policy_parse(&policy, "f", text, strlen(text), NULL, &err), -EINVAL);
                if (strncmp(err.message, expected, strlen(expected)) != 0)
                        fail_msg("expected «%s», got «%s»", expected, err.message);
                (void)snprintf(text, sizeof text, "%s# %sx\n", schema_text, hidden);
                assert_int_equal(gbx_schema_parse(&schema, "f", text, strlen(text), NULL, &err), -EINVAL);
        }
        /* Written as an escape it shows in the file, but may not stand in a value. */
        expect_problem("parameters: [{ name: n, type: text, values: [\"a\\u200bb\"] }]\n", "a character that does not show");
        (void)snprintf(usual, sizeof usual, "\xef\xbb\xbf%slimits: { memory: 64M } # tab\there, CR and LF\r\n", minimal);
        expect_problems(usual, "");
}

/* Every name that only the site can know, with its place. */
static void test_names(void **state) {
        static const char text[] = "policy: p\npurpose: q\ndatasets: [credit, claims]\nengines: [lua]\n"
                                   "approvals:\n  required: 1\n  reviewers:\n    - wang\n    - li\n"
                                   "release: { minimum-count: 10, recipients: [bank-a], outputs: [rates] }\n"
                                   "output-review: { reviewers: [zhao] }\nnetwork: flows\nflows:\n"
                                   "  - { name: a, scheme: https, host: a.example.com, tls: { mode: inspect, client-certificate: bank } }\n"
                                   "  - { name: b, scheme: tcp, host: b.example.com, port: 99 }\n";
        static const char expected[] = "dataset credit 3:12\ndataset claims 3:20\nreviewer wang 8:7\nreviewer li 9:7\n"
                                       "reviewer of outputs zhao 11:30\nrecipient bank-a 10:44\noutput rates 10:63\n"
                                       "host a.example.com 14:37\nhost b.example.com 15:35\nclient certificate bank 14:94\n";
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_policy_names_free) struct gbx_policy_names names = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer got = {};
        struct gbx_error err = {};

        (void)state;
        if (gbx_policy_parse(&policy, "f", text, strlen(text), NULL, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(gbx_policy_list_names(policy, &names, &err), 0);
        for (size_t i = 0; i < names.count; i++)
                assert_int_equal(gbx_buffer_printf(&got, NULL, "%s %s %zu:%zu\n", gbx_policy_name_kind_text(names.items[i].kind),
                                                   names.items[i].name, names.items[i].line, names.items[i].column), 0);
        assert_string_equal(gbx_buffer_text(&got), expected);
}

/* What no table can be called is said before a run. */
static void test_output_names(void **state) {
        (void)state;
        expect_problem("output-review: {}\n", "");
        expect_problems("policy: p\npurpose: q\ndatasets: [d]\nengines: [lua]\napprovals: { required: 1, reviewers: [w] }\n"
                        "release:\n  minimum-count: 10\n  outputs: [rates, x.csv, a-very-long-name-for-a-table-that-has-more-characters-than-it-, v1.2]\n",
                        "f:8:20: outputs: 'x.csv': the name of a table has no extension and no dot; '.csv' is added to it\n"
                        "f:8:27: outputs: 'a-very-long-name-for-a-table-that-has-more-characters-than-it-': the name of a table has at most 60 characters\n"
                        "f:8:91: outputs: 'v1.2': the name of a table has no extension and no dot; '.csv' is added to it\n");
}

static void test_many_problems(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        struct gbx_error err = {};

        (void)state;
        for (int i = 0; i < 150; i++)
                assert_int_equal(gbx_buffer_printf(&text, NULL, "key%d: x\n", i), 0);
        assert_int_equal(gbx_policy_parse(&policy, "f", text.data, text.size, &problems, &err), -EINVAL);
        assert_int_equal(problems.count, GBX_PROBLEMS_MAX);
        assert_int_equal(problems.left_out, 56); /* 150 unknown, 6 missing */
        assert_non_null(strstr(err.message, "(and 155 more problems)"));
}

static void test_size_limit(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        struct gbx_error err = {};

        (void)state;
        while (text.size <= GBX_YAML_MAX_BYTES)
                assert_int_equal(gbx_buffer_append_text(&text, "# a comment that fills the file up to its limit\n", NULL), 0);
        assert_int_equal(gbx_policy_parse(&policy, "f", text.data, text.size, NULL, &err), -EINVAL);
        assert_non_null(strstr(err.message, "larger than"));
        gbx_buffer_clear(&text);
        assert_int_equal(gbx_buffer_append_text(&text, "a: [", NULL), 0);
        for (int i = 0; i < GBX_YAML_MAX_NODES; i++)
                assert_int_equal(gbx_buffer_append_text(&text, "b,", NULL), 0);
        assert_int_equal(gbx_policy_parse(&policy, "f", text.data, text.size, NULL, &err), -EINVAL);
        assert_non_null(strstr(err.message, "more than 20000 values"));
}

static void test_parameters(void **state) {
        static const char section[] = "parameters:\n"
                                      "  - { name: by, type: text, list: yes, required: yes, max-length: 2, values: [job, home] }\n"
                                      "  - { name: age, type: integer, min: 18, max: 99 }\n"
                                      "  - { name: rate, type: decimal, min: 0, max: 1 }\n"
                                      "  - { name: day, type: date }\n"
                                      "  - { name: all, type: boolean }\n"
                                      "  - { name: note, type: text, max-length: 3 }\n"
                                      "  - { name: year, type: integer, values: [2024, 2025] }\n"
                                      "  - { name: step, type: decimal, values: [0.1, 2] }\n";
        static const struct {
                const char *json;
                int complaints;
        } cases[] = {
                { "{\"by\":[\"job\"]}", 0 },
                { "{\"by\":[]}", 0 },
                { "{\"by\":[\"job\",\"home\"],\"age\":18,\"rate\":0.25,\"day\":\"2026-11-25\",\"all\":true,\"note\":\"abc\",\"year\":2025}", 0 },
                { "{}", 1 },
                { "{\"by\":\"job\"}", 1 },
                { "{\"by\":[\"age\"]}", 1 },
                { "{\"by\":[\"job\",\"job\"]}", 1 },
                { "{\"by\":[\"job\",\"home\",\"age\"]}", 1 },
                { "{\"by\":[],\"age\":17}", 1 },
                { "{\"by\":[],\"age\":100}", 1 },
                { "{\"by\":[],\"age\":18.5}", 1 },
                { "{\"by\":[],\"age\":\"18\"}", 1 },
                { "{\"by\":[],\"age\":9223372036854775807}", 1 },
                { "{\"by\":[],\"rate\":1}", 0 },
                { "{\"by\":[],\"rate\":1.0001}", 1 },
                { "{\"by\":[],\"rate\":-1e300}", 1 },
                { "{\"by\":[],\"day\":\"2026-02-30\"}", 1 },
                { "{\"by\":[],\"all\":1}", 1 },
                { "{\"by\":[],\"note\":\"abcd\"}", 1 },
                { "{\"by\":[],\"note\":\"a\\u0000b\"}", 1 },
                { "{\"by\":[],\"note\":\"a\\nb\"}", 1 },
                { "{\"by\":[],\"year\":2026}", 1 },
                { "{\"by\":[],\"step\":0.1}", 0 },
                { "{\"by\":[],\"step\":1e-1}", 0 },
                { "{\"by\":[],\"step\":2.0}", 0 },
                { "{\"by\":[],\"step\":0.10000000000004}", 1 }, /* not what it is when it is rounded */
                { "{\"by\":[],\"step\":2.0000000000000004}", 1 },
                { "{\"by\":[],\"rate\":1e-5}", 0 },
                { "{\"by\":[],\"rate\":1.0000000000000002}", 1 },
                { "{\"by\":[],\"rate\":-1e-12}", 1 },
                { "{\"by\":[],\"rate\":1e-300}", 1 }, /* no decimal holds it */
                { "{\"by\":[],\"sql\":\"x\",\"path\":1}", 2 },
        };
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        struct gbx_error err = {};
        char text[4096];

        (void)state;
        (void)snprintf(text, sizeof text, "%s%s", minimal, section);
        if (gbx_policy_parse(&policy, "f", text, strlen(text), NULL, &err) < 0)
                fail_msg("%s", err.message);
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer complaints = {};
                json_t *json = json_loads(cases[i].json, JSON_ALLOW_NUL, NULL);
                int n = gbx_policy_check_parameters(policy, json, &complaints, &err);

                if (n != cases[i].complaints)
                        fail_msg("for %s expected %d complaints, got %d: %s", cases[i].json, cases[i].complaints, n,
                                 gbx_buffer_text(&complaints));
                json_decref(json);
        }
}

static void test_schema_problems(void **state) {
        static const struct {
                const char *column, *expected;
        } cases[] = {
                { "{ name: a, type: text, class: open, values: [x] }", "" },
                { "{ name: a, type: int, class: open }", "'int' is not one of" },
                { "{ name: a, type: text }", "'class' is missing" },
                { "{ name: a, type: text, class: open, unit: 1 }", "are for integers and decimals" },
                { "{ name: a, type: decimal, class: open, unit: 0 }", "greater than zero" },
                { "{ name: a, type: decimal, class: open, unit: abc }", "not a number" },
                { "{ name: a, type: decimal, class: open, min: 2, max: 1 }", "'min' is greater" },
                { "{ name: a, type: text, class: identifier, key: yes, missing: yes }", "a key cannot be missing" },
                { "{ name: a, type: integer, class: open, values: [x] }", "for columns of type text" },
                { "{ name: a, type: text, class: open }\n  - { name: a, type: text, class: open }", "f:4:5: the name of this column stands twice" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
                struct gbx_error err = {};
                char text[512];
                int r;

                (void)snprintf(text, sizeof text, "dataset: d\ncolumns:\n  - %s\n", cases[i].column);
                r = gbx_schema_parse(&schema, "f", text, strlen(text), NULL, &err);
                assert_int_equal(r, *cases[i].expected ? -EINVAL : 0);
                if (!strstr(err.message, cases[i].expected))
                        fail_msg("for «%s» expected «%s», got «%s»", cases[i].column, cases[i].expected, err.message);
        }
}

static void test_decimals(void **state) {
        static const struct {
                const char *text, *unit, *expected; /* NULL: refused */
        } cases[] = {
                { "1.2345", "0.001", "1.234" }, { "1.2355", "0.001", "1.236" }, { "1.23451", "0.001", "1.235" },
                { "-1.2345", "0.001", "-1.234" }, { "0.0004", "0.001", "0.000" }, { "-0.0004", "0.001", "0.000" },
                { "17", "5", "15" }, { "18", "5", "20" }, { "12.5", "5", "10" }, { "2.5", "1", "2" }, { "3.5", "1", "4" },
                { "007", "1", "7" }, { "1", "0.25", "1.00" }, { "1.13", "0.25", "1.25" },
                { "999999999999999999", "1", "999999999999999999" }, { "999999999999999999", "0.1", NULL },
                { "1e5", "1", NULL }, { "+1", "1", NULL }, { ".5", "1", NULL }, { "1.", "1", NULL }, { "", "1", NULL },
                { "-", "1", NULL }, { "NaN", "1", NULL }, { "1,5", "1", NULL }, { " 1", "1", NULL },
                { "1234567890123456789", "1", NULL }, { "0.0000000000000000001", "1", NULL }, { "1", "0", NULL },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_decimal value, unit, rounded;
                char text[GBX_DECIMAL_TEXT_SIZE];
                int r = gbx_decimal_parse(cases[i].text, &value, NULL);

                assert_int_equal(gbx_decimal_parse(cases[i].unit, &unit, NULL), 0);
                if (r >= 0)
                        r = gbx_decimal_round(&value, &unit, &rounded, NULL);
                if (!cases[i].expected) {
                        if (r != -EINVAL)
                                fail_msg("'%s' in units of %s was accepted", cases[i].text, cases[i].unit);
                        continue;
                }
                assert_int_equal(r, 0);
                gbx_decimal_text(&rounded, text);
                assert_string_equal(text, cases[i].expected);
        }
}

/* What programs write, read exactly; and digits that are cut off never change which way a number is rounded. */
static void test_decimals_as_programs_write_them(void **state) {
        static const struct {
                const char *text, *expected; /* NULL: refused; in the fewest decimals */
                bool cut;
        } cases[] = {
                { "12", "12", false }, { "-0.05", "-0.05", false }, { "3.0", "3", false }, { "-3.000", "-3", false }, { ".5", "0.5", false },
                { "-.5", "-0.5", false }, { "1e+05", "100000", false }, { "1E5", "100000", false }, { "1e5", "100000", false },
                { "2.5e-3", "0.0025", false }, { "1.50e1", "15", false }, { "0e400", "0", false }, { "-0", "0", false }, { "0.000", "0", false },
                { "007", "7", false }, { "1e17", "100000000000000000", false }, { "1e18", NULL, false }, { "1e0005", "100000", false },
                { "123456789012345678", "123456789012345678", false }, { "123456789012345678.00", "123456789012345678", false },
                { "1234567890123456789", NULL, false }, { "123456789012345678.5", NULL, false }, { "1234567890123456789e-5", "12345678901234.5678", true },
                { "1e-18", "0.000000000000000001", false }, { "1.2345678901234567e-05", "0.000012345678901234", true },
                { "1e-19", "0.000000000000000001", true }, { "1e-9999", "0.000000000000000001", true }, { "0.1234567890123456789", "0.123456789012345678", true },
                { "0.50000000000000000001", "0.500000000000000001", true }, { "0.250000000000000000", "0.25", false },
                { "", NULL, false }, { "-", NULL, false }, { ".", NULL, false }, { "1.", NULL, false }, { "e5", NULL, false }, { "1e", NULL, false },
                { "1e+", NULL, false }, { "1e5.0", NULL, false }, { "+1", NULL, false }, { "1_000", NULL, false }, { "1,5", NULL, false },
                { " 1", NULL, false }, { "1 ", NULL, false }, { "nan", NULL, false }, { "inf", NULL, false }, { "0x10", NULL, false },
                { "1e99999", NULL, false }, { "--1", NULL, false }, { "1.5.5", NULL, false },
        };
        static const struct {
                const char *text, *unit, *expected;
        } rounded[] = {
                { "0.50000000000000000001", "1", "1" }, { "0.5", "1", "0" }, { "1.49999999999999999999", "1", "1" }, { "1.5", "1", "2" },
                { "2.5000000000000000000000001", "1", "3" }, { "2.5", "1", "2" }, { "0.0000000000000000000001", "0.01", "0.00" },
                { "0.12500000000000000000009", "0.01", "0.13" }, { "0.125", "0.01", "0.12" }, { "-0.12500000000000000000009", "0.01", "-0.13" },
                { "1e+05", "1000", "100000" }, { "0.51", "0.01", "0.51" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_decimal value;
                char text[GBX_DECIMAL_TEXT_SIZE] = "refused";
                bool cut = false;

                if (gbx_decimal_read(cases[i].text, &value, &cut, NULL) >= 0)
                        gbx_decimal_text(&value, text);
                if (strcmp(text, cases[i].expected ? cases[i].expected : "refused") != 0 || cut != cases[i].cut)
                        fail_msg("'%s' is read as %s%s", cases[i].text, text, cut ? ", cut" : "");
        }
        for (size_t i = 0; i < gbx_array_size(rounded); i++) {
                struct gbx_decimal value, unit, result;
                char text[GBX_DECIMAL_TEXT_SIZE];
                bool cut;

                assert_int_equal(gbx_decimal_read(rounded[i].text, &value, &cut, NULL), 0);
                assert_int_equal(gbx_decimal_parse(rounded[i].unit, &unit, NULL), 0);
                assert_int_equal(gbx_decimal_round(&value, &unit, &result, NULL), 0);
                gbx_decimal_text(&result, text);
                if (strcmp(text, rounded[i].expected) != 0)
                        fail_msg("'%s' in units of %s becomes %s", rounded[i].text, rounded[i].unit, text);
        }
}

/* The reference names every key of the tables: what the reader lists as known is looked for in the manual. */
static void test_reference_is_complete(void **state) {
        static const char *const sections[] = { "x: 1\n", "approvals: { x: 1 }\n", "limits: { x: 1 }\n", "sandbox: { x: 1 }\n",
                                                "messages: { x: 1 }\n", "release: { x: 1 }\n", "output-review: { x: 1 }\n",
                                                "release: { columns: [{ x: 1 }] }\n", "parameters: [{ x: 1 }]\n" };
        gbx_auto(gbx_buffer_free) struct gbx_buffer manual = {};
        size_t found = 0;

        (void)state;
        assert_int_equal(gbx_read_file(AT_FDCWD, "docs/policy-reference.md", 1 << 20, &manual, NULL), 0);
        for (size_t i = 0; i < gbx_array_size(sections); i++) {
                char problems[4096], *known, *rest, *key;

                problems_of(sections[i], problems);
                known = strstr(problems, "known here: ");
                assert_non_null(known);
                rest = known + strlen("known here: ");
                *strchr(rest, '\n') = '\0';
                while ((key = strsep(&rest, ","))) {
                        char quoted[80];

                        (void)snprintf(quoted, sizeof quoted, "`%s`", key + (*key == ' '));
                        if (!strstr(gbx_buffer_text(&manual), quoted))
                                fail_msg("docs/policy-reference.md does not explain %s", quoted);
                        found++;
                }
        }
        assert_true(found > 40);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),        cmocka_unit_test(test_demo_files),
                cmocka_unit_test(test_contributor),
                cmocka_unit_test(test_all_problems_at_once), cmocka_unit_test(test_subset),
                cmocka_unit_test(test_values),          cmocka_unit_test(test_many_problems),
                cmocka_unit_test(test_mark_constraints), cmocka_unit_test(test_sandbox), cmocka_unit_test(test_messages),
                cmocka_unit_test(test_hidden_text), cmocka_unit_test(test_names), cmocka_unit_test(test_output_names), cmocka_unit_test(test_size_limit),      cmocka_unit_test(test_parameters),
                cmocka_unit_test(test_schema_problems), cmocka_unit_test(test_decimals),
                cmocka_unit_test(test_decimals_as_programs_write_them),
                cmocka_unit_test(test_reference_is_complete),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
