#include "gateway/tabulate/tally.h"

#include <stdio.h>

/* The sums of a tally as numbers of GMP. A mean and so on is a quotient of these, divided and rounded once. */
struct sums {
        mpz_t n, x, xx, y, yy, xy, a, b, c;
};

static void load(struct sums *sums, const struct gbx_tally *tally, bool weighted) {
        mpz_inits(sums->n, sums->x, sums->xx, sums->y, sums->yy, sums->xy, sums->a, sums->b, sums->c, NULL);
        if (weighted)
                gbx_wide_to_mpz(&tally->weight, sums->n);
        else
                mpz_set_ui(sums->n, tally->rows);
        gbx_wide_to_mpz(&tally->x, sums->x);
        gbx_wide_to_mpz(&tally->xx, sums->xx);
        gbx_wide_to_mpz(&tally->y, sums->y);
        gbx_wide_to_mpz(&tally->yy, sums->yy);
        gbx_wide_to_mpz(&tally->xy, sums->xy);
}

static void unload(struct sums *sums) { mpz_clears(sums->n, sums->x, sums->xx, sums->y, sums->yy, sums->xy, sums->a, sums->b, sums->c, NULL); }

static void times_power(mpz_t value, unsigned exponent) {
        mpz_t power;

        mpz_init(power);
        mpz_ui_pow_ui(power, 10, exponent);
        mpz_mul(value, value, power);
        mpz_clear(power);
}

/* n * ab - a * b: n^2 times the covariance of two columns. */
static void spread(mpz_t ret, const mpz_t n, const mpz_t ab, const mpz_t a, const mpz_t b) {
        mpz_mul(ret, n, ab);
        mpz_submul(ret, a, b);
}

static bool variance_text(struct sums *sums, unsigned scale, unsigned weight_scale, unsigned decimals, char *ret) {
        mpz_set_ui(sums->c, 1);
        times_power(sums->c, weight_scale);
        mpz_sub(sums->b, sums->n, sums->c); /* the weights' sum less one */
        if (mpz_sgn(sums->b) <= 0)
                return *ret = 0, true;
        spread(sums->a, sums->n, sums->xx, sums->x, sums->x);
        mpz_mul(sums->b, sums->b, sums->n);
        times_power(sums->b, 2 * scale);
        return gbx_quotient_text(sums->a, sums->b, decimals, ret);
}

static bool correlation_text(struct sums *sums, unsigned decimals, char *ret) {
        int sign;

        spread(sums->a, sums->n, sums->xy, sums->x, sums->y);
        spread(sums->b, sums->n, sums->xx, sums->x, sums->x);
        spread(sums->c, sums->n, sums->yy, sums->y, sums->y);
        sign = mpz_sgn(sums->a);
        mpz_mul(sums->a, sums->a, sums->a);
        mpz_mul(sums->b, sums->b, sums->c);
        if (mpz_sgn(sums->b) == 0)
                return *ret = 0, true;
        return gbx_root_text(sign, sums->a, sums->b, decimals, ret);
}

/* Between the neighbours of place (n - 1) * at. */
static bool quantile_text(struct sums *sums, const struct gbx_tally *tally, uint64_t millionths, unsigned scale, unsigned decimals, char *ret) {
        unsigned __int128 place = (unsigned __int128)(tally->measured_count - 1) * millionths;
        size_t low = (size_t)(place / 1000000), high = low + 1 < tally->measured_count ? low + 1 : low;
        __int128 step = (__int128)tally->measured[high].value - tally->measured[low].value;

        gbx_int128_to_mpz((__int128)tally->measured[low].value * 1000000 + (__int128)(place % 1000000) * step, sums->a);
        mpz_set_ui(sums->b, 1000000);
        times_power(sums->b, scale);
        return gbx_quotient_text(sums->a, sums->b, decimals, ret);
}

static bool number_text(struct sums *sums, int64_t value, unsigned scale, unsigned decimals, char *ret) {
        gbx_int128_to_mpz(value, sums->a);
        mpz_set_ui(sums->b, 1);
        times_power(sums->b, scale);
        return gbx_quotient_text(sums->a, sums->b, decimals, ret);
}

