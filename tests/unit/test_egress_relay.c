/* Splices: one direction of a tunnel between two real sockets, without the rest of the proxy's peers. */
#include "gateway/egress/proxy.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { MIB = 1024 * 1024, TOTAL = 6 * MIB };

struct bench {
        struct gbx_egress_config config;
        struct gbx_proxy *proxy;
        struct gbx_connection *connection;
        struct bufferevent *server;
        int events;         /* read end */
        int client, remote; /* our ends of the two sockets */
        uint8_t *sent, *got;
        size_t sent_size, got_size;
};

/* Two connected sockets of TCP: splice(2) and resets behave as they do for the proxy. */
static void connect_pair(int ret[2]) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof address;
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0 &&
                    getsockname(listener, (struct sockaddr *)&address, &size) == 0);
        ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(ret[0], (struct sockaddr *)&address, size), 0);
        ret[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_true(ret[1] >= 0);
        assert_int_equal(evutil_make_socket_nonblocking(ret[0]), 0);
        (void)close(listener);
}

/* A tunnel under a rule, as gbx_tunnel_start leaves it. */
static void set_up(struct bench *bench, const char *rule) {
        char text[1024];
        int pipes[2], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client[2], remote[2];
        struct gbx_error err = {};

        *bench = (struct bench){};
        (void)signal(SIGPIPE, SIG_IGN);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        (void)snprintf(text, sizeof text,
                       "{\"version\":1,\"run\":\"r\",\"analyst\":\"a\",\"purpose\":\"p\",\"datasets\":[],\"listen\":[%d],\"events\":%d,"
                       "\"nameservers\":[\"127.0.0.53\"],\"rules\":[{\"name\":\"echo\",\"scheme\":\"tcp\",\"host\":\"a.test\",\"port\":7,"
                       "\"request-bytes\":100000000%s}],\"confine\":false}", listener, pipes[1], rule);
        if (gbx_egress_config_parse(&bench->config, text, strlen(text), &err) < 0 || gbx_proxy_new(&bench->proxy, &bench->config, &err) < 0)
                fail_msg("%s", err.message);
        bench->events = pipes[0];
        connect_pair(client);
        connect_pair(remote);
        bench->client = client[0];
        bench->remote = remote[0];
        assert_int_equal(gbx_connection_new(bench->proxy, client[1], &err), 0);
        bench->connection = bench->proxy->connections;
        bench->connection->tunnel = true;
        bench->connection->tunnel_rule = &bench->config.rules.rules[0];
        assert_int_equal(gbx_flow_begin(bench->connection, bench->connection->tunnel_rule, "a.test", 7, GBX_FLOW_TCP), GBX_REFUSAL_NONE);
        bench->connection->server = bufferevent_socket_new(bench->proxy->base, remote[1], BEV_OPT_CLOSE_ON_FREE);
        assert_non_null(bench->connection->server);
        gbx_connection_watch_server(bench->connection);
        bench->connection->flow.opened = true;
        gbx_connection_stage(bench->connection, GBX_STAGE_TUNNEL);
        (void)bufferevent_enable(bench->connection->server, EV_READ);
        bench->sent = malloc(TOTAL);
        bench->got = malloc(TOTAL);
        assert_non_null(bench->sent);
        assert_non_null(bench->got);
        for (size_t i = 0; i < TOTAL; i++)
                bench->sent[i] = (uint8_t)(i * 2654435761U >> 13);
}

static void tear_down(struct bench *bench) {
        bench->proxy = gbx_proxy_free(bench->proxy);
        gbx_egress_config_free(&bench->config);
        (void)close(bench->events);
        if (bench->client >= 0)
                (void)close(bench->client);
        if (bench->remote >= 0)
                (void)close(bench->remote);
        free(bench->sent);
        free(bench->got);
}

