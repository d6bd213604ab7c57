/*
 * gateway/log: power cuts and failing disks
 *
 * Every change of the disk goes through gbx_log_io. The model below follows
 * what is certain to be on disk (a file's bytes when it was flushed, a
 * directory's names when it was flushed) and, after each single operation,
 * builds the directory that a power cut would leave at worst, again with half
 * of the last write on disk, and again with the log's state ahead of its tiles
 * as far as the flushes permit; the log must recover from each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "gateway/log/writer/io.h"
#include "gateway/log/writer/journal_frame.h"
#include "tests/unit/log_workload.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { NODES_MAX = 4096, NAMES_MAX = 300 };

/* --- what is on disk for certain ------------------------------------------ */

struct name {
        char *name;
        size_t node;
};

struct node { /* a file or a directory, once created; never reused */
        ino_t inode;
        bool directory;
        struct gbx_buffer content; /* of a file, when it was last flushed */
        struct gbx_buffer torn;    /* the same with half of the write that came after */
        struct name names[NAMES_MAX];
        size_t name_count;
};

static struct node *nodes;
static size_t node_count;
static struct fixture *f;
static struct acknowledged ack;
static struct gbx_log_io real;
static uint64_t steps;

static size_t find_node(const struct stat *status) {
        for (size_t i = node_count; i-- > 0;) /* the newest with this inode number */
                if (nodes[i].inode == status->st_ino)
                        return i;
        assert_true(node_count < NODES_MAX);
        nodes[node_count] = (struct node){ .inode = status->st_ino, .directory = S_ISDIR(status->st_mode) };
        return node_count++;
}

static void forget_names(struct node *node) {
        for (size_t i = 0; i < node->name_count; i++)
                free(node->names[i].name);
        node->name_count = 0;
}

static void flush_directory(int fd, struct node *node) {
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fdopendir(copy);
        struct dirent *entry;

        assert_non_null(directory);
        forget_names(node);
        while ((entry = readdir(directory))) {
                struct stat status;

                if (entry->d_name[0] == '.' && (entry->d_name[1] == '\0' || entry->d_name[1] == '.'))
                        continue;
                assert_int_equal(fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW), 0);
                assert_true(node->name_count < NAMES_MAX);
                node->names[node->name_count++] = (struct name){ strdup(entry->d_name), find_node(&status) };
        }
        (void)closedir(directory);
}

static void read_all(int fd, struct gbx_buffer *ret) {
        gbx_auto(gbx_close_fd) int own = -1;
        char path[64];

        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        own = open(path, O_RDONLY | O_CLOEXEC);
        gbx_buffer_clear(ret);
        assert_int_equal(gbx_read_fd(own, 1 << 24, ret, NULL), 0);
}

static void flushed(int fd) {
        struct stat status;
        struct node *node;

        assert_int_equal(fstat(fd, &status), 0);
        node = &nodes[find_node(&status)];
        if (node->directory) {
                flush_directory(fd, node);
                return;
        }
        read_all(fd, &node->content);
        gbx_buffer_free(&node->torn);
}

/* --- the directory after a power cut -------------------------------------- */

enum cut {
        AT_WORST, /* only what was flushed */
        TORN,     /* and half of the last write */
        AHEAD,    /* and the names in the log's own directory and in .state as they are now */
        CUTS,
};

static void build(const struct node *node, int parent, const char *name, enum cut cut) {
        const struct gbx_buffer *content = cut == TORN && node->torn.size > 0 ? &node->torn : &node->content;
        gbx_auto(gbx_close_fd) int fd = -1;

        if (!node->directory) {
                fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                assert_true(fd >= 0);
                assert_int_equal(gbx_write_all(fd, content->data, content->size, NULL), 0);
                return;
        }
        assert_int_equal(mkdirat(parent, name, 0700), 0);
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < node->name_count; i++)
                build(&nodes[node->names[i].node], fd, node->names[i].name, cut);
}

/* Builds `path` with the present names of the log's directory (or of .state in it) and flushed content. */
static void build_ahead(const char *from, int parent, const char *name) {
        gbx_auto(gbx_close_fd) int live = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
        static struct node now[2];
        struct node *node = strstr(from, "/.state") ? &now[1] : &now[0];
        char inner[160];

        node->directory = true;
        flush_directory(live, node);
        assert_int_equal(mkdirat(parent, name, 0700), 0);
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < node->name_count; i++) {
                if (strcmp(node->names[i].name, ".state") != 0) {
                        build(&nodes[node->names[i].node], fd, node->names[i].name, AHEAD);
                        continue;
                }
                (void)snprintf(inner, sizeof inner, "%.100s/.state", from);
                build_ahead(inner, fd, ".state");
        }
        forget_names(node);
}

