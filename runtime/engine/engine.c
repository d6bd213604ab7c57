#include "runtime/engine/engine.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "runtime/engine/library.h"
#include "runtime/engine/release.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Text that an operator may want: enough for a message, not for a copy of the data. */
enum { DETAIL_MAX = 2048 };

static const char no_memory[] = "no memory left (limits.json: memory_bytes)";

struct gbx_engine *gbx_engine_of(lua_State *state) { return *(struct gbx_engine **)lua_getextraspace(state); }

/* The line of the innermost Lua function; 0 if there is none. Allocates nothing. */
static int current_line(lua_State *state) {
        lua_Debug debug;

        for (int level = 0; lua_getstack(state, level, &debug); level++)
                if (lua_getinfo(state, "l", &debug) && debug.currentline > 0)
                        return debug.currentline;
        return 0;
}

static void tell_operator(const struct gbx_end *end, const char *detail, size_t size) {
        char printable[DETAIL_MAX];

        gbx_text_printable(detail, size, printable, sizeof printable);
        if (end->line > 0)
                (void)fprintf(stderr, "gbx-lua: line %d: %s: %s\n", end->line, gbx_rule_name(end->rule), printable);
        else
                (void)fprintf(stderr, "gbx-lua: %s: %s\n", gbx_rule_name(end->rule), printable);
}

void gbx_engine_stop(lua_State *state, enum gbx_rule rule, const char *detail) {
        struct gbx_engine *engine = gbx_engine_of(state);
        struct gbx_end end = { .rule = rule, .line = current_line(state) };

        if (!end.line)
                end.line = current_line(engine->state);
        tell_operator(&end, detail, strlen(detail));
        gbx_report_end(&engine->report, &end);
        (void)fflush(stderr);
        _exit(gbx_rule_exit_code(rule));
}

void gbx_engine_charge(lua_State *state, uint64_t work) {
        struct gbx_engine *engine = gbx_engine_of(state);

        engine->work += work;
        if (engine->work > engine->limits.instructions)
                gbx_engine_stop(state, GBX_RULE_INSTRUCTIONS, "the run's work is used up (limits.json: instructions)");
}

void gbx_engine_charge_bytes(lua_State *state, uint64_t bytes) {
        gbx_engine_charge(state, bytes / GBX_ENGINE_BYTES_PER_WORK);
}

static bool fits(const struct gbx_engine *engine, uint64_t bytes) {
        return bytes <= engine->limits.memory_bytes - engine->memory_used;
}

void gbx_engine_reserve(lua_State *state, uint64_t bytes) {
        struct gbx_engine *engine = gbx_engine_of(state);

        if (fits(engine, bytes))
                return;
        gbx_engine_charge_bytes(state, engine->memory_used);
        lua_gc(state, LUA_GCCOLLECT);
        if (!fits(engine, bytes))
                gbx_engine_stop(state, GBX_RULE_MEMORY, no_memory);
}

static void on_count(lua_State *state, lua_Debug *debug) {
        (void)debug;
        gbx_engine_charge(state, GBX_ENGINE_HOOK_INTERVAL);
}

/* Refuses a request once, so that Lua collects its garbage, and ends the run when it comes again. */
static void *refuse(struct gbx_engine *engine, const void *block, size_t size) {
        if (engine->state && engine->refused_block == block && engine->refused_size == size)
                gbx_engine_stop(engine->state, GBX_RULE_MEMORY, no_memory);
        engine->refused_block = block;
        engine->refused_size = size;
        return NULL;
}

/* lua_Alloc, see the Lua 5.4 manual. For a new block `old_size` is a type, not a size. */
static void *allocate(void *context, void *block, size_t old_size, size_t new_size) {
        struct gbx_engine *engine = context;
        void *moved;

        if (!block)
                old_size = 0;
        if (new_size == 0) {
                free(block);
                engine->memory_used -= old_size;
                return NULL;
        }
        if (new_size > old_size && !fits(engine, new_size - old_size))
                return refuse(engine, block, new_size);
        moved = realloc(block, new_size);
        if (!moved)
                return new_size <= old_size ? block : refuse(engine, block, new_size);
        engine->memory_used += new_size - old_size; /* wraps to a subtraction where a block shrinks */
        if (new_size > old_size) {
                engine->refused_size = 0;
                engine->work += (new_size - old_size) / GBX_ENGINE_BYTES_PER_WORK;
                if (engine->memory_used > engine->memory_peak)
                        engine->memory_peak = engine->memory_used;
        }
        return moved;
}

