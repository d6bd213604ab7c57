/*
 * Moving bytes fast: large reads past the buffers' own small ones, and splice(2) for what nobody has to see
 *
 * A splice takes over one direction between two plain sockets. What comes in is counted, and refused when a quota ends,
 * before any of it goes out; the number of bytes left is never read past. The pipe between the two bounds the memory.
 */
#include "gateway/egress/proxy.h"

#include <event2/bufferevent_ssl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        READ_SIZE = 256 * 1024,
        PIPE_SIZE = 256 * 1024,
        SPLICE_WORTH = 1024 * 1024, /* below this a pipe does not pay */
        ROUNDS = 16,                /* before other connections have their turn */
};

struct gbx_splice {
        struct gbx_connection *connection;
        enum gbx_direction direction;
        int from, to, pipe[2];
        bool ended;    /* `from` has said all */
        bool blocked;  /* waiting for `to` */
        size_t held;   /* bytes in the pipe */
        uint64_t left; /* bytes to come out of `from` */
        struct event *readable, *writable;
};

static bool plain(struct bufferevent *side) {
        return !bufferevent_openssl_get_ssl(side) && !bufferevent_get_underlying(side) && bufferevent_getfd(side) >= 0;
}

void gbx_relay_read(const struct gbx_connection *connection, struct bufferevent *side) {
        struct evbuffer *input = bufferevent_get_input(side);
        struct evbuffer_iovec space;
        ssize_t size;

        if ((connection->flow.lane && connection->flow.lane->rate) || !plain(side) ||
            evbuffer_get_length(input) + READ_SIZE > 2UL * GBX_RELAY_HIGH || evbuffer_unfreeze(input, 0) < 0)
                return;
        if (evbuffer_reserve_space(input, READ_SIZE, &space, 1) == 1) {
                size = recv(bufferevent_getfd(side), space.iov_base, space.iov_len, MSG_DONTWAIT);
                space.iov_len = size > 0 ? (size_t)size : 0; /* an end or an error is met again by the buffer itself */
                (void)evbuffer_commit_space(input, &space, 1);
        }
        (void)evbuffer_freeze(input, 0);
}

void gbx_relay_write(const struct gbx_connection *connection, struct bufferevent *side) {
        struct evbuffer *output = bufferevent_get_output(side);

        if ((connection->flow.lane && connection->flow.lane->rate) || !plain(side) || evbuffer_get_length(output) == 0 ||
            evbuffer_unfreeze(output, 1) < 0)
                return;
        (void)evbuffer_write(output, bufferevent_getfd(side)); /* an error is met again by the buffer itself */
        (void)evbuffer_freeze(output, 1);
}

struct gbx_splice *gbx_splice_free(struct gbx_splice *transfer) {
        if (!transfer)
                return NULL;
        if (transfer->readable)
                event_free(transfer->readable);
        if (transfer->writable)
                event_free(transfer->writable);
        for (size_t i = 0; i < 2; i++)
                if (transfer->pipe[i] >= 0)
                        (void)close(transfer->pipe[i]);
        free(transfer);
        return NULL;
}

/* The direction is over; frees the splice, and may end the connection. */
static void finish(struct gbx_splice *transfer, bool clean) {
        struct gbx_connection *connection = transfer->connection;
        enum gbx_direction direction = transfer->direction;
        bool complete = transfer->left == 0 && transfer->held == 0;

        connection->splices[direction] = gbx_splice_free(transfer);
        if (connection->stage == GBX_STAGE_TUNNEL && clean)
                gbx_tunnel_closed(connection, direction);
        else if (connection->stage == GBX_STAGE_TUNNEL)
                gbx_connection_refuse(connection, GBX_REFUSAL_ABORTED);
        else if (complete)
                gbx_exchange_finish(connection);
        else
                gbx_response_closed(connection, clean);
}

/* Fills the pipe. 1: something came, or the end; 0: nothing there now, or no room; negative: an error. */
static int fill(struct gbx_splice *transfer, enum gbx_refusal *ret_refusal) {
        size_t room = PIPE_SIZE - transfer->held;
        ssize_t n;

        if (transfer->ended || transfer->left == 0 || room == 0)
                return 0;
        n = splice(transfer->from, NULL, transfer->pipe[1], NULL, transfer->left < room ? (size_t)transfer->left : room,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0) {
                transfer->ended = true;
                return 1;
        }
        transfer->held += (size_t)n;
        transfer->left -= (uint64_t)n;
        *ret_refusal = gbx_flow_take(transfer->connection, transfer->direction, (uint64_t)n);
        return 1;
}

