/* The gate's inspection: what becomes canonical, and which rule stops what (threats E17 and E19). */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/gate/inspect.h"
#include "gateway/gate/release_manifest.h"
#include "gateway/gate/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#define HEAD "policy: p\npurpose: p\ndatasets: [d]\nengines: [lua]\napprovals: { required: 1, reviewers: [w] }\n"
#define OPEN HEAD "release: { minimum-count: 10, max-rows: 50, max-size: 64K, max-tables: 2, max-text: 12 }\n"
#define CLOSED HEAD "release:\n  minimum-count: 10\n  outputs: [rates]\n  columns:\n" \
                    "    - { name: job, type: text, values: [fixed, others] }\n" \
                    "    - { name: n, type: integer, unit: 5 }\n" \
                    "    - { name: rate, type: decimal, unit: 0.01 }\n"
#define TABLE(file) "{\"version\":1,\"outputs\":[{\"file\":\"" file "\",\"kind\":\"table\",\"columns\":[" \
                    "{\"name\":\"job\",\"type\":\"text\",\"role\":\"key\"},{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}," \
                    "{\"name\":\"rate\",\"type\":\"decimal\",\"role\":\"value\",\"unit\":\"0.001\"}]}]}"

static struct gbx_scan_rules *rules;
static char directory[] = "/tmp/gbx-gate-XXXXXX";
static int directory_fd = -1;

static int start(void **state) {
        struct gbx_error err = {};

        (void)state;
        if (gbx_scan_rules_load(&rules, "policy/rules/content-scan.yaml", NULL, &err) < 0)
                fail_msg("%s", err.message);
        if (!mkdtemp(directory))
                return -1;
        directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return directory_fd < 0 ? -1 : 0;
}

static void put(const char *name, const void *data, size_t size) {
        gbx_auto(gbx_close_fd) int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(gbx_write_all(fd, data, size, NULL), 0);
}

static void clear(void) {
        char command[128];

        (void)snprintf(command, sizeof command, "find %s -mindepth 1 -delete", directory);
        assert_int_equal(system(command), 0);
}

static int end(void **state) {
        (void)state;
        clear();
        (void)rmdir(directory);
        gbx_close_fd(&directory_fd);
        rules = gbx_scan_rules_free(rules);
        return 0;
}

/* Inspects the directory; `ret` gets "rule@row.column …" of all findings that are not passes. */
static void inspect(const char *policy_text, struct gbx_gate_result *result, char ret[static 2048]) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        struct gbx_error err = {};

        if (gbx_policy_parse(&policy, "f", policy_text, strlen(policy_text), NULL, &err) < 0 ||
            gbx_inspect(directory_fd, policy, rules, result, &err) < 0)
                fail_msg("%s", err.message);
        ret[0] = '\0';
        for (size_t i = 0; i < result->findings.count; i++) {
                const struct gbx_finding *finding = result->findings.items + i;
                size_t used = strlen(ret);

                if (finding->severity != GBX_SEVERITY_PASS)
                        (void)snprintf(ret + used, 2048 - used, "%s%s%s", used ? " " : "", finding->rule,
                                       finding->severity == GBX_SEVERITY_REVIEW ? "?" : "");
                used = strlen(ret);
                if (finding->severity != GBX_SEVERITY_PASS && finding->row)
                        (void)snprintf(ret + used, 2048 - used, "@%llu", (unsigned long long)finding->row);
        }
}

/* One table, t.csv, under a policy: the findings, and the canonical text (NULL: no table comes out). */
static void expect_table(const char *policy, const char *file, const char *manifest, const void *csv, size_t size,
                         const char *findings, const char *canonical) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        char found[2048];

        clear();
        put("release.json", manifest, strlen(manifest));
        put(file, csv, size);
        inspect(policy, &result, found);
        if (strcmp(found, findings) != 0)
                fail_msg("for «%.200s» expected findings «%s», got «%s»", (const char *)csv, findings, found);
        assert_int_equal(result.table_count, canonical ? 1 : 0);
        if (canonical)
                assert_string_equal(gbx_buffer_text(&result.tables[0].csv), canonical);
}

