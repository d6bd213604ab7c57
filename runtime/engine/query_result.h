/* The result of a query as Lua sees it: an iterator of tables (see query.h). */
#pragma once

#include "runtime/engine/duckdb.h"

#include <lua.h>

struct gbx_query_result {
        const struct gbx_duckdb *api;
        struct gbx_duckdb_result result;
        gbx_duckdb_handle chunk;
        uint64_t chunk_size;
        uint64_t row; /* in the chunk */
        uint64_t width;
};

/* Pushes an empty result, which lives until the collector takes it. */
struct gbx_query_result *gbx_query_result_push(lua_State *state, const struct gbx_duckdb *api);

/* Turns the result on top of the stack, filled by duckdb_query, into what a generic `for` wants and
 * returns how many values that are. Raises a Lua error for a column of a type that has no counterpart. */
int gbx_query_result_rows(lua_State *state);
