/* gateway/log: every alteration of a log of 1,000 entries is found, and the right entry named */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "gateway/log/format/tile.h"
#include "gateway/log/verify/verify.h"
#include "tests/unit/log_fixture.h"

#include <fts.h>
#include <sys/stat.h>

enum { ENTRIES = 1000, FILES_MAX = 64, FLIPS = 24 };

struct file {
        char path[80]; /* within the log */
        struct gbx_buffer content;
        int level;     /* of a tile; GBX_TILE_ENTRIES: a bundle; -2: neither */
        uint64_t index;
};

static struct file files[FILES_MAX];
static size_t file_count;
static struct gbx_buffer newest; /* the checkpoint that an auditor kept */
static uint32_t dice = 2463534242U;

static uint32_t roll(uint32_t sides) {
        dice ^= dice << 13;
        dice ^= dice >> 17;
        dice ^= dice << 5;
        return dice % sides;
}

static void keep(struct fixture *f, const char *path) {
        struct file *file = &files[file_count++];
        char kind[16];
        unsigned number;

        assert_true(file_count <= FILES_MAX);
        (void)snprintf(file->path, sizeof file->path, "%s", path + strlen(f->path) + 1);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 24, &file->content, NULL), 0);
        file->level = -2;
        if (sscanf(file->path, "tile/%15[^/]/%u", kind, &number) == 2) {
                file->level = strcmp(kind, "entries") == 0 ? GBX_TILE_ENTRIES : atoi(kind);
                file->index = number;
        }
}

/* A log with several checkpoints, among its files superseded partial tiles; all files are remembered. */
static int setup(void **state) {
        static const uint64_t checkpoints[] = { 3, 100, 256, 257, 700, 950, ENTRIES };
        struct gbx_log_options options = { .keep_partials = true };
        struct gbx_log *log = NULL;
        struct fixture *f;
        uint64_t done = 0;
        FTS *walk;
        FTSENT *file;

        if (fixture_setup(state) < 0)
                return -1;
        f = *state;
        if (gbx_log_create(AT_FDCWD, f->path, NULL, &f->signer, NULL) < 0 ||
            gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, &options, NULL) < 0)
                return -1;
        for (size_t i = 0; i < gbx_array_size(checkpoints); done = checkpoints[i++])
                if (fixture_fill(log, done, checkpoints[i]) < 0 || gbx_log_checkpoint(log, NULL, NULL) < 0)
                        return -1;
        if (gbx_log_message(log, &newest, NULL) < 0)
                return -1;
        gbx_log_free(log);
        walk = fts_open((char *[]){ f->path, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        while (walk && (file = fts_read(walk)))
                if (file->fts_info == FTS_F && strcmp(file->fts_name, "lock") != 0)
                        keep(f, file->fts_path);
        return walk ? fts_close(walk) : -1;
}

static int teardown(void **state) {
        for (size_t i = 0; i < file_count; i++)
                gbx_buffer_free(&files[i].content);
        gbx_buffer_free(&newest);
        return fixture_teardown(state);
}

static void full_path(struct fixture *f, const struct file *file, char ret[static 200]) {
        (void)snprintf(ret, 200, "%.80s/%.80s", f->path, file->path);
}

static void put(struct fixture *f, const struct file *file, const void *data, size_t size) {
        char path[200];
        FILE *out;

        full_path(f, file, path);
        out = fopen(path, "we");
        assert_non_null(out);
        assert_int_equal(fwrite(data, 1, size, out), size);
        assert_int_equal(fclose(out), 0);
}

static void restore(struct fixture *f, const struct file *file) { put(f, file, file->content.data, file->content.size); }

static int verify(struct fixture *f, struct gbx_verify_report *report, struct gbx_error *err) {
        struct gbx_verify_options options = { .verifier = f->signer.verifier };

        return gbx_log_verify(AT_FDCWD, f->path, &options, report, err);
}

/* A visitor: what is given out must be what fixture_fill put there. */
static int expect_true_entry(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        char entry[512];

        (void)err;
        if (size != fixture_entry(index, entry) || (size > 0 && memcmp(data, entry, size) != 0))
                fail_msg("entry %llu was given out altered", (unsigned long long)index);
        *(uint64_t *)context = index + 1;
        return 0;
}

/* Whoever reads through the log gets true entries alone, and -EBADMSG at the first that is not there as it was: by the
 * walk, one by one in falling order, and by a checkpoint that would carry old entries on. */
static void expect_no_false_entry(struct fixture *f, const struct file *file, uint64_t first, uint64_t last, const char *what) {
        bool in_force = file->level != -2 && (!strstr(file->path, ".p/") || strstr(file->path, "/232") || strstr(file->path, "1/000.p/3"));
        struct gbx_error err = {};
        struct gbx_log *log = NULL;
        uint64_t next = 0;
        int r = gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, NULL, &err);

        if (r < 0) { /* the right edge itself was altered */
                assert_int_equal(r, -EBADMSG);
                return;
        }
        r = gbx_log_each(log, 0, expect_true_entry, &next, &err);
        if (r != (in_force ? -EBADMSG : 0))
                fail_msg("%s of %s: the walk gave %d at entry %llu: %s", what, file->path, r, (unsigned long long)next, err.message);
        if (in_force && file->level == GBX_TILE_ENTRIES && (next < first / GBX_TILE_WIDTH * GBX_TILE_WIDTH || next > last))
                fail_msg("%s of %s: the walk stopped at entry %llu: %s", what, file->path, (unsigned long long)next, err.message);
        for (uint64_t i = ENTRIES; i > 0; i -= 1 + i / 64) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer entry = {};
                char number[40];

                r = gbx_log_read_proven(log, i - 1, &entry, &err);
                (void)snprintf(number, sizeof number, "entry %llu", (unsigned long long)i - 1);
                if (r == 0)
                        (void)expect_true_entry(&next, i - 1, entry.data, entry.size, NULL);
                else if (r != -EBADMSG || !strstr(err.message, number) || !in_force)
                        fail_msg("%s of %s: entry %llu: %d: %s", what, file->path, (unsigned long long)i - 1, r, err.message);
        }
        gbx_log_free(log);
}

