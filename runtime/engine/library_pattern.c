/* string.find, match, gmatch and gsub on our own matcher (pattern.h), whose steps are charged. */
#include "runtime/engine/engine.h"
#include "runtime/engine/library.h"
#include "runtime/engine/pattern.h"

#include <string.h>

enum { SMALL = 64 /* bytes of a pattern that is compiled on the C stack */ };

struct small_space {
        _Alignas(16) unsigned char bytes[(SMALL + 1) * 64];
};

static int charge(void *context, uint64_t steps) {
        gbx_engine_charge(context, steps);
        return 0;
}

/* Compiles the pattern at 2 into `small`, or into a userdata that it leaves on the stack. */
static void compile(lua_State *state, struct gbx_pattern *ret, bool anchor, struct small_space *small) {
        size_t size;
        const char *text = luaL_checklstring(state, 2, &size);
        size_t wanted = gbx_pattern_space(size);
        struct gbx_error err = {};
        void *space = small && wanted <= sizeof *small ? small : lua_newuserdatauv(state, wanted, 0);

        gbx_engine_charge(state, size);
        if (gbx_pattern_compile(ret, text, size, anchor, space, &err) < 0)
                (void)luaL_error(state, "%s", err.message);
        ret->charge = charge;
        ret->context = state;
}

static void push_capture(lua_State *state, const char *subject, const struct gbx_pattern_match *match, size_t index) {
        if (index < match->count && match->captures[index].position)
                lua_pushinteger(state, (lua_Integer)match->captures[index].start + 1);
        else if (index < match->count)
                (void)lua_pushlstring(state, subject + match->captures[index].start, match->captures[index].size);
        else if (index == 0)
                (void)lua_pushlstring(state, subject + match->start, match->end - match->start);
        else
                (void)luaL_error(state, "invalid capture index %%%d", (int)index + 1);
}

/* Pushes all captures, or the whole match if there are none and `whole` asks for it. */
static int push_captures(lua_State *state, const char *subject, const struct gbx_pattern_match *match, bool whole) {
        size_t count = match->count == 0 && whole ? 1 : match->count;

        luaL_checkstack(state, (int)count, "too many captures");
        for (size_t i = 0; i < count; i++)
                push_capture(state, subject, match, i);
        return (int)count;
}

/* A position argument as an offset; above `size` if it lies behind the end. */
static size_t start_offset(lua_State *state, int index, size_t size) {
        lua_Integer position = luaL_optinteger(state, index, 1);

        if (position > 0)
                return (size_t)position - 1;
        if (position == 0 || position < -(lua_Integer)size)
                return 0;
        return size - (size_t)-position;
}

static int find_plain(lua_State *state, const char *subject, size_t size, size_t from) {
        size_t wanted_size;
        const char *wanted = lua_tolstring(state, 2, &wanted_size);
        const char *found = wanted_size ? memmem(subject + from, size - from, wanted, wanted_size) : subject + from;

        gbx_engine_charge_bytes(state, size - from);
        if (!found) {
                luaL_pushfail(state);
                return 1;
        }
        lua_pushinteger(state, found - subject + 1);
        lua_pushinteger(state, found - subject + (lua_Integer)wanted_size);
        return 2;
}

static bool is_plain(const char *pattern, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (pattern[i] && strchr("^$*+?.([%-", pattern[i]))
                        return false;
        return true;
}

static int find_or_match(lua_State *state, bool find) {
        size_t size, pattern_size, from;
        const char *subject = luaL_checklstring(state, 1, &size);
        const char *pattern_text = luaL_checklstring(state, 2, &pattern_size);
        struct gbx_pattern pattern;
        struct gbx_pattern_match match;
        struct small_space space;

        from = start_offset(state, 3, size);
        if (from > size) {
                luaL_pushfail(state);
                return 1;
        }
        if (find && (lua_toboolean(state, 4) || is_plain(pattern_text, pattern_size)))
                return find_plain(state, subject, size, from);
        compile(state, &pattern, true, &space);
        if (gbx_pattern_find(&pattern, subject, size, from, false, &match) <= 0) {
                luaL_pushfail(state);
                return 1;
        }
        if (!find)
                return push_captures(state, subject, &match, true);
        lua_pushinteger(state, (lua_Integer)match.start + 1);
        lua_pushinteger(state, (lua_Integer)match.end);
        return 2 + push_captures(state, subject, &match, false);
}

static int string_find(lua_State *state) { return find_or_match(state, true); }

static int string_match(lua_State *state) { return find_or_match(state, false); }

/* --- gmatch --------------------------------------------------------------------- */

struct walk {
        struct gbx_pattern pattern;
        size_t at;
        size_t last_end; /* where the last match ended: no empty match there again */
        bool matched;
};

/* Upvalues: subject, pattern, its compiled form, the walk. */
static int gmatch_step(lua_State *state) {
        size_t size;
        const char *subject = lua_tolstring(state, lua_upvalueindex(1), &size);
        struct walk *walk = lua_touserdata(state, lua_upvalueindex(4));
        struct gbx_pattern_match match;

        walk->pattern.context = state;
        for (; walk->at <= size; walk->at++) {
                if (gbx_pattern_find(&walk->pattern, subject, size, walk->at, true, &match) <= 0)
                        continue;
                if (walk->matched && match.end == walk->last_end)
                        continue;
                walk->at = walk->last_end = match.end;
                walk->matched = true;
                return push_captures(state, subject, &match, true);
        }
        return 0;
}

