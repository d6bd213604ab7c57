/* gateway/log: entries are read with their proof, by processes that were there before an alteration too, and cheaply */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "gateway/log/format/proven.h"
#include "tests/unit/log_fixture.h"

#include <sys/stat.h>

static void change_byte(struct fixture *f, const char *name, size_t place) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};
        char path[200];
        int fd;

        (void)snprintf(path, sizeof path, "%.80s/%.80s", f->path, name);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 24, &content, NULL), 0);
        assert_true(place < content.size);
        content.data[place] ^= 1;
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, content.data, content.size, 0), content.size);
        close(fd);
}

/* As fixture_fill from 0 on, 500 entries a flush. */
static int fill_fast(struct gbx_log *log, uint64_t end) {
        static char texts[500][512];
        struct gbx_bytes entries[500];

        for (uint64_t i = 0; i < end; i += 500) {
                int r;

                for (size_t k = 0; k < 500; k++)
                        entries[k] = (struct gbx_bytes){ texts[k], fixture_entry(i + k, texts[k]) };
                r = gbx_log_append_many(log, entries, 500, NULL, NULL);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int nothing(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        (void)data, (void)size, (void)err;
        *(uint64_t *)context = index + 1;
        return 0;
}

static void expect_bad(struct gbx_log *log, uint64_t index) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};
        struct gbx_error err = {};
        char number[40];

        (void)snprintf(number, sizeof number, "entry %llu", (unsigned long long)index);
        assert_int_equal(gbx_log_read_proven(log, index, &found, &err), -EBADMSG);
        if (!strstr(err.message, number))
                fail_msg("the message does not name %s: %s", number, err.message);
        assert_int_equal(found.size, 0);
}

static void an_open_log_notices_edits_of_bundles_and_tiles(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = fixture_create(f), *fresh;
        uint64_t next = 0;

        assert_int_equal(fixture_fill(log, 0, 700), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        for (uint64_t i = 0; i < 700; i++)
                assert_true(fixture_holds(log, i));
        change_byte(f, "tile/entries/000", 2); /* the first byte of entry 0 */
        assert_true(fixture_holds(log, 699));  /* another bundle: now the altered one is read anew */
        expect_bad(log, 0);
        assert_true(fixture_holds(log, 255));
        assert_int_equal(gbx_log_each(log, 0, nothing, &next, NULL), -EBADMSG);
        assert_int_equal(next, 0);
        assert_int_equal(gbx_log_each(log, 1, nothing, &next, NULL), 0);
        assert_int_equal(next, 700);
        change_byte(f, "tile/entries/000", 2);

        change_byte(f, "tile/0/001", 5); /* of the leaf hash of entry 256; this process has proven it before */
        assert_true(fixture_holds(log, 256));
        fresh = fixture_open(f);
        expect_bad(fresh, 256);
        expect_bad(fresh, 511); /* the tile as a whole is not the one under the root */
        assert_true(fixture_holds(fresh, 255));
        gbx_log_free(fresh);
        gbx_log_free(log);
}

/* Tile and bundle rewritten together, consistent with each other and not with the root. */
static void a_forged_entry_with_its_hash_is_refused(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = fixture_create(f);
        char path[200], bundle[2 + 5];
        struct gbx_hash leaf;
        int fd;

        assert_int_equal(gbx_log_append(log, "first", 5, NULL, NULL), 0);
        assert_int_equal(fixture_fill(log, 1, 300), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        memcpy(bundle, "\0\5FIRST", sizeof bundle);
        (void)snprintf(path, sizeof path, "%s/tile/entries/000", f->path);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, bundle, sizeof bundle, 0), sizeof bundle);
        close(fd);
        gbx_merkle_leaf("FIRST", 5, &leaf);
        (void)snprintf(path, sizeof path, "%s/tile/0/000", f->path);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, &leaf, sizeof leaf, 0), sizeof leaf);
        close(fd);
        expect_bad(log, 0);
        gbx_log_free(log);
        log = fixture_open(f);
        expect_bad(log, 0);
        gbx_log_free(log);
}

/* An entry altered in the bundle at the right edge is not carried into the next, larger bundle. */
static void a_checkpoint_does_not_carry_an_edit_on(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = fixture_create(f);
        struct gbx_error err = {};

        assert_int_equal(fixture_fill(log, 0, 20), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        gbx_log_free(log);
        change_byte(f, "tile/entries/000.p/20", 2);
        log = fixture_open(f);
        assert_int_equal(fixture_fill(log, 20, 40), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "entry 0 "));
        change_byte(f, "tile/entries/000.p/20", 2);
        assert_int_equal(gbx_log_checkpoint(log, NULL, &err), 0);
        for (uint64_t i = 0; i < 40; i++)
                assert_true(fixture_holds(log, i));
        gbx_log_free(log);
}

