/*
 * E09. A job reaches no address: not the host's loopback, not the cloud's
 * metadata service, no name server, no unix socket of the host by path or in the
 * abstract name space.
 * Layers: the filter (no socket); an empty network namespace (with the filter
 * off there are sockets and nowhere to go).
 * Arguments: port=N (a listener of attack-run on 127.0.0.1 and ::1), abstract=NAME, path=SOCKET.
 */
#include "tests/attack/lib/attempt.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECT_MILLISECONDS = 300 };

static int try_connect(int family, int type, const void *address, socklen_t size) {
        int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct pollfd wait = { .fd = fd, .events = POLLOUT };
        int error = 0;
        socklen_t length = sizeof(error);

        if (fd < 0)
                return errno;
        if (type == SOCK_DGRAM && family != AF_UNIX)
                return attempts_result(sendto(fd, "x", 1, 0, address, size));
        if (connect(fd, address, size) == 0)
                return ATTEMPT_BREACH;
        if (errno != EINPROGRESS)
                return errno;
        if (poll(&wait, 1, CONNECT_MILLISECONDS) <= 0)
                return ETIMEDOUT;
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        return error;
}

static uint16_t listener_port(const struct attempt *self) {
        const char *port = attempts_argument("port");

        return htons((uint16_t)(self->number ? self->number : port ? atoi(port) : 80));
}

static int try_ipv4(const struct attempt *self) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = listener_port(self) };

        (void)inet_pton(AF_INET, self->text, &address.sin_addr);
        return try_connect(AF_INET, self->integer, &address, sizeof(address));
}

static int try_ipv6(const struct attempt *self) {
        struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = listener_port(self) };

        (void)inet_pton(AF_INET6, self->text, &address.sin6_addr);
        return try_connect(AF_INET6, self->integer, &address, sizeof(address));
}

static int try_unix(const struct attempt *self) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const char *name = attempts_argument(self->text);
        size_t abstract = strcmp(self->text, "abstract") == 0, length = name ? strlen(name) : 0;

        if (!name || length + abstract >= sizeof(address.sun_path))
                return ENOENT;
        memcpy(address.sun_path + abstract, name, length);
        return try_connect(AF_UNIX, SOCK_STREAM, &address,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + length));
}

static int try_vsock(const struct attempt *self) {
        struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = (unsigned)self->integer, .svm_port = 22 };

        return try_connect(AF_VSOCK, SOCK_STREAM, &address, sizeof(address));
}

/* Bringing up an interface or adding an address would be the start of a way out. */
static int try_interface(const struct attempt *self) {
        struct ifreq request = { .ifr_flags = IFF_UP };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return errno;
        memcpy(request.ifr_name, self->text, strlen(self->text) + 1);
        return attempts_result(ioctl(fd, SIOCSIFFLAGS, &request));
}

/* Packets below IP, and a tap device. */
static int try_packet(const struct attempt *self) {
        (void)self;
        return attempts_result(socket(AF_PACKET, SOCK_RAW, htons(3)));
}

static const struct attempt attempts[] = {
        { "tcp-loopback", try_ipv4, ATTEMPT_TWO_LAYERS, .integer = SOCK_STREAM, .text = "127.0.0.1" },
        { "tcp-any-address", try_ipv4, ATTEMPT_TWO_LAYERS, .integer = SOCK_STREAM, .text = "0.0.0.0" },
        { "tcp-loopback-ipv6", try_ipv6, ATTEMPT_TWO_LAYERS, .integer = SOCK_STREAM, .text = "::1" },
        { "tcp-mapped-ipv6", try_ipv6, ATTEMPT_TWO_LAYERS, .integer = SOCK_STREAM, .text = "::ffff:127.0.0.1" },
        { "tcp-metadata", try_ipv4, ATTEMPT_TWO_LAYERS | ATTEMPT_NO_CONTROL, .number = 80, .integer = SOCK_STREAM,
          .text = "169.254.169.254" },
        { "tcp-metadata-ipv6", try_ipv6, ATTEMPT_TWO_LAYERS | ATTEMPT_NO_CONTROL, .number = 80,
          .integer = SOCK_STREAM, .text = "fd00:ec2::254" },
        { "udp-loopback", try_ipv4, ATTEMPT_TWO_LAYERS, .integer = SOCK_DGRAM, .text = "127.0.0.1" },
        { "udp-name-server", try_ipv4, ATTEMPT_TWO_LAYERS | ATTEMPT_NO_CONTROL, .number = 53, .integer = SOCK_DGRAM,
          .text = "1.1.1.1" },
        { "udp-multicast", try_ipv4, ATTEMPT_TWO_LAYERS | ATTEMPT_NO_CONTROL, .number = 5353, .integer = SOCK_DGRAM,
          .text = "224.0.0.251" },
        { "unix-path", try_unix, ATTEMPT_TWO_LAYERS, .text = "path" },
        { "unix-abstract", try_unix, ATTEMPT_TWO_LAYERS, .text = "abstract" },
        { "vsock-host", try_vsock, ATTEMPT_NO_CONTROL, .integer = VMADDR_CID_HOST },
        { "vsock-local", try_vsock, ATTEMPT_NO_CONTROL, .integer = 1 },
        { "interface-up", try_interface, ATTEMPT_TWO_LAYERS | ATTEMPT_KEEP_NAMES, .text = "lo" },
        { "packet-socket", try_packet, .flags = ATTEMPT_TWO_LAYERS },
};

ATTEMPTS_MAIN(attempts)