static bool quotient_or_nothing(const mpz_t a, const mpz_t b, unsigned decimals, char *ret) {
        if (mpz_sgn(b) == 0)
                return *ret = 0, true;
        return gbx_quotient_text(a, b, decimals, ret);
}

static bool value_text(struct sums *sums, const struct gbx_tally *tally, const struct gbx_statistic *statistic, uint64_t contributors,
                       char *ret) {
        unsigned x = statistic->of_expression ? statistic->of_expression->type.scale : 0;
        unsigned y = statistic->over_expression ? statistic->over_expression->type.scale : 0;
        unsigned w = statistic->weight_expression ? statistic->weight_expression->type.scale : 0;

        mpz_set_ui(sums->b, 1);
        switch ((enum gbx_statistic_kind)statistic->kind) {
        case GBX_STATISTIC_COUNT:
                times_power(sums->b, w);
                return gbx_quotient_text(sums->n, sums->b, statistic->decimals, ret);
        case GBX_STATISTIC_CONTRIBUTORS:
        case GBX_STATISTIC_DISTINCT:
                (void)snprintf(ret, GBX_WIDE_TEXT_SIZE, "%llu",
                               (unsigned long long)(statistic->kind == GBX_STATISTIC_DISTINCT ? tally->distinct.count : contributors));
                return true;
        case GBX_STATISTIC_SUM:
                times_power(sums->b, x + w);
                return gbx_quotient_text(sums->x, sums->b, statistic->decimals, ret);
        case GBX_STATISTIC_MEAN:
                times_power(sums->n, x);
                return quotient_or_nothing(sums->x, sums->n, statistic->decimals, ret);
        case GBX_STATISTIC_VARIANCE:
                return variance_text(sums, x, w, statistic->decimals, ret);
        case GBX_STATISTIC_PERCENT:
                mpz_mul_ui(sums->x, sums->x, 100);
                return quotient_or_nothing(sums->x, sums->n, statistic->decimals, ret);
        case GBX_STATISTIC_SHARE:
                return quotient_or_nothing(sums->x, sums->n, statistic->decimals, ret);
        case GBX_STATISTIC_RATIO:
                times_power(sums->x, y);
                times_power(sums->y, x);
                return quotient_or_nothing(sums->x, sums->y, statistic->decimals, ret);
        case GBX_STATISTIC_QUANTILE:
                return quantile_text(sums, tally, (uint64_t)statistic->at_millionths, x, statistic->decimals, ret);
        case GBX_STATISTIC_MINIMUM:
                return number_text(sums, tally->minimum, x, statistic->decimals, ret);
        case GBX_STATISTIC_MAXIMUM:
                return number_text(sums, tally->maximum, x, statistic->decimals, ret);
        case GBX_STATISTIC_CORRELATION:
                return correlation_text(sums, statistic->decimals, ret);
        case GBX_STATISTIC_KINDS_:
                break;
        }
        return false;
}

/* Statistics that have a value without any row. */
static bool is_zero_without_rows(enum gbx_statistic_kind kind) {
        return kind == GBX_STATISTIC_COUNT || kind == GBX_STATISTIC_CONTRIBUTORS || kind == GBX_STATISTIC_DISTINCT;
}

int gbx_tally_text(const struct gbx_tally *tally, const struct gbx_tally_plan *plan, uint64_t contributors,
                   char ret_text[static GBX_WIDE_TEXT_SIZE], struct gbx_error *err) {
        char text[GBX_WIDE_TEXT_SIZE] = "";
        struct sums sums;
        bool good = true;

        if (tally->rows > 0 || is_zero_without_rows(plan->statistic->kind)) {
                load(&sums, tally, plan->weighted);
                good = value_text(&sums, tally, plan->statistic, contributors, text);
                unload(&sums);
        }
        if (!good)
                return gbx_fail(err, -ERANGE, "statistic '%s' of a cell is too large to be written", plan->statistic->name);
        (void)snprintf(ret_text, GBX_WIDE_TEXT_SIZE, "%s", text);
        return 0;
}
