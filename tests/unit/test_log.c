/* gateway/log: appending, checkpoints, reading, sharing, recovery */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "gateway/log/format/proof.h"
#include "gateway/log/verify/verify.h"
#include "tests/unit/log_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

static bool exists(struct fixture *f, const char *name) {
        char path[160];

        (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
        return access(path, F_OK) == 0;
}

static void a_log_is_made_once(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};

        assert_non_null(log);
        assert_int_equal(gbx_log_size(log), 0);
        assert_int_equal(gbx_log_message(log, &message, NULL), 0);
        assert_non_null(strstr(gbx_buffer_text(&message), "test.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"));
        assert_int_equal(gbx_log_create(AT_FDCWD, f->path, NULL, &f->signer, NULL), -EEXIST);
}

static void entries_are_read_back_before_and_after_a_checkpoint(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);
        uint64_t size = 0;

        assert_int_equal(fixture_fill(log, 0, 300), 0);
        assert_int_equal(gbx_log_size(log), 300);
        assert_int_equal(gbx_log_covered(log), 0);
        assert_true(fixture_holds(log, 299));
        assert_int_equal(gbx_log_checkpoint(log, &size, NULL), 0);
        assert_int_equal(size, 300);
        assert_int_equal(fixture_fill(log, 300, 600), 0);
        assert_int_equal(gbx_log_covered(log), 300);
        for (uint64_t i = 0; i < 600; i++)
                assert_true(fixture_holds(log, i));
        assert_false(fixture_holds(log, 600));
        log = gbx_log_free(log);
        log = fixture_open(f);
        assert_int_equal(gbx_log_size(log), 600);
        assert_int_equal(gbx_log_covered(log), 300);
        for (uint64_t i = 0; i < 600; i++)
                assert_true(fixture_holds(log, i));
}

static int count_entry(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        uint64_t *next = context;
        char entry[512];

        (void)err;
        if (index != *next || size != fixture_entry(index, entry) || memcmp(data, entry, size) != 0)
                return -EILSEQ;
        (*next)++;
        return index == 620 ? 7 : 0;
}

static void a_walk_crosses_from_tree_to_journal(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);
        uint64_t next = 100;

        assert_int_equal(fixture_fill(log, 0, 520), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        assert_int_equal(fixture_fill(log, 520, 620), 0);
        assert_int_equal(gbx_log_each(log, 100, count_entry, &next, NULL), 0);
        assert_int_equal(next, 620);
        assert_int_equal(fixture_fill(log, 620, 630), 0);
        next = 600;
        assert_int_equal(gbx_log_each(log, 600, count_entry, &next, NULL), 7);
}

/* However checkpoints fall, the same entries give the same tree; Ed25519 gives the same bytes. */
static void checkpoints_do_not_change_the_tree(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer one = {}, other = {};
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);

        assert_int_equal(fixture_fill(log, 0, 700), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        assert_int_equal(gbx_log_message(log, &one, NULL), 0);
        log = gbx_log_free(log);
        remove_tree(f->path);
        log = fixture_create(f);
        for (uint64_t i = 0; i < 700; i += 23) {
                assert_int_equal(fixture_fill(log, i, i + 23 > 700 ? 700 : i + 23), 0);
                assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        }
        assert_int_equal(gbx_log_message(log, &other, NULL), 0);
        assert_string_equal(gbx_buffer_text(&one), gbx_buffer_text(&other));
}

