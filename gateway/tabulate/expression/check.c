#include "gateway/tabulate/expression/node.h"

#include "base/cleanup.h"
#include "gateway/tabulate/expression/fixed.h"

#include <string.h>

static const char *const kind_names[] = { "number", "text", "date", "boolean" };

const char *gbx_kind_name(enum gbx_kind kind) { return kind_names[kind]; }

int gbx_check_kind(struct gbx_checker *checker, const struct gbx_node *arg, enum gbx_kind kind, const char *what) {
        if (arg->type.kind == kind)
                return 0;
        return gbx_mistake(checker, arg->character, "%s wants a %s here, and this is a %s", what, kind_names[kind],
                           kind_names[arg->type.kind]);
}

/* Puts a node that gives argument `index` more decimals in its place. */
static int rescale(struct gbx_checker *checker, struct gbx_node *node, size_t index, unsigned scale) {
        struct gbx_node *arg = node->args[index], *between;

        if (arg->type.kind != GBX_KIND_NUMBER || arg->type.scale == scale)
                return 0;
        if (arg->op == GBX_OP_LITERAL) {
                if (!gbx_fixed_rescale(arg->number, arg->type.scale, scale, &arg->number))
                        return gbx_mistake(checker, arg->character, "with %u decimals this number does not fit into 64 bits", scale);
                arg->type.scale = scale;
                return 0;
        }
        between = gbx_node_new(checker, GBX_OP_RESCALE, arg->character);
        if (!between)
                return checker->err->code;
        between->type = arg->type;
        between->type.scale = scale;
        node->args[index] = between;
        return gbx_node_add(checker, between, arg);
}

static bool any_missing(const struct gbx_node *node) {
        for (size_t i = 0; i < node->count; i++)
                if (node->args[i]->type.missing)
                        return true;
        return false;
}

int gbx_check_same(struct gbx_checker *checker, struct gbx_node *node, size_t first, size_t step, struct gbx_kind_of *ret) {
        struct gbx_kind_of type = node->args[first]->type;
        int r = 0;

        for (size_t i = first; i < node->count; i += step) {
                const struct gbx_node *arg = node->args[i];

                if (arg->type.kind != type.kind)
                        return gbx_mistake(checker, arg->character, "this is a %s, and the value before it a %s",
                                           kind_names[arg->type.kind], kind_names[type.kind]);
                if (arg->type.scale > type.scale)
                        type.scale = arg->type.scale;
                type.missing |= arg->type.missing;
        }
        for (size_t i = first; i < node->count && r >= 0; i += step)
                r = rescale(checker, node, i, type.scale);
        *ret = type;
        return r;
}

static int check_column(struct gbx_checker *checker, struct gbx_node *node) {
        for (size_t i = 0; i < checker->scope->count; i++)
                if (strcmp(checker->scope->columns[i].name, node->text) == 0) {
                        node->column = i;
                        node->type = checker->scope->columns[i].type;
                        return 0;
                }
        return gbx_mistake(checker, node->character, "there is no column '%.64s' here", node->text);
}

static int check_arithmetic(struct gbx_checker *checker, struct gbx_node *node) {
        const struct gbx_kind_of *a, *b;
        int r = 0;

        for (size_t i = 0; i < node->count && r >= 0; i++)
                r = gbx_check_kind(checker, node->args[i], GBX_KIND_NUMBER, "arithmetic");
        if (r < 0)
                return r;
        if (node->op == GBX_OP_ADD || node->op == GBX_OP_SUBTRACT || node->op == GBX_OP_MODULO) {
                r = gbx_check_same(checker, node, 0, 1, &node->type);
                node->type.missing |= node->op == GBX_OP_MODULO;
                return r;
        }
        node->type = (struct gbx_kind_of){ .kind = GBX_KIND_NUMBER, .missing = any_missing(node) };
        a = &node->args[0]->type;
        if (node->op == GBX_OP_NEGATE) {
                node->type.scale = a->scale;
                return 0;
        }
        b = &node->args[1]->type;
        if (node->op == GBX_OP_MULTIPLY) {
                node->type.scale = a->scale + b->scale;
                if (node->type.scale > GBX_FIXED_MAX_SCALE)
                        return gbx_mistake(checker, node->character, "the product would have %u decimals, more than %d; round() one of them first",
                                           node->type.scale, GBX_FIXED_MAX_SCALE);
                return 0;
        }
        node->type.missing = true;
        node->type.scale = a->scale > GBX_FIXED_DIVISION_SCALE ? a->scale : GBX_FIXED_DIVISION_SCALE;
        if (b->scale > 12)
                return gbx_mistake(checker, node->character, "the divisor has %u decimals, more than 12; round() it first", b->scale);
        return 0;
}

