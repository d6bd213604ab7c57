#include "runtime/engine/query_result.h"

#include "runtime/engine/engine.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char handle_name[] = "query result";

static int close_result(lua_State *state) {
        struct gbx_query_result *result = luaL_checkudata(state, 1, handle_name);

        if (result->api) {
                if (result->chunk)
                        result->api->destroy_data_chunk(&result->chunk);
                result->api->destroy_result(&result->result);
        }
        *result = (struct gbx_query_result){};
        return 0;
}

struct gbx_query_result *gbx_query_result_push(lua_State *state, const struct gbx_duckdb *api) {
        static const luaL_Reg methods[] = { { "__gc", close_result }, { "__close", close_result }, {} };
        struct gbx_query_result *result = lua_newuserdatauv(state, sizeof *result, 0);

        *result = (struct gbx_query_result){ .api = api };
        if (luaL_newmetatable(state, handle_name)) {
                luaL_setfuncs(state, methods, 0);
                lua_pushboolean(state, false);
                lua_setfield(state, -2, "__metatable");
        }
        lua_setmetatable(state, -2);
        return result;
}

/* How one column becomes Lua values. */
struct column {
        int type;
        int internal; /* of a DECIMAL */
        uint8_t scale;
};

/* Numbers beyond 64 bits, sums of integers say, become floats only where they must. */
static void push_hugeint(lua_State *state, struct gbx_duckdb_hugeint value) {
        bool fits = (value.upper == 0 && value.lower <= INT64_MAX) || (value.upper == -1 && value.lower > INT64_MAX);

        if (fits)
                lua_pushinteger(state, (lua_Integer)value.lower);
        else
                lua_pushnumber(state, ldexp((double)value.upper, 64) + (double)value.lower);
}

/* Days since 1970 as YYYY-MM-DD (proleptic Gregorian; Howard Hinnant, chrono-compatible date algorithms). */
static void push_date(lua_State *state, int32_t days) {
        char text[64];
        int64_t z = (int64_t)days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
        int64_t day_of_era = z - era * 146097;
        int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
        int64_t month = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * month + 2) / 5 + 1;

        year += era * 400 + (month >= 10); /* years begin in March so far */
        month = month < 10 ? month + 3 : month - 9;
        (void)snprintf(text, sizeof text, "%04lld-%02lld-%02lld", (long long)year, (long long)month, (long long)day);
        (void)lua_pushstring(state, text);
}

static void push_string(lua_State *state, const struct gbx_duckdb_string *text) {
        (void)lua_pushlstring(state, text->size <= sizeof text->inlined ? text->inlined : text->data, text->size);
        gbx_engine_charge_bytes(state, text->size);
}

/* Pushes element `i` of `data` as `type`; false if there is no counterpart in Lua. */
static bool push_element(lua_State *state, int type, const void *data, uint64_t i) {
        switch (type) {
        case GBX_DUCKDB_BOOLEAN:
                lua_pushboolean(state, ((const uint8_t *)data)[i] != 0);
                return true;
        case GBX_DUCKDB_TINYINT:
                lua_pushinteger(state, ((const int8_t *)data)[i]);
                return true;
        case GBX_DUCKDB_SMALLINT:
                lua_pushinteger(state, ((const int16_t *)data)[i]);
                return true;
        case GBX_DUCKDB_INTEGER:
                lua_pushinteger(state, ((const int32_t *)data)[i]);
                return true;
        case GBX_DUCKDB_BIGINT:
                lua_pushinteger(state, ((const int64_t *)data)[i]);
                return true;
        case GBX_DUCKDB_UTINYINT:
                lua_pushinteger(state, ((const uint8_t *)data)[i]);
                return true;
        case GBX_DUCKDB_USMALLINT:
                lua_pushinteger(state, ((const uint16_t *)data)[i]);
                return true;
        case GBX_DUCKDB_UINTEGER:
                lua_pushinteger(state, ((const uint32_t *)data)[i]);
                return true;
        case GBX_DUCKDB_UBIGINT:
                push_hugeint(state, (struct gbx_duckdb_hugeint){ ((const uint64_t *)data)[i], 0 });
                return true;
        case GBX_DUCKDB_HUGEINT:
                push_hugeint(state, ((const struct gbx_duckdb_hugeint *)data)[i]);
                return true;
        case GBX_DUCKDB_FLOAT:
                lua_pushnumber(state, (double)((const float *)data)[i]);
                return true;
        case GBX_DUCKDB_DOUBLE:
                lua_pushnumber(state, ((const double *)data)[i]);
                return true;
        case GBX_DUCKDB_DATE:
                push_date(state, ((const int32_t *)data)[i]);
                return true;
        case GBX_DUCKDB_VARCHAR:
                push_string(state, (const struct gbx_duckdb_string *)data + i);
                return true;
        default:
                return false;
        }
}

