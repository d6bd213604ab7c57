/* gateway/store/backup: a backup is of one moment, shows every alteration, and does not put an older log in a newer one's place */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/log/format/entry.h"
#include "gateway/store/backup.h"
#include "tests/unit/site_fixture.h"

#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct scene {
        struct fixture *f;
        struct gbx_site *site;
        struct gbx_caller *operator;
        struct gbx_age_identity *safe; /* whom the keys are encrypted to */
        char backup[120], target[120];
};

static int setup(void **state) {
        struct scene *scene = calloc(1, sizeof *scene);

        if (!scene || fixture_setup((void **)&scene->f) < 0 || gbx_caller_directory(&scene->operator, NULL, NULL) < 0 ||
            gbx_age_identity_generate(&scene->safe, NULL) < 0)
                return -1;
        scene->site = site_make(scene->f, "site");
        site_put(scene->site, "data/dataset-1.age", "ciphertext of a dataset");
        site_put(scene->site, "releases/release-1/table.csv.age", "what left");
        site_put(scene->site, "releases/release-1/table.csv.original.age", "the original");
        site_put(scene->site, "held/run-1.age", "what waits");
        site_record(scene->site, 300); /* two bundles */
        (void)snprintf(scene->backup, sizeof scene->backup, "%s/backup", scene->f->directory);
        (void)snprintf(scene->target, sizeof scene->target, "%s/restored", scene->f->directory);
        *state = scene;
        return 0;
}

static int teardown(void **state) {
        struct scene *scene = *state;

        (void)gbx_site_close(scene->site);
        gbx_caller_free(scene->operator);
        gbx_age_identity_free(scene->safe);
        (void)fixture_teardown((void **)&scene->f);
        free(scene);
        return 0;
}

static struct gbx_backup_report make(const struct scene *scene, bool keys) {
        struct gbx_backup_report report = {};
        struct gbx_error err = {};

        if (gbx_site_backup(scene->site, scene->operator, scene->backup, keys ? gbx_age_identity_recipient(scene->safe) : NULL, &report,
                            &err) < 0)
                fail_msg("%s", err.message);
        return report;
}

static int restore(const struct scene *scene, struct gbx_error *err) {
        struct gbx_restore_options options = { .identity = scene->safe, .verifier = gbx_log_verifier(scene->site->log) };
        struct gbx_backup_report report;

        return gbx_site_restore(scene->backup, scene->target, scene->operator, &options, &report, err);
}

/* Nothing is where the site would be, nor beside it. */
static void expect_nothing_left(const struct scene *scene) {
        DIR *directory = opendir(scene->f->directory);
        struct dirent *entry;

        assert_non_null(directory);
        while ((entry = readdir(directory)))
                if (strstr(entry->d_name, "restore"))
                        fail_msg("'%s' was left behind", entry->d_name);
        (void)closedir(directory);
}

static void expect_refused(const struct scene *scene, const char *what) {
        struct gbx_error err = {};
        int r = restore(scene, &err);

        if (r != -EBADMSG)
                fail_msg("%s: %d: %s", what, r, err.message);
        expect_nothing_left(scene);
}

static void compare(const char *path, void *context) {
        const struct scene *scene = context;
        gbx_auto(gbx_buffer_free) struct gbx_buffer a = {}, b = {};
        const char *inner = path + strlen(scene->site->path);
        char other[400];

        if (strstr(inner, "view.db") || strstr(inner, "/lock") || strncmp(inner, "/log/", 5) == 0)
                return;
        (void)snprintf(other, sizeof other, "%s%s", scene->target, inner);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 24, &a, NULL), 0);
        if (gbx_read_file(AT_FDCWD, other, 1 << 24, &b, NULL) < 0)
                fail_msg("'%s' was not restored", inner);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
}