static void test_canonical(void **state) {
        static const struct {
                const char *csv, *findings, *canonical;
        } cases[] = {
                { "job,n,rate\nfixed,10,0.25\n", "", "job,n,rate\nfixed,10,0.250\n" },
                /* Row order, quotes, line ends, byte order mark, leading zeros, low digits: none of it passes. */
                { "job,n,rate\nb,10,0.25\na,11,0.5\n", "", "job,n,rate\na,11,0.500\nb,10,0.250\n" },
                { "\xef\xbb\xbf\"job\",n,\"rate\"\r\n\"b\",\"010\",0.2500001\r\na,11,000.4999\r\n", "", "job,n,rate\na,11,0.500\nb,10,0.250\n" },
                { "job,n,rate\na,10,-0.0001\n", "group-disclosure?@1", "job,n,rate\na,10,0.000\n" },
                { "job,n,rate\n\"a,b\",10,0.25\n\"a\"\"b\",10,0.25\n", "", "job,n,rate\n\"a\"\"b\",10,0.250\n\"a,b\",10,0.250\n" },
                /* A missing key is a group like any other; "" and nothing are the same. */
                { "job,n,rate\n,10,0.25\nx,10,\n", "", "job,n,rate\n,10,0.250\nx,10,\n" },
                { "job,n,rate\n\"\",10,0.25\n", "", "job,n,rate\n,10,0.250\n" },
                { "job,n,rate\na,10,1.0\nb,10,0.5\n", "group-disclosure?@1", "job,n,rate\na,10,1.000\nb,10,0.500\n" },
                { "job,n,rate\na,10,1\nb,10,3.5\n", "", "job,n,rate\na,10,1.000\nb,10,3.500\n" }, /* no shares */
                { "job,n,rate\n", "no-rows?", "job,n,rate\n" },
                /* The forms that programs write are read as what they mean, and written in one. */
                { "job,n,rate\na,1e+05,.5\nb,1.2E2,1e-3\nc,30.0,2.5e-1\nd,10,0.1234567890123456789\ne,10,4.9999999999999999999999e-4\n",
                  "group-disclosure?@5", "job,n,rate\na,100000,0.500\nb,120,0.001\nc,30,0.250\nd,10,0.123\ne,10,0.000\n" },
                { "job,n,rate\na,9.0,0.25\n", "minimum-count@1", "job,n,rate\na,9,0.250\n" },
                /* Too few, none, missing. */
                { "job,n,rate\na,9,0.25\nb,10,0.25\nc,0,0.25\nd,,0.25\n", "minimum-count@1 minimum-count@3 minimum-count@4",
                  "job,n,rate\na,9,0.250\nb,10,0.250\nc,0,0.250\nd,,0.250\n" },
                { "job,n,rate\na,10,0.25\na,20,0.5\n", "duplicate-key@2", "job,n,rate\na,10,0.250\na,20,0.500\n" },
                { "job,n,rate\n\"\",10,0.25\n,20,0.5\n", "duplicate-key@2", "job,n,rate\n,10,0.250\n,20,0.500\n" },
                { "job,n,rate\nlonger than 12,10,0.25\n", "cell-length@1", "job,n,rate\nlonger than 12,10,0.250\n" },
                { "job,n,rate\n13912345678,10,0.25\n", "content-scan@1", "job,n,rate\n13912345678,10,0.250\n" },
                /* A number that looks like a person's is found in the form in which it would leave. */
                { "job,n,rate\na,1.3912345678e10,0.25\n", "content-scan@1", "job,n,rate\na,13912345678,0.250\n" },
                { "job,n,rate\na@bank.cn,10,0.25\n", "content-scan?@1", "job,n,rate\na@bank.cn,10,0.250\n" },
                { "job,n,rate\na,13912345678,0.25\n", "content-scan@1", "job,n,rate\na,13912345678,0.250\n" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++)
                expect_table(OPEN, "t.csv", TABLE("t.csv"), cases[i].csv, strlen(cases[i].csv), cases[i].findings, cases[i].canonical);
}

/* What cannot be made canonical does not come out at all. */
static void test_refused_tables(void **state) {
        static const struct {
                const char *csv;
                size_t size; /* 0: up to the zero byte */
                const char *findings;
        } cases[] = {
                { "", 0, "table-syntax" },
                { "job,n\nfixed,10\n", 0, "table-header" },
                { "n,job,rate\n10,fixed,0.25\n", 0, "table-header" },
                { "Job,n,rate\nfixed,10,0.25\n", 0, "table-header" },
                { "job,n,rate,x\nfixed,10,0.25,1\n", 0, "table-header" },
                { "job,n,rate\nfixed,10\n", 0, "table-syntax" },
                { "job,n,rate\nfixed,10,0.25,leak\n", 0, "table-syntax" },
                { "job,n,rate\nfixed,10,\"0.25\n", 0, "table-syntax" },
                { "job,n,rate\nfi\0xed,10,0.25\n", 27, "table-syntax" },
                { "job,n,rate\nfixed,10.5,0.25\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10.00000000000000000001,0.25\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,9223372036854775808,0.25\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,18446744073709551626,0.25\n", 0, "cell-type@1" }, /* 2^64 + 10 */
                { "job,n,rate\nfixed,1e20,0.25\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10,1e300\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10,999999999999999999\n", 0, "cell-type@1" }, /* no room for its three decimals */
                { "job,n,rate\nfixed,-10,0.25\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,0x10,0.25\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10,NaN\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10,inf\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10,1e\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10,1.\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10,+1\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10, 0.25\n", 0, "cell-type@1" },
                { "job,n,rate\nfixed,10,=1+1\n", 0, "cell-type@1" },
                { "job,n,rate\n=cmd|' /C calc'!A0,10,0.25\n", 0, "cell-formula@1 cell-length@1" },
                { "job,n,rate\n+1,10,0.25\n", 0, "cell-formula@1" },
                { "job,n,rate\n-1,10,0.25\n", 0, "cell-formula@1" },
                { "job,n,rate\n@SUM(A1),10,0.25\n", 0, "cell-formula@1" },
                { "job,n,rate\n\"\t=1\",10,0.25\n", 0, "cell-control@1" },
                { "job,n,rate\n\"a\nb\",10,0.25\n", 0, "cell-control@1" },
                { "job,n,rate\n\"a\rb\",10,0.25\n", 0, "cell-control@1" },
                { "job,n,rate\na\x1b[31m,10,0.25\n", 0, "cell-control@1" },
                { "job,n,rate\na\xff,10,0.25\n", 0, "cell-encoding@1" },
                { "job,n,rate\na\xc0\xaf,10,0.25\n", 0, "cell-encoding@1" },
                { "job,n,rate\na\xed\xa0\x80,10,0.25\n", 0, "cell-encoding@1" },
                { "job,n,rate\na\xe2\x80\x8b,10,0.25\n", 0, "cell-invisible@1" },  /* zero width space */
                { "job,n,rate\na\xe2\x80\xae" "b,10,0.25\n", 0, "cell-invisible@1" }, /* right-to-left override */
                { "job,n,rate\na\xf3\xa0\x81\xa1,10,0.25\n", 0, "cell-invisible@1" },  /* a tag character */
                { "job,n,rate\na\xef\xb8\x81,10,0.25\n", 0, "cell-invisible@1" },      /* a variation selector */
                { "job,n,rate\n a,10,0.25\n", 0, "cell-spaces@1" },
                { "job,n,rate\na ,10,0.25\n", 0, "cell-spaces@1" },
                { "job,n,rate\na  b,10,0.25\n", 0, "cell-spaces@1" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++)
                expect_table(OPEN, "t.csv", TABLE("t.csv"), cases[i].csv, cases[i].size ? cases[i].size : strlen(cases[i].csv),
                             cases[i].findings, NULL);
        expect_table(OPEN, "t.csv", TABLE("t.csv"), "job,n,rate\nJos\xc3\xa9,10,0.25\n", 25, "", "job,n,rate\nJos\xc3\xa9,10,0.250\n");
}

/* A policy that lists names, columns and words leaves nothing to choose. */
static void test_closed_policy(void **state) {
        static const struct {
                const char *csv, *findings, *canonical;
        } cases[] = {
                { "job,n,rate\nfixed,12,0.256\nothers,13,0.5\n", "", "job,n,rate\nfixed,10,0.26\nothers,15,0.50\n" },
                /* The threshold holds for the count itself, not for what it is rounded to. */
                { "job,n,rate\nfixed,8,0.25\n", "minimum-count@1", "job,n,rate\nfixed,10,0.25\n" },
                { "job,n,rate\nFixed,10,0.25\n", "cell-value@1", "job,n,rate\nFixed,10,0.25\n" },
                { "job,n,rate\nA00017,10,0.25\n", "cell-value@1", "job,n,rate\nA00017,10,0.25\n" },
        };
        static const char other[] = "{\"version\":1,\"outputs\":[{\"file\":\"rates.csv\",\"kind\":\"table\",\"columns\":["
                                    "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"secret\",\"type\":\"text\",\"role\":\"key\"},"
                                    "{\"name\":\"job\",\"type\":\"integer\",\"role\":\"key\"}]}]}";

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++)
                expect_table(CLOSED, "rates.csv", TABLE("rates.csv"), cases[i].csv, strlen(cases[i].csv), cases[i].findings, cases[i].canonical);
        expect_table(CLOSED, "x17y.csv", TABLE("x17y.csv"), "job,n,rate\nfixed,12,0.25\n", 25, "output-name", "job,n,rate\nfixed,10,0.25\n");
        /* Columns come out in the policy's order, whatever the job's. */
        expect_table(CLOSED, "rates.csv", other, "n,secret,job\n10,a,1\n", 20, "column-type column-not-allowed", "job,n,secret\n1,10,a\n");
}

/* No list: the job's words in findings are still not the job's to choose. */
static void test_names_do_not_pass(void **state) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        char found[2048];

        (void)state;
        clear();
        put("release.json", TABLE("a17b42.csv"), strlen(TABLE("a17b42.csv")));
        put("a17b42.csv", "job,n,rate\nfixed,1,0.25\n", 24);
        inspect(OPEN, &result, found);
        assert_string_equal(found, "minimum-count@1");
        assert_string_equal(result.tables[0].name, "table-1.csv");
        assert_string_equal(result.findings.items[0].output, "table-1.csv");
}

