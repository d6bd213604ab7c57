#include "runtime/sandbox/notify.h"

#include "runtime/sandbox/syscalls.h"

#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

int gbx_notify_answer(int listener, const struct gbx_run *run, struct gbx_connects *connects,
                      struct gbx_denials *denials) {
        struct seccomp_notif notification = {};
        struct seccomp_notif_resp answer = {};
        struct gbx_denial_action action;
        uint64_t arguments[GBX_DENIALS_ARGUMENTS];

        if (sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0)
                return GBX_NOTIFY_ANSWERED; /* the caller was killed meanwhile */
        answer.id = notification.id;
        if (notification.data.nr == SYS_connect && connects->socket >= 0) {
                answer.error = gbx_connect_forward(connects, listener, &notification);
                if (answer.error < 0)
                        (void)sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
                return GBX_NOTIFY_ANSWERED;
        }
        for (size_t i = 0; i < GBX_DENIALS_ARGUMENTS; i++)
                arguments[i] = notification.data.args[i];
        action = gbx_filter_denial(run->filter, notification.data.nr);
        gbx_denials_add(denials, notification.data.nr, arguments, action);
        if (action.kind == GBX_DENIAL_KILL)
                return GBX_NOTIFY_KILL; /* unanswered: the caller stays in the call until it dies */
        answer.error = -(int)action.error;
        (void)sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
        return GBX_NOTIFY_ANSWERED;
}
