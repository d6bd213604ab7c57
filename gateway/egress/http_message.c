/* Start lines of requests and responses, and writing heads. */
#include "gateway/egress/http.h"

#include "gateway/egress/http_internal.h"

#include <inttypes.h>
#include <string.h>

static int hex(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Escapes must be whole, and must not hide what a path is made of. */
static bool path_clean(const char *path) {
        for (const char *c = path; *c; c++) {
                int value;

                if (*c == '\\' || *c == '#' || *c == '"' || *c == '<' || *c == '>')
                        return false;
                if (*c != '%')
                        continue;
                if (hex(c[1]) < 0 || hex(c[2]) < 0)
                        return false;
                value = hex(c[1]) * 16 + hex(c[2]);
                if (value < ' ' || value == 0x7f || value == '.' || value == '/' || value == '\\' || value == '%' || value == '?' || value == '#' || value == ';')
                        return false;
        }
        for (const char *segment = path; segment; segment = strchr(segment + 1, '/')) {
                size_t length = strcspn(segment + 1, "/");

                /* Some servers take "..;x" for "..". */
                if (strcspn(segment + 1, ";") < length)
                        length = strcspn(segment + 1, ";");
                if ((length == 1 && segment[1] == '.') || (length == 2 && segment[1] == '.' && segment[2] == '.'))
                        return false;
        }
        return true;
}

static bool query_clean(const char *query) {
        for (; *query; query++)
                if (*query == '#' || *query == '\\' || (*query == '%' && (hex(query[1]) < 0 || hex(query[2]) < 0)))
                        return false;
        return true;
}

static int parse_target(struct gbx_http_head *head, char *target, struct gbx_error *err) {
        static const char prefix[] = "http://";
        char *path = target, *query;
        int r;

        if (strcmp(head->method, "CONNECT") == 0) {
                head->form = GBX_HTTP_AUTHORITY;
                r = gbx_authority_parse(target, strlen(target), &head->authority, err);
                if (r < 0)
                        return r;
                return head->authority.port ? 0 : gbx_fail(err, -EINVAL, "CONNECT names no port");
        }
        head->form = GBX_HTTP_ORIGIN;
        if (*target != '/') {
                if (strncmp(target, prefix, sizeof prefix - 1) != 0)
                        return gbx_fail(err, -EINVAL, "the target is neither a path nor an http:// address");
                head->form = GBX_HTTP_ABSOLUTE;
                target += sizeof prefix - 1;
                path = target + strcspn(target, "/?");
                r = gbx_authority_parse(target, (size_t)(path - target), &head->authority, err);
                if (r < 0)
                        return r;
                if (*path != '/')
                        return gbx_fail(err, -EINVAL, "the target has no path; write '/'");
        }
        query = strchr(path, '?');
        if (query) {
                *query = '\0';
                head->query = query + 1;
        }
        head->path = path;
        if (!path_clean(path) || (head->query && !query_clean(head->query)))
                return gbx_fail(err, -EINVAL, "the path is not in plain form");
        return 0;
}

static int parse_request_line(struct gbx_http_head *head, char *line, struct gbx_error *err) {
        char *target = line ? strchr(line, ' ') : NULL, *version = target ? strchr(target + 1, ' ') : NULL;
        size_t length;

        if (!version || (strcmp(version, " HTTP/1.1") != 0 &&
                         !(strcmp(version, " HTTP/1.0") == 0 && strncmp(line, "CONNECT ", 8) == 0)))
                return gbx_fail(err, -EINVAL, "the first line is not a request of HTTP/1.1");
        head->minor_version = version[8] - '0';
        *target = *version = '\0';
        length = strlen(line);
        if (length == 0 || length > 20 || line[strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")])
                return gbx_fail(err, -EINVAL, "the method is not a word in capitals");
        head->method = line;
        return parse_target(head, target + 1, err);
}

/* Host must be there, and must name the target; the default port may be left out on either side. */
static int check_host(struct gbx_http_head *head, enum gbx_refusal *ret_refusal, struct gbx_error *err) {
        const char *value = gbx_http_header(head, "host");
        struct gbx_authority host;
        int r;

        if (!value && head->minor_version == 0) /* CONNECT as Python's http.client sends it: its target says all */
                return 0;
        if (!value)
                return gbx_fail(err, -EINVAL, "there is no Host");
        r = gbx_authority_parse(value, strlen(value), &host, err);
        if (r < 0)
                return gbx_context(err, r, "Host");
        if (head->form == GBX_HTTP_ORIGIN) {
                head->authority = host;
                return 0;
        }
        *ret_refusal = GBX_REFUSAL_DISAGREE;
        if (strcmp(host.host, head->authority.host) != 0)
                return gbx_fail(err, -EINVAL, "target and Host differ");
        if (head->form == GBX_HTTP_AUTHORITY ? host.port && host.port != head->authority.port
                                             : (host.port ? host.port : 80) != (head->authority.port ? head->authority.port : 80))
                return gbx_fail(err, -EINVAL, "the ports of target and Host differ");
        return 0;
}

static int parse_request(struct gbx_http_head *head, const void *data, size_t size, enum gbx_refusal *ret_refusal,
                         struct gbx_error *err) {
        const char *expect;
        char *rest;
        int r;

        *ret_refusal = GBX_REFUSAL_SYNTAX;
        r = gbx_http_open(head, data, size, &rest, err);
        if (r < 0)
                return r;
        r = parse_request_line(head, gbx_http_next_line(&rest), err);
        if (r < 0)
                return r;
        r = gbx_http_parse_rest(head, rest, ret_refusal, err);
        if (r < 0)
                return r;
        *ret_refusal = GBX_REFUSAL_SYNTAX;
        r = check_host(head, ret_refusal, err);
        if (r < 0)
                return r;
        expect = gbx_http_header(head, "expect");
        if (expect && strcasecmp(expect, "100-continue") != 0)
                return gbx_fail(err, -EINVAL, "an expectation that is not 100-continue");
        head->expects_continue = expect && head->body != GBX_HTTP_BODY_NONE;
        *ret_refusal = GBX_REFUSAL_UPGRADE;
        if (gbx_http_header(head, "upgrade") || gbx_http_header(head, "http2-settings"))
                return gbx_fail(err, -EINVAL, "the request asks for another protocol");
        *ret_refusal = GBX_REFUSAL_FRAMING;
        if (head->form == GBX_HTTP_AUTHORITY && head->body != GBX_HTTP_BODY_NONE)
                return gbx_fail(err, -EINVAL, "CONNECT with a body");
        return 0;
}

int gbx_http_parse_request(struct gbx_http_head *ret, const void *data, size_t size, enum gbx_refusal *ret_refusal,
                           struct gbx_error *err) {
        gbx_auto(gbx_http_head_free) struct gbx_http_head head = {};
        int r = parse_request(&head, data, size, ret_refusal, err);

        if (r < 0)
                return r;
        *ret = head;
        head.text = NULL;
        return 0;
}

static int parse_status_line(struct gbx_http_head *head, const char *line, struct gbx_error *err) {
        if (!line || strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
            line[9] < '1' || line[9] > '5' || line[10] < '0' || line[10] > '9' || line[11] < '0' || line[11] > '9' ||
            (line[12] != ' ' && line[12] != '\0'))
                return gbx_fail(err, -EINVAL, "the first line is not a response of HTTP/1.x");
        head->minor_version = line[7] - '0';
        head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
        return 0;
}

int gbx_http_parse_response(struct gbx_http_head *ret, const struct gbx_http_head *request, const void *data, size_t size,
                            enum gbx_refusal *ret_refusal, struct gbx_error *err) {
        gbx_auto(gbx_http_head_free) struct gbx_http_head head = {};
        char *rest;
        int r;

        *ret_refusal = GBX_REFUSAL_RESPONSE;
        r = gbx_http_open(&head, data, size, &rest, err);
        if (r < 0)
                return r;
        r = parse_status_line(&head, gbx_http_next_line(&rest), err);
        if (r < 0)
                return r;
        r = gbx_http_parse_rest(&head, rest, ret_refusal, err);
        *ret_refusal = GBX_REFUSAL_RESPONSE;
        if (r < 0)
                return r;
        if (head.status == 101)
                return gbx_fail(err, -EINVAL, "the server changes the protocol");
        if (head.minor_version == 0) {
                head.close = true;
                if (head.body == GBX_HTTP_BODY_CHUNKED)
                        return gbx_fail(err, -EINVAL, "a chunked response of HTTP/1.0");
        }
        if (head.status < 200 || head.status == 204 || head.status == 304 || strcmp(request->method, "HEAD") == 0)
                head.body = GBX_HTTP_BODY_NONE;
        else if (head.body == GBX_HTTP_BODY_NONE)
                head.body = GBX_HTTP_BODY_UNTIL_CLOSE;
        if (head.body == GBX_HTTP_BODY_UNTIL_CLOSE)
                head.close = true;
        *ret = head;
        head.text = NULL;
        return 0;
}

static int write_headers(const struct gbx_http_head *head, struct gbx_buffer *buffer, struct gbx_error *err) {
        for (size_t i = 0; i < head->header_count; i++) {
                const struct gbx_http_header *header = &head->headers[i];
                int r = header->hop ? 0 : gbx_buffer_printf(buffer, err, "%s: %s\r\n", header->name, header->value);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int write_framing(enum gbx_http_body body, uint64_t length, struct gbx_buffer *buffer, struct gbx_error *err) {
        switch (body) {
        case GBX_HTTP_BODY_LENGTH:
                return gbx_buffer_printf(buffer, err, "content-length: %" PRIu64 "\r\n", length);
        case GBX_HTTP_BODY_CHUNKED:
                return gbx_buffer_append_text(buffer, "transfer-encoding: chunked\r\n", err);
        case GBX_HTTP_BODY_NONE:
        case GBX_HTTP_BODY_UNTIL_CLOSE:
        default:
                return 0;
        }
}

int gbx_http_write_request(const struct gbx_http_head *head, const char *host, enum gbx_http_body body, uint64_t length,
                           struct gbx_buffer *buffer, struct gbx_error *err) {
        int r = gbx_buffer_printf(buffer, err, "%s %s%s%s HTTP/1.1\r\nhost: %s\r\n", head->method, head->path,
                                  head->query ? "?" : "", head->query ? head->query : "", host);

        if (r < 0)
                return r;
        r = write_headers(head, buffer, err);
        if (r < 0)
                return r;
        r = write_framing(body, length, buffer, err);
        if (r < 0)
                return r;
        return gbx_buffer_append_text(buffer, "\r\n", err);
}

int gbx_http_write_response(const struct gbx_http_head *head, enum gbx_http_body body, bool close,
                            struct gbx_buffer *buffer, struct gbx_error *err) {
        const char *length = gbx_http_header(head, "content-length");
        int r = gbx_buffer_printf(buffer, err, "HTTP/1.1 %d \r\n", head->status);

        if (r < 0)
                return r;
        r = write_headers(head, buffer, err);
        if (r < 0)
                return r;
        /* A response to HEAD and a 304 tell the length of the body they do not have. */
        if (body == GBX_HTTP_BODY_NONE && length && head->status >= 200 && head->status != 204)
                r = write_framing(GBX_HTTP_BODY_LENGTH, head->length, buffer, err);
        else
                r = write_framing(body, head->length, buffer, err);
        if (r < 0)
                return r;
        return gbx_buffer_append_text(buffer, close ? "connection: close\r\n\r\n" : "\r\n", err);
}

int gbx_http_unescape(const char *text, size_t length, bool form, struct gbx_buffer *buffer, struct gbx_error *err) {
        int r = gbx_buffer_reserve(buffer, length, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < length; i++) {
                char c = text[i];

                if (c == '%' && length - i > 2 && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
                        c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
                        i += 2;
                } else if (form && c == '+') {
                        c = ' ';
                }
                r = gbx_buffer_append_byte(buffer, (uint8_t)c, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
