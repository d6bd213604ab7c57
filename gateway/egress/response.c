/* HTTP from the server: the head is read strictly and written anew, the body counted and passed on. */
#include "gateway/egress/proxy.h"

#include "base/cleanup.h"

#include <string.h>

static enum gbx_refusal send_head(struct gbx_connection *connection, size_t received) {
        struct gbx_http_head *response = &connection->response;
        const struct gbx_account *account = &connection->flow.lane->account;
        gbx_auto(gbx_buffer_free) struct gbx_buffer head = {};
        enum gbx_refusal refusal = gbx_flow_take(connection, GBX_RESPONSE, received);

        if (refusal != GBX_REFUSAL_NONE)
                return refusal;
        connection->flow.status = response->status;
        if (response->body == GBX_HTTP_BODY_LENGTH && response->length > gbx_account_left(account, GBX_RESPONSE))
                return GBX_REFUSAL_QUOTA;
        if (response->body != GBX_HTTP_BODY_NONE && (response->body != GBX_HTTP_BODY_LENGTH || response->length > 0) &&
            !gbx_flow_response_type_allowed(account->rule, response->media_type))
                return GBX_REFUSAL_RESPONSE_TYPE;
        /* A server that answers before it has read everything will hardly read the rest. */
        connection->keep = !connection->client_done && !connection->request.close && connection->request_done;
        /* A body that ends with the connection becomes chunked, so that the client can tell its end from a break. */
        if (gbx_http_write_response(response, response->body == GBX_HTTP_BODY_UNTIL_CLOSE ? GBX_HTTP_BODY_CHUNKED : response->body,
                                    !connection->keep, &head, NULL) < 0 ||
            bufferevent_write(connection->client, head.data, head.size) < 0)
                return GBX_REFUSAL_INTERNAL;
        connection->response_started = true;
        connection->response_left = response->length;
        connection->response_chunks = (struct gbx_http_chunks){};
        return GBX_REFUSAL_NONE;
}

/* 1: the head was sent on; 0: it is not there yet, or was an interim one. */
static int read_head(struct gbx_connection *connection, enum gbx_refusal *ret_refusal) {
        struct evbuffer *input = bufferevent_get_input(connection->server);
        size_t size = evbuffer_get_length(input), length, scanned = 0;
        const uint8_t *data;
        int r;

        *ret_refusal = GBX_REFUSAL_NONE;
        if (size > GBX_HTTP_HEAD_LIMIT + 1)
                size = GBX_HTTP_HEAD_LIMIT + 1;
        data = size ? evbuffer_pullup(input, (ev_ssize_t)size) : NULL;
        r = data ? gbx_http_head_complete(data, size, &scanned, &length, NULL) : 0;
        if (r == 0)
                return 0;
        *ret_refusal = GBX_REFUSAL_RESPONSE;
        if (r < 0)
                return 0;
        gbx_http_head_free(&connection->response);
        r = gbx_http_parse_response(&connection->response, &connection->request, data, length, ret_refusal, NULL);
        (void)evbuffer_drain(input, length);
        if (r < 0)
                return 0;
        if (connection->response.status < 200) { /* "continue" was answered already */
                *ret_refusal = gbx_flow_take(connection, GBX_RESPONSE, length);
                return *ret_refusal == GBX_REFUSAL_NONE ? read_head(connection, ret_refusal) : 0;
        }
        *ret_refusal = send_head(connection, length);
        return *ret_refusal == GBX_REFUSAL_NONE;
}

static enum gbx_refusal pass(struct gbx_connection *connection, size_t size) {
        struct evbuffer *input = bufferevent_get_input(connection->server), *output = bufferevent_get_output(connection->client);
        enum gbx_refusal refusal = gbx_flow_take(connection, GBX_RESPONSE, size);

        if (refusal != GBX_REFUSAL_NONE || size == 0)
                return refusal;
        gbx_flow_digest(connection, GBX_RESPONSE, input, size);
        return evbuffer_remove_buffer(input, output, size) == (int)size ? GBX_REFUSAL_NONE : GBX_REFUSAL_INTERNAL;
}

static enum gbx_refusal pass_chunk(struct gbx_connection *connection, size_t size) {
        struct evbuffer *output = bufferevent_get_output(connection->client);
        enum gbx_refusal refusal;

        if (size == 0)
                return GBX_REFUSAL_NONE;
        if (evbuffer_add_printf(output, "%zx\r\n", size) < 0)
                return GBX_REFUSAL_INTERNAL;
        refusal = pass(connection, size);
        if (refusal == GBX_REFUSAL_NONE && evbuffer_add(output, "\r\n", 2) < 0)
                refusal = GBX_REFUSAL_INTERNAL;
        return refusal;
}

