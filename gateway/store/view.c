#include "gateway/store/view.h"

#include "base/cleanup.h"
#include "gateway/store/seal.h"
#include "gateway/store/view_effects.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BUSY_MS = 10000, CATCH_UP_BATCH = 1000 };

int gbx_view_error(sqlite3 *view, struct gbx_error *err, const char *what) {
        int code = sqlite3_errcode(view);
        bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR; /* the last: no such table, say */

        return gbx_fail(err, damaged ? -EBADMSG : -EIO, "the view cannot %s: %s (it can be rebuilt: gbx audit rebuild)", what,
                        sqlite3_errmsg(view));
}

static int execute(sqlite3 *view, const char *sql, struct gbx_error *err) {
        if (sqlite3_exec(view, sql, NULL, NULL, NULL) != SQLITE_OK)
                return gbx_view_error(view, err, "be changed");
        return 0;
}

/* Ends a transaction that came to `r`. */
static int end(sqlite3 *view, int r, struct gbx_error *err) {
        if (r >= 0)
                return execute(view, "COMMIT", err);
        (void)sqlite3_exec(view, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

static void finalize(sqlite3_stmt **statement) {
        (void)sqlite3_finalize(*statement);
}

static int read_number(sqlite3 *view, const char *sql, int64_t *ret, struct gbx_error *err) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;

        if (sqlite3_prepare_v2(view, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
                return gbx_view_error(view, err, "be read");
        *ret = sqlite3_column_int64(statement, 0);
        return 0;
}

/* Another version's tables go; `applied` goes with them, so that the whole log is applied again. */
static int replace_tables(sqlite3 *view, const uint8_t *seal_key, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *tables = NULL;
        char version[48];
        json_t *table;
        size_t i;
        int r = gbx_view_query(view, &tables, err, "SELECT name FROM sqlite_master WHERE type='table'", NULL);

        json_array_foreach(tables, i, table) {
                char sql[128];

                (void)snprintf(sql, sizeof sql, "DROP TABLE \"%s\"", gbx_json_text(table, "name"));
                if (r >= 0)
                        r = execute(view, sql, err);
        }
        (void)snprintf(version, sizeof version, "PRAGMA user_version=%d", gbx_view_version);
        if (r >= 0)
                r = execute(view, gbx_view_schema, err);
        if (r >= 0 && seal_key)
                r = gbx_seal_close(view, seal_key, err);
        return r < 0 ? r : execute(view, version, err);
}

static int make_tables(sqlite3 *view, const uint8_t *seal_key, struct gbx_error *err) {
        int64_t version;
        int r = read_number(view, "PRAGMA user_version", &version, err);

        if (r < 0 || version == gbx_view_version)
                return r;
        r = execute(view, "BEGIN IMMEDIATE", err);
        if (r < 0)
                return r;
        r = read_number(view, "PRAGMA user_version", &version, err); /* somebody else may have been faster */
        if (r >= 0 && version != gbx_view_version)
                r = replace_tables(view, seal_key, err);
        return end(view, r, err);
}

static int open_file(sqlite3 **ret, const char *path, int flags, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;

        if (sqlite3_open_v2(path, &view, flags | SQLITE_OPEN_PRIVATECACHE, NULL) != SQLITE_OK)
                return gbx_fail(err, -EIO, "cannot open the view '%s': %s", path, view ? sqlite3_errmsg(view) : "out of memory");
        (void)sqlite3_busy_timeout(view, BUSY_MS);
        (void)sqlite3_db_config(view, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL); /* the file may be anybody's */
        (void)sqlite3_db_config(view, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        *ret = gbx_take_ptr(view);
        return 0;
}

int gbx_view_open(sqlite3 **ret, const char *path, const uint8_t *seal_key, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
        int r = open_file(&view, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);

        /* The log is durable; a view that lost its last transactions heals from it. */
        if (r >= 0)
                r = execute(view, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;", err);
        if (r >= 0 && seal_key)
                r = gbx_seal_open(view, seal_key, err);
        if (r >= 0)
                r = make_tables(view, seal_key, err);
        if (r >= 0 && seal_key)
                r = gbx_seal_watch(view, err);
        if (r >= 0)
                *ret = gbx_take_ptr(view);
        return r;
}

int gbx_view_open_read(sqlite3 **ret, const char *path, const uint8_t *seal_key, struct gbx_error *err) {
        gbx_auto(gbx_view_closep) sqlite3 *view = NULL;
        int64_t version;
        int r = open_file(&view, path, SQLITE_OPEN_READONLY, err);

        if (r < 0)
                return GBX_VIEW_MISSING;
        r = execute(view, "PRAGMA trusted_schema=OFF;", err);
        if (r >= 0)
                r = read_number(view, "PRAGMA user_version", &version, err);
        if (r >= 0 && version != gbx_view_version)
                return GBX_VIEW_MISSING;
        if (r >= 0)
                r = gbx_seal_open(view, seal_key, err);
        if (r >= 0)
                *ret = gbx_take_ptr(view);
        return r;
}

int gbx_view_begin_read(sqlite3 *view, struct gbx_error *err) {
        return execute(view, "BEGIN", err);
}

void gbx_view_end_read(sqlite3 *view) {
        (void)sqlite3_exec(view, "COMMIT", NULL, NULL, NULL);
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
                        return gbx_view_error(view, err, "prepare an effect");
                place = sqlite3_bind_parameter_index(statement, ":e");
                if (place > 0)
                        (void)sqlite3_bind_text(statement, place, entry, (int)size, SQLITE_STATIC);
                place = sqlite3_bind_parameter_index(statement, ":seq");
                if (place > 0)
                        (void)sqlite3_bind_int64(statement, place, (sqlite3_int64)index);
                if (sqlite3_step(statement) != SQLITE_DONE)
                        return gbx_view_error(view, err, "take an entry");
        }
        return 0;
}

static int add(sqlite3 *view, uint64_t index, const char *entry, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = json_loadb(entry, size, JSON_REJECT_DUPLICATES, NULL);
        const char *action = gbx_json_text(json, "action");
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
        for (const struct gbx_view_effect *effect = gbx_view_effects; effect->action; effect++)
                if (strcmp(effect->action, action) == 0) {
                        r = run_effect(view, effect->sql, index, entry, size, err);
                        if (r < 0)
                                return gbx_context(err, r, "entry %llu (%s)", (unsigned long long)index, action);
                }
        return execute(view, "UPDATE meta SET value=value+1 WHERE name='applied'", err);
}

int gbx_view_apply(sqlite3 *view, const uint8_t *seal_key, uint64_t index, const char *entry, size_t size, struct gbx_error *err) {
        int r = execute(view, "BEGIN IMMEDIATE", err);

        if (r < 0)
                return r;
        r = add(view, index, entry, size, err);
        if (r >= 0 && seal_key)
                r = gbx_seal_close(view, seal_key, err);
        return end(view, r, err);
}

int gbx_view_catch_up(sqlite3 *view, const uint8_t *seal_key, gbx_view_read *read, void *context, uint64_t until, struct gbx_error *err) {
        uint64_t next;
        int r = gbx_view_applied(view, &next, err);

        while (r >= 0 && next < until) {
                r = execute(view, "BEGIN IMMEDIATE", err);
                if (r < 0)
                        return r;
                for (unsigned n = 0; n < CATCH_UP_BATCH && next < until && r >= 0; n++) {
                        gbx_auto(gbx_buffer_free) struct gbx_buffer entry = {};

                        r = read(context, next, &entry, err);
                        if (r >= 0)
                                r = add(view, next++, gbx_buffer_text(&entry), entry.size, err);
                }
                if (r >= 0 && seal_key)
                        r = gbx_seal_close(view, seal_key, err);
                r = end(view, r, err);
        }
        return r;
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

int gbx_view_query_list(sqlite3 *view, json_t **ret_rows, struct gbx_error *err, const char *sql, va_list parameters) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = json_array();
        const char *value;
        int r;

        if (sqlite3_prepare_v2(view, sql, -1, &statement, NULL) != SQLITE_OK)
                return gbx_view_error(view, err, "be asked");
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
                return gbx_view_error(view, err, "be read");
        *ret_rows = gbx_take_ptr(rows);
        return 0;
}

int gbx_view_query(sqlite3 *view, json_t **ret_rows, struct gbx_error *err, const char *sql, ...) {
        va_list parameters;
        int r;

        va_start(parameters, sql);
        r = gbx_view_query_list(view, ret_rows, err, sql, parameters);
        va_end(parameters);
        return r;
}

int gbx_view_query_one(sqlite3 *view, json_t **ret_row, struct gbx_error *err, const char *sql, ...) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        va_list parameters;
        int r;

        va_start(parameters, sql);
        r = gbx_view_query_list(view, &rows, err, sql, parameters);
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
        gbx_auto(gbx_buffer_free) struct gbx_buffer all = {};

        for (const char *const *table = gbx_view_tables; *table; table++) {
                gbx_auto(gbx_json_freep) json_t *rows = NULL;
                gbx_auto(gbx_free_pointer) char *text = NULL;
                gbx_auto(free_sql) char *sql = sqlite3_mprintf("SELECT * FROM %s ORDER BY 1, 2", *table);
                int r = sql ? gbx_view_query(view, &rows, err, sql, NULL) : gbx_fail_memory(err);

                if (r < 0)
                        return r;
                text = json_dumps(rows, JSON_COMPACT | JSON_SORT_KEYS);
                if (!text)
                        return gbx_fail_memory(err);
                r = gbx_buffer_printf(&all, err, "%s %s\n", *table, text);
                if (r < 0)
                        return r;
        }
        gbx_sha256(all.data, all.size, ret_digest);
        return 0;
}
