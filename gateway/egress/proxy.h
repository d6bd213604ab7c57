/*
 * The proxy at work: what its files share
 *
 * One thread, one libevent loop. A connection is one of the job's; over it go
 * HTTP exchanges one after the other, or one tunnel, each of them a flow: the
 * unit that a rule allows, an account counts and the log gets entries for.
 *
 *   proxy.c       start, listening, the clock that ends what is late
 *   connection.c  a connection's life: first byte, refusals, its end
 *   request.c     HTTP from the job: head, match, body, content scan
 *   response.c    HTTP from the server
 *   tunnel.c      CONNECT and SOCKS: hello, verification, inspection, passing on
 *   relay.c       bytes in large pieces, and inside the kernel
 *   upstream.c    resolve, check the address, connect, TLS
 *   flow.c        accounts and records of flows
 *
 * Handlers that may end a connection return; nobody touches a connection after
 * gbx_connection_end but to see `ended`. It is freed when the loop comes round.
 */
#pragma once

#include "gateway/egress/account.h"
#include "gateway/egress/config.h"
#include "gateway/egress/http.h"
#include "gateway/egress/record.h"
#include "gateway/egress/tls.h"
#include "gateway/egress/tokens.h"
#include "gateway/gate/scan.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/evp.h>

enum {
        GBX_RELAY_HIGH = 256 * 1024,  /* bytes waiting for one side before the other is not read any more */
        GBX_RELAY_LOW = 64 * 1024,
        GBX_VERIFIED_MAX = 64,
        GBX_VERIFIED_MS = 10 * 60 * 1000,
        GBX_RESOLVED_MAX = 64,
        GBX_RESOLVED_MS = 1000, /* names are asked for again after a second, and checked again */
};

/* A server that showed a good certificate not long ago. */
struct gbx_verified {
        const struct gbx_flow_rule *rule;
        char host[GBX_HOST_SIZE];
        struct gbx_address address;
        int64_t until_ms;
};

/* An address that a name had a moment ago, and that the rule allows. */
struct gbx_resolved {
        const struct gbx_flow_rule *rule;
        char host[GBX_HOST_SIZE];
        struct gbx_address address;
        int64_t until_ms;
};

/* What the proxy keeps beside an account. */
struct gbx_lane {
        struct gbx_account account;
        struct bufferevent_rate_limit_group *rate; /* NULL: no limit */
};

struct gbx_connection;

struct gbx_proxy {
        const struct gbx_egress_config *config;
        struct event_base *base;
        struct evdns_base *dns;
        struct gbx_tls *tls;
        struct gbx_scan_rules *scan;
        struct gbx_tokens *tokens; /* NULL: none to look for */
        struct gbx_recorder *recorder;
        struct gbx_lane *lanes; /* one a rule, same order */
        struct evconnlistener *listeners[GBX_EGRESS_MAX_LISTENERS];
        struct evconnlistener *control;
        struct event *clock, *sweeper, *stop[4];
        struct gbx_connection *connections, *ended;
        uint64_t connection_count, next_id;
        struct gbx_breaker breaker; /* of the whole run */
        struct gbx_quota *quotas; /* of the day, over all rules */
        enum gbx_refusal closed;    /* why no flow is let in any more */
        struct gbx_verified verified[GBX_VERIFIED_MAX];
        size_t next_verified;
        struct gbx_resolved resolved[GBX_RESOLVED_MAX];
        size_t next_resolved;
        uint64_t flows_total, refused_total;
        bool stopping;
        int result; /* of gbx_proxy_run */
};

struct gbx_flow {
        bool active;
        bool opened; /* bytes may have left */
        uint64_t id;
        struct gbx_lane *lane; /* NULL: no rule */
        int64_t started_ms;
        char host[GBX_HOST_SIZE];
        uint16_t port;
        int scheme; /* enum gbx_flow_scheme, or -1: a tunnel that has not said yet */
        char address[GBX_ADDRESS_TEXT_SIZE];
        char method[24];
        char *path; /* as the log gets it; NULL: none */
        int status;
        uint64_t bytes[2];
        EVP_MD_CTX *digests[2]; /* NULL: not asked for */
        uint64_t scan_matches;
        char scan_rule[64];
        enum gbx_refusal refusal;
};

