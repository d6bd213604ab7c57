/*
 * Words of an expression; private to this folder
 */
#pragma once

#include "gateway/tabulate/expression/node.h"

enum gbx_token_kind {
        GBX_TOKEN_END,
        GBX_TOKEN_NUMBER,
        GBX_TOKEN_TEXT,   /* 'it''s' */
        GBX_TOKEN_NAME,   /* also region.name */
        GBX_TOKEN_QUOTED, /* "a name" */
        GBX_TOKEN_SYMBOL, /* one or two characters */
};

struct gbx_token {
        enum gbx_token_kind kind;
        size_t character;    /* from 1 */
        const char *start;   /* as written */
        size_t size;
};

struct gbx_lexer {
        const char *text, *at;
        size_t character;
        struct gbx_token token; /* the current one */
};

/* Reads the next token. */
int gbx_lexer_next(struct gbx_lexer *lexer, struct gbx_checker *checker);
/* Whether the current token is this word or symbol. */
bool gbx_lexer_is(const struct gbx_lexer *lexer, const char *word);
/* The text between the quotes of the current token, doubled quotes made single. The caller frees it. */
char *gbx_lexer_unquote(const struct gbx_token *token, size_t *ret_size);
