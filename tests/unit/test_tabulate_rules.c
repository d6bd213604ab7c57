/* Disclosure rules on the tabulator's own evidence, with ACRO's published figures where there are some. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/tabulate/rules.h"
#include "gateway/tabulate/tabulate.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static char work[] = "/tmp/gbx-rules-XXXXXX";
static int root = -1;

static const char person_schema[] = "{\"columns\":[{\"name\":\"id\",\"type\":\"integer\",\"missing\":false},{\"name\":\"g\",\"type\":\"text\",\"missing\":false},"
                                    "{\"name\":\"h\",\"type\":\"text\",\"missing\":true},{\"name\":\"x\",\"type\":\"integer\",\"missing\":true}],\"contributor\":\"id\"}";

static void write_data(const char *name, const char *content, size_t size) {
        gbx_auto(gbx_close_fd) int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(gbx_write_all(fd, content, size, NULL), 0);
}

static void tabulate(const char *schema, const char *dataset, const char *description, struct gbx_buffer *csv, struct gbx_evidence **ret) {
        gbx_auto(gbx_json_freep) json_t *json = json_loads(schema, 0, NULL);
        gbx_auto(gbx_source_schema_free) struct gbx_source_schema source = {};
        gbx_auto(gbx_tables_freep) struct gbx_tables *tables = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer evidence = {};
        struct gbx_error err = {};

        if (gbx_source_schema_read(dataset, json, &source, &err) < 0 ||
            gbx_tables_parse(&tables, "f", description, strlen(description), &source, 1, NULL, &err) < 0 ||
            gbx_tabulate_table(root, tables->tables.items, &source, csv, &evidence, &err) < 0 ||
            gbx_evidence_read(ret, evidence.data, evidence.size, &err) < 0)
                fail_msg("%s", err.message);
}

/* Rows are made of groups "g h times x": that many persons with these values, h or x "-" for a missing one. */
static void make_rows(const char *groups) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {};
        gbx_auto(gbx_free_pointer) char *copy = strdup(groups);
        unsigned person = 0;

        assert_int_equal(gbx_buffer_append_text(&csv, "id,g,h,x\n", NULL), 0);
        for (char *rest = copy, *line; (line = strsep(&rest, ";"));) {
                char g[32], h[32], x[32];
                unsigned times;
                bool same = *line == '='; /* all rows of one person */

                assert_int_equal(sscanf(line + same, " %31s %31s %u %31s", g, h, &times, x), 4);
                for (unsigned i = 0; i < times; i++) {
                        person += !same || i == 0;
                        assert_int_equal(gbx_buffer_printf(&csv, NULL, "%u,%s,%s,%s\n", person, g, *h == '-' && !h[1] ? "" : h, *x == '-' && !x[1] ? "" : x), 0);
                }
        }
        write_data("data/people", (const char *)csv.data, csv.size);
}

/* "rule:row:column rule:row:column", sorted as found. */
static void findings_text(const struct gbx_disclosure *rules, const struct gbx_evidence *evidence, struct gbx_buffer *ret) {
        gbx_auto(gbx_findings_free) struct gbx_findings findings = {};
        struct gbx_error err = {};

        if (gbx_disclosure_apply(rules, evidence, &findings, &err) < 0)
                fail_msg("%s", err.message);
        for (size_t i = 0; i < findings.count; i++)
                assert_int_equal(gbx_buffer_printf(ret, NULL, "%s%s%s:%llu:%s", i ? " " : "", findings.items[i].rule,
                                                   findings.items[i].severity == GBX_SEVERITY_REVIEW ? "?" : "", (unsigned long long)findings.items[i].row,
                                                   findings.items[i].column ? findings.items[i].column : ""),
                                 0);
}

struct rule_case {
        const char *claim, *rows, *statistics, *by, *expected;
};

