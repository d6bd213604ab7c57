#include "gateway/egress/proxy.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICK_MS = 200, STOP_GRACE_MS = 300, DAY_SECONDS = 24 * 60 * 60 };
enum { RATE_TICKS_A_SECOND = 50, RATE_FINE = 100 * RATE_TICKS_A_SECOND, RATE_BURST_TICKS = 4, RATE_BURST_MIN = 2048 };

int64_t gbx_proxy_now_ms(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void gbx_proxy_forget(struct gbx_connection *connection) {
        struct gbx_proxy *proxy = connection->proxy;

        if (connection->previous)
                connection->previous->next = connection->next;
        else
                proxy->connections = connection->next;
        if (connection->next)
                connection->next->previous = connection->previous;
        proxy->connection_count--;
        connection->previous = NULL;
        connection->next = proxy->ended;
        proxy->ended = connection;
        event_active(proxy->sweeper, EV_TIMEOUT, 1);
        if (proxy->stopping && proxy->connection_count == 0)
                (void)event_base_loopexit(proxy->base, NULL);
}

static void on_sweep(evutil_socket_t fd, short events, void *userdata) {
        struct gbx_proxy *proxy = userdata;

        (void)fd, (void)events;
        while (proxy->ended) {
                struct gbx_connection *connection = proxy->ended;

                proxy->ended = connection->next;
                gbx_connection_free(connection);
        }
}

static void on_tick(evutil_socket_t fd, short events, void *userdata) {
        struct gbx_proxy *proxy = userdata;
        int64_t now_ms = gbx_proxy_now_ms();

        (void)fd, (void)events;
        for (struct gbx_connection *connection = proxy->connections, *next; connection; connection = next) {
                next = connection->next; /* ending one does not touch the others */
                if (connection->flow.active && connection->flow.lane && connection->flow.lane->account.cut)
                        gbx_connection_refuse(connection, GBX_REFUSAL_CUT);
                else
                        gbx_connection_check_time(connection, now_ms);
        }
}

static void stop(struct gbx_proxy *proxy, int result) {
        proxy->result = result;
        (void)event_base_loopbreak(proxy->base);
}

/* The run has ended: what the job said last is still read, so that flows that ended well are recorded as such. */
static void on_signal(evutil_socket_t number, short events, void *userdata) {
        const struct timeval grace = { .tv_usec = STOP_GRACE_MS * 1000L };
        struct gbx_proxy *proxy = userdata;

        (void)number, (void)events;
        proxy->stopping = true;
        for (size_t i = 0; i < GBX_EGRESS_MAX_LISTENERS; i++)
                if (proxy->listeners[i])
                        (void)evconnlistener_disable(proxy->listeners[i]);
        if (proxy->connection_count == 0)
                stop(proxy, 0);
        else
                (void)event_base_loopexit(proxy->base, &grace);
}

static void on_records_broken(void *userdata) { stop(userdata, -EPIPE); }

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length,
                      void *userdata) {
        struct gbx_proxy *proxy = userdata;

        (void)listener, (void)address, (void)length;
        if (proxy->connection_count >= proxy->config->limits.connections) {
                proxy->refused_total++;
                (void)evutil_closesocket(fd);
                if (gbx_recorder_allows(proxy->recorder, GBX_REFUSAL_CONNECTIONS, gbx_proxy_now_ms()))
                        (void)gbx_recorder_write(proxy->recorder, "flow.refused", "denied", GBX_REFUSAL_CONNECTIONS,
                                         json_pack("{s:s}", "destination", "tunnel://unknown:0"));
                return;
        }
        if (gbx_connection_new(proxy, fd, NULL) < 0)
                (void)evutil_closesocket(fd);
}

/* By the gateway: this run's flows are over, by what happened in other runs too. */
static void on_close(evutil_socket_t number, short events, void *userdata) {
        (void)events;
        gbx_proxy_close_flows(userdata, number == GBX_EGRESS_SIGNAL_BREAKER ? GBX_REFUSAL_BREAKER : GBX_REFUSAL_QUOTA);
}

void gbx_proxy_close_flows(struct gbx_proxy *proxy, enum gbx_refusal why) {
        proxy->closed = why;
        for (struct gbx_connection *connection = proxy->connections, *next; connection; connection = next) {
                next = connection->next;
                if (connection->flow.active && connection->flow.lane)
                        gbx_connection_refuse(connection, why);
        }
}