enum gbx_stage {
        GBX_STAGE_FIRST_BYTE,
        GBX_STAGE_GREETING, /* SOCKS */
        GBX_STAGE_SOCKS,
        GBX_STAGE_HEAD,
        GBX_STAGE_COLLECT,  /* the whole body, for the scan */
        GBX_STAGE_CONNECT,  /* resolving, connecting */
        GBX_STAGE_EXCHANGE, /* request body and response pass */
        GBX_STAGE_HELLO,    /* in a tunnel */
        GBX_STAGE_VERIFY,   /* the server's certificate, for a tunnel */
        GBX_STAGE_TUNNEL,
        GBX_STAGE_FLUSH,    /* the last answer goes out */
        GBX_STAGE_LINGER,   /* what still comes in is thrown away, so that the answer arrives */
};

struct gbx_connection {
        struct gbx_proxy *proxy;
        struct gbx_connection *next, *previous;
        bool ended;
        uint64_t id;
        enum gbx_stage stage;
        struct bufferevent *client, *server;
        int64_t stage_since_ms, active_ms;
        struct gbx_flow flow;
        bool socks;              /* refusals are SOCKS replies until the tunnel stands */
        int socks_reply;         /* of a request that could not be read; 0: by the refusal */
        size_t scanned;          /* of a head, so far */

        /* A tunnel: where it leads, and what it is. */
        bool tunnel, inspected; /* inspected: TLS was ended here */
        struct gbx_authority target;
        const struct gbx_flow_rule *tunnel_rule;
        bool client_done, server_done; /* that side has said all */
        struct gbx_splice *splices[2]; /* by direction; NULL: the buffers move its bytes */

        /* An exchange. */
        struct gbx_http_head request, response;
        struct gbx_http_chunks request_chunks, response_chunks;
        uint64_t request_left, response_left; /* of bodies with a length */
        bool request_done, response_started, keep;
        struct evbuffer *body; /* of the request, decoded, not yet sent */
        uint64_t body_bytes;
        int64_t body_since_ms;

        /* The server's side. */
        struct gbx_lookup *lookup; /* a name that is being resolved */
        struct gbx_address server_address;
        struct gbx_authority server_target;
        const struct gbx_flow_rule *server_rule; /* the connection may be used again under the same rule only */
        bool server_reused, server_ready;
};

/* --- proxy.c --- */
/* Sets everything up that needs files or descriptors. */
int gbx_proxy_new(struct gbx_proxy **ret, const struct gbx_egress_config *config, struct gbx_error *err);
/* Works until it is told to stop (SIGTERM, SIGINT) or cannot go on. */
int gbx_proxy_run(struct gbx_proxy *proxy, struct gbx_error *err);
struct gbx_proxy *gbx_proxy_free(struct gbx_proxy *proxy);
int64_t gbx_proxy_now_ms(void); /* steady */
/* Ends all flows, and lets none in any more. */
void gbx_proxy_close_flows(struct gbx_proxy *proxy, enum gbx_refusal why);
/* Takes a connection out of the proxy's list and keeps it for freeing. */
void gbx_proxy_forget(struct gbx_connection *connection);

/* --- connection.c --- */
int gbx_connection_new(struct gbx_proxy *proxy, evutil_socket_t fd, struct gbx_error *err);
void gbx_connection_free(struct gbx_connection *connection);
void gbx_connection_stage(struct gbx_connection *connection, enum gbx_stage stage);
/* Handles what is waiting from the client, by stage. */
void gbx_connection_work(struct gbx_connection *connection);
/* The flow, if one is under way, ends with this reason; the client gets an answer where it still can, and the
 * connection ends. */