static void a_frame_altered_after_it_was_read_is_noticed(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = fixture_create(f);
        char path[200];
        struct stat status;

        assert_int_equal(fixture_fill(log, 0, 9), 0);
        for (uint64_t i = 0; i < 9; i++)
                assert_true(fixture_holds(log, i));
        (void)snprintf(path, sizeof path, "%s/.state/journal", f->path);
        assert_int_equal(stat(path, &status), 0);
        change_byte(f, ".state/journal", (size_t)status.st_size - 3); /* of entry 8 */
        assert_true(fixture_holds(log, 0));
        expect_bad(log, 8);
        gbx_log_free(log);
}

/* What was proven is remembered: without the tiles a second walk is as good as the first. */
static void proven_tiles_are_not_read_again(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = fixture_create(f);
        char path[200];

        assert_int_equal(fixture_fill(log, 0, 3000), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        for (uint64_t i = 0; i < 3000; i += 100)
                assert_true(fixture_holds(log, i));
        (void)snprintf(path, sizeof path, "%s/tile/0", f->path);
        remove_tree(path);
        (void)snprintf(path, sizeof path, "%s/tile/1", f->path);
        remove_tree(path);
        for (uint64_t i = 0; i < 3000; i++)
                assert_true(fixture_holds(log, i));
        gbx_log_free(log);
}

/* A process that knows one history refuses another one of the same key: a rollback that was continued. */
static void another_history_under_the_same_key_is_refused(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = fixture_create(f), *other;
        char command[400];
        struct gbx_error err = {};

        assert_int_equal(fixture_fill(log, 0, 10), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        (void)snprintf(command, sizeof command, "cp -r '%s' '%s/old'", f->path, f->directory);
        assert_int_equal(system(command), 0);
        assert_int_equal(fixture_fill(log, 10, 20), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        (void)snprintf(command, sizeof command, "cd '%s' && mv log new && mv old log", f->directory);
        assert_int_equal(system(command), 0);
        other = fixture_open(f);
        for (int i = 0; i < 15; i++)
                assert_int_equal(gbx_log_append(other, "another history", 15, NULL, NULL), 0);
        assert_int_equal(gbx_log_checkpoint(other, NULL, NULL), 0);
        gbx_log_free(other);
        (void)snprintf(command, sizeof command, "cd '%s' && cp -r log/tile log/checkpoint new/ && cp log/.state/state log/.state/journal new/.state/",
                       f->directory);
        assert_int_equal(system(command), 0);
        assert_int_equal(gbx_log_refresh(log, &err), -EBADMSG);
        gbx_log_free(log);
}

/* For whoever has a checkpoint and a copy of the directory, no key. */
static void a_public_copy_is_read_with_proof(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = fixture_create(f);
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        struct gbx_checkpoint checkpoint;
        struct gbx_tree *tree = NULL;
        struct gbx_proven *proven = NULL;
        struct gbx_bytes entry;

        assert_int_equal(fill_fast(log, 66000), 0); /* three levels of tiles */
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        assert_int_equal(gbx_log_message(log, &message, NULL), 0);
        gbx_log_free(log);
        assert_int_equal(gbx_checkpoint_open(gbx_buffer_text(&message), message.size, &f->signer.verifier, NULL, &checkpoint, NULL), 0);
        assert_int_equal(gbx_tree_open(&tree, AT_FDCWD, f->path, NULL), 0);
        assert_int_equal(gbx_proven_new(&proven, tree, NULL), 0);
        assert_int_equal(gbx_proven_entry(proven, 0, &entry, NULL), -EINVAL); /* nothing is trusted yet */
        assert_int_equal(gbx_proven_trust_checkpoint(proven, &checkpoint, NULL), 0);
        for (uint64_t i = 0; i < 66000; i += 61) {
                char expected[512];

                assert_int_equal(gbx_proven_entry(proven, i, &entry, NULL), 0);
                assert_int_equal(entry.size, fixture_entry(i, expected));
                assert_memory_equal(entry.data, expected, entry.size);
        }
        assert_int_equal(gbx_proven_entry(proven, 66000, &entry, NULL), -EINVAL);
        checkpoint.root.bytes[0] ^= 1;
        assert_int_equal(gbx_proven_trust_checkpoint(proven, &checkpoint, NULL), -EBADMSG);
        gbx_proven_free(proven);
        gbx_tree_free(tree);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                TEST(an_open_log_notices_edits_of_bundles_and_tiles),
                TEST(a_forged_entry_with_its_hash_is_refused),
                TEST(a_checkpoint_does_not_carry_an_edit_on),
                TEST(a_frame_altered_after_it_was_read_is_noticed),
                TEST(proven_tiles_are_not_read_again),
                TEST(another_history_under_the_same_key_is_refused),
                TEST(a_public_copy_is_read_with_proof),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
