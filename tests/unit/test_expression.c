/* The expression language of tables: types, values, mistakes, limits. */
#include "base/cleanup.h"
#include "gateway/tabulate/expression/expression.h"
#include "gateway/tabulate/expression/fixed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct gbx_scope_column columns[] = {
        { "age", { .kind = GBX_KIND_NUMBER } },
        { "income", { .kind = GBX_KIND_NUMBER, .scale = 2, .missing = true } },
        { "home", { .kind = GBX_KIND_TEXT, .missing = true } },
        { "born", { .kind = GBX_KIND_DATE } },
        { "active", { .kind = GBX_KIND_BOOLEAN, .missing = true } },
        { "big", { .kind = GBX_KIND_NUMBER } },
        { "two words", { .kind = GBX_KIND_NUMBER } },
        { "r.name", { .kind = GBX_KIND_TEXT } },
};
static const struct gbx_scope scope = { columns, gbx_array_size(columns) };

/* age 37, income 1234.50, home "Çity", born 1987-12-31, active missing, big the largest number. */
static const struct gbx_scalar row[] = {
        { .number = 37 }, { .number = 123450 }, { .text = "Çity", .size = 5 }, { .number = 6573 },
        { .missing = true }, { .number = INT64_MAX }, { .number = -7 }, { .text = "north", .size = 5 },
};

static void value_text(const struct gbx_expression *expression, const struct gbx_scalar *value, char *ret, size_t size) {
        char number[GBX_FIXED_TEXT_SIZE];

        if (value->missing)
                (void)snprintf(ret, size, "missing");
        else if (expression->type.kind == GBX_KIND_TEXT)
                (void)snprintf(ret, size, "'%.*s'", (int)value->size, value->text);
        else if (expression->type.kind == GBX_KIND_BOOLEAN)
                (void)snprintf(ret, size, value->number ? "true" : "false");
        else {
                gbx_fixed_text(value->number, expression->type.kind == GBX_KIND_NUMBER ? expression->type.scale : 0, number);
                (void)snprintf(ret, size, "%s", number);
        }
}

