/*
 * What a script finds: the safe part of Lua's standard library, and ours
 *
 * library.c is the list of every function a script can reach, each with how it
 * is made safe. Nothing else of Lua's library is linked into the program: io,
 * os, debug, package, and load and its kin are not hidden but absent.
 *
 * Three things differ from standard Lua, so that a run can be repeated:
 * pairs() and next() go in the order of the keys, table.sort is stable, and no
 * address is ever shown. docs/lua.md has the whole list.
 */
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/* A lua_CFunction: sets the globals up. Needs gbx_engine_of(state). */
int gbx_library_install(lua_State *state);

/* The functions of one source file each, for library.c's list. */
extern const luaL_Reg gbx_library_base[];    /* library_base.c: replacements in the globals */
extern const luaL_Reg gbx_library_string[];  /* library_string.c */
extern const luaL_Reg gbx_library_pattern[]; /* library_pattern.c: find match gmatch gsub */
extern const luaL_Reg gbx_library_table[];   /* library_table.c: the whole of `table` */
extern const luaL_Reg gbx_library_data[];    /* library_data.c */
extern const luaL_Reg gbx_library_release[]; /* library_release.c */

int gbx_library_pairs(lua_State *state);  /* library_order.c */
int gbx_library_next(lua_State *state);   /* library_order.c */
int gbx_library_sort(lua_State *state);   /* library_sort.c */
int gbx_library_format(lua_State *state); /* library_format.c */

/* Pushes tostring(value at `index`), as luaL_tolstring does but without addresses. */
const char *gbx_library_text(lua_State *state, int index, size_t *ret_size);

/* Replaces the table on top of the stack by a read-only view of it, nested tables included. */
void gbx_library_freeze(lua_State *state);

/* Pushes t[i], with metamethods, and charges one unit; returns its type. */
int gbx_library_element(lua_State *state, int index, lua_Integer i);

/* Reserves what the buffer allocates when `size` more bytes are added, and charges for them. */
void gbx_library_room(lua_State *state, const luaL_Buffer *buffer, size_t size);
