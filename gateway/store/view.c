#include "gateway/store/view.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <string.h>

/* Of the tables and of what the effects below make of an entry: with another one the view is made anew from the log. */
enum { VIEW_VERSION = 2 };

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS user(name TEXT PRIMARY KEY, roles TEXT, ssh_key TEXT, age TEXT, state TEXT, seq INTEGER)"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS policy(seq INTEGER PRIMARY KEY, digest TEXT, name TEXT, purpose TEXT, state TEXT);"
        "CREATE TABLE IF NOT EXISTS dataset(name TEXT, version INTEGER, owner TEXT, stored TEXT, ciphertext TEXT,"
        " schema TEXT, schema_source TEXT, manifest TEXT, signature TEXT, bytes INTEGER, state TEXT, seq INTEGER,"
        " PRIMARY KEY(name, version)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS algorithm(digest TEXT PRIMARY KEY, name TEXT, engine TEXT, submitter TEXT,"
        " bytes INTEGER, deterministic INTEGER, seq INTEGER) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS approval(seq INTEGER PRIMARY KEY, algorithm TEXT, reviewer TEXT, decision TEXT,"
        " purpose TEXT, policy TEXT, statement TEXT, signature TEXT, ssh_key TEXT, expires TEXT, state TEXT);"
        "CREATE TABLE IF NOT EXISTS run(id TEXT PRIMARY KEY, algorithm TEXT, requester TEXT, purpose TEXT, datasets TEXT,"
        " policy TEXT, request TEXT, state TEXT, outcome TEXT, denied INTEGER, cpu_ms INTEGER, wall_ms INTEGER,"
        " memory_bytes INTEGER, output TEXT, findings TEXT, seq INTEGER) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS release(id TEXT PRIMARY KEY, run TEXT, recipient TEXT, state TEXT, outputs TEXT,"
        " mark TEXT, family TEXT, provenance TEXT, fetched INTEGER, seq INTEGER) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS flow(seq INTEGER PRIMARY KEY, run TEXT, requester TEXT, purpose TEXT, datasets TEXT,"
        " day TEXT, rule TEXT, destination TEXT, outcome TEXT, sent INTEGER, received INTEGER);"
        /* What was used on a day: with an empty dataset each flow once, and once more for each dataset of its run. */
        "CREATE TABLE IF NOT EXISTS flow_usage(day TEXT, requester TEXT, purpose TEXT, dataset TEXT, rule TEXT,"
        " connections INTEGER, sent INTEGER, received INTEGER, PRIMARY KEY(day, requester, purpose, dataset, rule)) WITHOUT ROWID;"
        /* Refusals and failures of flows, by analyst and by dataset. */
        "CREATE TABLE IF NOT EXISTS flow_failure(kind TEXT, name TEXT, time TEXT, seq INTEGER, count INTEGER,"
        " PRIMARY KEY(kind, name, time, seq)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS breaker(kind TEXT, name TEXT, state TEXT, failures INTEGER, time TEXT, actor TEXT, seq INTEGER,"
        " PRIMARY KEY(kind, name)) WITHOUT ROWID;"
        "INSERT OR IGNORE INTO meta VALUES('applied', 0);";

#define D(field) "json_extract(:e, '$.details." field "')"
#define OBJECT "json_extract(:e, '$.object')"
#define ACTOR "json_extract(:e, '$.actor')"
#define OUTCOME "json_extract(:e, '$.outcome')"

#define TIME "json_extract(:e, '$.time')"
#define DAY "substr(" TIME ",1,10)"
#define RULE "COALESCE(" D("rule") ",'')"

/* The run of a flow, once under no dataset and once under each of its own. */
#define RUN_AND_DATASETS \
        "(SELECT requester, purpose, '' AS dataset FROM run WHERE id=" OBJECT \
        " UNION ALL SELECT requester, purpose, value FROM run, json_each(run.datasets) WHERE run.id=" OBJECT ")"
