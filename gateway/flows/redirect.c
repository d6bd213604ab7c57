#include "gateway/flows/redirect.h"

#include "base/cleanup.h"
#include "gateway/egress/socks.h"
#include "runtime/sandbox/network.h"
#include "runtime/sandbox/notify_connect.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { COMMAND_CONNECT = 1, TYPE_IPV4 = 1, TYPE_IPV6 = 4 };

enum stage { STAGE_CONNECT, STAGE_METHOD, STAGE_REPLY };

struct attempt {
        int fd; /* -1: free */
        enum stage stage;
        uint32_t sequence;
        int64_t deadline_ms;
        uint8_t request[GBX_REDIRECT_REQUEST_SIZE];
        size_t request_size; /* 0: the proxy itself is meant */
        uint8_t reply[GBX_SOCKS_REPLY_SIZE];
        size_t reply_size;
};

struct gbx_redirect {
        int job_namespace, ours, theirs;
        int64_t attempt_ms;
        struct sockaddr_in proxy;
        struct attempt attempts[GBX_CONNECT_PENDING];
        pthread_t thread;
        bool running;
};

static int64_t now_ms(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the request ---------------------------------------------------------------- */

static int write_request(int type, const void *address, size_t size, in_port_t port, uint8_t *ret) {
        ret[0] = GBX_SOCKS_VERSION;
        ret[1] = COMMAND_CONNECT;
        ret[2] = 0;
        ret[3] = (uint8_t)type;
        memcpy(ret + 4, address, size);
        memcpy(ret + 4 + size, &port, sizeof port);
        return (int)(4 + size + sizeof port);
}

int gbx_redirect_request(const void *address, size_t size, const struct sockaddr_in *proxy,
                         uint8_t ret[static GBX_REDIRECT_REQUEST_SIZE]) {
        struct sockaddr_in four = {};
        struct sockaddr_in6 six = {};
        sa_family_t family;

        if (size < sizeof family)
                return -EINVAL;
        memcpy(&family, address, sizeof family);
        if (family == AF_INET) {
                if (size < sizeof four)
                        return -EINVAL;
                memcpy(&four, address, sizeof four);
                if (four.sin_addr.s_addr == proxy->sin_addr.s_addr && four.sin_port == proxy->sin_port)
                        return 0;
                return write_request(TYPE_IPV4, &four.sin_addr, 4, four.sin_port, ret);
        }
        if (family != AF_INET6)
                return -EAFNOSUPPORT;
        if (size < offsetof(struct sockaddr_in6, sin6_scope_id)) /* RFC 2133 had no scope, and the kernel goes without */
                return -EINVAL;
        memcpy(&six, address, size < sizeof six ? size : sizeof six);
        if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
                return write_request(TYPE_IPV4, six.sin6_addr.s6_addr + 12, 4, six.sin6_port, ret);
        return write_request(TYPE_IPV6, &six.sin6_addr, 16, six.sin6_port, ret);
}

/* --- attempts ------------------------------------------------------------------- */

/* A socket goes along if `error` is 0. Whether anybody still waits for the answer is the sandbox's matter. */
static void answer(const struct gbx_redirect *redirect, uint32_t sequence, int error, int socket) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof socket), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct gbx_connect_answer text = { .version = GBX_CONNECT_VERSION, .sequence = sequence, .error = error };
        struct iovec part = { &text, sizeof text };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        if (error == 0) {
                memcpy(CMSG_DATA(&control.header), &socket, sizeof socket);
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof control.bytes;
        }
        (void)sendmsg(redirect->ours, &message, MSG_NOSIGNAL);
}

static void finish(struct gbx_redirect *redirect, struct attempt *attempt, int error) {
        if (error == 0 && fcntl(attempt->fd, F_SETFL, 0) < 0)
                error = EIO;
        answer(redirect, attempt->sequence, error, attempt->fd);
        gbx_close_fd(&attempt->fd);
}

static void begin(struct gbx_redirect *redirect, const struct gbx_connect_request *request) {
        struct attempt attempt = { .sequence = request->sequence, .deadline_ms = now_ms() + redirect->attempt_ms };
        struct attempt *place = NULL;
        int size = request->address_size > GBX_CONNECT_ADDRESS_SIZE
                           ? -EINVAL
                           : gbx_redirect_request(request->address, request->address_size, &redirect->proxy, attempt.request);

        for (size_t i = 0; i < GBX_CONNECT_PENDING && !place; i++)
                if (redirect->attempts[i].fd < 0)
                        place = &redirect->attempts[i];
        if (size < 0 || !place) {
                answer(redirect, request->sequence, size < 0 ? -size : EAGAIN, -1);
                return;
        }
        attempt.request_size = (size_t)size;
        attempt.fd = gbx_network_job_socket(redirect->job_namespace, NULL);
        if (attempt.fd < 0 || fcntl(attempt.fd, F_SETFL, O_NONBLOCK) < 0 ||
            (connect(attempt.fd, (const struct sockaddr *)&redirect->proxy, sizeof redirect->proxy) < 0 && errno != EINPROGRESS)) {
                answer(redirect, request->sequence, ENETUNREACH, -1);
                gbx_close_fd(&attempt.fd);
                return;
        }
        *place = attempt;
}

