#include "runtime/engine/typed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[GBX_VALUE_COUNT_] = {
        [GBX_VALUE_INTEGER] = "integer", [GBX_VALUE_DECIMAL] = "decimal", [GBX_VALUE_TEXT] = "text",
        [GBX_VALUE_DATE] = "date",       [GBX_VALUE_BOOLEAN] = "boolean",
};

const char *gbx_value_type_name(enum gbx_value_type type) { return names[type]; }

bool gbx_value_type_parse(const char *name, enum gbx_value_type *ret) {
        for (int i = 0; i < GBX_VALUE_COUNT_; i++)
                if (strcmp(name, names[i]) == 0) {
                        *ret = (enum gbx_value_type)i;
                        return true;
                }
        return false;
}

static bool is_digit(char byte) { return (unsigned char)(byte - '0') < 10; }

bool gbx_typed_integer(const char *text, size_t size, int64_t *ret) {
        bool negative = size > 0 && text[0] == '-';
        size_t at = negative;
        uint64_t value = 0;

        if (at == size)
                return false;
        for (; at < size; at++) {
                if (!is_digit(text[at]))
                        return false;
                if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t)(text[at] - '0'), &value))
                        return false;
        }
        if (value > (uint64_t)INT64_MAX + negative)
                return false;
        *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
        return true;
}

/* Powers of ten that a double holds exactly. */
static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Passes over "[eE][+-]?digits". */
static bool skip_exponent(const char *text, size_t size, size_t *at) {
        size_t i = *at + 1;

        if (i < size && (text[i] == '+' || text[i] == '-'))
                i++;
        if (i == size)
                return false;
        for (; i < size; i++)
                if (!is_digit(text[i]))
                        return false;
        *at = i;
        return true;
}

bool gbx_typed_decimal(const char *text, size_t size, double *ret) {
        bool negative = size > 0 && text[0] == '-', exponent = false;
        size_t at = negative, start = at, digits, decimals = 0;
        uint64_t mantissa = 0;
        double value;

        while (at < size && is_digit(text[at]))
                mantissa = mantissa * 10 + (uint64_t)(text[at++] - '0');
        digits = at - start;
        if (digits == 0)
                return false;
        if (at < size && text[at] == '.') {
                for (at++; at < size && is_digit(text[at]); at++, decimals++)
                        mantissa = mantissa * 10 + (uint64_t)(text[at] - '0');
                if (decimals == 0)
                        return false;
        }
        if (at < size && (text[at] == 'e' || text[at] == 'E')) {
                exponent = true;
                if (!skip_exponent(text, size, &at))
                        return false;
        }
        if (at != size)
                return false;
        /* Both operands are exact, so their quotient is the nearest double (Clinger 1990). */
        if (!exponent && digits + decimals <= 15)
                value = (double)mantissa / powers[decimals];
        else {
                value = strtod(text + start, NULL);
                if (!isfinite(value))
                        return false;
        }
        *ret = negative ? -value : value;
        return true;
}

static unsigned number(const char *text, size_t size) {
        unsigned value = 0;

        while (size-- > 0)
                value = value * 10 + (unsigned)(*text++ - '0');
        return value;
}

bool gbx_typed_date(const char *text, size_t size) {
        static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        unsigned year, month, day;
        bool leap;

        if (size != 10 || text[4] != '-' || text[7] != '-')
                return false;
        for (size_t i = 0; i < size; i++)
                if (i != 4 && i != 7 && !is_digit(text[i]))
                        return false;
        year = number(text, 4);
        month = number(text + 5, 2);
        day = number(text + 8, 2);
        leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (unsigned)(leap && month == 2);
}

bool gbx_typed_boolean(const char *text, size_t size, bool *ret) {
        if (size == 4 && memcmp(text, "true", 4) == 0)
                *ret = true;
        else if (size == 5 && memcmp(text, "false", 5) == 0)
                *ret = false;
        else
                return false;
        return true;
}
