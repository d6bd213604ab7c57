#include "base/interrupt.h"

#include "base/cleanup.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

int gbx_interrupt_begin(struct gbx_interrupt *ret, struct gbx_error *err) {
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
        struct gbx_interrupt interrupt;
        sigset_t set;

        (void)sigemptyset(&set);
        for (size_t i = 0; i < gbx_array_size(numbers); i++) {
                struct sigaction now;

                /* Blocked, an ignored signal would be kept and seen. */
                if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
                        (void)sigaddset(&set, numbers[i]);
        }
        interrupt.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (interrupt.fd < 0)
                return gbx_fail_errno(err, "cannot make a descriptor for signals");
        if (sigprocmask(SIG_BLOCK, &set, &interrupt.before) < 0) {
                int r = gbx_fail_errno(err, "cannot block signals");

                gbx_close_fd(&interrupt.fd);
                return r;
        }
        *ret = interrupt;
        return 0;
}

bool gbx_interrupt_came(const struct gbx_interrupt *interrupt) {
        struct pollfd item = { .fd = interrupt->fd, .events = POLLIN };

        return poll(&item, 1, 0) > 0;
}

bool gbx_interrupt_asked(int fd) {
        struct pollfd item = { .fd = fd, .events = POLLIN };

        return fd > 0 && poll(&item, 1, 0) > 0;
}

int gbx_interrupt_either(int a, int b, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int either = epoll_create1(EPOLL_CLOEXEC);
        const int sources[] = { a, b };

        if (either < 0)
                return gbx_fail_errno(err, "cannot watch two descriptors");
        for (size_t i = 0; i < gbx_array_size(sources); i++) {
                struct epoll_event event = { .events = EPOLLIN };

                if (sources[i] > 0 && epoll_ctl(either, EPOLL_CTL_ADD, sources[i], &event) < 0)
                        return gbx_fail_errno(err, "cannot watch a descriptor");
        }
        return gbx_take_fd(&either);
}

void gbx_interrupt_end(struct gbx_interrupt *interrupt) {
        struct signalfd_siginfo used;

        if (interrupt->fd < 0)
                return;
        while (read(interrupt->fd, &used, sizeof used) == sizeof used)
                ;
        (void)sigprocmask(SIG_SETMASK, &interrupt->before, NULL);
        gbx_close_fd(&interrupt->fd);
}
