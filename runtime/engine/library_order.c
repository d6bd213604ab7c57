/*
 * pairs and next in the order of the keys
 *
 * Lua goes through a table in the order of its hash, whose seed changes from
 * run to run. Here numbers come first, ascending, then texts by their bytes,
 * then false and true. A table with other keys (tables, functions) has no order
 * that would repeat, so going through it is an error; using it is not.
 *
 * As in Lua, fields may be changed and cleared on the way; a field that is
 * added is not visited.
 */
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"

#include <stdlib.h>
#include <string.h>

struct key {
        lua_Integer at; /* its place in the unordered list */
        int type;       /* LUA_TNUMBER, LUA_TSTRING or LUA_TBOOLEAN */
        bool integer;
        union {
                lua_Integer whole;
                lua_Number number;
                bool truth;
                struct {
                        const char *data; /* valid while the table holds the key */
                        size_t size;
                } text;
        };
};

static void read_key(lua_State *state, int index, struct key *ret) {
        *ret = (struct key){ .type = lua_type(state, index) };
        switch (ret->type) {
        case LUA_TNUMBER:
                ret->integer = lua_isinteger(state, index);
                if (ret->integer)
                        ret->whole = lua_tointeger(state, index);
                else
                        ret->number = lua_tonumber(state, index);
                break;
        case LUA_TSTRING:
                ret->text.data = lua_tolstring(state, index, &ret->text.size);
                break;
        case LUA_TBOOLEAN:
                ret->truth = lua_toboolean(state, index);
                break;
        default:
                (void)luaL_error(state, "a key of this table is a %s: such keys have no fixed order", luaL_typename(state, index));
        }
}

static int rank(int type) { return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : 2; }

static int compare_numbers(const struct key *a, const struct key *b) {
        /* A float key is no whole number (Lua turns those into integers), so it never equals an
         * integer, and where the conversion below rounds, the other side is far away or beyond 2^63. */
        lua_Number x, y;

        if (a->integer && b->integer)
                return (a->whole > b->whole) - (a->whole < b->whole);
        x = a->integer ? (lua_Number)a->whole : a->number;
        y = b->integer ? (lua_Number)b->whole : b->number;
        if (x == y)
                return a->integer ? -(x > 0) : (x > 0); /* 2^63 as a float against the largest integers */
        return x < y ? -1 : 1;
}

static int compare_texts(const struct key *a, const struct key *b) {
        size_t common = a->text.size < b->text.size ? a->text.size : b->text.size;
        int order = common ? memcmp(a->text.data, b->text.data, common) : 0;

        return order ? order : (a->text.size > b->text.size) - (a->text.size < b->text.size);
}

static int compare_keys(const void *left, const void *right) {
        const struct key *a = left, *b = right;

        if (a->type != b->type)
                return rank(a->type) - rank(b->type);
        switch (a->type) {
        case LUA_TNUMBER:
                return compare_numbers(a, b);
        case LUA_TSTRING:
                return compare_texts(a, b);
        default:
                return a->truth - b->truth;
        }
}

/* How many keys the table at 1 has. */
static size_t count_keys(lua_State *state) {
        size_t count = 0;

        lua_pushnil(state);
        while (lua_next(state, 1)) {
                lua_pop(state, 1);
                count++;
        }
        gbx_engine_charge(state, 4 * (uint64_t)count);
        return count;
}

/* Pushes a list of the keys of the table at 1, in order. The unordered list holds on to every
 * key meanwhile: in a weak table the collector may drop one at any allocation. */
static void push_keys(lua_State *state) {
        size_t count = count_keys(state), n = 0;
        struct key *keys = lua_newuserdatauv(state, (count + !count) * sizeof *keys, 0);
        int list = lua_gettop(state) + 1;
        bool ordered = true;

        lua_createtable(state, count < INT32_MAX ? (int)count : 0, 0);
        lua_pushnil(state);
        while (n < count && lua_next(state, 1)) {
                lua_pop(state, 1);
                read_key(state, -1, &keys[n]);
                lua_pushvalue(state, -1);
                lua_rawseti(state, list, (lua_Integer)n + 1);
                keys[n].at = (lua_Integer)n + 1;
                ordered = ordered && (n == 0 || compare_keys(&keys[n - 1], &keys[n]) < 0);
                n++;
        }
        lua_settop(state, list);
        if (ordered)
                return;
        qsort(keys, n, sizeof *keys, compare_keys);
        lua_createtable(state, (int)n, 0);
        for (size_t i = 0; i < n; i++) {
                (void)lua_rawgeti(state, list, keys[i].at);
                lua_rawseti(state, -2, (lua_Integer)i + 1);
        }
}

/* Upvalues: the table, its keys as a list (which also keeps the texts alive), the position. */
static int step(lua_State *state) {
        lua_Integer at = lua_tointeger(state, lua_upvalueindex(3));

        do {
                lua_settop(state, 0);
                if (lua_rawgeti(state, lua_upvalueindex(2), ++at) == LUA_TNIL)
                        return 1;
                lua_pushvalue(state, -1);
        } while (lua_rawget(state, lua_upvalueindex(1)) == LUA_TNIL); /* cleared on the way */
        lua_pushinteger(state, at);
        lua_replace(state, lua_upvalueindex(3));
        return 2;
}

int gbx_library_pairs(lua_State *state) {
        luaL_checkany(state, 1);
        if (luaL_getmetafield(state, 1, "__pairs") != LUA_TNIL) {
                lua_pushvalue(state, 1);
                lua_call(state, 1, 3);
                return 3;
        }
        luaL_checktype(state, 1, LUA_TTABLE);
        lua_settop(state, 1);
        push_keys(state);
        lua_pushvalue(state, 1);
        lua_insert(state, -2);
        lua_pushinteger(state, 0);
        lua_pushcclosure(state, step, 3);
        return 1;
}

int gbx_library_next(lua_State *state) {
        struct key after = { .type = LUA_TNIL }, best = { .type = LUA_TNIL }, key;
        uint64_t visited = 0;

        luaL_checktype(state, 1, LUA_TTABLE);
        lua_settop(state, 2);
        if (!lua_isnil(state, 2))
                read_key(state, 2, &after);
        lua_pushnil(state); /* 3: the best key so far */
        lua_pushnil(state);
        while (lua_next(state, 1)) {
                lua_pop(state, 1);
                visited++;
                read_key(state, -1, &key);
                if ((after.type == LUA_TNIL || compare_keys(&key, &after) > 0) &&
                    (best.type == LUA_TNIL || compare_keys(&key, &best) < 0)) {
                        best = key;
                        lua_pushvalue(state, -1);
                        lua_replace(state, 3);
                }
        }
        gbx_engine_charge(state, visited);
        if (best.type == LUA_TNIL)
                return 1;
        lua_pushvalue(state, 3);
        lua_rawget(state, 1);
        return 2;
}
