/* base/spawn.h and base/memfile.h: a started program has what it was given, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfile.h"
#include "base/spawn.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

/* Runs /bin/sh -c SCRIPT and returns how it ended; `output` (may be NULL) gets what it printed. */
static struct gbx_ended shell(const char *script, struct gbx_spawn_descriptor *descriptors, size_t count,
                              const char *const *environment, struct gbx_buffer *output) {
        gbx_auto(gbx_child_end) struct gbx_child child = GBX_NO_CHILD;
        gbx_auto(gbx_close_fd) int out = gbx_memfile("out", NULL, 0, NULL);
        const char *const arguments[] = { "sh", "-c", script, NULL };
        struct gbx_spawn_descriptor all[GBX_SPAWN_MAX_DESCRIPTORS];
        struct gbx_spawn spawn = {
                .program = "/bin/sh", .arguments = arguments, .environment = environment, .descriptors = all
        };
        struct gbx_ended ended = {};
        struct gbx_error err = {};

        all[spawn.descriptor_count++] = (struct gbx_spawn_descriptor){ out, 1 };
        for (size_t i = 0; i < count; i++)
                all[spawn.descriptor_count++] = descriptors[i];
        if (gbx_spawn(&child, &spawn, &err) != 0 || gbx_child_wait(&child, -1, &ended, &err) != 0)
                fail_msg("%s", err.message);
        assert_int_equal(child.pid, 0);
        assert_int_equal(child.fd, -1);
        if (output) {
                assert_int_equal(gbx_memfile_rewind(out, NULL), 0);
                assert_int_equal(gbx_read_fd(out, 1 << 20, output, NULL), 0);
        }
        return ended;
}

static void memory_files_hold_and_are_sealed(void **state) {
        const struct gbx_bytes parts[] = { { "ab", 2 }, { NULL, 0 }, { "c", 1 } };
        gbx_auto(gbx_close_fd) int fd = gbx_memfile_parts("x", parts, 3, NULL);
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

        (void)state;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(gbx_memfile_seal(fd, NULL), 0);
        assert_int_equal(gbx_read_fd(fd, 10, &text, NULL), 0);
        assert_string_equal(gbx_buffer_text(&text), "abc");
        assert_true(write(fd, "d", 1) < 0 && errno == EPERM);
        assert_true(ftruncate(fd, 0) < 0 && errno == EPERM);
        assert_true(mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
        assert_int_equal(gbx_memfile_seal(fd, NULL), -EPERM);
        assert_int_equal(gbx_memfile_rewind(fd, NULL), 0);
}

static void only_named_descriptors_are_there(void **state) {
        gbx_auto(gbx_close_fd) int low = gbx_memfile("low", "x", 1, NULL), kept = fcntl(low, F_DUPFD_CLOEXEC, 20);
        gbx_auto(gbx_close_fd) int high = fcntl(low, F_DUPFD, 30); /* would be inherited */
        struct gbx_spawn_descriptor keep = { kept, kept };
        gbx_auto(gbx_buffer_free) struct gbx_buffer listed = {};
        char script[512];

        (void)state;
        assert_true(low > 2 && kept >= 20 && high >= 30);
        (void)snprintf(script, sizeof script,
                       "n=0; while [ $n -lt 64 ]; do [ -e /proc/$$/fd/$n ] && printf '%%d ' $n; n=$((n+1)); done; "
                       "for f in 0 2; do [ /proc/$$/fd/$f -ef /dev/null ] || exit 1; done");
        assert_true(gbx_ended_well((struct gbx_ended[]){ shell(script, &keep, 1, NULL, &listed) }));
        (void)snprintf(script, sizeof script, "0 1 2 %d ", kept);
        assert_string_equal(gbx_buffer_text(&listed), script);
        assert_true(fcntl(kept, F_GETFD) & FD_CLOEXEC); /* the caller's own are as they were */
}

static void numbers_may_be_exchanged(void **state) {
        gbx_auto(gbx_close_fd) int a = gbx_memfile("a", "A", 1, NULL), b = gbx_memfile("b", "B", 1, NULL),
                                   c = gbx_memfile("c", "C", 1, NULL);
        struct gbx_spawn_descriptor round[] = { { a, b }, { b, c }, { c, a }, { a, 0 } };
        gbx_auto(gbx_buffer_free) struct gbx_buffer output = {};
        char script[128];

        (void)state;
        (void)snprintf(script, sizeof script, "cat /proc/self/fd/%d /proc/self/fd/%d /proc/self/fd/%d; cat", a, b, c);
        assert_true(gbx_ended_well((struct gbx_ended[]){
                shell(script, round, 4, (const char *const[]){ "PATH=/usr/bin:/bin", NULL }, &output) }));
        assert_string_equal(gbx_buffer_text(&output), "CABA");
}

static void senseless_lists_are_refused(void **state) {
        static const struct gbx_spawn_descriptor twice[] = { { 0, 4 }, { 1, 4 } }, closed[] = { { -1, 4 } },
                                                 nowhere[] = { { 0, -1 } }, unknown[] = { { 999, 5 } };
        static const struct {
                const struct gbx_spawn_descriptor *list;
                size_t count;
                int error;
        } cases[] = { { twice, 2, -EINVAL }, { closed, 1, -EINVAL }, { nowhere, 1, -EINVAL }, { unknown, 1, -EBADF } };
        const char *const arguments[] = { "true", NULL };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                struct gbx_child child = GBX_NO_CHILD;
                struct gbx_spawn spawn = { .program = "true",
                                           .arguments = arguments,
                                           .descriptors = cases[i].list,
                                           .descriptor_count = cases[i].count };

                assert_int_equal(gbx_spawn(&child, &spawn, NULL), cases[i].error);
                assert_int_equal(child.pid, 0);
        }
        assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* none is left behind */
}

