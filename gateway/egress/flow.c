/* Flows: from the account that lets them in to the record of their end. */
#include "gateway/egress/proxy.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static const char *const scheme_names[] = { "http", "https", "tcp" };

static void clear(struct gbx_flow *flow) {
        EVP_MD_CTX_free(flow->digests[0]);
        EVP_MD_CTX_free(flow->digests[1]);
        free(flow->path);
        *flow = (struct gbx_flow){};
}

static EVP_MD_CTX *new_digest(void) {
        EVP_MD_CTX *digest = EVP_MD_CTX_new();

        if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1) {
                EVP_MD_CTX_free(digest);
                return NULL;
        }
        return digest;
}

enum gbx_refusal gbx_flow_begin(struct gbx_connection *connection, const struct gbx_flow_rule *rule, const char *host,
                                uint16_t port, int scheme) {
        struct gbx_proxy *proxy = connection->proxy;
        struct gbx_flow *flow = &connection->flow;
        enum gbx_refusal refusal;

        clear(flow);
        *flow = (struct gbx_flow){ .active = true, .id = ++proxy->next_id, .started_ms = gbx_proxy_now_ms(), .port = port,
                                   .scheme = scheme };
        (void)snprintf(flow->host, sizeof flow->host, "%s", host);
        if (!rule)
                return GBX_REFUSAL_NONE;
        if (proxy->closed != GBX_REFUSAL_NONE)
                return proxy->closed;
        if (gbx_breaker_open(&proxy->breaker, flow->started_ms))
                return GBX_REFUSAL_BREAKER;
        for (size_t i = 0; i < proxy->config->quota_count; i++)
                if (gbx_quota_open(&proxy->quotas[i], gbx_time_now()) != GBX_REFUSAL_NONE)
                        return GBX_REFUSAL_QUOTA;
        flow->lane = &proxy->lanes[rule - proxy->config->rules.rules];
        refusal = gbx_account_open(&flow->lane->account, host, flow->started_ms, gbx_time_now());
        if (refusal != GBX_REFUSAL_NONE) {
                flow->lane->account.refused++;
                flow->lane = NULL;
                return refusal;
        }
        for (size_t i = 0; i < proxy->config->quota_count; i++)
                gbx_quota_count(&proxy->quotas[i]);
        proxy->flows_total++;
        return GBX_REFUSAL_NONE;
}

