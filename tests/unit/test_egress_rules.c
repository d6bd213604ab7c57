/* Flow rules: reading them, matching them; host names and addresses. */
#include "policy/address.h"
#include "policy/host.h"
#include "policy/flow_rule.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static int parse(struct gbx_flow_rules *ret, const char *text, struct gbx_error *err) {
        json_error_t problem;
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
        int r;

        assert_non_null(json);
        r = gbx_flow_rules_parse(ret, json, err);
        json_decref(json);
        return r;
}

static void test_address_kinds(void **state) {
        static const struct {
                const char *text;
                enum gbx_address_kind kind;
        } cases[] = {
                { "93.184.216.34", GBX_ADDRESS_GLOBAL },    { "1.1.1.1", GBX_ADDRESS_GLOBAL },
                { "127.0.0.1", GBX_ADDRESS_SPECIAL },       { "127.255.255.255", GBX_ADDRESS_SPECIAL },
                { "10.0.0.1", GBX_ADDRESS_SPECIAL },        { "172.16.0.1", GBX_ADDRESS_SPECIAL },
                { "172.31.255.255", GBX_ADDRESS_SPECIAL },  { "172.32.0.0", GBX_ADDRESS_GLOBAL },
                { "192.168.1.1", GBX_ADDRESS_SPECIAL },     { "169.254.169.254", GBX_ADDRESS_SPECIAL },
                { "100.100.100.200", GBX_ADDRESS_SPECIAL }, { "0.0.0.0", GBX_ADDRESS_NEVER },
                { "224.0.0.1", GBX_ADDRESS_NEVER },         { "239.1.2.3", GBX_ADDRESS_NEVER },
                { "255.255.255.255", GBX_ADDRESS_NEVER },   { "250.1.1.1", GBX_ADDRESS_SPECIAL },
                { "198.19.0.1", GBX_ADDRESS_SPECIAL },      { "192.0.2.1", GBX_ADDRESS_SPECIAL },
                { "::", GBX_ADDRESS_NEVER },                { "::1", GBX_ADDRESS_SPECIAL },
                { "fe80::1", GBX_ADDRESS_SPECIAL },         { "fd00:ec2::254", GBX_ADDRESS_SPECIAL },
                { "ff02::1", GBX_ADDRESS_NEVER },           { "2606:4700:4700::1111", GBX_ADDRESS_GLOBAL },
                { "::ffff:127.0.0.1", GBX_ADDRESS_SPECIAL }, { "::ffff:0.0.0.0", GBX_ADDRESS_NEVER },
                { "::ffff:8.8.8.8", GBX_ADDRESS_SPECIAL },  { "64:ff9b::a9fe:a9fe", GBX_ADDRESS_SPECIAL },
                { "2002:7f00:1::", GBX_ADDRESS_SPECIAL },   { "2001:db8::1", GBX_ADDRESS_SPECIAL },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_address address;

                assert_int_equal(gbx_address_parse(cases[i].text, &address, NULL), 0);
                if (gbx_address_kind(&address) != cases[i].kind)
                        fail_msg("%s is of kind %d", cases[i].text, gbx_address_kind(&address));
        }
}

static void test_address_ranges(void **state) {
        static const char *const bad[] = { "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08",
                                           "10.0.0/8",    "1.2.3.4.5",  "",          "::/129",      "fe80::1%eth0",
                                           "010.0.0.1",   "0x7f.0.0.1", "127.1" };
        struct gbx_address_range range;
        struct gbx_address inside, outside;

        (void)state;
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_int_equal(gbx_address_range_parse(bad[i], &range, NULL), -EINVAL);
        assert_int_equal(gbx_address_range_parse("10.16.0.0/12", &range, NULL), 0);
        assert_int_equal(gbx_address_parse("10.31.255.255", &inside, NULL), 0);
        assert_int_equal(gbx_address_parse("10.32.0.0", &outside, NULL), 0);
        assert_true(gbx_address_in_range(&inside, &range));
        assert_false(gbx_address_in_range(&outside, &range));
        assert_true(gbx_address_allowed(&inside, &range, 1));
        assert_false(gbx_address_allowed(&outside, &range, 1));
        assert_false(gbx_address_allowed(&inside, NULL, 0));
        /* No rule can allow what has no meaning as a peer. */
        assert_int_equal(gbx_address_range_parse("0.0.0.0/0", &range, NULL), 0);
        assert_int_equal(gbx_address_parse("0.0.0.0", &inside, NULL), 0);
        assert_false(gbx_address_allowed(&inside, &range, 1));
}

