#include "gateway/tabulate/expression/fixed.h"

#include <stdio.h>

typedef __int128 wide;

static const int64_t powers[GBX_FIXED_MAX_SCALE + 1] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
        1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
        1000000000000000000,
};

int64_t gbx_power_of_ten(unsigned exponent) { return powers[exponent]; }

static bool fit(wide value, int64_t *ret) {
        if (value > INT64_MAX || value < INT64_MIN)
                return false;
        *ret = (int64_t)value;
        return true;
}

bool gbx_fixed_rescale(int64_t value, unsigned from, unsigned to, int64_t *ret) {
        return fit((wide)value * powers[to - from], ret);
}

/* The nearest whole number to a / b, halves away from zero. b != 0; 2 |a| + |b| fits into 128 bits. */
static wide quotient(wide a, wide b) {
        wide x = a < 0 ? -a : a, y = b < 0 ? -b : b, q = (2 * x + y) / (2 * y);

        return (a < 0) != (b < 0) ? -q : q;
}

/* With scale - scale_a <= 6 and scale_b <= 12 the numerator has at most 37 digits. */
bool gbx_fixed_divide(int64_t a, unsigned scale_a, int64_t b, unsigned scale_b, unsigned scale, int64_t *ret) {
        return fit(quotient((wide)a * powers[scale - scale_a + scale_b], b), ret);
}

int gbx_fixed_compare(int64_t a, unsigned scale_a, int64_t b, unsigned scale_b) {
        unsigned scale = scale_a > scale_b ? scale_a : scale_b;
        wide x = (wide)a * powers[scale - scale_a], y = (wide)b * powers[scale - scale_b];

        return x < y ? -1 : x > y;
}

static bool is_digit(char byte) { return (unsigned char)(byte - '0') < 10; }

/* "e-3" at `*at`; at most three digits. */
static bool read_exponent(const char *text, size_t size, size_t *at, int *ret) {
        size_t i = *at + 1, start;
        bool negative = i < size && text[i] == '-';
        int value = 0;

        if (i < size && (text[i] == '+' || text[i] == '-'))
                i++;
        for (start = i; i < size && is_digit(text[i]) && i - start < 3; i++)
                value = value * 10 + (text[i] - '0');
        if (i == start)
                return false;
        *at = i;
        *ret = negative ? -value : value;
        return true;
}

/* Takes digits off the end: false if one is not zero and may not be rounded. */
static bool drop_digits(wide *value, unsigned count, bool round) {
        int last = 0;
        bool rest = false; /* something behind the last digit taken off */

        for (; count > 0; count--) {
                rest |= last != 0;
                last = (int)(*value % 10);
                *value /= 10;
        }
        if (!round)
                return last == 0 && !rest;
        if (last > 5 || (last == 5 && (rest || *value % 2)))
                ++*value;
        return true;
}

bool gbx_fixed_parse(const char *text, size_t size, unsigned scale, bool round, int64_t *ret) {
        bool negative = size > 0 && text[0] == '-';
        size_t at = negative, whole, fraction = 0;
        wide value = 0, most = (wide)1 << 96;
        int exponent = 0, shift;

        for (whole = at; at < size && is_digit(text[at]) && value < most; at++)
                value = value * 10 + (text[at] - '0');
        if (at == whole)
                return false;
        if (at < size && text[at] == '.') {
                for (whole = ++at; at < size && is_digit(text[at]) && value < most; at++)
                        value = value * 10 + (text[at] - '0');
                fraction = at - whole;
                if (fraction == 0)
                        return false;
        }
        if (at < size && (text[at] == 'e' || text[at] == 'E') && !read_exponent(text, size, &at, &exponent))
                return false;
        if (at != size)
                return false;
        /* value * 10^(exponent - fraction) is to become an integer times 10^-scale. */
        for (shift = exponent - (int)fraction + (int)scale; shift > 0 && value != 0; shift--) {
                if (value >= most)
                        return false;
                value *= 10;
        }
        if (shift < 0 && !drop_digits(&value, (unsigned)-shift, round))
                return false;
        return fit(negative ? -value : value, ret);
}

void gbx_fixed_text(int64_t value, unsigned scale, char ret_text[static GBX_FIXED_TEXT_SIZE]) {
        uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value, unit = (uint64_t)powers[scale];

        if (scale)
                (void)snprintf(ret_text, GBX_FIXED_TEXT_SIZE, "%s%llu.%0*llu", value < 0 ? "-" : "",
                               (unsigned long long)(size / unit), (int)scale, (unsigned long long)(size % unit));
        else
                (void)snprintf(ret_text, GBX_FIXED_TEXT_SIZE, "%lld", (long long)value);
}

/* After Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March. */
int64_t gbx_days_from_text(const char text[static 10]) {
        int64_t year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
        int64_t month = (text[5] - '0') * 10 + (text[6] - '0'), day = (text[8] - '0') * 10 + (text[9] - '0');
        int64_t era, year_of_era, day_of_year;

        year -= month <= 2;
        era = (year >= 0 ? year : year - 399) / 400;
        year_of_era = year - era * 400;
        day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void gbx_days_split(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day) {
        int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, day_of_era = z - era * 146097;
        int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100), month = (5 * day_of_year + 2) / 153;

        *ret_day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
        *ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
        *ret_year = year + era * 400 + (month >= 10);
}