static void test_rules(void **state) {
        static const struct rule_case cases[] = {
                { "ten are enough", "a - 10 1;b - 10 2", "{ name: n, kind: count }", "[g]", "" },
                { "nine are not", "a - 10 1;b - 9 2", "{ name: n, kind: count }", "[g]", "minimum-count:2:" },
                { "rows of one person are one contributor", "a - 10 1;=b - 50 2", "{ name: n, kind: count }", "[g]", "minimum-count:2:" },
                { "a combination that nobody has is a cell of zero", "a x 10 1;a y 10 1;b x 10 1", "{ name: n, kind: count }", "[g, h]",
                  "minimum-count:4: group-disclosure:2: group-disclosure:3:" },
                { "a total of few with a value: the values of few", "a - 9 7;a - 11 -;a - 1 5", "{ name: s, kind: count, of: x }", "[g]", "" },
                { "those with a value are counted by themselves", "a - 5 7;a - 4 6;a - 11 -", "{ name: s, kind: count, of: x }", "[g]", "minimum-count:1:s" },
                { "two largest with 90 % of the total", "a - 1 500;a - 1 401;a - 20 4;a - 1 19", "{ name: s, kind: sum, of: x }", "[g]", "dominance:1:s" },
                { "just below 90 %: 899 of 1,000", "a - 1 500;a - 1 399;a - 20 4;a - 1 21", "{ name: s, kind: sum, of: x }", "[g]", "" },
                { "exactly 90 % fails, as in ACRO", "a - 1 500;a - 1 400;a - 20 4;a - 1 20", "{ name: s, kind: sum, of: x }", "[g]", "dominance:1:s" },
                { "p %: the rest is less than a tenth of the largest", "a - 1 1000;a - 1 800;a - 20 4;a - 1 19", "{ name: s, kind: mean, of: x }", "[g]",
                  "dominance:1:s p-percent:1:s" },
                { "p %: the rest is a tenth", "a - 1 1000;a - 1 2;a - 20 1;a - 1 3;a - 1 2;a - 38 2", "{ name: s, kind: sum, of: x }", "[g]", "dominance:1:s" },
                { "a largest contributor of zero discloses nothing, but all are equal", "a - 20 0", "{ name: s, kind: sum, of: x }", "[g]", "all-equal:1:s" },
                { "values below zero are for review", "a - 10 -5;a - 10 5;a - 3 1", "{ name: s, kind: sum, of: x }", "[g]", "dominance?:1:s" },
                { "dominance by the rows of one person together", "=a - 30 30;a - 20 2;a - 20 3", "{ name: s, kind: sum, of: x }", "[g]", "dominance:1:s" },
                { "all in one answer: a share of 1", "a - 12 1", "{ name: s, kind: share, of: x = 1 }", "[g]", "minimum-count:1:s group-disclosure:1:s" },
                { "nobody: a share of 0", "a - 12 2", "{ name: s, kind: percent, of: x = 1 }", "[g]", "minimum-count:1:s group-disclosure:1:s" },
                { "a share of few", "a - 97 2;a - 3 1", "{ name: s, kind: share, of: x = 1 }", "[g]", "minimum-count:1:s" },
                { "a share of all but few", "a - 97 1;a - 3 2", "{ name: s, kind: share, of: x = 1 }", "[g]", "minimum-count:1:s" },
                { "a share of many", "a - 50 1;a - 50 2", "{ name: s, kind: share, of: x = 1 }", "[g]", "" },
                { "a one-hot mean is a share", "a - 99 0;a - 1 1", "{ name: s, kind: mean, of: x }", "[g]", "minimum-count:1:s dominance:1:s p-percent:1:s" },
                { "so is one that is scaled and moved", "a - 97 500;a - 3 777", "{ name: s, kind: sum, of: x }", "[g]", "minimum-count:1:s" },
                { "everybody of a group in one cell", "a x 20 1;b x 15 1;b y 15 1;a y 0 1", "{ name: n, kind: count }", "[g, h]", "minimum-count:2: group-disclosure:4: group-disclosure:1:" },
                { "a quantile with few on a side", "a - 50 1;a - 50 2;a - 4 3", "{ name: q, kind: quantile, of: x, at: 0.99 }", "[g]", "quantile:1:q" },
                { "a median of enough", "a - 10 1;a - 10 2;a - 10 3", "{ name: q, kind: quantile, of: x, at: 0.5 }", "[g]", "" },
                { "extremes are somebody's", "a - 10 1;a - 10 2;a - 10 3", "{ name: q, kind: minimum, of: x }, { name: r, kind: maximum, of: x }", "[g]",
                  "extremes:1:q extremes:1:r" },
                { "degrees of freedom: a variance of eleven has ten", "a - 5 1;a - 5 2;a - 1 3", "{ name: v, kind: variance, of: x }", "[g]", "" },
                { "a variance of ten has nine", "a - 5 1;a - 4 2;a - 1 3", "{ name: v, kind: variance, of: x }", "[g]", "residual-freedom:1:v" },
                { "a correlation of eleven has nine", "a - 5 1;a - 5 2;a - 1 3", "{ name: c, kind: correlation, of: x, over: id }", "[g]", "residual-freedom:1:c" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {}, found = {};
                gbx_auto(gbx_evidence_freep) struct gbx_evidence *evidence = NULL;
                char description[512];

                make_rows(cases[i].rows);
                (void)snprintf(description, sizeof description, "tables: [ { name: t, data: people, by: %s, statistics: [ %s ] } ]", cases[i].by, cases[i].statistics);
                tabulate(person_schema, "people", description, &csv, &evidence);
                findings_text(&gbx_disclosure_default, evidence, &found);
                if (strcmp(gbx_buffer_text(&found), cases[i].expected) != 0)
                        fail_msg("%s: '%s', not '%s'\n%s", cases[i].claim, gbx_buffer_text(&found), cases[i].expected, gbx_buffer_text(&csv));
        }
}

/* Each rule is on or off by itself, and its parameter is what decides. */
static void test_parameters(void **state) {
        struct gbx_disclosure rules = gbx_disclosure_default;
        gbx_auto(gbx_evidence_freep) struct gbx_evidence *evidence = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {};
        static const struct {
                size_t offset;
                const char *left;
        } switches[] = {
                { offsetof(struct gbx_disclosure, minimum_on), "dominance:1:s p-percent:1:s extremes:1:m" },
                { offsetof(struct gbx_disclosure, dominance_on), "minimum-count:1: p-percent:1:s extremes:1:m" },
                { offsetof(struct gbx_disclosure, p_on), "minimum-count:1: dominance:1:s extremes:1:m" },
                { offsetof(struct gbx_disclosure, extremes_on), "minimum-count:1: dominance:1:s p-percent:1:s" },
        };
        struct gbx_error err = {};

        (void)state;
        make_rows("a - 1 900;a - 1 70;a - 6 5");
        tabulate(person_schema, "people", "tables: [ { name: t, data: people, statistics: [ { name: s, kind: sum, of: x }, { name: m, kind: maximum, of: x } ] } ]", &csv,
                 &evidence);
        for (size_t i = 0; i < gbx_array_size(switches); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};

                rules = gbx_disclosure_default;
                *(bool *)((char *)&rules + switches[i].offset) = false;
                findings_text(&rules, evidence, &found);
                assert_string_equal(gbx_buffer_text(&found), switches[i].left);
        }
        rules = gbx_disclosure_default;
        rules.minimum = 8;
        rules.dominance_n = 1;
        rules.dominance_share = 900001; /* the largest has exactly 0.9 */
        rules.p = 30000;
        rules.extremes_on = false;
        {
                gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};

                findings_text(&rules, evidence, &found);
                assert_string_equal(gbx_buffer_text(&found), "");
        }
        rules.dominance_n = 9;
        assert_int_equal(gbx_disclosure_check(&rules, &err), -EINVAL);
}

