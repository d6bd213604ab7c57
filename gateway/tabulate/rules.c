#include "gateway/tabulate/rules.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MILLION = 1000000 };

const struct gbx_disclosure gbx_disclosure_default = {
        .minimum_on = true, .zeros = true, .dominance_on = true, .p_on = true, .group_on = true, .equal_on = true, .freedom_on = true,
        .extremes_on = true, .quantile_on = true,
        .minimum = 10, .dominance_n = 2, .dominance_share = 900000, .p = 100000, .group_share = MILLION, .freedom = 10,
};

struct judge {
        const struct gbx_disclosure *rules;
        const struct gbx_evidence *evidence;
        struct gbx_findings *findings;
        struct gbx_error *err;
        const struct gbx_evidence_cell *cell;
        const char *column; /* NULL: the cell as a whole */
};

int gbx_disclosure_check(const struct gbx_disclosure *rules, struct gbx_error *err) {
        if (rules->minimum_on && rules->minimum < 1)
                return gbx_fail(err, -EINVAL, "disclosure rules: a minimum below 1 is none");
        if (rules->dominance_on && (rules->dominance_n < 1 || rules->dominance_n > GBX_TALLY_TOP || rules->dominance_share > MILLION))
                return gbx_fail(err, -EINVAL, "disclosure rules: dominance looks at 1 to %d contributors and a share from 0 to 1", GBX_TALLY_TOP);
        if (rules->group_on && (rules->group_share == 0 || rules->group_share > MILLION))
                return gbx_fail(err, -EINVAL, "disclosure rules: the share of a group is above 0 and at most 1");
        return 0;
}

static int __attribute__((format(printf, 4, 5))) report(const struct judge *judge, const char *rule, enum gbx_severity severity, const char *format, ...) {
        struct gbx_finding finding = { .rule = (char *)(uintptr_t)rule, .severity = severity, .output = judge->evidence->table,
                                       .column = (char *)(uintptr_t)judge->column };
        char detail[256];
        va_list list;

        va_start(list, format);
        (void)vsnprintf(detail, sizeof detail, format, list);
        va_end(list);
        finding.detail = detail;
        if (judge->cell)
                finding.row = (uint64_t)(judge->cell - judge->evidence->cells) + 1;
        return gbx_findings_add(judge->findings, &finding, judge->err);
}

/* --- counts ------------------------------------------------------------------------- */

static int check_minimum(const struct judge *judge, uint64_t contributors, const char *whose) {
        const struct gbx_disclosure *rules = judge->rules;

        if (!rules->minimum_on || contributors >= rules->minimum || (contributors == 0 && !rules->zeros))
                return 0;
        return report(judge, "minimum-count", GBX_SEVERITY_FAIL, "%llu %s, fewer than %llu", (unsigned long long)contributors, whose,
                      (unsigned long long)rules->minimum);
}

/* Whether `part` is at least the share of a whole that makes it the whole group. */
static bool is_group(const struct gbx_disclosure *rules, uint64_t part, uint64_t whole) {
        return rules->group_on && whole > 0 && (unsigned __int128)part * MILLION >= (unsigned __int128)whole * rules->group_share;
}

/* A condition's share tells two counts, and that everybody of a group, or nobody, has the answer. */
static int check_share(const struct judge *judge, const struct gbx_evidence_value *value) {
        uint64_t holds = value->holds_first ? value->with[0] : value->with[1], not_holds = value->holds_first ? value->with[1] : value->with[0];
        int r = check_minimum(judge, holds, "contributors for which it holds");

        if (r >= 0)
                r = check_minimum(judge, not_holds, "contributors for which it does not hold");
        if (r >= 0 && (is_group(judge->rules, holds, value->contributors) || is_group(judge->rules, not_holds, value->contributors)))
                r = report(judge, "group-disclosure", GBX_SEVERITY_FAIL, "%llu of %llu contributors have one answer",
                           (unsigned long long)(holds > not_holds ? holds : not_holds), (unsigned long long)value->contributors);
        return r;
}

/* --- sums ----------------------------------------------------------------------------- */

