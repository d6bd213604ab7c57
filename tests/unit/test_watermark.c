/* watermark: marking, tracing and what they rest on */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "watermark/code.h"
#include "watermark/content.h"
#include "watermark/mark.h"
#include "watermark/number.h"
#include "watermark/prf.h"
#include "watermark/stats.h"
#include "watermark/trace.h"

#include <math.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

static const uint8_t root[GBX_MARK_ROOT_SIZE] = "a root key of thirty-two bytes!";
static const char family[] = "credit/v1 query/7 schema/3";

static void assert_close(double a, double b, double tolerance) {
        if (!(fabs(a - b) <= tolerance))
                fail_msg("%.17g is not %.17g", a, b);
}

/* --- building blocks ------------------------------------------------------------- */

static void numbers_are_exact(void **state) {
        static const struct {
                const char *text, *unit;
                int64_t units;
        } cases[] = {
                { "12.34", "0.01", 1234 },
                { "12.345", "0.01", 1235 }, /* halves upwards */
                { "-12.345", "0.01", -1234 },
                { "1250", "50", 25 },
                { "1274", "50", 25 },
                { "1275", "50", 26 },
                { "0", "0.001", 0 },
                { "-0.0004", "0.001", 0 },
                { "999999999999999999", "1", 999999999999999999 },
                { "16090.6944444444", "0.01", 1609069 },
        };
        static const char *const bad[] = { "", "-", ".5", "5.", "1e3", " 1", "1 ", "+1", "1,000", "0x10", "1.2.3",
                                           "1234567890123456789", "nan" };
        struct gbx_number number, unit;

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                int64_t units = -1;

                assert_true(gbx_number_parse(cases[i].text, strlen(cases[i].text), &number));
                assert_true(gbx_number_parse(cases[i].unit, strlen(cases[i].unit), &unit));
                assert_true(gbx_number_units(number, unit, &units));
                assert_int_equal(units, cases[i].units);
        }
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_false(gbx_number_parse(bad[i], strlen(bad[i]), &number));
}

static void numbers_are_read_as_people_write_them(void **state) {
        static const struct {
                const char *text;
                char separator;
                const char *canonical; /* NULL: no number */
        } cases[] = {
                { "1,234.50", '.', "1234.50" },
                { "1.234,50", ',', "1234.50" },
                { "1 234,5", ',', "1234.5" },
                { "1\xc2\xa0" "234\xe2\x80\xaf" "567", ',', "1234567" },
                { "1'234.5", '.', "1234.5" },
                { "\xe2\x88\x92" "5", '.', "-5" },
                { "+5", '.', "5" },
                { "(5.25)", '.', "-5.25" },
                { "$ 1,000", '.', "1000" },
                { "12 \xe2\x82\xac", '.', "12" },
                { "1.5e3", '.', "1500" },
                { "15E-1", '.', "1.5" },
                { "12.5%", '.', "0.125" },
                { " 7 ", '.', "7" },
                { "14666.280000000000655", '.', "14666.2800000000006" }, /* as SQLite writes doubles in JSON */
                { "0.00000000000000000012", '.', "0.000000000000000000" },
                { "1234567890123456789", '.', NULL },
                { "7 a", '.', NULL },
                { "1,,2", '.', NULL },
                { "", '.', NULL },
                { "-", '.', NULL },
                { "(5", '.', NULL },
                { "1e", '.', NULL },
                { "1e99", '.', NULL },
                { "A00001", '.', NULL },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                char text[GBX_NUMBER_TEXT_SIZE];
                struct gbx_number number;
                bool is = gbx_number_parse_loose(cases[i].text, strlen(cases[i].text), cases[i].separator, &number);

                assert_int_equal(is, cases[i].canonical != NULL);
                if (is) {
                        (void)gbx_number_print(number, text);
                        assert_string_equal(text, cases[i].canonical);
                }
        }
}