static int string_gmatch(lua_State *state) {
        size_t size;
        struct walk *walk;
        struct gbx_pattern pattern;

        (void)luaL_checklstring(state, 1, &size);
        (void)luaL_checkstring(state, 2);
        {
                size_t from = start_offset(state, 3, size);

                lua_settop(state, 2);
                compile(state, &pattern, false, NULL);
                walk = lua_newuserdatauv(state, sizeof *walk, 0);
                *walk = (struct walk){ .pattern = pattern, .at = from > size ? size + 1 : from };
        }
        lua_pushcclosure(state, gmatch_step, 4);
        return 1;
}

/* --- gsub ----------------------------------------------------------------------- */

/* Appends the replacement text at 3, in which %0 to %9 are captures. */
static void add_template(lua_State *state, luaL_Buffer *buffer, const char *subject,
                         const struct gbx_pattern_match *match) {
        size_t size;
        const char *text = lua_tolstring(state, 3, &size);

        gbx_library_room(state, buffer, size);
        for (size_t i = 0; i < size; i++) {
                if (text[i] != '%') {
                        luaL_addchar(buffer, text[i]);
                        continue;
                }
                i++; /* at worst on the zero byte behind the text */
                if (text[i] == '%')
                        luaL_addchar(buffer, '%');
                else if (text[i] == '0') {
                        gbx_library_room(state, buffer, match->end - match->start);
                        luaL_addlstring(buffer, subject + match->start, match->end - match->start);
                }
                else if (text[i] >= '1' && text[i] <= '9') {
                        push_capture(state, subject, match, (size_t)(text[i] - '1'));
                        (void)lua_tostring(state, -1); /* a position becomes text */
                        gbx_library_room(state, buffer, lua_rawlen(state, -1));
                        luaL_addvalue(buffer);
                } else
                        (void)luaL_error(state, "invalid use of '%%' in replacement string");
        }
}

/* Appends what stands for the match; false if that is the match itself. */
static bool add_replacement(lua_State *state, luaL_Buffer *buffer, const char *subject,
                            const struct gbx_pattern_match *match) {
        switch (lua_type(state, 3)) {
        case LUA_TFUNCTION:
                lua_pushvalue(state, 3);
                lua_call(state, push_captures(state, subject, match, true), 1);
                break;
        case LUA_TTABLE:
                push_capture(state, subject, match, 0);
                (void)lua_gettable(state, 3);
                break;
        default:
                add_template(state, buffer, subject, match);
                return true;
        }
        if (!lua_toboolean(state, -1)) {
                lua_pop(state, 1);
                gbx_library_room(state, buffer, match->end - match->start);
                luaL_addlstring(buffer, subject + match->start, match->end - match->start);
                return false;
        }
        if (!lua_isstring(state, -1))
                (void)luaL_error(state, "invalid replacement value (a %s)", luaL_typename(state, -1));
        gbx_library_room(state, buffer, lua_rawlen(state, -1));
        luaL_addvalue(buffer);
        return true;
}

/* Copies the subject to `buffer` with up to `most` replacements; returns how many matches there were. */
static lua_Integer replace_all(lua_State *state, luaL_Buffer *buffer, struct gbx_pattern *pattern, lua_Integer most,
                               bool *ret_changed) {
        size_t size, at = 0, last_end = SIZE_MAX;
        const char *subject = lua_tolstring(state, 1, &size);
        lua_Integer count = 0;

        while (count < most) {
                struct gbx_pattern_match match;
                bool found = gbx_pattern_find(pattern, subject, size, at, true, &match) > 0;

                if (found && match.end != last_end) {
                        count++;
                        *ret_changed |= add_replacement(state, buffer, subject, &match);
                        at = last_end = match.end;
                } else if (at < size)
                        luaL_addchar(buffer, subject[at++]);
                else
                        break;
                if (pattern->anchored)
                        break;
        }
        if (at < size) {
                gbx_library_room(state, buffer, size - at);
                luaL_addlstring(buffer, subject + at, size - at);
        }
        return count;
}

static int string_gsub(lua_State *state) {
        size_t size;
        struct gbx_pattern pattern;
        struct small_space space;
        luaL_Buffer buffer;
        lua_Integer most, count;
        int type = lua_type(state, 3);
        bool changed = false;

        (void)luaL_checklstring(state, 1, &size);
        (void)luaL_checkstring(state, 2);
        luaL_argexpected(state,
                         type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                         "string/function/table");
        most = luaL_optinteger(state, 4, (lua_Integer)size + 1);
        lua_settop(state, 4);
        compile(state, &pattern, true, &space);
        luaL_buffinit(state, &buffer);
        count = replace_all(state, &buffer, &pattern, most, &changed);
        luaL_pushresult(&buffer);
        if (!changed)
                lua_pushvalue(state, 1);
        lua_pushinteger(state, count);
        return 2;
}

const luaL_Reg gbx_library_pattern[] = {
        { "find", string_find },
        { "gmatch", string_gmatch },
        { "gsub", string_gsub },
        { "match", string_match },
        {},
};
