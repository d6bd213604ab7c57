#include "watermark/number.h"

#include <math.h>
#include <string.h>

__extension__ typedef __int128 wide;

static const int64_t powers[GBX_NUMBER_DIGITS + 1] = {
        1,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Most numbers in tables: a few digits. */
static bool parse_short(const char *text, size_t size, struct gbx_number *ret) {
        int64_t mantissa = 0;

        for (size_t i = 0; i < size; i++) {
                if (!is_digit(text[i]))
                        return false;
                mantissa = 10 * mantissa + (text[i] - '0');
        }
        *ret = (struct gbx_number){ mantissa, 0 };
        return size > 0;
}

bool gbx_number_parse(const char *text, size_t size, struct gbx_number *ret) {
        int64_t mantissa = 0;
        size_t i = 0, digits = 0, whole = 0, decimals = 0;
        bool negative = size > 0 && text[0] == '-', point = false;

        if (size <= 12 && parse_short(text, size, ret))
                return true;
        for (i = negative; i < size; i++) {
                if (text[i] == '.' && !point && digits > 0) {
                        point = true;
                        continue;
                }
                if (!is_digit(text[i]) || digits == GBX_NUMBER_DIGITS)
                        return false;
                mantissa = 10 * mantissa + (text[i] - '0');
                digits += mantissa > 0 || point || digits == 0;
                whole += !point;
                decimals += point;
        }
        if (whole == 0 || (point && decimals == 0) || decimals > GBX_NUMBER_DIGITS)
                return false;
        *ret = (struct gbx_number){ negative ? -mantissa : mantissa, (uint8_t)decimals };
        return true;
}

/* Most bytes in a number can be neither blank nor currency sign. */
static bool ordinary(const char *text, size_t size) { return size == 0 || (*text > '$' && *text < 0x7f); }

/* Bytes of white space or of a sign that may stand around or inside a number; 0: none. */
static size_t blank_at(const char *text, size_t size) {
        static const char *const blanks[] = { " ", "\t", "\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x89" };

        if (ordinary(text, size))
                return 0;
        for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++) {
                size_t n = strlen(blanks[i]);

                if (size >= n && memcmp(text, blanks[i], n) == 0)
                        return n;
        }
        return 0;
}

static size_t currency_at(const char *text, size_t size) {
        static const char *const signs[] = { "$", "\xe2\x82\xac", "\xc2\xa3", "\xc2\xa5" };

        if (ordinary(text, size))
                return 0;
        for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
                size_t n = strlen(signs[i]);

                if (size >= n && memcmp(text, signs[i], n) == 0)
                        return n;
        }
        return 0;
}

void gbx_number_observe(struct gbx_number_style *style, const char *text, size_t size) {
        size_t count[2] = {}, last[2] = {}, first_digit = size, end = size;

        for (size_t i = 0; i < size; i++) {
                char c = text[i];

                if (c == '.' || c == ',') {
                        count[c == ',']++;
                        last[c == ','] = i;
                } else if (is_digit(c)) {
                        if (first_digit == size)
                                first_digit = i;
                } else if (first_digit < size && blank_at(text + i, size - i) == 0 && c != '\'' && c != '_') {
                        end = i; /* an exponent, a percent sign, a currency: the digits end here */
                        break;
                }
        }
        while (end > 0 && !is_digit(text[end - 1]))
                end--;
        if (first_digit == size)
                return;
        if (count[0] && count[1]) {
                int decimal = last[1] > last[0];

                style->decimal[decimal]++;
                style->grouping[!decimal]++;
                return;
        }
        for (int k = 0; k < 2; k++) {
                if (count[k] > 1)
                        style->grouping[k]++;
                else if (count[k] == 1 && (end - last[k] - 1 != 3 || last[k] - first_digit > 3 ||
                                           last[k] == first_digit || text[first_digit] == '0'))
                        style->decimal[k]++;
                else if (count[k] == 1)
                        style->ambiguous[k]++;
        }
}

char gbx_number_separator(const struct gbx_number_style *style, char fallback) {
        static const char signs[2] = { '.', ',' };

        for (int k = 0; k < 2; k++)
                if (style->decimal[k] > style->decimal[!k] && style->decimal[k] > style->grouping[k])
                        return signs[k];
        for (int k = 0; k < 2; k++)
                if (style->grouping[k] > style->grouping[!k])
                        return signs[!k];
        return fallback;
}

/* Bytes of a thousands separator at a place between digits; 0: none. */
static size_t grouping_at(const char *text, size_t size, char separator) {
        static const char apostrophe[] = "\xe2\x80\x99";

        if (size == 0)
                return 0;
        if (*text == (separator == '.' ? ',' : '.') || *text == '\'' || *text == '_')
                return 1;
        if (size >= 3 && memcmp(text, apostrophe, 3) == 0)
                return 3;
        return *text == '\t' ? 0 : blank_at(text, size);
}