static void binary_tails_are_rounded_away(void **state) {
        static const struct {
                const char *text, *rounded;
        } cases[] = {
                { "2.10000000000000008", "2.10000000000000" }, { "0.29999999999999998", "0.300000000000000" },
                { "-1493.1799999999999", "-1493.18000000000" }, { "16090.6944444444", "16090.6944444444" },
                { "123456789012345678", "123456789012345678" }, { "12345678901234567.8", "12345678901234568" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                char text[GBX_NUMBER_TEXT_SIZE];
                struct gbx_number number;

                assert_true(gbx_number_parse(cases[i].text, strlen(cases[i].text), &number));
                (void)gbx_number_print(gbx_number_round(number), text);
                assert_string_equal(text, cases[i].rounded);
        }
}

static void columns_tell_their_separator(void **state) {
        struct gbx_number_style german = {}, english = {}, plain = {};

        (void)state;
        gbx_number_observe(&german, "1.234", 5);
        gbx_number_observe(&german, "1.234,5", 7);
        gbx_number_observe(&english, "1,234", 5);
        gbx_number_observe(&english, "12.5", 4);
        gbx_number_observe(&plain, "1,234", 5);
        assert_int_equal(gbx_number_separator(&german, '.'), ',');
        assert_int_equal(gbx_number_separator(&english, ','), '.');
        assert_int_equal(gbx_number_separator(&plain, '.'), '.');
        assert_int_equal(gbx_number_separator(&plain, ','), ',');
}

/* OpenSSL's SipHash is the reference for ours. */
static void siphash_agrees_with_openssl(void **state) {
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
        EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
        uint8_t key[16], data[64];
        struct gbx_sip_key ours;

        (void)state;
        for (uint8_t i = 0; i < 64; i++)
                data[i] = (uint8_t)(3 * i + 1);
        for (uint8_t i = 0; i < 16; i++)
                key[i] = i;
        memcpy(&ours, key, sizeof ours);
        for (size_t size = 0; size <= sizeof data; size++)
                for (size_t width = 8; width <= 16; width += 8) {
                        OSSL_PARAM parameters[2] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &width),
                                                     OSSL_PARAM_construct_end() };
                        struct gbx_cell_id id = gbx_sip128(&ours, data, size);
                        uint64_t word = gbx_sip64(&ours, data, size);
                        uint8_t expected[16];
                        size_t length;

                        assert_int_equal(EVP_MAC_init(context, key, sizeof key, parameters), 1);
                        assert_int_equal(EVP_MAC_update(context, data, size), 1);
                        assert_int_equal(EVP_MAC_final(context, expected, &length, sizeof expected), 1);
                        assert_memory_equal(expected, width == 8 ? (void *)&word : (void *)&id, width);
                }
        EVP_MAC_CTX_free(context);
        EVP_MAC_free(mac);
}

static void tails_are_exact(void **state) {
        struct gbx_null_cell cells[30];
        gbx_auto(gbx_null_freep) struct gbx_null *null = NULL;
        double low, high;

        (void)state;
        /* P[Bin(30, 1/2) = 30] = 2^-30; P[Bin(10, 1/2) >= 8] = 56 / 1024 */
        assert_close(gbx_binomial_tail(30, 30), -30 * M_LN2, 1e-9);
        assert_close(exp(gbx_binomial_tail(10, 8)), 56.0 / 1024, 1e-12);
        assert_close(exp(gbx_binomial_tail(10, 3)), 968.0 / 1024, 1e-12);
        assert_close(gbx_binomial_tail(10, 0), 0, 0);
        assert_int_equal(gbx_binomial_threshold(10, log(0.06)), 8);
        assert_int_equal(gbx_binomial_threshold(10, log(1e-9)), 11);
        /* The convolution of fair coins is the binomial distribution. */
        for (size_t i = 0; i < 30; i++)
                cells[i] = (struct gbx_null_cell){ 0.5, 1, 0 };
        assert_int_equal(gbx_null_new(&null, cells, 30, NULL), 0);
        for (int m = 0; m <= 30; m++)
                assert_close(gbx_null_tail(null, m), gbx_binomial_tail(30, (uint64_t)m), 1e-9);
        assert_int_equal(gbx_null_threshold(null, -30 * M_LN2 + 1e-6), 30);
        assert_true(gbx_null_threshold(null, -40 * M_LN2) == INT64_MAX);
        /* Known values: 0 of 200 has the upper end 1 - (0.025)^(1/200). */
        gbx_clopper_pearson(0, 200, 0.95, &low, &high);
        assert_close(low, 0, 0);
        assert_close(high, 1 - pow(0.025, 1.0 / 200), 1e-9);
        gbx_clopper_pearson(5, 10, 0.95, &low, &high);
        assert_close(low, 0.1871, 1e-4);
        assert_close(high, 0.8129, 1e-4);
}