/* After each operation: cut the power, recover, check. */
static void cut_power(void) {
        struct gbx_log_io model = gbx_log_io;
        struct stat status;
        char after[100];

        gbx_log_io = real;
        steps++;
        note_published(f->path, &ack);
        assert_int_equal(stat(f->path, &status), 0);
        (void)snprintf(after, sizeof after, "%s/after", f->directory);
        for (enum cut cut = AT_WORST; cut < CUTS; cut++) {
                static const char *const names[] = { "", ", torn", ", with its state ahead" };
                const char *problem;

                if (cut == AHEAD)
                        build_ahead(f->path, AT_FDCWD, after);
                else
                        build(&nodes[find_node(&status)], AT_FDCWD, after, cut);
                problem = check_recovery(f, after, &ack);
                if (problem)
                        fail_msg("power cut after operation %llu%s: %s", (unsigned long long)steps, names[cut], problem);
                remove_tree(after);
        }
        gbx_log_io = model;
}

static int model_open(int directory, const char *path, int flags, mode_t mode) {
        int fd = real.open(directory, path, flags, mode);
        struct stat status;

        if (fd >= 0 && (flags & O_CREAT)) {
                assert_int_equal(fstat(fd, &status), 0);
                assert_true(node_count < NODES_MAX);
                nodes[node_count++] = (struct node){ .inode = status.st_ino };
                cut_power();
        }
        return fd;
}

static ssize_t model_pwrite(int fd, const void *data, size_t size, off_t offset) {
        ssize_t n = real.pwrite(fd, data, size, offset);
        struct stat status;
        struct node *node;

        assert_int_equal(fstat(fd, &status), 0);
        node = &nodes[find_node(&status)];
        /* what is flushed, and over it the first half of this write */
        gbx_buffer_clear(&node->torn);
        assert_int_equal(gbx_buffer_append(&node->torn, node->content.data, node->content.size, NULL), 0);
        while (node->torn.size < (size_t)offset + size / 2)
                assert_int_equal(gbx_buffer_append_byte(&node->torn, 0, NULL), 0);
        memcpy(node->torn.data + offset, data, size / 2);
        cut_power();
        return n;
}

static int model_fsync(int fd) {
        int r = real.fsync(fd);

        flushed(fd);
        cut_power();
        return r;
}

static int model_rename(int directory, const char *from, const char *to) {
        int r = real.rename(directory, from, to);

        cut_power();
        return r;
}

static int model_mkdir(int directory, const char *path, mode_t mode) {
        int r = real.mkdir(directory, path, mode), saved = errno;

        if (r == 0) {
                struct stat status;

                assert_int_equal(fstatat(directory, path, &status, 0), 0);
                assert_true(node_count < NODES_MAX);
                nodes[node_count++] = (struct node){ .inode = status.st_ino, .directory = true };
                cut_power();
        }
        errno = saved;
        return r;
}

static int model_ftruncate(int fd, off_t size) {
        int r = real.ftruncate(fd, size);

        cut_power();
        return r;
}

static int model_unlink(int directory, const char *path, int flags) {
        int r = real.unlink(directory, path, flags);

        if (r == 0)
                cut_power();
        return r;
}

static const struct gbx_log_io model = {
        .open = model_open,
        .pwrite = model_pwrite,
        .fdatasync = model_fsync,
        .fsync = model_fsync,
        .ftruncate = model_ftruncate,
        .rename = model_rename,
        .mkdir = model_mkdir,
        .unlink = model_unlink,
};

/* Remembers a directory as it is, all of it on disk. */
static void remember_tree(int parent, const char *path) {
        gbx_auto(gbx_close_fd) int fd = openat(parent, path, O_RDONLY | O_CLOEXEC);
        struct stat status;
        size_t node;

        assert_int_equal(fstat(fd, &status), 0);
        node = find_node(&status);
        flushed(fd);
        for (size_t i = 0; i < nodes[node].name_count; i++)
                remember_tree(fd, nodes[node].names[i].name);
}

