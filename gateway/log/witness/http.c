#include "gateway/log/witness/http.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { POSTS_MAX = 256, HEADERS_MAX = 64 * 1024 };

/* One exchange. */
struct exchange {
        struct gbx_http_post *post;
        struct evhttp_connection *connection;
        struct bufferevent *tls; /* of the connection, which owns it; NULL: no TLS */
        struct event_base *base;
        SSL_CTX **context; /* made when the first https:// comes */
        size_t *open; /* how many exchanges wait for an answer */
        bool done;
};

static void finish(struct exchange *exchange) {
        if (exchange->done)
                return;
        exchange->done = true;
        if (--*exchange->open == 0)
                (void)event_base_loopbreak(exchange->base);
}

static void on_error(enum evhttp_request_error error, void *context) {
        static const char *const texts[] = {
                [EVREQ_HTTP_TIMEOUT] = "no answer in time",
                [EVREQ_HTTP_EOF] = "the connection was closed",
                [EVREQ_HTTP_INVALID_HEADER] = "the answer is not HTTP",
                [EVREQ_HTTP_BUFFER_ERROR] = "the connection failed",
                [EVREQ_HTTP_REQUEST_CANCEL] = "cancelled",
                [EVREQ_HTTP_DATA_TOO_LONG] = "the answer is too long",
        };
        struct exchange *exchange = context;

        (void)snprintf(exchange->post->problem, sizeof exchange->post->problem, "%s", texts[error]);
}

/* Why there is no answer: a certificate that is not accepted, if that was it. */
static void explain(struct exchange *exchange) {
        struct gbx_http_post *post = exchange->post;
        SSL *ssl = exchange->tls ? bufferevent_openssl_get_ssl(exchange->tls) : NULL;
        long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

        if (verdict != X509_V_OK)
                (void)snprintf(post->problem, sizeof post->problem, "its TLS certificate is refused: %.80s",
                               X509_verify_cert_error_string(verdict));
        else if (!post->problem[0])
                (void)snprintf(post->problem, sizeof post->problem, "cannot connect");
}

/* A TLS client that believes nobody but the machine's authorities, and only for this host. */
static struct bufferevent *make_tls(struct exchange *exchange, const char *host) {
        struct in6_addr address;
        bool is_address = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
        SSL *ssl;

        if (!*exchange->context) {
                *exchange->context = SSL_CTX_new(TLS_client_method());
                if (!*exchange->context || SSL_CTX_set_default_verify_paths(*exchange->context) != 1 ||
                    SSL_CTX_set_min_proto_version(*exchange->context, TLS1_2_VERSION) != 1)
                        return NULL;
                SSL_CTX_set_verify(*exchange->context, SSL_VERIFY_PEER, NULL);
        }
        ssl = SSL_new(*exchange->context);
        if (!ssl)
                return NULL;
        if ((is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
                        : SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)host) == 1) != 1) {
                SSL_free(ssl);
                return NULL;
        }
        return bufferevent_openssl_socket_new(exchange->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
                                              BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
}

static void on_answer(struct evhttp_request *request, void *context) {
        struct exchange *exchange = context;
        struct gbx_http_post *post = exchange->post;
        struct evbuffer *body = request ? evhttp_request_get_input_buffer(request) : NULL;
        const char *type;
        size_t size;

        if (!request || evhttp_request_get_response_code(request) == 0) {
                explain(exchange);
                finish(exchange);
                return;
        }
        type = evhttp_find_header(evhttp_request_get_input_headers(request), "Content-Type");
        (void)snprintf(post->answer_type, sizeof post->answer_type, "%s", type ? type : "");
        size = evbuffer_get_length(body);
        if (size <= GBX_HTTP_ANSWER_MAX && gbx_buffer_reserve(&post->answer, size, NULL) == 0) {
                (void)evbuffer_remove(body, post->answer.data, size);
                post->answer.size = size;
                post->answer.data[size] = 0;
                post->status = (unsigned)evhttp_request_get_response_code(request);
        } else {
                (void)snprintf(post->problem, sizeof post->problem, "the answer is too long");
        }
        finish(exchange);
}

