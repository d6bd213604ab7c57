/* Marks of the living: who holds one lives, whatever he does; who died, however, does not. And temporary files. */
#include "gateway/store/living.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "tests/unit/log_fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

static int open_site(struct fixture *f) {
        int fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static size_t count_dead(int site) {
        json_t *dead = NULL;
        struct timespec since;
        size_t count;

        assert_int_equal(gbx_living_look(site, &dead, &since, NULL), 0);
        count = json_array_size(dead);
        json_decref(dead);
        return count;
}

static void test_one_holds_it(void **state) {
        gbx_auto(gbx_close_fd) int site = open_site(*state);
        struct gbx_living *first = NULL, *second = NULL;

        assert_int_equal(count_dead(site), 0);
        assert_false(gbx_living_is(site, "run-1"));
        assert_int_equal(gbx_living_begin(&first, site, "run-1", NULL), 0);
        assert_true(gbx_living_is(site, "run-1"));
        assert_int_equal(gbx_living_claim(&second, site, "run-1", NULL), GBX_LIVING_TAKEN);
        assert_int_equal(count_dead(site), 0);
        first = gbx_living_end(first);
        assert_false(gbx_living_is(site, "run-1"));
        assert_int_equal(faccessat(site, "runs/run-1", F_OK, 0), -1);
        assert_int_equal(gbx_living_claim(&second, site, "run-1", NULL), 0);
        second = gbx_living_leave(second);
        assert_int_equal(count_dead(site), 1);
        assert_int_equal(gbx_living_claim(&second, site, "run-1", NULL), 0);
        second = gbx_living_end(second);
        assert_int_equal(count_dead(site), 0);
}

static void test_names(void **state) {
        static const char *const wrong[] = { "../x", "a/b", ".hidden", "1234567890123456789012345678901234567890123456789012345678901234" };
        gbx_auto(gbx_close_fd) int site = open_site(*state);
        struct gbx_living *living = NULL;

        for (size_t i = 0; i < gbx_array_size(wrong); i++)
                assert_int_equal(gbx_living_begin(&living, site, wrong[i], NULL), -EINVAL);
}

/* Each process that is killed leaves a mark, and nothing else can be told from it. */
static void test_killed(void **state) {
        gbx_auto(gbx_close_fd) int site = open_site(*state);
        int ready[2], status;
        struct pollfd item;
        pid_t child;
        char byte;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        child = fork();
        if (child == 0) {
                struct gbx_living *run = NULL, *process = NULL;

                if (gbx_living_begin(&run, site, "run-2", NULL) < 0 || gbx_living_process(&process, site, NULL) < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                item = (struct pollfd){ .fd = gbx_living_asked(run), .events = POLLIN };
                (void)poll(&item, 1, -1);
                if (write(ready[1], "y", 1) != 1)
                        _exit(1);
                for (;;)
                        (void)pause();
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_true(gbx_living_is(site, "run-2"));
        assert_int_equal(count_dead(site), 0);
        assert_int_equal(gbx_living_ask(site, "run-2", NULL), 0);
        assert_int_equal(read(ready[0], &byte, 1), 1); /* it was heard */
        assert_int_equal(byte, 'y');
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_false(gbx_living_is(site, "run-2"));
        assert_int_equal(count_dead(site), 2);
        assert_int_equal(gbx_living_ask(site, "run-2", NULL), GBX_LIVING_GONE);
        assert_int_equal(gbx_living_ask(site, "run-3", NULL), GBX_LIVING_GONE);
        (void)close(ready[0]);
        (void)close(ready[1]);
}

/* A file of the living is never older than the oldest mark of a process. */
static void test_since(void **state) {
        gbx_auto(gbx_close_fd) int site = open_site(*state);
        struct gbx_living *first = NULL, *second = NULL;
        struct timespec since, later;
        struct stat status;
        json_t *dead = NULL;

        assert_int_equal(gbx_living_process(&first, site, NULL), 0);
        assert_int_equal(gbx_write_file_durably(site, "mine", "x", 1, 0600, NULL), 0);
        assert_int_equal(gbx_living_process(&second, site, NULL), 0);
        assert_int_equal(gbx_living_look(site, &dead, &since, NULL), 0);
        json_decref(dead);
        assert_int_equal(fstatat(site, "mine", &status, 0), 0);
        assert_true(status.st_ctim.tv_sec > since.tv_sec || (status.st_ctim.tv_sec == since.tv_sec && status.st_ctim.tv_nsec >= since.tv_nsec));
        first = gbx_living_end(first);
        assert_int_equal(gbx_living_look(site, &dead, &later, NULL), 0);
        json_decref(dead);
        assert_true(later.tv_sec > since.tv_sec || (later.tv_sec == since.tv_sec && later.tv_nsec >= since.tv_nsec));
        second = gbx_living_end(second);
}

/* Two processes that make and end the same mark all the time are never both its holder. */
static void test_race(void **state) {
        gbx_auto(gbx_close_fd) int site = open_site(*state);
        pid_t children[3];

        for (size_t i = 0; i < gbx_array_size(children); i++) {
                children[i] = fork();
                if (children[i] == 0) {
                        for (unsigned n = 0; n < 300; n++) {
                                struct gbx_living *living = NULL;
                                int alone;

                                if (gbx_living_begin(&living, site, "run-9", NULL) != 0)
                                        _exit(1);
                                alone = openat(site, "alone", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                                if (alone < 0 || close(alone) < 0 || unlinkat(site, "alone", 0) < 0)
                                        _exit(2);
                                (void)gbx_living_end(living);
                        }
                        _exit(0);
                }
        }
        for (unsigned n = 0; n < 300; n++)
                (void)count_dead(site); /* whoever only looks disturbs nobody */
        for (size_t i = 0; i < gbx_array_size(children); i++) {
                int status;

                assert_int_equal(waitpid(children[i], &status, 0), children[i]);
                assert_int_equal(status, 0);
        }
        assert_int_equal(count_dead(site), 0);
}

static void test_either(void **state) {
        int a[2], b[2];

        (void)state;
        for (unsigned which = 0; which < 2; which++) {
                gbx_auto(gbx_close_fd) int either = -1;

                assert_int_equal(pipe2(a, O_CLOEXEC), 0);
                assert_int_equal(pipe2(b, O_CLOEXEC), 0);
                either = gbx_interrupt_either(a[0], b[0], NULL);
                assert_true(either > 0);
                assert_false(gbx_interrupt_asked(either));
                assert_int_equal(write(which ? a[1] : b[1], "x", 1), 1);
                assert_true(gbx_interrupt_asked(either));
                assert_true(gbx_interrupt_asked(either)); /* and it stays so */
                for (unsigned i = 0; i < 2; i++) {
                        (void)close(a[i]);
                        (void)close(b[i]);
                }
        }
        assert_false(gbx_interrupt_asked(0));
        a[0] = gbx_interrupt_either(0, 0, NULL);
        assert_true(a[0] > 0);
        assert_false(gbx_interrupt_asked(a[0]));
        (void)close(a[0]);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                IN_FOLDER(test_one_holds_it), IN_FOLDER(test_names), IN_FOLDER(test_killed),
                IN_FOLDER(test_since),        IN_FOLDER(test_race),  cmocka_unit_test(test_either),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