/* Those whom a failure of the run's flows is counted for. */
#define RUN_CONCERNS \
        "(SELECT 'analyst' AS kind, requester AS name FROM run WHERE id=" OBJECT \
        " UNION ALL SELECT 'dataset', value FROM run, json_each(run.datasets) WHERE run.id=" OBJECT ")"
/* Flows that were refused only because something had been closed before say nothing new. */
#define FAILED "(" OUTCOME "<>'done' AND COALESCE(json_extract(:e, '$.reasons[0]'),'') NOT IN ('breaker','cut'))"
#define COUNT_FAILURES \
        "INSERT INTO flow_failure SELECT kind, name, " TIME ", :seq, " FAILED "+COALESCE(" D("left_out") ",0) FROM " RUN_CONCERNS \
        " WHERE " FAILED "+COALESCE(" D("left_out") ",0) > 0"

/* What each action does to the view. Actions that are not listed change nothing. */
static const struct effect {
        const char *action;
        const char *sql;
} effects[] = {
        { "user.add", "INSERT INTO user VALUES(" OBJECT "," D("roles") "," D("ssh_key") "," D("age") ",'active',:seq)"
                      " ON CONFLICT(name) DO UPDATE SET roles=excluded.roles, ssh_key=excluded.ssh_key, age=excluded.age,"
                      " state='active', seq=excluded.seq" },
        { "user.remove", "UPDATE user SET state='removed' WHERE name=" OBJECT },
        { "policy.apply", "UPDATE policy SET state='replaced' WHERE purpose=" D("purpose") ";"
                          "INSERT INTO policy VALUES(:seq," D("digest") "," OBJECT "," D("purpose") ",'in-force')" },
        { "data.add", "UPDATE dataset SET state='replaced' WHERE name=" OBJECT " AND state='active';"
                      "INSERT INTO dataset VALUES(" OBJECT "," D("version") "," D("owner") "," D("stored") "," D("ciphertext")
                      "," D("schema") "," D("schema_source") "," D("manifest") "," D("signature") "," D("bytes") ",'active',:seq)" },
        { "data.revoke", "UPDATE dataset SET state='revoked' WHERE name=" OBJECT " AND state IN ('active','replaced')" },
        { "data.destroy", "UPDATE dataset SET state='destroyed' WHERE name=" OBJECT },
        { "algo.submit", "INSERT OR IGNORE INTO algorithm VALUES(" OBJECT "," D("name") "," D("engine") "," ACTOR "," D("bytes")
                         "," D("deterministic") ",:seq)" },
        { "review.approve", "INSERT INTO approval VALUES(:seq," OBJECT "," ACTOR ",'approve'," D("purpose") "," D("policy")
                            "," D("statement") "," D("signature") "," D("ssh_key") "," D("expires") ",'active')" },
        { "review.reject", "INSERT INTO approval VALUES(:seq," OBJECT "," ACTOR ",'reject'," D("purpose") "," D("policy")
                           ",NULL,NULL,NULL,NULL,'active');"
                           "UPDATE approval SET state='revoked' WHERE algorithm=" OBJECT " AND reviewer=" ACTOR
                           " AND decision='approve'" },
        { "run.decide", "INSERT INTO run(id,algorithm,requester,purpose,datasets,policy,request,state,seq) VALUES(" OBJECT
                        "," D("algorithm") "," ACTOR "," D("purpose") "," D("datasets") "," D("policy") "," D("request")
                        "," OUTCOME ",:seq)" },
        { "run.start", "UPDATE run SET state='running' WHERE id=" OBJECT },
        { "run.end", "UPDATE run SET state='ended', outcome=" OUTCOME ", denied=" D("denied") ", cpu_ms=" D("cpu_ms")
                     ", wall_ms=" D("wall_ms") ", memory_bytes=" D("memory_bytes") " WHERE id=" OBJECT },
        { "flow.opened", "INSERT INTO flow_usage SELECT " DAY ",requester,purpose,dataset," RULE ",1,0,0 FROM " RUN_AND_DATASETS
                         " WHERE true ON CONFLICT DO UPDATE SET connections=connections+1" },
        { "flow.refused", COUNT_FAILURES },
        { "flow.closed", "INSERT INTO flow_usage SELECT " DAY ",requester,purpose,dataset," RULE ",0,COALESCE(" D("sent") ",0),COALESCE("
                         D("received") ",0) FROM " RUN_AND_DATASETS " WHERE true ON CONFLICT DO UPDATE SET sent=sent+excluded.sent,"
                         " received=received+excluded.received;" COUNT_FAILURES },
        { "breaker.open", "INSERT INTO breaker VALUES(" D("kind") "," OBJECT ",'open'," D("failures") "," TIME "," ACTOR ",:seq)"
                          " ON CONFLICT DO UPDATE SET state='open', failures=excluded.failures, time=excluded.time, actor=excluded.actor,"
                          " seq=excluded.seq" },
        { "breaker.close", "UPDATE breaker SET state='closed', time=" TIME ", actor=" ACTOR ", seq=:seq WHERE kind=" D("kind") " AND name=" OBJECT },
        { "flow.closed", "INSERT INTO flow SELECT :seq,id,requester,purpose,datasets,substr(json_extract(:e, '$.time'),1,10)," D("rule")
                         "," D("destination") "," OUTCOME "," D("sent") "," D("received") " FROM run WHERE id=" OBJECT },
        { "gate.check", "UPDATE run SET state=" OUTCOME ", output=" D("output") ", findings=" D("findings") " WHERE id=" OBJECT },
        { "gate.hold", "UPDATE run SET state='held' WHERE id=" OBJECT },
        { "release.approve", "UPDATE run SET state='approved' WHERE id=" OBJECT },
        { "release.reject", "UPDATE run SET state='rejected' WHERE id=" OBJECT },
        { "release.create", "INSERT INTO release VALUES(" OBJECT "," D("run") "," D("recipient") ",'released'," D("outputs")
                            "," D("mark") "," D("family") "," D("provenance") ",0,:seq);"
                            "UPDATE run SET state='released' WHERE id=" D("run") },
        { "heartbeat", "INSERT INTO meta VALUES('heartbeats', 1) ON CONFLICT(name) DO UPDATE SET value=value+1" },
        { "release.fetch", "UPDATE release SET fetched=fetched+1 WHERE id=" OBJECT },
};

