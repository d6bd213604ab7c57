/*
 * The table library
 *
 * Ours throughout, because Lua's loops in C without end where a table claims
 * a huge length or a range is huge: here every element that is touched is
 * charged. Metamethods are honoured as in Lua.
 */
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"

#include <limits.h>

int gbx_library_element(lua_State *state, int index, lua_Integer i) {
        gbx_engine_charge(state, 1);
        return lua_geti(state, index, i);
}

/* A table, or what behaves as one by its metamethods. */
static void check_list(lua_State *state, int index) {
        if (lua_type(state, index) == LUA_TTABLE)
                return;
        if (luaL_getmetafield(state, index, "__index") == LUA_TNIL)
                luaL_checktype(state, index, LUA_TTABLE);
        else
                lua_pop(state, 1);
}

static int table_insert(lua_State *state) {
        lua_Integer end, position;

        check_list(state, 1);
        end = luaL_len(state, 1) + 1;
        switch (lua_gettop(state)) {
        case 2:
                position = end;
                break;
        case 3:
                position = luaL_checkinteger(state, 2);
                luaL_argcheck(state, (lua_Unsigned)position - 1U < (lua_Unsigned)end, 2, "position out of bounds");
                for (lua_Integer i = end; i > position; i--) {
                        (void)gbx_library_element(state, 1, i - 1);
                        lua_seti(state, 1, i);
                }
                break;
        default:
                return luaL_error(state, "wrong number of arguments to 'insert'");
        }
        lua_seti(state, 1, position);
        return 0;
}

static int table_remove(lua_State *state) {
        lua_Integer size, position;

        check_list(state, 1);
        size = luaL_len(state, 1);
        position = luaL_optinteger(state, 2, size);
        if (position != size)
                luaL_argcheck(state, (lua_Unsigned)position - 1U <= (lua_Unsigned)size, 2, "position out of bounds");
        (void)gbx_library_element(state, 1, position);
        for (; position < size; position++) {
                (void)gbx_library_element(state, 1, position + 1);
                lua_seti(state, 1, position);
        }
        lua_pushnil(state);
        lua_seti(state, 1, position);
        return 1;
}

static int table_move(lua_State *state) {
        lua_Integer first, last, to;
        int target = lua_isnoneornil(state, 5) ? 1 : 5;

        check_list(state, 1);
        check_list(state, target);
        first = luaL_checkinteger(state, 2);
        last = luaL_checkinteger(state, 3);
        to = luaL_checkinteger(state, 4);
        if (last >= first) {
                lua_Integer count;

                luaL_argcheck(state, first > 0 || last < LUA_MAXINTEGER + first, 3, "too many elements to move");
                count = last - first + 1;
                luaL_argcheck(state, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
                /* Upwards unless the ranges overlap and that would read what was just written. */
                for (lua_Integer i = 0; i < count; i++) {
                        lua_Integer at = to > last || to <= first || target != 1 ? i : count - 1 - i;

                        (void)gbx_library_element(state, 1, first + at);
                        lua_seti(state, target, to + at);
                }
        }
        lua_pushvalue(state, target);
        return 1;
}

static void add_element(lua_State *state, luaL_Buffer *buffer, lua_Integer i) {
        (void)gbx_library_element(state, 1, i);
        if (!lua_isstring(state, -1))
                (void)luaL_error(state, "invalid value (at index %I) in table for 'concat'", (LUAI_UACINT)i);
        gbx_library_room(state, buffer, lua_rawlen(state, -1));
        luaL_addvalue(buffer);
}

static int table_concat(lua_State *state) {
        luaL_Buffer buffer;
        size_t separator_size;
        const char *separator;
        lua_Integer first, last;

        check_list(state, 1);
        separator = luaL_optlstring(state, 2, "", &separator_size);
        first = luaL_optinteger(state, 3, 1);
        last = lua_isnoneornil(state, 4) ? luaL_len(state, 1) : luaL_checkinteger(state, 4);
        luaL_buffinit(state, &buffer);
        for (; first < last; first++) {
                add_element(state, &buffer, first);
                gbx_library_room(state, &buffer, separator_size);
                luaL_addlstring(&buffer, separator, separator_size);
        }
        if (first == last)
                add_element(state, &buffer, first);
        luaL_pushresult(&buffer);
        return 1;
}

static int table_pack(lua_State *state) {
        int count = lua_gettop(state);

        lua_createtable(state, count, 1);
        lua_insert(state, 1);
        for (int i = count; i >= 1; i--)
                lua_rawseti(state, 1, i);
        lua_pushinteger(state, count);
        lua_setfield(state, 1, "n");
        return 1;
}

static int table_unpack(lua_State *state) {
        lua_Integer first = luaL_optinteger(state, 2, 1);
        lua_Integer last = lua_isnoneornil(state, 3) ? luaL_len(state, 1) : luaL_checkinteger(state, 3);
        lua_Unsigned count;

        if (first > last)
                return 0;
        count = (lua_Unsigned)last - (lua_Unsigned)first;
        if (count >= INT_MAX || !lua_checkstack(state, (int)++count))
                return luaL_error(state, "too many results to unpack");
        for (lua_Unsigned i = 0; i < count; i++)
                (void)gbx_library_element(state, 1, first + (lua_Integer)i);
        return (int)count;
}

const luaL_Reg gbx_library_table[] = {
        { "concat", table_concat }, { "insert", table_insert }, { "move", table_move },
        { "pack", table_pack },     { "remove", table_remove }, { "sort", gbx_library_sort },
        { "unpack", table_unpack }, {},
};