static void test_values(void **state) {
        static const char *const cases[][2] = {
                { "age", "37" }, { "income", "1234.50" }, { "home", "'Çity'" }, { "active", "missing" },
                { "1 + 2 * 3", "7" }, { "(1 + 2) * 3", "9" }, { "10 - 4 - 3", "3" }, { "- age", "-37" }, { "-(-3)", "3" },
                { "1.5 + 2", "3.5" }, { "income * 2", "2469.00" }, { "income * 0.1", "123.450" }, { "income + age", "1271.50" },
                { "7 / 2", "3.500000" }, { "2 / 3", "0.666667" }, { "-2 / 3", "-0.666667" }, { "1 / 0", "missing" },
                { "income / age", "33.364865" }, { "1 / 0.000003", "333333.333333" }, { "7 % 3", "1" }, { "-7 % 3", "-1" }, { "7 % 0", "missing" },
                { "5.5 % 2", "1.5" }, { "-9223372036854775808", "-9223372036854775808" }, { "-9223372036854775808 % -1", "0" },
                { "age = 37", "true" }, { "age <> 37", "false" }, { "age != 38", "true" }, { "age = 37.000", "true" },
                { "income > 1234.499", "true" }, { "income <= 1234.5", "true" }, { "big > 0.000000000000000001", "true" },
                { "home = 'Çity'", "true" }, { "home < 'a'", "false" }, { "r.name = 'north'", "true" }, { "'it''s' = 'it''s'", "true" },
                { "\"two words\" + 7", "0" }, { "born = date '1987-12-31'", "true" }, { "born < date '1988-01-01'", "true" },
                { "active", "missing" }, { "not active", "missing" }, { "active = true", "missing" },
                { "active and false", "false" }, { "active and true", "missing" }, { "active or true", "true" }, { "false or active", "missing" },
                { "active is missing", "true" }, { "active is not missing", "false" }, { "age is missing or age > 1", "true" },
                { "age in (1, 37)", "true" }, { "age not in (1, 37)", "false" }, { "home in ('a', 'Çity')", "true" }, { "active in (true)", "missing" },
                { "age in (36.99, 37.0)", "true" }, { "age between 37 and 37", "true" }, { "age not between 38 and 40", "true" },
                { "age between 1 and 2 and active", "false" },
                { "if(age > 30, 'old', 'young')", "'old'" }, { "if(active, 1, 2)", "2" }, { "if(age > 1, 1, 2.50)", "1.00" },
                { "case when age < 18 then 'child' when age < 65 then 'adult' else 'senior' end", "'adult'" },
                { "case when age < 18 then 1 end", "missing" }, { "coalesce(active, false)", "false" }, { "coalesce(income, 0)", "1234.50" },
                { "abs(-3.5)", "3.5" }, { "floor(-3.5)", "-4" }, { "ceiling(-3.5)", "-3" }, { "floor(3)", "3" }, { "round(2.5)", "3" },
                { "round(-2.5)", "-2" }, { "round(2.345, 2)", "2.35" }, { "round(2.3, 5)", "2.3" }, { "round(income, 1)", "1234.5" },
                { "least(3, 1.5, 2)", "1.5" }, { "greatest(3, 1.5)", "3.0" }, { "least(income, 5)", "5.00" },
                { "length(home)", "4" }, { "lower('ABÇ')", "'abÇ'" }, { "upper('abc')", "'ABC'" }, { "concat(home, '-', r.name)", "'Çity-north'" },
                { "substr(home, 1, 1)", "'Ç'" }, { "substr(home, 2)", "'ity'" }, { "substr(home, 9)", "missing" }, { "substr(home, 3, 9)", "'ty'" },
                { "starts_with(home, 'Ç')", "true" }, { "starts_with(home, 'Çityx')", "false" }, { "concat(substr(home, 9), 'a')", "missing" },
                { "year(born)", "1987" }, { "month(born)", "12" }, { "day(born)", "31" }, { "quarter(born)", "4" }, { "weekday(born)", "4" },
                { "weekday(date '2026-11-29')", "7" }, { "days_between(born, date '1988-01-02')", "2" },
                { "years_between(born, date '2017-12-30')", "29" }, { "years_between(born, date '2017-12-31')", "30" },
                { "years_between(date '2017-12-30', born)", "-29" }, { "months_between(date '2024-01-31', date '2024-02-29')", "0" },
                { "months_between(date '2024-01-31', date '2024-03-31')", "2" }, { "year(date '0001-01-01')", "1" },
                { "indicator(age > 30)", "1" }, { "indicator(active)", "missing" }, { "width(age, 10)", "30" }, { "width(-1, 10)", "-10" },
                { "width(age, 10, 5)", "35" }, { "width(income, 0.25)", "1234.50" }, { "width(1.7, 1)", "1" },
                { "cut(age, 30, 50)", "'30 to under 50'" }, { "cut(29, 30, 50)", "'under 30'" }, { "cut(50, 30, 50)", "'50 and over'" },
                { "cut(income, 1234.5)", "'1234.5 and over'" }, { "cut(income / 0, 1)", "missing" },
                { "age = 1 and big * big > 0", "false" }, { "if(age > 0, 1, big + big)", "1" },
        };
        gbx_auto(gbx_scratch_free) struct gbx_scratch scratch = {};

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_expression_freep) struct gbx_expression *expression = NULL;
                struct gbx_error err = {};
                struct gbx_scalar value;
                char text[128];

                gbx_scratch_clear(&scratch);
                if (gbx_expression_parse(&expression, cases[i][0], &scope, NULL, &err) < 0 ||
                    gbx_expression_evaluate(expression, row, &scratch, &value, &err) < 0)
                        fail_msg("%s: %s", cases[i][0], err.message);
                value_text(expression, &value, text, sizeof text);
                if (strcmp(text, cases[i][1]) != 0)
                        fail_msg("%s: %s, not %s", cases[i][0], text, cases[i][1]);
                /* What may be missing is known before: what is missing must have been so marked. */
                assert_true(!value.missing || expression->type.missing);
        }
}