/* One contiguous piece of a chunked body; chunks are cut anew. */
static enum gbx_refusal pass_chunked(struct gbx_connection *connection, bool *ret_done) {
        struct evbuffer *input = bufferevent_get_input(connection->server), *output = bufferevent_get_output(connection->client);
        size_t size = evbuffer_get_contiguous_space(input), skip, payload;
        int r = gbx_http_chunks_step(&connection->response_chunks, evbuffer_pullup(input, (ev_ssize_t)size), size, &skip,
                                     &payload, NULL);
        enum gbx_refusal refusal;

        if (r < 0)
                return GBX_REFUSAL_RESPONSE;
        (void)evbuffer_drain(input, skip);
        refusal = pass_chunk(connection, payload);
        if (refusal == GBX_REFUSAL_NONE && r > 0 && evbuffer_add(output, "0\r\n\r\n", 5) < 0)
                refusal = GBX_REFUSAL_INTERNAL;
        *ret_done = r > 0;
        return refusal;
}

static enum gbx_refusal pass_body(struct gbx_connection *connection, bool *ret_done) {
        struct evbuffer *input = bufferevent_get_input(connection->server);
        enum gbx_refusal refusal = GBX_REFUSAL_NONE;
        size_t size = evbuffer_get_length(input);

        *ret_done = false;
        switch (connection->response.body) {
        case GBX_HTTP_BODY_NONE:
                *ret_done = true;
                break;
        case GBX_HTTP_BODY_LENGTH:
                if (size > connection->response_left)
                        size = (size_t)connection->response_left;
                connection->response_left -= size;
                refusal = pass(connection, size);
                *ret_done = connection->response_left == 0;
                break;
        case GBX_HTTP_BODY_CHUNKED:
                while (refusal == GBX_REFUSAL_NONE && !*ret_done && evbuffer_get_length(input) > 0)
                        refusal = pass_chunked(connection, ret_done);
                break;
        case GBX_HTTP_BODY_UNTIL_CLOSE:
        default:
                refusal = pass_chunk(connection, size);
                break;
        }
        return refusal;
}

/* Out with what came in, and back to the server for more unless the client is slow. */
static void pass_on(struct gbx_connection *connection) {
        gbx_relay_write(connection, connection->client);
        if (evbuffer_get_length(bufferevent_get_output(connection->client)) > GBX_RELAY_HIGH)
                (void)bufferevent_disable(connection->server, EV_READ); /* on_client_write comes back */
        else
                gbx_splice_start(connection, GBX_RESPONSE);
}

void gbx_response_read(struct gbx_connection *connection) {
        enum gbx_refusal refusal = GBX_REFUSAL_NONE;
        bool done = false;

        if (!connection->response_started && read_head(connection, &refusal) == 0) {
                if (refusal != GBX_REFUSAL_NONE)
                        gbx_connection_refuse(connection, refusal);
                return;
        }
        refusal = pass_body(connection, &done);
        if (refusal != GBX_REFUSAL_NONE)
                gbx_connection_refuse(connection, refusal);
        else if (done)
                gbx_exchange_finish(connection);
        else
                pass_on(connection);
}

void gbx_response_closed(struct gbx_connection *connection, bool clean) {
        const char *method = connection->request.method;
        bool repeatable = connection->request.body == GBX_HTTP_BODY_NONE && method &&
                          (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0);

        if (connection->response_started && connection->response.body == GBX_HTTP_BODY_UNTIL_CLOSE && clean) {
                (void)bufferevent_write(connection->client, "0\r\n\r\n", 5);
                gbx_exchange_finish(connection);
        } else if (connection->server_reused && repeatable && !connection->response_started &&
                   evbuffer_get_length(bufferevent_get_input(connection->server)) == 0) {
                /* The server had closed the idle connection when the request was under way: once more, on a new one. */
                gbx_connection_drop_server(connection);
                gbx_connection_stage(connection, GBX_STAGE_CONNECT);
                gbx_upstream_open(connection);
        } else {
                gbx_connection_refuse(connection, GBX_REFUSAL_RESPONSE);
        }
}

void gbx_exchange_finish(struct gbx_connection *connection) {
        bool keep_server = !connection->response.close;

        gbx_relay_write(connection, connection->client); /* the client need not wait for the record */
        gbx_flow_end(connection, GBX_REFUSAL_NONE);
        if (!connection->keep) {
                gbx_connection_flush(connection);
                return;
        }
        if (!keep_server || evbuffer_get_length(bufferevent_get_input(connection->server)) > 0)
                gbx_connection_drop_server(connection);
        else
                (void)bufferevent_enable(connection->server, EV_READ);
        connection->response_started = false;
        gbx_connection_stage(connection, GBX_STAGE_HEAD);
        (void)bufferevent_enable(connection->client, EV_READ);
        gbx_connection_work(connection);
}