static void test_authorities(void **state) {
        static const struct {
                const char *text, *host;
                uint16_t port;
        } good[] = {
                { "example.com", "example.com", 0 },      { "Example.COM:8443", "example.com", 8443 },
                { "1.2.3.4:80", "1.2.3.4", 80 },          { "[::1]:443", "::1", 443 },
                { "[FD00::0001]", "fd00::1", 0 },         { "a-b.c_d.example", "a-b.c_d.example", 0 },
                { "localhost", "localhost", 0 },          { "xn--fiq228c.cn:65535", "xn--fiq228c.cn", 65535 },
        };
        static const char *const bad[] = {
                "",           ":80",          "example.com:",      "example.com:0",      "example.com:65536",
                "a..b",       ".a",           "a.",                "-a.com",             "a-.com",
                "user@host",  "host/path",    "127.1",             "0x7f000001",         "0x7f.1",
                "2130706433", "1.2.3.4.5",    "256.1.1.1",         "01.2.3.4",           "::1",
                "[::1",       "[1.2.3.4]:80", "[fe80::1%25eth0]",  "example.com:080",    "example.com: 80",
                "exa mple",   "ex%61mple.com", "example.com:80:80", "a.0x1",             "example.com\x7f",
                "ex\xc3\xa4mple.com",
        };
        struct gbx_authority authority;

        (void)state;
        for (size_t i = 0; i < gbx_array_size(good); i++) {
                assert_int_equal(gbx_authority_parse(good[i].text, strlen(good[i].text), &authority, NULL), 0);
                assert_string_equal(authority.host, good[i].host);
                assert_int_equal(authority.port, good[i].port);
        }
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                if (gbx_authority_parse(bad[i], strlen(bad[i]), &authority, NULL) != -EINVAL)
                        fail_msg("'%s' passed as %s port %u", bad[i], authority.host, authority.port);
        assert_int_equal(gbx_authority_parse("a\0b", 3, &authority, NULL), -EINVAL);
}

static void test_host_patterns(void **state) {
        (void)state;
        assert_true(gbx_host_matches("example.com", "example.com"));
        assert_false(gbx_host_matches("example.com", "a.example.com"));
        assert_false(gbx_host_matches("example.com", "example.com.evil.net"));
        assert_true(gbx_host_matches("*.example.com", "a.example.com"));
        assert_true(gbx_host_matches("*.example.com", "a.b.example.com"));
        assert_false(gbx_host_matches("*.example.com", "example.com"));
        assert_false(gbx_host_matches("*.example.com", "badexample.com"));
        assert_false(gbx_host_matches("*.example.com", ".example.com"));
        assert_true(gbx_host_pattern_valid("*.example.com"));
        assert_true(gbx_host_pattern_valid("10.0.0.1"));
        assert_true(gbx_host_pattern_valid("fd00::1"));
        assert_false(gbx_host_pattern_valid("*"));
        assert_false(gbx_host_pattern_valid("*.com"));
        assert_false(gbx_host_pattern_valid("a.*.com"));
        assert_false(gbx_host_pattern_valid("Example.com"));
        assert_false(gbx_host_pattern_valid("example.com:80"));
        assert_false(gbx_host_pattern_valid("*.1.2.3"));
}

static const char sample[] =
        "[{\"name\":\"scores\",\"scheme\":\"https\",\"host\":\"api.example.com\",\"tls\":{\"mode\":\"inspect\"},"
        "  \"methods\":[\"GET\",\"POST\"],\"paths\":[\"/v1/\",\"/health\"],\"request-types\":[\"application/json\"],\"scan\":true},"
        " {\"name\":\"scores-put\",\"scheme\":\"https\",\"host\":\"api.example.com\",\"tls\":{\"mode\":\"inspect\"},"
        "  \"methods\":[\"PUT\"],\"paths\":[\"/upload/\"]},"
        " {\"name\":\"mirror\",\"scheme\":\"http\",\"host\":\"*.mirror.example\",\"port\":8080},"
        " {\"name\":\"night\",\"scheme\":\"tcp\",\"host\":\"10.1.2.3\",\"port\":5432,\"addresses\":[\"10.1.2.0/24\"],"
        "  \"window\":{\"days\":[\"fri\"],\"from\":\"22:00\",\"to\":\"06:00\"}}]";