static void partial_tiles_go_when_the_full_one_is_there(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);

        assert_int_equal(fixture_fill(log, 0, 10), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        assert_true(exists(f, "tile/0/000.p/10"));
        assert_true(exists(f, "tile/entries/000.p/10"));
        assert_int_equal(fixture_fill(log, 10, 300), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        assert_false(exists(f, "tile/0/000.p"));
        assert_false(exists(f, "tile/entries/000.p"));
        assert_true(exists(f, "tile/0/000"));
        assert_true(exists(f, "tile/0/001.p/44"));
        assert_true(exists(f, "tile/1/000.p/1"));
        for (uint64_t i = 0; i < 300; i++)
                assert_true(fixture_holds(log, i));
}

static void proofs_verify_offline(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);
        gbx_auto(gbx_buffer_free) struct gbx_buffer unused = {};

        assert_int_equal(fixture_fill(log, 0, 300), 0);
        assert_int_equal(gbx_log_prove(log, 7, &unused, NULL), -EINVAL); /* not covered yet */
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        for (uint64_t i = 0; i < 300; i += 13) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
                struct gbx_proof proof;
                char entry[512];
                size_t size = fixture_entry(i, entry);

                assert_int_equal(gbx_log_prove(log, i, &text, NULL), 0);
                assert_int_equal(gbx_proof_parse(gbx_buffer_text(&text), text.size, &proof, NULL), 0);
                assert_int_equal(gbx_proof_verify(&proof, entry, size, &f->signer.verifier, NULL, NULL, NULL), 0);
                entry[0] ^= 1;
                assert_int_equal(gbx_proof_verify(&proof, entry, size + (size == 0), &f->signer.verifier, NULL, NULL, NULL), -EBADMSG);
        }
}

static void two_handles_share_one_log(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *one = fixture_create(f), *two = fixture_open(f);
        uint64_t size;

        for (uint64_t i = 0; i < 400; i++) {
                assert_int_equal(fixture_fill(i % 3 ? one : two, i, i + 1), 0);
                if (i % 50 == 7)
                        assert_int_equal(gbx_log_checkpoint(i % 4 ? two : one, NULL, NULL), 0);
        }
        assert_int_equal(gbx_log_refresh(two, NULL), 0);
        assert_int_equal(gbx_log_size(two), 400);
        assert_int_equal(gbx_log_checkpoint(two, &size, NULL), 0);
        assert_int_equal(size, 400);
        for (uint64_t i = 0; i < 400; i++)
                assert_true(fixture_holds(one, i));
}

enum { WRITERS = 32, EACH = 60 };

struct writer {
        struct gbx_log *log;
        unsigned number;
        uint64_t indexes[EACH];
        int result;
};

static void *write_entries(void *argument) {
        struct writer *writer = argument;

        for (unsigned i = 0; i < EACH && writer->result == 0; i++) {
                char entry[64];
                int size = snprintf(entry, sizeof entry, "writer %u entry %u", writer->number, i);

                writer->result = gbx_log_append(writer->log, entry, (size_t)size, &writer->indexes[i], NULL);
                if (i % 20 == 19 && writer->number % 8 == 0)
                        writer->result = gbx_log_checkpoint(writer->log, NULL, NULL);
        }
        return NULL;
}

/* Threads share handles, handles share the directory: no entry is lost, doubled, or given another's number. */
static void many_writers_lose_nothing(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *one = fixture_create(f), *two = fixture_open(f);
        static struct writer writers[WRITERS];
        pthread_t threads[WRITERS];

        for (unsigned i = 0; i < WRITERS; i++) {
                writers[i] = (struct writer){ .log = i % 2 ? one : two, .number = i };
                assert_int_equal(pthread_create(&threads[i], NULL, write_entries, &writers[i]), 0);
        }
        for (unsigned i = 0; i < WRITERS; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(gbx_log_refresh(one, NULL), 0);
        assert_int_equal(gbx_log_size(one), WRITERS * EACH);
        for (unsigned i = 0; i < WRITERS; i++) {
                assert_int_equal(writers[i].result, 0);
                for (unsigned k = 0; k < EACH; k++) {
                        gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};
                        char entry[64];

                        (void)snprintf(entry, sizeof entry, "writer %u entry %u", i, k);
                        assert_int_equal(gbx_log_read(one, writers[i].indexes[k], &found, NULL), 0);
                        assert_string_equal(gbx_buffer_text(&found), entry);
                        assert_true(k == 0 || writers[i].indexes[k] > writers[i].indexes[k - 1]);
                }
        }
}

