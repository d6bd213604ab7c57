/*
 * string.format
 *
 * As Lua's, with two differences: %p does not exist and %s shows no address.
 * A width or precision has at most two digits, as in Lua, so that one
 * directive adds little more than its argument.
 */
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
        FORM_SIZE = 32,
        ITEM_SIZE = 512, /* %99.99f of the largest double has 309 + 1 + 99 digits and a sign */
};

/* One directive, copied and checked: "%-5.2f". */
struct directive {
        char form[FORM_SIZE]; /* for snprintf, with the length modifier */
        char letter;
        bool plain; /* no flags, width or precision */
        bool precision;
};

/* What may stand between '%' and each letter. */
static const struct {
        const char *letters;
        const char *flags;
        bool precision;
        const char *length; /* modifier for snprintf */
} kinds[] = {
        { "c", "-", false, "" },
        { "di", "-+0 ", true, LUA_INTEGER_FRMLEN },
        { "u", "-0", true, LUA_INTEGER_FRMLEN },
        { "oxX", "-#0", true, LUA_INTEGER_FRMLEN },
        { "aAeEfgG", "-+#0 ", true, LUA_NUMBER_FRMLEN },
        { "s", "-", true, "" },
        { "q", "", false, "" },
};

static int bad_directive(lua_State *state, const char *start, size_t size) {
        (void)lua_pushlstring(state, start, size);
        return luaL_error(state, "invalid conversion '%%%s' to 'format'", lua_tostring(state, -1));
}

static size_t digits(const char *text) { return strspn(text, "0123456789"); }

/* Reads the directive behind '%'; returns where the text goes on. Lua ends every text with a zero byte. */
static const char *read_directive(lua_State *state, const char *start, struct directive *ret) {
        size_t flags = strspn(start, "-+ #0"), width = digits(start + flags), precision = 0;
        const char *at = start + flags + width;

        ret->precision = *at == '.';
        if (ret->precision) {
                precision = digits(++at);
                at += precision;
        }
        ret->letter = *at;
        ret->plain = at == start;
        if (flags > 5 || width > 2 || precision > 2)
                return bad_directive(state, start, 5), NULL;
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && *at; i++) {
                if (!strchr(kinds[i].letters, *at))
                        continue;
                if (strspn(start, kinds[i].flags) != flags || (ret->precision && !kinds[i].precision))
                        break;
                if (*at == 'q' && !ret->plain)
                        break;
                (void)snprintf(ret->form, sizeof ret->form, "%%%.*s%s%c", (int)(at - start), start, kinds[i].length, *at);
                return at + 1;
        }
        return bad_directive(state, start, (size_t)(at - start) + (*at != '\0')), NULL;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* read_directive made and checked them */

static void add_number(lua_State *state, luaL_Buffer *buffer, const struct directive *directive, int argument) {
        char *place = luaL_prepbuffsize(buffer, ITEM_SIZE);
        int size;

        if (directive->letter == 'c')
                size = snprintf(place, ITEM_SIZE, directive->form, (int)luaL_checkinteger(state, argument));
        else if (strchr("diuoxX", directive->letter))
                size = snprintf(place, ITEM_SIZE, directive->form, luaL_checkinteger(state, argument));
        else
                size = snprintf(place, ITEM_SIZE, directive->form, luaL_checknumber(state, argument));
        luaL_addsize(buffer, (size_t)size);
}

static void add_text(lua_State *state, luaL_Buffer *buffer, const struct directive *directive, int argument) {
        char *place = luaL_prepbuffsize(buffer, ITEM_SIZE);
        size_t size;
        const char *text = gbx_library_text(state, argument, &size);
        int used;

        gbx_library_room(state, buffer, size);
        if (directive->plain || (!directive->precision && size >= 100)) {
                luaL_addvalue(buffer);
                return;
        }
        luaL_argcheck(state, size == strlen(text), argument, "string contains zeros");
        used = snprintf(place, ITEM_SIZE, directive->form, text);
        lua_pop(state, 1);
        luaL_addsize(buffer, (size_t)used);
}

#pragma GCC diagnostic pop

/* A text as a Lua literal. */
static void add_quoted(luaL_Buffer *buffer, const char *text, size_t size) {
        luaL_addchar(buffer, '"');
        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)text[i];
                char number[8];

                if (c == '"' || c == '\\' || c == '\n') {
                        luaL_addchar(buffer, '\\');
                        luaL_addchar(buffer, (char)c);
                } else if (iscntrl(c)) {
                        bool digit = i + 1 < size && isdigit((unsigned char)text[i + 1]);

                        (void)snprintf(number, sizeof number, digit ? "\\%03d" : "\\%d", c);
                        luaL_addstring(buffer, number);
                } else
                        luaL_addchar(buffer, (char)c);
        }
        luaL_addchar(buffer, '"');
}

static void add_literal_number(lua_State *state, luaL_Buffer *buffer, int argument) {
        char *place = luaL_prepbuffsize(buffer, ITEM_SIZE);
        lua_Number number = lua_tonumber(state, argument);
        int size;

        if (lua_isinteger(state, argument)) {
                lua_Integer whole = lua_tointeger(state, argument);

                size = snprintf(place, ITEM_SIZE, whole == LUA_MININTEGER ? "0x%llx" : LUA_INTEGER_FMT, whole);
        } else if (isinf(number))
                size = snprintf(place, ITEM_SIZE, number > 0 ? "1e9999" : "-1e9999");
        else if (isnan(number))
                size = snprintf(place, ITEM_SIZE, "(0/0)");
        else
                size = snprintf(place, ITEM_SIZE, "%a", number);
        luaL_addsize(buffer, (size_t)size);
}

static void add_literal(lua_State *state, luaL_Buffer *buffer, int argument) {
        size_t size;
        const char *text;

        switch (lua_type(state, argument)) {
        case LUA_TSTRING:
                text = lua_tolstring(state, argument, &size);
                gbx_library_room(state, buffer, 4 * size + 2);
                add_quoted(buffer, text, size);
                break;
        case LUA_TNUMBER:
                add_literal_number(state, buffer, argument);
                break;
        case LUA_TNIL:
        case LUA_TBOOLEAN:
                (void)gbx_library_text(state, argument, NULL);
                luaL_addvalue(buffer);
                break;
        default:
                (void)luaL_argerror(state, argument, "value has no literal form");
        }
}

int gbx_library_format(lua_State *state) {
        int top = lua_gettop(state), argument = 1;
        size_t size;
        const char *at = luaL_checklstring(state, 1, &size), *end = at + size;
        struct directive directive;
        luaL_Buffer buffer;

        gbx_engine_charge_bytes(state, size);
        luaL_buffinit(state, &buffer);
        while (at < end) {
                if (*at != '%' || *++at == '%') {
                        luaL_addchar(&buffer, *at++);
                        continue;
                }
                if (++argument > top)
                        return luaL_argerror(state, argument, "no value");
                at = read_directive(state, at, &directive);
                gbx_engine_charge(state, 1);
                switch (directive.letter) {
                case 's':
                        add_text(state, &buffer, &directive, argument);
                        break;
                case 'q':
                        add_literal(state, &buffer, argument);
                        break;
                default:
                        add_number(state, &buffer, &directive, argument);
                }
        }
        luaL_pushresult(&buffer);
        return 1;
}
