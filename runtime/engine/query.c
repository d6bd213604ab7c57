#include "runtime/engine/query.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "runtime/engine/job.h"
#include "runtime/engine/query_result.h"

#include <lauxlib.h>
#include <string.h>

struct session {
        struct gbx_duckdb api;
        gbx_duckdb_handle database;
        gbx_duckdb_handle connection;
};

static const char *const types[GBX_VALUE_COUNT_] = {
        [GBX_VALUE_INTEGER] = "BIGINT", [GBX_VALUE_DECIMAL] = "DOUBLE", [GBX_VALUE_TEXT] = "VARCHAR",
        [GBX_VALUE_DATE] = "DATE",      [GBX_VALUE_BOOLEAN] = "BOOLEAN",
};

/* --- making the database -------------------------------------------------------- */

static int execute(const struct session *session, const char *sql, struct gbx_error *err) {
        struct gbx_duckdb_result result;
        int r = 0;

        if (session->api.query(session->connection, sql, &result) != GBX_DUCKDB_SUCCESS)
                r = gbx_fail(err, -EIO, "DuckDB: %s", session->api.result_error(&result));
        session->api.destroy_result(&result);
        return r;
}

static int open_database(struct session *session, uint64_t memory, struct gbx_error *err) {
        char bytes[32];
        const struct {
                const char *name;
                const char *option;
        } options[] = {
                { "threads", "1" },
                { "memory_limit", bytes },
                { "temp_directory", "" },
                { "autoinstall_known_extensions", "false" },
                { "autoload_known_extensions", "false" },
                { "allow_community_extensions", "false" },
                { "allow_unsigned_extensions", "false" },
                { "allocator_background_threads", "false" },
        };
        gbx_duckdb_handle config = NULL;
        char *problem = NULL;
        int r = 0;

        (void)snprintf(bytes, sizeof bytes, "%lluB", (unsigned long long)memory);
        if (session->api.create_config(&config) != GBX_DUCKDB_SUCCESS)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < gbx_array_size(options) && r >= 0; i++)
                if (session->api.set_config(config, options[i].name, options[i].option) != GBX_DUCKDB_SUCCESS)
                        r = gbx_fail(err, -EINVAL, "DuckDB does not know the option %s", options[i].name);
        if (r >= 0 && session->api.open_ext(":memory:", &session->database, config, &problem) != GBX_DUCKDB_SUCCESS)
                r = gbx_fail(err, -EIO, "DuckDB: %s", problem ? problem : "cannot open the database");
        session->api.free(problem);
        session->api.destroy_config(&config);
        if (r >= 0 && session->api.connect(session->database, &session->connection) != GBX_DUCKDB_SUCCESS)
                r = gbx_fail(err, -EIO, "DuckDB: cannot connect");
        return r;
}

/* Appends `text` between quotes, which are doubled inside. */
static int append_quoted(struct gbx_buffer *sql, char quote, const char *text, struct gbx_error *err) {
        int r = gbx_buffer_append_byte(sql, (uint8_t)quote, err);

        for (; *text && r >= 0; text++) {
                if (*text == quote)
                        r = gbx_buffer_append_byte(sql, (uint8_t)quote, err);
                if (r >= 0)
                        r = gbx_buffer_append_byte(sql, (uint8_t)*text, err);
        }
        return r < 0 ? r : gbx_buffer_append_byte(sql, (uint8_t)quote, err);
}

/* A view that reads a dataset as its schema says, without guessing. */
static int add_view(const struct session *session, const char *name, const char *path, const struct gbx_columns *columns,
                    struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sql = {};
        int r = gbx_buffer_printf(&sql, err, "CREATE VIEW ");

        if (r >= 0)
                r = append_quoted(&sql, '"', name, err);
        if (r >= 0)
                r = gbx_buffer_printf(&sql, err, " AS SELECT * FROM read_csv(");
        if (r >= 0)
                r = append_quoted(&sql, '\'', path, err);
        if (r >= 0)
                r = gbx_buffer_printf(&sql, err,
                                      ", auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
                                      "nullstr = '', allow_quoted_nulls = true, dateformat = '%%Y-%%m-%%d', "
                                      "strict_mode = true, parallel = false, columns = {");
        for (size_t i = 0; i < columns->count && r >= 0; i++) {
                if (i > 0)
                        r = gbx_buffer_printf(&sql, err, ", ");
                if (r >= 0)
                        r = append_quoted(&sql, '\'', columns->columns[i].name, err);
                if (r >= 0)
                        r = gbx_buffer_printf(&sql, err, ": '%s'", types[columns->columns[i].type]);
        }
        if (r >= 0)
                r = gbx_buffer_printf(&sql, err, "})");
        return r < 0 ? r : execute(session, gbx_buffer_text(&sql), err);
}

