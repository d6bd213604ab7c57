/*
 * log-bench [--quick] DIR [MEMORY-DIR]: how fast the action log is, beside the naive ways, on the file system of DIR
 *
 * One fdatasync an entry, and an SQLite insert (WAL, synchronous=FULL) an entry, are measured in the same run as
 * the log's group commit with 1, 8 and 64 threads that each wait for their entry. Then a log of 10^6 entries
 * (--quick: 10^5): verifying, replaying (parsing and checking each entry), proving. That part is about the
 * processor: with MEMORY-DIR (on a tmpfs) building the log does not wait for a disk.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"
#include "gateway/log/format/proof.h"
#include "gateway/log/verify/verify.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WRITERS_MAX = 64, BATCH = 4096 };

static double seconds_each = 3;
static struct gbx_note_signer signer;
static char entry[512];
static size_t entry_size;

static double now(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const struct gbx_error *err) {
        (void)fprintf(stderr, "log-bench: %s: %s\n", what, err ? err->message : "failed");
        exit(1);
}

/* A typical entry: some 330 bytes. */
static void make_entry(void) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_error err = {};
        json_t *json;

        if (gbx_entry_new(&json, "run.decide", "bank-a", "run-20261125-0001", "allowed", 1795571857,
                          json_pack("{s:s, s:s, s:[s], s:s}", "algorithm",
                                    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "purpose",
                                    "credit-scoring", "datasets", "credit", "policy",
                                    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), &err) < 0 ||
            gbx_entry_format(json, &text, &err) < 0)
                die("entry", &err);
        json_decref(json);
        entry_size = text.size;
        memcpy(entry, text.data, text.size);
}

/* --- durable entries a second --------------------------------------------- */

static double bench_fdatasync(const char *directory) {
        char path[512];
        uint64_t count = 0;
        double start = now(), elapsed;
        int fd;

        (void)snprintf(path, sizeof path, "%s/naive", directory);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        while ((elapsed = now() - start) < seconds_each) {
                if (write(fd, entry, entry_size) != (ssize_t)entry_size || fdatasync(fd) < 0)
                        die("fdatasync", NULL);
                count++;
        }
        (void)close(fd);
        return (double)count / elapsed;
}

static double bench_sqlite(const char *directory) {
        char path[512];
        sqlite3 *db;
        sqlite3_stmt *insert;
        uint64_t count = 0;
        double start, elapsed;

        (void)snprintf(path, sizeof path, "%s/naive.db", directory);
        if (sqlite3_open(path, &db) != SQLITE_OK ||
            sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE log(seq INTEGER PRIMARY KEY, entry TEXT)",
                         NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_prepare_v2(db, "INSERT INTO log(entry) VALUES(?1)", -1, &insert, NULL) != SQLITE_OK)
                die("sqlite", NULL);
        start = now();
        while ((elapsed = now() - start) < seconds_each) {
                (void)sqlite3_bind_text(insert, 1, entry, (int)entry_size, SQLITE_STATIC);
                if (sqlite3_step(insert) != SQLITE_DONE)
                        die("sqlite insert", NULL);
                (void)sqlite3_reset(insert);
                count++;
        }
        (void)sqlite3_finalize(insert);
        (void)sqlite3_close(db);
        return (double)count / elapsed;
}

struct writer {
        struct gbx_log *log;
        _Atomic bool *stop;
        uint64_t count;
};

static void *write_entries(void *argument) {
        struct writer *writer = argument;
        struct gbx_error err = {};

        while (!atomic_load(writer->stop)) {
                if (gbx_log_append(writer->log, entry, entry_size, NULL, &err) < 0)
                        die("append", &err);
                writer->count++;
        }
        return NULL;
}

static double bench_append(const char *directory, unsigned writers) {
        struct writer all[WRITERS_MAX];
        pthread_t threads[WRITERS_MAX];
        _Atomic bool stop = false;
        struct gbx_error err = {};
        struct gbx_log *log;
        char path[512];
        uint64_t count = 0;
        double start, elapsed;

        (void)snprintf(path, sizeof path, "%s/log-%u", directory, writers);
        if (gbx_log_create(AT_FDCWD, path, NULL, &signer, &err) < 0 ||
            gbx_log_open(&log, AT_FDCWD, path, NULL, &signer, NULL, &err) < 0)
                die("log", &err);
        start = now();
        for (unsigned i = 0; i < writers; i++) {
                all[i] = (struct writer){ .log = log, .stop = &stop };
                if (pthread_create(&threads[i], NULL, write_entries, &all[i]) != 0)
                        die("thread", NULL);
        }
        (void)nanosleep(&(struct timespec){ .tv_sec = (time_t)seconds_each }, NULL);
        atomic_store(&stop, true);
        for (unsigned i = 0; i < writers; i++) {
                (void)pthread_join(threads[i], NULL);
                count += all[i].count;
        }
        elapsed = now() - start;
        if (gbx_log_size(log) != count)
                die("entries are missing", NULL);
        gbx_log_free(log);
        return (double)count / elapsed;
}

/* --- a large log ---------------------------------------------------------- */

static void build(const char *path, uint64_t entries) {
        static struct gbx_bytes batch[BATCH];
        struct gbx_error err = {};
        struct gbx_log *log;
        double start = now();

        for (size_t i = 0; i < BATCH; i++)
                batch[i] = (struct gbx_bytes){ entry, entry_size };
        if (gbx_log_create(AT_FDCWD, path, NULL, &signer, &err) < 0 ||
            gbx_log_open(&log, AT_FDCWD, path, NULL, &signer, NULL, &err) < 0)
                die("log", &err);
        for (uint64_t done = 0; done < entries;) {
                size_t count = entries - done < BATCH ? (size_t)(entries - done) : BATCH;

                if (gbx_log_append_many(log, batch, count, NULL, &err) < 0)
                        die("append", &err);
                done += count;
        }
        if (gbx_log_checkpoint(log, NULL, &err) < 0)
                die("checkpoint", &err);
        gbx_log_free(log);
        printf("%-52s %12.0f entries/s\n", "build with tiles, in batches of 4,096", (double)entries / (now() - start));
}

