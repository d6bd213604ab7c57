/* data: names, schema, rows, each. The manual is docs/lua.md. */
#include "runtime/engine/dataset.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { CHOSEN_MAX = 200 /* columns, as each() returns that many values */ };

static const char handle_name[] = "dataset";

static int data_names(lua_State *state) {
        struct gbx_error err = {};
        char **names;
        size_t count;

        if (gbx_job_names(gbx_engine_of(state)->root, &names, &count, &err) < 0)
                gbx_engine_stop(state, GBX_RULE_JOB, err.message);
        lua_newtable(state);
        for (size_t i = 0; i < count; i++) {
                (void)lua_pushstring(state, names[i]);
                lua_rawseti(state, -2, (lua_Integer)i + 1);
                free(names[i]);
        }
        free(names);
        return 1;
}

/* An unknown name is the script's mistake, anything else is the site's. */
static void fail_to_open(lua_State *state, int code, const char *message) {
        if (code == -ENOENT)
                (void)luaL_error(state, "%s", message);
        gbx_engine_stop(state, code == -EINVAL ? GBX_RULE_DATA : GBX_RULE_JOB, message);
}

static const char *check_name(lua_State *state) {
        size_t size;
        const char *name = luaL_checklstring(state, 1, &size);

        luaL_argcheck(state, gbx_name_valid(name) && strlen(name) == size, 1, "not the name of a dataset");
        return name;
}

static int data_schema(lua_State *state) {
        struct gbx_error err = {};
        struct gbx_columns columns;
        int r = gbx_job_schema(gbx_engine_of(state)->root, check_name(state), &columns, &err);

        if (r < 0)
                fail_to_open(state, r, err.message);
        lua_newtable(state);
        for (size_t i = 0; i < columns.count; i++) {
                lua_createtable(state, 0, 3);
                (void)lua_pushstring(state, columns.columns[i].name);
                lua_setfield(state, -2, "name");
                (void)lua_pushstring(state, gbx_value_type_name(columns.columns[i].type));
                lua_setfield(state, -2, "type");
                lua_pushboolean(state, !columns.columns[i].required);
                lua_setfield(state, -2, "missing");
                lua_rawseti(state, -2, (lua_Integer)i + 1);
        }
        gbx_columns_free(&columns);
        return 1;
}

/* --- reading rows ------------------------------------------------------------------ */

struct handle {
        struct gbx_dataset *dataset;
        lua_Integer row;
        struct gbx_error err; /* here, because clearing one for every row takes time */
};

static int close_handle(lua_State *state) {
        struct handle *handle = luaL_checkudata(state, 1, handle_name);

        handle->dataset = gbx_dataset_free(handle->dataset);
        return 0;
}

static struct handle *push_handle(lua_State *state) {
        static const luaL_Reg methods[] = { { "__gc", close_handle }, { "__close", close_handle }, {} };
        struct handle *handle = lua_newuserdatauv(state, sizeof *handle, 0);

        *handle = (struct handle){};
        if (luaL_newmetatable(state, handle_name)) {
                luaL_setfuncs(state, methods, 0);
                lua_pushboolean(state, false);
                lua_setfield(state, -2, "__metatable");
        }
        lua_setmetatable(state, -2);
        return handle;
}

/* Opens the dataset named at 1 with the columns listed at 2 (all if nil) and leaves its handle
 * on the stack. */
static struct handle *open_dataset(lua_State *state, size_t most) {
        const char *names[CHOSEN_MAX], *name = check_name(state);
        size_t count = 0;
        struct gbx_error err = {};
        struct handle *handle;
        int r;

        lua_settop(state, 2);
        if (!lua_isnil(state, 2)) {
                luaL_checktype(state, 2, LUA_TTABLE);
                luaL_argcheck(state, luaL_len(state, 2) <= (lua_Integer)most, 2, "too many columns");
                count = (size_t)luaL_len(state, 2);
                luaL_checkstack(state, (int)count + 8, "too many columns");
        }
        for (size_t i = 0; i < count; i++) { /* the names stay on the stack meanwhile */
                if (gbx_library_element(state, 2, (lua_Integer)i + 1) != LUA_TSTRING)
                        (void)luaL_argerror(state, 2, "the columns are not a list of names");
                names[i] = lua_tostring(state, -1);
        }
        handle = push_handle(state);
        r = gbx_dataset_open(&handle->dataset, gbx_engine_of(state)->root, name, lua_isnil(state, 2) ? NULL : names,
                             count, &err);
        if (r < 0)
                fail_to_open(state, r, err.message);
        return handle;
}

