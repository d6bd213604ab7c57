#include "gateway/tabulate/expression/lexer.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/tabulate/expression/fixed.h"
#include "runtime/engine/typed.h"

#include <stdarg.h>
#include <string.h>

struct parser {
        struct gbx_lexer lexer;
        struct gbx_checker *checker;
        size_t depth;
};

static const char *const reserved[] = { "and", "or", "not", "in", "between", "is", "missing", "case", "when", "then",
                                        "else", "end", "true", "false", "date" };

int gbx_mistake(struct gbx_checker *checker, size_t character, const char *format, ...) {
        struct gbx_expression_mistake mistake = { .character = character };
        va_list list;

        va_start(list, format);
        (void)vsnprintf(mistake.message, sizeof mistake.message, format, list);
        va_end(list);
        if (checker->mistake)
                *checker->mistake = mistake;
        return gbx_fail(checker->err, -EINVAL, "character %zu: %s", character, mistake.message);
}

struct gbx_node *gbx_node_new(struct gbx_checker *checker, enum gbx_operator op, size_t character) {
        struct gbx_node *node;

        if (checker->nodes == GBX_EXPRESSION_MAX_NODES) {
                (void)gbx_mistake(checker, character, "the expression has more than %d parts", GBX_EXPRESSION_MAX_NODES);
                return NULL;
        }
        node = calloc(1, sizeof *node);
        if (!node) {
                (void)gbx_fail_memory(checker->err);
                return NULL;
        }
        checker->nodes++;
        node->op = op;
        node->character = character;
        node->next = checker->expression->all;
        checker->expression->all = node;
        return node;
}

int gbx_node_add(struct gbx_checker *checker, struct gbx_node *node, struct gbx_node *arg) {
        struct gbx_node **args = reallocarray(node->args, node->count + 1, sizeof(struct gbx_node *));

        if (!args)
                return gbx_fail_memory(checker->err);
        node->args = args;
        node->args[node->count++] = arg;
        return 0;
}

struct gbx_expression *gbx_expression_free(struct gbx_expression *expression) {
        if (!expression)
                return NULL;
        for (struct gbx_node *node = expression->all, *next; node; node = next) {
                next = node->next;
                free(node->text);
                free(node->args);
                free(node);
        }
        free(expression);
        return NULL;
}

/* --- grammar: each returns the node, or NULL with the error recorded ------------- */

static struct gbx_node *parse_any(struct parser *parser);
static struct gbx_node *parse_sum(struct parser *parser);
static struct gbx_node *parse_unary(struct parser *parser);

static size_t here(const struct parser *parser) { return parser->lexer.token.character; }
static bool is(const struct parser *parser, const char *word) { return gbx_lexer_is(&parser->lexer, word); }
static bool next(struct parser *parser) { return gbx_lexer_next(&parser->lexer, parser->checker) >= 0; }

static bool expect(struct parser *parser, const char *word) {
        if (!is(parser, word)) {
                (void)gbx_mistake(parser->checker, here(parser), "'%s' is wanted here", word);
                return false;
        }
        return next(parser);
}

static bool enter(struct parser *parser) {
        if (++parser->depth <= GBX_EXPRESSION_MAX_DEPTH)
                return true;
        (void)gbx_mistake(parser->checker, here(parser), "the expression is nested deeper than %d", GBX_EXPRESSION_MAX_DEPTH);
        return false;
}

/* A node over parts that were read before; NULL stands for a part that failed. */
static struct gbx_node *join(struct parser *parser, enum gbx_operator op, size_t character, struct gbx_node *first,
                             struct gbx_node *second) {
        struct gbx_node *node = first ? gbx_node_new(parser->checker, op, character) : NULL;

        if (!node || gbx_node_add(parser->checker, node, first) < 0)
                return NULL;
        return !second || gbx_node_add(parser->checker, node, second) >= 0 ? node : NULL;
}

static struct gbx_node *parse_number(struct parser *parser, bool negative) {
        const struct gbx_token *token = &parser->lexer.token;
        const char *point = memchr(token->start, '.', token->size);
        size_t decimals = point ? token->size - (size_t)(point - token->start) - 1 : 0;
        struct gbx_node *node = gbx_node_new(parser->checker, GBX_OP_LITERAL, here(parser));
        char text[64] = "-";