static int sql_error(sqlite3 *view, struct gbx_error *err, const char *what) {
        return gbx_fail(err, -EIO, "the view cannot %s: %s (it can be rebuilt: gbx audit rebuild)", what,
                        sqlite3_errmsg(view));
}

static int execute(sqlite3 *view, const char *sql, struct gbx_error *err) {
        if (sqlite3_exec(view, sql, NULL, NULL, NULL) != SQLITE_OK)
                return sql_error(view, err, "be changed");
        return 0;
}

static void finalize(sqlite3_stmt **statement) {
        (void)sqlite3_finalize(*statement);
}

static int read_number(sqlite3 *view, const char *sql, int64_t *ret, struct gbx_error *err) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;

        if (sqlite3_prepare_v2(view, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
                return sql_error(view, err, "be read");
        *ret = sqlite3_column_int64(statement, 0);
        return 0;
}

/* Another program's tables go; `applied` goes with them, so that the whole log is applied again. */
static int replace_tables(sqlite3 *view, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *tables = NULL;
        char version[48];
        json_t *table;
        size_t i;
        int r = gbx_view_query(view, &tables, err, "SELECT name FROM sqlite_master WHERE type='table'", NULL);

        json_array_foreach(tables, i, table) {
                char sql[128];

                (void)snprintf(sql, sizeof sql, "DROP TABLE \"%s\"", json_string_value(json_object_get(table, "name")));
                if (r >= 0)
                        r = execute(view, sql, err);
        }
        (void)snprintf(version, sizeof version, "PRAGMA user_version=%d", VIEW_VERSION);
        if (r >= 0)
                r = execute(view, schema, err);
        return r < 0 ? r : execute(view, version, err);
}

static int make_tables(sqlite3 *view, struct gbx_error *err) {
        int64_t version;
        int r = read_number(view, "PRAGMA user_version", &version, err);

        if (r < 0 || version == VIEW_VERSION)
                return r;
        r = execute(view, "BEGIN IMMEDIATE", err);
        if (r < 0)
                return r;
        r = read_number(view, "PRAGMA user_version", &version, err); /* somebody else may have been faster */
        if (r >= 0 && version != VIEW_VERSION)
                r = replace_tables(view, err);
        if (r < 0) {
                (void)sqlite3_exec(view, "ROLLBACK", NULL, NULL, NULL);
                return r;
        }
        return execute(view, "COMMIT", err);
}

int gbx_view_open(sqlite3 **ret, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
        int r;

        if (sqlite3_open_v2(path, &view, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_PRIVATECACHE, NULL) !=
            SQLITE_OK)
                return gbx_fail(err, -EIO, "cannot open the view '%s': %s", path, view ? sqlite3_errmsg(view) : "out of memory");
        (void)sqlite3_busy_timeout(view, 10000);
        /* The log is durable; a view that lost its last transactions heals from it. */
        r = execute(view, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;", err);
        if (r < 0)
                return r;
        r = make_tables(view, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(view);
        return 0;
}

int gbx_view_applied(sqlite3 *view, uint64_t *ret_count, struct gbx_error *err) {
        int64_t count;
        int r = read_number(view, "SELECT value FROM meta WHERE name='applied'", &count, err);

        if (r >= 0)
                *ret_count = (uint64_t)count;
        return r;
}

/* Runs the statements of an effect, one behind the other, with :e and :seq bound. */
static int run_effect(sqlite3 *view, const char *sql, uint64_t index, const char *entry, size_t size,
                      struct gbx_error *err) {
        while (*sql) {
                gbx_auto(finalize) sqlite3_stmt *statement = NULL;
                int place;

                if (sqlite3_prepare_v2(view, sql, -1, &statement, &sql) != SQLITE_OK)
                        return sql_error(view, err, "prepare an effect");
                place = sqlite3_bind_parameter_index(statement, ":e");
                if (place > 0)
                        (void)sqlite3_bind_text(statement, place, entry, (int)size, SQLITE_STATIC);
                place = sqlite3_bind_parameter_index(statement, ":seq");
                if (place > 0)
                        (void)sqlite3_bind_int64(statement, place, (sqlite3_int64)index);
                if (sqlite3_step(statement) != SQLITE_DONE)
                        return sql_error(view, err, "take an entry");
        }
        return 0;
}

static int apply_in_transaction(sqlite3 *view, uint64_t index, const char *entry, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = json_loadb(entry, size, JSON_REJECT_DUPLICATES, NULL);
        const char *action = json_string_value(json_object_get(json, "action"));
        uint64_t applied;
        int r;

        if (!action)
                return gbx_fail(err, -EBADMSG, "entry %llu is not a JSON object with an action", (unsigned long long)index);
        r = gbx_view_applied(view, &applied, err);
        if (r < 0)
                return r;
        if (applied != index)
                return gbx_fail(err, -EBADMSG, "the view holds %llu entries, entry %llu does not follow",
                                (unsigned long long)applied, (unsigned long long)index);
        for (size_t i = 0; i < gbx_array_size(effects); i++)
                if (strcmp(effects[i].action, action) == 0) {
                        r = run_effect(view, effects[i].sql, index, entry, size, err);
                        if (r < 0)
                                return gbx_context(err, r, "entry %llu (%s)", (unsigned long long)index, action);
                }
        return execute(view, "UPDATE meta SET value=value+1 WHERE name='applied'", err);
}

int gbx_view_apply(sqlite3 *view, uint64_t index, const char *entry, size_t size, struct gbx_error *err) {
        int r = execute(view, "BEGIN IMMEDIATE", err);

        if (r < 0)
                return r;
        r = apply_in_transaction(view, index, entry, size, err);
        if (r < 0) {
                (void)sqlite3_exec(view, "ROLLBACK", NULL, NULL, NULL);
                return r;
        }
        return execute(view, "COMMIT", err);
}

static json_t *column_json(sqlite3_stmt *statement, int column) {
        switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER:
                return json_integer(sqlite3_column_int64(statement, column));
        case SQLITE_NULL:
                return json_null();
        default:
                return json_string((const char *)sqlite3_column_text(statement, column));
        }
}

static int query(sqlite3 *view, json_t **ret_rows, struct gbx_error *err, const char *sql, va_list parameters) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = json_array();
        const char *value;
        int r;

        if (sqlite3_prepare_v2(view, sql, -1, &statement, NULL) != SQLITE_OK)
                return sql_error(view, err, "be asked");
        for (int i = 1; (value = va_arg(parameters, const char *)); i++)
                (void)sqlite3_bind_text(statement, i, value, -1, SQLITE_TRANSIENT);
        while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
                json_t *row = json_object();

                for (int c = 0; c < sqlite3_column_count(statement); c++)
                        if (json_object_set_new(row, sqlite3_column_name(statement, c), column_json(statement, c)) < 0)
                                return gbx_fail_memory(err);
                if (json_array_append_new(rows, row) < 0)
                        return gbx_fail_memory(err);
        }
        if (r != SQLITE_DONE)
                return sql_error(view, err, "be read");
        *ret_rows = gbx_take_ptr(rows);
        return 0;
}

