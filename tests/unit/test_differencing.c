/* Differencing: two tables that keep the minimum count each, and break it together (threat E19). */
#include "base/cleanup.h"
#include "gateway/gate/differencing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { MAX_COLUMNS = 6 };

/* "k:sex k:age c:n v:rate" and a CSV. */
struct made {
        char text[128];
        struct gbx_gate_column columns[MAX_COLUMNS];
        struct gbx_earlier_table table;
};

static void make(struct made *made, const char *columns, const char *csv) {
        char *rest = made->text, *word;
        size_t count = 0;

        (void)snprintf(made->text, sizeof made->text, "%s", columns);
        while ((word = strsep(&rest, " "))) {
                made->columns[count].role = word[0] == 'k' ? GBX_COLUMN_KEY : word[0] == 'c' ? GBX_COLUMN_COUNT : GBX_COLUMN_VALUE;
                made->columns[count++].name = word + 2;
        }
        made->table = (struct gbx_earlier_table){ .release = (char *)(uintptr_t) "release-1",
                                                  .table = { .name = (char *)(uintptr_t) "t.csv", .columns = made->columns,
                                                             .column_count = count } };
        assert_int_equal(gbx_buffer_append_text(&made->table.table.csv, csv, NULL), 0);
}

/* How many findings the second table has after the first one was released. */
static size_t findings_of(const char *columns, const char *csv, const char *other_columns, const char *other_csv, uint64_t minimum) {
        gbx_auto(gbx_findings_free) struct gbx_findings findings = {};
        struct made first = {}, second = {};
        struct gbx_error err = {};

        make(&first, columns, csv);
        make(&second, other_columns, other_csv);
        if (gbx_check_differencing(&second.table.table, &first.table, 1, minimum, &findings, &err) < 0)
                fail_msg("%s", err.message);
        for (size_t i = 0; i < findings.count; i++)
                assert_string_equal(findings.items[i].rule, "differencing");
        gbx_buffer_free(&first.table.table.csv);
        gbx_buffer_free(&second.table.table.csv);
        return findings.count + findings.left_out;
}

/* Both ways round: it does not matter which table leaves first. */
static void expect(const char *columns, const char *csv, const char *other_columns, const char *other_csv, size_t expected) {
        size_t one = findings_of(columns, csv, other_columns, other_csv, 10), two = findings_of(other_columns, other_csv, columns, csv, 10);

        if (one != expected || two != expected)
                fail_msg("expected %zu findings, got %zu and %zu: «%s», «%s»", expected, one, two, csv, other_csv);
}

static void test_pairs(void **state) {
        (void)state;
        /* All against men alone: one woman of 21 to 30 by subtraction. */
        expect("k:age c:n", "age,n\n21-30,20\n31-40,40\n", "k:age c:n", "age,n\n21-30,19\n31-40,20\n", 1);
        /* The same table twice, or one that differs by enough. */
        expect("k:age c:n", "age,n\n21-30,20\n", "k:age c:n", "age,n\n21-30,20\n", 0);
        expect("k:age c:n", "age,n\n21-30,20\n", "k:age c:n", "age,n\n21-30,30\n", 0);
        expect("k:age c:n", "age,n\n21-30,20\n", "k:age c:n", "age,n\n21-30,29\n", 1);
        /* A total and its parts: the part that was left out has five. */
        expect("k:job c:n", "job,n\nfixed,100\nother,50\n", "k:job k:home c:n", "job,home,n\nfixed,own,60\nfixed,rent,35\nother,own,50\n", 1);
        expect("k:job c:n", "job,n\nfixed,100\nother,50\n", "k:job k:home c:n", "job,home,n\nfixed,own,60\nfixed,rent,40\nother,own,40\n", 0);
        /* Key columns may stand in another order, and values of other columns do not matter. */
        expect("k:home k:job c:n v:rate", "home,job,n,rate\nown,fixed,60,0.1\nrent,fixed,35,0.2\n", "v:mean k:job c:n", "mean,job,n\n7,fixed,100\n", 1);
        /* The whole, without any key. */
        expect("c:n", "n\n150\n", "k:job c:n", "job,n\nfixed,95\nother,50\n", 1);
        expect("c:n", "n\n150\n", "k:job c:n", "job,n\nfixed,90\nother,50\n", 0);
        /* Groups that only one of them has tell nothing. */
        expect("k:job c:n", "job,n\nfixed,100\n", "k:job c:n", "job,n\nother,99\n", 0);
        /* Keys that do not go together. */
        expect("k:job c:n", "job,n\nfixed,100\n", "k:home c:n", "home,n\nfixed,99\n", 0);
        /* Another name for the counts; none at all; two, of which none or one has that name. */
        expect("k:job c:n", "job,n\nfixed,100\n", "k:job c:people", "job,people\nfixed,99\n", 1);
        expect("k:job c:n", "job,n\nfixed,100\n", "k:job v:n", "job,n\nfixed,99\n", 0);
        expect("k:job c:n", "job,n\nfixed,100\n", "k:job c:a c:b", "job,a,b\nfixed,99,98\n", 2);
        expect("k:job c:n", "job,n\nfixed,100\n", "k:job c:a c:n", "job,a,n\nfixed,1,99\n", 1);
        /* Keys are compared as they are: no two ways to cut one text. */
        expect("k:a k:b c:n", "a,b,n\n\"x,1:y\",z,100\n", "k:a k:b c:n", "a,b,n\nx,\"1:y,z\",99\n", 0);
        expect("k:a k:b c:n", "a,b,n\n,z,100\n", "k:a k:b c:n", "a,b,n\n,z,99\n", 1);
        /* Many: some are told, the rest counted. */
        expect("k:a c:n", "a,n\n1,20\n2,20\n3,20\n4,20\n5,20\n6,20\n7,20\n", "k:a c:n", "a,n\n1,21\n2,21\n3,21\n4,21\n5,21\n6,21\n7,21\n", 7);
        expect("k:a c:n", "a,n\n", "k:a c:n", "a,n\n1,21\n", 0);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_pairs) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