        if (!node)
                return NULL;
        if (token->size + 2 > sizeof text || decimals > GBX_FIXED_MAX_SCALE) {
                (void)gbx_mistake(parser->checker, node->character, "this number has too many digits");
                return NULL;
        }
        memcpy(text + 1, token->start, token->size);
        if (!gbx_fixed_parse(text + !negative, token->size + negative, (unsigned)decimals, false, &node->number)) {
                (void)gbx_mistake(parser->checker, node->character, "this number does not fit into 64 bits");
                return NULL;
        }
        node->type = (struct gbx_kind_of){ .kind = GBX_KIND_NUMBER, .scale = (unsigned)decimals };
        return next(parser) ? node : NULL;
}

static struct gbx_node *parse_text(struct parser *parser) {
        struct gbx_node *node = gbx_node_new(parser->checker, GBX_OP_LITERAL, here(parser));

        if (!node)
                return NULL;
        node->type.kind = GBX_KIND_TEXT;
        node->text = gbx_lexer_unquote(&parser->lexer.token, &node->size);
        if (!node->text) {
                (void)gbx_fail_memory(parser->checker->err);
                return NULL;
        }
        if (node->size == 0) {
                (void)gbx_mistake(parser->checker, node->character, "a text is never empty; ask 'is missing'");
                return NULL;
        }
        return next(parser) ? node : NULL;
}

static struct gbx_node *parse_date(struct parser *parser) {
        size_t character = here(parser);
        struct gbx_node *node;

        if (!next(parser))
                return NULL;
        if (parser->lexer.token.kind != GBX_TOKEN_TEXT) {
                (void)gbx_mistake(parser->checker, character, "a date is written date '2026-11-25'");
                return NULL;
        }
        node = parse_text(parser);
        if (!node)
                return NULL;
        if (!gbx_typed_date(node->text, node->size)) {
                (void)gbx_mistake(parser->checker, character, "there is no such day; a date is written date '2026-11-25'");
                return NULL;
        }
        node->type.kind = GBX_KIND_DATE;
        node->number = gbx_days_from_text(node->text);
        return node;
}

static struct gbx_node *parse_boolean(struct parser *parser) {
        struct gbx_node *node = gbx_node_new(parser->checker, GBX_OP_LITERAL, here(parser));

        if (!node)
                return NULL;
        node->type.kind = GBX_KIND_BOOLEAN;
        node->number = is(parser, "true");
        return next(parser) ? node : NULL;
}

static struct gbx_node *parse_case(struct parser *parser) {
        struct gbx_node *node = gbx_node_new(parser->checker, GBX_OP_CASE, here(parser)), *part;

        if (!node || !next(parser))
                return NULL;
        do {
                if (!expect(parser, "when") || !(part = parse_any(parser)) || gbx_node_add(parser->checker, node, part) < 0 ||
                    !expect(parser, "then") || !(part = parse_any(parser)) || gbx_node_add(parser->checker, node, part) < 0)
                        return NULL;
        } while (is(parser, "when"));
        if (is(parser, "else")) {
                if (!next(parser) || !(part = parse_any(parser)) || gbx_node_add(parser->checker, node, part) < 0)
                        return NULL;
        }
        return expect(parser, "end") ? node : NULL;
}

/* "(a, b)"; the parts are added to the node. */
static bool parse_list(struct parser *parser, struct gbx_node *node, struct gbx_node *(*part)(struct parser *)) {
        if (!expect(parser, "("))
                return false;
        for (;;) {
                struct gbx_node *arg = part(parser);

                if (!arg || gbx_node_add(parser->checker, node, arg) < 0)
                        return false;
                if (!is(parser, ","))
                        return expect(parser, ")");
                if (!next(parser))
                        return false;
        }
}

/* A column or a call. */
static struct gbx_node *parse_name(struct parser *parser) {
        const struct gbx_token token = parser->lexer.token;
        struct gbx_node *node = gbx_node_new(parser->checker, GBX_OP_COLUMN, token.character);
        size_t size;