/* Sends one of the two messages; they are shorter than any socket's buffer. */
static bool say(struct gbx_redirect *redirect, struct attempt *attempt, const void *data, size_t size, enum stage next) {
        if (send(attempt->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) {
                finish(redirect, attempt, ECONNREFUSED);
                return false;
        }
        attempt->stage = next;
        attempt->reply_size = 0;
        return true;
}

static int reply_error(uint8_t reply) {
        return reply == GBX_SOCKS_OK ? 0 : reply == GBX_SOCKS_UNREACHABLE ? EHOSTUNREACH : ECONNREFUSED;
}

/* Reads no byte more than the reply has: what follows is the job's. */
static void take_reply(struct gbx_redirect *redirect, struct attempt *attempt) {
        size_t wanted = attempt->stage == STAGE_METHOD ? 2 : GBX_SOCKS_REPLY_SIZE;
        ssize_t n = recv(attempt->fd, attempt->reply + attempt->reply_size, wanted - attempt->reply_size, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0)
                attempt->reply_size += (size_t)n;
        if (n <= 0 || attempt->reply[0] != GBX_SOCKS_VERSION) {
                finish(redirect, attempt, ECONNREFUSED);
                return;
        }
        if (attempt->reply_size < wanted)
                return;
        if (attempt->stage == STAGE_REPLY)
                finish(redirect, attempt, reply_error(attempt->reply[1]));
        else if (attempt->reply[1] != 0) /* no method that both know */
                finish(redirect, attempt, ECONNREFUSED);
        else
                (void)say(redirect, attempt, attempt->request, attempt->request_size, STAGE_REPLY);
}

static void go_on(struct gbx_redirect *redirect, struct attempt *attempt) {
        static const uint8_t greeting[] = { GBX_SOCKS_VERSION, 1, 0 };
        socklen_t size = sizeof(int);
        int error = 0;

        if (attempt->stage != STAGE_CONNECT)
                take_reply(redirect, attempt);
        else if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
                finish(redirect, attempt, ENETUNREACH);
        else if (attempt->request_size == 0)
                finish(redirect, attempt, 0);
        else
                (void)say(redirect, attempt, greeting, sizeof greeting, STAGE_METHOD);
}

/* --- the thread ----------------------------------------------------------------- */

static bool take_request(struct gbx_redirect *redirect) {
        struct gbx_connect_request request;
        ssize_t n = recv(redirect->ours, &request, sizeof request, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return true;
        if (n != sizeof request || request.version != GBX_CONNECT_VERSION)
                return false;
        begin(redirect, &request);
        return true;
}

static void *serve(void *argument) {
        struct gbx_redirect *redirect = argument;
        struct pollfd watched[GBX_CONNECT_PENDING + 1];
        bool open = true;

        while (open) {
                int64_t now = now_ms(), next = -1;

                for (size_t i = 0; i < GBX_CONNECT_PENDING; i++) {
                        const struct attempt *attempt = &redirect->attempts[i];
                        int64_t left = attempt->deadline_ms > now ? attempt->deadline_ms - now : 0;

                        watched[i] = (struct pollfd){ .fd = attempt->fd, .events = attempt->stage == STAGE_CONNECT ? POLLOUT : POLLIN };
                        if (attempt->fd >= 0 && (next < 0 || left < next))
                                next = left;
                }
                watched[GBX_CONNECT_PENDING] = (struct pollfd){ .fd = redirect->ours, .events = POLLIN };
                if (poll(watched, GBX_CONNECT_PENDING + 1, (int)next) < 0 && errno != EINTR)
                        break;
                now = now_ms();
                for (size_t i = 0; i < GBX_CONNECT_PENDING; i++) {
                        struct attempt *attempt = &redirect->attempts[i];

                        if (attempt->fd >= 0 && watched[i].revents)
                                go_on(redirect, attempt);
                        if (attempt->fd >= 0 && now >= attempt->deadline_ms)
                                finish(redirect, attempt, ETIMEDOUT);
                }
                if (watched[GBX_CONNECT_PENDING].revents)
                        open = take_request(redirect);
        }
        /* The sandbox then refuses all that wait. */
        (void)shutdown(redirect->ours, SHUT_RDWR);
        return NULL;
}

int gbx_redirect_socket(const struct gbx_redirect *redirect) { return redirect->theirs; }

struct gbx_redirect *gbx_redirect_free(struct gbx_redirect *redirect) {
        if (!redirect)
                return NULL;
        if (redirect->running) {
                (void)shutdown(redirect->ours, SHUT_RDWR);
                (void)pthread_join(redirect->thread, NULL);
        }
        for (size_t i = 0; i < GBX_CONNECT_PENDING; i++)
                gbx_close_fd(&redirect->attempts[i].fd);
        gbx_close_fd(&redirect->ours);
        gbx_close_fd(&redirect->theirs);
        free(redirect);
        return NULL;
}

int gbx_redirect_new(struct gbx_redirect **ret, int job_namespace, const struct sockaddr_in *proxy, unsigned attempt_ms,
                     struct gbx_error *err) {
        struct gbx_redirect *redirect = calloc(1, sizeof *redirect);
        int ends[2], r;

        if (!redirect)
                return gbx_fail_memory(err);
        *redirect = (struct gbx_redirect){ .job_namespace = job_namespace, .ours = -1, .theirs = -1, .proxy = *proxy,
                                           .attempt_ms = attempt_ms };
        for (size_t i = 0; i < GBX_CONNECT_PENDING; i++)
                redirect->attempts[i].fd = -1;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
                r = gbx_fail_errno(err, "cannot make the socket for connect(2) of the job");
                (void)gbx_redirect_free(redirect);
                return r;
        }
        redirect->ours = ends[0];
        redirect->theirs = ends[1];
        r = pthread_create(&redirect->thread, NULL, serve, redirect);
        if (r != 0) {
                errno = r;
                r = gbx_fail_errno(err, "cannot start a thread");
                (void)gbx_redirect_free(redirect);
                return r;
        }
        redirect->running = true;
        *ret = redirect;
        return 0;
}
