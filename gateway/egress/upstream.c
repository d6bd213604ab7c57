/* The way to a server: its name is resolved here, the addresses are checked, and what was checked is connected to. */
#include "gateway/egress/proxy.h"

#include "base/cleanup.h"

#include <event2/bufferevent_ssl.h>
#include <event2/util.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* Outlives its connection if that ends while the name is being resolved. */
struct gbx_lookup {
        struct gbx_connection *connection; /* NULL: nobody waits any more */
        struct evdns_getaddrinfo_request *request;
};

static bool recently_verified(const struct gbx_connection *connection) {
        const struct gbx_proxy *proxy = connection->proxy;

        for (size_t i = 0; i < GBX_VERIFIED_MAX; i++) {
                const struct gbx_verified *entry = &proxy->verified[i];

                if (entry->rule == connection->tunnel_rule && entry->until_ms > gbx_proxy_now_ms() &&
                    strcmp(entry->host, connection->target.host) == 0 &&
                    memcmp(&entry->address, &connection->server_address, sizeof entry->address) == 0)
                        return true;
        }
        return false;
}

static struct bufferevent *new_server(struct gbx_connection *connection, const struct gbx_flow_rule *rule) {
        struct gbx_proxy *proxy = connection->proxy;
        struct bufferevent *server;
        SSL *ssl;

        if (connection->stage != GBX_STAGE_VERIFY && (rule->scheme != GBX_FLOW_HTTPS || !gbx_flow_readable(rule)))
                return bufferevent_socket_new(proxy->base, -1, BEV_OPT_CLOSE_ON_FREE);
        if (gbx_tls_connect(proxy->tls, rule, connection->flow.host, &ssl, NULL) < 0)
                return NULL;
        server = bufferevent_openssl_socket_new(proxy->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
        if (!server)
                SSL_free(ssl);
        return server;
}

static void start_connect(struct gbx_connection *connection) {
        struct gbx_lane *lane = connection->flow.lane;
        struct sockaddr_storage address;
        socklen_t length = gbx_address_to_socket(&connection->server_address, connection->flow.port, &address);

        gbx_address_text(&connection->server_address, connection->flow.address);
        connection->server = new_server(connection, lane->account.rule);
        if (!connection->server) {
                gbx_connection_refuse(connection, GBX_REFUSAL_INTERNAL);
                return;
        }
        connection->server_rule = lane->account.rule;
        (void)snprintf(connection->server_target.host, sizeof connection->server_target.host, "%s", connection->flow.host);
        connection->server_target.port = connection->flow.port;
        connection->server_done = false;
        gbx_connection_watch_server(connection);
        if (lane->rate && connection->stage != GBX_STAGE_VERIFY)
                (void)bufferevent_add_to_rate_limit_group(connection->server, lane->rate);
        if (bufferevent_socket_connect(connection->server, (struct sockaddr *)&address, (int)length) < 0)
                gbx_connection_refuse(connection, GBX_REFUSAL_CONNECT);
}

/* With an address that has passed. */
static void go(struct gbx_connection *connection) {
        if (connection->stage == GBX_STAGE_VERIFY && recently_verified(connection))
                gbx_connection_stage(connection, GBX_STAGE_CONNECT);
        start_connect(connection);
}

/* Every answer must be allowed, not just one: a name that means both a public and a private address is a trick. */
static enum gbx_refusal choose(struct gbx_connection *connection, const struct evutil_addrinfo *answers) {
        const struct gbx_flow_rule *rule = connection->flow.lane->account.rule;
        bool chosen = false;