/* The Chernoff bound, used for very many cells, is never below the exact tail and near it. */
static void chernoff_is_a_bound(void **state) {
        static struct gbx_null_cell cells[GBX_NULL_EXACT_CELLS + 1];
        gbx_auto(gbx_null_freep) struct gbx_null *bound = NULL;
        size_t count = gbx_array_size(cells);

        (void)state;
        for (size_t i = 0; i < count; i++)
                cells[i] = (struct gbx_null_cell){ 0.5, 1, 0 };
        assert_int_equal(gbx_null_new(&bound, cells, count, NULL), 0);
        for (uint64_t m = count / 2 + 100; m < count / 2 + 900; m += 100) {
                double exact = gbx_binomial_tail(count, m), upper = gbx_null_tail(bound, (int64_t)m);

                assert_true(upper >= exact);
                assert_true(upper <= exact + 6);
        }
}

static void codes_follow_capacity(void **state) {
        static const struct {
                uint64_t capacity;
                enum gbx_mark_code kind;
                unsigned coalition;
        } cases[] = { { 20, GBX_MARK_CODE_UNBIASED, 1 },  { 551, GBX_MARK_CODE_UNBIASED, 1 },
                      { 552, GBX_MARK_CODE_TARDOS, 2 },   { 1243, GBX_MARK_CODE_TARDOS, 3 },
                      { 3452, GBX_MARK_CODE_TARDOS, 3 },  { 3453, GBX_MARK_CODE_TARDOS, 5 },
                      { 1000000, GBX_MARK_CODE_TARDOS, 5 } };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_code code = gbx_code_choose(GBX_MARK_CODE_AUTO, 0, cases[i].capacity);

                assert_int_equal(code.kind, cases[i].kind);
                assert_int_equal(code.coalition, cases[i].coalition);
        }
        assert_int_equal(gbx_code_choose(GBX_MARK_CODE_TARDOS, 8, 1 << 20).coalition, 8);
        assert_int_equal(gbx_code_choose(GBX_MARK_CODE_TARDOS, 5, 1300).coalition, 3);
        assert_int_equal(gbx_code_floor(1000, 1e-6), 30);
        assert_int_equal(gbx_code_floor(20, 1e-6), 25);
        assert_int_equal(gbx_code_floor(1000000, 1e-6), 40);
}

