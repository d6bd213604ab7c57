/* Typed values: reading them from text, and writing them rounded to a unit */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "runtime/engine/release.h"
#include "runtime/engine/typed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void integers(void **state) {
        static const struct {
                const char *text;
                int64_t value;
        } good[] = {
                { "0", 0 },   { "-0", 0 }, { "007", 7 }, { "-12", -12 }, { "9223372036854775807", INT64_MAX },
                { "-9223372036854775808", INT64_MIN },
        };
        static const char *const bad[] = { "",    "-",   "+1",  " 1", "1 ", "1.0", "1e3", "0x1", "9223372036854775808",
                                           "--1", "1-1", "-9223372036854775809", "18446744073709551616", "１" };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(good); i++) {
                int64_t value = 99;

                assert_true(gbx_typed_integer(good[i].text, strlen(good[i].text), &value));
                assert_int_equal(value, good[i].value);
        }
        for (size_t i = 0; i < gbx_array_size(bad); i++) {
                int64_t value = 99;

                assert_false(gbx_typed_integer(bad[i], strlen(bad[i]), &value));
                assert_int_equal(value, 99);
        }
}

static void decimals(void **state) {
        static const char *const good[] = {
                "0",   "-0",    "1",         "0.1",     "-2.5",    "123456789012345",   "1234567890.12345", "1e3", "1E-7",
                "1e+5", "5e-324", "0.30000000000000004", "123456789012345678901234567890", "0.1234567890123456789",
                "9007199254740993", "1.7976931348623157e308", "00.5", "2.2250738585072011e-308",
        };
        static const char *const bad[] = { "",   "-",  ".5",   "5.",  "+1",   "1,5", "1.2.3", "e5",  "1e",  "1e+", "1e5.0",
                                           " 1", "1 ", "0x1p3", "inf", "nan", "-inf", "1e999", "1_0", "--1", "1.-5" };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(good); i++) {
                double value = NAN;

                assert_true(gbx_typed_decimal(good[i], strlen(good[i]), &value));
                assert_true(value == strtod(good[i], NULL)); /* the C library is exact */
        }
        for (size_t i = 0; i < gbx_array_size(bad); i++) {
                double value = 99;

                assert_false(gbx_typed_decimal(bad[i], strlen(bad[i]), &value));
                assert_true(value == 99);
        }
}

/* The fast way of reading decimals against the C library's, on generated numbers. */
static void many_decimals(void **state) {
        uint64_t random = 88172645463325252U;

        (void)state;
        for (int i = 0; i < 200000; i++) {
                char text[64];
                double value;
                int size;

                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                size = snprintf(text, sizeof text, "%s%llu.%0*llu", random & 1 ? "-" : "",
                                (unsigned long long)(random >> (20 + random % 44)), (int)(random % 12 + 1),
                                (unsigned long long)(random >> 5) % 10000000000ULL);
                assert_true(gbx_typed_decimal(text, (size_t)size, &value));
                assert_true(value == strtod(text, NULL));
        }
}

static void dates(void **state) {
        static const char *const good[] = { "2024-02-29", "2000-02-29", "1999-12-31", "0001-01-01", "9999-12-31" };
        static const char *const bad[] = { "",           "2023-02-29", "1900-02-29", "2024-00-01", "2024-13-01", "2024-01-00",
                                           "2024-04-31", "2024-1-1",   "24-01-01",   "2024/01/01", "2024-01-1 ", "2024-01-01T",
                                           "-024-01-01", "2024-01-32" };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(good); i++)
                assert_true(gbx_typed_date(good[i], strlen(good[i])));
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_false(gbx_typed_date(bad[i], strlen(bad[i])));
}

static void booleans(void **state) {
        static const char *const bad[] = { "", "True", "FALSE", "1", "0", "yes", "true ", "tru" };
        bool value = false;

        (void)state;
        assert_true(gbx_typed_boolean("true", 4, &value) && value);
        assert_true(gbx_typed_boolean("false", 5, &value) && !value);
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_false(gbx_typed_boolean(bad[i], strlen(bad[i]), &value));
}

