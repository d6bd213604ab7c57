/* gateway/store/keys_rotate: what was under the old key is under the new one, whenever the power fails; old manifests verify */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "gateway/store/keys.h"
#include "gateway/store/keys_rotate.h"
#include "runtime/vault/keys.h"
#include "tests/unit/site_fixture.h"

#include <sys/syscall.h>
#include <sys/wait.h>

/* The calls with which a rotation changes the disk: the process ends at the n-th of them. */
static int countdown;

static void step(void) {
        if (countdown > 0 && --countdown == 0)
                _exit(9);
}

int fsync(int fd) {
        step();
        return (int)syscall(SYS_fsync, fd);
}
int fdatasync(int fd) {
        step();
        return (int)syscall(SYS_fdatasync, fd);
}
int renameat(int from_fd, const char *from, int to_fd, const char *to) {
        step();
        return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}
int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
        step();
        return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
}
int unlinkat(int fd, const char *path, int flags) {
        step();
        return (int)syscall(SYS_unlinkat, fd, path, flags);
}

static const char *const own[] = { "held/run-1.age", "releases/release-1/t.csv.original.age", "releases/release-2/t.csv.original.age" };
static const char foreign[] = "releases/release-1/t.csv.age";

struct scene {
        struct fixture *f;
        struct gbx_site *site;
        struct gbx_caller *operator;
        char digests[3][GBX_SHA256_TEXT_SIZE]; /* as the log would have them */
};

static void seal(struct gbx_site *site, const char *path, const struct gbx_age_recipient *recipient, char ret[static GBX_SHA256_TEXT_SIZE]) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};
        uint8_t digest[GBX_SHA256_SIZE];

        assert_int_equal(gbx_age_encrypt_buffer(path, strlen(path), (struct gbx_age_recipients){ recipient, 1 }, &sealed, NULL), 0);
        assert_int_equal(gbx_buffer_append_byte(&sealed, 0, NULL), 0);
        sealed.size--;
        {
                char parent[100];

                (void)snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
                assert_int_equal(gbx_make_directories(site->directory, parent, 0700, NULL), 0);
        }
        assert_int_equal(gbx_write_file_durably(site->directory, path, sealed.data, sealed.size, 0600, NULL), 0);
        gbx_sha256(sealed.data, sealed.size, digest);
        gbx_sha256_text(digest, ret);
}

static int setup(void **state) {
        struct scene *scene = calloc(1, sizeof *scene);
        struct gbx_age_identity *identity = NULL, *other = NULL;
        char ignored[GBX_SHA256_TEXT_SIZE];

        if (!scene || fixture_setup((void **)&scene->f) < 0 || gbx_caller_directory(&scene->operator, NULL, NULL) < 0)
                return -1;
        scene->site = site_make(scene->f, "site");
        assert_int_equal(gbx_site_identity(scene->site, &identity, NULL), 0);
        assert_int_equal(gbx_age_identity_generate(&other, NULL), 0);
        for (size_t i = 0; i < gbx_array_size(own); i++)
                seal(scene->site, own[i], gbx_age_identity_recipient(identity), scene->digests[i]);
        seal(scene->site, foreign, gbx_age_identity_recipient(other), ignored);
        gbx_age_identity_free(identity);
        gbx_age_identity_free(other);
        *state = scene;
        return 0;
}

static int teardown(void **state) {
        struct scene *scene = *state;

        (void)gbx_site_close(scene->site);
        gbx_caller_free(scene->operator);
        (void)fixture_teardown((void **)&scene->f);
        free(scene);
        return 0;
}

static int open_file(struct gbx_site *site, const char *path, const struct gbx_age_identity *identity, char ret_digest[static GBX_SHA256_TEXT_SIZE]) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {}, text = {};
        uint8_t digest[GBX_SHA256_SIZE];
        int r;

        assert_int_equal(gbx_read_file(site->directory, path, 1 << 20, &sealed, NULL), 0);
        gbx_sha256(sealed.data, sealed.size, digest);
        gbx_sha256_text(digest, ret_digest);
        r = gbx_age_decrypt_buffer(sealed.data, sealed.size, (struct gbx_age_identities){ &identity, 1 }, 1 << 20, &text, NULL);
        if (r == 0)
                assert_string_equal(gbx_buffer_text(&text), path);
        return r;
}