/* Starts an exchange; what cannot be started is noted in the post. */
static int start(struct exchange *exchange, unsigned timeout_ms) {
        struct gbx_http_post *post = exchange->post;
        struct evhttp_uri *uri = evhttp_uri_parse(post->url);
        const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL, *host = uri ? evhttp_uri_get_host(uri) : NULL;
        const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
        int port = uri ? evhttp_uri_get_port(uri) : 0;
        struct evhttp_request *request = NULL;
        struct timeval timeout = { .tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };
        struct evkeyvalq *headers;
        char named[300];
        bool secure = scheme && strcasecmp(scheme, "https") == 0;
        int r = -EINVAL;

        if (!scheme || (!secure && strcasecmp(scheme, "http") != 0) || !host || !host[0]) {
                (void)snprintf(post->problem, sizeof post->problem, "not an http:// or https:// URL");
                goto out;
        }
        if (port <= 0)
                port = secure ? 443 : 80;
        if (secure) {
                exchange->tls = make_tls(exchange, host);
                if (!exchange->tls)
                        goto out;
                bufferevent_openssl_set_allow_dirty_shutdown(exchange->tls, 1); /* the length says whether all came */
        }
        exchange->connection = evhttp_connection_base_bufferevent_new(exchange->base, NULL, exchange->tls, host, (unsigned short)port);
        if (!exchange->connection && exchange->tls) {
                bufferevent_free(exchange->tls);
                exchange->tls = NULL;
        }
        request = evhttp_request_new(on_answer, exchange);
        if (!exchange->connection || !request)
                goto out;
        evhttp_connection_set_timeout_tv(exchange->connection, &timeout);
        evhttp_connection_set_max_body_size(exchange->connection, GBX_HTTP_ANSWER_MAX);
        evhttp_connection_set_max_headers_size(exchange->connection, HEADERS_MAX);
        evhttp_request_set_error_cb(request, on_error);
        headers = evhttp_request_get_output_headers(request);
        (void)snprintf(named, sizeof named, "%.255s:%d", host, port);
        if (evhttp_add_header(headers, "Host", named) < 0 || evhttp_add_header(headers, "Connection", "close") < 0 ||
            evhttp_add_header(headers, "Content-Type", post->content_type) < 0 ||
            evbuffer_add(evhttp_request_get_output_buffer(request), post->body, post->size) < 0)
                goto out;
        r = evhttp_make_request(exchange->connection, request, EVHTTP_REQ_POST, path && path[0] ? path : "/");
        request = NULL; /* the connection owns it, also on failure */
out:
        if (r < 0 && !post->problem[0])
                (void)snprintf(post->problem, sizeof post->problem, "cannot send");
        if (request)
                evhttp_request_free(request);
        if (uri)
                evhttp_uri_free(uri);
        return r;
}

int gbx_http_post_all(struct gbx_http_post *posts, size_t count, unsigned timeout_ms, struct gbx_error *err) {
        struct exchange exchanges[POSTS_MAX] = {};
        struct event_base *base = NULL;
        SSL_CTX *context = NULL;
        size_t open = 0;

        if (count > POSTS_MAX)
                return gbx_fail(err, -EINVAL, "more than %d requests at once", POSTS_MAX);
        base = event_base_new();
        if (!base)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < count; i++) {
                exchanges[i] = (struct exchange){ .post = &posts[i], .base = base, .open = &open, .context = &context };
                open++;
                if (start(&exchanges[i], timeout_ms) < 0)
                        finish(&exchanges[i]);
        }
        if (open > 0) {
                struct timeval limit = { .tv_sec = timeout_ms / 1000 + 1 }; /* whatever the connections do */

                (void)event_base_loopexit(base, &limit);
                (void)event_base_dispatch(base);
        }
        for (size_t i = 0; i < count; i++) {
                if (!exchanges[i].done && !posts[i].problem[0])
                        (void)snprintf(posts[i].problem, sizeof posts[i].problem, "no answer in time");
                exchanges[i].done = true; /* freeing the connection may call back */
                if (exchanges[i].connection)
                        evhttp_connection_free(exchanges[i].connection);
        }
        event_base_free(base);
        SSL_CTX_free(context);
        return 0;
}
