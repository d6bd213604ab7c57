/* Whether scripts are Lua: each is compiled as source text, and none is run. */
#include "base/cleanup.h"
#include "gateway/parse/bundle_files.h"
#include "gateway/parse/program/verbs.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

static void *allocate(void *userdata, void *block, size_t old_size, size_t size) {
        (void)userdata;
        (void)old_size;
        if (size > 0)
                return realloc(block, size);
        free(block);
        return NULL;
}

static void close_state(lua_State **state) {
        if (*state)
                lua_close(*state);
}

/* Messages of Lua begin with "FILE:LINE:", unless there is no line to blame; a file of 60 characters or more is cut short. */
static int compile(const struct gbx_bundle_file *file, struct gbx_error *err) {
        gbx_auto(close_state) lua_State *state = lua_newstate(allocate, NULL);
        char name[GBX_BUNDLE_MAX_PATH + 2];
        const char *message;
        int status;

        if (!state)
                return gbx_fail_memory(err);
        name[0] = '=';
        memcpy(name + 1, file->path, strlen(file->path) + 1);
        status = luaL_loadbufferx(state, (const char *)file->data, file->size, name, "t");
        if (status == LUA_OK)
                return 0;
        if (status == LUA_ERRMEM)
                return gbx_fail_memory(err);
        message = lua_type(state, -1) == LUA_TSTRING ? lua_tostring(state, -1) : "not Lua";
        if (strncmp(message, file->path, strlen(file->path)) == 0)
                return gbx_fail(err, -EINVAL, "%.900s", message);
        return gbx_fail(err, -EINVAL, "%s: %.600s", file->path, message);
}

int gbx_verb_lua(const struct gbx_verb_input *input, struct gbx_error *err) {
        struct gbx_bundle_file *files = NULL;
        size_t count = 0;
        int r = gbx_bundle_files_read(input->bytes.data, input->bytes.size, &files, &count, err);

        for (size_t i = 0; i < count && r == 0; i++)
                r = compile(&files[i], err);
        gbx_bundle_files_free(files, count);
        return r;
}