/* Everything opens with the key that is in place, is what the log named, and nothing is left over. */
static void expect_whole(const struct scene *scene, struct gbx_site *site) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        char command[300], found[GBX_SHA256_TEXT_SIZE];
        struct gbx_error err = {};

        assert_int_equal(gbx_site_identity(site, &identity, NULL), 0);
        for (size_t i = 0; i < gbx_array_size(own); i++) {
                if (open_file(site, own[i], identity, found) < 0)
                        fail_msg("'%s' does not open with the site's key", own[i]);
                if (gbx_site_sealed_same(site, scene->digests[i], found, &err) < 0)
                        fail_msg("'%s': %s", own[i], err.message);
                assert_int_equal(gbx_site_sealed_same(site, scene->digests[(i + 1) % 3], found, &err), -EBADMSG);
        }
        (void)snprintf(command, sizeof command, "[ -z \"$(find '%s' -name '*.next' -o -name '*.old' -o -name '*.rewrapped')\" ]", site->path);
        assert_int_equal(system(command), 0);
}

static int rotate(struct scene *scene, const char *key, struct gbx_keys_rotation *ret, struct gbx_error *err) {
        return gbx_site_keys_rotate(scene->site, scene->operator, key, ret, err);
}

static void files_of_the_site_are_under_the_new_key(void **state) {
        struct scene *scene = *state;
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *first = NULL, *now = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer before = {}, after = {};
        struct gbx_keys_rotation rotation = {}, second = {};
        char found[GBX_SHA256_TEXT_SIZE];
        struct gbx_error err = {};

        assert_int_equal(gbx_site_identity(scene->site, &first, NULL), 0);
        assert_int_equal(gbx_read_file(scene->site->directory, foreign, 1 << 20, &before, NULL), 0);
        expect_whole(scene, scene->site);
        if (rotate(scene, GBX_KEYS_SITE, &rotation, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(rotation.files, 3);
        assert_string_not_equal(rotation.before, rotation.after);
        expect_whole(scene, scene->site);
        for (size_t i = 0; i < gbx_array_size(own); i++)
                assert_int_equal(open_file(scene->site, own[i], first, found), -ENOKEY);
        assert_int_equal(gbx_read_file(scene->site->directory, foreign, 1 << 20, &after, NULL), 0);
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);

        assert_int_equal(rotate(scene, GBX_KEYS_SITE, &second, NULL), 0); /* digests are followed through both */
        assert_string_equal(second.before, rotation.after);
        expect_whole(scene, scene->site);
}

static void a_file_that_was_replaced_shows_after_a_rotation_too(void **state) {
        struct scene *scene = *state;
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        struct gbx_keys_rotation rotation;
        char found[GBX_SHA256_TEXT_SIZE];
        struct gbx_error err = {};

        assert_int_equal(rotate(scene, GBX_KEYS_SITE, &rotation, NULL), 0);
        assert_int_equal(gbx_site_identity(scene->site, &identity, NULL), 0);
        seal(scene->site, own[0], gbx_age_identity_recipient(identity), found);
        assert_int_equal(gbx_site_sealed_same(scene->site, scene->digests[0], found, &err), -EBADMSG);
        assert_int_equal(gbx_write_file_durably(scene->site->directory, own[1], "not an age file", 15, 0600, NULL), 0);
        assert_int_equal(rotate(scene, GBX_KEYS_SITE, &rotation, &err), -EBADMSG); /* named, and nothing was done */
        assert_non_null(strstr(err.message, own[1]));
}

static void old_provenance_keys_stay_in_the_log(void **state) {
        struct scene *scene = *state;
        gbx_auto(gbx_json_freep) json_t *keys = NULL, *current = NULL;
        struct gbx_keys_rotation first = {}, second = {};
        struct gbx_error err = {};

        if (rotate(scene, GBX_KEYS_PROVENANCE, &first, &err) < 0 || rotate(scene, GBX_KEYS_PROVENANCE, &second, &err) < 0)
                fail_msg("%s", err.message);
        assert_string_equal(first.after, second.before);
        assert_int_equal(gbx_site_provenance_keys(scene->site, &keys, NULL), 0);
        assert_int_equal(json_array_size(keys), 3);
        assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 0), "key")), first.before);
        assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 1), "key")), first.after);
        assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 2), "key")), second.after);
        assert_int_equal(gbx_site_public_keys(scene->site, &current, NULL), 0);
        assert_string_equal(json_string_value(json_object_get(current, "provenance")), second.after);
        expect_whole(scene, scene->site);
}

