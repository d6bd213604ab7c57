/* connect(2) that the proxy answers: the number of attempts, their deadline, and whose process a thread is. */
#include "gateway/flows/redirect.h"
#include "runtime/sandbox/notify_connect.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { ATTEMPT_MS = 700 };

static int64_t now_ms(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A proxy that takes connections and says nothing. */
static int silent_proxy(struct sockaddr_in *ret) {
        socklen_t size = sizeof *ret;
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        *ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        assert_true(fd >= 0 && bind(fd, (struct sockaddr *)ret, sizeof *ret) == 0 && listen(fd, 256) == 0 &&
                    getsockname(fd, (struct sockaddr *)ret, &size) == 0);
        return fd;
}

static void ask(int socket, uint32_t sequence) {
        struct gbx_connect_request request = { .version = GBX_CONNECT_VERSION, .sequence = sequence, .address_size = sizeof(struct sockaddr_in) };
        const struct sockaddr_in wanted = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0xc6120001) };

        memcpy(request.address, &wanted, sizeof wanted);
        assert_int_equal(send(socket, &request, sizeof request, 0), sizeof request);
}

static struct gbx_connect_answer hear(int socket) {
        struct gbx_connect_answer answer = {};
        struct pollfd poller = { .fd = socket, .events = POLLIN };

        assert_int_equal(poll(&poller, 1, 10 * ATTEMPT_MS), 1);
        assert_int_equal(recv(socket, &answer, sizeof answer, 0), sizeof answer);
        return answer;
}

static void test_attempts(void **state) {
        struct sockaddr_in proxy;
        gbx_auto(gbx_close_fd) int listener = silent_proxy(&proxy), space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        struct gbx_redirect *redirect = NULL;
        struct gbx_error err = {};
        bool seen[GBX_CONNECT_PENDING + 1] = {};
        int64_t start = now_ms();
        int socket;

        (void)state;
        assert_true(listener >= 0 && space >= 0);
        if (gbx_redirect_new(&redirect, space, &proxy, ATTEMPT_MS, &err) < 0)
                fail_msg("%s", err.message);
        socket = gbx_redirect_socket(redirect);
        for (uint32_t i = 0; i <= GBX_CONNECT_PENDING; i++)
                ask(socket, i);
        for (uint32_t i = 0; i <= GBX_CONNECT_PENDING; i++) {
                struct gbx_connect_answer answer = hear(socket);

                assert_in_range(answer.sequence, 0, GBX_CONNECT_PENDING);
                assert_false(seen[answer.sequence]);
                seen[answer.sequence] = true;
                if (i == 0) { /* the one too many, and at once */
                        assert_int_equal(answer.sequence, GBX_CONNECT_PENDING);
                        assert_int_equal(answer.error, EAGAIN);
                        assert_in_range(now_ms() - start, 0, ATTEMPT_MS - 1);
                } else {
                        assert_int_equal(answer.error, ETIMEDOUT);
                        assert_true(now_ms() - start >= ATTEMPT_MS);
                }
        }
        /* Afterwards there is room again. */
        ask(socket, 7);
        assert_int_equal(hear(socket).error, ETIMEDOUT);
        redirect = gbx_redirect_free(redirect);
        assert_null(redirect);
}

static void test_nobody_listens(void **state) {
        struct sockaddr_in proxy;
        gbx_auto(gbx_close_fd) int space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        struct gbx_redirect *redirect = NULL;

        (void)state;
        (void)close(silent_proxy(&proxy)); /* a port that nothing is behind */
        assert_int_equal(gbx_redirect_new(&redirect, space, &proxy, ATTEMPT_MS, NULL), 0);
        ask(gbx_redirect_socket(redirect), 1);
        assert_int_not_equal(hear(gbx_redirect_socket(redirect)).error, 0);
        redirect = gbx_redirect_free(redirect);
}

static void test_too_many_forwarded(void **state) {
        struct gbx_connects connects = { .socket = -1 };
        const struct seccomp_notif notification = { .data = { .nr = SYS_connect } };

        (void)state;
        for (size_t i = 0; i < GBX_CONNECT_PENDING; i++)
                connects.pending[i].used = true;
        assert_int_equal(gbx_connect_forward(&connects, -1, &notification), -EAGAIN);
}

struct report {
        pid_t thread;
        int pidfd;
};
static void *look(void *argument) {
        struct report *report = argument;

        report->thread = (pid_t)syscall(SYS_gettid);
        report->pidfd = gbx_connect_process(report->thread);
        return NULL;
}
static void test_process_of_thread(void **state) {
        struct report report = {};
        pthread_t thread;
        int ends[2], copy;
        char byte = 0;

        (void)state;
        assert_int_equal(pthread_create(&thread, NULL, look, &report), 0);
        (void)pthread_join(thread, NULL);
        assert_int_not_equal(report.thread, getpid());
        assert_true(report.pidfd >= 0);
        /* It is this process: its descriptors are ours. */
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        copy = (int)syscall(SYS_pidfd_getfd, report.pidfd, ends[1], 0);
        assert_true(copy >= 0);
        assert_int_equal(write(copy, "x", 1), 1);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        assert_int_equal(byte, 'x');
        assert_true(gbx_connect_process(0x3fffffff) < 0);
        (void)close(copy);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)close(report.pidfd);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_attempts), cmocka_unit_test(test_nobody_listens),
                                            cmocka_unit_test(test_too_many_forwarded), cmocka_unit_test(test_process_of_thread) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
