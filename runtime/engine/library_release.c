/* release.table: turns a Lua description into a table (release.h). The manual is docs/lua.md.
 *
 * What is wrong with a description ends the run (rule release-error): a script that
 * describes its results badly has none. Only raw fields count, so no code of the
 * script runs while its values are being read. */
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"
#include "runtime/engine/release.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) _Noreturn static void refuse(lua_State *state, const char *format, ...) {
        char message[512];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        gbx_engine_stop(state, GBX_RULE_RELEASE, message);
}

/* Pushes t[name], raw. */
static int push_field(lua_State *state, int table, const char *name) {
        (void)lua_pushstring(state, name);
        return lua_rawget(state, table);
}

/* A text without NUL; the Lua value stays on the stack and keeps it alive. */
static const char *text_field(lua_State *state, int table, const char *name) {
        size_t size;
        const char *text;

        if (push_field(state, table, name) != LUA_TSTRING)
                return NULL;
        text = lua_tolstring(state, -1, &size);
        return strlen(text) == size ? text : NULL;
}

/* Refuses fields that are not in `known`, which ends with NULL: a misspelt one would be passed over. */
static void check_fields(lua_State *state, int table, const char *what, const char *const *known) {
        lua_pushnil(state);
        while (lua_next(state, table)) {
                const char *const *name = known;

                lua_pop(state, 1);
                if (lua_type(state, -1) == LUA_TSTRING)
                        while (*name && strcmp(*name, lua_tostring(state, -1)) != 0)
                                name++;
                if (lua_type(state, -1) != LUA_TSTRING || !*name)
                        refuse(state, "%s: unknown field", what);
        }
}

static void read_unit(lua_State *state, int description, size_t number, struct gbx_table_column *column) {
        struct gbx_error err = {};

        if (push_field(state, description, "unit") == LUA_TNIL)
                return;
        if (!lua_isstring(state, -1)) /* a number is fine: 0.001 reads "0.001" */
                refuse(state, "column %zu: unit is not a number", number);
        if (gbx_unit_parse(lua_tostring(state, -1), &column->unit, &err) < 0)
                refuse(state, "column %zu: %s", number, err.message);
}

/* Reads the description of one column from the top of the stack. */
static void read_column(lua_State *state, size_t number, struct gbx_table_column *column) {
        static const char *const known[] = { "name", "type", "role", "unit", NULL };
        int description = lua_gettop(state);
        const char *type, *role;

        if (!lua_istable(state, description))
                refuse(state, "column %zu: not a table", number);
        check_fields(state, description, "column", known);
        read_unit(state, description, number, column);
        type = text_field(state, description, "type");
        if (!type || !gbx_value_type_parse(type, &column->type))
                refuse(state, "column %zu: type is not integer, decimal, text, date or boolean", number);
        role = text_field(state, description, "role");
        if (!role || !gbx_role_parse(role, &column->role))
                refuse(state, "column %zu: role is not key, count or value", number);
        column->name = text_field(state, description, "name");
        if (!column->name)
                refuse(state, "column %zu: no name", number);
        lua_settop(state, description - 1); /* the description keeps the name alive */
}

/* The value on top of the stack as a cell of `column`. */
static bool read_cell(lua_State *state, const struct gbx_table_column *column, struct gbx_value *ret) {
        int is_whole;

        *ret = (struct gbx_value){ .type = column->type, .missing = lua_isnil(state, -1) };
        if (ret->missing)
                return true;
        switch (column->type) {
        case GBX_VALUE_INTEGER:
                ret->integer = lua_tointegerx(state, -1, &is_whole);
                return lua_type(state, -1) == LUA_TNUMBER && is_whole;
        case GBX_VALUE_DECIMAL:
                ret->decimal = lua_tonumber(state, -1);
                return lua_type(state, -1) == LUA_TNUMBER;
        case GBX_VALUE_BOOLEAN:
                ret->boolean = lua_toboolean(state, -1);
                return lua_isboolean(state, -1);
        case GBX_VALUE_TEXT:
        case GBX_VALUE_DATE:
        case GBX_VALUE_COUNT_:
                break;
        }
        if (lua_type(state, -1) != LUA_TSTRING)
                return false;
        ret->text.data = lua_tolstring(state, -1, &ret->text.size);
        return true;
}

