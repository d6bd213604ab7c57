/* Flows in a policy file: what is read, what the proxy is told, what is refused and on which line. */
#include "policy/flow_rule.h"
#include "policy/flows.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char start[] = "policy: p\npurpose: p\ndatasets: [d]\nengines: [native]\napprovals: { required: 1, reviewers: [r] }\n"
                            "release: { minimum-count: 10 }\n";

static int parse(const char *rest, struct gbx_policy **ret, struct gbx_error *err) {
        char text[4096];

        (void)snprintf(text, sizeof text, "%s%s", start, rest);
        return gbx_policy_parse(ret, "p.yaml", text, strlen(text), NULL, err);
}

static void test_good(void **state) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_flow_rules_free) struct gbx_flow_rules rules = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_error err = {};
        json_t *json = NULL;

        (void)state;
        if (parse("network: flows\nflows:\n  - name: scores\n    scheme: https\n    host: api.example.com\n    tls: { mode: inspect }\n"
                  "    methods: [POST]\n    paths: [\"/v1/\"]\n    scan: yes\n    request-size: 2M\n    window: { days: [mon], from: \"08:00\", to: \"18:00\" }\n",
                  &policy, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(gbx_policy_flows_to_json(policy, &json, NULL), 0);
        assert_int_equal(gbx_flow_rules_parse(&rules, json, NULL), 0);
        json_decref(json);
        assert_int_equal(rules.count, 1);
        assert_string_equal(rules.rules[0].methods[0], "POST");
        assert_int_equal(rules.rules[0].port, 443);
        assert_int_equal(rules.rules[0].tls, GBX_FLOW_TLS_INSPECT);
        assert_int_equal(rules.rules[0].request_bytes, 2 << 20);
        assert_int_equal(rules.rules[0].days, 1);
        assert_true(rules.rules[0].scan);
        assert_int_equal(gbx_policy_describe(policy, &text, NULL), 0);
        assert_non_null(strstr(gbx_buffer_text(&text), "network        scores: https://api.example.com, inspected, scanned"));
}

static void test_shared(void **state) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL, *silent = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

        (void)state;
        assert_int_equal(parse("network: flows\nflows:\n  - { name: a, scheme: http, host: a.b, connections-day: 7 }\n"
                               "flow-breakers: { analyst-failures: 9, window: 2h }\n"
                               "flow-quotas:\n  analyst: { connections-day: 5 }\n  dataset: { request-size-day: 2M, response-size-day: 1K }\n",
                               &policy, NULL), 0);
        assert_int_equal(((const struct gbx_policy_flow *)policy->flows.items)[0].connections_day, 7);
        assert_int_equal(policy->flow_breakers.analyst_failures, 9);
        assert_int_equal(policy->flow_breakers.dataset_failures, 1000);
        assert_int_equal(policy->flow_breakers.window_ms, 2 * 3600 * 1000);
        assert_int_equal(policy->flow_quotas.analyst.connections_day, 5);
        assert_int_equal(policy->flow_quotas.analyst.request_bytes_day, 0);
        assert_int_equal(policy->flow_quotas.dataset.request_bytes_day, 2 << 20);
        assert_int_equal(policy->flow_quotas.dataset.response_bytes_day, 1 << 10);
        assert_int_equal(gbx_policy_describe(policy, &text, NULL), 0);
        assert_non_null(strstr(gbx_buffer_text(&text), "flow breakers  after 9 failures of an analyst, or 1000 on a dataset, within 2h\n"
                                                       "flow quota     an analyst, a day: 5 connections\n"
                                                       "flow quota     a dataset, a day: 2M out, 1K in\n"));
        /* Without a word about them the breakers are there, and the quotas are not. */
        assert_int_equal(parse("network: flows\nflows:\n  - { name: a, scheme: http, host: a.b }\n", &silent, NULL), 0);
        assert_int_equal(silent->flow_breakers.analyst_failures, 500);
        assert_int_equal(silent->flow_breakers.window_ms, 3600 * 1000);
        assert_int_equal(silent->flow_quotas.dataset.connections_day, 0);
}

static void test_bad(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "network: flows\n", "needs a list 'flows'" },
                { "flow-breakers: { window: 1h }\n", "'flow-breakers' needs 'network: flows'" },
                { "flow-quotas: { dataset: { connections-day: 1 } }\n", "'flow-quotas' needs 'network: flows'" },
                { "network: flows\nflows:\n  - { name: a, scheme: http, host: a.b }\nflow-breakers: { analyst-failures: 0 }\n", "analyst-failures" },
                { "flows:\n  - { name: a, scheme: http, host: a.b }\n", "p.yaml:8:" },
                { "network: flows\nflows:\n  - { name: a, scheme: https, host: a.b }\n", "p.yaml:9:" },
                { "network: flows\nflows:\n  - { name: a, scheme: http, host: \"*\" }\n", "flow 'a': host" },
                { "network: flows\nflows:\n  - { name: a, scheme: http, host: a.b, ports: 1 }\n", "ports" },
                { "network: flows\nflows:\n  - { name: a, scheme: http, host: a.b }\n  - { name: a, scheme: http, host: c.d }\n", "two flows have the name 'a'" },
                { "network: all\n", "p.yaml:7:" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
                struct gbx_error err = {};

                assert_int_equal(parse(cases[i].text, &policy, &err), -EINVAL);
                if (!strstr(err.message, cases[i].message))
                        fail_msg("case %zu says '%s'", i, err.message);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_shared), cmocka_unit_test(test_bad) };

        return cmocka_run_group_tests_name("policy flows", tests, NULL, NULL);
}