/* Whether the tampering shows: to whoever verifies, or, in the part that only the site has, when the log is opened.
 * The tampered file must be named, and an entry of [first, last]. */
static void expect_found(struct fixture *f, const struct file *file, uint64_t first, uint64_t last, const char *what) {
        struct gbx_verify_report report;
        struct gbx_error err = {};
        struct gbx_log *log = NULL;

        if (strcmp(file->path, ".state/journal") == 0) {
                if (gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, NULL, &err) != -EBADMSG)
                        fail_msg("%s of %s: the log opens all the same", what, file->path);
                return;
        }
        if (file->level != -2) /* opening mends a checkpoint that is missing */
                expect_no_false_entry(f, file, first, last, what);
        if (verify(f, &report, &err) != -EBADMSG)
                fail_msg("%s of %s was not found: %s", what, file->path, err.message);
        if (file->level == -2) {
                if (!report.bad_path[0])
                        fail_msg("%s of %s: no file is named: %s", what, file->path, err.message);
        } else if (!report.bad_entry || report.bad_first < first || report.bad_first > last ||
                   (!strstr(err.message, file->path) && !strstr(err.message, report.bad_path))) {
                fail_msg("%s of %s: expected entry %llu to %llu, got %llu: %s", what, file->path, (unsigned long long)first,
                         (unsigned long long)last, (unsigned long long)report.bad_first, err.message);
        }
}

/* The entry that byte `offset` of a file belongs to. */
static uint64_t entry_at(const struct file *file, size_t offset) {
        struct gbx_bytes rest = { file->content.data, file->content.size }, entry;
        uint64_t number = file->index * GBX_TILE_WIDTH;

        if (file->level >= 0)
                return (number + offset / GBX_SHA256_SIZE) << (8 * file->level);
        while (gbx_bundle_next(&rest, &entry, NULL) > 0 && file->content.size - rest.size <= offset)
                number++;
        return number;
}

static void an_unaltered_log_verifies(void **state) {
        struct fixture *f = *state;
        struct gbx_verify_report report;
        struct gbx_error err = {};
        int r = verify(f, &report, &err);

        if (r < 0)
                fail_msg("%s", err.message);
        assert_int_equal(report.entries, ENTRIES);
        assert_true(file_count > 20);
}

