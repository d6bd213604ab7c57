#include "gateway/tabulate/expression/node.h"

#include "base/cleanup.h"
#include "gateway/tabulate/expression/fixed.h"

#include <stdlib.h>
#include <string.h>

/* --- checks ----------------------------------------------------------------------- */

static int all_of(struct gbx_checker *checker, const struct gbx_node *node, enum gbx_kind kind) {
        int r = 0;

        for (size_t i = 0; i < node->count && r >= 0; i++)
                r = gbx_check_kind(checker, node->args[i], kind, node->function->name);
        return r;
}

static int number_to_number(struct gbx_checker *checker, struct gbx_node *node) {
        node->type.scale = node->args[0]->type.scale;
        return all_of(checker, node, GBX_KIND_NUMBER);
}

static int number_to_whole(struct gbx_checker *checker, struct gbx_node *node) { return all_of(checker, node, GBX_KIND_NUMBER); }

static int text_to_number(struct gbx_checker *checker, struct gbx_node *node) { return all_of(checker, node, GBX_KIND_TEXT); }

static int text_to_text(struct gbx_checker *checker, struct gbx_node *node) {
        node->type.kind = GBX_KIND_TEXT;
        return all_of(checker, node, GBX_KIND_TEXT);
}

static int text_to_boolean(struct gbx_checker *checker, struct gbx_node *node) {
        node->type.kind = GBX_KIND_BOOLEAN;
        return all_of(checker, node, GBX_KIND_TEXT);
}

static int date_to_number(struct gbx_checker *checker, struct gbx_node *node) { return all_of(checker, node, GBX_KIND_DATE); }

static int boolean_to_number(struct gbx_checker *checker, struct gbx_node *node) { return all_of(checker, node, GBX_KIND_BOOLEAN); }

static int check_extreme(struct gbx_checker *checker, struct gbx_node *node) {
        bool missing = true;

        for (size_t i = 0; i < node->count; i++) {
                if (node->args[i]->type.kind != GBX_KIND_NUMBER && node->args[i]->type.kind != GBX_KIND_DATE)
                        return gbx_mistake(checker, node->args[i]->character, "%s() wants numbers or dates", node->function->name);
                missing &= node->args[i]->type.missing;
        }
        if (gbx_check_same(checker, node, 0, 1, &node->type) < 0)
                return checker->err->code;
        node->type.missing = missing;
        return 0;
}

static int check_coalesce(struct gbx_checker *checker, struct gbx_node *node) {
        bool missing = true;

        for (size_t i = 0; i < node->count; i++)
                missing &= node->args[i]->type.missing;
        if (gbx_check_same(checker, node, 0, 1, &node->type) < 0)
                return checker->err->code;
        node->type.missing = missing;
        return 0;
}

/* The arguments from `first` on must be literal numbers from `least` on. */
static int literals(struct gbx_checker *checker, const struct gbx_node *node, size_t first, int64_t least, int64_t most) {
        for (size_t i = first; i < node->count; i++) {
                const struct gbx_node *arg = node->args[i];

                if (arg->op != GBX_OP_LITERAL || arg->type.kind != GBX_KIND_NUMBER || arg->type.scale != 0 || arg->number < least ||
                    arg->number > most)
                        return gbx_mistake(checker, arg->character, "%s() wants a whole number from %lld to %lld written here",
                                           node->function->name, (long long)least, (long long)most);
        }
        return 0;
}

static int check_round(struct gbx_checker *checker, struct gbx_node *node) {
        int r = gbx_check_kind(checker, node->args[0], GBX_KIND_NUMBER, "round");

        if (r >= 0)
                r = literals(checker, node, 1, 0, GBX_FIXED_MAX_SCALE);
        if (r < 0)
                return r;
        node->type.scale = node->args[0]->type.scale;
        if (node->count == 1)
                node->type.scale = 0;
        else if ((uint64_t)node->args[1]->number < node->type.scale)
                node->type.scale = (unsigned)node->args[1]->number;
        return 0;
}

static int check_substr(struct gbx_checker *checker, struct gbx_node *node) {
        int r = gbx_check_kind(checker, node->args[0], GBX_KIND_TEXT, "substr");

        node->type = (struct gbx_kind_of){ .kind = GBX_KIND_TEXT, .missing = true };
        return r < 0 ? r : literals(checker, node, 1, 1, 1000000);
}