static void missing_programs_are_named(void **state) {
        const char *const arguments[] = { "x", NULL };
        struct gbx_child child = GBX_NO_CHILD;
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(
                gbx_spawn(&child,
                          &(struct gbx_spawn){ .program = "gbx-no-such", .package = "nothing", .arguments = arguments },
                          &err),
                -ENOENT);
        assert_string_equal(err.message, "'gbx-no-such' is not installed (apt install nothing)");
        assert_int_equal(
                gbx_spawn(&child, &(struct gbx_spawn){ .program = "/no/such", .arguments = arguments }, &err),
                -ENOENT);
        assert_string_equal(err.message, "'/no/such' is not installed (it is part of Glovebox: make, make install)");
        assert_int_equal(
                gbx_spawn(&child, &(struct gbx_spawn){ .program = "/dev/null", .arguments = arguments }, &err),
                -EACCES);
        assert_string_equal(err.message, "cannot start '/dev/null': Permission denied");
        assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static bool library_signals_ignored(void) {
        FILE *file = fopen("/proc/self/status", "re");
        unsigned long long ignored = 0;
        char line[256];

        while (file && fgets(line, sizeof line, file))
                (void)sscanf(line, "SigIgn: %llx", &ignored);
        if (file)
                (void)fclose(file);
        return ignored & 0x180000000ULL;
}

static void signals_and_environment_are_fresh(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer output = {};
        sigset_t all, before;

        (void)state;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, &before);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)setenv("GBX_TEST_SPAWN", "here", 1);
        assert_true(gbx_ended_well(
                (struct gbx_ended[]){ shell("while read -r l; do case $l in SigBlk:*|SigIgn:*) echo $l;; esac; done "
                                            "</proc/self/status; echo \"[$GBX_TEST_SPAWN]\"",
                                            NULL, 0, NULL, &output) }));
        /* 32 and 33 are the C library's own, nobody can set them, and make's children begin with both ignored */
        assert_string_equal(gbx_buffer_text(&output), library_signals_ignored() ? "SigBlk: 0000000000000000\nSigIgn: 0000000180000000\n[]\n"
                                                                                : "SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n[]\n");
        (void)sigpending(&all);
        assert_int_equal(sigismember(&all, SIGCHLD), 1); /* the caller's mask is as it was */
        (void)signal(SIGPIPE, SIG_DFL);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void a_group_of_its_own(void **state) {
        const char *const arguments[] = { "sh", "-c", "read -r a b c d group rest </proc/self/stat; [ $group = $$ ]", NULL };

        (void)state;
        for (int own = 0; own < 2; own++) {
                gbx_auto(gbx_child_end) struct gbx_child child = GBX_NO_CHILD;
                struct gbx_spawn spawn = { .program = "sh", .arguments = arguments, .own_group = own };
                struct gbx_ended ended;

                assert_int_equal(gbx_spawn(&child, &spawn, NULL), 0);
                assert_int_equal(gbx_child_wait(&child, -1, &ended, NULL), 0);
                assert_int_equal(ended.status, !own);
        }
}

