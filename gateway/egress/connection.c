/* A connection of the job: its first byte, its refusals, its time, its end. */
#include "gateway/egress/proxy.h"

#include "base/cleanup.h"
#include "gateway/egress/socks.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_MS = 10000, LINGER_MS = 2000, BODY_GRACE_MS = 10000, SINGLE_STEP = 256 * 1024 };

void gbx_connection_stage(struct gbx_connection *connection, enum gbx_stage stage) {
        connection->stage = stage;
        connection->stage_since_ms = gbx_proxy_now_ms();
}

static struct evbuffer *client_input(struct gbx_connection *connection) {
        return bufferevent_get_input(connection->client);
}

static void take_first_byte(struct gbx_connection *connection) {
        uint8_t byte;

        if (evbuffer_copyout(client_input(connection), &byte, 1) < 1)
                return;
        connection->socks = byte == GBX_SOCKS_VERSION;
        gbx_connection_stage(connection, connection->socks ? GBX_STAGE_GREETING : GBX_STAGE_HEAD);
}

static void work_once(struct gbx_connection *connection) {
        switch (connection->stage) {
        case GBX_STAGE_FIRST_BYTE:
                take_first_byte(connection);
                break;
        case GBX_STAGE_GREETING:
        case GBX_STAGE_SOCKS:
                gbx_tunnel_socks(connection);
                break;
        case GBX_STAGE_HEAD:
                gbx_request_head(connection);
                break;
        case GBX_STAGE_COLLECT:
        case GBX_STAGE_EXCHANGE:
                gbx_request_body(connection);
                break;
        case GBX_STAGE_HELLO:
                gbx_tunnel_hello(connection);
                break;
        case GBX_STAGE_TUNNEL:
                gbx_tunnel_relay(connection, GBX_REQUEST);
                break;
        case GBX_STAGE_FLUSH:
        case GBX_STAGE_LINGER:
                (void)evbuffer_drain(client_input(connection), evbuffer_get_length(client_input(connection)));
                break;
        case GBX_STAGE_CONNECT:
        case GBX_STAGE_VERIFY:
        default:
                break; /* what came in waits */
        }
}

/* A stage may hand what is left over to the next one. */
void gbx_connection_work(struct gbx_connection *connection) {
        enum gbx_stage stage;
        size_t size;

        do {
                stage = connection->stage;
                size = evbuffer_get_length(client_input(connection));
                work_once(connection);
        } while (!connection->ended && evbuffer_get_length(client_input(connection)) > 0 &&
                 (connection->stage != stage || evbuffer_get_length(client_input(connection)) < size));
}

static void on_client_read(struct bufferevent *client, void *userdata) {
        struct gbx_connection *connection = userdata;

        connection->active_ms = gbx_proxy_now_ms();
        if (connection->stage == GBX_STAGE_EXCHANGE || connection->stage == GBX_STAGE_TUNNEL)
                gbx_relay_read(connection, client);
        gbx_connection_work(connection);
}

/* The buffer that the socket is written from; below TLS there is a second one. */
static struct bufferevent *lowest(struct gbx_connection *connection) {
        struct bufferevent *under = bufferevent_get_underlying(connection->client);

        return under ? under : connection->client;
}

static void finish_flush(struct gbx_connection *connection) {
        evutil_socket_t fd = bufferevent_getfd(lowest(connection));

        if (connection->stage != GBX_STAGE_FLUSH || evbuffer_get_length(bufferevent_get_output(connection->client)) > 0 ||
            evbuffer_get_length(bufferevent_get_output(lowest(connection))) > 0)
                return;
        if (fd >= 0)
                (void)shutdown(fd, SHUT_WR);
        gbx_connection_stage(connection, GBX_STAGE_LINGER);
}

static void on_output_change(struct evbuffer *output, const struct evbuffer_cb_info *info, void *userdata) {
        (void)output;
        if (info->n_deleted > 0)
                finish_flush(userdata);
}

