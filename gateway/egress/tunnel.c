/* Tunnels: CONNECT and SOCKS ask for one; its rule says what must come through it. */
#include "gateway/egress/proxy.h"

#include "base/text.h"
#include "gateway/egress/hello.h"
#include "gateway/egress/socks.h"

#include <event2/bufferevent_ssl.h>
#include <string.h>

/* An address of `aliases` stands for a name. */
static void resolve_alias(const struct gbx_proxy *proxy, struct gbx_authority *target) {
        const char *name = target->address ? json_string_value(json_object_get(proxy->config->aliases, target->host)) : NULL;

        if (!name)
                return;
        (void)snprintf(target->host, sizeof target->host, "%s", name);
        target->address = false;
}

static void answer_success(struct gbx_connection *connection) {
        static const char established[] = "HTTP/1.1 200 \r\n\r\n";
        uint8_t reply[GBX_SOCKS_REPLY_SIZE];

        if (connection->socks) {
                gbx_socks_write_reply(GBX_SOCKS_OK, reply);
                (void)bufferevent_write(connection->client, reply, sizeof reply);
                connection->socks = false; /* from here on the stream is the tunnel's */
        } else {
                (void)bufferevent_write(connection->client, established, sizeof established - 1);
        }
}

void gbx_tunnel_open(struct gbx_connection *connection, const struct gbx_authority *asked) {
        struct gbx_authority target = *asked;
        struct gbx_flow_request request = { .host = target.host, .port = target.port, .now = gbx_time_now() };
        enum gbx_refusal refusal = GBX_REFUSAL_NONE, account = GBX_REFUSAL_NONE;
        const struct gbx_flow_rule *rule;

        resolve_alias(connection->proxy, &target);
        rule = gbx_flow_match(&connection->proxy->config->rules, &request, &refusal);
        if (!rule || !gbx_flow_readable(rule)) /* otherwise each request is a flow of its own */
                account = gbx_flow_begin(connection, rule, target.host, target.port, rule ? rule->scheme : -1);
        if (!rule || account != GBX_REFUSAL_NONE) {
                gbx_connection_refuse(connection, rule ? account : refusal);
                return;
        }
        connection->target = target;
        connection->tunnel_rule = rule;
        connection->tunnel = true;
        if (rule->scheme == GBX_FLOW_TCP) { /* the answer waits until the server is there */
                gbx_connection_stage(connection, GBX_STAGE_CONNECT);
                gbx_upstream_open(connection);
                return;
        }
        answer_success(connection);
        gbx_connection_stage(connection, rule->scheme == GBX_FLOW_HTTPS ? GBX_STAGE_HELLO : GBX_STAGE_HEAD);
}

void gbx_tunnel_socks(struct gbx_connection *connection) {
        static const uint8_t method[] = { GBX_SOCKS_VERSION, 0 };
        struct evbuffer *input = bufferevent_get_input(connection->client);
        size_t size = evbuffer_get_length(input), length;
        struct gbx_authority target;
        const uint8_t *data;
        int r, reply = 0;

        if (size > 512)
                size = 512; /* more than either message can have */
        data = evbuffer_pullup(input, (ev_ssize_t)size);
        if (!data)
                return;
        if (connection->stage == GBX_STAGE_GREETING) {
                r = gbx_socks_parse_greeting(data, size, &length, NULL);
                if (r > 0) {
                        (void)evbuffer_drain(input, length);
                        (void)bufferevent_write(connection->client, method, sizeof method);
                        gbx_connection_stage(connection, GBX_STAGE_SOCKS);
                }
        } else {
                r = gbx_socks_parse_request(data, size, &length, &target, &reply, NULL);
                if (r > 0) {
                        (void)evbuffer_drain(input, length);
                        gbx_tunnel_open(connection, &target);
                }
        }
        if (r < 0) {
                connection->socks_reply = reply;
                gbx_connection_refuse(connection, GBX_REFUSAL_SYNTAX);
        }
}