static void expect_same(const struct scene *scene, uint64_t entries) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer last = {};
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        struct gbx_error err = {};

        if (gbx_site_open(&site, scene->target, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(gbx_log_size(site->log), entries + 1);
        for (uint64_t i = 0; i < entries; i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer a = {}, b = {};

                assert_int_equal(gbx_log_read_proven(scene->site->log, i, &a, NULL), 0);
                assert_int_equal(gbx_log_read_proven(site->log, i, &b, NULL), 0);
                assert_int_equal(a.size, b.size);
                assert_memory_equal(a.data, b.data, a.size);
        }
        assert_int_equal(gbx_log_read_proven(site->log, entries, &last, NULL), 0);
        assert_int_equal(gbx_entry_parse(last.data, last.size, &entry, NULL), 0);
        assert_string_equal(json_string_value(json_object_get(entry, "action")), "site.restore");
        site_record(site, 3); /* and it goes on */
        assert_int_equal(gbx_site_checkpoint(site, NULL), 0);
}

static void refuse_secrets(const char *path, void *context) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};

        (void)context;
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 24, &content, NULL), 0);
        if (memmem(content.data, content.size, "SECRET-KEY", 10) || memmem(content.data, content.size, "glovebox-key-", 13) ||
            memmem(content.data, content.size, "GLOVEBOX-KEY-", 13))
                fail_msg("a secret key stands in '%s'", path);
}

static void what_is_restored_is_what_was(void **state) {
        struct scene *scene = *state;
        struct gbx_backup_report report = make(scene, true);
        struct gbx_error err = {};

        assert_int_equal(report.entries, 302);
        each_file(scene->backup, refuse_secrets, NULL);
        if (restore(scene, &err) < 0)
                fail_msg("%s", err.message);
        each_file(scene->site->path, compare, scene);
        expect_same(scene, report.entries);
        assert_int_equal(restore(scene, &err), -EEXIST); /* not over a site */
}

static void without_keys_it_needs_them(void **state) {
        struct scene *scene = *state;
        struct gbx_backup_report report = make(scene, false);
        char keys[160];
        struct gbx_restore_options options = { .keys = keys };
        struct gbx_error err = {};

        (void)snprintf(keys, sizeof keys, "%s/keys.age", scene->backup);
        assert_int_equal(access(keys, F_OK), -1);
        assert_int_equal(restore(scene, &err), -ENOKEY);
        expect_nothing_left(scene);
        (void)snprintf(keys, sizeof keys, "%s/keys", scene->site->path);
        if (gbx_site_restore(scene->backup, scene->target, scene->operator, &options, &report, &err) < 0)
                fail_msg("%s", err.message);
        expect_same(scene, report.entries);
}

static void a_backup_that_is_not_one_s_own_key_s_is_not_opened(void **state) {
        struct scene *scene = *state;
        struct gbx_age_identity *stranger = NULL;
        struct gbx_error err = {};

        make(scene, true);
        assert_int_equal(gbx_age_identity_generate(&stranger, NULL), 0);
        gbx_age_identity_free(scene->safe);
        scene->safe = stranger;
        assert_int_equal(restore(scene, &err), -ENOKEY);
        expect_nothing_left(scene);
}

/* Somebody makes up a site of the same name and encrypts its keys to the same recipient. */
static void a_backup_of_a_made_up_site_is_refused(void **state) {
        struct scene *scene = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer kept = {};
        struct gbx_restore_options options = { .identity = scene->safe };
        struct gbx_site *real = scene->site;
        struct gbx_backup_report report;
        struct gbx_error err = {};

        assert_int_equal(gbx_site_checkpoint(real, NULL), 0);
        assert_int_equal(gbx_log_message(real->log, &kept, NULL), 0);
        scene->site = site_make(scene->f, "forged"); /* its origin is the same */
        site_record(scene->site, 310);
        make(scene, true);
        (void)gbx_site_close(scene->site);
        scene->site = real;
        expect_refused(scene, "a made-up site");
        assert_int_equal(gbx_site_restore(scene->backup, scene->target, scene->operator, &options, &report, &err), -EINVAL);
        options.against = gbx_buffer_text(&kept);
        options.against_size = kept.size;
        assert_int_equal(gbx_site_restore(scene->backup, scene->target, scene->operator, &options, &report, &err), -EBADMSG);
        expect_nothing_left(scene);
}