        if (!node)
                return NULL;
        for (size_t i = 0; token.kind == GBX_TOKEN_NAME && i < gbx_array_size(reserved); i++)
                if (is(parser, reserved[i])) {
                        (void)gbx_mistake(parser->checker, token.character, "'%s' cannot stand here", reserved[i]);
                        return NULL;
                }
        node->text = token.kind == GBX_TOKEN_NAME ? strndup(token.start, token.size) : gbx_lexer_unquote(&token, &size);
        if (!node->text) {
                (void)gbx_fail_memory(parser->checker->err);
                return NULL;
        }
        if (!next(parser))
                return NULL;
        if (token.kind == GBX_TOKEN_NAME && is(parser, "(")) {
                node->op = GBX_OP_CALL;
                return parse_list(parser, node, parse_any) ? node : NULL;
        }
        return node;
}

static struct gbx_node *parse_primary(struct parser *parser) {
        struct gbx_node *node;

        switch (parser->lexer.token.kind) {
        case GBX_TOKEN_NUMBER:
                return parse_number(parser, false);
        case GBX_TOKEN_TEXT:
                return parse_text(parser);
        case GBX_TOKEN_QUOTED:
                return parse_name(parser);
        case GBX_TOKEN_NAME:
                if (is(parser, "true") || is(parser, "false"))
                        return parse_boolean(parser);
                if (is(parser, "case"))
                        return parse_case(parser);
                return is(parser, "date") ? parse_date(parser) : parse_name(parser);
        case GBX_TOKEN_SYMBOL:
                if (!is(parser, "("))
                        break;
                if (!next(parser))
                        return NULL;
                node = parse_any(parser);
                return node && expect(parser, ")") ? node : NULL;
        case GBX_TOKEN_END:
                break;
        }
        (void)gbx_mistake(parser->checker, here(parser), "a value is wanted here");
        return NULL;
}

static struct gbx_node *parse_unary(struct parser *parser) {
        size_t character = here(parser);
        struct gbx_node *node;

        if (!is(parser, "-"))
                return parse_primary(parser);
        if (!enter(parser) || !next(parser))
                return NULL;
        node = parser->lexer.token.kind == GBX_TOKEN_NUMBER ?
                       parse_number(parser, true) :
                       join(parser, GBX_OP_NEGATE, character, parse_unary(parser), NULL);
        parser->depth--;
        return node;
}

struct level {
        const char *word;
        enum gbx_operator op;
};

/* Operators of one level, from left to right. */
static struct gbx_node *parse_chain(struct parser *parser, const struct level *levels, size_t count,
                                    struct gbx_node *(*part)(struct parser *)) {
        struct gbx_node *node = part(parser);

        for (size_t i = 0; node && i < count;) {
                size_t character = here(parser);
                struct gbx_node *right;

                if (!is(parser, levels[i].word)) {
                        i++;
                        continue;
                }
                if (!next(parser) || !(right = part(parser)))
                        return NULL;
                node = join(parser, levels[i].op, character, node, right);
                i = 0;
        }
        return node;
}

static struct gbx_node *parse_product(struct parser *parser) {
        static const struct level levels[] = { { "*", GBX_OP_MULTIPLY }, { "/", GBX_OP_DIVIDE }, { "%", GBX_OP_MODULO } };

        return parse_chain(parser, levels, gbx_array_size(levels), parse_unary);
}

static struct gbx_node *parse_sum(struct parser *parser) {
        static const struct level levels[] = { { "+", GBX_OP_ADD }, { "-", GBX_OP_SUBTRACT } };

        return parse_chain(parser, levels, gbx_array_size(levels), parse_product);
}

/* x [not] in (…), x [not] between a and b; the current token is `in` or `between`. */
static struct gbx_node *parse_membership(struct parser *parser, struct gbx_node *value, bool inverted) {
        size_t character = here(parser);
        bool in = is(parser, "in");
        struct gbx_node *node, *part;