/* --- tables ---------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t next_random(void) {
        random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(random_state >> 33);
}

static const struct gbx_mark_column columns[] = {
        { .name = "id", .type = GBX_MARK_TEXT, .role = GBX_MARK_KEY },
        { .name = "region", .type = GBX_MARK_TEXT },
        { .name = "count", .type = GBX_MARK_INTEGER, .role = GBX_MARK_COUNT },
        { .name = "income", .type = GBX_MARK_DECIMAL, .unit = "0.01", .minimum = "100.00" },
        { .name = "debt", .type = GBX_MARK_INTEGER, .unit = "1", .threshold = "5000" },
        { .name = "rate", .type = GBX_MARK_DECIMAL, .unit = "0.0001", .minimum = "0", .maximum = "1" },
};

static void make_table(size_t rows, struct gbx_buffer *csv) {
        static const char *const regions[] = { "north", "south", "east", "west" };

        random_state = 42;
        assert_int_equal(gbx_buffer_append_text(csv, "id,region,count,income,debt,rate\n", NULL), 0);
        for (size_t i = 0; i < rows; i++)
                assert_int_equal(gbx_buffer_printf(csv, NULL, "C%05zu,%s,%u,%u.%02u,%u,0.%04u\n", i,
                                                   regions[next_random() % 4], 10 + next_random() % 90,
                                                   100 + next_random() % 90000, next_random() % 100,
                                                   1000 + next_random() % 9000, 1 + next_random() % 9999),
                                 0);
}

static struct gbx_mark_request request_for(const char *release, const char *recipient) {
        return (struct gbx_mark_request){ .root = root,
                                          .family = family,
                                          .release = release,
                                          .recipient = recipient,
                                          .columns = columns,
                                          .column_count = gbx_array_size(columns) };
}

enum { CANDIDATES = 40 };

struct releases {
        struct gbx_buffer original;
        struct gbx_buffer copies[CANDIDATES];
        struct gbx_mark marks[CANDIDATES];
        char names[CANDIDATES][16];
        struct gbx_trace_candidate candidates[CANDIDATES];
};

static void release_all(struct releases *s, size_t rows, const struct gbx_mark_options *options) {
        make_table(rows, &s->original);
        for (size_t i = 0; i < CANDIDATES; i++) {
                struct gbx_mark_request request = request_for(s->names[i], "bank");

                (void)snprintf(s->names[i], sizeof s->names[i], "release-%zu", i);
                if (options)
                        request.options = *options;
                assert_int_equal(gbx_mark_table(&request, s->original.data, s->original.size, &s->copies[i],
                                                &s->marks[i], NULL),
                                 0);
                s->candidates[i] = (struct gbx_trace_candidate){ .release = s->names[i],
                                                                 .recipient = "bank",
                                                                 .family = family,
                                                                 .record = s->marks[i].record };
        }
}

static void releases_free(struct releases *s) {
        gbx_buffer_free(&s->original);
        for (size_t i = 0; i < CANDIDATES; i++) {
                gbx_buffer_free(&s->copies[i]);
                gbx_mark_clear(&s->marks[i]);
        }
}

static void a_copy_names_its_recipient(void **state) {
        gbx_auto(releases_free) struct releases s = {};

        (void)state;
        release_all(&s, 1000, NULL);
        assert_string_equal(s.marks[0].scheme, "keyed-cell-v1");
        assert_int_equal(s.marks[0].claim, GBX_MARK_TRACEABLE);
        assert_int_equal(s.marks[0].floor_cells, 30);
        assert_true(s.marks[0].capacity_cells > 2500);
        for (size_t i = 0; i < 3; i++) {
                gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
                struct gbx_error err = {};

                if (gbx_trace(root, s.copies[i].data, s.copies[i].size, s.candidates, CANDIDATES, NULL, &trace, &err) < 0)
                        fail_msg("%s", err.message);
                assert_int_equal(trace.verdict, GBX_TRACE_TRACED);
                assert_int_equal(trace.accused, 1);
                assert_int_equal(trace.results[0].candidate, i);
                assert_true(trace.results[0].matches + 20 > trace.results[0].n);
                assert_true(trace.results[0].adjusted_p < 1e-20);
                assert_true(trace.results[0].score > trace.threshold);
                for (size_t k = 1; k < trace.count; k++)
                        assert_true(trace.results[k].candidate == GBX_TRACE_NOBODY);
        }
}

static void an_innocent_file_names_nobody(void **state) {
        gbx_auto(releases_free) struct releases s = {};
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {}, other = {};
        static const uint8_t wrong[GBX_MARK_ROOT_SIZE] = "another root key, also 32 bytes";

        (void)state;
        release_all(&s, 1000, NULL);
        assert_int_equal(gbx_trace(root, s.original.data, s.original.size, s.candidates, CANDIDATES, NULL, &trace, NULL), 0);
        assert_int_equal(trace.verdict, GBX_TRACE_NOT_TRACED);
        assert_int_equal(trace.accused, 0);
        assert_int_equal(gbx_trace(wrong, s.copies[0].data, s.copies[0].size, s.candidates, CANDIDATES, NULL, &other, NULL), 0);
        assert_int_equal(other.verdict, GBX_TRACE_CONTENT_MATCH); /* the content digest needs no key */
        assert_int_equal(other.accused, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_are_exact),
                cmocka_unit_test(numbers_are_read_as_people_write_them),
                cmocka_unit_test(binary_tails_are_rounded_away),
                cmocka_unit_test(columns_tell_their_separator),
                cmocka_unit_test(siphash_agrees_with_openssl),
                cmocka_unit_test(tails_are_exact),
                cmocka_unit_test(chernoff_is_a_bound),
                cmocka_unit_test(codes_follow_capacity),
                cmocka_unit_test(a_copy_names_its_recipient),
                cmocka_unit_test(an_innocent_file_names_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
