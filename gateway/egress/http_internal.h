/* Between the files of the HTTP parser. */
#pragma once

#include "base/cleanup.h"
#include "gateway/egress/http.h"

bool gbx_http_token_char(char c);
char *gbx_http_next_line(char **rest);
int gbx_http_open(struct gbx_http_head *head, const void *data, size_t size, char **ret_rest, struct gbx_error *err);
int gbx_http_parse_rest(struct gbx_http_head *head, char *rest, enum gbx_refusal *ret_refusal, struct gbx_error *err);
