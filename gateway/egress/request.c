/* HTTP from the job: a head is matched against the rules, its body is decoded, limited, scanned and sent on. */
#include "gateway/egress/proxy.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const char continue_head[] = "HTTP/1.1 100 Continue\r\n\r\n";

static uint16_t default_port(int scheme) { return scheme == GBX_FLOW_HTTPS ? 443 : 80; }

/* The path as the log gets it. */
static char *path_for_log(const struct gbx_flow_rule *rule, const char *path) {
        char text[1024];

        if (rule && rule->hash_path) {

                gbx_sha256_text_of(path, strlen(path), text);
        } else {
                gbx_text_printable(path, strlen(path), text, sizeof text);
        }
        return strdup(text);
}

/* Where the request goes: of itself, or of the tunnel that it came through. */
static enum gbx_refusal settle_target(struct gbx_connection *connection, int *ret_scheme) {
        struct gbx_authority *authority = &connection->request.authority;

        *ret_scheme = connection->tunnel ? connection->tunnel_rule->scheme : GBX_FLOW_HTTP;
        if (authority->port == 0)
                authority->port = default_port(*ret_scheme);
        if (connection->request.form != (connection->tunnel ? GBX_HTTP_ORIGIN : GBX_HTTP_ABSOLUTE))
                return GBX_REFUSAL_SYNTAX;
        if (connection->tunnel &&
            (strcmp(authority->host, connection->target.host) != 0 || authority->port != connection->target.port))
                return GBX_REFUSAL_DISAGREE;
        return GBX_REFUSAL_NONE;
}

static enum gbx_refusal match(struct gbx_connection *connection) {
        const struct gbx_http_head *head = &connection->request;
        struct gbx_flow_request request = {
                .host = head->authority.host,
                .method = head->method,
                .path = head->path,
                .request_type = head->body == GBX_HTTP_BODY_NONE ? NULL : head->media_type,
                .now = gbx_time_now(),
        };
        const struct gbx_flow_rule *rule = NULL;
        enum gbx_refusal refusal, account;
        int scheme;

        refusal = settle_target(connection, &scheme);
        request.port = head->authority.port;
        request.scheme = &scheme;
        if (refusal == GBX_REFUSAL_NONE)
                rule = gbx_flow_match(&connection->proxy->config->rules, &request, &refusal);
        account = gbx_flow_begin(connection, rule, head->authority.host, head->authority.port, scheme);
        (void)snprintf(connection->flow.method, sizeof connection->flow.method, "%s", head->method);
        connection->flow.path = path_for_log(rule, head->path);
        if (!rule)
                return refusal;
        /* A tunnel that was to be inspected stays so. */
        if (connection->tunnel && (rule->scheme != connection->tunnel_rule->scheme || rule->tls != connection->tunnel_rule->tls))
                return GBX_REFUSAL_SCHEME;
        return account;
}

static enum gbx_refusal check_body(struct gbx_connection *connection) {
        const struct gbx_http_head *head = &connection->request;
        const struct gbx_account *account = &connection->flow.lane->account;

        if (head->body == GBX_HTTP_BODY_NONE)
                return GBX_REFUSAL_NONE;
        if (head->body == GBX_HTTP_BODY_LENGTH && head->length > account->rule->body_bytes)
                return GBX_REFUSAL_TOO_LARGE;
        if (head->body == GBX_HTTP_BODY_LENGTH && head->length > gbx_account_left(account, GBX_REQUEST))
                return GBX_REFUSAL_QUOTA;
        if (account->rule->scan && head->encoded)
                return GBX_REFUSAL_SCAN_BLIND;
        return GBX_REFUSAL_NONE;
}

/* Head and, where it is scanned, body are there: on to the server. */
static void ready(struct gbx_connection *connection) {
        if (connection->flow.lane->account.rule->scan) {
                enum gbx_refusal refusal = gbx_request_scan(connection);

                if (refusal != GBX_REFUSAL_NONE) {
                        gbx_connection_refuse(connection, refusal);
                        return;
                }
        }
        gbx_connection_stage(connection, GBX_STAGE_CONNECT);
        gbx_upstream_open(connection);
}