static int set_up_events(struct gbx_proxy *proxy, struct gbx_error *err) {
        static const int signals[] = { SIGTERM, SIGINT, GBX_EGRESS_SIGNAL_BREAKER, GBX_EGRESS_SIGNAL_QUOTA };
        const struct timeval tick = { .tv_usec = TICK_MS * 1000L };

        proxy->base = event_base_new();
        if (!proxy->base)
                return gbx_fail(err, -ENOMEM, "cannot make an event loop");
        proxy->clock = event_new(proxy->base, -1, EV_PERSIST, on_tick, proxy);
        proxy->sweeper = event_new(proxy->base, -1, EV_PERSIST, on_sweep, proxy);
        if (!proxy->clock || !proxy->sweeper || event_add(proxy->clock, &tick) < 0)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < gbx_array_size(signals); i++) {
                proxy->stop[i] = evsignal_new(proxy->base, signals[i], i < 2 ? on_signal : on_close, proxy);
                if (!proxy->stop[i] || event_add(proxy->stop[i], NULL) < 0)
                        return gbx_fail_memory(err);
        }
        return gbx_recorder_new(&proxy->recorder, proxy->base, (int)proxy->config->events, on_records_broken, proxy, err);
}

static int set_up_dns(struct gbx_proxy *proxy, struct gbx_error *err) {
        proxy->dns = evdns_base_new(proxy->base, 0);
        if (!proxy->dns)
                return gbx_fail(err, -ENOMEM, "cannot set up the resolver");
        if (!proxy->config->nameservers) { /* none there: every name that needs DNS is refused */
                (void)evdns_base_resolv_conf_parse(proxy->dns, DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC, "/etc/resolv.conf");
                return 0;
        }
        for (char **server = proxy->config->nameservers; *server; server++)
                if (evdns_base_nameserver_ip_add(proxy->dns, *server) != 0)
                        return gbx_fail(err, -EINVAL, "cannot use the name server %s", *server);
        return 0;
}

static int set_up_scan(struct gbx_proxy *proxy, struct gbx_error *err) {
        const struct gbx_egress_config *config = proxy->config;
        const char *name;
        json_t *values;
        int r;

        if (!config->scan_rules)
                return 0;
        r = gbx_scan_rules_parse(&proxy->scan, "scan-rules", config->scan_rules, strlen(config->scan_rules), NULL, err);
        if (r < 0)
                return r;
        if (config->scan_tokens != UINT64_MAX) {
                r = gbx_tokens_read(&proxy->tokens, (int)config->scan_tokens, err);
                if (r < 0)
                        return gbx_context(err, r, "scan-tokens");
                (void)close((int)config->scan_tokens);
        }
        json_object_foreach((json_t *)(uintptr_t)config->scan_values, name, values) {
                size_t i;
                json_t *value;

                json_array_foreach(values, i, value) {
                        r = gbx_scan_rules_add_value(proxy->scan, name, GBX_SEVERITY_FAIL, json_string_value(value),
                                                     json_string_length(value), err);
                        if (r < 0)
                                return gbx_context(err, r, "scan-values");
                }
        }
        return 0;
}

static int set_up_rate(struct gbx_proxy *proxy, struct gbx_lane *lane, struct gbx_error *err) {
        size_t rate = (size_t)lane->account.rule->rate;
        bool fine = rate >= RATE_FINE; /* below, a tick's share would be rounded too much */
        const struct timeval tick = { .tv_sec = !fine, .tv_usec = fine ? 1000000 / RATE_TICKS_A_SECOND : 0 };
        size_t step = fine ? rate / RATE_TICKS_A_SECOND : rate, burst;
        struct ev_token_bucket_cfg *bucket;

        if (rate == 0)
                return 0;
        /* A tick that comes late brings the share of two: room for less would lose it. */
        burst = fine ? step * RATE_BURST_TICKS : step;
        if (burst < RATE_BURST_MIN)
                burst = RATE_BURST_MIN;
        bucket = ev_token_bucket_cfg_new(step, burst, step, burst, &tick);
        if (bucket)
                lane->rate = bufferevent_rate_limit_group_new(proxy->base, bucket);
        if (bucket)
                ev_token_bucket_cfg_free(bucket); /* the group keeps a copy */
        return lane->rate ? 0 : gbx_fail_memory(err);
}

