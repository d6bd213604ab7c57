#include "gateway/tabulate/expression/lexer.h"

#include <stdlib.h>
#include <string.h>

static bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool in_name(char c) { return starts_name(c) || is_digit(c); }

/* Moves on by `size` bytes; a character of UTF-8 counts once. */
static void advance(struct gbx_lexer *lexer, size_t size) {
        lexer->character += gbx_text_length(lexer->at, size);
        lexer->at += size;
}

static size_t number_size(const char *at) {
        size_t size = 0;

        while (is_digit(at[size]))
                size++;
        if (at[size] == '.' && is_digit(at[size + 1]))
                for (size++; is_digit(at[size]);)
                        size++;
        return size;
}

/* region.name is one name; a dot without a name behind it is not part of it. */
static size_t name_size(const char *at) {
        size_t size = 1;

        while (in_name(at[size]))
                size++;
        if (at[size] == '.' && starts_name(at[size + 1]))
                for (size++; in_name(at[size]);)
                        size++;
        return size;
}

/* Up to and with the closing quote; 0 if there is none. */
static size_t quoted_size(const char *at) {
        size_t size = 1;

        for (;; size++) {
                if (!at[size])
                        return 0;
                if (at[size] != at[0])
                        continue;
                if (at[size + 1] != at[0])
                        return size + 1;
                size++;
        }
}

static size_t symbol_size(const char *at) {
        static const char *const pairs[] = { "<=", ">=", "<>", "!=" };

        for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
                if (strncmp(at, pairs[i], 2) == 0)
                        return 2;
        return strchr("+-*/%=<>(),", *at) ? 1 : 0;
}

int gbx_lexer_next(struct gbx_lexer *lexer, struct gbx_checker *checker) {
        struct gbx_token token;

        advance(lexer, strspn(lexer->at, " \t"));
        token = (struct gbx_token){ .character = lexer->character, .start = lexer->at };
        if (!*lexer->at) {
                token.kind = GBX_TOKEN_END;
        } else if (is_digit(*lexer->at)) {
                token.kind = GBX_TOKEN_NUMBER;
                token.size = number_size(lexer->at);
                if (in_name(lexer->at[token.size]) || lexer->at[token.size] == '.')
                        return gbx_mistake(checker, token.character, "this number is not written like 12 or 0.05");
        } else if (starts_name(*lexer->at)) {
                token.kind = GBX_TOKEN_NAME;
                token.size = name_size(lexer->at);
        } else if (*lexer->at == '\'' || *lexer->at == '"') {
                token.kind = *lexer->at == '"' ? GBX_TOKEN_QUOTED : GBX_TOKEN_TEXT;
                token.size = quoted_size(lexer->at);
                if (token.size == 0)
                        return gbx_mistake(checker, token.character, "this quote is never closed");
        } else {
                token.kind = GBX_TOKEN_SYMBOL;
                token.size = symbol_size(lexer->at);
                if (token.size == 0)
                        return gbx_mistake(checker, token.character, "this character has no meaning here");
        }
        advance(lexer, token.size);
        lexer->token = token;
        return 0;
}

bool gbx_lexer_is(const struct gbx_lexer *lexer, const char *word) {
        const struct gbx_token *token = &lexer->token;

        return (token->kind == GBX_TOKEN_NAME || token->kind == GBX_TOKEN_SYMBOL) && strlen(word) == token->size &&
               memcmp(word, token->start, token->size) == 0;
}

char *gbx_lexer_unquote(const struct gbx_token *token, size_t *ret_size) {
        char *copy = malloc(token->size);
        size_t size = 0;

        if (!copy)
                return NULL;
        for (size_t i = 1; i + 1 < token->size; i++) {
                copy[size++] = token->start[i];
                i += token->start[i] == token->start[0];
        }
        copy[size] = 0;
        *ret_size = size;
        return copy;
}
