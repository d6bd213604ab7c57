/* gateway/log: entries that no checkpoint covers yet cannot be added, changed, removed or moved without the log's key */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "gateway/log/writer/journal_frame.h"
#include "tests/unit/log_fixture.h"

#include <endian.h>

enum { COVERED = 5, ENTRIES = 13, FRAMES = ENTRIES };

struct scene {
        struct fixture *f;
        char path[160]; /* of the journal */
        struct gbx_buffer journal;
        size_t frames[FRAMES + 1]; /* where each begins; the last is the end */
};

/* A log of 13 entries, five of them covered, each in a frame of its own. */
static int setup(void **state) {
        struct scene *scene = calloc(1, sizeof *scene);
        struct gbx_log *log;
        size_t place = GBX_JOURNAL_HEADER, count = 0;

        if (!scene || fixture_setup((void **)&scene->f) < 0)
                return -1;
        log = fixture_create(scene->f);
        if (!log || fixture_fill(log, 0, COVERED) < 0 || gbx_log_checkpoint(log, NULL, NULL) < 0 || fixture_fill(log, COVERED, ENTRIES) < 0)
                return -1;
        gbx_log_free(log);
        (void)snprintf(scene->path, sizeof scene->path, "%s/.state/journal", scene->f->path);
        if (gbx_read_file(AT_FDCWD, scene->path, 1 << 20, &scene->journal, NULL) < 0)
                return -1;
        for (; place < scene->journal.size && count < FRAMES; count++) {
                uint32_t size;

                memcpy(&size, scene->journal.data + place + 16, sizeof size);
                scene->frames[count] = place;
                place += GBX_JOURNAL_FRAME + be32toh(size);
        }
        scene->frames[count] = place;
        *state = scene;
        return count == FRAMES && place == scene->journal.size ? 0 : -1;
}

static int teardown(void **state) {
        struct scene *scene = *state;

        gbx_buffer_free(&scene->journal);
        (void)fixture_teardown((void **)&scene->f);
        free(scene);
        return 0;
}

static void put(const struct scene *scene, const struct gbx_buffer *content) {
        FILE *file = fopen(scene->path, "we");

        assert_non_null(file);
        assert_int_equal(fwrite(content->data, 1, content->size, file), content->size);
        assert_int_equal(fclose(file), 0);
}

static int open_log(const struct scene *scene, struct gbx_log **ret, struct gbx_error *err) {
        *ret = NULL;
        return gbx_log_open(ret, AT_FDCWD, scene->f->path, NULL, &scene->f->signer, NULL, err);
}

static void expect_refused(const struct scene *scene, const struct gbx_buffer *content, const char *what, size_t place) {
        struct gbx_error err = {};
        struct gbx_log *log;

        put(scene, content);
        if (open_log(scene, &log, &err) != -EBADMSG)
                fail_msg("%s at %zu: the log opens all the same", what, place);
        put(scene, &scene->journal);
}