/* From here on the client's side is TLS that ends in the proxy. */
static void inspect(struct gbx_connection *connection) {
        struct bufferevent *inner;
        SSL *ssl;

        if (gbx_tls_accept(connection->proxy->tls, connection->target.host, &ssl, NULL) < 0) {
                gbx_connection_refuse(connection, GBX_REFUSAL_INTERNAL);
                return;
        }
        bufferevent_setcb(connection->client, NULL, NULL, NULL, NULL);
        inner = bufferevent_openssl_filter_new(connection->proxy->base, connection->client, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                               BEV_OPT_CLOSE_ON_FREE);
        if (!inner) {
                SSL_free(ssl);
                gbx_connection_end(connection);
                return;
        }
        connection->client = inner;
        bufferevent_openssl_set_allow_dirty_shutdown(inner, 1);
        connection->inspected = true;
        gbx_connection_stage(connection, GBX_STAGE_HEAD);
        gbx_connection_watch_client(connection);
        /* The hello is in the buffer below already; nothing else would wake the handshake. */
        bufferevent_trigger(bufferevent_get_underlying(inner), EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void gbx_tunnel_hello(struct gbx_connection *connection) {
        struct evbuffer *input = bufferevent_get_input(connection->client);
        size_t size = evbuffer_get_length(input);
        struct gbx_hello hello;
        int r;

        if (size == 0)
                return;
        if (size > 2 * GBX_HELLO_LIMIT + 1)
                size = 2 * GBX_HELLO_LIMIT + 1;
        r = gbx_hello_parse(evbuffer_pullup(input, (ev_ssize_t)size), size, &hello, NULL);
        if (r == 0)
                return;
        if (r < 0) {
                gbx_connection_refuse(connection, GBX_REFUSAL_HELLO);
        } else if (strcmp(hello.server_name, connection->target.host) != 0) {
                gbx_connection_refuse(connection, GBX_REFUSAL_DISAGREE);
        } else if (connection->tunnel_rule->tls == GBX_FLOW_TLS_INSPECT) {
                inspect(connection);
        } else {
                gbx_connection_stage(connection, GBX_STAGE_VERIFY);
                gbx_upstream_open(connection);
        }
}

void gbx_tunnel_verified(struct gbx_connection *connection, enum gbx_refusal refusal) {
        struct gbx_proxy *proxy = connection->proxy;
        struct gbx_verified *entry = &proxy->verified[proxy->next_verified];

        if (refusal != GBX_REFUSAL_NONE) {
                gbx_connection_refuse(connection, refusal);
                return;
        }
        proxy->next_verified = (proxy->next_verified + 1) % GBX_VERIFIED_MAX;
        *entry = (struct gbx_verified){ .rule = connection->tunnel_rule, .address = connection->server_address,
                                        .until_ms = gbx_proxy_now_ms() + GBX_VERIFIED_MS };
        (void)snprintf(entry->host, sizeof entry->host, "%s", connection->target.host);
        gbx_connection_drop_server(connection);
        gbx_connection_stage(connection, GBX_STAGE_CONNECT);
        gbx_upstream_open(connection);
}

void gbx_tunnel_start(struct gbx_connection *connection) {
        enum gbx_refusal refusal = gbx_flow_opened(connection);

        if (refusal != GBX_REFUSAL_NONE) {
                gbx_connection_refuse(connection, refusal);
                return;
        }
        if (connection->tunnel_rule->scheme == GBX_FLOW_TCP)
                answer_success(connection);
        gbx_connection_stage(connection, GBX_STAGE_TUNNEL);
        gbx_tunnel_relay(connection, GBX_REQUEST);
}

void gbx_tunnel_relay(struct gbx_connection *connection, enum gbx_direction direction) {
        struct bufferevent *from = direction == GBX_REQUEST ? connection->client : connection->server;
        struct bufferevent *to = direction == GBX_REQUEST ? connection->server : connection->client;
        struct evbuffer *input = bufferevent_get_input(from), *output = bufferevent_get_output(to);
        size_t size = evbuffer_get_length(input);
        enum gbx_refusal refusal;

        if (size > 0) {
                refusal = gbx_flow_take(connection, direction, size);
                if (refusal != GBX_REFUSAL_NONE) {
                        gbx_connection_refuse(connection, refusal);
                        return;
                }
                gbx_flow_digest(connection, direction, input, size);
                if (evbuffer_add_buffer(output, input) < 0) {
                        gbx_connection_refuse(connection, GBX_REFUSAL_INTERNAL);
                        return;
                }
        }
        gbx_relay_write(connection, to);
        if (evbuffer_get_length(output) > GBX_RELAY_HIGH)
                (void)bufferevent_disable(from, EV_READ); /* the other side's write callback comes back */
        else
                gbx_splice_start(connection, direction);
        if (connection->client_done || connection->server_done)
                gbx_tunnel_closed(connection, connection->client_done ? GBX_REQUEST : GBX_RESPONSE);
}

/* One side has said all: the other hears so once it has got everything. */
static void pass_end(struct bufferevent *to) {
        evutil_socket_t fd = bufferevent_getfd(to);

        if (fd >= 0 && evbuffer_get_length(bufferevent_get_output(to)) == 0)
                (void)shutdown(fd, SHUT_WR);
        else
                bufferevent_setwatermark(to, EV_WRITE, 0, 0); /* called again when it is empty */
}

void gbx_tunnel_closed(struct gbx_connection *connection, enum gbx_direction direction) {
        if (direction == GBX_REQUEST)
                connection->client_done = true;
        else
                connection->server_done = true;
        if (connection->client_done)
                pass_end(connection->server);
        if (connection->server_done)
                pass_end(connection->client);
        if (connection->client_done && connection->server_done &&
            evbuffer_get_length(bufferevent_get_output(connection->client)) == 0 &&
            evbuffer_get_length(bufferevent_get_output(connection->server)) == 0) {
                gbx_flow_end(connection, GBX_REFUSAL_NONE);
                gbx_connection_end(connection);
        }
}
