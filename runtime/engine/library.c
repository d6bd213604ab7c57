#include "runtime/engine/library.h"

#include "runtime/engine/engine.h"

#include <lualib.h>

/*
 * Every function of Lua's own library that a script can reach, and how it is
 * kept in bounds:
 *
 *   PLAIN    does a bounded amount of work, or runs Lua code that is counted
 *   CHARGED  takes time by the length of its text: charged for what goes in and comes out
 */
enum care { PLAIN, CHARGED };

struct function {
        const char *name;
        enum care care;
};

static const struct function base_functions[] = {
        { "assert", PLAIN },   { "error", PLAIN },  { "getmetatable", PLAIN }, { "ipairs", PLAIN },
        { "pcall", PLAIN },    { "rawequal", PLAIN }, { "rawget", PLAIN },     { "rawlen", PLAIN },
        { "select", PLAIN },   { "tonumber", CHARGED }, { "type", PLAIN },     { "xpcall", PLAIN },
        { "_VERSION", PLAIN }, {},
};
static const struct function string_functions[] = {
        { "byte", CHARGED },     { "char", PLAIN },    { "len", PLAIN },    { "lower", CHARGED }, { "pack", CHARGED },
        { "packsize", CHARGED }, { "reverse", CHARGED }, { "sub", CHARGED }, { "unpack", CHARGED }, { "upper", CHARGED },
        {},
};
static const struct function math_functions[] = {
        { "abs", PLAIN },   { "acos", PLAIN },       { "asin", PLAIN }, { "atan", PLAIN },   { "ceil", PLAIN },
        { "cos", PLAIN },   { "deg", PLAIN },        { "exp", PLAIN },  { "floor", PLAIN },  { "fmod", PLAIN },
        { "huge", PLAIN },  { "log", PLAIN },        { "max", PLAIN },  { "maxinteger", PLAIN }, { "min", PLAIN },
        { "mininteger", PLAIN }, { "modf", PLAIN },  { "pi", PLAIN },   { "rad", PLAIN },    { "random", PLAIN },
        { "randomseed", PLAIN }, { "sin", PLAIN },   { "sqrt", PLAIN }, { "tan", PLAIN },    { "tointeger", PLAIN },
        { "type", PLAIN },  { "ult", PLAIN },        {},
};
static const struct function utf8_functions[] = {
        { "char", PLAIN },   { "charpattern", PLAIN }, { "codepoint", CHARGED },
        { "codes", CHARGED }, { "len", CHARGED },      { "offset", CHARGED },    {},
};
static const struct function coroutine_functions[] = {
        { "close", PLAIN },  { "create", PLAIN }, { "isyieldable", PLAIN }, { "resume", PLAIN },
        { "running", PLAIN }, { "status", PLAIN }, { "wrap", PLAIN },        { "yield", PLAIN },
        {},
};

static const struct library {
        const char *name; /* NULL: the globals */
        lua_CFunction open;
        const struct function *functions;
        const luaL_Reg *own[2];
} libraries[] = {
        { NULL, luaopen_base, base_functions, { gbx_library_base } },
        { LUA_STRLIBNAME, luaopen_string, string_functions, { gbx_library_string, gbx_library_pattern } },
        { LUA_MATHLIBNAME, luaopen_math, math_functions, {} },
        { LUA_UTF8LIBNAME, luaopen_utf8, utf8_functions, {} },
        { LUA_COLIBNAME, luaopen_coroutine, coroutine_functions, {} },
        { LUA_TABLIBNAME, NULL, NULL, { gbx_library_table } },
        { "data", NULL, NULL, { gbx_library_data } },
        { "release", NULL, NULL, { gbx_library_release } },
};

static uint64_t charge_texts(lua_State *state, int first) {
        uint64_t bytes = 0;

        for (int i = first; i <= lua_gettop(state); i++)
                if (lua_type(state, i) == LUA_TSTRING)
                        bytes += lua_rawlen(state, i);
        gbx_engine_charge_bytes(state, bytes);
        return bytes;
}