/* One turn: what fits is said, the loop runs once, what has come is heard. */
static void turn(struct bench *bench, int from, int to, bool say, bool hear) {
        ssize_t n;

        if (say && bench->sent_size < TOTAL) {
                n = send(from, bench->sent + bench->sent_size, TOTAL - bench->sent_size, MSG_NOSIGNAL);
                bench->sent_size += n > 0 ? (size_t)n : 0;
        }
        (void)event_base_loop(bench->proxy->base, EVLOOP_NONBLOCK);
        if (hear) {
                n = recv(to, bench->got + bench->got_size, TOTAL - bench->got_size, 0);
                bench->got_size += n > 0 ? (size_t)n : 0;
        }
}

static void pass_all(struct bench *bench, int from, int to) {
        for (int i = 0; i < 1000000 && bench->got_size < TOTAL; i++)
                turn(bench, from, to, true, true);
        assert_int_equal(bench->got_size, TOTAL);
        assert_memory_equal(bench->got, bench->sent, TOTAL);
}

/* The way until a splice stands in this direction, in which a megabyte has passed already. */
static struct gbx_splice *until_spliced(struct bench *bench, int from, int to, enum gbx_direction direction) {
        bench->connection->flow.bytes[direction] = MIB;
        for (int i = 0; i < 100000 && !bench->connection->splices[direction] && bench->got_size < TOTAL / 2; i++)
                turn(bench, from, to, true, true);
        return bench->connection->splices[direction];
}

static void pass(enum gbx_direction direction) {
        struct bench bench;
        int from, to;

        set_up(&bench, "");
        from = direction == GBX_REQUEST ? bench.client : bench.remote;
        to = direction == GBX_REQUEST ? bench.remote : bench.client;
        assert_non_null(until_spliced(&bench, from, to, direction));
        assert_null(bench.connection->splices[!direction]);
        pass_all(&bench, from, to);
        assert_int_equal(bench.connection->flow.bytes[direction], MIB + TOTAL);
        assert_int_equal(bench.connection->flow.lane->account.bytes[direction], TOTAL);
        /* The end is passed on, and the splice goes; the other direction lives. */
        assert_int_equal(shutdown(from, SHUT_WR), 0);
        for (int i = 0; i < 100 && bench.connection->splices[direction]; i++)
                turn(&bench, from, to, false, false);
        assert_null(bench.connection->splices[direction]);
        assert_int_equal(recv(to, bench.got, 1, 0), 0);
        assert_false(bench.connection->ended);
        assert_int_equal(send(to, "x", 1, MSG_NOSIGNAL), 1);
        for (int i = 0; i < 100 && bench.got[0] != 'x'; i++) {
                turn(&bench, from, to, false, false);
                (void)recv(from, bench.got, 1, 0);
        }
        assert_int_equal(bench.got[0], 'x');
        tear_down(&bench);
}

static void test_requests(void **state) {
        (void)state;
        pass(GBX_REQUEST);
}

static void test_responses(void **state) {
        (void)state;
        pass(GBX_RESPONSE);
}

/* Memory is that of the pipe: who does not listen stops who speaks. */
static void test_stopped_reader(void **state) {
        struct bench bench;
        size_t before;
        int idle = 0;

        (void)state;
        set_up(&bench, "");
        assert_non_null(until_spliced(&bench, bench.client, bench.remote, GBX_REQUEST));
        for (int i = 0; i < 100000 && idle < 1000; i++) {
                before = bench.sent_size;
                turn(&bench, bench.client, bench.remote, true, false);
                idle = bench.sent_size == before ? idle + 1 : 0;
        }
        assert_int_equal(evbuffer_get_length(bufferevent_get_output(bench.connection->server)), 0);
        assert_int_equal(evbuffer_get_length(bufferevent_get_input(bench.connection->client)), 0);
        pass_all(&bench, bench.client, bench.remote); /* it goes on where it stood */
        tear_down(&bench);
}

