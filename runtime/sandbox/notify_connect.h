/*
 * connect(2), answered by somebody else
 *
 * For a job that knows nothing of proxies: its connect(2) is reported by the
 * filter, the address is copied out of its memory once, and sent to the
 * spec's network.notify_connect_fd, a SOCK_SEQPACKET socket. The other side
 * decides on that copy. It answers with an error, or with a connected socket
 * (SCM_RIGHTS), which takes the place of the job's own descriptor
 * (SECCOMP_IOCTL_NOTIF_ADDFD); the job never connects itself, so changing the
 * address behind our back gains it nothing.
 *
 * Both messages are in the host's byte order. Several requests may be open;
 * answers may come in any order.
 */
#pragma once

#include "base/error.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
        GBX_CONNECT_VERSION = 1,
        GBX_CONNECT_ADDRESS_SIZE = 128, /* sizeof(struct sockaddr_storage) */
        GBX_CONNECT_PENDING = 64,       /* more at once are refused with EAGAIN */
};

struct gbx_connect_request {
        uint32_t version;
        uint32_t sequence; /* to be repeated in the answer */
        uint32_t address_size;
        uint8_t address[GBX_CONNECT_ADDRESS_SIZE]; /* struct sockaddr of any family the job chose */
};

/* A descriptor comes with it if and only if error is 0. */
struct gbx_connect_answer {
        uint32_t version;
        uint32_t sequence;
        int32_t error; /* errno for the job, say ECONNREFUSED */
};

struct gbx_connects {
        int socket; /* -1: connect(2) is not forwarded */
        uint32_t next_sequence;
        struct {
                bool used;
                uint32_t sequence;
                uint64_t id; /* of the notification */
                int place;   /* the job's own descriptor */
                int flags;   /* of its open file, for O_NONBLOCK */
        } pending[GBX_CONNECT_PENDING];
};

/* 0: forwarded, an answer will come. Negative errno: to be told to the job now. Only TCP over IPv4 and IPv6 is ever forwarded:
 * -EPROTOTYPE for other sockets, -EAFNOSUPPORT for other families. */
int gbx_connect_forward(struct gbx_connects *connects, int listener, const struct seccomp_notif *notification);

/* A pidfd of the process that the thread belongs to, for kernels that have none of threads (before Linux 6.9). Descriptors
 * are its own where it shares them with its threads. Negative: -errno. */
int gbx_connect_process(pid_t thread);

/* Takes one answer from connects->socket. -EPIPE when the other side has gone: all that wait are refused. */
int gbx_connect_answer(struct gbx_connects *connects, int listener);