/* ACRO's own example (its issue 198): recommend by parents has four cells under the threshold; health not_recom is one answer. */
static void test_nursery(void **state) {
        static const char schema[] = "{\"columns\":[{\"name\":\"parents\",\"type\":\"text\",\"missing\":false},{\"name\":\"health\",\"type\":\"text\",\"missing\":false},"
                                     "{\"name\":\"recommend\",\"type\":\"text\",\"missing\":false}]}";
        gbx_auto(gbx_evidence_freep) struct gbx_evidence *evidence = NULL, *health = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {}, found = {}, source = {}, counts = {}, other = {}, found_health = {};
        struct gbx_error err = {};

        (void)state;
        if (gbx_read_file(AT_FDCWD, "tests/fixtures/nursery-counts.csv", 1 << 20, &counts, &err) < 0)
                fail_msg("%s", err.message);
        /* "usual,priority,spec_prior,758": that many rows. */
        assert_int_equal(gbx_buffer_append_text(&source, "parents,health,recommend\n", NULL), 0);
        for (char *rest = (char *)counts.data, *line; (line = strsep(&rest, "\n"));) {
                char *last = strrchr(line, ',');

                for (int i = last ? atoi(last + 1) : 0; i > 0; i--)
                        assert_int_equal(gbx_buffer_printf(&source, NULL, "%.*s\n", (int)(last - line), line), 0);
        }
        write_data("data/nursery", (const char *)source.data, source.size);
        tabulate(schema, "nursery", "tables: [ { name: t, data: nursery, by: [recommend, parents], statistics: [ { name: n, kind: count } ] } ]", &csv, &evidence);
        assert_string_equal(gbx_buffer_text(&csv), "recommend,parents,n\n"
                                                   "not_recom,great_pret,1440\nnot_recom,pretentious,1440\nnot_recom,usual,1440\n"
                                                   "priority,great_pret,858\npriority,pretentious,1484\npriority,usual,1924\n"
                                                   "recommend,great_pret,0\nrecommend,pretentious,0\nrecommend,usual,2\n"
                                                   "spec_prior,great_pret,2022\nspec_prior,pretentious,1264\nspec_prior,usual,758\n"
                                                   "very_recom,great_pret,0\nvery_recom,pretentious,132\nvery_recom,usual,196\n");
        findings_text(&gbx_disclosure_default, evidence, &found);
        assert_string_equal(gbx_buffer_text(&found), "minimum-count:7: minimum-count:8: minimum-count:9: minimum-count:13: group-disclosure:9:");
        tabulate(schema, "nursery", "tables: [ { name: t, data: nursery, by: [health, recommend], statistics: [ { name: n, kind: count } ] } ]", &other, &health);
        assert_non_null(strstr(gbx_buffer_text(&other), "\nnot_recom,not_recom,4320\n"));
        findings_text(&gbx_disclosure_default, health, &found_health);
        assert_non_null(strstr(gbx_buffer_text(&found_health), "group-disclosure"));
        assert_string_equal(health->cells[0].keys[0], "not_recom");
        assert_int_equal(health->cells[0].contributors, 4320);
}