/* Each file of the backup: a flipped byte, a cut, another file's bytes, a link, removal. */
static void alter(const char *path, void *context) {
        const struct scene *scene = context;
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};
        bool keys = strstr(path, "keys.age");
        struct gbx_error err = {};
        char away[400];
        int r;

        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 24, &content, NULL), 0);
        for (int i = 0; i < 3; i++) {
                uint8_t *byte = content.data + (i == 0 ? 0 : i == 1 ? content.size / 2 : content.size - 1);

                *byte ^= 4;
                assert_int_equal(gbx_write_file_durably(AT_FDCWD, path, content.data, content.size, 0600, NULL), 0);
                *byte ^= 4;
                r = restore(scene, &err);
                if (r >= 0 || (!keys && r != -EBADMSG))
                        fail_msg("a flipped byte in '%s': %d: %s", path, r, err.message);
                expect_nothing_left(scene);
        }
        assert_int_equal(gbx_write_file_durably(AT_FDCWD, path, content.data, content.size - 1, 0600, NULL), 0);
        assert_true(restore(scene, &err) < 0);
        (void)snprintf(away, sizeof away, "%s/away", scene->f->directory);
        assert_int_equal(gbx_write_file_durably(AT_FDCWD, path, content.data, content.size, 0600, NULL), 0);
        assert_int_equal(rename(path, away), 0);
        assert_true(restore(scene, &err) < 0);
        if (strstr(path, "/site/")) {
                assert_int_equal(symlink(away, path), 0);
                assert_true(restore(scene, &err) < 0);
        }
        assert_int_equal(rename(away, path), 0);
        expect_nothing_left(scene);
}

static void every_alteration_is_refused(void **state) {
        struct scene *scene = *state;
        struct gbx_error err = {};

        make(scene, true);
        assert_true(each_file(scene->backup, alter, scene) > 12);
        if (restore(scene, &err) < 0)
                fail_msg("%s", err.message);
}

/* Somebody without the keys alters a file and its line, or adds a file with a line of its own. */
static void a_manifest_that_was_rewritten_is_refused(void **state) {
        struct scene *scene = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer manifest = {};
        static const char *const paths[] = { "../escape", "keys/log.key", "log/.state/state", "objects//x", "objects/./x", "/etc/x", "held/a b",
                                             "view.db", "held/x" };
        char path[160], digest[GBX_SHA256_TEXT_SIZE], place[200];
        uint8_t bytes[GBX_SHA256_SIZE];

        make(scene, true);
        (void)snprintf(path, sizeof path, "%s/manifest", scene->backup);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 24, &manifest, NULL), 0);
        gbx_sha256("x", 1, bytes);
        gbx_sha256_text(bytes, digest);
        for (size_t i = 0; i < gbx_array_size(paths); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer more = {};

                (void)snprintf(place, sizeof place, "%s/site/%s", scene->backup, paths[i]);
                (void)gbx_write_file_durably(AT_FDCWD, place, "x", 1, 0600, NULL);
                assert_int_equal(gbx_buffer_printf(&more, NULL, "%s%s 1 %s\n", gbx_buffer_text(&manifest), digest + 7, paths[i]), 0);
                assert_int_equal(gbx_write_file_durably(AT_FDCWD, path, more.data, more.size, 0600, NULL), 0);
                expect_refused(scene, paths[i]);
        }
}

static void an_object_that_was_altered_is_not_backed_up(void **state) {
        struct scene *scene = *state;
        struct gbx_backup_report report;
        struct gbx_error err = {};
        char command[300];

        (void)snprintf(command, sizeof command, "f=$(find '%s/objects' -type f | head -1); printf X >>\"$f\"", scene->site->path);
        assert_int_equal(system(command), 0);
        assert_int_equal(gbx_site_backup(scene->site, scene->operator, scene->backup, NULL, &report, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "objects/"));
        assert_int_equal(access(scene->backup, F_OK), -1);
        (void)snprintf(command, sizeof command, "[ -z \"$(find '%s' -maxdepth 1 -name '.backup-*')\" ]", scene->site->path);
        assert_int_equal(system(command), 0);
}