static int literal_numbers(struct gbx_checker *checker, const struct gbx_node *node) {
        int r = all_of(checker, node, GBX_KIND_NUMBER);

        for (size_t i = 1; i < node->count && r >= 0; i++)
                if (node->args[i]->op != GBX_OP_LITERAL)
                        r = gbx_mistake(checker, node->args[i]->character, "%s() wants a number written here", node->function->name);
        return r;
}

static int check_width(struct gbx_checker *checker, struct gbx_node *node) {
        const struct gbx_node *width = node->args[1];
        int r = literal_numbers(checker, node);

        if (r < 0)
                return r;
        if (width->number <= 0)
                return gbx_mistake(checker, width->character, "width() wants a width above zero");
        node->type.scale = width->type.scale;
        if (node->count == 3 && node->args[2]->type.scale > node->type.scale)
                node->type.scale = node->args[2]->type.scale;
        return 0;
}

static int check_cut(struct gbx_checker *checker, struct gbx_node *node) {
        int r = literal_numbers(checker, node);

        for (size_t i = 2; i < node->count && r >= 0; i++) {
                const struct gbx_node *before = node->args[i - 1], *limit = node->args[i];

                if (gbx_fixed_compare(before->number, before->type.scale, limit->number, limit->type.scale) >= 0)
                        r = gbx_mistake(checker, limit->character, "the limits of cut() must increase");
        }
        node->type.kind = GBX_KIND_TEXT;
        return r;
}

/* --- evaluation: arguments are there, never missing but where the table says ------- */

static int overflow(struct gbx_error *err, const struct gbx_node *node) {
        return gbx_fail(err, -ERANGE, "character %zu: in a row the result does not fit into 64 bits", node->character);
}

#define EVALUATE(name)                                                                                                \
        static int name(const struct gbx_node *node, const struct gbx_scalar *args, struct gbx_scratch *scratch,      \
                        struct gbx_scalar *ret, struct gbx_error *err)
#define UNUSED (void)node, (void)args, (void)scratch, (void)err

EVALUATE(do_abs) {
        UNUSED;
        if (args[0].number == INT64_MIN)
                return overflow(err, node);
        ret->number = args[0].number < 0 ? -args[0].number : args[0].number;
        return 0;
}

static int64_t floor_divide(__int128 a, __int128 b) { return (int64_t)(a / b - (a % b < 0)); }

EVALUATE(do_floor) {
        UNUSED;
        ret->number = floor_divide(args[0].number, gbx_power_of_ten(node->args[0]->type.scale));
        return 0;
}

EVALUATE(do_ceiling) {
        UNUSED;
        ret->number = -floor_divide(-(__int128)args[0].number, gbx_power_of_ten(node->args[0]->type.scale));
        return 0;
}

/* Halves up, as docs/tabulator.md says: the same in both back ends with one reference to the argument. */
EVALUATE(do_round) {
        __int128 unit = gbx_power_of_ten(node->args[0]->type.scale - node->type.scale);

        UNUSED;
        ret->number = floor_divide(2 * (__int128)args[0].number + unit, 2 * unit);
        return 0;
}

static int extreme(const struct gbx_node *node, const struct gbx_scalar *args, int sign, struct gbx_scalar *ret) {
        ret->missing = true;
        for (size_t i = 0; i < node->count; i++)
                if (!args[i].missing && (ret->missing || (sign > 0 ? args[i].number > ret->number : args[i].number < ret->number)))
                        *ret = args[i];
        return 0;
}

EVALUATE(do_least) {
        UNUSED;
        return extreme(node, args, -1, ret);
}

EVALUATE(do_greatest) {
        UNUSED;
        return extreme(node, args, 1, ret);
}

size_t gbx_text_length(const char *text, size_t size) {
        size_t length = 0;

        for (size_t i = 0; i < size; i++)
                length += ((unsigned char)text[i] & 0xC0) != 0x80;
        return length;
}

EVALUATE(do_length) {
        UNUSED;
        ret->number = (int64_t)gbx_text_length(args[0].text, args[0].size);
        return 0;
}