static void flipped_bytes_are_found(void **state) {
        struct fixture *f = *state;

        for (size_t i = 0; i < file_count; i++) {
                for (unsigned k = 0; k < FLIPS; k++) {
                        size_t place = k == 0 ? 0 : k == 1 ? files[i].content.size - 1 : roll((uint32_t)files[i].content.size);
                        uint8_t *byte = files[i].content.data + place, saved = *byte;
                        uint64_t entry = entry_at(&files[i], place);

                        *byte ^= (uint8_t)(1 << roll(8));
                        restore(f, &files[i]);
                        expect_found(f, &files[i], entry, entry, "a flipped byte");
                        *byte = saved;
                }
                restore(f, &files[i]);
        }
}

static void removed_and_cut_files_are_found(void **state) {
        struct fixture *f = *state;

        for (size_t i = 0; i < file_count; i++) {
                struct file *file = &files[i];
                uint64_t first = entry_at(file, 0), last = file->level == -2 ? 0 : entry_at(file, file->content.size - 1);
                size_t cuts[] = { 0, 1, file->content.size / 2, file->content.size - 1 };
                char path[200];

                for (size_t k = 0; k < gbx_array_size(cuts); k++) {
                        put(f, file, file->content.data, cuts[k]);
                        expect_found(f, file, first, last, "a cut");
                }
                put(f, file, file->content.data, file->content.size + 1); /* the zero byte behind it */
                if (strcmp(file->path, ".state/journal") != 0)            /* whose torn end is cut off again */
                        expect_found(f, file, first, last + 1, "an added byte");
                full_path(f, file, path);
                assert_int_equal(unlink(path), 0);
                if (!strstr(file->path, ".p/") || strstr(file->path, "/232") || strstr(file->path, "1/000.p/3"))
                        if (strcmp(file->path, ".state/state") != 0) /* without it, the directory is a public copy */
                                expect_found(f, file, first, last, "removal");
                restore(f, file);
        }
}

/* The log's state gone: nothing can be appended. */
static void a_log_without_its_state_does_not_open(void **state) {
        struct fixture *f = *state;
        struct gbx_log *log = NULL;
        char path[200], away[200];

        (void)snprintf(path, sizeof path, "%s/.state/state", f->path);
        (void)snprintf(away, sizeof away, "%s/.state/away", f->path);
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, NULL, NULL), -EBADMSG);
        assert_int_equal(rename(away, path), 0);
}

/* Rebuilds a bundle from its entries in the given order; `count` may be larger or smaller than it was. */
static void put_entries(struct fixture *f, const struct file *file, const struct gbx_bytes *entries, size_t count) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bundle = {};

        for (size_t i = 0; i < count; i++) {
                uint8_t length[2] = { (uint8_t)(entries[i].size >> 8), (uint8_t)entries[i].size };

                assert_int_equal(gbx_buffer_append(&bundle, length, 2, NULL), 0);
                assert_int_equal(gbx_buffer_append(&bundle, entries[i].data, entries[i].size, NULL), 0);
        }
        put(f, file, bundle.data, bundle.size);
}

static void moved_entries_are_found(void **state) {
        struct fixture *f = *state;

        for (size_t i = 0; i < file_count; i++) {
                struct gbx_bytes entries[GBX_TILE_WIDTH + 1], changed[GBX_TILE_WIDTH + 1];
                struct gbx_bytes rest = { files[i].content.data, files[i].content.size };
                uint64_t base = files[i].index * GBX_TILE_WIDTH;
                unsigned count = 0;

                if (files[i].level != GBX_TILE_ENTRIES)
                        continue;
                while (gbx_bundle_next(&rest, &entries[count], NULL) > 0)
                        count++;
                for (unsigned k = 0; k < 12 && count > 1; k++) {
                        unsigned a = roll(count - 1), b = a + 1 + roll(count - a - 1);
                        struct gbx_bytes other = { "an entry that never was", 23 };

                        memcpy(changed, entries, sizeof changed); /* swapped */
                        changed[a] = entries[b];
                        changed[b] = entries[a];
                        put_entries(f, &files[i], changed, count);
                        expect_found(f, &files[i], base + a, base + a, "a swap");

                        memcpy(changed + a, entries + a + 1, (count - a - 1) * sizeof *changed); /* deleted */
                        memcpy(changed, entries, a * sizeof *changed);
                        put_entries(f, &files[i], changed, count - 1);
                        expect_found(f, &files[i], base + a, base + a, "a deletion");

                        memcpy(changed, entries, b * sizeof *changed); /* inserted */
                        changed[b] = other;
                        memcpy(changed + b + 1, entries + b, (count - b) * sizeof *changed);
                        put_entries(f, &files[i], changed, count + 1);
                        expect_found(f, &files[i], base + b, base + b, "an insertion");

                        memcpy(changed, entries, sizeof changed); /* replaced */
                        changed[b] = other;
                        put_entries(f, &files[i], changed, count);
                        expect_found(f, &files[i], base + b, base + b, "a replacement");
                }
                restore(f, &files[i]);
        }
}