static void units(void **state) {
        static const char *const bad[] = { "", "0", "0.000", "-1", "1e3", ".5", "5.", "1.2.3", "0.0000000001", "x",
                                           "1234567890123456", " 1" };
        struct gbx_unit unit;

        (void)state;
        assert_int_equal(gbx_unit_parse("0.05", &unit, NULL), 0);
        assert_int_equal(unit.steps, 5);
        assert_int_equal(unit.decimals, 2);
        assert_string_equal(unit.text, "0.05");
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_int_equal(gbx_unit_parse(bad[i], &unit, NULL), -EINVAL);
}

static void rounding(void **state) {
        static const struct {
                enum gbx_value_type type;
                double value; /* also of an integer */
                const char *unit;
                const char *text; /* NULL: refused */
        } cases[] = {
                { GBX_VALUE_DECIMAL, 0.12345, "0.001", "0.123" },
                { GBX_VALUE_DECIMAL, -0.0004, "0.001", "0.000" },
                { GBX_VALUE_DECIMAL, -0.0006, "0.001", "-0.001" },
                { GBX_VALUE_DECIMAL, 1, "0.001", "1.000" },
                { GBX_VALUE_DECIMAL, 0.125, "0.05", "0.10" }, /* halves to the even multiple */
                { GBX_VALUE_DECIMAL, 0.175, "0.25", "0.25" },
                { GBX_VALUE_DECIMAL, -7.5, "5", "-10" },
                { GBX_VALUE_DECIMAL, 1234567.89, "1000", "1235000" },
                { GBX_VALUE_DECIMAL, 1e300, "1", NULL },
                { GBX_VALUE_DECIMAL, 1e10, "0.000000001", NULL },
                { GBX_VALUE_DECIMAL, INFINITY, "1", NULL },
                { GBX_VALUE_DECIMAL, NAN, NULL, NULL },
                { GBX_VALUE_DECIMAL, 0.1, NULL, "0.1" },
                { GBX_VALUE_DECIMAL, -0.0, NULL, "0" },
                { GBX_VALUE_DECIMAL, 0.1 + 0.2, NULL, "0.30000000000000004" },
                { GBX_VALUE_INTEGER, 1499, "1000", "1000" },
                { GBX_VALUE_INTEGER, 1500, "1000", "2000" },
                { GBX_VALUE_INTEGER, -1500, "1000", "-2000" },
                { GBX_VALUE_INTEGER, 7, "3", "6" },
                { GBX_VALUE_INTEGER, 8, "3", "9" },
                { GBX_VALUE_INTEGER, -9, NULL, "-9" },
                { GBX_VALUE_INTEGER, -0x1p63, "1000", NULL },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer buffer = {};
                struct gbx_value value = { .type = cases[i].type };
                struct gbx_unit unit = {};
                int r;

                if (cases[i].type == GBX_VALUE_INTEGER)
                        value.integer = (int64_t)cases[i].value;
                else
                        value.decimal = cases[i].value;
                if (cases[i].unit)
                        assert_int_equal(gbx_unit_parse(cases[i].unit, &unit, NULL), 0);
                r = gbx_release_format(&value, &unit, &buffer, NULL);
                if (cases[i].text) {
                        assert_int_equal(r, 0);
                        assert_string_equal(gbx_buffer_text(&buffer), cases[i].text);
                } else
                        assert_int_equal(r, -EINVAL);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(integers), cmocka_unit_test(decimals), cmocka_unit_test(many_decimals),
                cmocka_unit_test(dates),    cmocka_unit_test(booleans), cmocka_unit_test(units),
                cmocka_unit_test(rounding),
        };

        return cmocka_run_group_tests_name("engine_values", tests, NULL, NULL);
}