static void on_client_write(struct bufferevent *client, void *userdata) {
        struct gbx_connection *connection = userdata;

        (void)client;
        switch (connection->stage) {
        case GBX_STAGE_EXCHANGE:
        case GBX_STAGE_TUNNEL:
                if (connection->server && !connection->server_done && !connection->splices[GBX_RESPONSE])
                        (void)bufferevent_enable(connection->server, EV_READ);
                if (connection->stage == GBX_STAGE_TUNNEL && !connection->splices[GBX_RESPONSE])
                        gbx_tunnel_relay(connection, GBX_RESPONSE);
                break;
        default:
                break;
        }
}

static void on_client_event(struct bufferevent *client, short events, void *userdata) {
        struct gbx_connection *connection = userdata;

        (void)client;
        if (events & BEV_EVENT_CONNECTED) /* TLS stands */
                return;
        if (connection->stage == GBX_STAGE_TUNNEL && events & BEV_EVENT_EOF) {
                gbx_tunnel_closed(connection, GBX_REQUEST);
                return;
        }
        /* Half a close is a request's end to some clients; the answer still goes out. */
        if (connection->stage == GBX_STAGE_EXCHANGE && events & BEV_EVENT_EOF && connection->request_done) {
                connection->client_done = true;
                connection->keep = false;
                return;
        }
        if (connection->flow.active)
                gbx_flow_end(connection, GBX_REFUSAL_ABORTED);
        gbx_connection_end(connection);
}

static void on_server_read(struct bufferevent *server, void *userdata) {
        struct gbx_connection *connection = userdata;

        connection->active_ms = gbx_proxy_now_ms();
        if (connection->stage == GBX_STAGE_EXCHANGE || connection->stage == GBX_STAGE_TUNNEL)
                gbx_relay_read(connection, server);
        if (connection->stage == GBX_STAGE_EXCHANGE)
                gbx_response_read(connection);
        else if (connection->stage == GBX_STAGE_TUNNEL)
                gbx_tunnel_relay(connection, GBX_RESPONSE);
        else if (connection->stage != GBX_STAGE_CONNECT && connection->stage != GBX_STAGE_VERIFY)
                gbx_connection_drop_server(connection); /* an answer that nobody asked for */
}

static void on_server_write(struct bufferevent *server, void *userdata) {
        struct gbx_connection *connection = userdata;

        (void)server;
        if (connection->stage != GBX_STAGE_EXCHANGE && connection->stage != GBX_STAGE_TUNNEL)
                return;
        if (connection->splices[GBX_REQUEST])
                return;
        if (!connection->client_done)
                (void)bufferevent_enable(connection->client, EV_READ);
        gbx_connection_work(connection);
}

static void on_server_event(struct bufferevent *server, short events, void *userdata) {
        (void)server;
        gbx_upstream_event(userdata, events);
}

static void watch(struct bufferevent *side) {
        bufferevent_setwatermark(side, EV_READ, 0, GBX_RELAY_HIGH);
        bufferevent_setwatermark(side, EV_WRITE, GBX_RELAY_LOW, 0);
        (void)bufferevent_set_max_single_read(side, SINGLE_STEP);
        (void)bufferevent_set_max_single_write(side, SINGLE_STEP);
        (void)bufferevent_enable(side, EV_READ | EV_WRITE);
}

void gbx_connection_watch_client(struct gbx_connection *connection) {
        bufferevent_setcb(connection->client, on_client_read, on_client_write, on_client_event, connection);
        watch(connection->client);
}

void gbx_connection_watch_server(struct gbx_connection *connection) {
        bufferevent_setcb(connection->server, on_server_read, on_server_write, on_server_event, connection);
        watch(connection->server);
}