/* Somebody without the key rewrites an entry and every hash that depends on it: only the root tells. */
static void a_consistent_forgery_without_the_key_is_found(void **state) {
        struct fixture *f = *state;
        char forged[96], command[400];
        struct gbx_log *log = NULL;
        struct gbx_note_signer stranger;
        struct gbx_verify_report report;
        struct gbx_error err = {};
        struct gbx_verify_options options = { .verifier = f->signer.verifier };
        int r;

        (void)snprintf(forged, sizeof forged, "%s/forged", f->directory);
        assert_int_equal(gbx_note_signer_generate("test.example/log", GBX_NOTE_ED25519, &stranger, NULL), 0);
        assert_int_equal(gbx_log_create(AT_FDCWD, forged, NULL, &stranger, NULL), 0);
        assert_int_equal(gbx_log_open(&log, AT_FDCWD, forged, NULL, &stranger, NULL, NULL), 0);
        assert_int_equal(fixture_fill(log, 0, 500), 0);
        assert_int_equal(gbx_log_append(log, "forged", 6, NULL, NULL), 0);
        assert_int_equal(fixture_fill(log, 501, ENTRIES), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        gbx_log_free(log);
        assert_int_equal(gbx_log_verify(AT_FDCWD, forged, &options, &report, &err), -EBADMSG); /* signed by a stranger */
        (void)snprintf(command, sizeof command, "rm -rf %s/.state && cp %s/checkpoint %s/checkpoint", forged, f->path, forged);
        assert_int_equal(system(command), 0);
        r = gbx_log_verify(AT_FDCWD, forged, &options, &report, &err); /* the true checkpoint over forged tiles */
        assert_int_equal(r, -EBADMSG);
        assert_true(report.bad_entry && report.bad_first <= 500 && report.bad_last >= 500);
}

/* The whole log is put back to an earlier, well signed state: a kept checkpoint tells. */
static void a_rollback_is_found_by_a_kept_checkpoint(void **state) {
        struct fixture *f = *state;
        char old[96];
        struct gbx_log *log = NULL;
        struct gbx_verify_report report;
        struct gbx_error err = {};
        struct gbx_verify_options options = { .verifier = f->signer.verifier };

        (void)snprintf(old, sizeof old, "%s/old", f->directory);
        assert_int_equal(gbx_log_create(AT_FDCWD, old, NULL, &f->signer, NULL), 0);
        assert_int_equal(gbx_log_open(&log, AT_FDCWD, old, NULL, &f->signer, NULL, NULL), 0);
        assert_int_equal(fixture_fill(log, 0, 700), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        assert_int_equal(gbx_log_verify(AT_FDCWD, old, &options, &report, &err), 0); /* an older copy is a good log... */
        options.against = gbx_buffer_text(&newest);
        options.against_size = newest.size;
        assert_int_equal(gbx_log_verify(AT_FDCWD, old, &options, &report, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "put back"));
        assert_int_equal(gbx_log_append(log, "another history", 15, NULL, NULL), 0); /* ...and a fork is signed too */
        assert_int_equal(fixture_fill(log, 701, 1100), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        gbx_log_free(log);
        assert_int_equal(gbx_log_verify(AT_FDCWD, old, &options, &report, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "another history"));
        assert_int_equal(gbx_log_verify(AT_FDCWD, f->path, &options, &report, &err), 0);
        assert_int_equal(report.against.size, ENTRIES);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_unaltered_log_verifies),
                cmocka_unit_test(flipped_bytes_are_found),
                cmocka_unit_test(removed_and_cut_files_are_found),
                cmocka_unit_test(a_log_without_its_state_does_not_open),
                cmocka_unit_test(moved_entries_are_found),
                cmocka_unit_test(a_consistent_forgery_without_the_key_is_found),
                cmocka_unit_test(a_rollback_is_found_by_a_kept_checkpoint),
                cmocka_unit_test(an_unaltered_log_verifies), /* every file is as it was */
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
