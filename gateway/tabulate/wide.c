#include "gateway/tabulate/wide.h"

#include <stdio.h>
#include <string.h>

typedef unsigned __int128 wide;

static void add(struct gbx_wide *sum, const uint64_t limbs[4]) {
        wide carry = 0;

        for (size_t i = 0; i < 4; i++) {
                carry += (wide)sum->limbs[i] + limbs[i];
                sum->limbs[i] = (uint64_t)carry;
                carry >>= 64;
        }
}

static void negate(uint64_t limbs[4]) {
        wide carry = 1;

        for (size_t i = 0; i < 4; i++) {
                carry += (uint64_t)~limbs[i];
                limbs[i] = (uint64_t)carry;
                carry >>= 64;
        }
}

static uint64_t size_of(int64_t a) { return a < 0 ? 0 - (uint64_t)a : (uint64_t)a; }

static void add_signed(struct gbx_wide *sum, uint64_t limbs[4], bool negative) {
        if (negative)
                negate(limbs);
        add(sum, limbs);
}

void gbx_wide_add(struct gbx_wide *sum, const struct gbx_wide *other) { add(sum, other->limbs); }

void gbx_wide_add_number(struct gbx_wide *sum, int64_t a) {
        uint64_t sign = a < 0 ? UINT64_MAX : 0;

        add(sum, (uint64_t[4]){ (uint64_t)a, sign, sign, sign });
}

void gbx_wide_add_product3(struct gbx_wide *sum, int64_t a, int64_t b, int64_t c) {
        wide product = (wide)size_of(a) * size_of(b), low = (wide)(uint64_t)product * size_of(c);
        wide high = (product >> 64) * size_of(c) + (low >> 64);
        uint64_t limbs[4] = { (uint64_t)low, (uint64_t)high, (uint64_t)(high >> 64), 0 };

        add_signed(sum, limbs, (a < 0) ^ (b < 0) ^ (c < 0));
}

void gbx_wide_negate(struct gbx_wide *sum) { negate(sum->limbs); }

void gbx_wide_to_mpz(const struct gbx_wide *sum, mpz_t ret) {
        bool negative = sum->limbs[3] >> 63;
        uint64_t limbs[4];

        memcpy(limbs, sum->limbs, sizeof limbs);
        if (negative)
                negate(limbs);
        mpz_import(ret, 4, -1, sizeof limbs[0], 0, 0, limbs);
        if (negative)
                mpz_neg(ret, ret);
}

void gbx_int128_to_mpz(__int128 value, mpz_t ret) {
        struct gbx_wide sum = {};

        gbx_wide_add_wide_number(&sum, value);
        gbx_wide_to_mpz(&sum, ret);
}

/* value / 10^decimals as text. */
static bool scaled_text(const mpz_t value, unsigned decimals, char *ret) {
        char digits[GBX_WIDE_TEXT_SIZE * 2];
        size_t length;
        bool negative = mpz_sgn(value) < 0;

        if (mpz_sizeinbase(value, 10) + decimals + 4 > GBX_WIDE_TEXT_SIZE)
                return false;
        (void)mpz_get_str(digits, 10, value);
        if (negative)
                memmove(digits, digits + 1, strlen(digits));
        length = strlen(digits);
        if (length <= decimals) { /* at least one digit before the point */
                memmove(digits + (decimals + 1 - length), digits, length + 1);
                memset(digits, '0', decimals + 1 - length);
                length = decimals + 1;
        }
        (void)snprintf(ret, GBX_WIDE_TEXT_SIZE, "%s%.*s%s%s", negative ? "-" : "", (int)(length - decimals), digits, decimals ? "." : "",
                       digits + length - decimals);
        return true;
}

bool gbx_quotient_text(const mpz_t a, const mpz_t b, unsigned decimals, char ret_text[static GBX_WIDE_TEXT_SIZE]) {
        mpz_t numerator, denominator, quotient, rest;
        bool good;
        int half;

        if (mpz_sgn(b) == 0)
                return false;
        mpz_inits(numerator, denominator, quotient, rest, NULL);
        mpz_ui_pow_ui(numerator, 10, decimals);
        mpz_mul(numerator, numerator, a);
        mpz_abs(denominator, b);
        if (mpz_sgn(b) < 0)
                mpz_neg(numerator, numerator);
        mpz_fdiv_qr(quotient, rest, numerator, denominator);
        mpz_mul_2exp(rest, rest, 1);
        half = mpz_cmp(rest, denominator);
        if (half > 0 || (half == 0 && mpz_odd_p(quotient)))
                mpz_add_ui(quotient, quotient, 1);
        good = scaled_text(quotient, decimals, ret_text);
        mpz_clears(numerator, denominator, quotient, rest, NULL);
        return good;
}

bool gbx_root_text(int sign, const mpz_t a, const mpz_t b, unsigned decimals, char ret_text[static GBX_WIDE_TEXT_SIZE]) {
        mpz_t square, root;
        bool good;

        if (mpz_sgn(b) <= 0 || mpz_sgn(a) < 0)
                return false;
        mpz_inits(square, root, NULL);
        /* floor(2 * 10^decimals * sqrt(a / b)) = floor(sqrt(floor(4 * 100^decimals * a / b))); then half of it, rounded up. */
        mpz_ui_pow_ui(square, 100, decimals);
        mpz_mul_2exp(square, square, 2);
        mpz_mul(square, square, a);
        mpz_fdiv_q(square, square, b);
        mpz_sqrt(root, square);
        mpz_add_ui(root, root, 1);
        mpz_fdiv_q_2exp(root, root, 1);
        if (sign < 0)
                mpz_neg(root, root);
        good = scaled_text(root, decimals, ret_text);
        mpz_clears(square, root, NULL);
        return good;
}