static void test_matching(void **state) {
        static const int http = GBX_FLOW_HTTP, https = GBX_FLOW_HTTPS;
        const struct {
                const char *rule; /* NULL: refused */
                enum gbx_refusal refusal;
                struct gbx_flow_request request;
        } cases[] = {
                { "scores", 0, { "api.example.com", 443, &https, "GET", "/v1/x", NULL, 0 } },
                { "scores", 0, { "api.example.com", 443, NULL, NULL, NULL, NULL, 0 } },
                { "scores", 0, { "api.example.com", 443, &https, "POST", "/v1/", "application/json", 0 } },
                { "scores", 0, { "api.example.com", 443, &https, "GET", "/health", NULL, 0 } },
                { "scores", 0, { "api.example.com", 443, &https, "GET", "/health/db", NULL, 0 } },
                { NULL, GBX_REFUSAL_PATH, { "api.example.com", 443, &https, "GET", "/healthy", NULL, 0 } },
                { NULL, GBX_REFUSAL_PATH, { "api.example.com", 443, &https, "GET", "/v1", NULL, 0 } },
                { NULL, GBX_REFUSAL_PATH, { "api.example.com", 443, &https, "GET", "/", NULL, 0 } },
                { NULL, GBX_REFUSAL_METHOD, { "api.example.com", 443, &https, "DELETE", "/v1/x", NULL, 0 } },
                { NULL, GBX_REFUSAL_REQUEST_TYPE, { "api.example.com", 443, &https, "POST", "/v1/", "text/plain", 0 } },
                { NULL, GBX_REFUSAL_REQUEST_TYPE, { "api.example.com", 443, &https, "POST", "/v1/", "", 0 } },
                { "scores-put", 0, { "api.example.com", 443, &https, "PUT", "/upload/x", "text/plain", 0 } },
                { NULL, GBX_REFUSAL_PATH, { "api.example.com", 443, &https, "PUT", "/v1/x", NULL, 0 } },
                { NULL, GBX_REFUSAL_SCHEME, { "api.example.com", 443, &http, "GET", "/v1/x", NULL, 0 } },
                { NULL, GBX_REFUSAL_PORT, { "api.example.com", 8443, &https, "GET", "/v1/x", NULL, 0 } },
                { NULL, GBX_REFUSAL_HOST, { "evil.example.com", 443, &https, "GET", "/v1/x", NULL, 0 } },
                { "mirror", 0, { "eu.mirror.example", 8080, &http, "HEAD", "/a", NULL, 0 } },
                { NULL, GBX_REFUSAL_METHOD, { "eu.mirror.example", 8080, &http, "POST", "/a", NULL, 0 } },
                { NULL, GBX_REFUSAL_HOST, { "mirror.example", 8080, &http, "GET", "/a", NULL, 0 } },
                { NULL, GBX_REFUSAL_HOST, { "10.1.2.4", 5432, NULL, NULL, NULL, NULL, 0 } },
        };
        gbx_auto(gbx_flow_rules_free) struct gbx_flow_rules rules = {};
        struct gbx_error err = {};

        (void)state;
        if (parse(&rules, sample, &err) < 0)
                fail_msg("%s", err.message);
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                enum gbx_refusal refusal = GBX_REFUSAL_NONE;
                const struct gbx_flow_rule *rule = gbx_flow_match(&rules, &cases[i].request, &refusal);

                if (cases[i].rule ? !rule || strcmp(rule->name, cases[i].rule) != 0 : rule || refusal != cases[i].refusal)
                        fail_msg("case %zu: rule %s, refusal %s", i, rule ? rule->name : "none", gbx_refusal_info(refusal)->code);
        }
}

static void test_window(void **state) {
        static const struct {
                const char *time;
                bool open;
        } cases[] = {
                /* 2026-11-27 is a Friday. */
                { "2026-11-27T21:59:59Z", false }, { "2026-11-27T22:00:00Z", true }, { "2026-11-28T05:59:59Z", true },
                { "2026-11-28T06:00:00Z", false }, { "2026-11-27T05:00:00Z", false }, { "2026-11-28T22:30:00Z", false },
        };
        gbx_auto(gbx_flow_rules_free) struct gbx_flow_rules rules = {};

        (void)state;
        assert_int_equal(parse(&rules, sample, NULL), 0);
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_flow_request request = { .host = "10.1.2.3", .port = 5432 };
                enum gbx_refusal refusal;

                assert_int_equal(gbx_time_parse(cases[i].time, &request.now, NULL), 0);
                if ((gbx_flow_match(&rules, &request, &refusal) != NULL) != cases[i].open)
                        fail_msg("%s", cases[i].time);
                if (!cases[i].open)
                        assert_int_equal(refusal, GBX_REFUSAL_WINDOW);
        }
}

