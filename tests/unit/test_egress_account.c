/* Accounts of flows, the configuration, and the certificates that inspection makes. */
#include "gateway/egress/account.h"
#include "gateway/egress/certificate.h"
#include "gateway/egress/config.h"
#include "gateway/egress/tls.h"

#include "base/cleanup.h"

#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const int64_t DAY = 24L * 60 * 60;

static void test_quotas(void **state) {
        static char host[] = "a.test";
        const struct gbx_flow_rule rule = { .host = host, .request_bytes = 100, .response_bytes = 1000, .request_bytes_day = 250,
                                            .connections = 2, .connections_run = 3 };
        gbx_auto(gbx_account_free) struct gbx_account account;

        (void)state;
        gbx_account_init(&account, &rule, &(struct gbx_day_use){ { 200, 0 }, 0 }, 5 * DAY);
        assert_int_equal(gbx_account_left(&account, GBX_REQUEST), 50); /* others have used 200 of the day's 250 */
        assert_int_equal(gbx_account_take(&account, GBX_REQUEST, 51, 5 * DAY), GBX_REFUSAL_QUOTA);
        assert_int_equal(gbx_account_take(&account, GBX_REQUEST, 50, 5 * DAY), GBX_REFUSAL_NONE);
        assert_int_equal(gbx_account_open(&account, host, 0, 5 * DAY), GBX_REFUSAL_QUOTA);
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY), GBX_REFUSAL_NONE); /* a new day */
        assert_int_equal(gbx_account_take(&account, GBX_REQUEST, 51, 6 * DAY), GBX_REFUSAL_QUOTA); /* but the same run */
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY), GBX_REFUSAL_NONE);
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY), GBX_REFUSAL_CONNECTIONS);
        gbx_account_close(&account);
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY), GBX_REFUSAL_NONE);
        gbx_account_close(&account);
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY), GBX_REFUSAL_CONNECTIONS); /* three in the run */
        assert_int_equal(gbx_account_take(&account, GBX_RESPONSE, UINT64_MAX, 6 * DAY), GBX_REFUSAL_QUOTA);
        account.cut = true;
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY), GBX_REFUSAL_CUT);
}

static void test_connections_of_the_day(void **state) {
        static char host[] = "a.test";
        const struct gbx_flow_rule rule = { .host = host, .request_bytes = 100, .response_bytes = 100, .connections = 9, .connections_day = 3 };
        gbx_auto(gbx_account_free) struct gbx_account account;

        (void)state;
        gbx_account_init(&account, &rule, &(struct gbx_day_use){ .connections = 2 }, 5 * DAY); /* by other runs */
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY - 1), GBX_REFUSAL_NONE);
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY - 1), GBX_REFUSAL_QUOTA);
        for (int i = 0; i < 3; i++) /* midnight, UTC */
                assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY), GBX_REFUSAL_NONE);
        assert_int_equal(gbx_account_open(&account, host, 0, 6 * DAY), GBX_REFUSAL_QUOTA);
}

static void test_quota_over_rules(void **state) {
        struct gbx_quota quota = { .limit = { { 100, 0 }, 2 }, .used = { { 40, 7 }, 0 }, .day = 5 };

        (void)state;
        assert_int_equal(gbx_quota_open(&quota, 5 * DAY), GBX_REFUSAL_NONE);
        assert_true(gbx_quota_fits(&quota, GBX_REQUEST, 60, 5 * DAY));
        assert_false(gbx_quota_fits(&quota, GBX_REQUEST, 61, 5 * DAY));
        assert_true(gbx_quota_fits(&quota, GBX_RESPONSE, UINT64_MAX, 5 * DAY)); /* no limit */
        gbx_quota_take(&quota, GBX_REQUEST, 60);
        assert_false(gbx_quota_fits(&quota, GBX_REQUEST, 1, 5 * DAY));
        assert_int_equal(gbx_quota_open(&quota, 5 * DAY), GBX_REFUSAL_QUOTA);
        assert_int_equal(gbx_quota_open(&quota, 6 * DAY), GBX_REFUSAL_NONE); /* the next day */
        gbx_quota_count(&quota);
        gbx_quota_count(&quota);
        assert_int_equal(gbx_quota_open(&quota, 6 * DAY), GBX_REFUSAL_QUOTA);
        assert_true(gbx_quota_fits(&quota, GBX_REQUEST, 100, 6 * DAY));
}