static int change_case(const struct gbx_scalar *arg, char first, char shift, struct gbx_scratch *scratch, struct gbx_scalar *ret,
                       struct gbx_error *err) {
        char *copy;
        int r = gbx_scratch_take(scratch, arg->size, &copy, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < arg->size; i++) {
                char c = arg->text[i];

                copy[i] = c >= first && c < first + 26 ? (char)(c + shift) : c;
        }
        ret->text = copy;
        ret->size = arg->size;
        return 0;
}

EVALUATE(do_lower) {
        UNUSED;
        return change_case(&args[0], 'A', 'a' - 'A', scratch, ret, err);
}

EVALUATE(do_upper) {
        UNUSED;
        return change_case(&args[0], 'a', 'A' - 'a', scratch, ret, err);
}

EVALUATE(do_concat) {
        size_t size = 0;
        char *copy;
        int r;

        for (size_t i = 0; i < node->count; i++)
                size += args[i].size;
        r = gbx_scratch_take(scratch, size, &copy, err);
        if (r < 0)
                return r;
        ret->text = copy;
        ret->size = size;
        for (size_t i = 0; i < node->count; i++) {
                memcpy(copy, args[i].text, args[i].size);
                copy += args[i].size;
        }
        return 0;
}

/* Moves over `count` characters of UTF-8. */
static size_t skip(const char *text, size_t size, int64_t count) {
        size_t at = 0;

        while (at < size && count-- > 0)
                for (at++; at < size && ((unsigned char)text[at] & 0xC0) == 0x80;)
                        at++;
        return at;
}

EVALUATE(do_substr) {
        size_t start = skip(args[0].text, args[0].size, args[1].number - 1), rest = args[0].size - start;

        UNUSED;
        ret->text = args[0].text + start;
        ret->size = node->count == 3 ? skip(ret->text, rest, args[2].number) : rest;
        ret->missing = ret->size == 0;
        return 0;
}

EVALUATE(do_starts_with) {
        UNUSED;
        ret->number = args[1].size <= args[0].size && memcmp(args[0].text, args[1].text, args[1].size) == 0;
        return 0;
}

struct day {
        int64_t year;
        unsigned month, day;
};

static struct day split(const struct gbx_scalar *date) {
        struct day day;

        gbx_days_split(date->number, &day.year, &day.month, &day.day);
        return day;
}

EVALUATE(do_year) {
        UNUSED;
        ret->number = split(&args[0]).year;
        return 0;
}

EVALUATE(do_quarter) {
        UNUSED;
        ret->number = (split(&args[0]).month + 2) / 3;
        return 0;
}

EVALUATE(do_month) {
        UNUSED;
        ret->number = split(&args[0]).month;
        return 0;
}

EVALUATE(do_day) {
        UNUSED;
        ret->number = split(&args[0]).day;
        return 0;
}

/* 1 is Monday; day 0, 1 January 1970, was a Thursday. */
EVALUATE(do_weekday) {
        UNUSED;
        ret->number = ((args[0].number + 3) % 7 + 7) % 7 + 1;
        return 0;
}

EVALUATE(do_days_between) {
        UNUSED;
        ret->number = args[1].number - args[0].number;
        return 0;
}

EVALUATE(do_months_between) {
        struct day a = split(&args[0]), b = split(&args[1]);

        UNUSED;
        ret->number = ((b.year * 12 + b.month) * 100 + b.day - (a.year * 12 + a.month) * 100 - a.day) / 100;
        return 0;
}

EVALUATE(do_years_between) {
        struct day a = split(&args[0]), b = split(&args[1]);

        UNUSED;
        ret->number = (b.year * 10000 + b.month * 100 + b.day - a.year * 10000 - a.month * 100 - a.day) / 10000;
        return 0;
}

EVALUATE(do_indicator) {
        UNUSED;
        ret->number = args[0].number;
        return 0;
}

EVALUATE(do_width) {
        const struct gbx_node *x = node->args[0], *width = node->args[1], *origin = node->count == 3 ? node->args[2] : NULL;
        unsigned scale = x->type.scale > node->type.scale ? x->type.scale : node->type.scale;
        __int128 unit = gbx_power_of_ten(scale - width->type.scale), low, step = (__int128)width->number * unit;
        __int128 start = origin ? (__int128)origin->number * gbx_power_of_ten(scale - origin->type.scale) : 0;
        __int128 at = (__int128)args[0].number * gbx_power_of_ten(scale - x->type.scale) - start;

        UNUSED;
        low = (at - ((at % step) + step) % step + start) / gbx_power_of_ten(scale - node->type.scale);
        if (low > INT64_MAX || low < INT64_MIN)
                return overflow(err, node);
        ret->number = (int64_t)low;
        return 0;
}

