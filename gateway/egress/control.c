/*
 * Looking at live flows, and cutting them
 *
 * A request is one line of JSON on the control socket, the answer another:
 *   {"command":"flows"}                       what is under way, with rates
 *   {"command":"cut"}                         every rule of the run, for good
 *   {"command":"cut","rule":"scores"}         one rule, for good
 *   {"command":"cut","flow":17}               one flow, now
 *   {"command":"break","kind":"dataset","name":"credit"}   every rule, for good, if the run is of that dataset (or analyst)
 * Who may connect is settled by the socket file's permissions.
 */
#include "gateway/egress/proxy.h"

#include "base/cleanup.h"

#include <string.h>

enum { REQUEST_LIMIT = 4096, CONTROL_SECONDS = 10 };

static json_t *describe_flow(const struct gbx_connection *connection, int64_t now_ms) {
        const struct gbx_flow *flow = &connection->flow;
        int64_t wall_ms = now_ms - flow->started_ms;
        uint64_t all = flow->bytes[0] + flow->bytes[1];

        return json_pack("{s:I, s:s, s:s, s:i, s:s, s:s, s:I, s:I, s:I, s:I}", "flow", (json_int_t)flow->id, "rule",
                         flow->lane ? flow->lane->account.rule->name : "", "host", flow->host, "port", flow->port, "method",
                         flow->method, "path", flow->path ? flow->path : "", "sent", (json_int_t)flow->bytes[0], "received",
                         (json_int_t)flow->bytes[1], "wall_ms", (json_int_t)wall_ms, "rate",
                         (json_int_t)(wall_ms > 0 ? all * 1000 / (uint64_t)wall_ms : all));
}

static json_t *describe_rule(const struct gbx_account *account, int64_t now_ms) {
        return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:I}", "rule", account->rule->name, "open",
                         (json_int_t)account->open, "total", (json_int_t)account->total, "refused", (json_int_t)account->refused,
                         "failed", (json_int_t)account->failed, "sent", (json_int_t)account->bytes[0], "received",
                         (json_int_t)account->bytes[1], "cut", account->cut, "breaker_open",
                         gbx_breaker_open(&account->breaker, now_ms), "breaker_opened", (json_int_t)account->breaker.opened);
}

static json_t *list_flows(struct gbx_proxy *proxy) {
        const struct gbx_egress_config *config = proxy->config;
        json_t *flows = json_array(), *rules = json_array(), *datasets = json_array();
        int64_t now_ms = gbx_proxy_now_ms();

        for (const struct gbx_connection *connection = proxy->connections; connection; connection = connection->next)
                if (connection->flow.active)
                        (void)json_array_append_new(flows, describe_flow(connection, now_ms));
        for (size_t i = 0; i < config->rules.count; i++)
                (void)json_array_append_new(rules, describe_rule(&proxy->lanes[i].account, now_ms));
        for (char **dataset = config->datasets; dataset && *dataset; dataset++)
                (void)json_array_append_new(datasets, json_string(*dataset));
        return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o}", "run", config->run, "analyst", config->analyst, "purpose",
                         config->purpose, "datasets", datasets, "connections", (json_int_t)proxy->connection_count,
                         "flows_total", (json_int_t)proxy->flows_total, "refused_total", (json_int_t)proxy->refused_total,
                         "flows", flows, "rules", rules);
}

static json_int_t cut_rules(struct gbx_proxy *proxy, const char *rule) {
        json_int_t count = 0;

        for (size_t i = 0; i < proxy->config->rules.count; i++)
                if (!rule || strcmp(proxy->lanes[i].account.rule->name, rule) == 0) {
                        proxy->lanes[i].account.cut = true;
                        count++;
                }
        for (struct gbx_connection *connection = proxy->connections, *next; connection; connection = next) {
                next = connection->next;
                if (connection->flow.active && connection->flow.lane && connection->flow.lane->account.cut)
                        gbx_connection_refuse(connection, GBX_REFUSAL_CUT);
        }
        return count;
}

static json_int_t cut_flow(struct gbx_proxy *proxy, json_int_t id) {
        for (struct gbx_connection *connection = proxy->connections; connection; connection = connection->next)
                if (connection->flow.active && (json_int_t)connection->flow.id == id) {
                        gbx_connection_refuse(connection, GBX_REFUSAL_CUT);
                        return 1;
                }
        return 0;
}