static int parse_entry(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        json_t *json;
        int r = gbx_entry_parse(data, size, &json, err);

        (void)index;
        if (r < 0)
                return r;
        json_decref(json);
        (*(uint64_t *)context)++;
        return 0;
}

static long peak_kib(void) {
        struct rusage usage;

        (void)getrusage(RUSAGE_SELF, &usage);
        return usage.ru_maxrss;
}

static double cpu_seconds(void) {
        struct rusage usage;

        (void)getrusage(RUSAGE_SELF, &usage);
        return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 + (double)usage.ru_stime.tv_sec +
               (double)usage.ru_stime.tv_usec / 1e6;
}

/* In a process of its own, so that its peak of memory is its own. */
static void bench_verify(const char *path, uint64_t entries) {
        struct gbx_verify_options options = { .verifier = signer.verifier };
        struct gbx_error err = {};
        double start = now(), cpu;
        char label[64];
        pid_t child;
        int status;

        (void)fflush(stdout);
        child = fork();
        if (child != 0) {
                (void)waitpid(child, &status, 0);
                if (status != 0)
                        die("verify", NULL);
                return;
        }
        cpu = cpu_seconds();
        if (gbx_log_verify(AT_FDCWD, path, &options, NULL, &err) < 0)
                die("verify", &err);
        (void)snprintf(label, sizeof label, "verify %llu entries", (unsigned long long)entries);
        cpu = cpu_seconds() - cpu;
        printf("%-52s %12.0f entries/s of one core (%.0f/s by the clock), peak %ld KiB\n", label, (double)entries / cpu,
               (double)entries / (now() - start), peak_kib());
        (void)fflush(stdout);
        _exit(0);
}

static void bench_large(const char *directory, uint64_t entries) {
        gbx_auto(gbx_log_freep) struct gbx_log *log = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer proof_text = {};
        struct gbx_error err = {};
        struct gbx_proof proof;
        char path[512];
        uint64_t parsed = 0;
        double start;
        enum { PROOFS = 200 };

        (void)snprintf(path, sizeof path, "%s/small", directory);
        build(path, entries / 10);
        bench_verify(path, entries / 10);
        (void)snprintf(path, sizeof path, "%s/large", directory);
        build(path, entries);
        bench_verify(path, entries);
        start = now();
        if (gbx_log_open(&log, AT_FDCWD, path, NULL, &signer, NULL, &err) < 0)
                die("open", &err);
        printf("%-52s %12.1f ms\n", "open it", (now() - start) * 1e3);
        start = now();
        if (gbx_log_each(log, 0, parse_entry, &parsed, &err) != 0 || parsed != entries)
                die("replay", &err);
        printf("%-52s %12.0f entries/s\n", "read, parse and check each entry (replay's floor)", (double)parsed / (now() - start));
        start = now();
        for (unsigned i = 0; i < PROOFS; i++) {
                gbx_buffer_clear(&proof_text);
                if (gbx_log_prove(log, (uint64_t)i * 7919 * 131 % entries, &proof_text, &err) < 0)
                        die("prove", &err);
        }
        printf("%-52s %12.2f ms, %zu bytes (the entry's %zu in them)\n", "prove an entry", (now() - start) / PROOFS * 1e3,
               proof_text.size, entry_size);
        start = now();
        for (unsigned i = 0; i < PROOFS; i++)
                if (gbx_proof_parse(gbx_buffer_text(&proof_text), proof_text.size, &proof, &err) < 0 ||
                    gbx_proof_verify(&proof, entry, entry_size, &signer.verifier, NULL, NULL, &err) < 0)
                        die("check the proof", &err);
        printf("%-52s %12.2f ms\n", "check a proof, without the log", (now() - start) / PROOFS * 1e3);
}

int main(int argc, char **argv) {
        static const unsigned writers[] = { 1, 8, 64 };
        bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
        char **directories = argv + (quick ? 2 : 1);
        int count = argc - (quick ? 2 : 1);
        double naive, sqlite;

        if (count < 1 || count > 2) {
                (void)fprintf(stderr, "usage: log-bench [--quick] DIR [MEMORY-DIR]\n");
                return 2;
        }
        if (quick)
                seconds_each = 1;
        if (gbx_note_signer_generate("bench.example/log", GBX_NOTE_ED25519, &signer, NULL) < 0)
                return 1;
        make_entry();
        naive = bench_fdatasync(directories[0]);
        printf("durable entries of %zu bytes\n%-52s %12.0f entries/s\n", entry_size, "one write and fdatasync an entry", naive);
        sqlite = bench_sqlite(directories[0]);
        printf("%-52s %12.0f entries/s  %5.1fx\n", "SQLite insert an entry, WAL, synchronous=FULL", sqlite, sqlite / naive);
        for (size_t i = 0; i < gbx_array_size(writers); i++) {
                double rate = bench_append(directories[0], writers[i]);
                char label[64];

                (void)snprintf(label, sizeof label, "the log, %u writer%s", writers[i], writers[i] == 1 ? "" : "s, each waiting for its entry");
                printf("%-52s %12.0f entries/s  %5.1fx\n", label, rate, rate / naive);
                (void)fflush(stdout);
        }
        printf("a large log\n");
        bench_large(directories[count - 1], quick ? 100000 : 1000000);
        return 0;
}
