/* The Lua library that is ours, against Lua's own, on generated cases (tests/unit/lua) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "runtime/engine/engine.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

static void clear_engine(struct gbx_engine *engine) { gbx_engine_clear(engine); }

/* Runs a script with our library, and Lua's string and table libraries beside it. */
static void run(struct gbx_engine *engine, const char *path, int results) {
        struct gbx_engine_limits limits = GBX_ENGINE_LIMITS_DEFAULT;
        lua_State *state;

        limits.instructions = UINT64_MAX / 2;
        assert_int_equal(gbx_engine_init(engine, AT_FDCWD, &limits, NULL), 0);
        state = engine->state;
        lua_pushcfunction(state, luaopen_string);
        lua_call(state, 0, 1);
        lua_setglobal(state, "oracle");
        lua_pushcfunction(state, luaopen_table);
        lua_call(state, 0, 1);
        lua_setglobal(state, "oracle_table");
        if (luaL_loadfile(state, path) != LUA_OK || lua_pcall(state, 0, results, 0) != LUA_OK)
                fail_msg("%s: %s", path, lua_tostring(state, -1));
}

static void patterns_are_lua_s(void **state) {
        gbx_auto(clear_engine) struct gbx_engine engine = {};

        (void)state;
        run(&engine, "tests/unit/lua/pattern.lua", 3);
        assert_true(lua_tointeger(engine.state, -3) > 100000); /* compared */
        assert_true(lua_tointeger(engine.state, -2) > 40000);  /* matched */
        assert_true(lua_tointeger(engine.state, -1) > 10000);  /* refused as malformed */
}

static void functions_are_lua_s(void **state) {
        gbx_auto(clear_engine) struct gbx_engine engine = {};

        (void)state;
        run(&engine, "tests/unit/lua/library.lua", 1);
        assert_true(lua_tointeger(engine.state, -1) > 5000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(patterns_are_lua_s),
                cmocka_unit_test(functions_are_lua_s),
        };

        return cmocka_run_group_tests_name("engine_library", tests, NULL, NULL);
}
