#include "runtime/sandbox/notify_connect.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Copies the address, and makes sure that it came from the process that still waits for us. */
static int copy_address(int listener, const struct seccomp_notif *notification, struct gbx_connect_request *request) {
        uint64_t size = notification->data.args[2] & 0xffffffffU;
        struct iovec here = { request->address, size };
        struct iovec there = { (void *)(uintptr_t)notification->data.args[1], size };

        if (size < sizeof(sa_family_t) || size > GBX_CONNECT_ADDRESS_SIZE)
                return -EINVAL;
        if (process_vm_readv((pid_t)notification->pid, &here, 1, &there, 1, 0) != (ssize_t)size)
                return -EFAULT;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notification->id) < 0)
                return -ESRCH;
        request->address_size = (uint32_t)size;
        return 0;
}

int gbx_connect_forward(struct gbx_connects *connects, int listener, const struct seccomp_notif *notification) {
        struct gbx_connect_request request = { .version = GBX_CONNECT_VERSION };
        size_t at = 0;
        int r;

        while (at < GBX_CONNECT_PENDING && connects->pending[at].used)
                at++;
        if (at == GBX_CONNECT_PENDING)
                return -EAGAIN;
        r = copy_address(listener, notification, &request);
        if (r < 0)
                return r;
        request.sequence = connects->next_sequence++;
        if (send(connects->socket, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof request)
                return -ENETUNREACH;
        connects->pending[at].used = true;
        connects->pending[at].sequence = request.sequence;
        connects->pending[at].id = notification->id;
        connects->pending[at].place = (int)notification->data.args[0];
        return 0;
}

static void tell(int listener, uint64_t id, int error) {
        struct seccomp_notif_resp answer = { .id = id, .error = -error };

        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void refuse_all(struct gbx_connects *connects, int listener) {
        for (size_t i = 0; i < GBX_CONNECT_PENDING; i++) {
                if (connects->pending[i].used)
                        tell(listener, connects->pending[i].id, ENETUNREACH);
                connects->pending[i].used = false;
        }
        connects->socket = -1;
}

/* The connected socket takes the number of the job's own. */
static int inject(int listener, uint64_t id, int place, int socket) {
        struct seccomp_notif_addfd add = { .id = id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = (uint32_t)socket,
                                           .newfd = (uint32_t)place };

        return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? errno : 0;
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
                                                           connects->pending[i].place, socket);
                tell(listener, connects->pending[i].id, answer.error < 0 ? EIO : answer.error);
        }
        return 0;
}