/* A model of twelve with two coefficients has ten degrees of freedom, one of eleven has nine. */
static void test_models(void **state) {
        static const struct {
                const char *rows, *expected;
        } cases[] = { { "a - 6 1;a - 5 2;a - 1 4;a - 3 -", "" }, { "a - 6 1;a - 4 2;a - 1 4;a - 3 -", "residual-freedom:1:" }, { "a - 5 1;a - 4 2", "minimum-count:1: residual-freedom:1:" } };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {}, found = {};
                gbx_auto(gbx_evidence_freep) struct gbx_evidence *evidence = NULL;

                make_rows(cases[i].rows);
                tabulate(person_schema, "people", "tables: [ { name: t, data: people, model: { outcome: id, terms: [x] } } ]", &csv, &evidence);
                assert_int_equal(evidence->parameters, 2);
                findings_text(&gbx_disclosure_default, evidence, &found);
                assert_string_equal(gbx_buffer_text(&found), cases[i].expected);
        }
}

/* The sets are those of the cells: disjoint, whole, and the total's is their union. */
static void test_members(void **state) {
        gbx_auto(gbx_evidence_freep) struct gbx_evidence *evidence = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {};
        roaring_bitmap_t *sets[3];
        struct gbx_error err = {};

        (void)state;
        make_rows("=a - 3 1;a - 20 2;b - 15 -;b - 15 4");
        tabulate(person_schema, "people",
                 "tables: [ { name: t, data: people, by: [g], margins: all, statistics: [ { name: n, kind: count }, { name: s, kind: sum, of: x }, { name: h, kind: share, of: x > 1 } ] } ]",
                 &csv, &evidence);
        assert_string_equal(gbx_buffer_text(&csv), "g,n,s,h\na,23,43,0.869565\nb,30,60,1.000000\n(all),53,103,0.921053\n");
        assert_int_equal(evidence->contributors, 51);
        assert_int_equal(evidence->cell_count, 3);
        for (size_t i = 0; i < 3; i++) {
                if (gbx_evidence_members(evidence, &evidence->cells[i].members, &sets[i], &err) < 0)
                        fail_msg("%s", err.message);
                assert_int_equal(roaring_bitmap_get_cardinality(sets[i]), evidence->cells[i].contributors);
        }
        assert_int_equal(evidence->cells[0].contributors, 21);
        assert_int_equal(evidence->cells[2].contributors, 51);
        assert_false(roaring_bitmap_intersect(sets[0], sets[1]));
        roaring_bitmap_or_inplace(sets[0], sets[1]);
        assert_true(roaring_bitmap_equals(sets[0], sets[2]));
        for (size_t i = 0; i < 3; i++)
                roaring_bitmap_free(sets[i]);
        /* Of b half have a value, and all of those are above one. */
        assert_int_equal(evidence->cells[1].values[1].contributors, 15);
        assert_int_equal(evidence->cells[1].values[2].with[0], 15);
        assert_true(evidence->cells[1].values[2].holds_first);
        if (gbx_evidence_members(evidence, &evidence->cells[1].values[1].members, &sets[0], &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(roaring_bitmap_get_cardinality(sets[0]), 15);
        roaring_bitmap_free(sets[0]);
}

/* One byte changed anywhere, or cut, and it is refused. */
static void test_damage(void **state) {
        gbx_auto(gbx_json_freep) json_t *json = json_loads(person_schema, 0, NULL);
        gbx_auto(gbx_source_schema_free) struct gbx_source_schema source = {};
        gbx_auto(gbx_tables_freep) struct gbx_tables *tables = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {}, evidence = {};
        static const char description[] = "tables: [ { name: t, data: people, by: [g], statistics: [ { name: s, kind: sum, of: x } ] } ]";
        struct gbx_error err = {};

        (void)state;
        make_rows("a - 5 1;b - 3 2");
        assert_int_equal(gbx_source_schema_read("people", json, &source, &err), 0);
        assert_int_equal(gbx_tables_parse(&tables, "f", description, strlen(description), &source, 1, NULL, &err), 0);
        assert_int_equal(gbx_tabulate_table(root, tables->tables.items, &source, &csv, &evidence, &err), 0);
        for (size_t i = 0; i < evidence.size; i++) {
                struct gbx_evidence *read = NULL;

                evidence.data[i] ^= 1;
                assert_true(gbx_evidence_read(&read, evidence.data, evidence.size, &err) < 0);
                evidence.data[i] ^= 1;
                assert_true(gbx_evidence_read(&read, evidence.data, i, &err) < 0);
                assert_null(read);
        }
}

static int make_root(void **state) {
        (void)state;
        if (!mkdtemp(work))
                return -1;
        root = open(work, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return root < 0 ? -1 : mkdirat(root, "data", 0700);
}

static int remove_root(void **state) {
        (void)state;
        (void)unlinkat(root, "data/people", 0);
        (void)unlinkat(root, "data/nursery", 0);
        (void)unlinkat(root, "data", AT_REMOVEDIR);
        (void)close(root);
        return rmdir(work);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rules),   cmocka_unit_test(test_parameters), cmocka_unit_test(test_nursery),
                cmocka_unit_test(test_members), cmocka_unit_test(test_damage),  cmocka_unit_test(test_models),
        };

        return cmocka_run_group_tests(tests, make_root, remove_root);
}
