#include "gateway/tabulate/expression/node.h"

#include "base/cleanup.h"
#include "gateway/tabulate/expression/fixed.h"

#include <string.h>

enum { CALL_MAX_ARGUMENTS = 64 };

struct run {
        const struct gbx_scalar *row;
        struct gbx_scratch *scratch;
        struct gbx_error *err;
};

static int evaluate(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret);

int gbx_scratch_take(struct gbx_scratch *scratch, size_t size, char **ret, struct gbx_error *err) {
        if (!scratch->bytes.data) {
                int r = gbx_buffer_reserve(&scratch->bytes, GBX_EXPRESSION_MAX_TEXT, err); /* once: texts must not move */

                if (r < 0)
                        return r;
        }
        if (size > GBX_EXPRESSION_MAX_TEXT - scratch->used)
                return gbx_fail(err, -EDQUOT, "the expressions of one row make more than %d bytes of text", GBX_EXPRESSION_MAX_TEXT);
        *ret = (char *)scratch->bytes.data + scratch->used;
        scratch->used += size;
        return 0;
}

void gbx_scratch_clear(struct gbx_scratch *scratch) { scratch->used = 0; }

void gbx_scratch_free(struct gbx_scratch *scratch) {
        gbx_buffer_free(&scratch->bytes);
        scratch->used = 0;
}

static int overflow(const struct run *run, const struct gbx_node *node) {
        return gbx_fail(run->err, -ERANGE, "character %zu: in a row the result does not fit into 64 bits", node->character);
}

static int literal(const struct gbx_node *node, struct gbx_scalar *ret) {
        *ret = (struct gbx_scalar){ .number = node->number, .text = node->text, .size = node->size };
        return 0;
}

static int arithmetic(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        const struct gbx_kind_of *types[2] = { &node->args[0]->type, node->count > 1 ? &node->args[1]->type : NULL };
        struct gbx_scalar a, b = {};
        int64_t result = 0;
        bool fits = true;
        int r = evaluate(node->args[0], run, &a);

        if (r >= 0 && node->count > 1)
                r = evaluate(node->args[1], run, &b);
        if (r < 0)
                return r;
        *ret = (struct gbx_scalar){ .missing = a.missing || b.missing };
        if (ret->missing)
                return 0;
        switch (node->op) {
        case GBX_OP_NEGATE:
                fits = !__builtin_sub_overflow((int64_t)0, a.number, &result);
                break;
        case GBX_OP_ADD:
                fits = !__builtin_add_overflow(a.number, b.number, &result);
                break;
        case GBX_OP_SUBTRACT:
                fits = !__builtin_sub_overflow(a.number, b.number, &result);
                break;
        case GBX_OP_MULTIPLY:
                fits = !__builtin_mul_overflow(a.number, b.number, &result);
                break;
        case GBX_OP_DIVIDE:
                ret->missing = b.number == 0;
                fits = ret->missing || gbx_fixed_divide(a.number, types[0]->scale, b.number, types[1]->scale, node->type.scale, &result);
                break;
        default: /* modulo; the remainder has the sign of the dividend */
                ret->missing = b.number == 0;
                result = ret->missing || b.number == -1 ? 0 : a.number % b.number;
                break;
        }
        ret->number = result;
        return fits ? 0 : overflow(run, node);
}

/* Less than, equal to, greater than zero. */
static int compare(const struct gbx_kind_of *type_a, const struct gbx_scalar *a, const struct gbx_kind_of *type_b,
                   const struct gbx_scalar *b) {
        size_t least = a->size < b->size ? a->size : b->size;
        int order;

        if (type_a->kind == GBX_KIND_NUMBER)
                return gbx_fixed_compare(a->number, type_a->scale, b->number, type_b->scale);
        if (type_a->kind != GBX_KIND_TEXT)
                return a->number < b->number ? -1 : a->number > b->number;
        order = memcmp(a->text, b->text, least);
        return order ? order : a->size < b->size ? -1 : a->size > b->size;
}

static bool holds(enum gbx_operator op, int order) {
        switch (op) {
        case GBX_OP_EQUAL:
                return order == 0;
        case GBX_OP_NOT_EQUAL:
                return order != 0;
        case GBX_OP_LESS:
                return order < 0;
        case GBX_OP_LESS_EQUAL:
                return order <= 0;
        case GBX_OP_GREATER:
                return order > 0;
        default:
                return order >= 0;
        }
}

static int comparison(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        struct gbx_scalar a, b;
        int r = evaluate(node->args[0], run, &a);

        if (r >= 0)
                r = evaluate(node->args[1], run, &b);
        if (r < 0)
                return r;
        *ret = (struct gbx_scalar){ .missing = a.missing || b.missing };
        if (!ret->missing)
                ret->number = holds(node->op, compare(&node->args[0]->type, &a, &node->args[1]->type, &b));
        return 0;
}

/* Low and high are two conditions joined by `and`: one that is false decides, even beside a missing one. */
static int between(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        struct gbx_scalar value, ends[2];
        int r = evaluate(node->args[0], run, &value);

        for (size_t i = 0; i < 2 && r >= 0; i++)
                r = evaluate(node->args[i + 1], run, &ends[i]);
        if (r < 0)
                return r;
        *ret = (struct gbx_scalar){ .missing = value.missing || ends[0].missing || ends[1].missing, .number = 1 };
        for (size_t i = 0; i < 2 && !value.missing; i++) {
                int order = ends[i].missing ? 0 : compare(&node->args[0]->type, &value, &node->args[i + 1]->type, &ends[i]);

                if (i == 0 ? order < 0 : order > 0)
                        *ret = (struct gbx_scalar){};
        }
        return 0;
}