static void expect_whole(const struct scene *scene) {
        struct gbx_error err = {};
        struct gbx_log *log;

        if (open_log(scene, &log, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(gbx_log_size(log), ENTRIES);
        for (uint64_t i = 0; i < ENTRIES; i++)
                assert_true(fixture_holds(log, i));
        gbx_log_free(log);
}

static void every_flipped_bit_shows(void **state) {
        struct scene *scene = *state;

        for (size_t place = 0; place < scene->journal.size; place++) {
                uint8_t *byte = scene->journal.data + place, saved = *byte;
                bool mark = place >= GBX_JOURNAL_MARKS && place < GBX_JOURNAL_HEADER;
                struct gbx_buffer content = {};

                assert_int_equal(gbx_buffer_append(&content, scene->journal.data, scene->journal.size, NULL), 0);
                content.data[place] = saved ^ (uint8_t)(1 << place % 8);
                if (!mark) {
                        expect_refused(scene, &content, "a flipped bit", place);
                } else { /* the other mark stands, and all frames do */
                        put(scene, &content);
                        expect_whole(scene);
                        put(scene, &scene->journal);
                }
                gbx_buffer_free(&content);
        }
        expect_whole(scene);
}

static void every_cut_shows(void **state) {
        struct scene *scene = *state;

        for (size_t size = 0; size < scene->journal.size; size++) {
                struct gbx_buffer content = { .data = scene->journal.data, .size = size };

                expect_refused(scene, &content, "a cut", size);
        }
        expect_whole(scene);
}

/* The journal with frames in another order, in place of those from the first on. */
static void arrange(const struct scene *scene, const size_t *order, size_t count, struct gbx_buffer *ret) {
        assert_int_equal(gbx_buffer_append(ret, scene->journal.data, GBX_JOURNAL_HEADER, NULL), 0);
        for (size_t i = 0; i < count; i++)
                assert_int_equal(gbx_buffer_append(ret, scene->journal.data + scene->frames[order[i]],
                                                   scene->frames[order[i] + 1] - scene->frames[order[i]], NULL), 0);
}

static void frames_that_are_moved_removed_or_doubled_show(void **state) {
        struct scene *scene = *state;

        for (size_t a = 0; a < FRAMES; a++) {
                for (size_t b = 0; b < FRAMES; b++) {
                        gbx_auto(gbx_buffer_free) struct gbx_buffer swapped = {}, doubled = {}, removed = {};
                        size_t order[FRAMES + 1], count = 0;

                        for (size_t i = 0; i < FRAMES; i++)
                                order[i] = i == a ? b : i == b ? a : i;
                        arrange(scene, order, FRAMES, &swapped);
                        if (a != b)
                                expect_refused(scene, &swapped, "a swap", a);
                        for (size_t i = 0; i < FRAMES; i++) { /* frame a once more, behind b */
                                order[count++] = i;
                                if (i == b)
                                        order[count++] = a;
                        }
                        arrange(scene, order, count, &doubled);
                        expect_refused(scene, &doubled, "a doubled frame", a);
                        if (a > b)
                                continue;
                        count = 0;
                        for (size_t i = 0; i < FRAMES; i++) /* frames a to b gone */
                                if (i < a || i > b)
                                        order[count++] = i;
                        arrange(scene, order, count, &removed);
                        expect_refused(scene, &removed, "removed frames", a);
                }
        }
        expect_whole(scene);
}

/* Frames of the same journal and key from a history that was dropped: the log was put back and went on otherwise. */
static void frames_of_another_history_do_not_fit(void **state) {
        struct scene *scene = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer mixed = {}, other = {};
        const size_t keep = 7; /* frames that both histories have */
        struct gbx_log *log;
        uint8_t old[2 * GBX_JOURNAL_MARK];

        /* an insider who kept the whole file from that moment puts it back */
        assert_int_equal(gbx_buffer_append(&mixed, scene->journal.data, scene->frames[keep], NULL), 0);
        {
                struct gbx_journal_key key;
                uint8_t check[GBX_JOURNAL_CHECK];
                uint64_t base;

                assert_int_equal(gbx_journal_read_header(scene->f->signer.seed, mixed.data, &base, &key, check, NULL), 0);
                gbx_journal_make_mark(&key, keep, old);
                gbx_journal_make_mark(&key, keep - 1, old + GBX_JOURNAL_MARK);
        }
        memcpy(mixed.data + GBX_JOURNAL_MARKS, old, sizeof old);
        put(scene, &mixed);
        assert_int_equal(open_log(scene, &log, NULL), 0);
        assert_int_equal(gbx_log_size(log), keep);
        assert_int_equal(gbx_log_append(log, "another entry", 13, NULL, NULL), 0);
        gbx_log_free(log);
        /* and now the frames of the old history behind the new one */
        assert_int_equal(gbx_read_file(AT_FDCWD, scene->path, 1 << 20, &other, NULL), 0);
        assert_int_equal(gbx_buffer_append(&other, scene->journal.data + scene->frames[keep + 1],
                                           scene->journal.size - scene->frames[keep + 1], NULL), 0);
        put(scene, &other);
        {
                struct gbx_error err = {};

                assert_int_equal(open_log(scene, &log, &err), -EBADMSG);
                assert_non_null(strstr(err.message, "another history"));
        }
        put(scene, &scene->journal);
        expect_whole(scene);
}

/* A frame made by somebody who knows everything but the key. */
static void made_up_frames_show(void **state) {
        struct scene *scene = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer more = {};
        struct gbx_journal_key guess = { "a key that is not the journal's." };
        struct gbx_journal_frame frame = { .first = ENTRIES, .count = 1, .size = 6 };
        struct gbx_log *log;

        memcpy(frame.before, scene->journal.data + scene->frames[FRAMES - 1] + GBX_JOURNAL_FRAME - GBX_JOURNAL_CHECK, sizeof frame.before);
        assert_int_equal(gbx_buffer_append(&more, scene->journal.data, scene->journal.size, NULL), 0);
        assert_int_equal(gbx_journal_make_frame(&guess, &frame, "\0\4fake", &more, NULL), 0);
        put(scene, &more); /* as the torn end of a batch that nobody was told about: it is cut off */
        assert_int_equal(open_log(scene, &log, NULL), 0);
        assert_int_equal(gbx_log_size(log), ENTRIES);
        gbx_log_free(log);
        expect_whole(scene);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(every_flipped_bit_shows),
                TEST(every_cut_shows),
                TEST(frames_that_are_moved_removed_or_doubled_show),
                TEST(frames_of_another_history_do_not_fit),
                TEST(made_up_frames_show),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