/* Dominance and p-percent on one sum. Exact: a share is compared as a product of whole numbers. */
static int check_sum(const struct judge *judge, const struct gbx_evidence_sum *sum, const char *which) {
        const struct gbx_disclosure *rules = judge->rules;
        mpz_t total, top, part, left, right;
        bool dominated = false, estimated = false;
        int r = 0;

        if (sum->count == 0 || (!rules->dominance_on && !rules->p_on))
                return 0;
        if (sum->negative)
                return report(judge, "dominance", GBX_SEVERITY_REVIEW, "%s: some contributions are below zero, so shares of the total mean nothing", which);
        mpz_inits(total, top, part, left, right, NULL);
        gbx_wide_to_mpz(&sum->total, total);
        for (size_t i = 0; i < sum->count && i < rules->dominance_n; i++) {
                gbx_wide_to_mpz(&sum->top[i], part);
                mpz_add(top, top, part);
        }
        mpz_mul_ui(left, top, MILLION);
        mpz_mul_ui(right, total, rules->dominance_share);
        dominated = rules->dominance_on && mpz_sgn(total) > 0 && mpz_cmp(left, right) >= 0;

        /* (total - first - second) * 10^6 < p * first */
        gbx_wide_to_mpz(&sum->top[0], top);
        mpz_sub(left, total, top);
        if (sum->count > 1) {
                gbx_wide_to_mpz(&sum->top[1], part);
                mpz_sub(left, left, part);
        }
        mpz_mul_ui(left, left, MILLION);
        mpz_mul_ui(right, top, rules->p);
        estimated = rules->p_on && mpz_sgn(top) > 0 && mpz_cmp(left, right) < 0;
        mpz_clears(total, top, part, left, right, NULL);
        if (dominated)
                r = report(judge, "dominance", GBX_SEVERITY_FAIL, "%s: the %u largest contributors make up too much of it", which, rules->dominance_n);
        if (r >= 0 && estimated)
                r = report(judge, "p-percent", GBX_SEVERITY_FAIL, "%s: the second largest contributor can estimate the largest too well", which);
        return r;
}

static int check_values(const struct judge *judge, const struct gbx_evidence_value *value) {
        int r = 0;

        if (judge->rules->equal_on && value->different == 1 && value->rows > 0)
                r = report(judge, "all-equal", GBX_SEVERITY_FAIL, "all %llu contributors have the same value", (unsigned long long)value->contributors);
        if (r >= 0 && value->different == 2) {
                r = check_minimum(judge, value->with[0], "contributors with one of only two values");
                if (r >= 0)
                        r = check_minimum(judge, value->with[1], "contributors with the other of only two values");
        }
        return r;
}

static int check_freedom(const struct judge *judge, uint64_t contributors, uint64_t parameters) {
        if (!judge->rules->freedom_on || (contributors >= parameters && contributors - parameters >= judge->rules->freedom))
                return 0;
        return report(judge, "residual-freedom", GBX_SEVERITY_FAIL, "%llu contributors less %llu parameters leave fewer than %llu degrees of freedom",
                      (unsigned long long)contributors, (unsigned long long)parameters, (unsigned long long)judge->rules->freedom);
}

static int check_quantile(const struct judge *judge, const struct gbx_evidence_value *value) {
        uint64_t least = value->below < value->above ? value->below : value->above;

        if (!judge->rules->quantile_on || value->rows == 0 || least >= judge->rules->minimum)
                return 0;
        return report(judge, "quantile", GBX_SEVERITY_FAIL, "%llu contributors on one side of it, fewer than %llu", (unsigned long long)least,
                      (unsigned long long)judge->rules->minimum);
}

static int check_value(struct judge *judge, enum gbx_statistic_kind kind, const struct gbx_evidence_value *value) {
        bool share = kind == GBX_STATISTIC_SHARE || kind == GBX_STATISTIC_PERCENT;
        bool linear = kind == GBX_STATISTIC_SUM || kind == GBX_STATISTIC_MEAN || kind == GBX_STATISTIC_RATIO || kind == GBX_STATISTIC_VARIANCE;
        int r = 0;

        /* Of the cell's own contributors the cell was judged already. */
        if (value->contributors != judge->cell->contributors)
                r = check_minimum(judge, value->contributors, "contributors with a value");
        if (r >= 0 && judge->rules->missing_on && value->rows < judge->cell->rows)
                r = report(judge, "missing", GBX_SEVERITY_REVIEW, "%llu of %llu rows lack a value", (unsigned long long)(judge->cell->rows - value->rows),
                           (unsigned long long)judge->cell->rows);
        if (r >= 0 && value->rows == 0)
                return 0;
        if (r >= 0 && share)
                r = check_share(judge, value);
        else if (r >= 0)
                r = check_values(judge, value);
        if (r >= 0 && linear)
                r = check_sum(judge, &value->sums[0], "the sum");
        if (r >= 0 && kind == GBX_STATISTIC_RATIO)
                r = check_sum(judge, &value->sums[1], "the divisor");
        if (r >= 0 && kind == GBX_STATISTIC_QUANTILE)
                r = check_quantile(judge, value);
        if (r >= 0 && kind == GBX_STATISTIC_VARIANCE)
                r = check_freedom(judge, value->contributors, 1);
        if (r >= 0 && kind == GBX_STATISTIC_CORRELATION)
                r = check_freedom(judge, value->contributors, 2);
        if (r >= 0 && judge->rules->extremes_on && (kind == GBX_STATISTIC_MINIMUM || kind == GBX_STATISTIC_MAXIMUM))
                r = report(judge, "extremes", GBX_SEVERITY_FAIL, "it is the value of somebody");
        return r;
}