        for (const struct evutil_addrinfo *answer = answers; answer; answer = answer->ai_next) {
                struct gbx_address address;

                if (gbx_address_from_socket(answer->ai_addr, &address, NULL) < 0)
                        continue;
                if (!gbx_address_allowed(&address, rule->addresses, rule->address_count)) {
                        gbx_address_text(&address, connection->flow.address);
                        return GBX_REFUSAL_ADDRESS;
                }
                if (!chosen)
                        connection->server_address = address;
                chosen = true;
        }
        return chosen ? GBX_REFUSAL_NONE : GBX_REFUSAL_RESOLVE;
}

static void remember(const struct gbx_connection *connection) {
        struct gbx_proxy *proxy = connection->proxy;
        struct gbx_resolved *entry = &proxy->resolved[proxy->next_resolved];

        proxy->next_resolved = (proxy->next_resolved + 1) % GBX_RESOLVED_MAX;
        *entry = (struct gbx_resolved){ .rule = connection->flow.lane->account.rule, .address = connection->server_address,
                                        .until_ms = gbx_proxy_now_ms() + GBX_RESOLVED_MS };
        (void)snprintf(entry->host, sizeof entry->host, "%s", connection->flow.host);
}

static bool recently_resolved(struct gbx_connection *connection) {
        const struct gbx_proxy *proxy = connection->proxy;
        int64_t now_ms = gbx_proxy_now_ms();

        for (size_t i = 0; i < GBX_RESOLVED_MAX; i++) {
                const struct gbx_resolved *entry = &proxy->resolved[i];

                if (entry->rule == connection->flow.lane->account.rule && entry->until_ms > now_ms &&
                    strcmp(entry->host, connection->flow.host) == 0) {
                        connection->server_address = entry->address;
                        return true;
                }
        }
        return false;
}

static void on_resolved(int result, struct evutil_addrinfo *answers, void *userdata) {
        struct gbx_lookup *lookup = userdata;
        struct gbx_connection *connection = lookup->connection;
        enum gbx_refusal refusal = GBX_REFUSAL_RESOLVE;

        if (connection) {
                connection->lookup = NULL;
                if (result == 0)
                        refusal = choose(connection, answers);
                if (refusal == GBX_REFUSAL_NONE) {
                        remember(connection);
                        go(connection);
                } else {
                        gbx_connection_refuse(connection, refusal);
                }
        }
        if (answers)
                evutil_freeaddrinfo(answers);
        free(lookup);
}

void gbx_upstream_cancel(struct gbx_connection *connection) {
        struct gbx_lookup *lookup = connection->lookup;

        if (!lookup)
                return;
        connection->lookup = NULL;
        lookup->connection = NULL;
        evdns_getaddrinfo_cancel(lookup->request); /* calls on_resolved later */
}

static void resolve(struct gbx_connection *connection) {
        struct evutil_addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
        struct gbx_lookup *lookup = calloc(1, sizeof *lookup);
        struct evdns_getaddrinfo_request *request;

        if (!lookup || !connection->proxy->dns) {
                free(lookup);
                gbx_connection_refuse(connection, GBX_REFUSAL_RESOLVE);
                return;
        }
        lookup->connection = connection;
        connection->lookup = lookup;
        request = evdns_getaddrinfo(connection->proxy->dns, connection->flow.host, NULL, &hints, on_resolved, lookup);
        if (request) /* otherwise it was called, and has freed the lookup */
                lookup->request = request;
}

/* An address that needs no DNS: written in the rule, or in the configuration. */
static bool known_address(struct gbx_connection *connection) {
        const json_t *fixed = json_object_get(connection->proxy->config->hosts, connection->flow.host);

        return gbx_address_parse(fixed ? json_string_value(fixed) : connection->flow.host, &connection->server_address, NULL) == 0;
}

/* Whether the last exchange has left the connection as it must be: open, and with nothing said that was not asked for.
 * What waits below TLS may be a session ticket; it is no answer before it is decrypted. */
static bool quiet(struct bufferevent *server) {
        evutil_socket_t fd = bufferevent_getfd(server);
        uint8_t byte;
        ssize_t size = fd >= 0 ? recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) : 0;

        if (evbuffer_get_length(bufferevent_get_input(server)) > 0)
                return false;
        return size < 0 ? errno == EAGAIN : size > 0 && bufferevent_openssl_get_ssl(server);
}

void gbx_upstream_open(struct gbx_connection *connection) {
        const struct gbx_flow_rule *rule = connection->flow.lane->account.rule;

        if (connection->server && connection->server_ready && connection->server_rule == rule &&
            connection->server_target.port == connection->flow.port &&
            strcmp(connection->server_target.host, connection->flow.host) == 0 && quiet(connection->server)) {
                connection->server_reused = true;
                gbx_address_text(&connection->server_address, connection->flow.address);
                gbx_request_send(connection);
                return;
        }
        gbx_connection_drop_server(connection);
        if (!known_address(connection) && !recently_resolved(connection))
                resolve(connection);
        else if (gbx_address_allowed(&connection->server_address, rule->addresses, rule->address_count))
                go(connection);
        else
                gbx_connection_refuse(connection, GBX_REFUSAL_ADDRESS);
}

static void connected(struct gbx_connection *connection) {
        SSL *ssl = bufferevent_openssl_get_ssl(connection->server);
        enum gbx_refusal refusal = ssl ? gbx_tls_check_peer(connection->server_rule, ssl) : GBX_REFUSAL_NONE;
        evutil_socket_t fd = bufferevent_getfd(connection->server);
        int one = 1;

        if (fd >= 0)
                (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connection->stage == GBX_STAGE_VERIFY) {
                gbx_tunnel_verified(connection, refusal);
                return;
        }
        if (refusal != GBX_REFUSAL_NONE) {
                gbx_connection_refuse(connection, refusal);
                return;
        }
        connection->server_ready = true;
        if (gbx_flow_readable(connection->server_rule))
                gbx_request_send(connection);
        else
                gbx_tunnel_start(connection);
}

void gbx_upstream_event(struct gbx_connection *connection, short events) {
        SSL *ssl = bufferevent_openssl_get_ssl(connection->server);

        if (events & BEV_EVENT_CONNECTED) {
                connected(connection);
                return;
        }
        switch (connection->stage) {
        case GBX_STAGE_CONNECT:
        case GBX_STAGE_VERIFY:
                gbx_connection_refuse(connection, ssl && SSL_get_verify_result(ssl) != X509_V_OK ? GBX_REFUSAL_CERTIFICATE
                                                                                               : GBX_REFUSAL_CONNECT);
                break;
        case GBX_STAGE_EXCHANGE:
                gbx_response_closed(connection, events & BEV_EVENT_EOF);
                break;
        case GBX_STAGE_TUNNEL:
                if (events & BEV_EVENT_EOF) {
                        gbx_tunnel_closed(connection, GBX_RESPONSE);
                } else {
                        gbx_connection_refuse(connection, GBX_REFUSAL_ABORTED);
                }
                break;
        default:
                gbx_connection_drop_server(connection);
                break;
        }
}
