#include "policy/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t powers[GBX_DECIMAL_MAX_DIGITS + 1] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
        1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
        1000000000000000000,
};

int gbx_decimal_parse(const char *text, struct gbx_decimal *ret, struct gbx_error *err) {
        const char *digits = text + (*text == '-');
        size_t whole = strspn(digits, "0123456789"), fraction = 0;
        struct gbx_decimal value = {};
        size_t significant = 0;

        if (digits[whole] == '.')
                fraction = strspn(digits + whole + 1, "0123456789");
        if (whole == 0 || (digits[whole] == '.' && fraction == 0) || digits[whole + (fraction ? fraction + 1 : 0)])
                return gbx_fail(err, -EINVAL, "'%.40s' is not a number such as 12 or -0.05", text);
        if (fraction > GBX_DECIMAL_MAX_DIGITS)
                return gbx_fail(err, -EINVAL, "'%.40s' has more than %d digits", text, GBX_DECIMAL_MAX_DIGITS);
        for (const char *c = digits; *c; c++) {
                if (*c == '.')
                        continue;
                if (significant || *c != '0')
                        significant++;
                if (significant > GBX_DECIMAL_MAX_DIGITS)
                        return gbx_fail(err, -EINVAL, "'%.40s' has more than %d digits", text, GBX_DECIMAL_MAX_DIGITS);
                value.mantissa = value.mantissa * 10 + (*c - '0');
        }
        value.scale = (unsigned)fraction;
        if (*text == '-')
                value.mantissa = -value.mantissa;
        *ret = value;
        return 0;
}

/* An exponent of up to four digits; its end in `*at`. */
static bool read_exponent(const char **at, int *ret) {
        const char *digits = *at + 1 + ((*at)[1] == '+' || (*at)[1] == '-');
        size_t count = strspn(digits, "0123456789"), zeros = strspn(digits, "0");
        int value = 0;

        if (count == 0 || count - zeros > 4)
                return false;
        for (size_t i = zeros; i < count; i++)
                value = value * 10 + (digits[i] - '0');
        *ret = (*at)[1] == '-' ? -value : value;
        *at = digits + count;
        return true;
}

/* Digits of a number on their way into a mantissa: the first 18 that matter, and whether any other was not 0. */
struct digits {
        int64_t mantissa;
        int significant; /* in the mantissa, without leading zeros */
        int point;       /* value = mantissa * 10^point */
        bool cut;
};

static void add_digit(struct digits *digits, int digit, bool fraction) {
        if (digits->significant < GBX_DECIMAL_MAX_DIGITS) {
                digits->mantissa = digits->mantissa * 10 + digit;
                digits->significant += digits->significant || digit;
                digits->point -= fraction;
        } else {
                digits->cut |= digit != 0;
                digits->point += !fraction;
        }
}

/* Brings the value into a decimal's range. A digit that was cut makes a last 0 or 5 a 1 or 6: no value comes to lie on
 * a multiple of a coarser unit, or half-way between two, that did not lie there. */
static bool settle(struct digits *digits) {
        for (; digits->point < 0 && digits->mantissa % 10 == 0 && !digits->cut; digits->point++)
                digits->mantissa /= 10;
        for (; digits->point < -GBX_DECIMAL_MAX_DIGITS && digits->mantissa; digits->point++) {
                digits->cut |= digits->mantissa % 10 != 0;
                digits->mantissa /= 10;
        }
        if (digits->point < -GBX_DECIMAL_MAX_DIGITS) /* nothing is left of it */
                digits->point = -GBX_DECIMAL_MAX_DIGITS;
        for (; digits->point > 0 && digits->mantissa; digits->point--) {
                if (++digits->significant > GBX_DECIMAL_MAX_DIGITS)
                        return false;
                digits->mantissa *= 10;
        }
        if (digits->mantissa == 0 && !digits->cut)
                digits->point = 0;
        if (digits->cut && digits->point == 0) /* more than 18 digits before the point */
                return false;
        digits->mantissa += digits->cut && digits->mantissa % 5 == 0;
        return true;
}