static void start_exchange(struct gbx_connection *connection) {
        enum gbx_refusal refusal = match(connection);

        if (refusal == GBX_REFUSAL_NONE)
                refusal = check_body(connection);
        if (refusal != GBX_REFUSAL_NONE) {
                gbx_connection_refuse(connection, refusal);
                return;
        }
        (void)evbuffer_drain(connection->body, evbuffer_get_length(connection->body));
        connection->request_chunks = connection->response_chunks = (struct gbx_http_chunks){};
        connection->request_left = connection->request.length;
        connection->request_done = connection->request.body == GBX_HTTP_BODY_NONE ||
                                   (connection->request.body == GBX_HTTP_BODY_LENGTH && connection->request.length == 0);
        connection->response_started = false;
        connection->body_bytes = 0;
        connection->body_since_ms = gbx_proxy_now_ms();
        if (!connection->flow.lane->account.rule->scan || connection->request_done) {
                ready(connection);
                return;
        }
        if (connection->request.expects_continue)
                (void)bufferevent_write(connection->client, continue_head, sizeof continue_head - 1);
        gbx_connection_stage(connection, GBX_STAGE_COLLECT);
}

void gbx_request_head(struct gbx_connection *connection) {
        struct evbuffer *input = bufferevent_get_input(connection->client);
        size_t size = evbuffer_get_length(input), length;
        enum gbx_refusal refusal;
        const uint8_t *data;
        int r;

        if (size == 0)
                return;
        if (connection->scanned == 0)
                gbx_connection_stage(connection, GBX_STAGE_HEAD); /* the time for a head begins with its first byte */
        if (size > GBX_HTTP_HEAD_LIMIT + 1)
                size = GBX_HTTP_HEAD_LIMIT + 1;
        data = evbuffer_pullup(input, (ev_ssize_t)size);
        r = data ? gbx_http_head_complete(data, size, &connection->scanned, &length, NULL) : -ENOMEM;
        if (r == 0)
                return;
        connection->scanned = 0;
        if (r < 0) {
                gbx_connection_refuse(connection, GBX_REFUSAL_TOO_LARGE);
                return;
        }
        gbx_http_head_free(&connection->request);
        r = gbx_http_parse_request(&connection->request, data, length, &refusal, NULL);
        (void)evbuffer_drain(input, length);
        if (r < 0) {
                gbx_connection_refuse(connection, refusal);
        } else if (connection->request.form == GBX_HTTP_AUTHORITY) {
                if (connection->tunnel)
                        gbx_connection_refuse(connection, GBX_REFUSAL_SYNTAX);
                else
                        gbx_tunnel_open(connection, &connection->request.authority);
        } else {
                start_exchange(connection);
        }
}

/* Takes what has come of the body out of its framing. */
static enum gbx_refusal decode(struct gbx_connection *connection) {
        struct evbuffer *input = bufferevent_get_input(connection->client);
        uint64_t limit = connection->flow.lane->account.rule->body_bytes;

        while (!connection->request_done && evbuffer_get_length(input) > 0) {
                size_t size = evbuffer_get_length(input), skip = 0, payload = size;

                if (connection->request.body == GBX_HTTP_BODY_CHUNKED) {
                        size = evbuffer_get_contiguous_space(input);
                        switch (gbx_http_chunks_step(&connection->request_chunks, evbuffer_pullup(input, (ev_ssize_t)size), size,
                                                     &skip, &payload, NULL)) {
                        case 0:
                                break;
                        case 1:
                                connection->request_done = true;
                                break;
                        default:
                                return GBX_REFUSAL_FRAMING;
                        }
                } else {
                        if (payload > connection->request_left)
                                payload = (size_t)connection->request_left;
                        connection->request_left -= payload;
                        connection->request_done = connection->request_left == 0;
                }
                connection->body_bytes += payload;
                if (connection->body_bytes > limit)
                        return GBX_REFUSAL_TOO_LARGE;
                if (evbuffer_drain(input, skip) < 0 ||
                    (payload && evbuffer_remove_buffer(input, connection->body, payload) != (int)payload))
                        return GBX_REFUSAL_INTERNAL;
        }
        return GBX_REFUSAL_NONE;
}

