/*
 * The store: no edit of the view is believed, a right is asked inside the transaction, writers exclude each other and
 * readers never wait, what lies in files is refused when it was changed
 *
 * The edits are made generically: of each table and column, whatever the tables come to be.
 */
#include "tests/unit/gateway_fixture.h"

#include "gateway/log/writer/log.h"
#include "gateway/run/decide.h"
#include "gateway/store/rebuild.h"
#include "gateway/store/records.h"
#include "gateway/store/seal.h"
#include "gateway/store/authorise.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/wait.h>

/* --- rows in every table ------------------------------------------------------------------- */

static void note(struct gbx_site *site, const char *action, const char *object, const char *outcome, json_t *details) {
        struct gbx_error err = {};
        gbx_auto(gbx_json_freep) json_t *owned = details;

        if (gbx_record_system(site, &(struct gbx_action){ action, object, outcome, NULL, owned }, &err) < 0)
                fail_msg("%s: %s", action, err.message);
}

#define EIGHT(digit) digit digit digit digit digit digit digit digit
#define DIGEST(digit) "sha256:" EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit)

/* Entries as runs, flows, reviews and releases leave them, two of each kind, so that every table has rows to exchange. They
 * need not make sense together: this is about the view. */
static void fill(struct world *world) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        static const char *const runs[] = { "run-1", "run-2" };

        assert_int_equal(world_add_data(world, "fund", "fund"), 0);
        assert_int_equal(world_submit(world, "bank-b", "other", "return 1\n"), 0);
        site = world_open(world);
        note(site, "data.transfer", "credit", "done",
             json_pack("{s:s, s:s, s:s, s:s, s:s}", "from", "fund", "owner", "ministry", "statement", DIGEST("c"), "signature_from",
                       DIGEST("d"), "signature_to", DIGEST("e")));
        for (size_t i = 0; i < 2; i++) {
                const char *run = runs[i], *analyst = i ? "bank-b" : "bank-a", *other = i ? DIGEST("a") : DIGEST("b");

                note(site, "policy.apply", i ? "one" : "two", "done", json_pack("{s:s, s:s}", "digest", other, "purpose", i ? "p" : "q"));
                note(site, "run.decide", run, "allowed",
                     json_pack("{s:s, s:s, s:[s], s:s, s:s}", "algorithm", other, "purpose", "p", "datasets", "credit", "policy", other,
                               "request", other));
                note(site, "run.start", run, "done", json_object());
                note(site, "flow.opened", run, "done", json_pack("{s:s, s:s}", "rule", analyst, "destination", other));
                note(site, "flow.closed", run, "done",
                     json_pack("{s:s, s:s, s:i, s:i}", "rule", analyst, "destination", other, "sent", 5, "received", 7 + (int)i));
                note(site, "flow.refused", run, "failed", json_pack("{s:s, s:s}", "rule", analyst, "destination", other));
                note(site, "breaker.open", analyst, "done", json_pack("{s:s, s:i}", "kind", "analyst", "failures", 3 + (int)i));
                note(site, "run.end", run, "done",
                     json_pack("{s:i, s:i, s:i, s:i}", "cpu_ms", 1 + (int)i, "wall_ms", 2, "memory_bytes", 3, "denied", 0));
                note(site, "gate.check", run, "hold", json_pack("{s:s, s:s}", "output", other, "findings", other));
                note(site, "gate.hold", run, "held", json_pack("{s:s, s:s}", "findings", other, "sealed", other));
                note(site, "output.review", run, "done",
                     json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "decision", i ? "approve" : "reject", "output", other, "findings",
                               other, "policy", other, "statement", other, "signature", other, "ssh_key", other));
                note(site, "release.create", i ? "release-1" : "release-2", "done",
                     json_pack("{s:s, s:s, s:[{s:s}], s:{s:s}, s:s, s:s}", "run", run, "recipient", analyst, "outputs", "file", other,
                               "mark", "t", other, "provenance", other, "record", other));
                note(site, "heartbeat", "site", "done", json_pack("{s:i}", "number", (int)i + 1));
        }
}

/* --- edits by who has the file and not the keys ---------------------------------------------- */