EVALUATE(do_cut) {
        char low[GBX_FIXED_TEXT_SIZE], high[GBX_FIXED_TEXT_SIZE], label[2 * GBX_FIXED_TEXT_SIZE + 16];
        const struct gbx_node *x = node->args[0];
        size_t at = 1;
        int size, r;
        char *copy;

        while (at < node->count &&
               gbx_fixed_compare(args[0].number, x->type.scale, node->args[at]->number, node->args[at]->type.scale) >= 0)
                at++;
        if (at > 1)
                gbx_fixed_text(node->args[at - 1]->number, node->args[at - 1]->type.scale, low);
        if (at < node->count)
                gbx_fixed_text(node->args[at]->number, node->args[at]->type.scale, high);
        if (at == 1)
                size = snprintf(label, sizeof label, "under %s", high);
        else if (at == node->count)
                size = snprintf(label, sizeof label, "%s and over", low);
        else
                size = snprintf(label, sizeof label, "%s to under %s", low, high);
        r = gbx_scratch_take(scratch, (size_t)size, &copy, err);
        if (r < 0)
                return r;
        memcpy(copy, label, (size_t)size);
        ret->text = copy;
        ret->size = (size_t)size;
        return 0;
}

/* --- the table ---------------------------------------------------------------------- */

#define LETTERS "'ABCDEFGHIJKLMNOPQRSTUVWXYZ'"
#define LETTERS_SMALL "'abcdefghijklmnopqrstuvwxyz'"

static const struct gbx_function functions[] = {
        { "abs", 1, 1, number_to_number, do_abs, "abs($1)", true },
        { "ceiling", 1, 1, number_to_whole, do_ceiling, NULL, true },
        { "coalesce", 2, 64, check_coalesce, NULL, "coalesce($*)", false },
        { "concat", 2, 16, text_to_text, do_concat, "($|)", true },
        { "cut", 2, 64, check_cut, do_cut, NULL, true },
        { "day", 1, 1, date_to_number, do_day, "day($1)", true },
        { "days_between", 2, 2, date_to_number, do_days_between, "CAST($2 - $1 AS BIGINT)", true },
        { "floor", 1, 1, number_to_whole, do_floor, NULL, true },
        { "greatest", 2, 16, check_extreme, do_greatest, "greatest($*)", false },
        { "indicator", 1, 1, boolean_to_number, do_indicator, "CAST($1 AS BIGINT)", true },
        { "least", 2, 16, check_extreme, do_least, "least($*)", false },
        { "length", 1, 1, text_to_number, do_length, "length($1)", true },
        { "lower", 1, 1, text_to_text, do_lower, "translate($1, " LETTERS ", " LETTERS_SMALL ")", true },
        { "month", 1, 1, date_to_number, do_month, "month($1)", true },
        { "months_between", 2, 2, date_to_number, do_months_between, NULL, true },
        { "quarter", 1, 1, date_to_number, do_quarter, "quarter($1)", true },
        { "round", 1, 2, check_round, do_round, NULL, true },
        { "starts_with", 2, 2, text_to_boolean, do_starts_with, "starts_with($1, $2)", true },
        { "substr", 2, 3, check_substr, do_substr, "nullif(substring($*), '')", true },
        { "upper", 1, 1, text_to_text, do_upper, "translate($1, " LETTERS_SMALL ", " LETTERS ")", true },
        { "weekday", 1, 1, date_to_number, do_weekday, "isodow($1)", true },
        { "width", 2, 3, check_width, do_width, NULL, true },
        { "year", 1, 1, date_to_number, do_year, "year($1)", true },
        { "years_between", 2, 2, date_to_number, do_years_between, NULL, true },
};

const struct gbx_function *gbx_function_find(const char *name) {
        for (size_t i = 0; i < gbx_array_size(functions); i++)
                if (strcmp(functions[i].name, name) == 0)
                        return &functions[i];
        return NULL;
}