static void test_names(void **state) {
        static char host[] = "*.a.test";
        const struct gbx_flow_rule rule = { .host = host, .request_bytes = 100, .response_bytes = 100, .connections = 100, .names = 2 };
        gbx_auto(gbx_account_free) struct gbx_account account;

        (void)state;
        gbx_account_init(&account, &rule, &(struct gbx_day_use){}, 0);
        assert_int_equal(gbx_account_open(&account, "x.a.test", 0, 0), GBX_REFUSAL_NONE);
        assert_int_equal(gbx_account_open(&account, "y.a.test", 0, 0), GBX_REFUSAL_NONE);
        assert_int_equal(gbx_account_open(&account, "z.a.test", 0, 0), GBX_REFUSAL_NAMES);
        assert_int_equal(gbx_account_open(&account, "x.a.test", 0, 0), GBX_REFUSAL_NONE);
}

static void test_breaker(void **state) {
        struct gbx_breaker breaker = { .limit = 3 }, never = {};

        (void)state;
        assert_false(gbx_breaker_fail(&breaker, 1000));
        assert_false(gbx_breaker_fail(&breaker, 2000));
        assert_false(gbx_breaker_fail(&breaker, 62000)); /* the first two are a minute old */
        assert_false(gbx_breaker_fail(&breaker, 62001));
        assert_false(gbx_breaker_open(&breaker, 62001));
        assert_true(gbx_breaker_fail(&breaker, 62002));
        assert_true(gbx_breaker_open(&breaker, 62003));
        assert_true(gbx_breaker_open(&breaker, 122001));
        assert_false(gbx_breaker_open(&breaker, 122002));
        assert_int_equal(breaker.opened, 1);
        for (int i = 0; i < 100; i++)
                assert_false(gbx_breaker_fail(&never, 0));
}

#define NEEDED "\"version\":1,\"run\":\"r\",\"analyst\":\"a\",\"purpose\":\"p\",\"datasets\":[],\"listen\":[4],\"events\":5,"
#define RULE "{\"name\":\"x\",\"scheme\":\"https\",\"host\":\"a.test\",\"tls\":{\"mode\":\"inspect\"}"

