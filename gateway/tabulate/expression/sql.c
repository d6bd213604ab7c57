#include "gateway/tabulate/expression/node.h"

#include "base/cleanup.h"
#include "gateway/tabulate/expression/fixed.h"

#include <stdlib.h>
#include <string.h>

/* Every argument is written once, so that the SQL grows with the tree and not with its depth. Where a value is needed
 * twice it is bound by a lambda over a list of one element. */

static int write_node(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err);

static int write_text(struct gbx_buffer *sql, const char *text, size_t size, struct gbx_error *err) {
        int r = gbx_buffer_append_byte(sql, '\'', err);

        for (size_t i = 0; i < size && r >= 0; i++) {
                if (text[i] == '\'')
                        r = gbx_buffer_append_byte(sql, '\'', err);
                if (r >= 0)
                        r = gbx_buffer_append_byte(sql, (uint8_t)text[i], err);
        }
        return r < 0 ? r : gbx_buffer_append_byte(sql, '\'', err);
}

static int write_literal(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err) {
        int64_t year;
        unsigned month, day;

        switch (node->type.kind) {
        case GBX_KIND_NUMBER: /* as text, for the smallest number has no positive counterpart */
                return gbx_buffer_printf(sql, err, "CAST('%lld' AS BIGINT)", (long long)node->number);
        case GBX_KIND_TEXT:
                return write_text(sql, node->text, node->size, err);
        case GBX_KIND_DATE:
                gbx_days_split(node->number, &year, &month, &day);
                return gbx_buffer_printf(sql, err, "DATE '%04lld-%02u-%02u'", (long long)year, month, day);
        case GBX_KIND_BOOLEAN:
                break;
        }
        return gbx_buffer_append_text(sql, node->number ? "true" : "false", err);
}

/* A template: $1 … $9 are arguments, $* all of them with commas, $| with || between. */
static int write_template(const struct gbx_node *node, const char *template, struct gbx_buffer *sql, struct gbx_error *err) {
        int r = 0;

        for (const char *c = template; *c && r >= 0; c++) {
                if (*c != '$') {
                        r = gbx_buffer_append_byte(sql, (uint8_t)*c, err);
                        continue;
                }
                c++;
                if (*c != '*' && *c != '|') {
                        r = write_node(node->args[*c - '1'], sql, err);
                        continue;
                }
                for (size_t i = 0; i < node->count && r >= 0; i++) {
                        if (i > 0)
                                r = gbx_buffer_append_text(sql, *c == '*' ? ", " : " || ", err);
                        if (r >= 0)
                                r = write_node(node->args[i], sql, err);
                }
        }
        return r;
}

/* Appends "CAST(argument AS HUGEINT) * 10^digits". */
static int write_wide(const struct gbx_node *arg, unsigned digits, struct gbx_buffer *sql, struct gbx_error *err) {
        int r = gbx_buffer_append_text(sql, "(CAST(", err);

        if (r >= 0)
                r = write_node(arg, sql, err);
        return r < 0 ? r : gbx_buffer_printf(sql, err, " AS HUGEINT) * CAST('%lld' AS HUGEINT))", (long long)gbx_power_of_ten(digits));
}

/* As a number that can be compared with the others of the node: all wide if their decimals differ. */
static int write_comparable(const struct gbx_node *node, size_t index, struct gbx_buffer *sql, struct gbx_error *err) {
        const struct gbx_node *arg = node->args[index];
        unsigned least = arg->type.scale, most = least;

        for (size_t i = 0; i < node->count; i++) {
                least = node->args[i]->type.scale < least ? node->args[i]->type.scale : least;
                most = node->args[i]->type.scale > most ? node->args[i]->type.scale : most;
        }
        return least == most ? write_node(arg, sql, err) : write_wide(arg, most - arg->type.scale, sql, err);
}

static int write_comparison(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err) {
        static const char *const words[] = {
                [GBX_OP_EQUAL] = " = ", [GBX_OP_NOT_EQUAL] = " <> ", [GBX_OP_LESS] = " < ", [GBX_OP_LESS_EQUAL] = " <= ",
                [GBX_OP_GREATER] = " > ", [GBX_OP_GREATER_EQUAL] = " >= ", [GBX_OP_IN] = " IN (", [GBX_OP_BETWEEN] = " BETWEEN ",
        };
        int r = gbx_buffer_append_byte(sql, '(', err);

        for (size_t i = 0; i < node->count && r >= 0; i++) {
                if (i > 0)
                        r = gbx_buffer_append_text(sql, i == 1 ? words[node->op] : node->op == GBX_OP_BETWEEN ? " AND " : ", ", err);
                if (r >= 0)
                        r = write_comparable(node, i, sql, err);
        }
        return r < 0 ? r : gbx_buffer_append_text(sql, node->op == GBX_OP_IN ? "))" : ")", err);
}

