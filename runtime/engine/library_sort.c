/*
 * table.sort: a merge sort
 *
 * Lua's quicksort picks its pivots by the clock in bad cases, so equal elements
 * may change places from run to run, and a comparison function that
 * contradicts itself makes it fail. This one is stable, takes at most
 * n log2 n comparisons, and an order function can at worst spoil the order.
 */
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"

#include <string.h>

/* Stack of the sort. The elements stand still in a list; only their numbers are sorted. */
enum { LIST = 1, ORDER = 2, ELEMENTS = 3 };

/* Is element `a` to come before element `b`? */
static bool before(lua_State *state, uint32_t a, uint32_t b) {
        bool result;

        gbx_engine_charge(state, 1);
        if (lua_isnil(state, ORDER)) {
                (void)lua_rawgeti(state, ELEMENTS, a);
                (void)lua_rawgeti(state, ELEMENTS, b);
                result = lua_compare(state, -2, -1, LUA_OPLT);
                lua_pop(state, 2);
                return result;
        }
        lua_pushvalue(state, ORDER);
        (void)lua_rawgeti(state, ELEMENTS, a);
        (void)lua_rawgeti(state, ELEMENTS, b);
        lua_call(state, 2, 1);
        result = lua_toboolean(state, -1);
        lua_pop(state, 1);
        return result;
}

/* Merges from[left..middle) and from[middle..right) into `to`. */
static void merge(lua_State *state, const uint32_t *from, uint32_t *to, size_t left, size_t middle, size_t right) {
        size_t a = left, b = middle;

        for (size_t at = left; at < right; at++)
                if (a < middle && (b == right || !before(state, from[b], from[a])))
                        to[at] = from[a++];
                else
                        to[at] = from[b++];
}

/* Sorts `numbers`, which has room for twice `count`; returns where the result is. */
static const uint32_t *sort_numbers(lua_State *state, uint32_t *numbers, size_t count) {
        uint32_t *from = numbers, *to = numbers + count;

        for (size_t width = 1; width < count; width *= 2) {
                uint32_t *swap = from;

                for (size_t left = 0; left < count; left += 2 * width) {
                        size_t middle = left + width < count ? left + width : count;
                        size_t right = left + 2 * width < count ? left + 2 * width : count;

                        merge(state, from, to, left, middle, right);
                }
                from = to;
                to = swap;
        }
        return from;
}

int gbx_library_sort(lua_State *state) {
        lua_Integer count;
        uint32_t *numbers;
        const uint32_t *sorted;

        luaL_checktype(state, 1, LUA_TTABLE);
        count = luaL_len(state, 1);
        if (count < 2)
                return 0;
        luaL_argcheck(state, count < INT32_MAX, 1, "array too big");
        if (!lua_isnoneornil(state, 2))
                luaL_checktype(state, 2, LUA_TFUNCTION);
        lua_settop(state, 2);
        lua_newtable(state);
        for (lua_Integer i = 1; i <= count; i++) {
                (void)gbx_library_element(state, LIST, i);
                lua_rawseti(state, ELEMENTS, i);
        }
        numbers = lua_newuserdatauv(state, 2 * (size_t)count * sizeof *numbers, 0);
        for (lua_Integer i = 0; i < count; i++)
                numbers[i] = (uint32_t)i + 1;
        sorted = sort_numbers(state, numbers, (size_t)count);
        for (lua_Integer i = 0; i < count; i++) {
                (void)lua_rawgeti(state, ELEMENTS, sorted[i]);
                lua_seti(state, LIST, i + 1);
        }
        return 0;
}