static int in_list(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        struct gbx_scalar value, item;
        int r = evaluate(node->args[0], run, &value);

        if (r < 0)
                return r;
        *ret = (struct gbx_scalar){ .missing = value.missing };
        for (size_t i = 1; i < node->count && !value.missing && !ret->number; i++) {
                (void)literal(node->args[i], &item);
                ret->number = compare(&node->args[0]->type, &value, &node->args[i]->type, &item) == 0;
        }
        return 0;
}

/* One operand that decides (false for `and`, true for `or`) settles it, and the other is not looked at. */
static int logic(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        int64_t decides = node->op == GBX_OP_OR;
        struct gbx_scalar value;
        bool missing = false;

        for (size_t i = 0; i < node->count; i++) {
                int r = evaluate(node->args[i], run, &value);

                if (r < 0)
                        return r;
                if (!value.missing && value.number == decides) {
                        *ret = value;
                        return 0;
                }
                missing |= value.missing;
        }
        *ret = (struct gbx_scalar){ .missing = missing, .number = !missing && !decides };
        return 0;
}

static int choose(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        struct gbx_scalar condition;

        for (size_t i = 0; i + 1 < node->count; i += 2) {
                int r = evaluate(node->args[i], run, &condition);

                if (r < 0)
                        return r;
                if (!condition.missing && condition.number)
                        return evaluate(node->args[i + 1], run, ret);
        }
        if (node->count % 2)
                return evaluate(node->args[node->count - 1], run, ret);
        *ret = (struct gbx_scalar){ .missing = true };
        return 0;
}

static int coalesce(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        int r = 0;

        *ret = (struct gbx_scalar){ .missing = true };
        for (size_t i = 0; i < node->count && ret->missing && r >= 0; i++)
                r = evaluate(node->args[i], run, ret);
        return r;
}

static int call(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        struct gbx_scalar args[CALL_MAX_ARGUMENTS];
        bool missing = false;
        int r = 0;

        if (!node->function->evaluate)
                return coalesce(node, run, ret);
        for (size_t i = 0; i < node->count && r >= 0; i++) {
                r = evaluate(node->args[i], run, &args[i]);
                missing |= r >= 0 && args[i].missing;
        }
        if (r < 0)
                return r;
        *ret = (struct gbx_scalar){ .missing = node->function->strict && missing };
        return ret->missing ? 0 : node->function->evaluate(node, args, run->scratch, ret, run->err);
}

static int one_argument(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        int r = evaluate(node->args[0], run, ret);

        if (r < 0)
                return r;
        if (node->op == GBX_OP_IS_MISSING)
                *ret = (struct gbx_scalar){ .number = ret->missing };
        else if (node->op == GBX_OP_NOT)
                ret->number = !ret->number;
        else if (!ret->missing && !gbx_fixed_rescale(ret->number, node->args[0]->type.scale, node->type.scale, &ret->number))
                return overflow(run, node);
        return 0;
}

/* As deep as the tree, which parse.c bounds by its number of nodes. */
static int evaluate(const struct gbx_node *node, const struct run *run, struct gbx_scalar *ret) {
        switch (node->op) {
        case GBX_OP_LITERAL:
                return literal(node, ret);
        case GBX_OP_COLUMN:
                *ret = run->row[node->column];
                return 0;
        case GBX_OP_NEGATE:
        case GBX_OP_ADD:
        case GBX_OP_SUBTRACT:
        case GBX_OP_MULTIPLY:
        case GBX_OP_DIVIDE:
        case GBX_OP_MODULO:
                return arithmetic(node, run, ret);
        case GBX_OP_AND:
        case GBX_OP_OR:
                return logic(node, run, ret);
        case GBX_OP_NOT:
        case GBX_OP_IS_MISSING:
        case GBX_OP_RESCALE:
                return one_argument(node, run, ret);
        case GBX_OP_IN:
                return in_list(node, run, ret);
        case GBX_OP_BETWEEN:
                return between(node, run, ret);
        case GBX_OP_CASE:
                return choose(node, run, ret);
        case GBX_OP_CALL:
                return call(node, run, ret);
        default:
                return comparison(node, run, ret);
        }
}

int gbx_expression_evaluate(const struct gbx_expression *expression, const struct gbx_scalar *row,
                            struct gbx_scratch *scratch, struct gbx_scalar *ret, struct gbx_error *err) {
        struct run run = { .row = row, .scratch = scratch, .err = err };
        struct gbx_scalar value;
        int r = evaluate(expression->root, &run, &value);

        if (r >= 0)
                *ret = value;
        return r;
}

size_t gbx_expression_column(const struct gbx_expression *expression) {
        return expression->root->op == GBX_OP_COLUMN ? expression->root->column : SIZE_MAX;
}

void gbx_expression_columns(const struct gbx_expression *expression, bool *used) {
        for (const struct gbx_node *node = expression->all; node; node = node->next)
                if (node->op == GBX_OP_COLUMN)
                        used[node->column] = true;
}