/* The breaker of an analyst or a dataset was opened by another run. */
static json_int_t break_flows(struct gbx_proxy *proxy, const char *kind, const char *name) {
        const struct gbx_egress_config *config = proxy->config;
        bool concerned = strcmp(kind, "analyst") == 0 && strcmp(config->analyst, name) == 0;

        for (char **dataset = config->datasets; dataset && *dataset; dataset++)
                concerned |= strcmp(kind, "dataset") == 0 && strcmp(*dataset, name) == 0;
        if (concerned)
                gbx_proxy_close_flows(proxy, GBX_REFUSAL_BREAKER);
        return concerned;
}

static json_t *answer(struct gbx_proxy *proxy, const char *line, size_t size) {
        json_t *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL), *result = NULL;
        const char *command = NULL, *rule = NULL, *kind = NULL, *name = NULL;
        json_int_t flow = -1;

        if (request && json_unpack(request, "{s:s, s?:s, s?:I, s?:s, s?:s !}", "command", &command, "rule", &rule, "flow", &flow,
                                   "kind", &kind, "name", &name) == 0) {
                if (strcmp(command, "flows") == 0)
                        result = list_flows(proxy);
                else if (strcmp(command, "cut") == 0)
                        result = json_pack("{s:I}", "cut", flow >= 0 ? cut_flow(proxy, flow) : cut_rules(proxy, rule));
                else if (strcmp(command, "break") == 0 && kind && name)
                        result = json_pack("{s:I}", "closed", break_flows(proxy, kind, name));
        }
        json_decref(request);
        return result ? result : json_pack("{s:s}", "error", "not a request of the control socket");
}

static void on_control_read(struct bufferevent *side, void *userdata) {
        struct evbuffer *input = bufferevent_get_input(side);
        gbx_auto(gbx_free_pointer) char *text = NULL;
        size_t size;
        char *line = evbuffer_readln(input, &size, EVBUFFER_EOL_LF);
        json_t *result;

        if (!line && evbuffer_get_length(input) >= REQUEST_LIMIT)
                bufferevent_free(side);
        if (!line)
                return;
        result = answer(userdata, line, size);
        free(line);
        text = json_dumps(result, JSON_COMPACT);
        json_decref(result);
        (void)bufferevent_disable(side, EV_READ);
        (void)evbuffer_add_printf(bufferevent_get_output(side), "%s\n", text ? text : "{}");
}

static void on_control_write(struct bufferevent *side, void *userdata) {
        (void)userdata;
        if (!(bufferevent_get_enabled(side) & EV_READ) && evbuffer_get_length(bufferevent_get_output(side)) == 0)
                bufferevent_free(side);
}

static void on_control_event(struct bufferevent *side, short events, void *userdata) {
        (void)events, (void)userdata;
        bufferevent_free(side);
}

static void on_control_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length,
                              void *userdata) {
        const struct timeval limit = { .tv_sec = CONTROL_SECONDS };
        struct gbx_proxy *proxy = userdata;
        struct bufferevent *side = bufferevent_socket_new(proxy->base, fd, BEV_OPT_CLOSE_ON_FREE);

        (void)listener, (void)address, (void)length;
        if (!side) {
                (void)evutil_closesocket(fd);
                return;
        }
        bufferevent_setcb(side, on_control_read, on_control_write, on_control_event, proxy);
        bufferevent_setwatermark(side, EV_READ, 0, REQUEST_LIMIT);
        (void)bufferevent_set_timeouts(side, &limit, &limit);
        (void)bufferevent_enable(side, EV_READ | EV_WRITE);
}

int gbx_control_listen(struct gbx_proxy *proxy, int fd, struct gbx_error *err) {
        if (evutil_make_socket_nonblocking(fd) < 0)
                return gbx_fail_errno(err, "control: descriptor %d", fd);
        proxy->control = evconnlistener_new(proxy->base, on_control_accept, proxy, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
        return proxy->control ? 0 : gbx_fail(err, -EINVAL, "control: descriptor %d is not a listening socket", fd);
}
