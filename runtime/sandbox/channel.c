#include "runtime/sandbox/channel.h"

#include <string.h>
#include <sys/socket.h>

union control {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
};

int gbx_channel_send(int channel, int fd, struct gbx_error *err) {
        union control control = {};
        struct iovec byte = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.bytes,
                                  .msg_controllen = sizeof control.bytes };

        control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        if (sendmsg(channel, &message, MSG_NOSIGNAL) != 1)
                return gbx_fail_errno(err, "cannot hand over a descriptor");
        return 0;
}

int gbx_channel_receive(int channel, struct gbx_error *err) {
        union control control = {};
        char content;
        struct iovec byte = { .iov_base = &content, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.bytes,
                                  .msg_controllen = sizeof control.bytes };
        ssize_t n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
        int fd;

        if (n < 0)
                return gbx_fail_errno(err, "cannot receive a descriptor");
        if (n != 1 || message.msg_controllen < CMSG_LEN(sizeof fd) || control.header.cmsg_type != SCM_RIGHTS)
                return gbx_fail(err, -EPIPE, "no descriptor was handed over");
        memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
        return fd;
}
