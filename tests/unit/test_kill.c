/*
 * gateway/log: SIGKILL at every system call of a cycle of appends and checkpoints
 *
 * A child makes a log and works on it under ptrace(2), stopped before and
 * after each system call; run number k kills it at its k-th stop. It says
 * through a pipe which entries were acknowledged. Page cache survives a kill,
 * so that this is about half-done sequences; test_crash.c is about power cuts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/log_workload.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* The child: creates the log, appends and checkpoints, says after each append how many entries are acknowledged. */
static void work(struct fixture *f, int pipe) {
        static const uint64_t cycle[] = { 2, 1 };
        struct gbx_log_options options = { .journal_bytes = 1 };
        struct gbx_log *log;
        uint64_t done = 0;

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
                _exit(1);
        if (gbx_log_create(AT_FDCWD, f->path, NULL, &f->signer, NULL) < 0 ||
            gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, &options, NULL) < 0)
                _exit(2);
        for (size_t i = 0; i < gbx_array_size(cycle); i++) {
                for (uint64_t k = 0; k < cycle[i]; k++, done++)
                        if (fixture_fill(log, done, done + 1) < 0 || write(pipe, "x", 1) != 1)
                                _exit(3);
                if (gbx_log_checkpoint(log, NULL, NULL) < 0)
                        _exit(4);
        }
        _exit(0);
}

/* Lets the child run to its stop number `stop` and kills it there. Returns whether it ended before. */
static bool run_and_kill(pid_t child, uint64_t stop) {
        int status;

        for (uint64_t i = 0;; i++) {
                assert_int_equal(waitpid(child, &status, 0), child);
                if (WIFEXITED(status)) {
                        assert_int_equal(WEXITSTATUS(status), 0);
                        return true;
                }
                assert_true(WIFSTOPPED(status));
                if (i == stop) {
                        assert_int_equal(kill(child, SIGKILL), 0);
                        assert_int_equal(waitpid(child, &status, 0), child);
                        return false;
                }
                assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        }
}

static void a_kill_at_every_system_call_is_survived(void **state) {
        struct fixture *f = *state;
        bool ended = false;
        uint64_t stop;

        for (stop = 0; !ended; stop++) {
                struct acknowledged ack = {};
                const char *problem;
                int ends[2];
                pid_t child;
                char byte;

                assert_int_equal(pipe(ends), 0);
                child = fork();
                assert_true(child >= 0);
                if (child == 0)
                        work(f, ends[1]);
                (void)close(ends[1]);
                ended = run_and_kill(child, stop);
                while (read(ends[0], &byte, 1) == 1)
                        ack.entries++;
                (void)close(ends[0]);
                note_published(f->path, &ack);
                problem = check_recovery(f, f->path, &ack);
                if (problem)
                        fail_msg("killed at stop %llu: %s", (unsigned long long)stop, problem);
                remove_tree(f->path);
        }
        assert_true(stop > 200); /* the cycle has that many stops: nothing was skipped */
        print_message("# killed at each of %llu stops\n", (unsigned long long)stop);
}

/* Two processes work on one log, one of them is killed again and again: the other never sees anything broken. */
static void a_killed_neighbour_does_no_harm(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);
        struct gbx_error err = {};

        assert_non_null(log);
        for (unsigned round = 0; round < 60; round++) {
                pid_t child = fork();
                struct gbx_log *own = NULL;
                int status;

                if (child == 0) {
                        if (gbx_log_open(&own, AT_FDCWD, f->path, NULL, &f->signer, NULL, NULL) < 0)
                                _exit(1);
                        for (;;)
                                if (gbx_log_append(own, "neighbour", 9, NULL, NULL) < 0 || gbx_log_checkpoint(own, NULL, NULL) < 0)
                                        _exit(2);
                }
                for (unsigned i = 0; i <= round % 7; i++)
                        if (gbx_log_append(log, "own", 3, NULL, &err) < 0 || gbx_log_checkpoint(log, NULL, &err) < 0)
                                fail_msg("round %u: %s", round, err.message);
                assert_int_equal(kill(child, SIGKILL), 0);
                assert_int_equal(waitpid(child, &status, 0), child);
                assert_true(WIFSIGNALED(status));
        }
        assert_int_equal(gbx_log_append(log, "last", 4, NULL, &err), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, &err), 0);
        if (gbx_log_verify(AT_FDCWD, f->path, &(struct gbx_verify_options){ .verifier = f->signer.verifier }, NULL, &err) < 0)
                fail_msg("%s", err.message);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_kill_at_every_system_call_is_survived),
                TEST(a_killed_neighbour_does_no_harm),
        };

        if (access("/dev/shm", W_OK) == 0) /* real flushes would only take time */
                (void)setenv("TEST_DIRECTORY", "/dev/shm", 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
