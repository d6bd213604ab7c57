/* The functions of the globals that cannot be Lua's own. */
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"

#include <stdlib.h>
#include <string.h>

/* Has the value's metatable a `__metatable` field? Then it is ours, or the script shut it. */
static bool is_protected(lua_State *state, int index) {
        if (luaL_getmetafield(state, index, "__metatable") == LUA_TNIL)
                return false;
        lua_pop(state, 1);
        return true;
}

const char *gbx_library_text(lua_State *state, int index, size_t *ret_size) {
        index = lua_absindex(state, index);
        if (luaL_callmeta(state, index, "__tostring")) {
                if (!lua_isstring(state, -1))
                        (void)luaL_error(state, "'__tostring' must return a string");
        } else
                switch (lua_type(state, index)) {
                case LUA_TNUMBER:
                case LUA_TSTRING:
                        lua_pushvalue(state, index);
                        break;
                case LUA_TBOOLEAN:
                        (void)lua_pushstring(state, lua_toboolean(state, index) ? "true" : "false");
                        break;
                default: /* never an address: it would differ from run to run */
                        (void)lua_pushstring(state, luaL_typename(state, index));
                }
        return lua_tolstring(state, -1, ret_size);
}

static int base_tostring(lua_State *state) {
        luaL_checkany(state, 1);
        (void)gbx_library_text(state, 1, NULL);
        return 1;
}

/* As Lua's, but without finalizers: when they would run depends on the collector. */
static int base_setmetatable(lua_State *state) {
        int type = lua_type(state, 2);

        luaL_checktype(state, 1, LUA_TTABLE);
        luaL_argexpected(state, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
        if (is_protected(state, 1))
                return luaL_error(state, "cannot change a protected metatable");
        if (type == LUA_TTABLE) {
                (void)lua_pushstring(state, "__gc");
                if (lua_rawget(state, 2) != LUA_TNIL)
                        return luaL_error(state, "__gc is not supported");
        }
        lua_settop(state, 2);
        lua_setmetatable(state, 1);
        return 1;
}

static int base_rawset(lua_State *state) {
        luaL_checktype(state, 1, LUA_TTABLE);
        luaL_checkany(state, 2);
        luaL_checkany(state, 3);
        if (is_protected(state, 1))
                return luaL_error(state, "cannot change a protected table");
        lua_settop(state, 3);
        lua_rawset(state, 1);
        return 1;
}

static int base_collectgarbage(lua_State *state) {
        static const char *const options[] = { "collect", "count", "step", NULL };
        struct gbx_engine *engine = gbx_engine_of(state);

        if (luaL_checkoption(state, 1, "collect", options) == 1) {
                lua_pushnumber(state, (lua_Number)engine->memory_used / 1024);
                return 1;
        }
        gbx_engine_charge_bytes(state, engine->memory_used);
        lua_gc(state, LUA_GCCOLLECT);
        lua_pushinteger(state, 0);
        return 1;
}

/* Appends to the kept text; what does not fit is dropped. */
static void keep_printed(struct gbx_engine *engine, const char *text, size_t size) {
        size_t left = engine->limits.print_bytes - engine->printed_size;

        if (!engine->printed)
                engine->printed = malloc(engine->limits.print_bytes);
        if (!engine->printed)
                gbx_engine_stop(engine->state, GBX_RULE_MEMORY, "no memory for the text of print()");
        if (size > left)
                size = left;
        memcpy(engine->printed + engine->printed_size, text, size);
        engine->printed_size += size;
}

static int base_print(lua_State *state) {
        struct gbx_engine *engine = gbx_engine_of(state);
        int count = lua_gettop(state);

        engine->prints++;
        if (engine->limits.print_bytes == 0)
                return 0;
        for (int i = 1; i <= count; i++) {
                size_t size;
                const char *text = gbx_library_text(state, i, &size);

                gbx_engine_charge_bytes(state, size);
                keep_printed(engine, "\t", i > 1);
                keep_printed(engine, text, size);
                lua_pop(state, 1);
        }
        keep_printed(engine, "\n", 1);
        return 0;
}

static int base_progress(lua_State *state) {
        lua_Number fraction = luaL_checknumber(state, 1);
        lua_Integer step = luaL_optinteger(state, 2, 0);

        luaL_argcheck(state, step >= 0 && step <= GBX_REPORT_STEP_MAX, 2, "a step is a number from 1 to 100");
        gbx_report_progress(&gbx_engine_of(state)->report, fraction, (int)step);
        return 0;
}

/* --- read-only views ----------------------------------------------------------- */

static int refuse_write(lua_State *state) { return luaL_error(state, "this table is read-only"); }

static int view_length(lua_State *state) {
        lua_pushinteger(state, luaL_len(state, lua_upvalueindex(1)));
        return 1;
}

static int view_pairs(lua_State *state) {
        lua_settop(state, 0);
        lua_pushvalue(state, lua_upvalueindex(1));
        return gbx_library_pairs(state);
}

static void freeze_nested(lua_State *state) {
        int table = lua_gettop(state);

        lua_pushnil(state);
        while (lua_next(state, table)) {
                if (lua_type(state, -1) == LUA_TTABLE) {
                        gbx_library_freeze(state);
                        lua_pushvalue(state, -2);
                        lua_insert(state, -2);
                        lua_rawset(state, table); /* an existing key: lua_next may go on */
                } else
                        lua_pop(state, 1);
        }
}

void gbx_library_freeze(lua_State *state) {
        static const luaL_Reg methods[] = { { "__len", view_length }, { "__pairs", view_pairs }, {} };

        luaL_checkstack(state, 8, "too deep");
        freeze_nested(state);
        lua_newtable(state);
        lua_createtable(state, 0, 5);
        lua_pushvalue(state, -3);
        lua_setfield(state, -2, "__index");
        lua_pushcfunction(state, refuse_write);
        lua_setfield(state, -2, "__newindex");
        lua_pushboolean(state, false);
        lua_setfield(state, -2, "__metatable");
        lua_pushvalue(state, -3);
        luaL_setfuncs(state, methods, 1);
        lua_setmetatable(state, -2);
        lua_remove(state, -2);
}

const luaL_Reg gbx_library_base[] = {
        { "collectgarbage", base_collectgarbage },
        { "next", gbx_library_next },
        { "pairs", gbx_library_pairs },
        { "print", base_print },
        { "progress", base_progress },
        { "rawset", base_rawset },
        { "setmetatable", base_setmetatable },
        { "tostring", base_tostring },
        {},
};
