/*
 * The tree of an expression, as parse.c makes it and check.c types it
 *
 * Private to this folder; expression.h is what others use.
 */
#pragma once

#include "gateway/tabulate/expression/expression.h"

enum gbx_operator {
        GBX_OP_LITERAL,
        GBX_OP_COLUMN,
        GBX_OP_NEGATE,
        GBX_OP_ADD,
        GBX_OP_SUBTRACT,
        GBX_OP_MULTIPLY,
        GBX_OP_DIVIDE,
        GBX_OP_MODULO,
        GBX_OP_EQUAL,
        GBX_OP_NOT_EQUAL,
        GBX_OP_LESS,
        GBX_OP_LESS_EQUAL,
        GBX_OP_GREATER,
        GBX_OP_GREATER_EQUAL,
        GBX_OP_AND,
        GBX_OP_OR,
        GBX_OP_NOT,
        GBX_OP_IN,         /* value, then literals */
        GBX_OP_BETWEEN,    /* value, low, high: both ends belong to it */
        GBX_OP_IS_MISSING,
        GBX_OP_CASE,       /* condition, value, …, and the value otherwise if the count is odd */
        GBX_OP_RESCALE,    /* put in by check.c: the argument with the node's scale */
        GBX_OP_CALL,       /* a function of functions.c */
};

struct gbx_node {
        struct gbx_node *next; /* in the list of all nodes */
        enum gbx_operator op;
        struct gbx_kind_of type;
        size_t character; /* in the text, from 1 */
        size_t column;    /* of the scope */
        const struct gbx_function *function;
        int64_t number;
        char *text; /* of a literal text, a name, or a function's name while it is not known */
        size_t size;
        struct gbx_node **args;
        size_t count;
};

struct gbx_checker {
        const struct gbx_scope *scope;
        struct gbx_expression *expression;
        struct gbx_expression_mistake *mistake;
        struct gbx_error *err;
        size_t nodes;
};

typedef int (*gbx_evaluate_call)(const struct gbx_node *node, const struct gbx_scalar *args, struct gbx_scratch *scratch,
                                 struct gbx_scalar *ret, struct gbx_error *err);

/* One row a function. The check fills node->type and may put rescaling nodes between. `sql` is a template:
 * $1 is the first argument, $* all of them with commas between; NULL: sql.c writes it. */
struct gbx_function {
        const char *name;
        size_t least, most; /* number of arguments */
        int (*check)(struct gbx_checker *checker, struct gbx_node *node);
        gbx_evaluate_call evaluate; /* arguments are evaluated before; NULL: evaluate.c knows it */
        const char *sql;
        bool strict; /* a missing argument makes the result missing; evaluate never sees one */
};
const struct gbx_function *gbx_function_find(const char *name);

struct gbx_node *gbx_node_new(struct gbx_checker *checker, enum gbx_operator op, size_t character);
int gbx_node_add(struct gbx_checker *checker, struct gbx_node *node, struct gbx_node *arg);
/* Records the mistake and returns -EINVAL. */
int gbx_mistake(struct gbx_checker *checker, size_t character, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Makes all arguments from `first` on, in steps of `step`, one type (numbers: the largest scale), which goes into `ret`. */
int gbx_check_same(struct gbx_checker *checker, struct gbx_node *node, size_t first, size_t step, struct gbx_kind_of *ret);
int gbx_check_kind(struct gbx_checker *checker, const struct gbx_node *arg, enum gbx_kind kind, const char *what);
/* Gives types to the whole tree. */
int gbx_check_tree(struct gbx_checker *checker, struct gbx_node *node);

/* The argument of a literal number, which check functions make sure of. */
static inline const struct gbx_node *gbx_literal(const struct gbx_node *node, size_t index) { return node->args[index]; }

/* Characters of UTF-8 text, and the text of some of them. */
size_t gbx_text_length(const char *text, size_t size);
/* Room for `size` bytes that last until the scratch is emptied. -EDQUOT, -ENOMEM. */
int gbx_scratch_take(struct gbx_scratch *scratch, size_t size, char **ret, struct gbx_error *err);
