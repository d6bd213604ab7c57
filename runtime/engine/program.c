#include "runtime/engine/program.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/job.h"
#include "runtime/engine/library.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>

static const char usage[] = "usage: gbx-lua [--root DIRECTORY] SCRIPT\n"
                            "Runs a Lua script on the datasets in DIRECTORY/data (default: /data).\n"
                            "See docs/lua.md for what a script finds there.\n";

/* A lua_CFunction: the JSON value at 1, frozen, becomes the global `params`. */
static int set_params(lua_State *state) {
        struct gbx_error err = {};
        const json_t *params = lua_touserdata(state, 1);
        const json_t *seed = json_object_get(params, "seed");

        if (gbx_job_push_json(state, params, &err) < 0)
                return luaL_error(state, "job/params.json: %s", err.message);
        gbx_library_freeze(state);
        lua_setglobal(state, "params");
        if (json_is_integer(seed)) {
                (void)lua_getglobal(state, "math");
                (void)lua_getfield(state, -1, "randomseed");
                lua_pushinteger(state, json_integer_value(seed));
                lua_call(state, 1, 0);
        }
        return 0;
}

static int give_params(struct gbx_engine *engine, struct gbx_error *err) {
        json_t *params;
        int r = gbx_job_params(engine->root, &params, err);

        if (r < 0)
                return r;
        lua_pushcfunction(engine->state, set_params);
        lua_pushlightuserdata(engine->state, params);
        if (lua_pcall(engine->state, 1, 0, 0) != LUA_OK)
                r = gbx_fail(err, -EINVAL, "%s", lua_tostring(engine->state, -1));
        json_decref(params);
        return r;
}

static void clear_engine(struct gbx_engine *engine) { gbx_engine_clear(engine); }

static int run(int root, const char *root_path, const char *script, gbx_extension extend, struct gbx_report *report,
               struct gbx_end *ret_end, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        gbx_auto(clear_engine) struct gbx_engine engine = {};
        struct gbx_engine_limits limits;
        int r;

        r = gbx_job_limits(root, &limits, err);
        if (r < 0)
                return r;
        r = gbx_read_file(AT_FDCWD, script, GBX_JOB_SCRIPT_MAX, &source, err);
        if (r < 0)
                return r;
        r = gbx_engine_init(&engine, root, &limits, err);
        if (r < 0)
                return r;
        engine.report = *report;
        engine.root_path = root_path;
        r = give_params(&engine, err);
        if (r >= 0 && extend)
                r = extend(&engine, err);
        if (r >= 0)
                r = gbx_engine_run(&engine, gbx_buffer_text(&source), source.size, ret_end, err);
        *report = engine.report;
        return r;
}

int gbx_engine_main(int argc, char **argv, gbx_extension extend) {
        static const struct option options[] = { { "root", required_argument, NULL, 'r' },
                                                 { "help", no_argument, NULL, 'h' },
                                                 {} };
        gbx_auto(gbx_close_fd) int root = -1;
        const char *directory = "/";
        struct gbx_report report;
        struct gbx_error err = {};
        struct gbx_end end = {};
        int option, r;

        gbx_report_init(&report);
        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (option) {
                case 'r':
                        directory = optarg;
                        break;
                case 'h':
                        (void)fputs(usage, stdout);
                        return gbx_process_finish("gbx-lua", GBX_EXIT_DONE);
                default:
                        (void)fputs(usage, stderr);
                        return GBX_EXIT_USAGE;
                }
        if (optind + 1 != argc) {
                (void)fputs(usage, stderr);
                return GBX_EXIT_USAGE;
        }
        /* A reader that went away and a full file are errors of the write, not a death. */
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGXFSZ, SIG_IGN);
        json_object_seed(1); /* the order in JSON objects is of no interest, and needs no /dev/urandom */

        root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = root < 0 ? gbx_fail_errno(&err, "cannot open directory '%s'", directory)
                     : run(root, strcmp(directory, "/") == 0 ? "" : directory, argv[optind], extend, &report, &end, &err);
        if (r < 0) {
                end = (struct gbx_end){ .rule = GBX_RULE_JOB };
                (void)fprintf(stderr, "gbx-lua: %s: %s\n", gbx_rule_name(end.rule), err.message);
        }
        gbx_report_end(&report, &end);
        return gbx_process_finish("gbx-lua", gbx_rule_exit_code(end.rule));
}