static void a_kept_checkpoint_that_is_newer_forbids_it(void **state) {
        struct scene *scene = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer older = {}, newer = {};
        struct gbx_restore_options options = { .identity = scene->safe, .verifier = gbx_log_verifier(scene->site->log) };
        struct gbx_backup_report report;
        struct gbx_error err = {};

        assert_int_equal(gbx_site_checkpoint(scene->site, NULL), 0);
        assert_int_equal(gbx_log_message(scene->site->log, &older, NULL), 0);
        make(scene, true);
        site_record(scene->site, 1);
        assert_int_equal(gbx_site_checkpoint(scene->site, NULL), 0);
        assert_int_equal(gbx_log_message(scene->site->log, &newer, NULL), 0);
        options.against = gbx_buffer_text(&newer);
        options.against_size = newer.size;
        assert_int_equal(gbx_site_restore(scene->backup, scene->target, scene->operator, &options, &report, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "older copy"));
        expect_nothing_left(scene);
        options.against = gbx_buffer_text(&older);
        options.against_size = older.size;
        if (gbx_site_restore(scene->backup, scene->target, scene->operator, &options, &report, &err) < 0)
                fail_msg("%s", err.message);
}

/* A witness that answers everything with the size it has seen. */
struct witness {
        int listener;
        unsigned port;
        pthread_t thread;
        char size[24];
};

static void *answer(void *context) {
        struct witness *witness = context;
        int connection;

        while ((connection = accept(witness->listener, NULL, NULL)) >= 0) {
                char request[65536], response[256];
                size_t used = 0;
                ssize_t n;

                while (used < sizeof request - 1 && (n = read(connection, request + used, sizeof request - 1 - used)) > 0) {
                        char *body, *length;

                        used += (size_t)n;
                        request[used] = '\0';
                        body = strstr(request, "\r\n\r\n");
                        length = strcasestr(request, "content-length:");
                        if (body && length && request + used >= body + 4 + atoi(length + 15))
                                break;
                }
                (void)snprintf(response, sizeof response, "HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                               strlen(witness->size), witness->size);
                (void)!write(connection, response, strlen(response));
                (void)close(connection);
        }
        return NULL;
}

static void start(struct witness *witness) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof address;

        witness->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(witness->listener, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(witness->listener, 8), 0);
        assert_int_equal(getsockname(witness->listener, (struct sockaddr *)&address, &size), 0);
        witness->port = ntohs(address.sin_port);
        assert_int_equal(pthread_create(&witness->thread, NULL, answer, witness), 0);
}