/* Makes the views and notes their files in `allowed`, a list in SQL. */
static int add_views(const struct session *session, const struct gbx_engine *engine, struct gbx_buffer *allowed,
                     struct gbx_error *err) {
        char **names;
        size_t count;
        int r = gbx_job_names(engine->root, &names, &count, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++) {
                gbx_auto(gbx_columns_free) struct gbx_columns columns = {};
                gbx_auto(gbx_free_pointer) char *path = NULL;

                if (r >= 0)
                        r = gbx_job_schema(engine->root, names[i], &columns, err);
                if (r >= 0 && asprintf(&path, "%s/data/%s", engine->root_path, names[i]) < 0)
                        r = gbx_fail_memory(err);
                if (r >= 0)
                        r = add_view(session, names[i], path, &columns, err);
                if (r >= 0 && i > 0)
                        r = gbx_buffer_printf(allowed, err, ", ");
                if (r >= 0)
                        r = append_quoted(allowed, '\'', path, err);
                free(names[i]);
        }
        free(names);
        return r;
}

static int prepare(struct session *session, const struct gbx_engine *engine, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sql = {};
        int r;

        /* Otherwise DuckDB looks through all time zones of the system, which are not there. */
        if (setenv("TZ", "UTC", 1) < 0)
                return gbx_fail_memory(err);
        r = gbx_duckdb_load(&session->api, "libduckdb.so", err);
        if (r < 0)
                return r;
        r = open_database(session, engine->limits.memory_bytes, err);
        if (r < 0)
                return r;
        r = gbx_buffer_printf(&sql, err, "SET allowed_paths = [");
        if (r >= 0)
                r = add_views(session, engine, &sql, err);
        if (r >= 0)
                r = gbx_buffer_printf(&sql, err, "]; SET enable_external_access = false; SET lock_configuration = true");
        return r < 0 ? r : execute(session, gbx_buffer_text(&sql), err);
}

/* --- data.query ------------------------------------------------------------------- */

static int data_query(lua_State *state) {
        const struct session *session = lua_touserdata(state, lua_upvalueindex(1));
        size_t size;
        const char *sql = luaL_checklstring(state, 1, &size);
        struct gbx_query_result *result;

        luaL_argcheck(state, strlen(sql) == size, 1, "NUL in a query");
        result = gbx_query_result_push(state, &session->api);
        if (session->api.query(session->connection, sql, &result->result) != GBX_DUCKDB_SUCCESS)
                return luaL_error(state, "%s", session->api.result_error(&result->result));
        return gbx_query_result_rows(state);
}

static int close_session(lua_State *state) {
        struct session *session = lua_touserdata(state, 1);

        if (session->connection)
                session->api.disconnect(&session->connection);
        if (session->database)
                session->api.close(&session->database);
        return 0;
}

/* A lua_CFunction: pushes the session that data.query works on, and adds that function. */
static int add_query(lua_State *state) {
        struct gbx_error err = {};
        struct session *session = lua_newuserdatauv(state, sizeof *session, 0);

        *session = (struct session){};
        lua_createtable(state, 0, 1);
        lua_pushcfunction(state, close_session);
        lua_setfield(state, -2, "__gc");
        lua_setmetatable(state, -2);
        if (prepare(session, gbx_engine_of(state), &err) < 0)
                return luaL_error(state, "%s", err.message);
        (void)lua_getglobal(state, "data");
        lua_pushvalue(state, -2);
        lua_pushcclosure(state, data_query, 1);
        lua_setfield(state, -2, "query");
        return 0;
}

int gbx_query_install(struct gbx_engine *engine, struct gbx_error *err) {
        /* Half of the memory for the interpreter, half for the database. */
        engine->limits.memory_bytes /= 2;
        lua_pushcfunction(engine->state, add_query);
        if (lua_pcall(engine->state, 0, 0, 0) != LUA_OK)
                return gbx_fail(err, -EINVAL, "data.query: %s", lua_tostring(engine->state, -1));
        return 0;
}