/* The coarser unit holds; a job that gives none gets the policy's. */
static void test_units(void **state) {
        static const struct {
                const char *type, *policy_unit, *own_unit; /* NULL: none */
                const char *cell, *findings, *expected;    /* NULL: no table */
        } cases[] = {
                { "decimal", "0.01", NULL, "0.51", "", "0.51" },    { "decimal", "0.01", NULL, "0.514", "", "0.51" },
                { "decimal", "0.25", NULL, "0.7", "", "0.75" },     { "decimal", "10", NULL, "14", "", "10" },
                { "decimal", "1", NULL, "1.6", "", "2" },           { "decimal", "0.01", "0.1", "0.51", "", "0.5" },
                { "decimal", "0.01", "0.001", "0.514", "", "0.51" }, { "decimal", "0.01", "0.01", "0.514", "", "0.51" },
                { "decimal", "0.2", "0.5", "0.5", "", "0.4" },      { "decimal", NULL, "0.01", "0.514", "", "0.51" },
                { "decimal", NULL, NULL, "0.51", "column-unit", NULL },
                { "decimal", "0.000001", NULL, "0.5", "", "0.500000" },
                { "integer", NULL, NULL, "17", "", "17" },          { "integer", "5", NULL, "17", "", "15" },
                { "integer", NULL, "10", "17", "", "20" },          { "integer", "5", "10", "17", "", "20" },
                { "integer", "10", "5", "17", "", "20" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                char policy[1024], manifest[1024], csv[128], canonical[128];

                (void)snprintf(policy, sizeof policy, HEAD "release:\n  minimum-count: 10\n  columns:\n    - { name: n, type: integer }\n"
                                                      "    - { name: v, type: %s%s%s }\n", cases[i].type,
                               cases[i].policy_unit ? ", unit: " : "", cases[i].policy_unit ? cases[i].policy_unit : "");
                (void)snprintf(manifest, sizeof manifest, "{\"version\":1,\"outputs\":[{\"file\":\"t.csv\",\"kind\":\"table\",\"columns\":["
                                                          "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"v\",\"type\":\"%s\","
                                                          "\"role\":\"value\"%s%s%s}]}]}", cases[i].type, cases[i].own_unit ? ",\"unit\":\"" : "",
                               cases[i].own_unit ? cases[i].own_unit : "", cases[i].own_unit ? "\"" : "");
                (void)snprintf(csv, sizeof csv, "n,v\n10,%s\n", cases[i].cell);
                (void)snprintf(canonical, sizeof canonical, "n,v\n10,%s\n", cases[i].expected ? cases[i].expected : "");
                expect_table(policy, "t.csv", manifest, csv, strlen(csv), cases[i].findings, cases[i].expected ? canonical : NULL);
        }
}

static void test_columns(void **state) {
        static const struct {
                const char *columns, *csv, *findings, *canonical;
        } cases[] = {
                { "{\"name\":\"k\",\"type\":\"integer\",\"role\":\"key\"},{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}",
                  "k,n\n10,10\n9,10\n-1,10\n", "", "k,n\n-1,10\n9,10\n10,10\n" }, /* numbers are sorted as numbers */
                { "{\"name\":\"z\",\"type\":\"decimal\",\"role\":\"value\",\"unit\":\"1\"},{\"name\":\"y\",\"type\":\"date\",\"role\":\"value\"},"
                  "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"b\",\"type\":\"boolean\",\"role\":\"key\"}",
                  "z,y,n,b\n7.5,2026-11-25,10,true\n", "", "b,n,y,z\ntrue,10,2026-11-25,8\n" },
                { "{\"name\":\"k\",\"type\":\"text\",\"role\":\"key\"}", "k\na\n", "no-count-column", "k\na\n" },
                { "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}", "n\n10\n", "", "n\n10\n" },
                { "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}", "n\n11\n10\n", "no-key-column", "n\n10\n11\n" },
                { "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"m\",\"type\":\"integer\",\"role\":\"count\"}",
                  "n,m\n10,9\n", "several-count-columns? minimum-count@1", "m,n\n9,10\n" },
                { "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"v\",\"type\":\"decimal\",\"role\":\"value\"}",
                  "n,v\n10,0.25\n", "column-unit", NULL },
                { "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"v\",\"type\":\"decimal\",\"role\":\"value\",\"unit\":\"0.000001\"}",
                  "n,v\n10,0.25\n", "fine-unit?", "n,v\n10,0.250000\n" },
                { "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"d\",\"type\":\"date\",\"role\":\"value\"}",
                  "n,d\n10,2026-02-30\n", "cell-type@1", NULL },
                { "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"b\",\"type\":\"boolean\",\"role\":\"value\"}",
                  "n,b\n10,TRUE\n", "cell-type@1", NULL },
                { "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"id_13912345678\",\"type\":\"boolean\",\"role\":\"value\"}",
                  "n,id_13912345678\n10,true\n", "content-scan", "n,id_13912345678\n10,true\n" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                char manifest[1024];

                (void)snprintf(manifest, sizeof manifest, "{\"version\":1,\"outputs\":[{\"file\":\"t.csv\",\"kind\":\"table\",\"columns\":[%s]}]}",
                               cases[i].columns);
                expect_table(OPEN, "t.csv", manifest, cases[i].csv, strlen(cases[i].csv), cases[i].findings, cases[i].canonical);
        }
}

static void test_limits(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {}, manifest = {};

        (void)state;
        assert_int_equal(gbx_buffer_append_text(&csv, "job,n,rate\n", NULL), 0);
        for (int i = 0; i < 50; i++)
                assert_int_equal(gbx_buffer_printf(&csv, NULL, "%02d,10,0.250\n", i), 0);
        expect_table(OPEN, "t.csv", TABLE("t.csv"), csv.data, csv.size, "", gbx_buffer_text(&csv));
        assert_int_equal(gbx_buffer_append_text(&csv, "50,10,0.25\n", NULL), 0);
        expect_table(OPEN, "t.csv", TABLE("t.csv"), csv.data, csv.size, "too-many-rows", NULL);
        while (csv.size < 100UL * 1024)
                assert_int_equal(gbx_buffer_append_text(&csv, "                                ", NULL), 0);
        expect_table(OPEN, "t.csv", TABLE("t.csv"), csv.data, csv.size, "too-many-rows", NULL);
        while (csv.size <= 128UL * 1024)
                assert_int_equal(gbx_buffer_append_text(&csv, "                                ", NULL), 0);
        expect_table(OPEN, "t.csv", TABLE("t.csv"), csv.data, csv.size, "table-size", NULL);

        /* A million columns: in the file, in the manifest. */
        gbx_buffer_clear(&csv);
        for (int i = 0; i < 60000; i++)
                assert_int_equal(gbx_buffer_append_text(&csv, "a,", NULL), 0);
        expect_table(OPEN, "t.csv", TABLE("t.csv"), csv.data, csv.size, "table-syntax", NULL);
        assert_int_equal(gbx_buffer_append_text(&manifest, "{\"version\":1,\"outputs\":[{\"file\":\"t.csv\",\"kind\":\"table\",\"columns\":[", NULL), 0);
        for (int i = 0; i < 100; i++)
                assert_int_equal(gbx_buffer_printf(&manifest, NULL, "%s{\"name\":\"c%d\",\"type\":\"integer\",\"role\":\"count\"}", i ? "," : "", i), 0);
        assert_int_equal(gbx_buffer_append_text(&manifest, "]}]}", NULL), 0);
        expect_table(OPEN, "t.csv", gbx_buffer_text(&manifest), "x\n", 2, "several-count-columns? too-many-columns", NULL);
}

/* Many findings of one rule: the first ones, and how many there were. */
static void test_many_findings(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {};
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        char found[2048];

        (void)state;
        clear();
        assert_int_equal(gbx_buffer_append_text(&csv, "job,n,rate\n", NULL), 0);
        for (int i = 0; i < 50; i++)
                assert_int_equal(gbx_buffer_printf(&csv, NULL, "%02d,1,0.25\n", i), 0);
        put("release.json", TABLE("t.csv"), strlen(TABLE("t.csv")));
        put("t.csv", csv.data, csv.size);
        inspect(OPEN, &result, found);
        assert_int_equal(result.findings.count, 20);
        assert_int_equal(result.findings.left_out, 30);
}

static void test_files(void **state) {
        static const char two[] = "{\"version\":1,\"outputs\":[{\"file\":\"b.csv\",\"kind\":\"table\",\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]},"
                                  "{\"file\":\"a.csv\",\"kind\":\"table\",\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]},"
                                  "{\"file\":\"c.csv\",\"kind\":\"table\",\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]}]}";
        static const char opaque[] = "{\"version\":1,\"outputs\":[{\"file\":\"notes.txt\",\"kind\":\"opaque\"}]}";
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result none = {}, missing = {}, undeclared = {}, several = {}, notes = {}, odd = {};
        char found[2048], command[256];

        (void)state;
        clear();
        inspect(OPEN, &none, found);
        assert_string_equal(found, "manifest-missing");
        put("release.json", TABLE("t.csv"), strlen(TABLE("t.csv")));
        inspect(OPEN, &missing, found);
        assert_string_equal(found, "output-missing");
        put("t.csv", "job,n,rate\na,10,0.25\n", 21);
        put("more.bin", "x", 1);
        inspect(OPEN, &undeclared, found);
        assert_string_equal(found, "output-undeclared");
        assert_int_equal(undeclared.table_count, 1);

        clear();
        put("release.json", two, strlen(two));
        put("a.csv", "n\n11\n", 5);
        put("b.csv", "n\n12\n", 5);
        put("c.csv", "n\n13\n", 5);
        inspect(OPEN, &several, found);
        assert_string_equal(found, "too-many-tables");
        assert_int_equal(several.table_count, 2);
        assert_string_equal(several.tables[0].name, "table-1.csv");
        assert_string_equal(gbx_buffer_text(&several.tables[0].csv), "n\n12\n");

        clear();
        put("release.json", opaque, strlen(opaque));
        put("notes.txt", "=cmd \0\xff", 7);
        inspect(OPEN, &notes, found);
        assert_string_equal(found, "opaque-output?");
        assert_int_equal(notes.opaque_count, 1);
        assert_int_equal(notes.table_count, 0);
        assert_false(notes.declared_counts);

        /* Not regular files, not one name, not a name at all. */
        clear();
        (void)snprintf(command, sizeof command,
                       "cd %s && ln -s /etc/passwd t.csv && mkfifo pipe && mkdir dir && touch 'UPPER' 'a b' .dot && touch one && ln one two", directory);
        assert_int_equal(system(command), 0);
        put("release.json", TABLE("t.csv"), strlen(TABLE("t.csv")));
        inspect(OPEN, &odd, found);
        assert_string_equal(found, "output-entry output-entry output-entry output-entry output-entry output-entry output-entry output-entry output-missing");
        assert_int_equal(odd.table_count, 0);
}

static void test_manifests(void **state) {
        static const char *const bad[] = {
                "", "{", "[]", "null", "{}", "{\"version\":1}", "{\"version\":2,\"outputs\":[]}", "{\"version\":\"1\",\"outputs\":[]}",
                "{\"version\":1,\"outputs\":{}}", "{\"version\":1,\"outputs\":[],\"extra\":1}", "{\"version\":1,\"version\":1,\"outputs\":[]}",
                "{\"version\":1,\"outputs\":[1]}", "{\"version\":1,\"outputs\":[{\"file\":\"a.csv\"}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"../a\",\"kind\":\"opaque\"}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"/etc/passwd\",\"kind\":\"opaque\"}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"a b\",\"kind\":\"opaque\"}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"release.json\",\"kind\":\"opaque\"}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"a\",\"kind\":\"opaque\"},{\"file\":\"a\",\"kind\":\"opaque\"}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"a\",\"kind\":\"program\"}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"a\",\"kind\":\"opaque\",\"columns\":[]}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"a.csv\",\"kind\":\"table\"}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"a.csv\",\"kind\":\"table\",\"columns\":[]}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"a.txt\",\"kind\":\"table\",\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]}]}",
                "{\"version\":1,\"outputs\":[{\"file\":\"a.csv\\u0000\",\"kind\":\"opaque\"}]}",
        };
        static const char *const bad_columns[] = {
                "{}", "1", "{\"name\":\"n\",\"type\":\"integer\"}", "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\",\"x\":1}",
                "{\"name\":\"\",\"type\":\"integer\",\"role\":\"count\"}", "{\"name\":\"a b\",\"type\":\"integer\",\"role\":\"count\"}",
                "{\"name\":\"=1\",\"type\":\"integer\",\"role\":\"count\"}", "{\"name\":\"\\u00e9\",\"type\":\"integer\",\"role\":\"count\"}",
                "{\"name\":\"n\",\"type\":\"int\",\"role\":\"count\"}", "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"counter\"}",
                "{\"name\":\"n\",\"type\":\"text\",\"role\":\"count\"}", "{\"name\":\"n\",\"type\":\"decimal\",\"role\":\"count\"}",
                "{\"name\":\"n\",\"type\":\"text\",\"role\":\"value\",\"unit\":\"1\"}",
                "{\"name\":\"n\",\"type\":\"decimal\",\"role\":\"value\",\"unit\":\"0\"}",
                "{\"name\":\"n\",\"type\":\"decimal\",\"role\":\"value\",\"unit\":\"-1\"}",
                "{\"name\":\"n\",\"type\":\"decimal\",\"role\":\"value\",\"unit\":0.1}",
                "{\"name\":\"n\",\"type\":\"decimal\",\"role\":\"value\",\"unit\":\"0.0000000001\"}",
                "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"value\",\"unit\":\"0.5\"}",
                "{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"},{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}",
        };
        struct gbx_release_manifest manifest = {};
        struct gbx_error err = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer deep = {};

        (void)state;
        assert_int_equal(gbx_release_manifest_parse(TABLE("t.csv"), strlen(TABLE("t.csv")), &manifest, &err), 0);
        assert_int_equal(manifest.count, 1);
        assert_string_equal(manifest.outputs[0].columns[2].unit, "0.001");
        gbx_release_manifest_free(&manifest);
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                if (gbx_release_manifest_parse(bad[i], strlen(bad[i]), &manifest, &err) != -EINVAL)
                        fail_msg("accepted: %s", bad[i]);
        for (size_t i = 0; i < gbx_array_size(bad_columns); i++) {
                char text[1024];

                (void)snprintf(text, sizeof text, "{\"version\":1,\"outputs\":[{\"file\":\"a.csv\",\"kind\":\"table\",\"columns\":[%s]}]}", bad_columns[i]);
                if (gbx_release_manifest_parse(text, strlen(text), &manifest, &err) != -EINVAL)
                        fail_msg("accepted: %s", text);
        }
        for (int i = 0; i < 100000; i++)
                assert_int_equal(gbx_buffer_append_byte(&deep, '[', NULL), 0);
        assert_int_equal(gbx_release_manifest_parse(deep.data, deep.size, &manifest, &err), -EINVAL);
        while (deep.size <= GBX_RELEASE_MANIFEST_MAX_BYTES)
                assert_int_equal(gbx_buffer_append_byte(&deep, ' ', NULL), 0);
        assert_int_equal(gbx_release_manifest_parse(deep.data, deep.size, &manifest, &err), -EINVAL);
}

static void test_report(void **state) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {}, again = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer report = {}, second = {};
        struct gbx_error err = {};
        char found[2048];

        (void)state;
        clear();
        put("release.json", TABLE("t.csv"), strlen(TABLE("t.csv")));
        put("t.csv", "job,n,rate\na,9,0.25\n", 20);
        inspect(OPEN, &result, found);
        assert_int_equal(gbx_policy_parse(&policy, "f", OPEN, strlen(OPEN), NULL, &err), 0);
        assert_int_equal(gbx_report_write(&result, &report, &err), 0);
        if (gbx_report_read(report.data, report.size, policy, &again, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(gbx_report_write(&again, &second, &err), 0);
        assert_int_equal(report.size, second.size);
        assert_memory_equal(report.data, second.data, report.size);
        assert_string_equal(again.tables[0].digest, result.tables[0].digest);
        assert_true(again.declared_counts);
        /* Cut anywhere, or one byte longer: not a report. */
        for (size_t i = 0; i < report.size; i++) {
                struct gbx_gate_result cut = {};

                if (gbx_report_read(report.data, i, policy, &cut, &err) != -EINVAL)
                        fail_msg("a report cut to %zu bytes was accepted", i);
        }
        assert_int_equal(gbx_buffer_append_byte(&report, '\n', NULL), 0);
        gbx_gate_result_free(&again);
        assert_int_equal(gbx_report_read(report.data, report.size, policy, &again, &err), -EINVAL);
}

/* A gate that was taken over says what it likes, within the form: beyond it, it is not believed. */
static void test_lying_reports(void **state) {
        static const char head[] = "{\"version\":1,\"findings\":{\"findings\":[],\"left_out\":0},\"opaque\":0,\"declared_counts\":false,\"tables\":[";
        static const struct {
                const char *tables, *bytes;
        } cases[] = {
                { "{\"name\":\"../x\",\"rows\":1,\"size\":4,\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]}", "n\n1\n" },
                { "{\"name\":\"x\",\"rows\":51,\"size\":4,\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]}", "n\n1\n" },
                { "{\"name\":\"x\",\"rows\":1,\"size\":5,\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]}", "n\n1\n" },
                { "{\"name\":\"x\",\"rows\":1,\"size\":-4,\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]}", "n\n1\n" },
                { "{\"name\":\"x\",\"rows\":1,\"size\":4,\"columns\":[{\"name\":\"m\",\"type\":\"integer\",\"role\":\"count\"}]}", "n\n1\n" },
                { "{\"name\":\"x\",\"rows\":1,\"size\":4,\"columns\":[{\"name\":\"n\\n=1\",\"type\":\"integer\",\"role\":\"count\"}]}", "n\n1\n" },
                { "{\"name\":\"x\",\"rows\":1,\"size\":4,\"columns\":[]}", "n\n1\n" },
                { "{\"name\":\"x\",\"rows\":1,\"size\":4,\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]}", "n\n\xff\n" },
        };
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        struct gbx_error err = {};
        char text[1024];

        (void)state;
        assert_int_equal(gbx_policy_parse(&policy, "f", OPEN, strlen(OPEN), NULL, &err), 0);
        for (size_t i = 0; i <= gbx_array_size(cases); i++) {
                gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
                bool control = i == gbx_array_size(cases);
                int r;

                (void)snprintf(text, sizeof text, "%s%s]}\n%s", head,
                               control ? "{\"name\":\"x\",\"rows\":1,\"size\":4,\"columns\":[{\"name\":\"n\",\"type\":\"integer\",\"role\":\"count\"}]}" : cases[i].tables,
                               control ? "n\n1\n" : cases[i].bytes);
                r = gbx_report_read(text, strlen(text), policy, &result, &err);
                if (r != (control ? 0 : -EINVAL))
                        fail_msg("%s: %d", text, r);
                if (control)
                        assert_true(result.declared_counts);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_canonical),   cmocka_unit_test(test_refused_tables), cmocka_unit_test(test_closed_policy),
                cmocka_unit_test(test_names_do_not_pass), cmocka_unit_test(test_columns), cmocka_unit_test(test_units), cmocka_unit_test(test_limits),
                cmocka_unit_test(test_many_findings), cmocka_unit_test(test_files),       cmocka_unit_test(test_manifests),
                cmocka_unit_test(test_report),      cmocka_unit_test(test_lying_reports),
        };

        return cmocka_run_group_tests(tests, start, end);
}