static sqlite3 *open_file(struct world *world) {
        char path[100];
        sqlite3 *file = NULL;

        (void)snprintf(path, sizeof path, "%s/view.db", world->path);
        assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
        return file;
}

static int sql(sqlite3 *file, const char *format, ...) {
        va_list list;
        char *text;
        int r;

        va_start(list, format);
        text = sqlite3_vmprintf(format, list);
        va_end(list);
        r = sqlite3_exec(file, text, NULL, NULL, NULL);
        sqlite3_free(text);
        return r;
}

/* Whether the site refuses to decide from a table, and to begin anything. */
static bool is_refused(struct world *world, const char *table) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        struct gbx_transaction *transaction = NULL;
        struct gbx_error err = {};
        bool refused;

        if (gbx_site_open(&site, world->path, &err) == -EBADMSG)
                return true;
        assert_non_null(site);
        refused = gbx_fact_check_all(site, &err) == -EBADMSG;
        if (gbx_seal_check(site->view, site->seal_key, table, &err) != -EBADMSG)
                refused = false;
        if (gbx_transaction_begin_system(&transaction, site, &err) == 0)
                transaction = gbx_transaction_free(transaction);
        return refused;
}

static void back(struct world *world, const char *kept) {
        static const char *const parts[] = { "view.db", "view.db-wal", "view.db-shm" };
        char from[120], to[120];

        for (size_t i = 0; i < gbx_array_size(parts); i++) {
                (void)snprintf(to, sizeof to, "%s/%s", world->path, parts[i]);
                (void)unlink(to);
        }
        (void)snprintf(to, sizeof to, "%s/view.db", world->path);
        (void)snprintf(from, sizeof from, "%s/%s", world->root, kept);
        assert_int_equal(world_copy_tree(from, to), 0);
}