int gbx_connection_new(struct gbx_proxy *proxy, evutil_socket_t fd, struct gbx_error *err) {
        struct gbx_connection *connection = calloc(1, sizeof *connection);
        int one = 1;

        if (!connection)
                return gbx_fail_memory(err);
        connection->client = bufferevent_socket_new(proxy->base, fd, BEV_OPT_CLOSE_ON_FREE);
        connection->body = evbuffer_new();
        if (!connection->client || !connection->body) {
                gbx_connection_free(connection);
                return gbx_fail_memory(err);
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connection->proxy = proxy;
        connection->id = ++proxy->next_id;
        connection->next = proxy->connections;
        if (proxy->connections)
                proxy->connections->previous = connection;
        proxy->connections = connection;
        proxy->connection_count++;
        connection->active_ms = gbx_proxy_now_ms();
        gbx_connection_stage(connection, GBX_STAGE_FIRST_BYTE);
        gbx_connection_watch_client(connection);
        return 0;
}

void gbx_connection_free(struct gbx_connection *connection) {
        if (connection->client)
                bufferevent_free(connection->client);
        if (connection->server)
                bufferevent_free(connection->server);
        if (connection->body)
                evbuffer_free(connection->body);
        gbx_http_head_free(&connection->request);
        gbx_http_head_free(&connection->response);
        free(connection);
}

void gbx_connection_drop_server(struct gbx_connection *connection) {
        gbx_upstream_cancel(connection);
        for (size_t i = 0; i < 2; i++)
                connection->splices[i] = gbx_splice_free(connection->splices[i]);
        if (connection->server) {
                bufferevent_setcb(connection->server, NULL, NULL, NULL, NULL);
                bufferevent_free(connection->server);
        }
        connection->server = NULL;
        connection->server_ready = connection->server_reused = false;
        connection->server_rule = NULL;
}

void gbx_connection_end(struct gbx_connection *connection) {
        if (connection->ended)
                return;
        connection->ended = true;
        gbx_flow_end(connection, GBX_REFUSAL_ABORTED);
        gbx_connection_drop_server(connection);
        bufferevent_setcb(connection->client, NULL, NULL, NULL, NULL);
        (void)bufferevent_disable(connection->client, EV_READ | EV_WRITE);
        gbx_proxy_forget(connection);
}

/* A reset tells the client that what it got is not all. */
static void reset(struct gbx_connection *connection) {
        struct linger linger = { .l_onoff = 1 };
        evutil_socket_t fd = bufferevent_getfd(connection->client);

        if (fd >= 0)
                (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        gbx_connection_end(connection);
}

void gbx_connection_flush(struct gbx_connection *connection) {
        gbx_connection_drop_server(connection);
        gbx_connection_stage(connection, GBX_STAGE_FLUSH);
        bufferevent_setwatermark(connection->client, EV_READ, 0, GBX_RELAY_LOW);
        (void)bufferevent_enable(connection->client, EV_READ);
        (void)evbuffer_add_cb(bufferevent_get_output(lowest(connection)), on_output_change, connection);
        finish_flush(connection);
}

static void answer_socks(struct gbx_connection *connection, enum gbx_refusal refusal) {
        uint8_t reply[GBX_SOCKS_REPLY_SIZE];
        int code = GBX_SOCKS_NOT_ALLOWED;

        if (connection->stage == GBX_STAGE_GREETING) {
                static const uint8_t no_method[] = { GBX_SOCKS_VERSION, 0xff };

                (void)bufferevent_write(connection->client, no_method, sizeof no_method);
                return;
        }
        if (connection->socks_reply)
                code = connection->socks_reply;
        else if (refusal == GBX_REFUSAL_CONNECT || refusal == GBX_REFUSAL_RESOLVE)
                code = GBX_SOCKS_UNREACHABLE;
        gbx_socks_write_reply(code, reply);
        (void)bufferevent_write(connection->client, reply, sizeof reply);
}

static void answer_http(struct gbx_connection *connection, enum gbx_refusal refusal) {
        const struct gbx_refusal_info *info = gbx_refusal_info(refusal);
        bool bare = connection->request.method && strcmp(connection->request.method, "HEAD") == 0;

        (void)evbuffer_add_printf(bufferevent_get_output(connection->client),
                                  "HTTP/1.1 %d \r\ncontent-type: text/plain\r\ncontent-length: %zu\r\nconnection: close\r\n"
                                  "glovebox-refusal: %s\r\n\r\n%s%s",
                                  info->status, strlen(info->text) + 1, info->code, bare ? "" : info->text, bare ? "" : "\n");
}

/* In a tunnel that carries something else than HTTP there is nobody to answer to. */
static bool speaks_http(const struct gbx_connection *connection) {
        return !connection->tunnel || connection->inspected ||
               (connection->tunnel_rule && connection->tunnel_rule->scheme == GBX_FLOW_HTTP);
}

void gbx_connection_refuse(struct gbx_connection *connection, enum gbx_refusal refusal) {
        bool http = !connection->socks && speaks_http(connection) && !connection->response_started;

        if (connection->ended || connection->stage >= GBX_STAGE_FLUSH)
                return;
        if (!connection->flow.active) {
                bool known = connection->tunnel && connection->target.port;

                (void)gbx_flow_begin(connection, NULL, known ? connection->target.host : "unknown", connection->target.port,
                                     connection->tunnel_rule ? connection->tunnel_rule->scheme : -1);
        }
        gbx_flow_end(connection, refusal);
        if (connection->socks)
                answer_socks(connection, refusal);
        else if (http)
                answer_http(connection, refusal);
        else {
                reset(connection);
                return;
        }
        gbx_connection_flush(connection);
}

/* Slow, idle, or too long. */
static enum gbx_refusal lateness(const struct gbx_connection *connection, int64_t now_ms) {
        const struct gbx_egress_limits *limits = &connection->proxy->config->limits;
        int64_t elapsed = now_ms - connection->body_since_ms;

        if (now_ms - connection->flow.started_ms > (int64_t)limits->duration_ms ||
            now_ms - connection->active_ms > (int64_t)limits->idle_ms)
                return GBX_REFUSAL_TIMEOUT;
        if (connection->stage != GBX_STAGE_TUNNEL && !connection->request_done && elapsed > BODY_GRACE_MS &&
            connection->body_bytes * 1000 / (uint64_t)elapsed < limits->minimum_rate)
                return GBX_REFUSAL_SLOW;
        return GBX_REFUSAL_NONE;
}

void gbx_connection_check_time(struct gbx_connection *connection, int64_t now_ms) {
        const struct gbx_egress_limits *limits = &connection->proxy->config->limits;
        int64_t age = now_ms - connection->stage_since_ms;
        bool waiting = evbuffer_get_length(client_input(connection)) > 0;
        enum gbx_refusal refusal = GBX_REFUSAL_NONE;

        switch (connection->stage) {
        case GBX_STAGE_FIRST_BYTE:
        case GBX_STAGE_GREETING:
        case GBX_STAGE_SOCKS:
        case GBX_STAGE_HELLO:
                if (age > (int64_t)limits->head_ms && connection->stage == GBX_STAGE_FIRST_BYTE)
                        gbx_connection_end(connection);
                else if (age > (int64_t)limits->head_ms)
                        refusal = GBX_REFUSAL_SLOW;
                break;
        case GBX_STAGE_HEAD:
                if (waiting && age > (int64_t)limits->head_ms)
                        refusal = GBX_REFUSAL_SLOW;
                else if (!waiting && age > (int64_t)limits->idle_ms)
                        gbx_connection_end(connection);
                break;
        case GBX_STAGE_CONNECT:
        case GBX_STAGE_VERIFY:
                if (age > (int64_t)limits->connect_ms)
                        refusal = GBX_REFUSAL_CONNECT;
                break;
        case GBX_STAGE_COLLECT:
        case GBX_STAGE_EXCHANGE:
        case GBX_STAGE_TUNNEL:
                refusal = lateness(connection, now_ms);
                break;
        case GBX_STAGE_FLUSH:
        case GBX_STAGE_LINGER:
        default:
                if (age > (connection->stage == GBX_STAGE_FLUSH ? FLUSH_MS : LINGER_MS))
                        gbx_connection_end(connection);
                break;
        }
        if (refusal != GBX_REFUSAL_NONE)
                gbx_connection_refuse(connection, refusal);
}