void gbx_connection_refuse(struct gbx_connection *connection, enum gbx_refusal refusal);
void gbx_connection_end(struct gbx_connection *connection);
/* Sends what is waiting for the client, then ends. */
void gbx_connection_flush(struct gbx_connection *connection);
void gbx_connection_drop_server(struct gbx_connection *connection);
/* Sets the callbacks of either side. */
void gbx_connection_watch_client(struct gbx_connection *connection);
void gbx_connection_watch_server(struct gbx_connection *connection);
/* Ends what has taken too long; called by the clock. */
void gbx_connection_check_time(struct gbx_connection *connection, int64_t now_ms);

/* --- request.c, response.c --- */
void gbx_request_head(struct gbx_connection *connection);
void gbx_request_body(struct gbx_connection *connection);  /* COLLECT and EXCHANGE */
void gbx_request_send(struct gbx_connection *connection);  /* the server is there */
void gbx_response_read(struct gbx_connection *connection);
void gbx_response_closed(struct gbx_connection *connection, bool clean);
void gbx_exchange_finish(struct gbx_connection *connection);
/* Whether request head and body pass the content scan. */
enum gbx_refusal gbx_request_scan(struct gbx_connection *connection);

/* --- tunnel.c --- */
void gbx_tunnel_open(struct gbx_connection *connection, const struct gbx_authority *target);
void gbx_tunnel_socks(struct gbx_connection *connection);
void gbx_tunnel_hello(struct gbx_connection *connection);
void gbx_tunnel_verified(struct gbx_connection *connection, enum gbx_refusal refusal);
void gbx_tunnel_start(struct gbx_connection *connection); /* the server is there */
void gbx_tunnel_relay(struct gbx_connection *connection, enum gbx_direction direction);
void gbx_tunnel_closed(struct gbx_connection *connection, enum gbx_direction direction);

/* --- relay.c --- */
/* Takes more of what waits in a plain socket than the buffer's own read does, into its input. Nothing under a rate. */
void gbx_relay_read(const struct gbx_connection *connection, struct bufferevent *side);
/* Writes what can be written now, without waiting for the loop. Nothing under a rate. */
void gbx_relay_write(const struct gbx_connection *connection, struct bufferevent *side);
/* Hands a direction to the kernel if it carries much, unread and at no set rate, and its buffers are empty; otherwise
 * changes nothing. The connection may then end from a callback only. */
void gbx_splice_start(struct gbx_connection *connection, enum gbx_direction direction);
struct gbx_splice *gbx_splice_free(struct gbx_splice *splice);

/* --- upstream.c --- */
/* Gets `connection->server` connected to the flow's host; then calls gbx_request_send, gbx_tunnel_start or
 * gbx_tunnel_verified, or refuses. */
void gbx_upstream_open(struct gbx_connection *connection);
void gbx_upstream_event(struct gbx_connection *connection, short events);
/* Gives up a name that is being resolved. */
void gbx_upstream_cancel(struct gbx_connection *connection);

/* --- flow.c --- */
/* A new flow towards the host. The refusal that matching gave, or the account's own. */
enum gbx_refusal gbx_flow_begin(struct gbx_connection *connection, const struct gbx_flow_rule *rule, const char *host,
                                uint16_t port, int scheme);
/* Writes the "opened" record; from here on bytes may leave. */
enum gbx_refusal gbx_flow_opened(struct gbx_connection *connection);
/* Counts bytes that pass, and their digest when `data` is given. */
enum gbx_refusal gbx_flow_take(struct gbx_connection *connection, enum gbx_direction direction, uint64_t bytes);
void gbx_flow_digest(struct gbx_connection *connection, enum gbx_direction direction, struct evbuffer *data, size_t size);
/* Writes the "closed" or "refused" record. */
void gbx_flow_end(struct gbx_connection *connection, enum gbx_refusal refusal);

/* --- control.c --- */
int gbx_control_listen(struct gbx_proxy *proxy, int fd, struct gbx_error *err);
