/* Key memory, key files, and deliveries: data that never has a path on the host. */
#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/vault/delivery.h"
#include "runtime/vault/keys.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* --- secrets ---------------------------------------------------------------------- */

/* The flags of the mapping around an address, from /proc/self/smaps: "rd wr mr lo dd …". */
static void mapping_flags(const void *address, char *ret_flags, size_t size) {
        gbx_auto(gbx_close_file) FILE *file = fopen("/proc/self/smaps", "re");
        char line[512];
        bool inside = false;

        ret_flags[0] = '\0';
        assert_non_null(file);
        while (fgets(line, sizeof line, file)) {
                unsigned long begin, end;

                if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
                        inside = begin <= (uintptr_t)address && (uintptr_t)address < end;
                else if (inside && strncmp(line, "VmFlags:", 8) == 0)
                        (void)snprintf(ret_flags, size, "%.200s", line + 8);
        }
}

static void expect_guarded(const struct gbx_secret *secret) {
        char flags[256];
        pid_t child;
        int status = -1;

        assert_true(secret->kind == GBX_SECRET_MEMFD || secret->kind == GBX_SECRET_LOCKED);
        for (size_t i = 0; i < secret->mapped; i++)
                assert_int_equal(secret->data[i], 0);
        memset(secret->data, 0xa5, secret->size);
        mapping_flags(secret->data, flags, sizeof flags);
        assert_non_null(strstr(flags, " lo")); /* locked */
        assert_non_null(strstr(flags, " dd")); /* not dumped */
        child = fork();
        if (child == 0) { /* wiped, or not there at all */
                unsigned char there;

                if (secret->kind == GBX_SECRET_LOCKED)
                        _exit(secret->data[0] == 0 ? 0 : 1);
                _exit(mincore(secret->data, secret->mapped, &there) < 0 && errno == ENOMEM ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(secret->data[0], 0xa5);
}

static void secrets_are_locked_and_not_inherited(void **state) {
        gbx_auto(gbx_secret_free) struct gbx_secret a = {}, b = {};
        struct gbx_error err = {};

        (void)state;
        assert_int_equal(gbx_secret_new(&a, 32, NULL), 0);
        assert_int_equal(gbx_secret_new_locked(&b, 5000, NULL), 0);
        assert_int_equal(b.mapped, 8192);
        assert_string_equal(gbx_secret_kind_name(b.kind), "locked");
        print_message("# secrets are kept in %s memory\n", gbx_secret_kind_name(a.kind));
        expect_guarded(&a);
        expect_guarded(&b);
        assert_int_equal(gbx_secret_new(&a, 0, &err), -EINVAL);
        gbx_secret_free(&b);
        assert_null(b.data);
        gbx_secret_free(&b);
}

static void no_secret_without_locking(void **state) {
        struct rlimit none = {};
        pid_t child = fork();
        int status = -1;

        (void)state;
        if (child == 0) {
                struct gbx_secret secret = {};

                if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
                        _exit(2);
                if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
                        _exit(3);
                _exit(gbx_secret_new(&secret, 32, NULL) < 0 && !secret.data ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

/* --- key files --------------------------------------------------------------------- */

static int make_directory(char *template) {
        int fd;

        assert_non_null(mkdtemp(template));
        fd = gbx_open_directory(AT_FDCWD, template, NULL);
        assert_true(fd >= 0);
        return fd;
}

static void expect_refused(int directory, const char *name, int code, const char *word) {
        struct gbx_age_identity *identity = NULL;
        struct gbx_error err = {};

        assert_int_equal(gbx_keys_load_identity(directory, name, &identity, &err), code);
        assert_null(identity);
        if (!strstr(err.message, word))
                fail_msg("'%s' does not say '%s'", err.message, word);
}

static void key_files_are_made_once_and_guarded(void **state) {
        char path[] = "/tmp/gbx-test-keys-XXXXXX";
        gbx_auto(gbx_close_fd) int directory = make_directory(path);
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *made = NULL, *loaded = NULL;
        struct stat status;

        (void)state;
        assert_int_equal(gbx_keys_create_identity(directory, GBX_KEYS_SITE, &made, NULL), 0);
        assert_int_equal(gbx_keys_create_identity(directory, GBX_KEYS_SITE, &loaded, NULL), -EEXIST);
        assert_int_equal(gbx_keys_create_identity(directory, "../x", &loaded, NULL), -EINVAL);
        assert_int_equal(fstatat(directory, GBX_KEYS_SITE, &status, 0), 0);
        assert_int_equal(status.st_mode, S_IFREG | 0600);
        assert_int_equal(gbx_keys_load_identity(directory, GBX_KEYS_SITE, &loaded, NULL), 0);
        assert_memory_equal(gbx_age_identity_recipient(made), gbx_age_identity_recipient(loaded),
                            sizeof(struct gbx_age_recipient));
        expect_refused(directory, "missing.key", -ENOENT, "missing.key");
        for (mode_t bit = 001; bit <= 040; bit <<= 1) {
                assert_int_equal(fchmodat(directory, GBX_KEYS_SITE, 0600 | bit, 0), 0);
                expect_refused(directory, GBX_KEYS_SITE, -EPERM, "mode");
        }
        assert_int_equal(fchmodat(directory, GBX_KEYS_SITE, 0600, 0), 0);
        assert_int_equal(fchmod(directory, 0770), 0);
        expect_refused(directory, GBX_KEYS_SITE, -EPERM, "directory");
        assert_int_equal(fchmod(directory, 0700), 0);
        assert_int_equal(linkat(directory, GBX_KEYS_SITE, directory, "second.key", 0), 0);
        expect_refused(directory, GBX_KEYS_SITE, -EPERM, "hard link");
        assert_int_equal(unlinkat(directory, "second.key", 0), 0);
        assert_int_equal(symlinkat(GBX_KEYS_SITE, directory, "link.key"), 0);
        expect_refused(directory, "link.key", -ELOOP, "link.key");
        assert_int_equal(unlinkat(directory, "link.key", 0), 0);
        if (geteuid() == 0) {
                assert_int_equal(fchownat(directory, GBX_KEYS_SITE, 65534, (gid_t)-1, 0), 0);
                expect_refused(directory, GBX_KEYS_SITE, -EPERM, "another user");
                assert_int_equal(fchownat(directory, GBX_KEYS_SITE, 0, (gid_t)-1, 0), 0);
        }
        assert_int_equal(gbx_write_file_durably(directory, GBX_KEYS_SITE, "# nothing\n\n", 11, 0600, NULL), 0);
        expect_refused(directory, GBX_KEYS_SITE, -EINVAL, "no key");
        assert_int_equal(gbx_write_file_durably(directory, GBX_KEYS_SITE, "a\nb\n", 4, 0600, NULL), 0);
        expect_refused(directory, GBX_KEYS_SITE, -EINVAL, "more than one");
        assert_int_equal(unlinkat(directory, GBX_KEYS_SITE, 0), 0);
        assert_int_equal(rmdir(path), 0); /* and no temporary file was left */
}

static void raw_keys_come_back_and_are_destroyed(void **state) {
        char path[] = "/tmp/gbx-test-keys-XXXXXX", name[GBX_KEYS_NAME_SIZE], other[GBX_KEYS_NAME_SIZE];
        gbx_auto(gbx_close_fd) int directory = make_directory(path), open_before = -1;
        gbx_auto(gbx_secret_free) struct gbx_secret made = {}, loaded = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer before = {}, after = {};

        (void)state;
        assert_int_equal(gbx_keys_create_raw(directory, GBX_KEYS_WATERMARK, &made, NULL), 0);
        assert_int_equal(gbx_keys_load_raw(directory, GBX_KEYS_WATERMARK, &loaded, NULL), 0);
        assert_int_equal(loaded.size, GBX_KEYS_RAW_SIZE);
        assert_memory_equal(made.data, loaded.data, GBX_KEYS_RAW_SIZE);
        expect_refused(directory, GBX_KEYS_WATERMARK, -EINVAL, "identity"); /* one kind is not the other */
        open_before = openat(directory, GBX_KEYS_WATERMARK, O_RDONLY | O_CLOEXEC);
        assert_int_equal(gbx_read_fd(open_before, 4096, &before, NULL), 0);
        assert_int_equal(gbx_keys_destroy(directory, GBX_KEYS_WATERMARK, NULL), 0);
        assert_int_equal(gbx_keys_destroy(directory, GBX_KEYS_WATERMARK, NULL), -ENOENT);
        assert_int_equal(lseek(open_before, 0, SEEK_SET), 0); /* the very blocks were overwritten */
        assert_int_equal(gbx_read_fd(open_before, 4096, &after, NULL), 0);
        assert_int_equal(before.size, after.size);
        assert_null(memmem(after.data, after.size, "GLOVEBOX-KEY", 12));
        gbx_keys_dataset_name("credit", "1", name);
        gbx_keys_dataset_name("credit", "2", other);
        assert_string_not_equal(name, other);
        assert_int_equal(strlen(name), strlen("dataset-") + 40 + strlen(".key"));
        assert_int_equal(rmdir(path), 0);
}

/* --- deliveries --------------------------------------------------------------------- */

static const struct gbx_delivery_limits small = { .bytes = 1 << 20, .files = 8 };
static const struct gbx_output_limits output_limits = { .files = 6, .file_bytes = 65536, .total_bytes = 100000 };

/* NULL, and the test is skipped, where mounts cannot be made. */
static struct gbx_delivery *new_delivery(enum gbx_delivery_kind kind) {
        struct gbx_delivery *delivery = NULL;
        struct gbx_error err = {};
        int r = gbx_delivery_new(&delivery, kind, small, &err);

        if (r == -EPERM)
                skip();
        if (r < 0)
                fail_msg("%s", err.message);
        return delivery;
}

static void put(struct gbx_delivery *delivery, const char *name, const char *text) {
        gbx_auto(gbx_close_fd) int fd = gbx_delivery_create(delivery, name, NULL);

        assert_true(fd >= 0);
        assert_int_equal(gbx_write_all(fd, text, strlen(text), NULL), 0);
}

/* How many processes' mount tables show the file system of `fd`. */
static unsigned tables_with(int fd) {
        gbx_auto(gbx_close_directory) DIR *processes = opendir("/proc");
        struct dirent *entry;
        struct stat status;
        char device[32];
        unsigned found = 0, read_tables = 0;

        assert_non_null(processes);
        assert_int_equal(fstat(fd, &status), 0);
        (void)snprintf(device, sizeof device, " %u:%u ", major(status.st_dev), minor(status.st_dev));
        while ((entry = readdir(processes))) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer table = {};
                char path[300];

                (void)snprintf(path, sizeof path, "/proc/%s/mountinfo", entry->d_name);
                if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
                    gbx_read_file(AT_FDCWD, path, 4 << 20, &table, NULL) < 0)
                        continue;
                read_tables++;
                found += strstr(gbx_buffer_text(&table), device) != NULL;
        }
        assert_true(read_tables > 0);
        return found;
}

/* Runs `act` in a child with a mount namespace of its own, where the delivery is at /tmp. Returns its exit status. */
static int inside(const struct gbx_delivery *delivery, int (*act)(void)) {
        pid_t child = fork();
        int status = -1;

        if (child == 0) {
                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    move_mount(gbx_delivery_mount_fd(delivery), "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
                    chdir("/tmp") < 0 || setgid(12345) < 0 || setuid(12345) < 0)
                        _exit(100);
                _exit(act());
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static int read_but_not_write(void) {
        char text[32];
        int fd = open("credit.csv", O_RDONLY);

        if (fd < 0 || read(fd, text, sizeof text) != 9 || memcmp(text, "id,value\n", 9) != 0)
                return 1;
        if (open("credit.csv", O_WRONLY) >= 0 || open("new", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EROFS)
                return 2;
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED)
                return 3;
        return unlink("credit.csv") < 0 ? 0 : 4;
}

static void delivered_data_has_no_path(void **state) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = new_delivery(GBX_DELIVERY_DATA);
        gbx_auto(gbx_close_fd) int open_file = -1;
        struct gbx_error err = {};

        (void)state;
        print_message("# delivered data: %s\n", gbx_delivery_noswap(delivery) ? "noswap" : "host without swap");
        put(delivery, "credit.csv", "id,value\n");
        assert_int_equal(gbx_delivery_create(delivery, "credit.csv", NULL), -EEXIST);
        assert_int_equal(gbx_delivery_create(delivery, "../credit.csv", NULL), -EINVAL);
        open_file = gbx_delivery_create(delivery, "open", NULL);
        assert_int_equal(gbx_delivery_seal(delivery, &err), -EBUSY);
        assert_non_null(strstr(err.message, "open for writing"));
        gbx_close_fd(&open_file);
        assert_int_equal(gbx_delivery_seal(delivery, NULL), 0);
        assert_int_equal(gbx_delivery_create(delivery, "late", NULL), -EPERM);
        assert_int_equal(openat(gbx_delivery_mount_fd(delivery), "late", O_CREAT | O_WRONLY, 0600), -1);
        assert_int_equal(errno, EROFS);
        assert_int_equal(tables_with(gbx_delivery_mount_fd(delivery)), 0);
        assert_int_equal(inside(delivery, read_but_not_write), 0);
        assert_int_equal(tables_with(gbx_delivery_mount_fd(delivery)), 0);
}

/* The scan must be able to see: a child that has the mount attached shows it in its own table, and there only. */
static void scan_sees_an_attached_mount(void **state) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = new_delivery(GBX_DELIVERY_DATA);
        int ready[2];
        pid_t child;
        char byte;

        (void)state;
        assert_int_equal(pipe(ready), 0);
        child = fork();
        if (child == 0) {
                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    move_mount(gbx_delivery_mount_fd(delivery), "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                        _exit(1);
                _exit(write(ready[1], "x", 1) == 1 && poll(NULL, 0, 10000) == 0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_int_equal(tables_with(gbx_delivery_mount_fd(delivery)), 1);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(tables_with(gbx_delivery_mount_fd(delivery)), 0);
        (void)close(ready[0]);
        (void)close(ready[1]);
}

static void limits_hold(void **state) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = new_delivery(GBX_DELIVERY_OUTPUT);
        static const char page[4096];
        gbx_auto(gbx_close_fd) int fd = gbx_delivery_create(delivery, "f0", NULL);
        int r = 0;

        (void)state;
        for (unsigned i = 0; i < small.bytes / sizeof page; i++)
                assert_int_equal(gbx_write_all(fd, page, sizeof page, NULL), 0);
        assert_int_equal(gbx_write_all(fd, page, 1, NULL), -ENOSPC);
        for (unsigned i = 1; i <= small.files && r >= 0; i++) {
                char name[16];

                (void)snprintf(name, sizeof name, "f%u", i);
                r = gbx_delivery_create(delivery, name, NULL);
                assert_true((r >= 0) == (i < small.files));
                if (r >= 0)
                        (void)close(r);
        }
        assert_int_equal(r, -ENOSPC);
        assert_int_equal(gbx_delivery_new(&delivery, GBX_DELIVERY_DATA, (struct gbx_delivery_limits){ 0, 1 }, NULL),
                         -EINVAL);
}

/* --- what jobs leave behind: each either collected, or refused with its name ------------ */

static int read_copies(void) {
        char text[32];
        int fd = open("table.csv", O_RDONLY);

        return fd < 0 || read(fd, text, sizeof text) != 4 || memcmp(text, "a,b\n", 4) != 0 ||
               access("release.json", R_OK) < 0 || open("table.csv", O_WRONLY) >= 0;
}

static int put_here(const char *name, const char *text, size_t size) {
        int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);

        return fd < 0 || (size && write(fd, text, size) != (ssize_t)size) || close(fd) < 0;
}

static int leave_good(void) { return put_here("table.csv", "a,b\n", 4) | put_here("release.json", "{}", 2); }
static int leave_nothing(void) { return 0; }
static int leave_symlink(void) { return symlink("/etc/shadow", "table.csv"); }
static int leave_fifo(void) { return mkfifo("table.csv", 0666); }
static int leave_directory(void) { return mkdir("table.csv", 0777); }
static int leave_hard_link(void) { return put_here("table.csv", "a", 1) | link("table.csv", "other.csv"); }
static int leave_bad_name(void) { return put_here("a\n\x1b[2Jb", "a", 1); }
static int leave_capital(void) { return put_here("Table.csv", "a", 1); }
static int leave_hidden(void) { return put_here(".hidden", "a", 1); }
static int leave_big(void) { return put_here("table.csv", "a", 1) | truncate("table.csv", 65537); }
static int leave_sparse(void) { return put_here("table.csv", "a", 1) | truncate("table.csv", 1LL << 40); }

static int leave_too_much(void) {
        return put_here("a", "a", 1) | truncate("a", 60000) | put_here("b", "a", 1) | truncate("b", 60000);
}

static int leave_many(void) {
        int bad = 0;

        for (char name[2] = "a"; name[0] < 'h'; name[0]++)
                bad |= put_here(name, "", 0);
        return bad;
}

static void outputs_are_collected_or_refused(void **state) {
        static const struct {
                int (*leave)(void);
                int code;
                const char *word;
        } cases[] = {
                { leave_symlink, -EINVAL, "'table.csv' is a symbolic link" },
                { leave_fifo, -EINVAL, "'table.csv' is a fifo" },
                { leave_directory, -EINVAL, "'table.csv' is a directory" },
                { leave_hard_link, -EINVAL, "hard links" },
                { leave_bad_name, -EINVAL, "'a\\x0a\\x1b[2Jb'" },
                { leave_capital, -EINVAL, "'Table.csv'" },
                { leave_hidden, -EINVAL, "'.hidden'" },
                { leave_big, -EDQUOT, "65537 bytes" },
                { leave_sparse, -EDQUOT, "1099511627776 bytes" },
                { leave_too_much, -EDQUOT, "100000 bytes" },
                { leave_many, -EDQUOT, "6 output files" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = new_delivery(GBX_DELIVERY_OUTPUT);
                struct gbx_outputs outputs = {};
                struct gbx_error err = {};

                assert_int_equal(inside(delivery, cases[i].leave), 0);
                assert_int_equal(gbx_delivery_collect(delivery, output_limits, &outputs, &err), cases[i].code);
                if (!strstr(err.message, cases[i].word))
                        fail_msg("'%s' does not say '%s'", err.message, cases[i].word);
                assert_null(outputs.list);
        }
}

static void good_outputs_come_back(void **state) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = new_delivery(GBX_DELIVERY_OUTPUT);
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *empty = new_delivery(GBX_DELIVERY_OUTPUT);
        gbx_auto(gbx_outputs_free) struct gbx_outputs outputs = {}, none = {};
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *again = NULL, *nothing = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};

        (void)state;
        assert_int_equal(inside(empty, leave_nothing), 0);
        assert_int_equal(gbx_delivery_collect(empty, output_limits, &none, NULL), 0);
        assert_int_equal(none.count, 0);
        assert_int_equal(inside(delivery, leave_good), 0);
        assert_int_equal(gbx_delivery_collect(delivery, output_limits, &outputs, NULL), 0);
        assert_int_equal(outputs.count, 2);
        assert_string_equal(outputs.list[0].name, "release.json");
        assert_string_equal(outputs.list[1].name, "table.csv");
        assert_int_equal(outputs.list[1].size, 4);
        assert_int_equal(gbx_outputs_deliver(&outputs, &again, NULL), 0);
        assert_int_equal(inside(again, read_copies), 0);
        assert_int_equal(gbx_outputs_deliver(&none, &nothing, NULL), 0);
        assert_int_equal(gbx_read_fd(outputs.list[1].fd, 100, &content, NULL), 0);
        assert_string_equal(gbx_buffer_text(&content), "a,b\n");
}

/* A device node needs a capability that no job has; we make it ourselves. */
static void device_is_refused(void **state) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = new_delivery(GBX_DELIVERY_OUTPUT);
        struct gbx_outputs outputs = {};
        struct gbx_error err = {};

        (void)state;
        if (mknodat(gbx_delivery_mount_fd(delivery), "table.csv", S_IFCHR | 0666, makedev(1, 5)) < 0)
                skip();
        assert_int_equal(gbx_delivery_collect(delivery, output_limits, &outputs, &err), -EINVAL);
        assert_non_null(strstr(err.message, "is a device"));
}

/* A job that is not dead yet cannot be collected: its file might still grow. */
static void living_writer_is_noticed(void **state) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = new_delivery(GBX_DELIVERY_OUTPUT);
        gbx_auto(gbx_outputs_free) struct gbx_outputs outputs = {};
        int ready[2];
        pid_t child;
        char byte;

        (void)state;
        assert_int_equal(pipe(ready), 0);
        child = fork();
        if (child == 0) {
                int fd;

                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    move_mount(gbx_delivery_mount_fd(delivery), "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                        _exit(1);
                fd = open("/tmp/table.csv", O_CREAT | O_WRONLY, 0600);
                _exit(fd < 0 || write(ready[1], "x", 1) != 1 || poll(NULL, 0, 10000) != 0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_int_equal(gbx_delivery_collect(delivery, output_limits, &outputs, NULL), -EBUSY);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(gbx_delivery_collect(delivery, output_limits, &outputs, NULL), 0);
        assert_int_equal(outputs.count, 1);
        (void)close(ready[0]);
        (void)close(ready[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(secrets_are_locked_and_not_inherited),
                cmocka_unit_test(no_secret_without_locking),
                cmocka_unit_test(key_files_are_made_once_and_guarded),
                cmocka_unit_test(raw_keys_come_back_and_are_destroyed),
                cmocka_unit_test(delivered_data_has_no_path),
                cmocka_unit_test(scan_sees_an_attached_mount),
                cmocka_unit_test(limits_hold),
                cmocka_unit_test(outputs_are_collected_or_refused),
                cmocka_unit_test(good_outputs_come_back),
                cmocka_unit_test(device_is_refused),
                cmocka_unit_test(living_writer_is_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
