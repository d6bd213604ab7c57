/* Lines, headers and framing: what requests and responses have in common; and the start lines. */
#include "gateway/egress/http.h"

#include "gateway/egress/http_internal.h"

#include <stdlib.h>
#include <string.h>

int gbx_http_head_complete(const void *data, size_t size, size_t *scanned, size_t *ret_length, struct gbx_error *err) {
        size_t from = *scanned > 3 ? *scanned - 3 : 0;
        const uint8_t *end = size > from ? memmem((const uint8_t *)data + from, size - from, "\r\n\r\n", 4) : NULL;
        size_t length = end ? (size_t)(end - (const uint8_t *)data) + 4 : size;

        if (length > GBX_HTTP_HEAD_LIMIT)
                return gbx_fail(err, -EFBIG, "the head is longer than %d bytes", GBX_HTTP_HEAD_LIMIT);
        *scanned = size;
        if (!end)
                return 0;
        *ret_length = length;
        return 1;
}

bool gbx_http_token_char(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *text) {
        if (!*text)
                return false;
        for (; *text; text++)
                if (!gbx_http_token_char(*text))
                        return false;
        return true;
}

/* Cuts the next CRLF line out of the text; NULL for a line that is not clean. */
char *gbx_http_next_line(char **rest) {
        char *line = *rest, *end = line;

        while (*end && *end != '\r' && *end != '\n') {
                if ((*end < ' ' && *end != '\t') || *end > '~')
                        return NULL;
                end++;
        }
        if (end[0] != '\r' || end[1] != '\n' || end - line > GBX_HTTP_LINE_LIMIT)
                return NULL;
        *end = '\0';
        *rest = end + 2;
        return line;
}

static int parse_header(char *line, struct gbx_http_header *ret, struct gbx_error *err) {
        char *colon = strchr(line, ':'), *value, *end;

        if (!colon)
                return gbx_fail(err, -EINVAL, "a header line has no colon");
        *colon = '\0';
        if (!is_token(line))
                return gbx_fail(err, -EINVAL, "a header's name is not a token");
        for (char *c = line; *c; c++)
                if (*c >= 'A' && *c <= 'Z')
                        *c = (char)(*c + ('a' - 'A'));
        value = colon + 1 + strspn(colon + 1, " \t");
        end = value + strlen(value);
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
        *end = '\0';
        *ret = (struct gbx_http_header){ line, value, false };
        return 0;
}

/* RFC 9110 7.6.1, and what only ever meant a proxy. Content-Length and Host are written anew. */
static const char *const hop_headers[] = { "connection",          "keep-alive", "proxy-connection", "proxy-authenticate",
                                           "proxy-authorization", "te",         "trailer",          "transfer-encoding",
                                           "upgrade",             "expect",     "content-length",   "host",
                                           "via",                 "forwarded",  "x-forwarded-for",  "x-forwarded-host",
                                           "x-forwarded-proto",   "http2-settings", "alt-svc",      "proxy-authentication-info" };
/* Two of these would let two readers choose differently. */
static const char *const single_headers[] = { "host",         "content-length",   "transfer-encoding", "content-type",
                                              "content-encoding", "expect", "connection", "content-range", "upgrade" };

static bool in_list(const char *const *list, size_t count, const char *name) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(list[i], name) == 0)
                        return true;
        return false;
}

static int parse_headers(struct gbx_http_head *head, char **rest, struct gbx_error *err) {
        for (;;) {
                struct gbx_http_header *header = &head->headers[head->header_count];
                char *line = gbx_http_next_line(rest);
                int r;

                if (!line)
                        return gbx_fail(err, -EINVAL, "a header line is too long or has forbidden bytes");
                if (!*line)
                        return 0;
                if (head->header_count == GBX_HTTP_MAX_HEADERS)
                        return gbx_fail(err, -EINVAL, "more than %d headers", GBX_HTTP_MAX_HEADERS);
                r = parse_header(line, header, err);
                if (r < 0)
                        return r;
                if (in_list(single_headers, gbx_array_size(single_headers), header->name) &&
                    gbx_http_header(head, header->name))
                        return gbx_fail(err, -EINVAL, "the header %s stands twice", header->name);
                header->hop = in_list(hop_headers, gbx_array_size(hop_headers), header->name);
                head->header_count++;
        }
}