int gbx_engine_init(struct gbx_engine *engine, int root, const struct gbx_engine_limits *limits, struct gbx_error *err) {
        lua_State *state;
        int r;

        *engine = (struct gbx_engine){
                .limits = limits ? *limits : GBX_ENGINE_LIMITS_DEFAULT,
                .report = { .fd = -1, .percent = -1 },
                .root = root,
                .root_path = "",
        };
        r = gbx_release_new(&engine->release, root, err);
        if (r < 0)
                return r;
        state = lua_newstate(allocate, engine);
        if (!state) {
                gbx_engine_clear(engine);
                return gbx_fail(err, -ENOMEM, "the memory limit of %llu bytes does not hold a Lua interpreter",
                                (unsigned long long)engine->limits.memory_bytes);
        }
        *(struct gbx_engine **)lua_getextraspace(state) = engine;
        engine->state = state;
        lua_pushcfunction(state, gbx_library_install);
        if (lua_pcall(state, 0, 0, 0) != LUA_OK) {
                r = gbx_fail(err, -EINVAL, "cannot set the library up: %s", lua_tostring(state, -1));
                gbx_engine_clear(engine);
                return r;
        }
        return 0;
}

void gbx_engine_clear(struct gbx_engine *engine) {
        if (engine->state)
                lua_close(engine->state);
        engine->state = NULL;
        engine->release = gbx_release_free(engine->release);
        free(engine->printed);
        engine->printed = NULL;
}

/* Message handler: adds the line to the error, which stays as it is. */
static int note_line(lua_State *state) {
        struct gbx_end *end = lua_touserdata(state, lua_upvalueindex(1));

        end->line = current_line(state);
        return 1;
}

/* "script:12: unexpected symbol…": the line of a compiler's message. */
static int line_of_message(const char *message) {
        static const char prefix[] = "script:";

        return strncmp(message, prefix, sizeof prefix - 1) == 0 ? (int)strtol(message + sizeof prefix - 1, NULL, 10) : 0;
}

static void end_with_error(lua_State *state, struct gbx_end *end) {
        size_t size;
        const char *text = lua_type(state, -1) == LUA_TSTRING ? lua_tolstring(state, -1, &size) : NULL;

        if (end->rule == GBX_RULE_SYNTAX && text)
                end->line = line_of_message(text);
        if (text)
                tell_operator(end, text, size);
        else /* its __tostring is not called: the script is over */
                tell_operator(end, "the error is not a text", strlen("the error is not a text"));
}

/* Lua's text buffers raise this text, not a memory error, when they cannot grow. */
static bool is_buffer_error(lua_State *state) {
        return lua_type(state, -1) == LUA_TSTRING && strcmp(lua_tostring(state, -1), "not enough memory") == 0;
}

int gbx_engine_run(struct gbx_engine *engine, const char *source, size_t size, struct gbx_end *ret_end,
                   struct gbx_error *err) {
        lua_State *state = engine->state;
        struct gbx_end end = {};
        int r;

        lua_settop(state, 0);
        lua_pushlightuserdata(state, &end);
        lua_pushcclosure(state, note_line, 1);
        if (luaL_loadbufferx(state, source, size, "=script", "t") != LUA_OK)
                end.rule = GBX_RULE_SYNTAX;
        else {
                lua_sethook(state, on_count, LUA_MASKCOUNT, GBX_ENGINE_HOOK_INTERVAL);
                switch (lua_pcall(state, 0, 0, 1)) {
                case LUA_OK:
                        break;
                case LUA_ERRMEM:
                        end.rule = GBX_RULE_MEMORY;
                        break;
                default:
                        end.rule = is_buffer_error(state) ? GBX_RULE_MEMORY : GBX_RULE_RUNTIME;
                }
                lua_sethook(state, NULL, 0, 0);
        }
        if (end.rule != GBX_RULE_NONE) {
                end_with_error(state, &end);
                *ret_end = end;
                return 0;
        }
        if (engine->limits.print_bytes > 0) {
                r = gbx_release_add_text(engine->release, "print.txt", engine->printed, engine->printed_size, err);
                if (r < 0)
                        return r;
        } else if (engine->prints > 0)
                (void)fprintf(stderr, "gbx-lua: %llu calls of print() dropped (limits.json: print_bytes)\n",
                              (unsigned long long)engine->prints);
        r = gbx_release_finish(engine->release, err);
        if (r < 0)
                return r;
        *ret_end = (struct gbx_end){};
        return 0;
}
