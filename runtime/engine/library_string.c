/* The functions of `string` that are ours besides the pattern functions. */
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"

#include <stdint.h>
#include <string.h>

void gbx_library_room(lua_State *state, const luaL_Buffer *buffer, size_t size) {
        if (buffer->size - buffer->n < size)
                gbx_engine_reserve(state, 2 * (uint64_t)buffer->size + size);
        gbx_engine_charge_bytes(state, size);
}

static int string_rep(lua_State *state) {
        size_t size, separator_size, total;
        const char *text = luaL_checklstring(state, 1, &size);
        lua_Integer count = luaL_checkinteger(state, 2);
        const char *separator = luaL_optlstring(state, 3, "", &separator_size);
        luaL_Buffer buffer;
        char *place;

        if (count <= 0) {
                (void)lua_pushliteral(state, "");
                return 1;
        }
        if (__builtin_add_overflow(size, separator_size, &total) ||
            __builtin_mul_overflow(total, (size_t)count, &total) || total > INT64_MAX)
                return luaL_error(state, "resulting string too large");
        total -= separator_size;
        gbx_engine_reserve(state, total);
        gbx_engine_charge_bytes(state, total);
        place = luaL_buffinitsize(state, &buffer, total);
        while (count-- > 1 && total > 0) {
                memcpy(place, text, size);
                place += size;
                memcpy(place, separator, separator_size);
                place += separator_size;
        }
        memcpy(place, text, size);
        luaL_pushresultsize(&buffer, total);
        return 1;
}

const luaL_Reg gbx_library_string[] = {
        { "format", gbx_library_format },
        { "rep", string_rep },
        {},
};
