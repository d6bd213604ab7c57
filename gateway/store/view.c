#include "gateway/store/view.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <string.h>

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
        "INSERT OR IGNORE INTO meta VALUES('applied', 0);";

#define D(field) "json_extract(:e, '$.details." field "')"
#define OBJECT "json_extract(:e, '$.object')"
#define ACTOR "json_extract(:e, '$.actor')"
#define OUTCOME "json_extract(:e, '$.outcome')"

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
        r = execute(view, schema, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(view);
        return 0;
}

static void finalize(sqlite3_stmt **statement) {
        (void)sqlite3_finalize(*statement);
}

int gbx_view_applied(sqlite3 *view, uint64_t *ret_count, struct gbx_error *err) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;

        if (sqlite3_prepare_v2(view, "SELECT value FROM meta WHERE name='applied'", -1, &statement, NULL) != SQLITE_OK ||
            sqlite3_step(statement) != SQLITE_ROW)
                return sql_error(view, err, "be read");
        *ret_count = (uint64_t)sqlite3_column_int64(statement, 0);
        return 0;
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
        static const char *const tables[] = { "meta", "user", "policy", "dataset", "algorithm", "approval", "run", "release" };
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