static int write_divide(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err) {
        unsigned digits = node->type.scale - node->args[0]->type.scale + node->args[1]->type.scale;
        int r = gbx_buffer_append_text(sql, "list_transform([{'n': ", err);

        if (r >= 0)
                r = write_wide(node->args[0], digits, sql, err);
        if (r >= 0)
                r = gbx_buffer_append_text(sql, ", 'd': ", err);
        if (r >= 0)
                r = write_wide(node->args[1], 0, sql, err);
        return r < 0 ? r :
                       gbx_buffer_append_text(sql,
                                              "}], lambda x: CAST(CASE WHEN x.d = 0 THEN NULL ELSE sign(x.n) * sign(x.d) * "
                                              "((2 * abs(x.n) + abs(x.d)) // (2 * abs(x.d))) END AS BIGINT))[1]",
                                              err);
}

/* floor((a * scaled argument + b) / c) for c > 0: `//` cuts off towards zero, so the dividend is made positive by c * 2^64. */
static int write_floor(const struct gbx_node *arg, __int128 a, __int128 b, __int128 c, int64_t step, struct gbx_buffer *sql,
                       struct gbx_error *err) {
        static const char shift[] = "CAST('18446744073709551616' AS HUGEINT)";
        int r = gbx_buffer_append_text(sql, "CAST(((CAST(", err);

        if (r >= 0)
                r = write_node(arg, sql, err);
        /* a, b, c and step fit into 64 bits but for b, whose parts are written apart. */
        return r < 0 ? r :
                       gbx_buffer_printf(sql, err,
                                         " AS HUGEINT) * CAST('%lld' AS HUGEINT) + CAST('%lld' AS HUGEINT) + CAST('%lld' AS HUGEINT) * %s) // "
                                         "CAST('%lld' AS HUGEINT) - %s) * CAST('%lld' AS HUGEINT) AS BIGINT)",
                                         (long long)a, (long long)b, (long long)c, shift, (long long)c, shift, (long long)step);
}

static int write_width(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err) {
        const struct gbx_node *x = node->args[0], *width = node->args[1], *origin = node->count == 3 ? node->args[2] : NULL;
        unsigned scale = x->type.scale > node->type.scale ? x->type.scale : node->type.scale;
        int r = gbx_buffer_append_text(sql, "list_transform([", err);

        if (r >= 0)
                r = write_wide(x, scale - x->type.scale, sql, err);
        if (r >= 0)
                r = gbx_buffer_append_text(sql, "], lambda x: CAST((x - (((x", err);
        if (r >= 0 && origin) {
                r = gbx_buffer_append_text(sql, " - ", err);
                if (r >= 0)
                        r = write_wide(origin, scale - origin->type.scale, sql, err);
        }
        for (int i = 0; i < 3 && r >= 0; i++) { /* ((x - origin) % width + width) % width */
                r = gbx_buffer_append_text(sql, i == 0 ? ") % " : i == 1 ? " + " : ") % ", err);
                if (r >= 0)
                        r = write_wide(width, scale - width->type.scale, sql, err);
        }
        return r < 0 ? r :
                       gbx_buffer_printf(sql, err, ")) // CAST('%lld' AS HUGEINT) AS BIGINT))[1]",
                                         (long long)gbx_power_of_ten(scale - node->type.scale));
}

static int write_cut(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err) {
        char low[GBX_FIXED_TEXT_SIZE] = "", high[GBX_FIXED_TEXT_SIZE];
        unsigned most = 0;
        int r = gbx_buffer_append_text(sql, "list_transform([", err);

        for (size_t i = 0; i < node->count; i++)
                most = node->args[i]->type.scale > most ? node->args[i]->type.scale : most;
        if (r >= 0)
                r = write_wide(node->args[0], most - node->args[0]->type.scale, sql, err);
        if (r >= 0)
                r = gbx_buffer_append_text(sql, "], lambda x: CASE WHEN x IS NULL THEN NULL", err);
        for (size_t i = 1; i < node->count && r >= 0; i++) {
                const struct gbx_node *limit = node->args[i];

                gbx_fixed_text(limit->number, limit->type.scale, high);
                r = gbx_buffer_append_text(sql, " WHEN x < ", err);
                if (r >= 0)
                        r = write_wide(limit, most - limit->type.scale, sql, err);
                if (r >= 0)
                        r = gbx_buffer_printf(sql, err, i == 1 ? " THEN '%sunder %s'" : " THEN '%s to under %s'", low, high);
                memcpy(low, high, sizeof low);
        }
        return r < 0 ? r : gbx_buffer_printf(sql, err, " ELSE '%s and over' END)[1]", low);
}