static void test_mistakes(void **state) {
        static const struct {
                const char *text;
                size_t character;
                const char *message;
        } cases[] = {
                { "", 1, "a value is wanted" },
                { "age +", 6, "a value is wanted" },
                { "age 5", 5, "should end here" },
                { "ages", 1, "no column 'ages'" },
                { "'Ç' = ages", 7, "no column 'ages'" },
                { "age = 'x'", 7, "number cannot be compared with a text" },
                { "home + 1", 1, "wants a number" },
                { "not age", 5, "wants a boolean" },
                { "age and true", 1, "wants a boolean" },
                { "active < true", 1, "booleans have no order" },
                { "age in (income)", 9, "literals only" },
                { "age in ()", 9, "a value is wanted" },
                { "if(age, 1, 2)", 4, "wants a boolean" },
                { "if(true, 1, 'a')", 13, "this is a text" },
                { "if(true, 1)", 1, "if() wants" },
                { "case when true then 1 else 'a' end", 28, "this is a text" },
                { "case when true then 1", 22, "'end' is wanted" },
                { "case end", 6, "'when' is wanted" },
                { "nothing(1)", 1, "no function 'nothing'" },
                { "abs(1, 2)", 1, "1 to 1 arguments" },
                { "round(1.5, age)", 12, "whole number" },
                { "width(age, 0)", 12, "above zero" },
                { "width(age, age)", 12, "written here" },
                { "cut(age, 5, 5)", 13, "must increase" },
                { "substr(home, 0)", 14, "from 1" },
                { "length(age)", 8, "wants a text" },
                { "year(home)", 6, "wants a date" },
                { "''", 1, "never empty" },
                { "'open", 1, "never closed" },
                { "age ; 1", 5, "no meaning" },
                { "1.5.2", 1, "not written like" },
                { "12abc", 1, "not written like" },
                { "9223372036854775808", 1, "does not fit" },
                { "0.1234567890123456789", 1, "too many digits" },
                { "date '2026-02-30'", 1, "no such day" },
                { "date 5", 1, "date '2026" },
                { "and", 1, "cannot stand here" },
                { "age is 5", 8, "'missing' is wanted" },
                { "age not 5", 9, "'in' or 'between'" },
                { "age between 1", 14, "'and' is wanted" },
                { "(age", 5, "')' is wanted" },
                { "0.1234567890 * 0.1234567890", 14, "more than 18" },
                { "age = age = age", 11, "should end here" },
                { "select", 1, "no column" },
                { "age -- 1\xff", 1, "UTF-8" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_expression *expression = NULL;
                struct gbx_expression_mistake mistake = {};
                struct gbx_error err = {};

                if (gbx_expression_parse(&expression, cases[i].text, &scope, &mistake, &err) != -EINVAL)
                        fail_msg("taken: %s", cases[i].text);
                assert_null(expression);
                if (!strstr(mistake.message, cases[i].message) || mistake.character != cases[i].character)
                        fail_msg("%s: %zu: %s", cases[i].text, mistake.character, mistake.message);
        }
}

/* Overflow is an error wherever it can happen, and never a value. */
static void test_overflow(void **state) {
        static const char *const cases[] = { "big + 1", "big * 2", "-1 - big - 1", "-(-1 - big)", "abs(-1 - big)", "big + 0.5", "big / 0.5",
                                             "big * 1.0 + 0.01", "if(true, big, 0.5)", "width(-9223372036854775807, 10)", "coalesce(big, 1.5)" };
        gbx_auto(gbx_scratch_free) struct gbx_scratch scratch = {};

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_expression_freep) struct gbx_expression *expression = NULL;
                struct gbx_scalar value = { .number = 4711 };
                struct gbx_error err = {};

                if (gbx_expression_parse(&expression, cases[i], &scope, NULL, &err) < 0)
                        fail_msg("%s: %s", cases[i], err.message);
                if (gbx_expression_evaluate(expression, row, &scratch, &value, &err) != -ERANGE)
                        fail_msg("%s: no overflow", cases[i]);
                assert_int_equal(value.number, 4711);
                assert_null(strstr(err.message, "92233720368547758"));
        }
}