static void every_power_cut_is_survived(void **state) {
        struct gbx_log_options options = { .journal_bytes = 3000 }; /* so that it starts anew meanwhile */
        gbx_auto(gbx_log_freep) struct gbx_log *log = NULL;

        f = *state;
        ack = (struct acknowledged){};
        nodes = calloc(NODES_MAX, sizeof *nodes);
        node_count = 0;
        steps = 0;
        real = gbx_log_io;
        assert_int_equal(gbx_log_create(AT_FDCWD, f->path, NULL, &f->signer, NULL), 0);
        assert_int_equal(gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, &options, NULL), 0);
        assert_int_equal(fixture_fill(log, 0, 3), 0);
        assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        ack.entries = 3;
        remember_tree(AT_FDCWD, f->path);
        gbx_log_io = model;
        for (size_t i = 0; i < gbx_array_size(workload); i++) {
                uint64_t end = ack.entries + workload[i];

                while (ack.entries < end) {
                        if (workload[i] > 10) /* checks at each of many appends would only repeat themselves */
                                gbx_log_io = ack.entries + 2 < end && ack.entries > 10 ? real : model;
                        assert_int_equal(fixture_fill(log, ack.entries, ack.entries + 1), 0);
                        ack.entries++;
                        if (gbx_log_io.pwrite == real.pwrite)
                                remember_tree(AT_FDCWD, f->path);
                }
                gbx_log_io = model;
                assert_int_equal(gbx_log_checkpoint(log, NULL, NULL), 0);
        }
        gbx_log_io = real;
        assert_true(steps > 100);
        for (size_t i = 0; i < node_count; i++) {
                forget_names(&nodes[i]);
                gbx_buffer_free(&nodes[i].content);
                gbx_buffer_free(&nodes[i].torn);
        }
        free(nodes);
}

/* --- a failing disk ------------------------------------------------------- */

static uint64_t countdown; /* operations until one fails; 0: none does */
static int failure;        /* an errno; 0: a short write, then ENOSPC */
static bool failed;

static bool fails_now(void) {
        if (countdown == 0 || --countdown > 0)
                return false;
        failed = true;
        errno = failure;
        return true;
}

static int failing_open(int directory, const char *path, int flags, mode_t mode) {
        return failure && fails_now() ? -1 : real.open(directory, path, flags, mode);
}
static ssize_t failing_pwrite(int fd, const void *data, size_t size, off_t offset) {
        if (!fails_now())
                return real.pwrite(fd, data, size, offset);
        if (failure)
                return -1;
        countdown = 1; /* the rest of this write meets a full disk */
        failure = ENOSPC;
        return real.pwrite(fd, data, size > 1 ? size / 2 : size, offset);
}
static int failing_fsync(int fd) { return failure && fails_now() ? -1 : real.fsync(fd); }
static int failing_rename(int directory, const char *from, const char *to) {
        return failure && fails_now() ? -1 : real.rename(directory, from, to);
}
static int failing_mkdir(int directory, const char *path, mode_t mode) {
        return failure && fails_now() ? -1 : real.mkdir(directory, path, mode);
}

static const struct gbx_log_io failing_disk = {
        .open = failing_open,
        .pwrite = failing_pwrite,
        .fdatasync = failing_fsync,
        .fsync = failing_fsync,
        .ftruncate = ftruncate,
        .rename = failing_rename,
        .mkdir = failing_mkdir,
        .unlink = unlinkat,
};

/* Appends and checkpoints in spite of failures; what returned well is acknowledged. */
static void work_on(struct gbx_log *log) {
        for (unsigned round = 0; round < 4; round++) {
                for (unsigned i = 0; i < 3; i++) {
                        char entry[512];
                        uint64_t index = 0;

                        if (gbx_log_append(log, entry, fixture_entry(ack.entries, entry), &index, NULL) < 0)
                                continue;
                        assert_int_equal(index, ack.entries);
                        ack.entries++;
                }
                (void)gbx_log_checkpoint(log, NULL, NULL);
                note_published(f->path, &ack);
        }
}

static void fail_everywhere(int code) {
        for (uint64_t at = 1;; at++) {
                struct gbx_log *log;
                const char *problem;

                ack = (struct acknowledged){};
                failed = false;
                log = fixture_create(f);
                assert_non_null(log);
                countdown = at;
                failure = code;
                gbx_log_io = failing_disk;
                work_on(log);
                gbx_log_io = real;
                gbx_log_free(log);
                if (!failed)
                        break;
                problem = check_recovery(f, f->path, &ack);
                if (problem)
                        fail_msg("failure %d at operation %llu: %s", code, (unsigned long long)at, problem);
                remove_tree(f->path);
                steps = at;
        }
        assert_true(steps > (code ? 40 : 10));
}

static void every_failing_call_is_survived(void **state) {
        f = *state;
        real = gbx_log_io;
        fail_everywhere(EIO);
        remove_tree(f->path);
        fail_everywhere(ENOSPC);
        remove_tree(f->path);
        fail_everywhere(0); /* short writes */
}

