/*
 * E08. A job cannot put characters into the terminal it was started from
 * (TIOCSTI), nor paste a selection (TIOCLINUX), nor take the terminal over, with
 * the plain request or with high bits that a 64-bit compare in a filter misses.
 * The caller hands a terminal over as standard input on purpose (attack-run --terminal).
 * Layers: the filter; a session of its own (TIOCSTI wants the controlling terminal
 * or CAP_SYS_ADMIN in the first user namespace).
 * Reference: CVE-2017-5226, CVE-2019-10063, CVE-2019-7303, CVE-2023-28100.
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define HIGH_BIT 0x100000000UL
#define HIGH_BITS 0xdead000000000000UL

static int on_descriptor(int fd, unsigned long request) {
        char letter[4] = "x";
        char paste[2] = { 3 /* TIOCL_PASTESEL */, 0 };
        long result;

        switch ((unsigned)request) {
        case TIOCSTI:
                result = syscall(SYS_ioctl, fd, request, letter);
                break;
        case TIOCLINUX:
                result = syscall(SYS_ioctl, fd, request, paste);
                break;
        default:
                result = syscall(SYS_ioctl, fd, request, 1);
        }
        return attempts_result(result);
}

static int try_standard(const struct attempt *self) {
        int result = ENOTTY;

        for (int fd = 0; fd <= 2; fd++) {
                int one = on_descriptor(fd, (unsigned long)self->number);

                if (one == ATTEMPT_BREACH)
                        return one;
                result = one == ENOTTY ? result : one;
        }
        return result;
}

static int try_path(const struct attempt *self) {
        static const char *const paths[] = { "/dev/tty", "/dev/console", "/dev/pts/0", "/dev/tty1", "/proc/self/fd/0" };
        int result = ENOENT;

        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                int fd = open(paths[i], O_RDWR | O_NOCTTY | O_CLOEXEC);
                int one = fd < 0 ? errno : on_descriptor(fd, (unsigned long)self->number);

                if (one == ATTEMPT_BREACH)
                        return one;
                result = one == ENOENT ? result : one;
        }
        return result;
}

/* A new terminal from the host's pool would be a shared object too. */
static int try_new_terminal(const struct attempt *self) {
        (void)self;
        return attempts_result(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
}

static const struct attempt attempts[] = {
        { "tiocsti", try_standard, ATTEMPT_TWO_LAYERS, .number = TIOCSTI },
        { "tiocsti-high-bit", try_standard, ATTEMPT_TWO_LAYERS, .number = (long)(HIGH_BIT | TIOCSTI) },
        { "tiocsti-high-bits", try_standard, ATTEMPT_TWO_LAYERS, .number = (long)(HIGH_BITS | TIOCSTI) },
        { "tiocsti-by-path", try_path, ATTEMPT_TWO_LAYERS, .number = TIOCSTI },
        { "tioclinux", try_standard, ATTEMPT_TWO_LAYERS | ATTEMPT_NO_CONTROL, .number = TIOCLINUX },
        { "tioclinux-high-bit", try_standard, ATTEMPT_TWO_LAYERS | ATTEMPT_NO_CONTROL,
          .number = (long)(HIGH_BIT | TIOCLINUX) },
        { "tiocsctty", try_standard, ATTEMPT_NO_CONTROL, .number = TIOCSCTTY },
        { "new-terminal", try_new_terminal, .flags = ATTEMPT_TWO_LAYERS },
};

ATTEMPTS_MAIN(attempts)