static void ends_are_data(void **state) {
        struct gbx_ended ended = shell("exit 7", NULL, 0, NULL, NULL);

        (void)state;
        assert_int_equal(ended.status, 7);
        assert_int_equal(ended.signal, 0);
        ended = shell("kill -9 $$", NULL, 0, NULL, NULL);
        assert_int_equal(ended.status, -1);
        assert_int_equal(ended.signal, SIGKILL);
        assert_false(gbx_ended_well(&ended));
}

static void waiting_stopping_killing(void **state) {
        const char *const sleeper[] = { "sh", "-c", "exec sleep 600", NULL };
        const char *const deaf[] = { "sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done", NULL };
        static const char *const path[] = { "PATH=/usr/bin:/bin", NULL };
        gbx_auto(gbx_child_end) struct gbx_child child = GBX_NO_CHILD;
        struct gbx_ended ended = {};
        int ends[2];
        char byte;

        (void)state;
        assert_int_equal(gbx_spawn(&child,
                                   &(struct gbx_spawn){ .program = "sh", .arguments = sleeper, .environment = path },
                                   NULL),
                         0);
        assert_int_equal(gbx_child_wait(&child, 0, &ended, NULL), 1);
        assert_int_equal(gbx_child_wait(&child, 5, &ended, NULL), 1);
        assert_int_equal(gbx_child_stop(&child, 60000, &ended, NULL), 0);
        assert_int_equal(ended.signal, SIGTERM);

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(
                gbx_spawn(&child,
                          &(struct gbx_spawn){ .program = "sh",
                                               .arguments = deaf,
                                               .environment = path,
                                               .descriptors = (struct gbx_spawn_descriptor[]){ { ends[1], 1 } },
                                               .descriptor_count = 1 },
                          NULL),
                0);
        assert_int_equal(read(ends[0], &byte, 1), 1); /* it does not listen now */
        assert_int_equal(gbx_child_stop(&child, 20, &ended, NULL), 0);
        assert_int_equal(ended.signal, SIGKILL);
        (void)close(ends[0]);
        (void)close(ends[1]);
        gbx_child_end(&child); /* none: nothing happens */
}

/* A child whose caller is killed dies, too: its end of the pipe closes. */
static void children_may_die_with_their_caller(void **state) {
        const char *const arguments[] = { "sh", "-c", "echo; exec sleep 600", NULL };
        int ends[2];
        pid_t middle;
        char byte;

        (void)state;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        middle = fork();
        if (middle == 0) {
                struct gbx_child child;

                _exit(gbx_spawn(&child,
                                &(struct gbx_spawn){ .program = "/bin/sh",
                                                     .arguments = arguments,
                                                     .dies_with_caller = true,
                                                     .descriptors = (struct gbx_spawn_descriptor[]){ { ends[1], 1 } },
                                                     .descriptor_count = 1 },
                                NULL) < 0 ||
                      pause());
        }
        (void)close(ends[1]);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        (void)kill(middle, SIGKILL);
        assert_int_equal(waitpid(middle, NULL, 0), middle);
        assert_int_equal(read(ends[0], &byte, 1), 0);
        (void)close(ends[0]);
}

static atomic_bool stop;

static void *churn(void *unused) {
        (void)unused;
        while (!stop)
                free(malloc(1000));
        return NULL;
}

static void *start_some(void *unused) {
        (void)unused;
        for (int i = 0; i < 50; i++) {
                struct gbx_ended ended = shell("exit 3", NULL, 0, NULL, NULL);

                assert_int_equal(ended.status, 3);
        }
        return NULL;
}

static void threads_do_not_disturb(void **state) {
        pthread_t noise, starters[4];

        (void)state;
        assert_int_equal(pthread_create(&noise, NULL, churn, NULL), 0);
        for (size_t i = 0; i < gbx_array_size(starters); i++)
                assert_int_equal(pthread_create(&starters[i], NULL, start_some, NULL), 0);
        for (size_t i = 0; i < gbx_array_size(starters); i++)
                assert_int_equal(pthread_join(starters[i], NULL), 0);
        stop = true;
        assert_int_equal(pthread_join(noise, NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(memory_files_hold_and_are_sealed),
                cmocka_unit_test(only_named_descriptors_are_there),
                cmocka_unit_test(numbers_may_be_exchanged),
                cmocka_unit_test(senseless_lists_are_refused),
                cmocka_unit_test(missing_programs_are_named),
                cmocka_unit_test(signals_and_environment_are_fresh),
                cmocka_unit_test(a_group_of_its_own),
                cmocka_unit_test(ends_are_data),
                cmocka_unit_test(waiting_stopping_killing),
                cmocka_unit_test(children_may_die_with_their_caller),
                cmocka_unit_test(threads_do_not_disturb),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