static void other_keys_are_not_rotated(void **state) {
        struct scene *scene = *state;
        static const char *const names[] = { "log.key", "watermark.key", "dataset-x.key", "../x", "" };
        struct gbx_keys_rotation rotation;
        uint64_t size = gbx_log_size(scene->site->log);

        for (size_t i = 0; i < gbx_array_size(names); i++)
                assert_int_equal(rotate(scene, names[i], &rotation, NULL), -EOPNOTSUPP);
        assert_int_equal(gbx_log_size(scene->site->log), size);
}

static void not_while_a_run_is_under_way(void **state) {
        struct scene *scene = *state;
        static const char digest[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:s, s:s, s:[s]}", "algorithm", digest, "purpose", "p", "datasets", "d");
        struct gbx_keys_rotation rotation;
        struct gbx_error err = {};

        if (gbx_record_system(scene->site, &(struct gbx_action){ "run.decide", "run-1", "allowed", NULL, details }, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(rotate(scene, GBX_KEYS_SITE, &rotation, &err), -EBUSY);
        assert_non_null(strstr(err.message, "run-1"));
        expect_whole(scene, scene->site);
        assert_int_equal(rotate(scene, GBX_KEYS_PROVENANCE, &rotation, NULL), 0); /* which nobody has in hand for long */
}

/* The process ends before each of its changes of the disk; whoever opens the site next finds it whole. */
static void a_crash_at_any_step_is_healed(void **state) {
        struct scene *scene = *state;
        static const char *const keys[] = { GBX_KEYS_SITE, GBX_KEYS_PROVENANCE };
        char command[600], path[120], origin[120];

        (void)snprintf(origin, sizeof origin, "%s", scene->site->path);
        (void)snprintf(path, sizeof path, "%s/crash", scene->f->directory);
        scene->site = gbx_site_close(scene->site);
        for (size_t k = 0; k < gbx_array_size(keys); k++) {
                int n, status = 0;

                for (n = 1;; n++) {
                        struct gbx_error err = {};
                        pid_t child;

                        (void)snprintf(command, sizeof command, "rm -rf '%s' && cp -a '%s' '%s'", path, origin, path);
                        assert_int_equal(system(command), 0);
                        child = fork();
                        if (child == 0) {
                                struct gbx_keys_rotation rotation;

                                if (gbx_site_open(&scene->site, path, NULL) < 0)
                                        _exit(8);
                                countdown = n;
                                _exit(rotate(scene, keys[k], &rotation, NULL) < 0 ? 7 : 0);
                        }
                        assert_int_equal(waitpid(child, &status, 0), child);
                        assert_true(WIFEXITED(status));
                        if (gbx_site_open(&scene->site, path, &err) < 0)
                                fail_msg("%s, step %d: %s", keys[k], n, err.message);
                        expect_whole(scene, scene->site);
                        scene->site = gbx_site_close(scene->site);
                        if (WEXITSTATUS(status) != 9)
                                break;
                }
                assert_int_equal(WEXITSTATUS(status), 0);
                print_message("%s: ended at each of %d steps\n", keys[k], n - 1);
                assert_true(n > 10);
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(files_of_the_site_are_under_the_new_key),
                TEST(a_file_that_was_replaced_shows_after_a_rotation_too),
                TEST(old_provenance_keys_stay_in_the_log),
                TEST(other_keys_are_not_rotated),
                TEST(not_while_a_run_is_under_way),
                TEST(a_crash_at_any_step_is_healed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