int gbx_decimal_read(const char *text, struct gbx_decimal *ret, bool *ret_cut, struct gbx_error *err) {
        const char *at = text + (*text == '-');
        struct digits digits = {};
        size_t count = 0;
        int exponent = 0;

        for (; *at >= '0' && *at <= '9'; at++, count++)
                add_digit(&digits, *at - '0', false);
        if (*at == '.') {
                const char *point = at++;

                for (; *at >= '0' && *at <= '9'; at++, count++)
                        add_digit(&digits, *at - '0', true);
                if (at == point + 1)
                        count = 0;
        }
        if (count == 0 || ((*at == 'e' || *at == 'E') && !read_exponent(&at, &exponent)) || *at)
                return gbx_fail(err, -EINVAL, "'%.40s' is not a number such as 12, -0.05 or 1e-3", text);
        digits.point += exponent;
        if (!settle(&digits))
                return gbx_fail(err, -EINVAL, "'%.40s' has more than %d digits", text, GBX_DECIMAL_MAX_DIGITS);
        *ret = (struct gbx_decimal){ *text == '-' ? -digits.mantissa : digits.mantissa, (unsigned)-digits.point };
        *ret_cut = digits.cut;
        return 0;
}

/* value * 10^(scale - value's scale); the product of two 18-digit numbers fits into 128 bits. */
static __int128 at_scale(const struct gbx_decimal *value, unsigned scale) {
        return (__int128)value->mantissa * powers[scale - value->scale];
}

int gbx_decimal_compare(const struct gbx_decimal *a, const struct gbx_decimal *b) {
        unsigned scale = a->scale > b->scale ? a->scale : b->scale;
        __int128 x = at_scale(a, scale), y = at_scale(b, scale);

        return x < y ? -1 : x > y;
}

int gbx_decimal_round(const struct gbx_decimal *value, const struct gbx_decimal *unit, struct gbx_decimal *ret,
                      struct gbx_error *err) {
        unsigned scale = value->scale > unit->scale ? value->scale : unit->scale;
        __int128 x = at_scale(value, scale), q = at_scale(unit, scale), multiple, rest, result;

        if (unit->mantissa <= 0)
                return gbx_fail(err, -EINVAL, "a unit must be greater than zero");
        multiple = x / q;
        rest = x - multiple * q;
        if (rest < 0)
                rest = -rest;
        if (2 * rest > q || (2 * rest == q && multiple % 2 != 0))
                multiple += x < 0 ? -1 : 1;
        if (multiple > INT64_MAX || multiple < -(__int128)INT64_MAX)
                return gbx_fail(err, -EINVAL, "the number is too large for its unit");
        result = multiple * unit->mantissa;
        if (result >= powers[GBX_DECIMAL_MAX_DIGITS] || result <= -powers[GBX_DECIMAL_MAX_DIGITS])
                return gbx_fail(err, -EINVAL, "the number is too large for its unit");
        *ret = (struct gbx_decimal){ (int64_t)result, unit->scale };
        return 0;
}

void gbx_decimal_text(const struct gbx_decimal *value, char ret_text[static GBX_DECIMAL_TEXT_SIZE]) {
        int64_t size = llabs(value->mantissa), whole = size / powers[value->scale], fraction = size % powers[value->scale];
        const char *sign = value->mantissa < 0 ? "-" : "";

        if (value->scale)
                (void)snprintf(ret_text, GBX_DECIMAL_TEXT_SIZE, "%s%lld.%0*lld", sign, (long long)whole,
                               (int)value->scale, (long long)fraction);
        else
                (void)snprintf(ret_text, GBX_DECIMAL_TEXT_SIZE, "%s%lld", sign, (long long)whole);
}
