#include "runtime/sandbox/notify_connect.h"

#include "base/cleanup.h"
#include "runtime/sandbox/syscalls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIDFD_OF_THREAD = O_EXCL }; /* PIDFD_THREAD of newer headers */

/* Copies the address, and makes sure that it came from the process that still waits for us. */
static int copy_address(int listener, const struct seccomp_notif *notification, struct gbx_connect_request *request) {
        uint64_t size = notification->data.args[2] & 0xffffffffU;
        struct iovec here = { request->address, size };
        struct iovec there = { (void *)(uintptr_t)notification->data.args[1], size };
        sa_family_t family;

        if (size < sizeof(sa_family_t) || size > GBX_CONNECT_ADDRESS_SIZE)
                return -EINVAL;
        if (process_vm_readv((pid_t)notification->pid, &here, 1, &there, 1, 0) != (ssize_t)size)
                return -EFAULT;
        if (sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notification->id) < 0)
                return -ESRCH;
        memcpy(&family, request->address, sizeof family);
        if (family != AF_INET && family != AF_INET6)
                return -EAFNOSUPPORT;
        request->address_size = (uint32_t)size;
        return 0;
}

int gbx_connect_process(pid_t thread) {
        char path[40], text[512] = "", *line;
        gbx_auto(gbx_close_fd) int fd = -1;
        int pidfd;

        (void)snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
                return -ESRCH;
        line = strstr(text, "\nTgid:"); /* behind the name, in which the kernel writes no newline */
        if (!line)
                return -ESRCH;
        pidfd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(line + 6, NULL, 10), 0);
        return pidfd < 0 ? -errno : pidfd;
}

static int open_caller(pid_t thread) {
        int fd = (int)syscall(SYS_pidfd_open, thread, PIDFD_OF_THREAD);

        if (fd < 0) /* an older kernel: a process's first thread stands for the process */
                fd = (int)syscall(SYS_pidfd_open, thread, 0);
        return fd >= 0 ? fd : gbx_connect_process(thread);
}

/* The flags of the descriptor that the job names, which must be a socket of TCP. */
static int read_flags(const struct seccomp_notif *notification, int *ret_flags) {
        gbx_auto(gbx_close_fd) int pidfd = open_caller((pid_t)notification->pid);
        gbx_auto(gbx_close_fd) int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, (int)notification->data.args[0], 0);
        socklen_t size = sizeof(int);
        int type = 0;

        if (pidfd < 0)
                return -EACCES; /* what cannot be looked at is not replaced */
        if (fd < 0)
                return -errno;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
                return -errno; /* ENOTSOCK */
        if (type != SOCK_STREAM)
                return -EPROTOTYPE;
        *ret_flags = fcntl(fd, F_GETFL);
        return 0;
}

int gbx_connect_forward(struct gbx_connects *connects, int listener, const struct seccomp_notif *notification) {
        struct gbx_connect_request request = { .version = GBX_CONNECT_VERSION };
        int flags = 0, r;
        size_t at = 0;

        while (at < GBX_CONNECT_PENDING && connects->pending[at].used)
                at++;
        if (at == GBX_CONNECT_PENDING)
                return -EAGAIN;
        r = read_flags(notification, &flags);
        if (r < 0)
                return r;
        r = copy_address(listener, notification, &request); /* checks last of all that the caller still waits */
        if (r < 0)
                return r;
        request.sequence = connects->next_sequence++;
        if (send(connects->socket, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof request)
                return -ENETUNREACH;
        connects->pending[at].used = true;
        connects->pending[at].sequence = request.sequence;
        connects->pending[at].id = notification->id;
        connects->pending[at].place = (int)notification->data.args[0];
        connects->pending[at].flags = flags;
        return 0;
}

static void tell(int listener, uint64_t id, int error) {
        struct seccomp_notif_resp answer = { .id = id, .error = -error };

        (void)sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void refuse_all(struct gbx_connects *connects, int listener) {
        for (size_t i = 0; i < GBX_CONNECT_PENDING; i++) {
                if (connects->pending[i].used)
                        tell(listener, connects->pending[i].id, ENETUNREACH);
                connects->pending[i].used = false;
        }
        connects->socket = -1;
}

/* The connected socket takes the number of the job's own, and what it does when it would have to wait. Whether that
 * number is closed on execve(2) cannot be seen from here; a leak into a program of the job's own is the lesser surprise. */
static int inject(int listener, uint64_t id, int place, int flags, int socket) {
        struct seccomp_notif_addfd add = { .id = id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = (uint32_t)socket,
                                           .newfd = (uint32_t)place };

        if (fcntl(socket, F_SETFL, flags & O_NONBLOCK) < 0)
                return errno;
        return sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? errno : 0;
}

int gbx_connect_answer(struct gbx_connects *connects, int listener) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct gbx_connect_answer answer = {};
        struct iovec part = { &answer, sizeof answer };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                                  .msg_controllen = sizeof control.bytes };
        ssize_t n = recvmsg(connects->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        gbx_auto(gbx_close_fd) int socket = -1;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n >= 0 && message.msg_controllen >= CMSG_LEN(sizeof socket) && control.header.cmsg_type == SCM_RIGHTS)
                memcpy(&socket, CMSG_DATA(&control.header), sizeof socket);
        if (n != sizeof answer || answer.version != GBX_CONNECT_VERSION) {
                refuse_all(connects, listener);
                return -EPIPE;
        }
        for (size_t i = 0; i < GBX_CONNECT_PENDING; i++) {
                if (!connects->pending[i].used || connects->pending[i].sequence != answer.sequence)
                        continue;
                connects->pending[i].used = false;
                if (answer.error == 0)
                        answer.error = socket < 0 ? EIO
                                                  : inject(listener, connects->pending[i].id,
                                                           connects->pending[i].place, connects->pending[i].flags, socket);
                tell(listener, connects->pending[i].id, answer.error < 0 ? EIO : answer.error);
        }
        return 0;
}