struct scan {
        const char *text;
        size_t size, at;
};

static void skip_around(struct scan *scan) {
        size_t n;

        while ((n = blank_at(scan->text + scan->at, scan->size - scan->at)) > 0 ||
               (n = currency_at(scan->text + scan->at, scan->size - scan->at)) > 0)
                scan->at += n;
}

static bool scan_sign(struct scan *scan, bool *negative) {
        static const char minus[] = "\xe2\x88\x92";
        const char *at = scan->text + scan->at;
        size_t left = scan->size - scan->at;

        if (left > 0 && (*at == '+' || *at == '-')) {
                *negative = *at == '-';
                scan->at++;
                return true;
        }
        if (left >= 3 && memcmp(at, minus, 3) == 0) {
                *negative = true;
                scan->at += 3;
                return true;
        }
        return false;
}

static bool scan_digits(struct scan *scan, char separator, struct gbx_number *ret) {
        size_t digits = 0, decimals = 0, seen = 0;
        int64_t mantissa = 0;
        bool point = false;

        while (scan->at < scan->size) {
                char c = scan->text[scan->at];
                size_t n;

                if (is_digit(c)) {
                        bool full = digits == GBX_NUMBER_DIGITS || decimals == GBX_NUMBER_DIGITS;

                        if (full && !point)
                                return false;
                        scan->at++;
                        seen++;
                        if (full) /* beyond what is kept: the tail of a binary fraction */
                                continue;
                        digits += mantissa > 0 || c != '0';
                        mantissa = 10 * mantissa + (c - '0');
                        decimals += point;
                } else if (c == separator && !point) {
                        point = true;
                        scan->at++;
                } else {
                        n = seen > 0 && !point ? grouping_at(scan->text + scan->at, scan->size - scan->at, separator) : 0;
                        if (n == 0 || scan->at + n >= scan->size || !is_digit(scan->text[scan->at + n]))
                                break;
                        scan->at += n;
                }
        }
        *ret = (struct gbx_number){ mantissa, (uint8_t)decimals };
        return seen > 0;
}

static bool scan_exponent(struct scan *scan, int *ret) {
        bool negative = false;
        int value = 0;
        size_t start;

        if (scan->at >= scan->size || (scan->text[scan->at] | 0x20) != 'e')
                return true;
        scan->at++;
        (void)scan_sign(scan, &negative);
        for (start = scan->at; scan->at < scan->size && is_digit(scan->text[scan->at]); scan->at++) {
                value = 10 * value + (scan->text[scan->at] - '0');
                if (value > 99)
                        return false;
        }
        *ret = negative ? -value : value;
        return scan->at > start;
}

bool gbx_number_parse_loose(const char *text, size_t size, char separator, struct gbx_number *ret) {
        struct scan scan = { text, size, 0 };
        struct gbx_number number;
        bool negative = false, parentheses;
        int exponent = 0;

        skip_around(&scan);
        parentheses = scan.at < size && text[scan.at] == '(';
        scan.at += parentheses;
        if (scan_sign(&scan, &negative))
                skip_around(&scan);
        skip_around(&scan);
        if (!scan_digits(&scan, separator, &number) || !scan_exponent(&scan, &exponent))
                return false;
        if (scan.at < size && text[scan.at] == ')' && parentheses) {
                negative = true;
                parentheses = false;
                scan.at++;
        }
        skip_around(&scan);
        if (scan.at < size && text[scan.at] == '%') {
                exponent -= 2;
                scan.at++;
                skip_around(&scan);
        }
        if (scan.at != size || parentheses)
                return false;
        if (negative)
                number.mantissa = -number.mantissa;
        if (exponent && !gbx_number_shift(&number, exponent))
                return false;
        *ret = number;
        return true;
}

bool gbx_number_shift(struct gbx_number *number, int shift) {
        int decimals = number->decimals - shift;
        int64_t mantissa = number->mantissa;

        while (decimals < 0) {
                if (mantissa > powers[GBX_NUMBER_DIGITS - 1] || mantissa < -powers[GBX_NUMBER_DIGITS - 1])
                        return false;
                mantissa *= 10;
                decimals++;
        }
        while (decimals > GBX_NUMBER_DIGITS) {
                if (mantissa % 10 != 0)
                        return false;
                mantissa /= 10;
                decimals--;
        }
        *number = (struct gbx_number){ mantissa, (uint8_t)decimals };
        return true;
}