static void a_witness_that_knows_more_forbids_it(void **state) {
        struct scene *scene = *state;
        struct witness witness = {};
        struct gbx_note_signer key, cosigner;
        gbx_auto(gbx_buffer_free) struct gbx_buffer log = {}, vkey = {}, policy = {}, kept = {};
        struct gbx_restore_options options = { .identity = scene->safe, .verifier = gbx_log_verifier(scene->site->log) };
        struct gbx_backup_report report;
        struct gbx_error err = {};

        start(&witness);
        assert_int_equal(gbx_note_signer_generate("witness.example/w", GBX_NOTE_ED25519, &key, NULL), 0);
        assert_int_equal(gbx_note_signer_as_cosigner(&key, &cosigner, NULL), 0);
        assert_int_equal(gbx_note_verifier_format(gbx_log_verifier(scene->site->log), &log, NULL), 0);
        assert_int_equal(gbx_note_verifier_format(&cosigner.verifier, &vkey, NULL), 0);
        assert_int_equal(gbx_buffer_printf(&policy, NULL, "log %s\nwitness w %s http://127.0.0.1:%u/\nquorum w\n", gbx_buffer_text(&log),
                                           gbx_buffer_text(&vkey), witness.port), 0);
        assert_int_equal(gbx_write_file_durably(scene->site->directory, "witness-policy", policy.data, policy.size, 0600, NULL), 0);
        (void)snprintf(witness.size, sizeof witness.size, "0\n"); /* while the backup is made it is only confused */
        make(scene, true);
        assert_int_equal(gbx_log_message(scene->site->log, &kept, NULL), 0);

        (void)snprintf(witness.size, sizeof witness.size, "5000\n");
        expect_refused(scene, "a witness ahead");
        options.against = gbx_buffer_text(&kept); /* also when a checkpoint was kept */
        options.against_size = kept.size;
        assert_int_equal(gbx_site_restore(scene->backup, scene->target, scene->operator, &options, &report, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "more entries than this backup has"));
        (void)shutdown(witness.listener, SHUT_RDWR);
        (void)pthread_join(witness.thread, NULL);
        (void)close(witness.listener);

        expect_refused(scene, "no witness answers"); /* fail closed, unless somebody kept a checkpoint */
        if (gbx_site_restore(scene->backup, scene->target, scene->operator, &options, &report, &err) < 0)
                fail_msg("%s", err.message);
}

static _Atomic int stop;

static void *keep_recording(void *path) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;

        if (gbx_site_open(&site, path, NULL) < 0)
                return NULL;
        for (unsigned i = 0; !atomic_load(&stop); i++) {
                char digest[GBX_SHA256_TEXT_SIZE];

                (void)gbx_object_put(site->directory, &i, sizeof i, digest, NULL);
                (void)gbx_record_system(site, &(struct gbx_action){ "trace.run", digest, "done", NULL, NULL }, NULL);
                if (i % 7 == 0)
                        (void)gbx_site_checkpoint(site, NULL);
        }
        return NULL;
}

/* While others record and sign: every entry of the backup has its object there. */
static void it_is_of_one_moment(void **state) {
        struct scene *scene = *state;
        struct gbx_backup_report report;
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        struct gbx_error err = {};
        pthread_t thread;

        atomic_store(&stop, 0);
        assert_int_equal(pthread_create(&thread, NULL, keep_recording, scene->site->path), 0);
        while (gbx_log_size(scene->site->log) < 330)
                assert_int_equal(gbx_log_refresh(scene->site->log, NULL), 0);
        report = make(scene, true);
        atomic_store(&stop, 1);
        (void)pthread_join(thread, NULL);
        if (restore(scene, &err) < 0 || gbx_site_open(&site, scene->target, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(gbx_log_size(site->log), report.entries + 1);
        for (uint64_t i = 302; i < report.entries; i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, object = {};
                gbx_auto(gbx_json_freep) json_t *entry = NULL;

                assert_int_equal(gbx_log_read_proven(site->log, i, &text, NULL), 0);
                assert_int_equal(gbx_entry_parse(text.data, text.size, &entry, NULL), 0);
                if (strcmp(json_string_value(json_object_get(entry, "action")), "trace.run") == 0 &&
                    gbx_object_get(site->directory, json_string_value(json_object_get(entry, "object")), &object, &err) < 0)
                        fail_msg("entry %llu: %s", (unsigned long long)i, err.message);
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(what_is_restored_is_what_was),
                TEST(without_keys_it_needs_them),
                TEST(a_backup_that_is_not_one_s_own_key_s_is_not_opened),
                TEST(a_backup_of_a_made_up_site_is_refused),
                TEST(every_alteration_is_refused),
                TEST(a_manifest_that_was_rewritten_is_refused),
                TEST(an_object_that_was_altered_is_not_backed_up),
                TEST(a_kept_checkpoint_that_is_newer_forbids_it),
                TEST(a_witness_that_knows_more_forbids_it),
                TEST(it_is_of_one_moment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
