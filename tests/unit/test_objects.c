/* gateway/store/objects: what is there is right and durable before anybody relies on it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "gateway/store/objects.h"
#include "tests/unit/log_fixture.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* What was flushed since the last look: every fsync of this program comes here. */
static char flushed[16][200];
static size_t flushes;
static int fail_with; /* errno of each flush; 0: none fails */

int fsync(int fd) {
        char link[64];
        ssize_t size;

        if (fail_with) {
                errno = fail_with;
                return -1;
        }
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        size = readlink(link, flushed[flushes % 16], sizeof flushed[0] - 1);
        flushed[flushes++ % 16][size > 0 ? size : 0] = '\0';
        return (int)syscall(SYS_fsync, fd);
}

static bool was_flushed(const char *end) {
        for (size_t i = 0; i < flushes && i < 16; i++) {
                size_t size = strlen(flushed[i]), length = strlen(end);

                if (size >= length && strcmp(flushed[i] + size - length, end) == 0)
                        return true;
        }
        return false;
}

static const char content[] = "what an entry will name";

static int put(int site, char path[static 100]) {
        char digest[GBX_SHA256_TEXT_SIZE];
        int r = gbx_object_put(site, content, sizeof content, digest, NULL);

        if (r == 0)
                (void)snprintf(path, 100, "objects/%.2s/%.62s", digest + 7, digest + 9);
        return r;
}

static void expect_good(int site, const char *path) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};

        assert_int_equal(gbx_read_file(site, path, 1 << 20, &found, NULL), 0);
        assert_int_equal(found.size, sizeof content);
        assert_memory_equal(found.data, content, sizeof content);
}

static void an_object_that_exists_is_flushed_before_it_is_relied_on(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_close_fd) int site = gbx_open_directory(AT_FDCWD, f->directory, NULL);
        char path[100], folder[12];

        assert_int_equal(put(site, path), 0);
        (void)snprintf(folder, sizeof folder, "%.10s", path);
        assert_true(was_flushed(folder) && was_flushed("/objects"));
        flushes = 0;
        assert_int_equal(put(site, path), 0);
        assert_true(was_flushed(path) && was_flushed(folder) && was_flushed("/objects"));
        fail_with = EIO; /* nobody may be told that it is durable */
        assert_int_equal(put(site, path), -EIO);
        fail_with = 0;
        assert_int_equal(put(site, path), 0);
        expect_good(site, path);
}

/* Whatever stands in the object's place: it ends as the right bytes. */
static void a_damaged_object_is_replaced(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_close_fd) int site = gbx_open_directory(AT_FDCWD, f->directory, NULL);
        char path[100], other[GBX_SHA256_TEXT_SIZE];

        assert_int_equal(put(site, path), 0);
        for (size_t size = 0; size <= sizeof content + 1; size++) { /* cut, altered in one byte, longer */
                char bytes[sizeof content + 1] = {};
                int fd = openat(site, path, O_WRONLY | O_TRUNC | O_CLOEXEC);

                memcpy(bytes, content, sizeof content);
                if (size == sizeof content)
                        bytes[size / 2] ^= 1;
                assert_int_equal(write(fd, bytes, size), size);
                close(fd);
                assert_int_equal(put(site, path), 0);
                expect_good(site, path);
        }
        assert_int_equal(unlinkat(site, path, 0), 0); /* a link to other bytes, then to nowhere, then a pipe */
        assert_int_equal(gbx_write_file_durably(site, "other", "x", 1, 0600, NULL), 0);
        assert_int_equal(symlinkat("../../other", site, path), 0);
        assert_int_equal(put(site, path), 0);
        expect_good(site, path);
        assert_int_equal(unlinkat(site, path, 0), 0);
        assert_int_equal(symlinkat("nowhere", site, path), 0);
        assert_int_equal(put(site, path), 0);
        expect_good(site, path);
        assert_int_equal(unlinkat(site, path, 0), 0);
        assert_int_equal(mkfifoat(site, path, 0600), 0);
        assert_int_equal(put(site, path), 0);
        expect_good(site, path);
        assert_int_equal(gbx_object_put(site, "", 0, other, NULL), 0); /* an empty one is an object too */
        assert_int_equal(gbx_object_put(site, NULL, 0, other, NULL), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                TEST(an_object_that_exists_is_flushed_before_it_is_relied_on),
                TEST(a_damaged_object_is_replaced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
