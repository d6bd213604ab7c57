/* Identifiers of a dataset, read by a confined child: found for the scan, and nothing else comes back. */
#include "gateway/flows/values.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static const char schema_text[] = "dataset: d\ncolumns:\n  - { name: id, type: text, class: identifier }\n"
                                  "  - { name: number, type: text, class: sensitive, key: yes }\n"
                                  "  - { name: note, type: text, class: sensitive }\n";

#define BYTES(text) text, sizeof text - 1

static int read_text(const char *text, size_t size, struct gbx_tokens *tokens, struct gbx_error *err) {
        gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
        gbx_auto(gbx_close_fd) int fd = memfd_create("data", MFD_CLOEXEC);

        assert_int_equal(gbx_schema_parse(&schema, "d.yaml", schema_text, strlen(schema_text), NULL, NULL), 0);
        assert_int_equal(gbx_write_all(fd, text, size, NULL), 0);
        return gbx_flow_values_read(schema, fd, tokens, err);
}

/* As the proxy has them. */
static bool finds(struct gbx_tokens *tokens, const char *text) {
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *copy = NULL;
        gbx_auto(gbx_close_fd) int fd = gbx_tokens_write(tokens, NULL);

        assert_int_equal(gbx_tokens_read(&copy, fd, NULL), 0);
        return gbx_tokens_find(copy, text, strlen(text));
}

static void test_two_files(void **state) {
        static const char first[] = "id,number,note\nA00001,777777,plainwords\n\"B-00002\",888888,other\n", second[] = "note,id,number\nx,C00003,999999\n";
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;

        (void)state;
        assert_int_equal(gbx_tokens_new(&tokens, NULL), 0);
        assert_int_equal(read_text(first, strlen(first), tokens, NULL), 0);
        assert_int_equal(gbx_tokens_count(tokens), 4);
        assert_int_equal(read_text(second, strlen(second), tokens, NULL), 0);
        assert_int_equal(gbx_tokens_count(tokens), 6);
        assert_true(finds(tokens, "it is A00001"));
        assert_true(finds(tokens, "b00002"));
        assert_true(finds(tokens, "888888"));
        assert_true(finds(tokens, "C00003"));
        assert_false(finds(tokens, "plainwords"));
        assert_false(finds(tokens, "D00004"));
}

static void test_refused(void **state) {
        static const struct {
                const char *text;
                size_t size;
                const char *message;
        } cases[] = {
                { BYTES(""), "no header" },
                { BYTES("id,number,secret\nA00001,1,2\n"), "column 3 is not in the schema" },
                { BYTES("id,number,note\nA00001,1\n"), "line 2" },
                { BYTES("id,number,note\n\"A00001,1,2\n"), "quote" },
                { BYTES("id,number,note\nA0\0001,1,2\n"), "NUL" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;
                struct gbx_error err = {};

                assert_int_equal(gbx_tokens_new(&tokens, NULL), 0);
                if (read_text(cases[i].text, cases[i].size, tokens, &err) >= 0)
                        fail_msg("case %zu was read", i);
                if (!strstr(err.message, cases[i].message))
                        fail_msg("case %zu: '%s'", i, err.message);
                assert_int_equal(gbx_tokens_count(tokens), 0);
        }
}

/* What a reader that was taken over could send. */
static void test_import(void **state) {
        static const uint64_t good[] = { 1 << 6, 11, 22 };
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;
        gbx_auto(gbx_free_pointer) uint64_t *large = calloc(GBX_TOKENS_MAX + 2, sizeof(uint64_t));

        (void)state;
        assert_int_equal(gbx_tokens_new(&tokens, NULL), 0);
        assert_int_equal(gbx_tokens_import(tokens, good, 0, NULL), -EINVAL);
        assert_int_equal(gbx_tokens_import(tokens, good, 7, NULL), -EINVAL);
        assert_int_equal(gbx_tokens_import(tokens, good, 17, NULL), -EINVAL);
        assert_int_equal(gbx_tokens_import(tokens, large, (GBX_TOKENS_MAX + 2) * sizeof(uint64_t), NULL), -E2BIG);
        assert_int_equal(gbx_tokens_count(tokens), 0);
        assert_int_equal(gbx_tokens_import(tokens, good, sizeof good, NULL), 0);
        assert_int_equal(gbx_tokens_count(tokens), 2);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_two_files), cmocka_unit_test(test_refused), cmocka_unit_test(test_import) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
