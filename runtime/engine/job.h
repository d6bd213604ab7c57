/*
 * The files a job finds below its root directory
 *
 *   data/NAME               a dataset, CSV with a header
 *   job/script.lua          the script
 *   job/params.json         its parameters, an object (optional)
 *   job/limits.json         {"memory_bytes": N, "instructions": N, "print_bytes": N}, each optional
 *   job/schema/NAME.json    {"columns": [{"name": "age", "type": "integer", "missing": true}, …]}
 *   out/                    where releases go
 *
 * In the sandbox the root is "/". They are written by the gateway; what of them
 * is wrong is an error, never guessed.
 */
#pragma once

#include "base/error.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/typed.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        GBX_JOB_SCRIPT_MAX = 4 << 20,
        GBX_JOB_JSON_MAX = 4 << 20,
        GBX_JOB_NAME_MAX = 255, /* bytes of a column's name */
};

struct gbx_column {
        char *name;
        enum gbx_value_type type;
        bool required; /* "missing": false */
};

struct gbx_columns {
        struct gbx_column *columns;
        size_t count;
};

/* Reads job/limits.json; without it `ret` gets the default. */
int gbx_job_limits(int root, struct gbx_engine_limits *ret, struct gbx_error *err);

/* Reads job/params.json; an empty object without it. The caller drops the reference. */
int gbx_job_params(int root, json_t **ret, struct gbx_error *err);

/* Reads job/schema/NAME.json. Other members than those above are passed over. */
int gbx_job_schema(int root, const char *name, struct gbx_columns *ret, struct gbx_error *err);
void gbx_columns_free(struct gbx_columns *columns);

/* The names of all datasets that have a schema, sorted; a list that the caller frees with each name. */
int gbx_job_names(int root, char ***ret_names, size_t *ret_count, struct gbx_error *err);

/* Pushes a JSON value as Lua values: an object or list becomes a table, null nil, an integer an
 * integer. -EINVAL if it is nested deeper than 32. */
int gbx_job_push_json(lua_State *state, const json_t *value, struct gbx_error *err);