static uint64_t push_value(lua_State *state, const struct gbx_value *value) {
        if (value->missing) {
                lua_pushnil(state);
                return 1;
        }
        switch (value->type) {
        case GBX_VALUE_INTEGER:
                lua_pushinteger(state, value->integer);
                return 1;
        case GBX_VALUE_DECIMAL:
                lua_pushnumber(state, value->decimal);
                return 1;
        case GBX_VALUE_BOOLEAN:
                lua_pushboolean(state, value->boolean);
                return 1;
        case GBX_VALUE_TEXT:
        case GBX_VALUE_DATE:
        case GBX_VALUE_COUNT_:
                break;
        }
        (void)lua_pushlstring(state, value->text.data, value->text.size);
        return 1 + value->text.size / GBX_ENGINE_BYTES_PER_WORK;
}

/* The next row of the handle in upvalue 1; false at the end, after which it stays there. */
static bool read_row(lua_State *state, struct handle **ret_handle, const struct gbx_value **ret_values) {
        struct handle *handle = lua_touserdata(state, lua_upvalueindex(1));
        int r = handle->dataset ? gbx_dataset_next(handle->dataset, ret_values, &handle->err) : 0;

        if (r < 0)
                gbx_engine_stop(state, r == -EINVAL ? GBX_RULE_DATA : GBX_RULE_JOB, handle->err.message);
        if (r == 0)
                handle->dataset = gbx_dataset_free(handle->dataset);
        handle->row++;
        *ret_handle = handle;
        return r > 0;
}

static int next_values(lua_State *state) {
        struct handle *handle;
        const struct gbx_value *values;
        uint64_t work = 1;
        size_t width;

        lua_settop(state, 0);
        if (!read_row(state, &handle, &values))
                return 0;
        width = gbx_dataset_width(handle->dataset);
        luaL_checkstack(state, (int)width + 1, "too many columns");
        lua_pushinteger(state, handle->row);
        for (size_t i = 0; i < width; i++)
                work += push_value(state, &values[i]);
        gbx_engine_charge(state, work);
        return (int)width + 1;
}

/* Upvalue 2: the list of column names, so that they need not be made again for each row. */
static int next_table(lua_State *state) {
        struct handle *handle;
        const struct gbx_value *values;
        uint64_t work = 1;
        size_t width;

        if (!read_row(state, &handle, &values))
                return 0;
        width = gbx_dataset_width(handle->dataset);
        lua_createtable(state, 0, (int)width);
        for (size_t i = 0; i < width; i++) {
                if (values[i].missing)
                        continue;
                (void)lua_rawgeti(state, lua_upvalueindex(2), (lua_Integer)i + 1);
                work += 1 + push_value(state, &values[i]);
                lua_rawset(state, -3);
        }
        gbx_engine_charge(state, work);
        return 1;
}

/* Returns what a generic `for` wants; the handle is its closing value. */
static int data_each(lua_State *state) {
        int handle;

        luaL_checktype(state, 2, LUA_TTABLE);
        (void)open_dataset(state, CHOSEN_MAX);
        handle = lua_gettop(state);
        lua_pushvalue(state, handle);
        lua_pushcclosure(state, next_values, 1);
        lua_pushnil(state);
        lua_pushnil(state);
        lua_pushvalue(state, handle);
        return 4;
}

static int data_rows(lua_State *state) {
        const struct gbx_dataset *dataset = open_dataset(state, CHOSEN_MAX)->dataset;
        int handle = lua_gettop(state);

        lua_pushvalue(state, handle);
        lua_newtable(state);
        for (size_t i = 0; i < gbx_dataset_width(dataset); i++) {
                (void)lua_pushstring(state, gbx_dataset_column(dataset, i));
                lua_rawseti(state, -2, (lua_Integer)i + 1);
        }
        lua_pushcclosure(state, next_table, 2);
        lua_pushnil(state);
        lua_pushnil(state);
        lua_pushvalue(state, handle);
        return 4;
}

const luaL_Reg gbx_library_data[] = {
        { "each", data_each },
        { "names", data_names },
        { "rows", data_rows },
        { "schema", data_schema },
        {},
};