/* A tunnel has one meaning: the first rule for host and port settles scheme and TLS mode. */
static void test_one_meaning(void **state) {
        gbx_auto(gbx_flow_rules_free) struct gbx_flow_rules rules = {};
        struct gbx_flow_request request = { .host = "a.example.com", .port = 443 };
        enum gbx_refusal refusal;

        (void)state;
        assert_int_equal(parse(&rules, "[{\"name\":\"i\",\"scheme\":\"https\",\"host\":\"a.example.com\",\"tls\":{\"mode\":\"inspect\"}},"
                                       "{\"name\":\"v\",\"scheme\":\"https\",\"host\":\"*.example.com\",\"tls\":{\"mode\":\"verify\"}}]", NULL), 0);
        assert_string_equal(gbx_flow_match(&rules, &request, &refusal)->name, "i");
        request.method = "DELETE"; /* would fit the second rule, which names no method it could check */
        assert_null(gbx_flow_match(&rules, &request, &refusal));
        assert_int_equal(refusal, GBX_REFUSAL_METHOD);
}

static void test_bad_rules(void **state) {
        static const struct {
                const char *fields, *message;
        } cases[] = {
                { "\"scheme\":\"http\",\"host\":\"a.b\"", "rules[0].name: is missing" },
                { "\"name\":\"a\",\"host\":\"a.b\"", "rules[0].scheme: is missing" },
                { "\"name\":\"a\",\"scheme\":\"ftp\",\"host\":\"a.b\"", "rules[0].scheme: is none" },
                { "\"name\":\"A b\",\"scheme\":\"http\",\"host\":\"a.b\"", "rules[0].name" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"*\"", "rules[0].host" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"127.1\"", "rules[0].host" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"port\":0", "rules[0].port" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"port\":65536", "rules[0].port" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"ports\":1", "rules[0].ports: is not a field" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"tls\":{\"mode\":\"verify\"}", "rules[0].tls" },
                { "\"name\":\"a\",\"scheme\":\"https\",\"host\":\"a.b\"", "rules[0].tls" },
                { "\"name\":\"a\",\"scheme\":\"https\",\"host\":\"a.b\",\"tls\":{}", "rules[0].tls.mode: is missing" },
                { "\"name\":\"a\",\"scheme\":\"https\",\"host\":\"a.b\",\"tls\":{\"mode\":\"verify\"},\"paths\":[\"/\"]", "need the scheme http" },
                { "\"name\":\"a\",\"scheme\":\"https\",\"host\":\"a.b\",\"tls\":{\"mode\":\"verify\"},\"scan\":true", "need the scheme http" },
                { "\"name\":\"a\",\"scheme\":\"https\",\"host\":\"a.b\",\"tls\":{\"mode\":\"verify\",\"pins\":[\"sha256:00\"]}", "rules[0].tls.pins" },
                { "\"name\":\"a\",\"scheme\":\"https\",\"host\":\"a.b\",\"tls\":{\"mode\":\"verify\",\"client-certificate\":\"x\"}", "client-certificate" },
                { "\"name\":\"a\",\"scheme\":\"tcp\",\"host\":\"a.b\"", "rules[0].port: is missing" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"methods\":[]", "rules[0].methods" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"methods\":[\"CONNECT\"]", "rules[0].methods" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"paths\":[\"v1\"]", "rules[0].paths" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"paths\":[\"/a/../b\"]", "rules[0].paths" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"addresses\":[\"10.0.0.1/8\"]", "rules[0].addresses" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"window\":{\"days\":[\"Mon\"]}", "rules[0].window.days" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"window\":{\"from\":\"8:00\",\"to\":\"09:00\"}", "HH:MM" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"window\":{\"from\":\"08:00\"}", "both" },
                { "\"name\":\"a\",\"scheme\":\"http\",\"host\":\"a.b\",\"rate\":-1", "rules[0].rate" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_flow_rules_free) struct gbx_flow_rules rules = {};
                struct gbx_error err = {};
                char text[512];

                (void)snprintf(text, sizeof text, "[{%s}]", cases[i].fields);
                assert_int_equal(parse(&rules, text, &err), -EINVAL);
                if (!strstr(err.message, cases[i].message))
                        fail_msg("case %zu says '%s'", i, err.message);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_address_kinds), cmocka_unit_test(test_address_ranges),
                cmocka_unit_test(test_authorities),   cmocka_unit_test(test_host_patterns),
                cmocka_unit_test(test_matching),      cmocka_unit_test(test_window),
                cmocka_unit_test(test_one_meaning),   cmocka_unit_test(test_bad_rules),
        };

        return cmocka_run_group_tests_name("egress rules", tests, NULL, NULL);
}
