/* The confined proxy: what its profile allows works, what it does not list kills, on the running kernel. */
#include "gateway/egress/confine.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { GOOD = 0, KILLED = -SIGSYS };

static int tcp(void) { return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? GOOD : errno; }
static int tcp6(void) { return socket(AF_INET6, SOCK_STREAM, 0) >= 0 || errno == EAFNOSUPPORT ? GOOD : errno; }
static int memory(void) { return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? GOOD : errno; }
static int ends(void) {
        int pipes[2];

        return pipe2(pipes, O_CLOEXEC) == 0 && fcntl(pipes[1], F_SETPIPE_SZ, 65536) > 0 ? GOOD : errno;
}
static int file(void) { return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY) >= 0 ? GOOD : errno; }
static int unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? GOOD : errno; }
static int packet_socket(void) { return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? GOOD : errno; }
static int netlink_socket(void) { return socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? GOOD : errno; }
static int high_bits(void) { return (int)syscall(SYS_socket, (1UL << 32) | AF_UNIX, SOCK_STREAM, 0) >= 0 ? GOOD : errno; }
static int program(void) {
        char *const arguments[] = { NULL };

        return execve("/bin/true", arguments, arguments) < 0 ? errno : GOOD;
}
static int child(void) { return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0 ? GOOD : errno; }
static int trace(void) { return ptrace(PTRACE_ATTACH, getppid(), 0, 0) < 0 ? errno : GOOD; }
static int signal_parent(void) { return kill(1, 0) < 0 ? errno : GOOD; }
static int executable(void) { return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : GOOD; }
static int namespaces(void) { return unshare(CLONE_NEWNET) < 0 ? errno : GOOD; }
static int other_file(void) { return (int)syscall(SYS_memfd_create, "x", 0) < 0 ? errno : GOOD; }
static int mapped_ring(void) { return (int)syscall(SYS_io_uring_setup, 1, NULL) < 0 ? errno : GOOD; }
static int owner(void) { return fcntl(0, F_SETOWN, 1) < 0 ? errno : GOOD; }
static int terminal(void) { return ioctl(0, 0x5412 /* TIOCSTI */, "x") < 0 ? errno : GOOD; }
static int listening(void) { return (int)syscall(SYS_listen, 0, 1) < 0 ? errno : GOOD; }
static int privileges(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? errno : GOOD; }

/* What a confined process makes of it: the function's result, or minus the signal that ended it. */
static int confined(int (*call)(void)) {
        pid_t pid = fork();
        int status = 0;

        if (pid == 0) {
                struct gbx_error err = {};

                int result = gbx_egress_confine(&err);

                if (result < 0)
                        (void)!write(STDERR_FILENO, err.message, strlen(err.message));
                /* not _exit(): the leak checker of a test build hooks it, and wants threads and files */
                (void)syscall(SYS_exit_group, result < 0 ? 99 : call());
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_profile(void **state) {
        static const struct {
                const char *name;
                int (*call)(void);
                int result;
        } cases[] = {
                { "TCP socket", tcp, GOOD }, { "TCP socket, version 6", tcp6, GOOD }, { "memory", memory, GOOD }, { "pipe", ends, GOOD },
                { "file", file, ENOENT },
                { "unix socket", unix_socket, KILLED }, { "packet socket", packet_socket, KILLED }, { "netlink socket", netlink_socket, KILLED },
                { "family with high bits", high_bits, KILLED }, { "execve", program, KILLED }, { "clone", child, KILLED },
                { "ptrace", trace, KILLED }, { "kill", signal_parent, KILLED }, { "executable memory", executable, KILLED },
                { "unshare", namespaces, KILLED }, { "memfd_create", other_file, KILLED }, { "io_uring_setup", mapped_ring, KILLED },
                { "F_SETOWN", owner, KILLED }, { "TIOCSTI", terminal, KILLED }, { "listen", listening, KILLED }, { "prctl", privileges, KILLED },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                int result = confined(cases[i].call);

                if (result != cases[i].result)
                        fail_msg("%s: %d, expected %d", cases[i].name, result, cases[i].result);
        }
}

/* Each of them is possible before: the profile is what makes the difference. */
static void test_control(void **state) {
        (void)state;
        assert_int_equal(unix_socket(), GOOD);
        assert_int_equal(file(), GOOD);
        assert_int_equal(other_file(), GOOD);
        assert_int_equal(executable(), GOOD);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_control), cmocka_unit_test(test_profile) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