const char *gbx_http_header(const struct gbx_http_head *head, const char *name) {
        for (size_t i = 0; i < head->header_count; i++)
                if (strcmp(head->headers[i].name, name) == 0)
                        return head->headers[i].value;
        return NULL;
}

/* Connection lists options and the names of further headers for this connection only. */
static int parse_connection(struct gbx_http_head *head, struct gbx_error *err) {
        const char *value = gbx_http_header(head, "connection");
        char name[64];

        while (value && *value) {
                size_t length = strcspn(value, ", \t");

                if (length >= sizeof name)
                        return gbx_fail(err, -EINVAL, "the header connection names something too long");
                for (size_t i = 0; i < length; i++)
                        name[i] = (char)(value[i] >= 'A' && value[i] <= 'Z' ? value[i] + ('a' - 'A') : value[i]);
                name[length] = '\0';
                if (length && !is_token(name))
                        return gbx_fail(err, -EINVAL, "the header connection is malformed");
                if (strcmp(name, "close") == 0)
                        head->close = true;
                for (size_t i = 0; length && i < head->header_count; i++)
                        if (strcmp(head->headers[i].name, name) == 0)
                                head->headers[i].hop = true;
                value += length;
                value += strspn(value, ", \t");
        }
        return 0;
}

static int parse_length(const char *text, uint64_t *ret, struct gbx_error *err) {
        uint64_t length = 0;
        size_t digits = strlen(text);

        if (digits == 0 || digits > 15 || text[strspn(text, "0123456789")])
                return gbx_fail(err, -EINVAL, "content-length is not a plain number");
        for (; *text; text++)
                length = length * 10 + (uint64_t)(*text - '0');
        *ret = length;
        return 0;
}

static int parse_framing(struct gbx_http_head *head, struct gbx_error *err) {
        const char *length = gbx_http_header(head, "content-length");
        const char *transfer = gbx_http_header(head, "transfer-encoding");
        int r;

        if (length && transfer)
                return gbx_fail(err, -EINVAL, "both content-length and transfer-encoding");
        if (transfer) {
                if (strcasecmp(transfer, "chunked") != 0)
                        return gbx_fail(err, -EINVAL, "transfer-encoding is something else than chunked");
                head->body = GBX_HTTP_BODY_CHUNKED;
        }
        if (length) {
                r = parse_length(length, &head->length, err);
                if (r < 0)
                        return r;
                head->body = GBX_HTTP_BODY_LENGTH;
        }
        return 0;
}

static void parse_content(struct gbx_http_head *head) {
        const char *type = gbx_http_header(head, "content-type");
        const char *encoding = gbx_http_header(head, "content-encoding");
        size_t length = type ? strcspn(type, "; \t") : 0;

        if (length >= sizeof head->media_type)
                length = sizeof head->media_type - 1;
        for (size_t i = 0; i < length; i++)
                head->media_type[i] = (char)(type[i] >= 'A' && type[i] <= 'Z' ? type[i] + ('a' - 'A') : type[i]);
        head->media_type[length] = '\0';
        head->encoded = encoding && *encoding && strcasecmp(encoding, "identity") != 0;
}

int gbx_http_open(struct gbx_http_head *head, const void *data, size_t size, char **ret_rest, struct gbx_error *err) {
        *head = (struct gbx_http_head){};
        if (size > GBX_HTTP_HEAD_LIMIT || memchr(data, 0, size))
                return gbx_fail(err, -EINVAL, "the head is too long or has a zero byte");
        head->text = strndup(data, size);
        if (!head->text)
                return gbx_fail_memory(err);
        *ret_rest = head->text;
        return 0;
}

int gbx_http_parse_rest(struct gbx_http_head *head, char *rest, enum gbx_refusal *ret_refusal, struct gbx_error *err) {
        int r;

        *ret_refusal = GBX_REFUSAL_SYNTAX;
        r = parse_headers(head, &rest, err);
        if (r < 0)
                return r;
        if (*rest)
                return gbx_fail(err, -EINVAL, "bytes behind the head");
        r = parse_connection(head, err);
        if (r < 0)
                return r;
        parse_content(head);
        *ret_refusal = GBX_REFUSAL_FRAMING;
        return parse_framing(head, err);
}

void gbx_http_head_free(struct gbx_http_head *head) {
        free(head->text);
        *head = (struct gbx_http_head){};
}