int gbx_view_query(sqlite3 *view, json_t **ret_rows, struct gbx_error *err, const char *sql, ...) {
        va_list parameters;
        int r;

        va_start(parameters, sql);
        r = query(view, ret_rows, err, sql, parameters);
        va_end(parameters);
        return r;
}

int gbx_view_query_one(sqlite3 *view, json_t **ret_row, struct gbx_error *err, const char *sql, ...) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        va_list parameters;
        int r;

        va_start(parameters, sql);
        r = query(view, &rows, err, sql, parameters);
        va_end(parameters);
        if (r < 0)
                return r;
        if (json_array_size(rows) == 0)
                return 1;
        *ret_row = json_incref(json_array_get(rows, 0));
        return 0;
}

static void free_sql(char **sql) {
        sqlite3_free(*sql);
}

int gbx_view_digest(sqlite3 *view, uint8_t ret_digest[static GBX_SHA256_SIZE], struct gbx_error *err) {
        static const char *const tables[] = { "meta", "user", "policy", "dataset", "algorithm", "approval", "run", "release",
                                              "flow", "flow_usage", "flow_failure", "breaker" };
        gbx_auto(gbx_buffer_free) struct gbx_buffer all = {};

        for (size_t i = 0; i < gbx_array_size(tables); i++) {
                gbx_auto(gbx_json_freep) json_t *rows = NULL;
                gbx_auto(gbx_free_pointer) char *text = NULL;
                gbx_auto(free_sql) char *sql = sqlite3_mprintf("SELECT * FROM %s ORDER BY 1, 2", tables[i]);
                int r = sql ? gbx_view_query(view, &rows, err, sql, NULL) : gbx_fail_memory(err);

                if (r < 0)
                        return r;
                text = json_dumps(rows, JSON_COMPACT | JSON_SORT_KEYS);
                if (!text)
                        return gbx_fail_memory(err);
                r = gbx_buffer_printf(&all, err, "%s %s\n", tables[i], text);
                if (r < 0)
                        return r;
        }
        gbx_sha256(all.data, all.size, ret_digest);
        return 0;
}