/* Upvalue 1: the function of Lua's library, which needs no upvalue itself. */
static int call_charged(lua_State *state) {
        lua_CFunction function = lua_tocfunction(state, lua_upvalueindex(1));
        int results;

        gbx_engine_reserve(state, charge_texts(state, 1)); /* for the text that comes out */
        results = function(state);
        (void)charge_texts(state, lua_gettop(state) - results + 1);
        return results;
}

/* A new coroutine has a counter of its own; it pays for what that may leave uncounted. */
static int call_new_coroutine(lua_State *state) {
        gbx_engine_charge(state, GBX_ENGINE_HOOK_INTERVAL);
        return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

static int call_randomseed(lua_State *state) {
        (void)luaL_checkinteger(state, 1); /* without a number Lua would take the clock */
        lua_pushvalue(state, lua_upvalueindex(1));
        lua_insert(state, 1);
        lua_call(state, lua_gettop(state) - 1, 0);
        return 0;
}

/* Wraps t[name], for the table on top of the stack. */
static void wrap(lua_State *state, const char *name, lua_CFunction wrapper) {
        (void)lua_getfield(state, -1, name);
        lua_pushcclosure(state, wrapper, 1);
        lua_setfield(state, -2, name);
}

/* Pushes a new table with the listed functions of one library. */
static void build(lua_State *state, const struct library *library) {
        lua_newtable(state);
        if (library->open) {
                lua_pushcfunction(state, library->open);
                lua_call(state, 0, 1); /* luaopen_base returns the globals */
                for (const struct function *function = library->functions; function->name; function++) {
                        if (lua_getfield(state, -1, function->name) == LUA_TNIL)
                                (void)luaL_error(state, "Lua has no function %s", function->name);
                        lua_setfield(state, -3, function->name);
                        if (function->care == CHARGED) {
                                lua_pushvalue(state, -2);
                                wrap(state, function->name, call_charged);
                                lua_pop(state, 1);
                        }
                }
                lua_pop(state, 1);
        }
        for (size_t i = 0; i < 2 && library->own[i]; i++)
                luaL_setfuncs(state, library->own[i], 0);
}

/* Methods of texts come from a table that no script can reach: "x":rep() stays what it is. */
static void protect_text_methods(lua_State *state) {
        (void)lua_pushliteral(state, "");
        build(state, &libraries[1]); /* sets Lua's metatable of texts, with their arithmetic */
        lua_getmetatable(state, -2);
        lua_insert(state, -2);
        lua_setfield(state, -2, "__index");
        lua_pushboolean(state, false);
        lua_setfield(state, -2, "__metatable");
        lua_pop(state, 2);
}

int gbx_library_install(lua_State *state) {
        /* The tables are complete before the globals change: luaopen_base works in the old ones. */
        lua_newtable(state);
        for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
                const struct library *library = &libraries[i];

                build(state, library);
                if (!library->name) { /* the new globals */
                        lua_replace(state, -2);
                        lua_pushvalue(state, -1);
                        lua_setfield(state, -2, LUA_GNAME);
                        continue;
                }
                if (library->open == luaopen_coroutine) {
                        wrap(state, "create", call_new_coroutine);
                        wrap(state, "wrap", call_new_coroutine);
                }
                if (library->open == luaopen_math) {
                        wrap(state, "randomseed", call_randomseed);
                        (void)lua_getfield(state, -1, "randomseed");
                        lua_pushinteger(state, 0);
                        lua_call(state, 1, 0);
                }
                lua_setfield(state, -2, library->name);
        }
        lua_rawseti(state, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        protect_text_methods(state);
        /* What the libraries left in the registry is not needed by any function above. */
        lua_pushnil(state);
        lua_setfield(state, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        return 0;
}