/* Comparisons, in and between: one kind; numbers are compared whatever their decimals. */
static int check_comparison(struct gbx_checker *checker, struct gbx_node *node) {
        bool ordered = node->op != GBX_OP_EQUAL && node->op != GBX_OP_NOT_EQUAL && node->op != GBX_OP_IN;

        for (size_t i = 0; i < node->count; i++) {
                const struct gbx_node *arg = node->args[i];

                if (arg->type.kind != node->args[0]->type.kind)
                        return gbx_mistake(checker, arg->character, "a %s cannot be compared with a %s",
                                           kind_names[node->args[0]->type.kind], kind_names[arg->type.kind]);
                if (ordered && arg->type.kind == GBX_KIND_BOOLEAN)
                        return gbx_mistake(checker, arg->character, "booleans have no order");
                if (node->op == GBX_OP_IN && i > 0 && arg->op != GBX_OP_LITERAL)
                        return gbx_mistake(checker, arg->character, "a list holds literals only");
        }
        node->type = (struct gbx_kind_of){ .kind = GBX_KIND_BOOLEAN, .missing = any_missing(node) };
        return 0;
}

static int check_logic(struct gbx_checker *checker, struct gbx_node *node) {
        int r = 0;

        for (size_t i = 0; i < node->count && r >= 0; i++)
                r = gbx_check_kind(checker, node->args[i], GBX_KIND_BOOLEAN, "logic");
        node->type = (struct gbx_kind_of){ .kind = GBX_KIND_BOOLEAN, .missing = any_missing(node) };
        return r;
}

/* The values stand at the odd places, and the last place if their number is odd. */
static int check_case(struct gbx_checker *checker, struct gbx_node *node) {
        struct gbx_kind_of type = node->args[1]->type;
        bool otherwise = node->count % 2;
        int r = 0;

        for (size_t i = 0; i < node->count; i++) {
                const struct gbx_node *arg = node->args[i];

                if (i % 2 == 0 && i + 1 < node->count) {
                        r = gbx_check_kind(checker, arg, GBX_KIND_BOOLEAN, "a condition");
                        if (r < 0)
                                return r;
                        continue;
                }
                if (arg->type.kind != type.kind)
                        return gbx_mistake(checker, arg->character, "this is a %s, and the first value a %s",
                                           kind_names[arg->type.kind], kind_names[type.kind]);
                if (arg->type.scale > type.scale)
                        type.scale = arg->type.scale;
                type.missing |= arg->type.missing;
        }
        for (size_t i = 1; i < node->count && r >= 0; i += 2)
                r = rescale(checker, node, i, type.scale);
        if (r >= 0 && otherwise)
                r = rescale(checker, node, node->count - 1, type.scale);
        node->type = type;
        node->type.missing |= !otherwise;
        return r;
}

static int check_call(struct gbx_checker *checker, struct gbx_node *node) {
        const struct gbx_function *function = gbx_function_find(node->text);

        if (strcmp(node->text, "if") == 0) {
                if (node->count != 3)
                        return gbx_mistake(checker, node->character, "if() wants a condition, a value and another value");
                node->op = GBX_OP_CASE;
                return check_case(checker, node);
        }
        if (!function)
                return gbx_mistake(checker, node->character, "there is no function '%.64s'; docs/tabulator.md lists them", node->text);
        if (node->count < function->least || node->count > function->most)
                return gbx_mistake(checker, node->character, "%s() wants %zu to %zu arguments, not %zu", function->name,
                                   function->least, function->most, node->count);
        node->function = function;
        node->type.missing = any_missing(node);
        return function->check(checker, node);
}

int gbx_check_tree(struct gbx_checker *checker, struct gbx_node *node) {
        int r = 0;

        for (size_t i = 0; i < node->count && r >= 0; i++)
                r = gbx_check_tree(checker, node->args[i]);
        if (r < 0)
                return r;
        switch (node->op) {
        case GBX_OP_LITERAL:
        case GBX_OP_RESCALE:
                return 0;
        case GBX_OP_COLUMN:
                return check_column(checker, node);
        case GBX_OP_NEGATE:
        case GBX_OP_ADD:
        case GBX_OP_SUBTRACT:
        case GBX_OP_MULTIPLY:
        case GBX_OP_DIVIDE:
        case GBX_OP_MODULO:
                return check_arithmetic(checker, node);
        case GBX_OP_AND:
        case GBX_OP_OR:
        case GBX_OP_NOT:
                return check_logic(checker, node);
        case GBX_OP_IS_MISSING:
                node->type = (struct gbx_kind_of){ .kind = GBX_KIND_BOOLEAN };
                return 0;
        case GBX_OP_CASE:
                return check_case(checker, node);
        case GBX_OP_CALL:
                return check_call(checker, node);
        default:
                return check_comparison(checker, node);
        }
}