static json_t *describe(const struct gbx_flow *flow, const struct gbx_connection *connection) {
        char destination[GBX_HOST_SIZE + 32];
        json_t *details;

        (void)snprintf(destination, sizeof destination, strchr(flow->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
                       flow->scheme < 0 ? "tunnel" : scheme_names[flow->scheme], flow->host, flow->port);
        details = json_pack("{s:I, s:I, s:s}", "flow", (json_int_t)flow->id, "connection", (json_int_t)connection->id,
                            "destination", destination);
        if (details && flow->lane)
                (void)json_object_set_new(details, "rule", json_string(flow->lane->account.rule->name));
        if (details && *flow->method)
                (void)json_object_set_new(details, "method", json_string(flow->method));
        if (details && flow->path)
                (void)json_object_set_new(details, "path", json_string(flow->path));
        if (details && *flow->address)
                (void)json_object_set_new(details, "address", json_string(flow->address));
        return details;
}

enum gbx_refusal gbx_flow_opened(struct gbx_connection *connection) {
        struct gbx_flow *flow = &connection->flow;
        const struct gbx_flow_rule *rule = flow->lane->account.rule;
        bool opaque = rule->scheme == GBX_FLOW_HTTPS && !gbx_flow_readable(rule);

        if (!opaque) { /* the digest of ciphertext tells nobody anything */
                flow->digests[GBX_REQUEST] = new_digest();
                if (!flow->digests[GBX_REQUEST])
                        return GBX_REFUSAL_INTERNAL;
        }
        if (rule->digest_responses) {
                flow->digests[GBX_RESPONSE] = new_digest();
                if (!flow->digests[GBX_RESPONSE])
                        return GBX_REFUSAL_INTERNAL;
        }
        if (gbx_recorder_write(connection->proxy->recorder, "flow.opened", "allowed", GBX_REFUSAL_NONE, describe(flow, connection)) < 0)
                return GBX_REFUSAL_INTERNAL;
        flow->opened = true;
        return GBX_REFUSAL_NONE;
}

enum gbx_refusal gbx_flow_take(struct gbx_connection *connection, enum gbx_direction direction, uint64_t bytes) {
        struct gbx_flow *flow = &connection->flow;
        struct gbx_proxy *proxy = connection->proxy;
        int64_t now = gbx_time_now();
        enum gbx_refusal refusal;

        if (!flow->lane)
                return GBX_REFUSAL_INTERNAL;
        if (flow->lane->account.cut)
                return GBX_REFUSAL_CUT;
        if (proxy->closed != GBX_REFUSAL_NONE)
                return proxy->closed;
        for (size_t i = 0; i < proxy->config->quota_count; i++)
                if (!gbx_quota_fits(&proxy->quotas[i], direction, bytes, now))
                        return GBX_REFUSAL_QUOTA;
        refusal = gbx_account_take(&flow->lane->account, direction, bytes, now);
        if (refusal != GBX_REFUSAL_NONE)
                return refusal;
        for (size_t i = 0; i < proxy->config->quota_count; i++)
                gbx_quota_take(&proxy->quotas[i], direction, bytes);
        flow->bytes[direction] += bytes;
        return refusal;
}

void gbx_flow_digest(struct gbx_connection *connection, enum gbx_direction direction, struct evbuffer *data, size_t size) {
        EVP_MD_CTX *digest = connection->flow.digests[direction];
        struct evbuffer_ptr place;

        if (!digest || size == 0 || evbuffer_ptr_set(data, &place, 0, EVBUFFER_PTR_SET) < 0)
                return;
        while (size > 0) {
                struct evbuffer_iovec part;
                size_t use;

                if (evbuffer_peek(data, (ev_ssize_t)size, &place, &part, 1) < 1)
                        return;
                use = part.iov_len < size ? part.iov_len : size;
                if (EVP_DigestUpdate(digest, part.iov_base, use) != 1)
                        return;
                size -= use;
                if (size && evbuffer_ptr_set(data, &place, use, EVBUFFER_PTR_ADD) < 0)
                        return;
        }
}

static void add_digest(json_t *details, const char *name, EVP_MD_CTX *context) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        char text[GBX_SHA256_TEXT_SIZE];

        if (!context || EVP_DigestFinal_ex(context, digest, NULL) != 1)
                return;
        gbx_sha256_text(digest, text);
        (void)json_object_set_new(details, name, json_string(text));
}

static void record_end(struct gbx_connection *connection, enum gbx_refusal refusal) {
        struct gbx_flow *flow = &connection->flow;
        struct gbx_proxy *proxy = connection->proxy;
        json_t *details;

        if (!flow->opened && !gbx_recorder_allows(proxy->recorder, refusal, gbx_proxy_now_ms()))
                return;
        details = describe(flow, connection);
        if (details && *flow->scan_rule)
                (void)json_object_set_new(details, "scan_rule", json_string(flow->scan_rule));
        if (details && flow->opened) {
                (void)json_object_set_new(details, "sent", json_integer((json_int_t)flow->bytes[GBX_REQUEST]));
                (void)json_object_set_new(details, "received", json_integer((json_int_t)flow->bytes[GBX_RESPONSE]));
                (void)json_object_set_new(details, "wall_ms", json_integer(gbx_proxy_now_ms() - flow->started_ms));
                if (flow->status)
                        (void)json_object_set_new(details, "status", json_integer(flow->status));
                add_digest(details, "sent_digest", flow->digests[GBX_REQUEST]);
                add_digest(details, "received_digest", flow->digests[GBX_RESPONSE]);
        }
        (void)gbx_recorder_write(proxy->recorder, flow->opened ? "flow.closed" : "flow.refused",
                         refusal == GBX_REFUSAL_NONE ? "done" : flow->opened ? "failed" : "denied", refusal, details);
}

void gbx_flow_end(struct gbx_connection *connection, enum gbx_refusal refusal) {
        struct gbx_flow *flow = &connection->flow;
        struct gbx_proxy *proxy = connection->proxy;
        int64_t now_ms = gbx_proxy_now_ms();

        if (!flow->active)
                return;
        flow->active = false;
        if (refusal != GBX_REFUSAL_NONE) {
                proxy->refused_total++;
                (void)gbx_breaker_fail(&proxy->breaker, now_ms);
                if (flow->lane) {
                        flow->lane->account.failed++;
                        (void)gbx_breaker_fail(&flow->lane->account.breaker, now_ms);
                }
        }
        record_end(connection, refusal);
        if (flow->lane)
                gbx_account_close(&flow->lane->account);
        clear(flow);
}
