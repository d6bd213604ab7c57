#include "runtime/sandbox/notify.h"

#include "runtime/sandbox/syscalls.h"

#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

/* What was tried in vain, beside what is only a mistake (EBADF, EFAULT). Refusals of an address of IP are the proxy's. */
static bool is_refusal(int error) {
        return error == -EAFNOSUPPORT || error == -EPROTOTYPE || error == -EAGAIN || error == -EACCES;
}

static struct gbx_denial_action refused_with(int error) {
        return (struct gbx_denial_action){ SYS_connect, GBX_DENIAL_ERRNO, (uint8_t)error };
}

int gbx_notify_answer(int listener, const struct gbx_run *run, struct gbx_connects *connects,
                      struct gbx_denials *denials) {
        struct seccomp_notif notification = {};
        struct seccomp_notif_resp answer = {};
        struct gbx_denial_action action;
        uint64_t arguments[GBX_DENIAL_ARGUMENTS];

        if (sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0)
                return GBX_NOTIFY_ANSWERED; /* the caller was killed meanwhile */
        answer.id = notification.id;
        for (size_t i = 0; i < GBX_DENIAL_ARGUMENTS; i++)
                arguments[i] = notification.data.args[i];
        if (notification.data.nr == SYS_connect && connects->socket >= 0) {
                answer.error = gbx_connect_forward(connects, listener, &notification);
                if (answer.error < 0 && is_refusal(answer.error))
                        gbx_denials_add(denials, notification.data.nr, arguments, refused_with(-answer.error));
                if (answer.error < 0)
                        (void)sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
                return GBX_NOTIFY_ANSWERED;
        }
        action = gbx_filter_denial(run->filter, notification.data.nr);
        gbx_denials_add(denials, notification.data.nr, arguments, action);
        if (action.kind == GBX_DENIAL_KILL)
                return GBX_NOTIFY_KILL; /* unanswered: the caller stays in the call until it dies */
        answer.error = -(int)action.error;
        (void)sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
        return GBX_NOTIFY_ANSWERED;
}