static void push_cell(lua_State *state, const struct column *column, const void *data, uint64_t i) {
        bool decimal = column->type == GBX_DUCKDB_DECIMAL;

        if (!push_element(state, decimal ? column->internal : column->type, data, i))
                (void)luaL_error(state, "a column of the result has a type that Lua lacks; cast it, to text say");
        if (decimal) {
                lua_pushnumber(state, lua_tonumber(state, -1) / pow(10, column->scale));
                lua_remove(state, -2);
        }
}

/* Upvalues of next_row: the result, a userdata of columns, the list of their names. */
static bool next_chunk(struct gbx_query_result *result) {
        while (result->row == result->chunk_size) {
                if (result->chunk)
                        result->api->destroy_data_chunk(&result->chunk);
                result->chunk = result->api->fetch_chunk(result->result);
                if (!result->chunk)
                        return false;
                result->chunk_size = result->api->data_chunk_get_size(result->chunk);
                result->row = 0;
        }
        return true;
}

static int next_row(lua_State *state) {
        struct gbx_query_result *result = lua_touserdata(state, lua_upvalueindex(1));
        const struct column *columns = lua_touserdata(state, lua_upvalueindex(2));
        uint64_t row;

        if (!result->api || !next_chunk(result)) {
                result->row = result->chunk_size = 0;
                return 0;
        }
        row = result->row++;
        gbx_engine_charge(state, 1 + result->width);
        lua_createtable(state, 0, (int)result->width);
        for (uint64_t i = 0; i < result->width; i++) {
                gbx_duckdb_handle vector = result->api->data_chunk_get_vector(result->chunk, i);
                const uint64_t *valid = result->api->vector_get_validity(vector);

                if (valid && !(valid[row / 64] >> (row % 64) & 1))
                        continue;
                (void)lua_rawgeti(state, lua_upvalueindex(3), (lua_Integer)i + 1);
                push_cell(state, &columns[i], result->api->vector_get_data(vector), row);
                lua_rawset(state, -3);
        }
        return 1;
}

int gbx_query_result_rows(lua_State *state) {
        int handle = lua_gettop(state);
        struct gbx_query_result *result = lua_touserdata(state, handle);
        const struct gbx_duckdb *api = result->api;
        struct column *columns;

        result->width = api->column_count(&result->result);
        lua_pushvalue(state, handle);
        columns = lua_newuserdatauv(state, (size_t)(result->width + 1) * sizeof *columns, 0);
        lua_newtable(state);
        for (uint64_t i = 0; i < result->width; i++) {
                gbx_duckdb_handle type = api->column_logical_type(&result->result, i);

                columns[i].type = api->get_type_id(type);
                if (columns[i].type == GBX_DUCKDB_DECIMAL) {
                        columns[i].scale = api->decimal_scale(type);
                        columns[i].internal = api->decimal_internal_type(type);
                }
                api->destroy_logical_type(&type);
                (void)lua_pushstring(state, api->column_name(&result->result, i));
                lua_rawseti(state, -2, (lua_Integer)i + 1);
        }
        lua_pushcclosure(state, next_row, 3);
        lua_pushnil(state);
        lua_pushnil(state);
        lua_pushvalue(state, handle);
        return 4;
}
