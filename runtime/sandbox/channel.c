#include "runtime/sandbox/channel.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(GBX_CHANNEL_MAX * sizeof(int))];
};

int gbx_channel_send_all(int channel, const void *data, size_t size, const int *fds, size_t count,
                         struct gbx_error *err) {
        union control control = {};
        struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        if (count > GBX_CHANNEL_MAX)
                return gbx_fail(err, -EINVAL, "more than %d descriptors in a message", GBX_CHANNEL_MAX);
        if (count > 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
                control.header = (struct cmsghdr){ .cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int)),
                                                   .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
        }
        if (sendmsg(channel, &message, MSG_NOSIGNAL) != (ssize_t)size)
                return gbx_fail_errno(err, "cannot send to the other side of a channel");
        return 0;
}

int gbx_channel_send(int channel, int fd, struct gbx_error *err) {
        return gbx_channel_send_all(channel, "", 1, &fd, fd < 0 ? 0 : 1, err);
}

static int take_descriptors(struct msghdr *message, const union control *control, int *ret_fds, size_t room,
                            struct gbx_error *err) {
        size_t count = 0;
        int fds[GBX_CHANNEL_MAX];

        if (message->msg_controllen >= CMSG_LEN(sizeof(int)) && control->header.cmsg_type == SCM_RIGHTS) {
                count = (control->header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(fds, CMSG_DATA(&control->header), count * sizeof(int));
        }
        if (count > room || (message->msg_flags & MSG_CTRUNC)) {
                for (size_t i = 0; i < count; i++)
                        (void)close(fds[i]);
                return gbx_fail(err, -EINVAL, "more than %zu descriptors came with a message", room);
        }
        memcpy(ret_fds, fds, count * sizeof(int));
        return (int)count;
}

int gbx_channel_receive_message(int channel, void *ret_data, size_t size, size_t *ret_size, int *ret_fds, size_t room,
                                struct gbx_error *err) {
        union control control = {};
        struct iovec part = { .iov_base = ret_data, .iov_len = size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                                  .msg_controllen = sizeof control.bytes };
        ssize_t n;
        int r;

        do
                n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return gbx_fail_errno(err, "cannot receive from the other side of a channel");
        if (n == 0)
                return gbx_fail(err, -EPIPE, "the other side of a channel has gone");
        r = take_descriptors(&message, &control, ret_fds, room, err);
        if (r >= 0 && (message.msg_flags & MSG_TRUNC)) {
                for (int i = 0; i < r; i++)
                        (void)close(ret_fds[i]);
                return gbx_fail(err, -EMSGSIZE, "a message is longer than %zu bytes", size);
        }
        if (r >= 0)
                *ret_size = (size_t)n;
        return r;
}

int gbx_channel_receive_all(int channel, int *ret_fds, size_t room, struct gbx_error *err) {
        size_t size;
        char byte;

        return gbx_channel_receive_message(channel, &byte, 1, &size, ret_fds, room, err);
}

int gbx_channel_receive(int channel, struct gbx_error *err) {
        int fd = -1, r = gbx_channel_receive_all(channel, &fd, 1, err);

        if (r < 0)
                return r;
        return r == 1 ? fd : gbx_fail(err, -ENOENT, "no descriptor came with a message");
}