static void test_quota(void **state) {
        struct bench bench;

        (void)state;
        set_up(&bench, ",\"response-bytes\":4000000");
        assert_non_null(until_spliced(&bench, bench.remote, bench.client, GBX_RESPONSE));
        for (int i = 0; i < 100000 && bench.proxy->connections; i++)
                turn(&bench, bench.remote, bench.client, true, true);
        assert_null(bench.proxy->connections); /* refused from within the splice's own callback */
        /* The reset takes along what had not been read yet; never is there more than was counted. */
        assert_in_range(bench.proxy->lanes[0].account.bytes[GBX_RESPONSE], 3000000, 4000000);
        assert_in_range(bench.got_size, 1, 4000000);
        assert_memory_equal(bench.got, bench.sent, bench.got_size);
        assert_int_equal(bench.proxy->lanes[0].account.failed, 1);
        tear_down(&bench);
}

/* One side breaks off in the middle, with bytes in the pipe: the connection ends, once. */
static void broken(bool reader) {
        const struct linger reset = { .l_onoff = 1 };
        struct bench bench;
        int *side;

        set_up(&bench, "");
        assert_non_null(until_spliced(&bench, bench.client, bench.remote, GBX_REQUEST));
        for (int i = 0; i < 50; i++)
                turn(&bench, bench.client, bench.remote, true, false);
        side = reader ? &bench.remote : &bench.client;
        assert_int_equal(setsockopt(*side, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        (void)close(*side);
        *side = -1;
        for (int i = 0; i < 10000 && bench.proxy->connections; i++) {
                turn(&bench, bench.client, bench.remote, reader, !reader);
                (void)usleep(100);
        }
        assert_null(bench.proxy->connections);
        assert_int_equal(bench.proxy->lanes[0].account.failed, 1);
        assert_int_equal(bench.proxy->lanes[0].account.open, 0);
        tear_down(&bench);
}

static void test_broken(void **state) {
        (void)state;
        broken(true);
        broken(false);
}

/* By an administrator or a breaker, from outside the splice. */
static void test_closed(void **state) {
        struct bench bench;

        (void)state;
        set_up(&bench, "");
        assert_non_null(until_spliced(&bench, bench.client, bench.remote, GBX_REQUEST));
        assert_non_null(until_spliced(&bench, bench.remote, bench.client, GBX_RESPONSE));
        gbx_proxy_close_flows(bench.proxy, GBX_REFUSAL_BREAKER);
        for (int i = 0; i < 100; i++)
                turn(&bench, bench.remote, bench.client, true, true);
        assert_null(bench.proxy->connections);
        tear_down(&bench);
}

/* What somebody must look at, or slow down, stays in the buffers, and arrives all the same. */
static void test_not_spliced(void **state) {
        struct bench bench;

        (void)state;
        set_up(&bench, ",\"rate\":400000000");
        assert_null(until_spliced(&bench, bench.client, bench.remote, GBX_REQUEST));
        pass_all(&bench, bench.client, bench.remote);
        tear_down(&bench);
        set_up(&bench, "");
        bench.connection->flow.digests[GBX_REQUEST] = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestInit_ex(bench.connection->flow.digests[GBX_REQUEST], EVP_sha256(), NULL), 1);
        assert_null(until_spliced(&bench, bench.client, bench.remote, GBX_REQUEST));
        pass_all(&bench, bench.client, bench.remote);
        tear_down(&bench);
        set_up(&bench, ""); /* too little so far for a pipe to pay */
        turn(&bench, bench.client, bench.remote, false, false);
        gbx_splice_start(bench.connection, GBX_REQUEST);
        assert_null(bench.connection->splices[GBX_REQUEST]);
        tear_down(&bench);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests), cmocka_unit_test(test_responses), cmocka_unit_test(test_stopped_reader),
                cmocka_unit_test(test_quota), cmocka_unit_test(test_broken), cmocka_unit_test(test_closed),
                cmocka_unit_test(test_not_spliced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
