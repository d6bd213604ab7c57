/* base/process.h and base/interrupt.h: what is set is set, in a child that had it otherwise. tests/e2e/inherited.bats has the
 * same for whole programs. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

/* The child's exit status: 0, or the number of the check that failed. */
static int in_child(int (*work)(void)) {
        int status = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(work());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int with_everything(void) {
        const struct itimerval soon = { .it_value = { .tv_sec = 30 } };
        struct itimerval timer;
        struct rlimit limit;
        sigset_t all, now;

        for (int i = 1; i < NSIG; i++)
                (void)signal(i, SIG_IGN);
        (void)sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        (void)setitimer(ITIMER_REAL, &soon, NULL);
        (void)setitimer(ITIMER_PROF, &soon, NULL);
        (void)umask(0777);
        (void)personality(ADDR_NO_RANDOMIZE);
        (void)getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = 512;
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        (void)setenv("POSIXLY_CORRECT", "1", 1);
        (void)setenv("OPENSSL_CONF", "/nonexistent", 1);
        for (int fd = 0; fd < 3; fd++)
                (void)close(fd);

        if (gbx_process_start(GBX_PROCESS_OPEN_FILES, NULL) < 0)
                return 1;
        (void)sigprocmask(SIG_SETMASK, NULL, &now);
        for (int i = 1; i < NSIG; i++) {
                struct sigaction action;
                bool kept = i == SIGHUP || i == SIGINT || i == SIGQUIT || i == SIGPIPE;

                if (sigismember(&now, i) == 1)
                        return 2;
                if (sigaction(i, NULL, &action) == 0 && action.sa_handler != (kept ? SIG_IGN : SIG_DFL))
                        return 3;
        }
        if (getitimer(ITIMER_REAL, &timer) < 0 || timer.it_value.tv_sec || getitimer(ITIMER_PROF, &timer) < 0 || timer.it_value.tv_sec)
                return 4;
        if (umask(0) != 077 || personality(0xffffffff) != PER_LINUX)
                return 5;
        if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY)
                return 6;
        if (getenv("POSIXLY_CORRECT") || getenv("OPENSSL_CONF"))
                return 7;
        for (int fd = 0; fd < 3; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        return 8;
        return write(STDOUT_FILENO, "x", 1) < 0 && errno == EBADF && fcntl(3, F_GETFD) < 0 ? 0 : 9;
}

static void test_start_sets_everything(void **state) {
        (void)state;
        assert_int_equal(in_child(with_everything), 0);
}

static int full_output(void) {
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

        if (full < 0 || dup2(full, STDOUT_FILENO) < 0 || printf("words") < 0)
                return 100;
        return gbx_process_finish("test", GBX_EXIT_DONE);
}

static int full_output_and_failed(void) {
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

        if (full < 0 || dup2(full, STDOUT_FILENO) < 0 || printf("words") < 0)
                return 100;
        return gbx_process_finish("test", GBX_EXIT_DENIED);
}

static int good_output(void) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || printf("words") < 0)
                return 100;
        return gbx_process_finish("test", GBX_EXIT_DONE);
}

static void test_finish(void **state) {
        (void)state;
        (void)fflush(stdout);
        assert_int_equal(in_child(full_output), GBX_EXIT_FAILED);
        assert_int_equal(in_child(full_output_and_failed), GBX_EXIT_DENIED);
        assert_int_equal(in_child(good_output), GBX_EXIT_DONE);
}

static int interrupted(void) {
        struct gbx_interrupt interrupt = { .fd = -1 };

        (void)signal(SIGHUP, SIG_IGN);
        if (gbx_interrupt_begin(&interrupt, NULL) < 0 || gbx_interrupt_came(&interrupt))
                return 1;
        if (kill(getpid(), SIGHUP) < 0 || gbx_interrupt_came(&interrupt))
                return 2; /* an ignored one is not seen */
        for (int i = 0; i < 3; i++)
                if (kill(getpid(), i == 1 ? SIGINT : SIGTERM) < 0 || !gbx_interrupt_came(&interrupt) || !gbx_interrupt_came(&interrupt))
                        return 3;
        gbx_interrupt_end(&interrupt); /* those that came do not kill now */
        gbx_interrupt_end(&interrupt);
        (void)kill(getpid(), SIGTERM);
        return 4;
}

static void test_interrupt(void **state) {
        (void)state;
        assert_int_equal(in_child(interrupted), 128 + SIGTERM);
}

static int exact_modes(void) {
        char folder[] = "/tmp/gbx-process-XXXXXX";
        gbx_auto(gbx_close_fd) int fd = -1;
        struct stat made, file;
        int r = 0;

        if (!mkdtemp(folder) || (fd = gbx_open_directory(AT_FDCWD, folder, NULL)) < 0)
                return 1;
        (void)umask(0777);
        if (gbx_make_directories(fd, "a/b", 0755, NULL) < 0 || gbx_write_file_durably(fd, "a/b/c", "x", 1, 0444, NULL) < 0)
                r = 2;
        else if (fstatat(fd, "a/b", &made, 0) < 0 || (made.st_mode & 07777) != 0755 || fstatat(fd, "a/b/c", &file, 0) < 0 ||
                 (file.st_mode & 07777) != 0444)
                r = 3;
        (void)unlinkat(fd, "a/b/c", 0);
        (void)unlinkat(fd, "a/b", AT_REMOVEDIR);
        (void)unlinkat(fd, "a", AT_REMOVEDIR);
        (void)rmdir(folder);
        return r;
}

static void test_exact_modes(void **state) {
        (void)state;
        assert_int_equal(in_child(exact_modes), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_start_sets_everything),
                cmocka_unit_test(test_finish),
                cmocka_unit_test(test_interrupt),
                cmocka_unit_test(test_exact_modes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