static size_t count_fields(lua_State *state, int table) {
        size_t count = 0;

        lua_pushnil(state);
        while (lua_next(state, table)) {
                lua_pop(state, 1);
                count++;
        }
        return count;
}

/* Reads the row on top of the stack, a table by column names. */
static void read_row(lua_State *state, const struct gbx_table *table, size_t number, struct gbx_value *cells) {
        int row = lua_gettop(state);
        size_t found = 0;

        if (!lua_istable(state, row))
                refuse(state, "table '%s', row %zu: not a table", table->name, number);
        for (size_t i = 0; i < table->width; i++) {
                (void)push_field(state, row, table->columns[i].name);
                if (!read_cell(state, &table->columns[i], &cells[i]))
                        refuse(state, "table '%s', row %zu, column '%s': not of type %s", table->name, number,
                               table->columns[i].name, gbx_value_type_name(table->columns[i].type));
                found += !cells[i].missing;
                lua_pop(state, 1);
        }
        if (count_fields(state, row) != found)
                refuse(state, "table '%s', row %zu: a field that is no column", table->name, number);
        gbx_engine_charge(state, table->width);
}

static void read_order(lua_State *state, struct gbx_table *table) {
        const char *order = text_field(state, 1, "order");

        if (lua_isnil(state, -1))
                return;
        if (order && strcmp(order, "given") == 0)
                table->keep_order = true;
        else if (!order || strcmp(order, "sorted") != 0)
                refuse(state, "order is not \"sorted\" or \"given\"");
}

static int release_table(lua_State *state) {
        static const char *const known[] = { "name", "columns", "rows", "order", NULL };
        struct gbx_table_column *columns;
        struct gbx_value *cells;
        struct gbx_table table = {};
        struct gbx_error err = {};
        int list;

        luaL_checktype(state, 1, LUA_TTABLE);
        lua_settop(state, 1);
        luaL_checkstack(state, 16, NULL);
        check_fields(state, 1, "table", known);
        table.name = text_field(state, 1, "name");
        if (!table.name)
                refuse(state, "the table has no name");
        read_order(state, &table);

        if (push_field(state, 1, "columns") != LUA_TTABLE)
                refuse(state, "table '%s': columns is not a list", table.name);
        list = lua_gettop(state);
        table.width = (size_t)lua_rawlen(state, list);
        if (table.width == 0 || table.width > GBX_RELEASE_COLUMNS_MAX)
                refuse(state, "table '%s': not 1 to %d columns", table.name, GBX_RELEASE_COLUMNS_MAX);
        columns = lua_newuserdatauv(state, table.width * sizeof *columns, 0);
        memset(columns, 0, table.width * sizeof *columns);
        for (size_t i = 0; i < table.width; i++) {
                (void)lua_rawgeti(state, list, (lua_Integer)i + 1);
                read_column(state, i + 1, &columns[i]);
        }
        table.columns = columns;

        if (push_field(state, 1, "rows") != LUA_TTABLE)
                refuse(state, "table '%s': rows is not a list", table.name);
        list = lua_gettop(state);
        table.rows = (size_t)lua_rawlen(state, list);
        if (table.rows > GBX_RELEASE_ROWS_MAX)
                refuse(state, "table '%s': more than %d rows", table.name, GBX_RELEASE_ROWS_MAX);
        if (count_fields(state, list) != table.rows)
                refuse(state, "table '%s': rows is not a list without gaps", table.name);
        cells = lua_newuserdatauv(state, (table.rows * table.width + 1) * sizeof *cells, 0);
        for (size_t i = 0; i < table.rows; i++) {
                (void)lua_rawgeti(state, list, (lua_Integer)i + 1);
                read_row(state, &table, i + 1, cells + i * table.width);
                lua_pop(state, 1);
        }
        table.cells = cells;
        if (gbx_release_add_table(gbx_engine_of(state)->release, &table, &err) < 0)
                gbx_engine_stop(state, GBX_RULE_RELEASE, err.message);
        return 0;
}

const luaL_Reg gbx_library_release[] = { { "table", release_table }, {} };