/* --- groups: everybody of a line of cells in one of them ------------------------------ */

/* Whether two cells differ in key `index` alone. */
static bool same_line(const struct gbx_evidence *evidence, const struct gbx_evidence_cell *a, const struct gbx_evidence_cell *b, size_t index) {
        for (size_t i = 0; i < evidence->key_count; i++)
                if (i != index && (a->states[i] != b->states[i] || strcmp(a->keys[i], b->keys[i]) != 0))
                        return false;
        return true;
}

struct line_order {
        const struct gbx_evidence *evidence;
        size_t index;
};

static int by_line(const void *a, const void *b, void *data) {
        const struct line_order *order = data;
        const struct gbx_evidence_cell *x = *(const struct gbx_evidence_cell *const *)a, *y = *(const struct gbx_evidence_cell *const *)b;
        int result = 0;

        for (size_t i = 0; i < order->evidence->key_count && result == 0; i++)
                if (i != order->index)
                        result = x->states[i] != y->states[i] ? (int)x->states[i] - (int)y->states[i] : strcmp(x->keys[i], y->keys[i]);
        return result ? result : x < y ? -1 : x > y;
}

/* The cells of a line are those over which a total would go; one alone is no line. */
static int check_line(struct judge *judge, const struct gbx_evidence_cell *const *cells, size_t count, size_t index) {
        uint64_t whole = 0;
        int r = 0;

        for (size_t i = 0; i < count; i++)
                whole += cells[i]->contributors;
        for (size_t i = 0; count > 1 && i < count && r >= 0; i++) {
                if (!is_group(judge->rules, cells[i]->contributors, whole))
                        continue;
                judge->cell = cells[i];
                r = report(judge, "group-disclosure", GBX_SEVERITY_FAIL, "%llu of %llu contributors of a group are in this cell of '%.64s'",
                           (unsigned long long)cells[i]->contributors, (unsigned long long)whole, judge->evidence->keys[index]);
        }
        return r;
}

static int check_groups(struct judge *judge, size_t index) {
        const struct gbx_evidence *evidence = judge->evidence;
        gbx_auto(gbx_free_pointer) const struct gbx_evidence_cell **cells = calloc(evidence->cell_count + 1, sizeof(struct gbx_evidence_cell *));
        struct line_order order = { evidence, index };
        size_t count = 0;
        int r = 0;

        if (!cells)
                return gbx_fail_memory(judge->err);
        for (size_t i = 0; i < evidence->cell_count; i++)
                if (evidence->cells[i].states[index] != GBX_CELL_ALL)
                        cells[count++] = &evidence->cells[i];
        qsort_r(cells, count, sizeof(struct gbx_evidence_cell *), by_line, &order);
        for (size_t first = 0, end; first < count && r >= 0; first = end) {
                for (end = first + 1; end < count && same_line(evidence, cells[first], cells[end], index);)
                        end++;
                r = check_line(judge, cells + first, end - first, index);
        }
        return r;
}

int gbx_disclosure_apply(const struct gbx_disclosure *rules, const struct gbx_evidence *evidence, struct gbx_findings *findings,
                         struct gbx_error *err) {
        struct judge judge = { .rules = rules, .evidence = evidence, .findings = findings, .err = err };
        int r = gbx_disclosure_check(rules, err);

        if (r >= 0 && rules->minimum_on && rules->zeros && evidence->absent)
                r = report(&judge, "minimum-count", GBX_SEVERITY_REVIEW, "%llu combinations of key values have no cell, so nobody", (unsigned long long)evidence->absent);
        for (size_t i = 0; i < evidence->cell_count && r >= 0; i++) {
                judge.cell = &evidence->cells[i];
                judge.column = NULL;
                r = check_minimum(&judge, judge.cell->contributors, "contributors");
                if (r >= 0 && evidence->parameters)
                        r = check_freedom(&judge, judge.cell->contributors, evidence->parameters);
                for (size_t k = 0; k < evidence->statistic_count && r >= 0; k++) {
                        judge.column = evidence->statistics[k].name;
                        r = check_value(&judge, evidence->statistics[k].kind, &judge.cell->values[k]);
                }
        }
        judge.column = NULL;
        for (size_t i = 0; i < evidence->key_count && rules->group_on && r >= 0; i++)
                r = check_groups(&judge, i);
        return r < 0 ? r : 0;
}