static int set_up_lanes(struct gbx_proxy *proxy, struct gbx_error *err) {
        const struct gbx_egress_config *config = proxy->config;

        proxy->lanes = calloc(config->rules.count ? config->rules.count : 1, sizeof *proxy->lanes);
        if (!proxy->lanes)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < config->rules.count; i++) {
                const json_t *used = json_object_get(config->used_today, config->rules.rules[i].name);
                struct gbx_day_use used_today;
                int r;

                (void)gbx_egress_day_use(used, &used_today); /* checked with the configuration */
                gbx_account_init(&proxy->lanes[i].account, &config->rules.rules[i], &used_today, gbx_time_now());
                r = set_up_rate(proxy, &proxy->lanes[i], err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_up_quotas(struct gbx_proxy *proxy, struct gbx_error *err) {
        const struct gbx_egress_config *config = proxy->config;

        proxy->quotas = calloc(config->quota_count ? config->quota_count : 1, sizeof *proxy->quotas);
        if (!proxy->quotas)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < config->quota_count; i++) {
                proxy->quotas[i] = config->quotas[i];
                proxy->quotas[i].day = gbx_time_now() / DAY_SECONDS;
        }
        return 0;
}

static int set_up_listeners(struct gbx_proxy *proxy, struct gbx_error *err) {
        for (size_t i = 0; i < proxy->config->listen_count; i++) {
                int fd = proxy->config->listen[i], listening = 0;
                socklen_t size = sizeof listening;

                if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening)
                        return gbx_fail(err, -EINVAL, "listen: descriptor %d is not a listening socket", fd);
                if (evutil_make_socket_nonblocking(fd) < 0)
                        return gbx_fail_errno(err, "listen: descriptor %d", fd);
                proxy->listeners[i] = evconnlistener_new(proxy->base, on_accept, proxy, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
                if (!proxy->listeners[i])
                        return gbx_fail_memory(err);
        }
        return 0;
}

static void free_proxy(struct gbx_proxy **proxy) { *proxy = gbx_proxy_free(*proxy); }

int gbx_proxy_new(struct gbx_proxy **ret, const struct gbx_egress_config *config, struct gbx_error *err) {
        static int (*const steps[])(struct gbx_proxy *, struct gbx_error *) = { set_up_events, set_up_dns, set_up_scan,
                                                                                set_up_lanes, set_up_quotas, set_up_listeners };
        gbx_auto(free_proxy) struct gbx_proxy *proxy = calloc(1, sizeof *proxy);
        int r;

        if (!proxy)
                return gbx_fail_memory(err);
        proxy->config = config;
        proxy->breaker.limit = config->limits.failures;
        r = gbx_tls_new(&proxy->tls, config, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < gbx_array_size(steps); i++) {
                r = steps[i](proxy, err);
                if (r < 0)
                        return r;
        }
        if (config->control != UINT64_MAX) {
                r = gbx_control_listen(proxy, (int)config->control, err);
                if (r < 0)
                        return r;
        }
        *ret = gbx_take_ptr(proxy);
        return 0;
}

int gbx_proxy_run(struct gbx_proxy *proxy, struct gbx_error *err) {
        if (event_base_dispatch(proxy->base) < 0)
                return gbx_fail(err, -EIO, "the event loop failed");
        if (proxy->result == -EPIPE)
                return gbx_fail(err, -EPIPE, "records of flows cannot be written; without them there are no flows");
        return proxy->result;
}

struct gbx_proxy *gbx_proxy_free(struct gbx_proxy *proxy) {
        if (!proxy)
                return NULL;
        for (size_t i = 0; i < GBX_EGRESS_MAX_LISTENERS; i++)
                if (proxy->listeners[i])
                        evconnlistener_free(proxy->listeners[i]);
        if (proxy->control)
                evconnlistener_free(proxy->control);
        while (proxy->connections)
                gbx_connection_end(proxy->connections);
        on_sweep(-1, 0, proxy);
        proxy->recorder = gbx_recorder_free(proxy->recorder);
        if (proxy->dns) {
                evdns_base_free(proxy->dns, 1);
                (void)event_base_loop(proxy->base, EVLOOP_NONBLOCK); /* lookups that were given up call back once more */
        }
        for (size_t i = 0; proxy->lanes && i < proxy->config->rules.count; i++) {
                if (proxy->lanes[i].rate)
                        bufferevent_rate_limit_group_free(proxy->lanes[i].rate);
                gbx_account_free(&proxy->lanes[i].account);
        }
        for (size_t i = 0; i < gbx_array_size(proxy->stop); i++)
                if (proxy->stop[i])
                        event_free(proxy->stop[i]);
        if (proxy->clock)
                event_free(proxy->clock);
        if (proxy->sweeper)
                event_free(proxy->sweeper);
        if (proxy->base)
                event_base_free(proxy->base);
        gbx_tls_free(proxy->tls);
        gbx_scan_rules_free(proxy->scan);
        gbx_tokens_free(proxy->tokens);
        free(proxy->lanes);
        free(proxy->quotas);
        free(proxy);
        return NULL;
}