static int write_between(const struct gbx_node *node, bool years, struct gbx_buffer *sql, struct gbx_error *err) {
        const char *sum = years ? "(year(x.b) * 10000 + month(x.b) * 100 + day(x.b) - year(x.a) * 10000 - month(x.a) * 100 - day(x.a)) // 10000" :
                                  "((year(x.b) * 12 + month(x.b)) * 100 + day(x.b) - (year(x.a) * 12 + month(x.a)) * 100 - day(x.a)) // 100";
        int r = write_template(node, "list_transform([{'a': $1, 'b': $2}], lambda x: CAST(", sql, err);

        return r < 0 ? r : gbx_buffer_printf(sql, err, "%s AS BIGINT))[1]", sum);
}

static int write_call(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err) {
        const char *name = node->function->name;
        int64_t unit;

        if (node->function->sql)
                return write_template(node, node->function->sql, sql, err);
        if (strcmp(name, "cut") == 0)
                return write_cut(node, sql, err);
        if (strcmp(name, "width") == 0)
                return write_width(node, sql, err);
        if (strcmp(name, "months_between") == 0 || strcmp(name, "years_between") == 0)
                return write_between(node, name[0] == 'y', sql, err);
        unit = gbx_power_of_ten(node->args[0]->type.scale - node->type.scale);
        if (strcmp(name, "floor") == 0)
                return write_floor(node->args[0], 1, 0, unit, 1, sql, err);
        if (strcmp(name, "ceiling") == 0)
                return write_floor(node->args[0], 1, unit - 1, unit, 1, sql, err);
        return write_floor(node->args[0], 2, unit, 2 * (__int128)unit, 1, sql, err);
}

static int write_case(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err) {
        int r = gbx_buffer_append_text(sql, "CASE", err);

        for (size_t i = 0; i < node->count && r >= 0; i++) {
                bool last = i + 1 == node->count && node->count % 2;

                r = gbx_buffer_append_text(sql, last ? " ELSE " : i % 2 ? " THEN " : " WHEN ", err);
                if (r >= 0)
                        r = write_node(node->args[i], sql, err);
        }
        return r < 0 ? r : gbx_buffer_append_text(sql, " END", err);
}

static int write_node(const struct gbx_node *node, struct gbx_buffer *sql, struct gbx_error *err) {
        static const char *const templates[] = {
                [GBX_OP_NEGATE] = "(-($1))",   [GBX_OP_ADD] = "($1 + $2)", [GBX_OP_SUBTRACT] = "($1 - $2)",
                [GBX_OP_MULTIPLY] = "($1 * $2)", [GBX_OP_AND] = "($1 AND $2)", [GBX_OP_OR] = "($1 OR $2)",
                [GBX_OP_NOT] = "(NOT $1)",     [GBX_OP_IS_MISSING] = "($1 IS NULL)",
                [GBX_OP_MODULO] = "CAST(CAST($1 AS HUGEINT) % CAST($2 AS HUGEINT) AS BIGINT)",
        };

        switch (node->op) {
        case GBX_OP_LITERAL:
                return write_literal(node, sql, err);
        case GBX_OP_COLUMN:
                return gbx_buffer_printf(sql, err, "c%zu", node->column);
        case GBX_OP_RESCALE: {
                int r = write_template(node, "($1 * ", sql, err);

                return r < 0 ? r : gbx_buffer_printf(sql, err, "CAST('%lld' AS BIGINT))",
                                                     (long long)gbx_power_of_ten(node->type.scale - node->args[0]->type.scale));
        }
        case GBX_OP_DIVIDE:
                return write_divide(node, sql, err);
        case GBX_OP_CASE:
                return write_case(node, sql, err);
        case GBX_OP_CALL:
                return write_call(node, sql, err);
        case GBX_OP_NEGATE:
        case GBX_OP_ADD:
        case GBX_OP_SUBTRACT:
        case GBX_OP_MULTIPLY:
        case GBX_OP_MODULO:
        case GBX_OP_AND:
        case GBX_OP_OR:
        case GBX_OP_NOT:
        case GBX_OP_IS_MISSING:
                return write_template(node, templates[node->op], sql, err);
        default:
                return write_comparison(node, sql, err);
        }
}

int gbx_expression_sql(const struct gbx_expression *expression, struct gbx_buffer *sql, struct gbx_error *err) {
        return write_node(expression->root, sql, err);
}