struct growing {
        struct gbx_log *log;
        _Atomic bool done;
        int result;
};

static void *grow(void *argument) {
        struct growing *growing = argument;

        for (uint64_t i = 0; i < 1200 && growing->result == 0; i += 3) {
                growing->result = fixture_fill(growing->log, i, i + 3);
                if (growing->result == 0)
                        growing->result = gbx_log_checkpoint(growing->log, NULL, NULL);
        }
        atomic_store(&growing->done, true);
        return NULL;
}

/* Partial tiles come and go under the verifier's hands; it never sees damage, and every size that it sees is right. */
static void a_log_in_use_can_be_verified(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);
        struct growing growing = { .log = log };
        struct gbx_verify_options options = { .verifier = f->signer.verifier };
        struct gbx_verify_report report;
        struct gbx_error err = {};
        unsigned rounds = 0;
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, grow, &growing), 0);
        do {
                if (gbx_log_verify(AT_FDCWD, f->path, &options, &report, &err) < 0) {
                        atomic_store(&growing.done, true);
                        fail_msg("at %llu entries: %s", (unsigned long long)report.checkpoint.size, err.message);
                }
                rounds++;
        } while (!atomic_load(&growing.done));
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(growing.result, 0);
        assert_true(rounds > 3);
}

static void several_entries_stand_side_by_side(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *log = fixture_create(f);
        struct gbx_bytes entries[] = { { "one", 3 }, { "", 0 }, { "three", 5 } };
        gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};
        static char large[GBX_MERKLE_PROOF_MAX * 2000];
        uint64_t first = 99;

        assert_int_equal(gbx_log_append_many(log, entries, 3, &first, NULL), 0);
        assert_int_equal(first, 0);
        assert_int_equal(gbx_log_read(log, 2, &found, NULL), 0);
        assert_string_equal(gbx_buffer_text(&found), "three");
        assert_int_equal(gbx_log_append_many(log, entries, 0, &first, NULL), -EINVAL);
        assert_int_equal(gbx_log_append(log, large, 65535, NULL, NULL), 0);
        assert_int_equal(gbx_log_append(log, large, 65536, NULL, NULL), -EMSGSIZE);
        assert_int_equal(gbx_log_size(log), 4);
}

static void another_key_or_origin_is_refused(void **state) {
        struct fixture *f = *state;
        gbx_auto(gbx_log_freep) struct gbx_log *made = fixture_create(f), *other = NULL;
        struct gbx_note_signer stranger;
        struct gbx_error err = {};

        assert_non_null(made);
        assert_int_equal(gbx_note_signer_generate("test.example/log", GBX_NOTE_ED25519, &stranger, NULL), 0);
        assert_int_equal(gbx_log_open(&other, AT_FDCWD, f->path, NULL, &stranger, NULL, &err), -EBADMSG);
        assert_int_equal(gbx_log_open(&other, AT_FDCWD, f->path, "else", &f->signer, NULL, &err), -EBADMSG);
        assert_int_equal(gbx_log_open(&other, AT_FDCWD, "/nonexistent", NULL, &f->signer, NULL, &err), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_log_is_made_once),
                TEST(entries_are_read_back_before_and_after_a_checkpoint),
                TEST(a_walk_crosses_from_tree_to_journal),
                TEST(checkpoints_do_not_change_the_tree),
                TEST(partial_tiles_go_when_the_full_one_is_there),
                TEST(proofs_verify_offline),
                TEST(two_handles_share_one_log),
                TEST(many_writers_lose_nothing),
                TEST(a_log_in_use_can_be_verified),
                TEST(several_entries_stand_side_by_side),
                TEST(another_key_or_origin_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
