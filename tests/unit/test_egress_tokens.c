/* Identifiers of a dataset, found in text without being kept. */
#include "gateway/egress/tokens.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

static int add(struct gbx_tokens *tokens, const char *value) { return gbx_tokens_add(tokens, value, strlen(value), NULL); }

/* What the proxy has: the set through its memory file. */
static struct gbx_tokens *make(void) {
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;
        gbx_auto(gbx_close_fd) int fd = -1;
        struct gbx_tokens *copy = NULL;
        char bytes[4096];
        ssize_t size;

        assert_int_equal(gbx_tokens_new(&tokens, NULL), 0);
        assert_int_equal(add(tokens, "A00042"), 0);
        assert_int_equal(add(tokens, "11010519491231002X"), 0);
        assert_int_equal(add(tokens, "li.wei@example.org"), 0);
        assert_int_equal(add(tokens, "\xe5\xbc\xa0\xe4\xbc\x9f"), 0);
        assert_int_equal(add(tokens, "good"), 1);
        assert_int_equal(add(tokens, "a-b-c-1"), 1);
        assert_int_equal(add(tokens, "0123456789012345678901234567890123456789012345678901234567890123"), 1);
        fd = gbx_tokens_write(tokens, NULL);
        assert_true(fd >= 0);
        size = read(fd, bytes, sizeof bytes);
        assert_int_equal(size, 24 + 4 * 8); /* hashes, and no value */
        assert_null(memmem(bytes, (size_t)size, "00042", 5));
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(gbx_tokens_read(&copy, fd, NULL), 0);
        return copy;
}

static void test_find(void **state) {
        static const struct {
                const char *text;
                bool found;
        } rows[] = {
                { "A00042", true }, { "a00042", true }, { "{\"id\":\"A00042\",\"n\":1}", true }, { "id=A00042&x=1", true },
                { "A-000-42", true }, { "a 0 0042", true }, { "110105 19491231 002x", true }, { "to: Li.Wei@example.org.", true },
                { "x \xe5\xbc\xa0\xe4\xbc\x9f y", true }, { "first words then A00042 last", true },
                { "", false }, { "A00043", false }, { "xA00042", false }, { "A00042x", false }, { "A0004", false }, { "good", false },
                { "A 0 0 0 4 2", false /* more pieces than are joined */ }, { "---", false },
                { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA42 A00042", true },
                { "A000 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 42", false },
        };
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = make();

        (void)state;
        for (size_t i = 0; i < gbx_array_size(rows); i++)
                if (gbx_tokens_find(tokens, rows[i].text, strlen(rows[i].text)) != rows[i].found)
                        fail_msg("'%s'", rows[i].text);
}

static void test_many(void **state) {
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;
        gbx_auto(gbx_close_fd) int fd = -1;
        char value[32];

        (void)state;
        assert_int_equal(gbx_tokens_new(&tokens, NULL), 0);
        for (int i = 0; i < GBX_TOKENS_MAX; i++) {
                int size = snprintf(value, sizeof value, "id%07d", i);

                assert_int_equal(gbx_tokens_add(tokens, value, (size_t)size, NULL), 0);
        }
        assert_int_equal(add(tokens, "one-too-many"), -E2BIG);
        fd = gbx_tokens_write(tokens, NULL);
        assert_true(fd >= 0);
        assert_true(gbx_tokens_find(tokens, "id0000000", 9));
        assert_true(gbx_tokens_find(tokens, "id0999999", 9));
        for (int i = GBX_TOKENS_MAX; i < GBX_TOKENS_MAX + 10000; i++)
                assert_false(gbx_tokens_find(tokens, value, (size_t)snprintf(value, sizeof value, "id%07d", i)));
}

static void test_damaged(void **state) {
        struct gbx_tokens *tokens = NULL;
        int ends[2];

        (void)state;
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "short", 5), 5);
        (void)close(ends[1]);
        assert_int_equal(gbx_tokens_read(&tokens, ends[0], NULL), -EINVAL);
        (void)close(ends[0]);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_many), cmocka_unit_test(test_damaged) };

        return cmocka_run_group_tests_name("egress tokens", tests, NULL, NULL);
}