static void test_limits(void **state) {
        static const struct {
                const char *before, *middle, *after;
                size_t times;
                const char *message;
        } cases[] = {
                { "(", "age", ")", 2000, "deeper than" }, { "not ", "true", "", 500, "deeper than" }, { "- ", "age", "", 500, "deeper than" },
                { "abs(", "age", ")", 300, "deeper than" }, { "1 + ", "age", "", 600, "more than" }, { "age + ", "age", "", 1500, "at most" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
                struct gbx_expression *expression = NULL;
                struct gbx_error err = {};

                for (size_t k = 0; k < cases[i].times; k++)
                        assert_int_equal(gbx_buffer_append_text(&text, cases[i].before, NULL), 0);
                assert_int_equal(gbx_buffer_append_text(&text, cases[i].middle, NULL), 0);
                for (size_t k = 0; k < cases[i].times; k++)
                        assert_int_equal(gbx_buffer_append_text(&text, cases[i].after, NULL), 0);
                assert_int_equal(gbx_expression_parse(&expression, gbx_buffer_text(&text), &scope, NULL, &err), -EINVAL);
                assert_non_null(strstr(err.message, cases[i].message));
        }
}

/* Text made in a row is bounded, and comes from that row alone. */
static void test_scratch(void **state) {
        gbx_auto(gbx_scratch_free) struct gbx_scratch scratch = {};
        gbx_auto(gbx_expression_freep) struct gbx_expression *expression = NULL;
        static char large[40000];
        struct gbx_scalar wide[gbx_array_size(row)], value;
        struct gbx_error err = {};

        (void)state;
        memcpy(wide, row, sizeof row);
        memset(large, 'A', sizeof large);
        wide[2] = (struct gbx_scalar){ .text = large, .size = sizeof large };
        assert_int_equal(gbx_expression_parse(&expression, "lower(home)", &scope, NULL, &err), 0);
        for (int i = 0; i < 3; i++) {
                gbx_scratch_clear(&scratch);
                assert_int_equal(gbx_expression_evaluate(expression, wide, &scratch, &value, &err), 0);
                assert_int_equal(value.text[sizeof large - 1], 'a');
        }
        assert_int_equal(gbx_expression_evaluate(expression, wide, &scratch, &value, &err), -EDQUOT);
}

static void test_numbers(void **state) {
        static const struct {
                const char *text;
                unsigned scale;
                bool good;
                int64_t value;
        } cases[] = {
                { "12.50", 2, true, 1250 }, { "12.500", 2, true, 1250 }, { "12.505", 2, false, 0 }, { "1e3", 0, true, 1000 },
                { "1.5e1", 0, true, 15 }, { "1.5e-1", 2, true, 15 }, { "1.5e-2", 2, false, 0 }, { "-0", 3, true, 0 }, { "0e999", 0, true, 0 },
                { "1e999", 0, false, 0 }, { "9223372036854775807", 0, true, INT64_MAX }, { "-9223372036854775808", 0, true, INT64_MIN },
                { "9223372036854775808", 0, false, 0 }, { "1e18", 1, false, 0 }, { "", 0, false, 0 }, { "-", 0, false, 0 }, { ".5", 1, false, 0 },
                { "5.", 1, false, 0 }, { "+5", 0, false, 0 }, { "1e", 0, false, 0 }, { " 5", 0, false, 0 }, { "1e0001", 5, false, 0 },
                { "99999999999999999999999999999999999999999999", 0, false, 0 }, { "0.00000000000000000000000000000000001", 6, false, 0 },
        };

        static const struct {
                const char *text;
                int64_t value;
        } rounded[] = { { "1.005", 100 }, { "1.015", 102 }, { "1.0050001", 101 }, { "-1.015", -102 }, { "0.009", 1 }, { "0.005", 0 }, { "0.0051", 1 },
                        { "5e-4", 0 }, { "1e-999", 0 }, { "123456.789", 12345679 }, { "0.995", 100 }, { "7", 700 } };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                int64_t value = 0;

                if (gbx_fixed_parse(cases[i].text, strlen(cases[i].text), cases[i].scale, false, &value) != cases[i].good || value != cases[i].value)
                        fail_msg("'%s'", cases[i].text);
        }
        for (size_t i = 0; i < gbx_array_size(rounded); i++) {
                int64_t value = 0;

                assert_true(gbx_fixed_parse(rounded[i].text, strlen(rounded[i].text), 2, true, &value));
                assert_int_equal(value, rounded[i].value);
        }
        for (int64_t days = -800000; days < 800000; days += 13) {
                int64_t year;
                unsigned month, day;
                char text[40];

                gbx_days_split(days, &year, &month, &day);
                (void)snprintf(text, sizeof text, "%04lld-%02u-%02u", (long long)year, month, day);
                if (year >= 0 && year <= 9999)
                        assert_int_equal(gbx_days_from_text(text), days);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),   cmocka_unit_test(test_mistakes), cmocka_unit_test(test_overflow),
                cmocka_unit_test(test_limits),   cmocka_unit_test(test_scratch),  cmocka_unit_test(test_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