static void test_config(void **state) {
        static const struct {
                const char *text, *message; /* NULL: good */
        } cases[] = {
                { "{" NEEDED "\"rules\":[]}", NULL },
                { "{" NEEDED "\"rules\":[],\"hosts\":{\"a.test\":\"10.0.0.1\"},\"aliases\":{\"198.18.0.1\":\"a.test\"}}", NULL },
                { "{" NEEDED "\"rules\":[],\"rules\":[]}", "duplicate" },
                { "{" NEEDED "\"rules\":[],\"extra\":1}", "extra: is not a field" },
                { "{\"version\":2}", "version: must be a whole number from 1 to 1" },
                { "{\"version\":1}", "run: is missing" },
                { "{" NEEDED "\"rules\":[" RULE "}]}", "authority: is missing" },
                { "{" NEEDED "\"rules\":[" RULE ",\"scan\":true}],\"authority\":{\"certificate\":\"x\",\"key\":\"y\"}}", "scan-rules: is missing" },
                { "{" NEEDED "\"rules\":[],\"authority\":{\"key\":\"x\"}}", "authority.certificate: is missing" },
                { "{" NEEDED "\"rules\":[],\"hosts\":{\"a.test\":\"b.test\"}}", "hosts" },
                { "{" NEEDED "\"rules\":[],\"aliases\":{\"a.test\":\"198.18.0.1\"}}", "aliases" },
                { "{" NEEDED "\"rules\":[],\"nameservers\":[\"one.one\"]}", "nameservers" },
                { "{" NEEDED "\"rules\":[],\"used-today\":{\"x\":{\"request-bytes\":1,\"response-bytes\":1}}}", "used-today" },
                { "{" NEEDED "\"rules\":[],\"quotas\":[{\"request-bytes\":5,\"response-bytes\":0,\"connections\":1,\"used\":"
                  "{\"request-bytes\":1,\"response-bytes\":1,\"connections\":1}}]}", NULL },
                { "{" NEEDED "\"rules\":[],\"quotas\":[{\"request-bytes\":5}]}", "quotas[0]" },
                { "{" NEEDED "\"rules\":[],\"quotas\":[{\"request-bytes\":-5,\"response-bytes\":0,\"connections\":1,\"used\":{}}]}", "quotas[0]" },
                { "{" NEEDED "\"rules\":[],\"quotas\":{}}", "quotas" },
                { "{" NEEDED "\"rules\":[],\"scan-values\":{\"x\":[\"abc\"]}}", "scan-values" },
                { "{" NEEDED "\"rules\":[],\"limits\":{\"idle-ms\":1}}", "limits.idle-ms" },
                { "[]", "must be an object" },
                { "", "line" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_egress_config_free) struct gbx_egress_config config = {};
                struct gbx_error err = {};
                int r = gbx_egress_config_parse(&config, cases[i].text, strlen(cases[i].text), &err);

                if (cases[i].message ? r != -EINVAL || !strstr(err.message, cases[i].message) : r != 0)
                        fail_msg("case %zu: %d '%s'", i, r, err.message);
        }
}

static void test_certificates(void **state) {
        char *certificate_text = NULL, *key_text = NULL;
        X509 *authority = NULL, *leaf = NULL;
        EVP_PKEY *authority_key = NULL, *key = NULL;
        X509_STORE *store = X509_STORE_new();
        X509_STORE_CTX *context = X509_STORE_CTX_new();

        (void)state;
        assert_int_equal(gbx_tls_make_authority("site CA", &certificate_text, &key_text, NULL), 0);
        assert_int_equal(gbx_certificate_read(certificate_text, &authority, NULL), 0);
        assert_int_equal(gbx_private_key_read(key_text, &authority_key, NULL), 0);
        assert_int_equal(gbx_private_key_read(certificate_text, &key, NULL), -EINVAL);
        assert_int_equal(gbx_private_key_new(&key, NULL), 0);
        assert_int_equal(gbx_certificate_new(&leaf, "api.test", false, 1, key, authority, authority_key, NULL), 0);
        assert_int_equal(gbx_certificates_add(certificate_text, store, NULL), 0);
        assert_int_equal(gbx_certificates_add("nothing", store, NULL), -EINVAL);
        assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
        assert_int_equal(X509_verify_cert(context), 1);
        assert_int_equal(X509_check_host(leaf, "api.test", 0, 0, NULL), 1);
        assert_int_equal(X509_check_host(leaf, "other.test", 0, 0, NULL), 0);
        assert_int_equal(X509_check_ca(leaf), 0);
        X509_STORE_CTX_free(context);
        X509_STORE_free(store);
        X509_free(authority);
        X509_free(leaf);
        EVP_PKEY_free(authority_key);
        EVP_PKEY_free(key);
        free(certificate_text);
        free(key_text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quotas),
                cmocka_unit_test(test_connections_of_the_day),
                cmocka_unit_test(test_quota_over_rules), cmocka_unit_test(test_names),        cmocka_unit_test(test_breaker),
                cmocka_unit_test(test_config), cmocka_unit_test(test_certificates),
        };

        return cmocka_run_group_tests_name("egress accounts", tests, NULL, NULL);
}