/* Sends the decoded bytes on, in the framing that the server was told. */
static enum gbx_refusal send_body(struct gbx_connection *connection) {
        struct evbuffer *output = bufferevent_get_output(connection->server);
        size_t size = evbuffer_get_length(connection->body);
        bool chunked = connection->request.body == GBX_HTTP_BODY_CHUNKED && !connection->flow.lane->account.rule->scan;
        enum gbx_refusal refusal = gbx_flow_take(connection, GBX_REQUEST, size);

        if (refusal != GBX_REFUSAL_NONE)
                return refusal;
        gbx_flow_digest(connection, GBX_REQUEST, connection->body, size);
        if (size && ((chunked && evbuffer_add_printf(output, "%zx\r\n", size) < 0) ||
                     evbuffer_add_buffer(output, connection->body) < 0 || (chunked && evbuffer_add(output, "\r\n", 2) < 0)))
                return GBX_REFUSAL_INTERNAL;
        if (chunked && connection->request_done && evbuffer_add(output, "0\r\n\r\n", 5) < 0)
                return GBX_REFUSAL_INTERNAL;
        if (evbuffer_get_length(output) > GBX_RELAY_HIGH)
                (void)bufferevent_disable(connection->client, EV_READ);
        return GBX_REFUSAL_NONE;
}

void gbx_request_body(struct gbx_connection *connection) {
        enum gbx_refusal refusal;

        if (connection->request_done)
                return;
        if (connection->stage == GBX_STAGE_EXCHANGE &&
            evbuffer_get_length(bufferevent_get_output(connection->server)) > GBX_RELAY_HIGH)
                return; /* on_server_write comes back */
        refusal = decode(connection);
        if (refusal == GBX_REFUSAL_NONE && connection->stage == GBX_STAGE_EXCHANGE)
                refusal = send_body(connection);
        if (refusal != GBX_REFUSAL_NONE)
                gbx_connection_refuse(connection, refusal);
        else if (connection->request_done && connection->stage == GBX_STAGE_COLLECT)
                ready(connection);
}

static int write_head(struct gbx_connection *connection, struct gbx_buffer *head, struct gbx_error *err) {
        const struct gbx_http_head *request = &connection->request;
        bool collected = connection->flow.lane->account.rule->scan && request->body != GBX_HTTP_BODY_NONE;
        char host[GBX_HOST_SIZE + 16];
        bool bare = request->authority.port == default_port(connection->flow.scheme);

        (void)snprintf(host, sizeof host, strchr(request->authority.host, ':') ? "[%s]" : "%s", request->authority.host);
        if (!bare)
                (void)snprintf(host + strlen(host), sizeof host - strlen(host), ":%u", request->authority.port);
        return gbx_http_write_request(request, host, collected ? GBX_HTTP_BODY_LENGTH : request->body,
                                      collected ? connection->body_bytes : request->length, head, err);
}

void gbx_request_send(struct gbx_connection *connection) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer head = {};
        enum gbx_refusal refusal = GBX_REFUSAL_NONE;

        if (!connection->flow.opened) /* it is, when a request goes out a second time */
                refusal = gbx_flow_opened(connection);
        if (refusal == GBX_REFUSAL_NONE && write_head(connection, &head, NULL) < 0)
                refusal = GBX_REFUSAL_INTERNAL;
        if (refusal == GBX_REFUSAL_NONE)
                refusal = gbx_flow_take(connection, GBX_REQUEST, head.size);
        if (refusal == GBX_REFUSAL_NONE && bufferevent_write(connection->server, head.data, head.size) < 0)
                refusal = GBX_REFUSAL_INTERNAL;
        gbx_connection_stage(connection, GBX_STAGE_EXCHANGE);
        if (refusal == GBX_REFUSAL_NONE && evbuffer_get_length(connection->body) > 0)
                refusal = send_body(connection);
        if (refusal != GBX_REFUSAL_NONE) {
                gbx_connection_refuse(connection, refusal);
                return;
        }
        if (connection->request.expects_continue && !connection->request_done)
                (void)bufferevent_write(connection->client, continue_head, sizeof continue_head - 1);
        gbx_connection_work(connection);
}