static void after_a_failed_flush_nothing_more_is_taken(void **state) {
        struct gbx_error err = {};
        struct gbx_log *log;

        f = *state;
        real = gbx_log_io;
        log = fixture_create(f);
        assert_int_equal(fixture_fill(log, 0, 2), 0);
        gbx_log_io = failing_disk;
        failure = EIO;
        countdown = 2; /* the write, then its flush */
        assert_int_equal(gbx_log_append(log, "lost", 4, NULL, &err), -EIO);
        gbx_log_io = real;
        assert_int_equal(gbx_log_append(log, "refused", 7, NULL, &err), -EIO);
        assert_non_null(strstr(err.message, "open the log anew"));
        gbx_log_free(log);
        log = fixture_open(f);
        assert_int_equal(gbx_log_size(log), 2);
        assert_int_equal(fixture_fill(log, 2, 4), 0);
        gbx_log_free(log);
}

/* --- damage is not a crash ------------------------------------------------ */

static void only_a_torn_tail_is_cut_off(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer journal = {};
        struct gbx_error err = {};
        char path[160];
        struct gbx_log *log;
        FILE *file;

        f = *state;
        log = fixture_create(f);
        assert_int_equal(fixture_fill(log, 0, 8), 0);
        gbx_log_free(log);
        (void)snprintf(path, sizeof path, "%.100s/.state/journal", f->path);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 20, &journal, NULL), 0);
        for (size_t cut = 1; cut < 40; cut += 3) { /* within the last frame: a mark says that it was whole */
                file = fopen(path, "we");
                assert_int_equal(fwrite(journal.data, 1, journal.size - cut, file), journal.size - cut);
                assert_int_equal(fclose(file), 0);
                assert_int_equal(gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, NULL, &err), -EBADMSG);
                assert_non_null(strstr(err.message, "entries up to 7 were acknowledged"));
        }
        for (size_t cut = 1; cut < 40; cut += 3) { /* the power failed before the mark was on disk: gone */
                file = fopen(path, "we");
                assert_int_equal(fwrite(journal.data, 1, journal.size - cut, file), journal.size - cut);
                assert_int_equal(fseek(file, GBX_JOURNAL_MARKS + GBX_JOURNAL_MARK, SEEK_SET), 0); /* the eighth */
                assert_int_equal(fwrite("?", 1, 1, file), 1);
                assert_int_equal(fclose(file), 0);
                log = fixture_open(f);
                assert_int_equal(gbx_log_size(log), 7);
                gbx_log_free(log);
        }
        journal.data[GBX_JOURNAL_HEADER + 70] ^= 1; /* in the first frames: good ones stand behind it */
        file = fopen(path, "we");
        assert_int_equal(fwrite(journal.data, 1, journal.size, file), journal.size);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, NULL, &err), -EBADMSG);
        assert_non_null(strstr(err.message, "damaged at entry"));
        assert_int_equal(gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer,
                                      &(struct gbx_log_options){ .accept_journal_loss = true }, &err), 0);
        assert_int_equal(gbx_log_size(log), 0);
        gbx_log_free(log);
}

/* --- a disk that is really full ------------------------------------------- */

static int fill_small_disk(void) {
        struct gbx_log *log;
        struct gbx_error err = {};
        int r = 0;

        if (mount("tmpfs", f->directory, "tmpfs", 0, "size=400k") < 0)
                return 77;
        log = fixture_create(f);
        if (!log)
                return 1;
        ack = (struct acknowledged){};
        while (r == 0 && ack.entries < 10000) {
                r = fixture_fill(log, ack.entries, ack.entries + 1);
                if (r == 0)
                        ack.entries++;
                if (r == 0 && ack.entries % 50 == 0)
                        r = gbx_log_checkpoint(log, NULL, &err);
                note_published(f->path, &ack);
        }
        if (r != -ENOSPC || ack.entries < 100)
                return 2;
        if (gbx_log_checkpoint(log, NULL, &err) == 0) /* nothing may leave: no checkpoint covers it */
                return 3;
        gbx_log_free(log);
        if (mount("tmpfs", f->directory, "tmpfs", MS_REMOUNT, "size=8m") < 0)
                return 4;
        return check_recovery(f, f->path, &ack) ? 5 : 0;
}

static void a_full_disk_loses_nothing(void **state) {
        pid_t child;
        int status = 0;

        f = *state;
        child = fork();
        if (child == 0)
                _exit(unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? 77 : fill_small_disk());
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip(); /* only root may mount */
        assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(every_power_cut_is_survived),
                TEST(every_failing_call_is_survived),
                TEST(after_a_failed_flush_nothing_more_is_taken),
                TEST(only_a_torn_tail_is_cut_off),
                TEST(a_full_disk_loses_nothing),
        };

        /* The model says what is durable; real flushes would only take time. */
        if (access("/dev/shm", W_OK) == 0)
                (void)setenv("TEST_DIRECTORY", "/dev/shm", 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