        if (!in && !is(parser, "between")) {
                (void)gbx_mistake(parser->checker, character, "'in' or 'between' is wanted here");
                return NULL;
        }
        node = next(parser) ? join(parser, in ? GBX_OP_IN : GBX_OP_BETWEEN, character, value, NULL) : NULL;
        if (!node)
                return NULL;
        if (in && !parse_list(parser, node, parse_unary))
                return NULL;
        if (!in && (!(part = parse_sum(parser)) || gbx_node_add(parser->checker, node, part) < 0 || !expect(parser, "and") ||
                    !(part = parse_sum(parser)) || gbx_node_add(parser->checker, node, part) < 0))
                return NULL;
        return inverted ? join(parser, GBX_OP_NOT, character, node, NULL) : node;
}

static struct gbx_node *parse_comparison(struct parser *parser) {
        static const struct level levels[] = {
                { "=", GBX_OP_EQUAL },       { "<>", GBX_OP_NOT_EQUAL }, { "!=", GBX_OP_NOT_EQUAL },
                { "<=", GBX_OP_LESS_EQUAL }, { "<", GBX_OP_LESS },       { ">=", GBX_OP_GREATER_EQUAL },
                { ">", GBX_OP_GREATER },
        };
        struct gbx_node *node = parse_sum(parser), *right;
        size_t character = here(parser);
        bool inverted;

        if (!node)
                return NULL;
        for (size_t i = 0; i < gbx_array_size(levels); i++)
                if (is(parser, levels[i].word))
                        return next(parser) && (right = parse_sum(parser)) ? join(parser, levels[i].op, character, node, right) : NULL;
        if (is(parser, "is")) {
                if (!next(parser))
                        return NULL;
                inverted = is(parser, "not");
                if ((inverted && !next(parser)) || !expect(parser, "missing"))
                        return NULL;
                node = join(parser, GBX_OP_IS_MISSING, character, node, NULL);
                return inverted ? join(parser, GBX_OP_NOT, character, node, NULL) : node;
        }
        inverted = is(parser, "not");
        if (inverted && !next(parser))
                return NULL;
        return inverted || is(parser, "in") || is(parser, "between") ? parse_membership(parser, node, inverted) : node;
}

static struct gbx_node *parse_not(struct parser *parser) {
        size_t character = here(parser);
        struct gbx_node *node;

        if (!is(parser, "not"))
                return parse_comparison(parser);
        if (!enter(parser) || !next(parser))
                return NULL;
        node = join(parser, GBX_OP_NOT, character, parse_not(parser), NULL);
        parser->depth--;
        return node;
}

static struct gbx_node *parse_and(struct parser *parser) {
        static const struct level levels[] = { { "and", GBX_OP_AND } };

        return parse_chain(parser, levels, 1, parse_not);
}

static struct gbx_node *parse_any(struct parser *parser) {
        static const struct level levels[] = { { "or", GBX_OP_OR } };
        struct gbx_node *node = enter(parser) ? parse_chain(parser, levels, 1, parse_and) : NULL;

        parser->depth--;
        return node;
}

int gbx_expression_parse(struct gbx_expression **ret, const char *text, const struct gbx_scope *scope,
                         struct gbx_expression_mistake *ret_mistake, struct gbx_error *err) {
        gbx_auto(gbx_expression_freep) struct gbx_expression *expression = calloc(1, sizeof *expression);
        struct gbx_error own = {};
        struct gbx_checker checker = { .scope = scope, .expression = expression, .mistake = ret_mistake, .err = err ? err : &own };
        struct parser parser = { .lexer = { .text = text, .at = text, .character = 1 }, .checker = &checker };
        int r;

        if (!expression)
                return gbx_fail_memory(err);
        if (strlen(text) > GBX_EXPRESSION_MAX_BYTES)
                return gbx_mistake(&checker, 1, "an expression has at most %d bytes", GBX_EXPRESSION_MAX_BYTES);
        if (!gbx_utf8_valid(text, strlen(text)))
                return gbx_mistake(&checker, 1, "an expression is UTF-8 text");
        if (!next(&parser))
                return checker.err->code;
        expression->root = parse_any(&parser);
        if (!expression->root)
                return checker.err->code;
        if (parser.lexer.token.kind != GBX_TOKEN_END)
                return gbx_mistake(&checker, parser.lexer.token.character, "the expression should end here");
        r = gbx_check_tree(&checker, expression->root);
        if (r < 0)
                return r;
        expression->type = expression->root->type;
        *ret = gbx_take_ptr(expression);
        return 0;
}