/* Empties the pipe. Same results. */
static int empty(struct gbx_splice *transfer) {
        ssize_t n;

        if (transfer->held == 0)
                return 0;
        n = splice(transfer->pipe[0], NULL, transfer->to, NULL, transfer->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
                return -errno;
        transfer->blocked = n <= 0;
        if (n <= 0)
                return 0;
        transfer->held -= (size_t)n;
        return 1;
}

static void wait_for_more(struct gbx_splice *transfer) {
        if (transfer->blocked) {
                (void)event_del(transfer->readable);
                (void)event_add(transfer->writable, NULL);
        } else {
                (void)event_add(transfer->readable, NULL);
        }
}

static void on_ready(evutil_socket_t fd, short events, void *userdata) {
        struct gbx_splice *transfer = userdata;
        enum gbx_refusal refusal = GBX_REFUSAL_NONE;
        int came = 1, went = 1;

        (void)fd, (void)events;
        transfer->connection->active_ms = gbx_proxy_now_ms();
        transfer->blocked = false;
        for (int i = 0; i < ROUNDS && (came > 0 || went > 0) && !transfer->blocked; i++) {
                came = fill(transfer, &refusal);
                if (refusal != GBX_REFUSAL_NONE) {
                        gbx_connection_refuse(transfer->connection, refusal);
                        return;
                }
                went = empty(transfer);
                if ((came < 0 && transfer->held == 0) || went < 0 ||
                    (transfer->held == 0 && (transfer->ended || transfer->left == 0))) {
                        finish(transfer, came >= 0 && went >= 0);
                        return;
                }
        }
        wait_for_more(transfer);
}

static bool worth(const struct gbx_connection *connection, enum gbx_direction direction) {
        if (connection->stage == GBX_STAGE_TUNNEL)
                return connection->flow.bytes[direction] >= SPLICE_WORTH;
        return connection->stage == GBX_STAGE_EXCHANGE && direction == GBX_RESPONSE && connection->request_done &&
               connection->response.body == GBX_HTTP_BODY_LENGTH && connection->response_left >= SPLICE_WORTH;
}

void gbx_splice_start(struct gbx_connection *connection, enum gbx_direction direction) {
        struct bufferevent *from = direction == GBX_REQUEST ? connection->client : connection->server;
        struct bufferevent *to = direction == GBX_REQUEST ? connection->server : connection->client;
        struct gbx_splice *transfer;

        if (connection->ended || connection->splices[direction] || !worth(connection, direction) || !plain(from) || !plain(to) ||
            connection->flow.digests[direction] || connection->flow.lane->rate || connection->client_done ||
            connection->server_done || evbuffer_get_length(bufferevent_get_input(from)) > 0 ||
            evbuffer_get_length(bufferevent_get_output(to)) > 0)
                return;
        transfer = calloc(1, sizeof *transfer);
        if (!transfer)
                return; /* the buffers go on */
        *transfer = (struct gbx_splice){ .connection = connection, .direction = direction, .from = bufferevent_getfd(from),
                                       .to = bufferevent_getfd(to), .pipe = { -1, -1 },
                                       .left = connection->stage == GBX_STAGE_TUNNEL ? UINT64_MAX : connection->response_left };
        transfer->readable = event_new(connection->proxy->base, transfer->from, EV_READ | EV_PERSIST, on_ready, transfer);
        transfer->writable = event_new(connection->proxy->base, transfer->to, EV_WRITE, on_ready, transfer);
        if (!transfer->readable || !transfer->writable || pipe2(transfer->pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
            event_add(transfer->readable, NULL) < 0) {
                (void)gbx_splice_free(transfer);
                return;
        }
        (void)fcntl(transfer->pipe[1], F_SETPIPE_SZ, PIPE_SIZE); /* without it the pipe is smaller, no more */
        (void)bufferevent_disable(from, EV_READ);
        connection->splices[direction] = transfer;
}
