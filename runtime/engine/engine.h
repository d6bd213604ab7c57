/*
 * One run of a Lua script: its interpreter, its limits, and how it ends
 *
 * Limits are counted, not timed, so that the same script on the same data
 * ends at the same place every time:
 *
 *   memory        bytes the interpreter has asked for and not given back
 *   work          one unit an instruction (counted by a hook), plus what C
 *                 functions charge for the steps they take, since no hook
 *                 runs inside them: pattern steps, elements moved, bytes copied
 *
 * A limit that is reached, and data that does not match its schema, end the
 * process at once (gbx_engine_stop). They are not Lua errors: no pcall,
 * coroutine, message handler or to-be-closed variable can catch them.
 *
 * What anybody but the site's operator gets to see is one line of fixed
 * vocabulary (report.h). Error texts may hold data; they go to stderr, which
 * the operator alone can read.
 */
#pragma once

#include "base/error.h"
#include "runtime/engine/report.h"

#include <lua.h>
#include <stdint.h>

enum {
        GBX_ENGINE_BYTES_PER_WORK = 16, /* copying this many bytes costs as much as one instruction */
        GBX_ENGINE_HOOK_INTERVAL = 1000, /* instructions between two looks at the limit */
};

/* From /job/limits.json; see docs/lua.md for the file. */
struct gbx_engine_limits {
        uint64_t memory_bytes;
        uint64_t instructions;
        uint64_t print_bytes; /* 0: print() is counted and its text dropped */
};

#define GBX_ENGINE_LIMITS_DEFAULT                                                          \
        (struct gbx_engine_limits) {                                                       \
                .memory_bytes = UINT64_C(256) << 20, .instructions = UINT64_C(10000000000) \
        }

struct gbx_release;

struct gbx_engine {
        lua_State *state;
        struct gbx_engine_limits limits;
        struct gbx_report report;
        struct gbx_release *release;
        int root;              /* the directory that holds data/, job/ and out/ */
        const char *root_path; /* its path, "" for "/"; for libraries that open files themselves */

        uint64_t memory_used;
        uint64_t memory_peak;
        uint64_t work;
        const void *refused_block; /* the request that was refused last: Lua collects garbage */
        size_t refused_size;       /* and asks once more */

        uint64_t prints; /* calls of print() */
        char *printed;   /* kept text, at most limits.print_bytes */
        size_t printed_size;
};

/* Makes the interpreter with the safe library (library.h). `root` stays the caller's. The
 * engine must not move afterwards: the interpreter points back at it. */
int gbx_engine_init(struct gbx_engine *engine, int root, const struct gbx_engine_limits *limits, struct gbx_error *err);
void gbx_engine_clear(struct gbx_engine *engine);

/* Compiles and runs `source` (text only; bytecode is refused), then writes the release manifest.
 * Returns 0 with the outcome in `ret_end`; the text of an error goes to stderr. */
int gbx_engine_run(struct gbx_engine *engine, const char *source, size_t size, struct gbx_end *ret_end,
                   struct gbx_error *err);

/* The engine that `state` (any coroutine of it) belongs to. */
struct gbx_engine *gbx_engine_of(lua_State *state);

/* Adds work and ends the process if that was too much. */
void gbx_engine_charge(lua_State *state, uint64_t work);
void gbx_engine_charge_bytes(lua_State *state, uint64_t bytes);

/* Makes sure that `bytes` more fit the memory limit, if need be by collecting garbage; ends the process
 * if they do not. For what Lua allocates past its collector, which are buffers of texts. */
void gbx_engine_reserve(lua_State *state, uint64_t bytes);

/* Ends the process: one line to the report, `detail` to stderr, exit status by the rule. */
_Noreturn void gbx_engine_stop(lua_State *state, enum gbx_rule rule, const char *detail);
