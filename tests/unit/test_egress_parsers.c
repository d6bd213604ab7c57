/* What a job sends to the proxy: HTTP heads and chunks, SOCKS messages, TLS hellos. */
#include "gateway/egress/hello.h"
#include "gateway/egress/http.h"
#include "gateway/flows/redirect.h"
#include "gateway/egress/socks.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct {
        const char *name, *text;
        enum gbx_refusal refusal; /* NONE: passes */
} requests[] = {
        { "absolute form", "GET http://a.b/x?q=1 HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_NONE },
        { "origin form", "GET /x HTTP/1.1\r\nHost: a.b:8080\r\n\r\n", GBX_REFUSAL_NONE },
        { "default port on one side", "GET http://a.b:80/ HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_NONE },
        { "connect", "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\n", GBX_REFUSAL_NONE },
        { "connect, Host without port", "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_NONE },
        { "length", "POST /x HTTP/1.1\r\nHost: a.b\r\nContent-Length: 5\r\n\r\n", GBX_REFUSAL_NONE },
        { "chunked", "POST /x HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: chunked\r\n\r\n", GBX_REFUSAL_NONE },
        { "expect", "POST /x HTTP/1.1\r\nHost: a.b\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", GBX_REFUSAL_NONE },
        { "dots in names", "GET /a..b/.c/...d HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_NONE },
        { "connect of version 1.0", "CONNECT a.b:443 HTTP/1.0\r\n\r\n", GBX_REFUSAL_NONE },
        { "version 1.0", "GET /x HTTP/1.0\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "version 1.2", "GET /x HTTP/1.2\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "version 0.9", "GET /x\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "bare LF", "GET /x HTTP/1.1\nHost: a.b\n\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "bare CR", "GET /x HTTP/1.1\r\nHost: a.b\r\nX: a\rb\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "leading blank line", "\r\nGET /x HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "leading space", " GET /x HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "two spaces", "GET  /x HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "TAB in the request line", "GET\t/x HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "method in small letters", "get /x HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "folded header", "GET /x HTTP/1.1\r\nHost: a.b\r\nX: a\r\n b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "space before the colon", "GET /x HTTP/1.1\r\nHost : a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "header without a colon", "GET /x HTTP/1.1\r\nHost: a.b\r\nX\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "empty header name", "GET /x HTTP/1.1\r\nHost: a.b\r\n: x\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "byte above ASCII", "GET /x HTTP/1.1\r\nHost: a.b\r\nX: \xc3\xa4\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "escape byte", "GET /x HTTP/1.1\r\nHost: a.b\r\nX: \x1b[2J\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "no Host", "GET /x HTTP/1.1\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "two Hosts", "GET /x HTTP/1.1\r\nHost: a.b\r\nHost: c.d\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "Host differs", "GET http://a.b/x HTTP/1.1\r\nHost: c.d\r\n\r\n", GBX_REFUSAL_DISAGREE },
        { "Host has another port", "GET http://a.b/x HTTP/1.1\r\nHost: a.b:81\r\n\r\n", GBX_REFUSAL_DISAGREE },
        { "Host of CONNECT differs", "CONNECT a.b:443 HTTP/1.1\r\nHost: c.d:443\r\n\r\n", GBX_REFUSAL_DISAGREE },
        { "user in the target", "GET http://a.b@c.d/x HTTP/1.1\r\nHost: c.d\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "https target", "GET https://a.b/x HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "no path", "GET http://a.b HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "asterisk", "OPTIONS * HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "connect without port", "CONNECT a.b HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "connect with a body", "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\nContent-Length: 1\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "dot-dot", "GET /v1/../admin HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "dot-dot at the end", "GET /v1/.. HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "dot", "GET /./admin HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "dot-dot with parameters", "GET /v1/..;a=b/admin HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "escaped dot-dot", "GET /v1/%2e%2E/admin HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "escaped slash", "GET /v1%2fadmin HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "escaped twice", "GET /v1/%252e%252e/admin HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "escaped zero", "GET /v1/%00 HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "half an escape", "GET /v1/%2 HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "backslash", "GET /v1\\admin HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "fragment", "GET /v1/#x HTTP/1.1\r\nHost: a.b\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "length and chunked", "POST / HTTP/1.1\r\nHost: a.b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "two lengths", "POST / HTTP/1.1\r\nHost: a.b\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "list of lengths", "POST / HTTP/1.1\r\nHost: a.b\r\nContent-Length: 5, 5\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "signed length", "POST / HTTP/1.1\r\nHost: a.b\r\nContent-Length: +5\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "huge length", "POST / HTTP/1.1\r\nHost: a.b\r\nContent-Length: 18446744073709551617\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "hexadecimal length", "POST / HTTP/1.1\r\nHost: a.b\r\nContent-Length: 0x5\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "empty length", "POST / HTTP/1.1\r\nHost: a.b\r\nContent-Length:\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "chunked twice", "POST / HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "chunked in two headers", "POST / HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "gzip, chunked", "POST / HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "identity", "POST / HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: identity\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "quoted chunked", "POST / HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", GBX_REFUSAL_FRAMING },
        { "vertical tab", "POST / HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding:\x0b" "chunked\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "upgrade", "GET / HTTP/1.1\r\nHost: a.b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", GBX_REFUSAL_UPGRADE },
        { "upgrade to h2c", "GET / HTTP/1.1\r\nHost: a.b\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n", GBX_REFUSAL_UPGRADE },
        { "another expectation", "POST / HTTP/1.1\r\nHost: a.b\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n", GBX_REFUSAL_SYNTAX },
        { "bytes behind", "GET /x HTTP/1.1\r\nHost: a.b\r\n\r\nGET", GBX_REFUSAL_SYNTAX },
};

static void test_requests(void **state) {
        (void)state;
        for (size_t i = 0; i < gbx_array_size(requests); i++) {
                gbx_auto(gbx_http_head_free) struct gbx_http_head head = {};
                enum gbx_refusal refusal = GBX_REFUSAL_NONE;
                struct gbx_error err = {};
                int r = gbx_http_parse_request(&head, requests[i].text, strlen(requests[i].text), &refusal, &err);

                if ((r == 0) != (requests[i].refusal == GBX_REFUSAL_NONE) || (r < 0 && refusal != requests[i].refusal))
                        fail_msg("%s: %d %s (%s)", requests[i].name, r, gbx_refusal_info(refusal)->code, err.message);
        }
}

static void test_rewriting(void **state) {
        static const char text[] = "POST http://A.b/x?y=%41 HTTP/1.1\r\nHOST: a.b\r\nX-One:  two \r\nConnection: close, x-hop\r\n"
                                   "X-Hop: 1\r\nProxy-Authorization: Basic Zm9v\r\nTE: trailers\r\nContent-Length: 3\r\n"
                                   "X-Forwarded-For: 127.0.0.1\r\nContent-Type: Text/Plain; charset=utf-8\r\n\r\n";
        gbx_auto(gbx_http_head_free) struct gbx_http_head head = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = {};
        enum gbx_refusal refusal;

        (void)state;
        assert_int_equal(gbx_http_parse_request(&head, text, strlen(text), &refusal, NULL), 0);
        assert_string_equal(head.media_type, "text/plain");
        assert_true(head.close);
        assert_int_equal(gbx_http_write_request(&head, "a.b", GBX_HTTP_BODY_LENGTH, 3, &out, NULL), 0);
        assert_string_equal(gbx_buffer_text(&out), "POST /x?y=%41 HTTP/1.1\r\nhost: a.b\r\nx-one: two\r\n"
                                                   "content-type: Text/Plain; charset=utf-8\r\ncontent-length: 3\r\n\r\n");
}

static void test_limits(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_http_head_free) struct gbx_http_head head = {};
        enum gbx_refusal refusal;
        size_t scanned = 0, length = 0;

        (void)state;
        assert_int_equal(gbx_http_head_complete("GET / HTTP/1.1\r\n\r", 17, &scanned, &length, NULL), 0);
        assert_int_equal(gbx_http_head_complete("GET / HTTP/1.1\r\n\r\nx", 19, &scanned, &length, NULL), 1);
        assert_int_equal(length, 18);
        assert_int_equal(gbx_buffer_append_text(&text, "GET / HTTP/1.1\r\nHost: a.b\r\n", NULL), 0);
        for (int i = 0; i < 99; i++)
                assert_int_equal(gbx_buffer_printf(&text, NULL, "X%d: y\r\n", i), 0);
        assert_int_equal(gbx_buffer_append_text(&text, "\r\n", NULL), 0);
        assert_int_equal(gbx_http_parse_request(&head, text.data, text.size, &refusal, NULL), 0);
        gbx_http_head_free(&head);
        text.size -= 2;
        assert_int_equal(gbx_buffer_append_text(&text, "X: one too many\r\n\r\n", NULL), 0);
        assert_int_equal(gbx_http_parse_request(&head, text.data, text.size, &refusal, NULL), -EINVAL);
        gbx_buffer_clear(&text);
        while (text.size <= GBX_HTTP_HEAD_LIMIT)
                assert_int_equal(gbx_buffer_append_text(&text, "X: yyyyyyyyyyyy\r\n", NULL), 0);
        scanned = 0;
        assert_int_equal(gbx_http_head_complete(text.data, text.size, &scanned, &length, NULL), -EFBIG);
}

static const struct {
        const char *name, *text;
        int body; /* -1: refused */
} responses[] = {
        { "length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", GBX_HTTP_BODY_LENGTH },
        { "chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", GBX_HTTP_BODY_CHUNKED },
        { "until close", "HTTP/1.0 200 OK\r\n\r\n", GBX_HTTP_BODY_UNTIL_CLOSE },
        { "no reason", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", GBX_HTTP_BODY_LENGTH },
        { "204", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", GBX_HTTP_BODY_NONE },
        { "304", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", GBX_HTTP_BODY_NONE },
        { "100", "HTTP/1.1 100 Continue\r\n\r\n", GBX_HTTP_BODY_NONE },
        { "101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", -1 },
        { "both", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", -1 },
        { "two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", -1 },
        { "status 600", "HTTP/1.1 600 X\r\n\r\n", -1 },
        { "four digits", "HTTP/1.1 2000 X\r\n\r\n", -1 },
        { "version 2", "HTTP/2.0 200 OK\r\n\r\n", -1 },
        { "header injection", "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n", -1 },
        { "chunked in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", -1 },
};

static void test_responses(void **state) {
        static const char get[] = "GET /x HTTP/1.1\r\nHost: a.b\r\n\r\n", head_text[] = "HEAD /x HTTP/1.1\r\nHost: a.b\r\n\r\n";
        gbx_auto(gbx_http_head_free) struct gbx_http_head request = {}, head_request = {}, response = {};
        enum gbx_refusal refusal;

        (void)state;
        assert_int_equal(gbx_http_parse_request(&request, get, strlen(get), &refusal, NULL), 0);
        for (size_t i = 0; i < gbx_array_size(responses); i++) {
                gbx_auto(gbx_http_head_free) struct gbx_http_head head = {};
                int r = gbx_http_parse_response(&head, &request, responses[i].text, strlen(responses[i].text), &refusal, NULL);

                if ((r < 0) != (responses[i].body < 0) || (r == 0 && (int)head.body != responses[i].body))
                        fail_msg("%s: %d, body %d", responses[i].name, r, (int)head.body);
        }
        assert_int_equal(gbx_http_parse_request(&head_request, head_text, strlen(head_text), &refusal, NULL), 0);
        assert_int_equal(gbx_http_parse_response(&response, &head_request, responses[0].text, strlen(responses[0].text), &refusal, NULL), 0);
        assert_int_equal(response.body, GBX_HTTP_BODY_NONE);
}

/* Feeds the text in pieces of `step` bytes; the decoded body, or NULL. */
static char *decode(const char *text, size_t step, struct gbx_buffer *body) {
        struct gbx_http_chunks chunks = {};
        size_t size = strlen(text), place = 0, end = step < size ? step : size;

        for (;;) {
                size_t skip, payload;
                int r = gbx_http_chunks_step(&chunks, text + place, end - place, &skip, &payload, NULL);

                if (r < 0)
                        return NULL;
                place += skip;
                assert_int_equal(gbx_buffer_append(body, text + place, payload, NULL), 0);
                place += payload;
                if (r > 0)
                        return place == size ? (char *)(uintptr_t)gbx_buffer_text(body) : NULL;
                if (place == end) {
                        if (end == size)
                                return NULL;
                        end = end + step < size ? end + step : size;
                }
        }
}

static void test_chunks(void **state) {
        static const struct {
                const char *text, *body;
        } cases[] = {
                { "5\r\nhello\r\n0\r\n\r\n", "hello" },
                { "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n", "abc0123456789" },
                { "0\r\n\r\n", "" },
                { "00000000\r\n\r\n", "" },
                { "5;x=y\r\nhello\r\n0\r\n\r\n", NULL },  { "5 \r\nhello\r\n0\r\n\r\n", NULL },
                { "5\nhello\n0\n\n", NULL },              { "5\r\nhello!\r\n0\r\n\r\n", NULL },
                { "6\r\nhello\r\n0\r\n\r\n", NULL },      { "0x5\r\nhello\r\n0\r\n\r\n", NULL },
                { "000000005\r\nhello\r\n0\r\n\r\n", NULL }, { "-1\r\n\r\n", NULL },
                { "\r\n", NULL },                         { "0\r\nTrailer: x\r\n\r\n", NULL },
                { "fffffffff\r\n", NULL },                { "5\r\nhello\r\n0\r\n\n", NULL },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++)
                for (size_t step = 1; step < 12; step += 3) {
                        gbx_auto(gbx_buffer_free) struct gbx_buffer body = {};
                        const char *text = decode(cases[i].text, step, &body);

                        if (cases[i].body ? !text || strcmp(text, cases[i].body) != 0 : text != NULL)
                                fail_msg("case %zu, step %zu", i, step);
                }
}

static void test_socks(void **state) {
        static const uint8_t greeting[] = { 5, 2, 2, 0 }, only_password[] = { 5, 1, 2 }, version4[] = { 4, 1, 0, 80 };
        static const uint8_t name[] = { 5, 1, 0, 3, 3, 'a', '.', 'b', 1, 187 }, ipv4[] = { 5, 1, 0, 1, 10, 0, 0, 1, 0, 80 };
        static const uint8_t bind_command[] = { 5, 2, 0, 1, 10, 0, 0, 1, 0, 80 }, udp[] = { 5, 3, 0, 1, 10, 0, 0, 1, 0, 80 };
        static const uint8_t type[] = { 5, 1, 0, 2, 10, 0, 0, 1, 0, 80 }, zero[] = { 5, 1, 0, 3, 3, 'a', 0, 'b', 1, 187 };
        static const uint8_t port[] = { 5, 1, 0, 1, 10, 0, 0, 1, 0, 0 }, number[] = { 5, 1, 0, 3, 5, '1', '2', '7', '.', '1', 1, 187 };
        struct gbx_authority authority;
        size_t length;
        int reply;

        (void)state;
        assert_int_equal(gbx_socks_parse_greeting(greeting, sizeof greeting, &length, NULL), 1);
        assert_int_equal(length, 4);
        assert_int_equal(gbx_socks_parse_greeting(greeting, 3, &length, NULL), 0);
        assert_int_equal(gbx_socks_parse_greeting(only_password, sizeof only_password, &length, NULL), -EINVAL);
        assert_int_equal(gbx_socks_parse_greeting(version4, sizeof version4, &length, NULL), -EINVAL);
        for (size_t size = 0; size < sizeof name; size++)
                assert_int_equal(gbx_socks_parse_request(name, size, &length, &authority, &reply, NULL), 0);
        assert_int_equal(gbx_socks_parse_request(name, sizeof name, &length, &authority, &reply, NULL), 1);
        assert_string_equal(authority.host, "a.b");
        assert_int_equal(authority.port, 443);
        assert_int_equal(gbx_socks_parse_request(ipv4, sizeof ipv4, &length, &authority, &reply, NULL), 1);
        assert_string_equal(authority.host, "10.0.0.1");
        assert_int_equal(gbx_socks_parse_request(bind_command, sizeof bind_command, &length, &authority, &reply, NULL), -EINVAL);
        assert_int_equal(reply, GBX_SOCKS_COMMAND);
        assert_int_equal(gbx_socks_parse_request(udp, sizeof udp, &length, &authority, &reply, NULL), -EINVAL);
        assert_int_equal(gbx_socks_parse_request(type, sizeof type, &length, &authority, &reply, NULL), -EINVAL);
        assert_int_equal(reply, GBX_SOCKS_ADDRESS_TYPE);
        assert_int_equal(gbx_socks_parse_request(zero, sizeof zero, &length, &authority, &reply, NULL), -EINVAL);
        assert_int_equal(gbx_socks_parse_request(port, sizeof port, &length, &authority, &reply, NULL), -EINVAL);
        assert_int_equal(gbx_socks_parse_request(number, sizeof number, &length, &authority, &reply, NULL), -EINVAL);
}

/* A ClientHello with the given extensions, cut into records of `record` bytes. */
static size_t build_hello(const void *extensions, size_t extensions_size, size_t record, uint8_t *out) {
        uint8_t message[2048] = { 1 };
        size_t size = 4, place = 0, used = 0;

        message[size++] = 3, message[size++] = 3;
        size += 32;
        message[size++] = 0;                            /* session id */
        message[size++] = 0, message[size++] = 2;       /* ciphers */
        message[size++] = 0x13, message[size++] = 1;
        message[size++] = 1, message[size++] = 0;       /* compression */
        message[size++] = (uint8_t)(extensions_size >> 8), message[size++] = (uint8_t)extensions_size;
        memcpy(message + size, extensions, extensions_size);
        size += extensions_size;
        message[2] = (uint8_t)((size - 4) >> 8), message[3] = (uint8_t)(size - 4);
        while (place < size) {
                size_t length = size - place < record ? size - place : record;
                const uint8_t header[5] = { 22, 3, 1, (uint8_t)(length >> 8), (uint8_t)length };

                memcpy(out + used, header, 5);
                memcpy(out + used + 5, message + place, length);
                used += 5 + length;
                place += length;
        }
        return used;
}

static void test_hello(void **state) {
#define SNI(text) "\0\0\0\x0b\0\x09\0\0\x06" text
        static const struct {
                const char *name;
                const char *extensions;
                size_t size;
                const char *server_name; /* NULL: refused */
        } cases[] = {
                { "one name", SNI("A.test"), 15, "a.test" },
                { "after another extension", "\0\x17\0\0" SNI("a.test"), 19, "a.test" },
                { "none", "\0\x17\0\0", 4, NULL },
                { "two extensions", SNI("a.test") SNI("b.test"), 30, NULL },
                { "two names", "\0\0\0\x14\0\x12\0\0\x06" "a.test" "\0\0\x06" "b.test", 24, NULL },
                { "address", "\0\0\0\x0c\0\x0a\0\0\x07" "1.2.3.4", 16, NULL },
                { "zero byte", SNI("a\0test"), 15, NULL },
                { "other type", "\0\0\0\x0b\0\x09\x01\0\x06" "a.test", 15, NULL },
                { "encrypted hello", SNI("a.test") "\xfe\x0d\0\0", 19, NULL },
                { "too long inside", "\0\0\0\x0b\0\x09\0\0\x60" "a.test", 15, NULL },
                { "too long outside", "\0\0\0\x60\0\x09\0\0\x06" "a.test", 15, NULL },
        };
        uint8_t data[16384];

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++)
                for (size_t record = 1; record < 4096; record *= 4) {
                        size_t size = build_hello(cases[i].extensions, cases[i].size, record, data);
                        struct gbx_hello hello;
                        int r = gbx_hello_parse(data, size, &hello, NULL);

                        if (cases[i].server_name ? r != 1 || strcmp(hello.server_name, cases[i].server_name) != 0 : r != -EINVAL)
                                fail_msg("%s in records of %zu: %d", cases[i].name, record, r);
                        for (size_t cut = 0; cut < size && r == 1; cut++)
                                assert_int_equal(gbx_hello_parse(data, cut, &hello, NULL), 0);
                }
}

static void test_not_hello(void **state) {
        static const uint8_t http[] = "GET / HTTP/1.1\r\n", alert[] = { 21, 3, 3, 0, 2, 2, 40 }, empty[] = { 22, 3, 1, 0, 0 },
                             other[] = { 22, 3, 1, 0, 4, 2, 0, 0, 0 }, huge[] = { 22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff };
        struct gbx_hello hello;

        (void)state;
        assert_int_equal(gbx_hello_parse(http, sizeof http, &hello, NULL), -EINVAL);
        assert_int_equal(gbx_hello_parse(http, 1, &hello, NULL), -EINVAL);
        assert_int_equal(gbx_hello_parse(alert, sizeof alert, &hello, NULL), -EINVAL);
        assert_int_equal(gbx_hello_parse(empty, sizeof empty, &hello, NULL), -EINVAL);
        assert_int_equal(gbx_hello_parse(other, sizeof other, &hello, NULL), -EINVAL);
        assert_int_equal(gbx_hello_parse(huge, sizeof huge, &hello, NULL), -EINVAL);
}

static void test_redirect(void **state) {
        const struct sockaddr_in proxy = { .sin_family = AF_INET, .sin_port = htons(3128), .sin_addr.s_addr = htonl(0x0ac90001) };
        struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0xc6120001) };
        struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
        static const uint8_t four_bytes[] = { 5, 1, 0, 1, 198, 18, 0, 1, 0, 80 }, mapped_bytes[] = { 5, 1, 0, 1, 10, 0, 0, 1, 1, 187 };
        uint8_t request[GBX_REDIRECT_REQUEST_SIZE];

        (void)state;
        assert_int_equal(gbx_redirect_request(&four, sizeof four, &proxy, request), sizeof four_bytes);
        assert_memory_equal(request, four_bytes, sizeof four_bytes);
        assert_int_equal(gbx_redirect_request(&four, sizeof four - 1, &proxy, request), -EINVAL);
        assert_int_equal(gbx_redirect_request(&four, 1, &proxy, request), -EINVAL);
        assert_int_equal(gbx_redirect_request(&proxy, sizeof proxy, &proxy, request), 0);
        four.sin_port = 0;
        assert_int_equal(gbx_redirect_request(&four, sizeof four, &proxy, request), sizeof four_bytes); /* the proxy refuses it, and records that */
        four.sin_family = AF_UNSPEC;
        assert_int_equal(gbx_redirect_request(&four, sizeof four, &proxy, request), -EAFNOSUPPORT);
        assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &six.sin6_addr), 1);
        assert_int_equal(gbx_redirect_request(&six, sizeof six, &proxy, request), 22);
        assert_int_equal(request[3], 4);
        assert_memory_equal(request + 4, &six.sin6_addr, 16);
        assert_int_equal(gbx_redirect_request(&six, 16, &proxy, request), -EINVAL);
        assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &six.sin6_addr), 1);
        assert_int_equal(gbx_redirect_request(&six, sizeof six, &proxy, request), sizeof mapped_bytes);
        assert_memory_equal(request, mapped_bytes, sizeof mapped_bytes);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests),  cmocka_unit_test(test_rewriting), cmocka_unit_test(test_limits),
                cmocka_unit_test(test_responses), cmocka_unit_test(test_chunks),    cmocka_unit_test(test_socks),
                cmocka_unit_test(test_hello),     cmocka_unit_test(test_not_hello),
                cmocka_unit_test(test_redirect),
        };

        return cmocka_run_group_tests_name("egress parsers", tests, NULL, NULL);
}