/* number / unit = numerator / denominator, both below 2^121. */
static void ratio(struct gbx_number number, struct gbx_number unit, wide *ret_numerator, wide *ret_denominator) {
        int net = unit.decimals - number.decimals;

        *ret_numerator = number.mantissa;
        *ret_denominator = unit.mantissa;
        if (net >= 0)
                *ret_numerator *= powers[net];
        else
                *ret_denominator *= powers[-net];
}

static wide floor_divide(wide a, wide b) {
        if (a <= INT64_MAX && a >= INT64_MIN && b <= INT64_MAX) {
                int64_t x = (int64_t)a, y = (int64_t)b, q = x / y;

                return q - (x % y < 0);
        }
        return a / b - (a % b < 0);
}

bool gbx_number_units(struct gbx_number number, struct gbx_number unit, int64_t *ret_units) {
        wide numerator, denominator, units;

        ratio(number, unit, &numerator, &denominator);
        units = floor_divide(2 * numerator + denominator, 2 * denominator);
        if (units > INT64_MAX / 2 || units < INT64_MIN / 2)
                return false;
        *ret_units = (int64_t)units;
        return true;
}

bool gbx_number_floor_units(struct gbx_number number, struct gbx_number unit, int64_t *ret_units, uint32_t *ret_rest) {
        wide numerator, denominator, units;

        ratio(number, unit, &numerator, &denominator);
        units = floor_divide(numerator, denominator);
        if (units > INT64_MAX / 2 || units < INT64_MIN / 2)
                return false;
        *ret_units = (int64_t)units;
        *ret_rest = (uint32_t)((long double)(numerator - units * denominator) / (long double)denominator * 0x1p32L);
        return true;
}

bool gbx_number_add_units(struct gbx_number number, struct gbx_number unit, int64_t count, struct gbx_number *ret) {
        uint8_t decimals = number.decimals > unit.decimals ? number.decimals : unit.decimals;
        wide sum = (wide)number.mantissa * powers[decimals - number.decimals];

        if (count > powers[9] || count < -powers[9])
                return false;
        sum += (wide)unit.mantissa * powers[decimals - unit.decimals] * count;
        if (sum > powers[GBX_NUMBER_DIGITS] || sum < -powers[GBX_NUMBER_DIGITS])
                return false;
        *ret = (struct gbx_number){ (int64_t)sum, decimals };
        return true;
}

int gbx_number_compare(struct gbx_number a, struct gbx_number b) {
        wide x = (wide)a.mantissa * powers[b.decimals], y = (wide)b.mantissa * powers[a.decimals];

        return x < y ? -1 : x > y;
}

struct gbx_number gbx_number_round(struct gbx_number number) {
        enum { DIGITS = 15 }; /* that a double keeps */
        int drop = 0;

        while (drop < number.decimals && number.mantissa / powers[drop] / powers[DIGITS] != 0)
                drop++;
        if (drop > 0) {
                int64_t half = powers[drop] / 2;

                number.mantissa = (number.mantissa + (number.mantissa < 0 ? -half : half)) / powers[drop];
                number.decimals = (uint8_t)(number.decimals - drop);
        }
        return number;
}

struct gbx_number gbx_number_reduce(struct gbx_number number) {
        while (number.decimals > 0 && number.mantissa % 10 == 0) {
                number.mantissa /= 10;
                number.decimals--;
        }
        return number;
}

double gbx_number_double(struct gbx_number number) {
        return (double)number.mantissa / (double)powers[number.decimals];
}

size_t gbx_number_print(struct gbx_number number, char ret_text[static GBX_NUMBER_TEXT_SIZE]) {
        uint64_t value = number.mantissa < 0 ? -(uint64_t)number.mantissa : (uint64_t)number.mantissa;
        char reversed[GBX_NUMBER_TEXT_SIZE];
        size_t n = 0, size;

        for (unsigned digits = 0; digits <= number.decimals || value > 0; digits++, value /= 10) {
                if (digits == number.decimals && digits > 0)
                        reversed[n++] = '.';
                reversed[n++] = (char)('0' + value % 10);
        }
        if (number.mantissa < 0)
                reversed[n++] = '-';
        size = n;
        for (size_t i = 0; i < size; i++)
                ret_text[i] = reversed[--n];
        ret_text[size] = '\0';
        return size;
}

int gbx_number_declared(const char *text, const char *what, const char *column, struct gbx_number *ret,
                        struct gbx_error *err) {
        if (!gbx_number_parse(text, strlen(text), ret))
                return gbx_fail(err, -EINVAL, "column '%s': the %s '%.40s' is not a decimal of at most %d digits, say 0.01",
                                column, what, text, GBX_NUMBER_DIGITS);
        return 0;
}