static void keep(struct world *world, const char *name) {
        char from[120], to[120];
        sqlite3 *file = open_file(world);

        assert_int_equal(sql(file, "PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
        assert_int_equal(sqlite3_close(file), SQLITE_OK);
        (void)snprintf(from, sizeof from, "%s/view.db", world->path);
        (void)snprintf(to, sizeof to, "%s/%s", world->root, name);
        assert_int_equal(world_copy_tree(from, to), 0);
}

struct column {
        char name[64], type[16];
        bool key;
};

static size_t columns_of(sqlite3 *file, const char *table, struct column columns[static 32]) {
        sqlite3_stmt *statement;
        char text[100];
        size_t count = 0;

        (void)snprintf(text, sizeof text, "PRAGMA table_info(%s)", table);
        assert_int_equal(sqlite3_prepare_v2(file, text, -1, &statement, NULL), SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW) {
                assert_true(count < 32);
                (void)snprintf(columns[count].name, sizeof columns->name, "%s", (const char *)sqlite3_column_text(statement, 1));
                (void)snprintf(columns[count].type, sizeof columns->type, "%s", (const char *)sqlite3_column_text(statement, 2));
                columns[count++].key = sqlite3_column_int(statement, 5) > 0;
        }
        (void)sqlite3_finalize(statement);
        return count;
}

/* The first row, named by its key. */
static void first_row(sqlite3 *file, const char *table, const struct column *columns, size_t count, char ret[static 512], int offset) {
        char select[512] = "SELECT ", text[700];
        sqlite3_stmt *statement;
        size_t size = 0;
        int place = 0;

        for (size_t i = 0; i < count; i++)
                if (columns[i].key)
                        (void)snprintf(select + strlen(select), sizeof select - strlen(select), "%s%s", place++ ? "," : "",
                                       columns[i].name);
        (void)snprintf(text, sizeof text, "%.400s FROM %s LIMIT 1 OFFSET %d", select, table, offset);
        assert_int_equal(sqlite3_prepare_v2(file, text, -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        place = 0;
        ret[0] = '\0';
        for (size_t i = 0; i < count; i++)
                if (columns[i].key)
                        size += (size_t)snprintf(ret + size, 512 - size, "%s%s='%s'", size ? " AND " : "", columns[i].name,
                                                 (const char *)sqlite3_column_text(statement, place++));
        (void)sqlite3_finalize(statement);
}

/* Whether the two rows say something else there. */
static bool differ(struct world *world, const char *table, const char *column, const char *one, const char *two) {
        sqlite3 *file = open_file(world);
        sqlite3_stmt *statement;
        char *ask = sqlite3_mprintf("SELECT (SELECT %s FROM %s WHERE %s) IS NOT (SELECT %s FROM %s WHERE %s)", column, table, one, column,
                                    table, two);
        bool result;

        assert_int_equal(sqlite3_prepare_v2(file, ask, -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        result = sqlite3_column_int(statement, 0);
        sqlite3_free(ask);
        (void)sqlite3_finalize(statement);
        assert_int_equal(sqlite3_close(file), SQLITE_OK);
        return result;
}

/* One edit, and that it was refused. 0: SQLite itself does not make it (a key twice), or it changes nothing. */
static size_t edit(struct world *world, const char *table, const char *format, ...) {
        sqlite3 *file = open_file(world);
        va_list list;
        char *text;
        int r, changes;

        va_start(list, format);
        text = sqlite3_vmprintf(format, list);
        va_end(list);
        r = sqlite3_exec(file, text, NULL, NULL, NULL);
        changes = sqlite3_total_changes(file);
        assert_int_equal(sqlite3_close(file), SQLITE_OK);
        if (r == SQLITE_OK && changes > 0 && !is_refused(world, table))
                fail_msg("believed of %s: %s", table, text);
        if (r != SQLITE_OK && r != SQLITE_CONSTRAINT && r != SQLITE_MISMATCH)
                fail_msg("SQLite says %d: %s", r, text);
        sqlite3_free(text);
        back(world, "kept");
        return r == SQLITE_OK && changes > 0;
}

static size_t edit_column(struct world *world, const char *table, const struct column *column, const char *one, const char *two) {
        const char *name = column->name;
        bool number = strcmp(column->type, "INTEGER") == 0;
        size_t n = 0;

        n += edit(world, table,
                  number ? "UPDATE %s SET %s=COALESCE(%s,0)+1000 WHERE %s" : "UPDATE %s SET %s=COALESCE(%s,'')||'x' WHERE %s", table,
                  name, name, one);
        n += edit(world, table, "UPDATE %s SET %s=NULL WHERE %s AND %s IS NOT NULL", table, name, one, name);
        if (!column->key && differ(world, table, name, one, two))
                n += edit(world, table,
                          "CREATE TEMP TABLE s AS SELECT (SELECT %s FROM %s WHERE %s) AS a, (SELECT %s FROM %s WHERE %s) AS b;"
                          "UPDATE %s SET %s=(SELECT b FROM s) WHERE %s; UPDATE %s SET %s=(SELECT a FROM s) WHERE %s;",
                          name, table, one, name, table, two, table, name, one, table, name, two);
        return n;
}

static void every_edit_of_every_table_is_refused(void **state) {
        struct world *world = *state;
        size_t edits = 0;

        fill(world);
        keep(world, "kept");
        assert_false(is_refused(world, "user")); /* the control */
        for (const char *const *table = gbx_view_tables; *table; table++) {
                struct column columns[32];
                char one[512], two[512];
                sqlite3 *file = open_file(world);
                size_t count = columns_of(file, *table, columns);

                first_row(file, *table, columns, count, one, 0);
                first_row(file, *table, columns, count, two, 1);
                assert_int_equal(sqlite3_close(file), SQLITE_OK);
                for (size_t i = 0; i < count; i++)
                        edits += edit_column(world, *table, &columns[i], one, two);
                edits += edit(world, *table, "DELETE FROM %s WHERE %s", *table, one);
                edits += edit(world, *table, "DELETE FROM %s", *table);
                edits += edit(world, *table, "DELETE FROM seal WHERE tbl='%s'", *table);
                edits += edit(world, *table,
                              "CREATE TEMP TABLE c AS SELECT * FROM %s WHERE %s; UPDATE c SET %s=%s||'9'; INSERT INTO %s SELECT * FROM c",
                              *table, one, columns[0].name, columns[0].name, *table);
        }
        assert_true(edits > 200);
}

/* Rows put back with the sums of their time: the root is of now. */
static void an_older_seal_is_refused(void **state) {
        struct world *world = *state;
        sqlite3 *file;

        keep(world, "old");
        world_expect(world, 0, "admin", "user", "remove", json_pack("{s:s}", "name", "wang"));
        keep(world, "kept");
        file = open_file(world);
        assert_int_equal(sql(file, "ATTACH '%q/old' AS old; DELETE FROM main.user; INSERT INTO main.user SELECT * FROM old.user;"
                                   "DELETE FROM main.seal WHERE tbl='user'; INSERT INTO main.seal SELECT * FROM old.seal WHERE tbl='user';",
                             world->root), SQLITE_OK);
        assert_int_equal(sqlite3_close(file), SQLITE_OK);
        assert_true(is_refused(world, "user"));
        back(world, "kept");
        file = open_file(world); /* all of the old seal, too */
        assert_int_equal(sql(file, "ATTACH '%q/old' AS old; DELETE FROM main.user; INSERT INTO main.user SELECT * FROM old.user;"
                                   "DELETE FROM main.seal; INSERT INTO main.seal SELECT * FROM old.seal;", world->root), SQLITE_OK);
        assert_int_equal(sqlite3_close(file), SQLITE_OK);
        assert_true(is_refused(world, "user"));
        back(world, "old"); /* the whole old view: harmless, for what it lacks is applied again */
        assert_int_equal(world_count(world, "SELECT * FROM user WHERE name='wang' AND state='removed'"), 1);
        world_replays(world);
}

/* --- a view that is sealed and lies: the entries speak against it -------------------------------- */

/* What of a row stands in no entry, or is compared where it is used and not here. */
static bool beyond_evidence(const char *table, const char *column) {
        static const char *const columns[][2] = {
                { "user", "since" },          { "algorithm", "deterministic" },
                { "approval", "decision" },   { "approval", "time" },
                { "ownership", "statement" }, { "output_review", "time" },
                { "release", "state" },       { "release", "fetched" },
                { "run", "state" },           { "run", "outcome" },
                { "run", "denied" },          { "run", "cpu_ms" },
                { "run", "wall_ms" },         { "run", "memory_bytes" },
                { "run", "output" },          { "run", "findings" },
                { "run", "sealed" },          { "run", "state_seq" },
        };

        for (size_t i = 0; i < gbx_array_size(columns); i++)
                if (strcmp(columns[i][0], table) == 0 && strcmp(columns[i][1], column) == 0)
                        return true;
        return false;
}

/* Changes one column with the site's own keys, as a fault of ours would, and asks for the row. */
static bool lie_is_refused(struct world *world, const char *table, const struct column *column, const char *where) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        char path[100];
        int r;

        (void)snprintf(path, sizeof path, "%s/view.db", world->path);
        assert_int_equal(gbx_view_open(&view, path, site->seal_key, NULL), 0);
        if (strcmp(column->type, "INTEGER") == 0)
                r = sql(view, "UPDATE %s SET %s=COALESCE(%s,0)+1 WHERE %s", table, column->name, column->name, where);
        else
                r = sql(view, "UPDATE %s SET %s=COALESCE(%s,'')||'x' WHERE %s", table, column->name, column->name, where);
        if (r == SQLITE_CONSTRAINT)
                return true;
        assert_int_equal(r, SQLITE_OK);
        assert_int_equal(gbx_seal_close(view, site->seal_key, NULL), 0);
        assert_int_equal(gbx_seal_check(site->view, site->seal_key, NULL, &world->err), 0);
        return gbx_fact_rows(site, &rows, &world->err, table, "1=1", NULL) == -EBADMSG;
}

static void a_sealed_lie_is_refused_by_its_entry(void **state) {
        static const char *const tables[] = { "user",     "policy", "dataset",       "ownership", "algorithm",
                                              "approval", "run",    "output_review", "release" };
        struct world *world = *state;

        fill(world);
        keep(world, "kept");
        for (size_t t = 0; t < gbx_array_size(tables); t++) {
                struct column columns[32];
                char where[512];
                sqlite3 *file = open_file(world);
                size_t count = columns_of(file, tables[t], columns);

                first_row(file, tables[t], columns, count, where, 0);
                assert_int_equal(sqlite3_close(file), SQLITE_OK);
                for (size_t i = 0; i < count; i++) {
                        if (lie_is_refused(world, tables[t], &columns[i], where) == beyond_evidence(tables[t], columns[i].name))
                                fail_msg("%s.%s: %s", tables[t], columns[i].name,
                                         beyond_evidence(tables[t], columns[i].name) ? "is refused: say so in this test" : "is believed");
                        back(world, "kept");
                }
        }
}

static void a_damaged_view_is_made_anew(void **state) {
        struct world *world = *state;
        gbx_auto(gbx_caller_freep) struct gbx_caller *admin = NULL, *analyst = NULL;
        static const size_t places[] = { 0, 20, 100, 5000, 9000 };
        char path[100];

        (void)snprintf(path, sizeof path, "%s/view.db", world->path);
        assert_int_equal(gbx_caller_directory(&admin, "admin", NULL), 0);
        assert_int_equal(gbx_caller_directory(&analyst, "bank-a", NULL), 0);
        keep(world, "kept");
        for (size_t i = 0; i < gbx_array_size(places); i++) {
                gbx_auto(gbx_rebuild_free) struct gbx_rebuild ret = {};
                gbx_auto(gbx_close_fd) int fd = open(path, O_RDWR | O_CLOEXEC);

                assert_int_equal(pwrite(fd, "garbage, garbage, garbage", 25, (off_t)places[i]), 25);
                assert_int_equal(gbx_rebuild(world->path, analyst, &ret, &world->err), -EKEYREJECTED);
                if (gbx_rebuild(world->path, admin, &ret, &world->err) < 0)
                        fail_msg("garbage at %zu: %s", places[i], world->err.message);
                world_replays(world);
        }
        assert_int_equal(unlink(path), 0); /* none at all */
        world_replays(world);
        assert_int_equal(truncate(path, 0), 0);
        world_replays(world);
}

/* --- transactions --------------------------------------------------------------------------------- */

static void a_right_is_asked_inside_the_transaction(void **state) {
        struct world *world = *state;
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        gbx_auto(gbx_caller_freep) struct gbx_caller *caller = NULL;
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        uint64_t size;

        assert_int_equal(gbx_caller_directory(&caller, "bank-b", NULL), 0);
        assert_int_equal(gbx_authorise_read(site, caller, "algo submit", &world->err), 0); /* asked, and granted */
        world_expect(world, 0, "admin", "user", "remove", json_pack("{s:s}", "name", "bank-b")); /* by another process, say */
        assert_int_equal(gbx_transaction_begin(&transaction, site, caller, "algo submit", &world->err), -EKEYREJECTED);
        size = gbx_log_size(site->log);
        assert_int_equal(gbx_record(site, caller, "algo submit", &(struct gbx_action){ "algo.submit", "sha256:00", "done", NULL, NULL },
                                    &world->err),
                         -EKEYREJECTED);
        assert_int_equal(gbx_log_size(site->log), size + 1); /* the refusal */
        assert_int_equal(world_count(world, "SELECT * FROM algorithm"), 1);
        world_replays(world);
}

struct writer {
        struct gbx_site *site;
        const char *path;
        int count;
        int failures;
};

static volatile int inside; /* how many are between begin and commit */

static void *write_some(void *argument) {
        struct writer *writer = argument;

        for (int i = 0; i < writer->count; i++) {
                struct gbx_transaction *transaction = NULL;
                struct gbx_error err = {};

                if (gbx_transaction_begin_system(&transaction, writer->site, &err) < 0) {
                        writer->failures++;
                        continue;
                }
                if (__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST) != 1)
                        writer->failures++;
                if (gbx_transaction_record(transaction, &(struct gbx_action){ "service.stop", "site", "done", NULL, NULL }, NULL, &err) < 0)
                        writer->failures++;
                (void)__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
                if (gbx_transaction_commit(&transaction, &err) < 0)
                        writer->failures++;
        }
        return NULL;
}

static void threads_and_processes_exclude_each_other(void **state) {
        enum { THREADS = 3, EACH = 8 };
        struct world *world = *state;
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        struct writer writers[THREADS];
        pthread_t threads[THREADS];
        uint64_t before;
        pid_t child;
        int status;

        site = world_open(world);
        before = gbx_log_size(site->log);
        site = gbx_site_close(site);
        child = fork();
        if (child == 0) { /* a process of its own, with a site of its own */
                struct gbx_site *own = NULL;
                struct writer writer;

                if (gbx_site_open(&own, world->path, NULL) < 0)
                        _exit(2);
                writer = (struct writer){ .site = own, .count = EACH };
                (void)write_some(&writer);
                _exit(writer.failures ? 1 : 0);
        }
        site = world_open(world);
        for (size_t i = 0; i < THREADS; i++) {
                writers[i] = (struct writer){ .site = site, .count = EACH };
                assert_int_equal(pthread_create(&threads[i], NULL, write_some, &writers[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
                assert_int_equal(pthread_join(threads[i], NULL), 0);
                assert_int_equal(writers[i].failures, 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(gbx_log_refresh(site->log, NULL), 0);
        assert_int_equal(gbx_log_size(site->log), before + (THREADS + 1) * EACH);
        world_replays(world);
}

/* While one is between begin and commit, others look, and are told what they may know. */
static void readers_wait_for_nobody(void **state) {
        static const struct {
                const char *who, *noun, *verb;
        } questions[] = { { "bank-a", "job", "ls" },    { "bank-a", "data", "ls" }, { "admin", "user", "ls" },
                          { "admin", "policy", "ls" },  { "wang", "review", "ls" }, { "admin", "status", NULL },
                          { "bank-a", "release", "ls" } };
        struct world *world = *state;
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        struct gbx_transaction *transaction = NULL;
        pid_t child;
        int status;

        assert_int_equal(gbx_transaction_begin_system(&transaction, site, &world->err), 0);
        assert_int_equal(gbx_transaction_record(transaction, &(struct gbx_action){ "service.stop", "site", "done", NULL, NULL }, NULL,
                                                &world->err),
                         0);
        child = fork(); /* where they waited, the alarm would end this one */
        if (child == 0) {
                (void)alarm(60);
                for (size_t i = 0; i < gbx_array_size(questions); i++)
                        if (world_ask(world, questions[i].who, questions[i].noun, questions[i].verb, NULL) != 0)
                                _exit((int)i + 1);
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(gbx_transaction_commit(&transaction, &world->err), 0);
}

/* --- sealed records ---------------------------------------------------------------------------------- */

static void rewrite(const char *path, const struct gbx_buffer *bytes) {
        gbx_auto(gbx_close_fd) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(gbx_write_all(fd, bytes->data, bytes->size, NULL), 0);
}

static size_t readable_records(struct gbx_site *site, char digests[][GBX_SHA256_TEXT_SIZE], size_t count) {
        gbx_auto(gbx_records_freep) struct gbx_records *records = NULL;
        struct gbx_error err = {};
        size_t found = 0;
        int r = gbx_records_open(&records, site, &err);

        for (size_t i = 0; r >= 0 && i < count; i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer content = {};

                if (gbx_records_get(records, digests[i], &content, &err) < 0)
                        continue;
                assert_int_equal(content.size, 11);
                assert_memory_equal(content.data, "record no.", 10);
                assert_int_equal(content.data[10], 'a' + i);
                found++;
        }
        return found;
}

static void records_are_whole_or_refused(void **state) {
        enum { COUNT = 4 };
        struct world *world = *state;
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        gbx_auto(gbx_buffer_free) struct gbx_buffer whole = {}, changed = {};
        struct gbx_transaction *transaction = NULL;
        char digests[COUNT][GBX_SHA256_TEXT_SIZE], path[120];
        size_t frame;

        assert_int_equal(gbx_transaction_begin_system(&transaction, site, NULL), 0);
        for (size_t i = 0; i < COUNT; i++) {
                char text[] = "record no.?";

                text[10] = (char)('a' + i);
                assert_int_equal(gbx_record_put(site, i, text, 11, digests[i], &world->err), 0);
        }
        transaction = gbx_transaction_free(transaction);
        assert_int_equal(readable_records(site, digests, COUNT), COUNT);
        (void)snprintf(path, sizeof path, "%s/releases/records-000", world->path);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 20, &whole, NULL), 0);
        frame = whole.size / COUNT;
        for (size_t cut = 1; cut <= frame; cut++) { /* a torn tail: the others are read, and the next one is appended after them */
                gbx_buffer_clear(&changed);
                assert_int_equal(gbx_buffer_append(&changed, whole.data, whole.size - cut, NULL), 0);
                rewrite(path, &changed);
                assert_int_equal(readable_records(site, digests, COUNT), COUNT - 1);
        }
        assert_int_equal(gbx_transaction_begin_system(&transaction, site, NULL), 0);
        assert_int_equal(gbx_record_put(site, COUNT - 1, "record no.d", 11, digests[3], &world->err), 0);
        transaction = gbx_transaction_free(transaction);
        gbx_buffer_clear(&whole);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 1 << 20, &whole, NULL), 0);
        gbx_buffer_clear(&changed);
        for (size_t i = 0; i < whole.size; i++) { /* a changed byte: that record is never given out */
                rewrite(path, &whole);
                whole.data[i] ^= 1;
                rewrite(path, &whole);
                whole.data[i] ^= 1;
                assert_true(readable_records(site, digests, COUNT) < COUNT);
        }
        assert_int_equal(gbx_buffer_append(&changed, whole.data + frame, frame, NULL), 0); /* two swapped: each is what its digest says */
        assert_int_equal(gbx_buffer_append(&changed, whole.data, frame, NULL), 0);
        assert_int_equal(gbx_buffer_append(&changed, whole.data + 2 * frame, whole.size - 2 * frame, NULL), 0);
        rewrite(path, &changed);
        assert_int_equal(readable_records(site, digests, COUNT), COUNT);
}

/* --- callers ------------------------------------------------------------------------------------------- */

static void a_caller_is_proven(void **state) {
        static const struct {
                enum gbx_caller_proof_kind kind;
                const char *name;
        } proofs[] = { { GBX_PROOF_DIRECTORY, "directory" },
                       { GBX_PROOF_PEER, "peer" },
                       { GBX_PROOF_SIGNATURE, "signature" },
                       { GBX_PROOF_CERTIFICATE, "certificate" } };
        struct world *world = *state;
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        struct gbx_caller *caller = NULL;
        unsigned roles = 0;

        for (size_t i = 0; i < gbx_array_size(proofs); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer entry = {};

                assert_int_equal(gbx_caller_proven(&caller, "admin", proofs[i].kind, NULL), 0);
                assert_string_equal(gbx_caller_proof(caller), proofs[i].name);
                assert_int_equal(gbx_record(site, caller, "heartbeat", &(struct gbx_action){ "service.stop", "site", "done", NULL, NULL },
                                            &world->err),
                                 0);
                assert_int_equal(gbx_log_read(site->log, gbx_log_size(site->log) - 1, &entry, NULL), 0);
                assert_non_null(strstr(gbx_buffer_text(&entry), proofs[i].name));
                caller = gbx_caller_free(caller);
        }
        assert_int_equal(gbx_caller_directory(&caller, "no body", &world->err), -EINVAL);
        assert_int_equal(gbx_caller_directory(&caller, NULL, NULL), 0);
        assert_true(gbx_caller_is_operator(caller));
        assert_int_equal(gbx_caller_roles(site, caller, &roles, NULL), 0);
        assert_true(roles & GBX_ROLE_ADMIN);
        caller = gbx_caller_free(caller);
        assert_int_equal(gbx_user_roles(site, "nobody", &roles, &world->err), -EKEYREJECTED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(every_edit_of_every_table_is_refused),
                WORLD_TEST(an_older_seal_is_refused),
                WORLD_TEST(a_sealed_lie_is_refused_by_its_entry),
                WORLD_TEST(a_damaged_view_is_made_anew),
                WORLD_TEST(a_right_is_asked_inside_the_transaction),
                WORLD_TEST(threads_and_processes_exclude_each_other),
                WORLD_TEST(readers_wait_for_nobody),
                WORLD_TEST(records_are_whole_or_refused),
                WORLD_TEST(a_caller_is_proven),
        };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
