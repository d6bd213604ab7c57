#include "runtime/engine/job.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <string.h>

enum { DEPTH_MAX = 32, COLUMNS_MAX = 4096 };

static void drop_json(json_t **json) { json_decref(*json); }

/* 1: read. 0: there is no such file. */
static int read_json(int root, const char *path, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer buffer = {};
        json_error_t where;
        json_t *json;
        int r;

        if (faccessat(root, path, F_OK, 0) < 0 && errno == ENOENT)
                return 0;
        r = gbx_read_file(root, path, GBX_JOB_JSON_MAX, &buffer, err);
        if (r < 0)
                return r;
        json = json_loadb(gbx_buffer_text(&buffer), buffer.size, JSON_REJECT_DUPLICATES, &where);
        if (!json)
                return gbx_fail(err, -EINVAL, "%s:%d:%d: %s", path, where.line, where.column, where.text);
        if (!json_is_object(json)) {
                json_decref(json);
                return gbx_fail(err, -EINVAL, "%s: not a JSON object", path);
        }
        *ret = json;
        return 1;
}

int gbx_job_limits(int root, struct gbx_engine_limits *ret, struct gbx_error *err) {
        static const char path[] = "job/limits.json";
        struct gbx_engine_limits limits = GBX_ENGINE_LIMITS_DEFAULT;
        const struct {
                const char *name;
                uint64_t *place;
                json_int_t least, most;
        } fields[] = {
                { "memory_bytes", &limits.memory_bytes, 1 << 20, INT64_C(1) << 40 },
                { "instructions", &limits.instructions, 1, INT64_MAX / 2 },
                { "print_bytes", &limits.print_bytes, 0, 16 << 20 },
        };
        gbx_auto(drop_json) json_t *json = NULL;
        const char *key;
        json_t *value;
        int r = read_json(root, path, &json, err);

        if (r < 0)
                return r;
        json_object_foreach(json, key, value) {
                size_t i = 0;

                while (i < gbx_array_size(fields) && strcmp(key, fields[i].name) != 0)
                        i++;
                if (i == gbx_array_size(fields))
                        return gbx_fail(err, -EINVAL, "%s: unknown field '%s'", path, key);
                if (!json_is_integer(value) || json_integer_value(value) < fields[i].least ||
                    json_integer_value(value) > fields[i].most)
                        return gbx_fail(err, -EINVAL, "%s: %s: not an integer from %lld to %lld", path, key,
                                        (long long)fields[i].least, (long long)fields[i].most);
                *fields[i].place = (uint64_t)json_integer_value(value);
        }
        *ret = limits;
        return 0;
}

int gbx_job_params(int root, json_t **ret, struct gbx_error *err) {
        json_t *json = NULL;
        int r = read_json(root, "job/params.json", &json, err);

        if (r < 0)
                return r;
        if (!json)
                json = json_object();
        if (!json)
                return gbx_fail_memory(err);
        *ret = json;
        return 0;
}

/* --- schema --------------------------------------------------------------------- */

void gbx_columns_free(struct gbx_columns *columns) {
        for (size_t i = 0; i < columns->count; i++)
                free(columns->columns[i].name);
        free(columns->columns);
        *columns = (struct gbx_columns){};
}

static int read_column(const char *path, const json_t *json, struct gbx_columns *columns, struct gbx_error *err) {
        const char *name = json_string_value(json_object_get(json, "name"));
        const char *type = json_string_value(json_object_get(json, "type"));
        const json_t *missing = json_object_get(json, "missing");
        struct gbx_column column = { .required = json_is_false(missing) };

        if (!name || !*name || strlen(name) > GBX_JOB_NAME_MAX)
                return gbx_fail(err, -EINVAL, "%s: column %zu: no name", path, columns->count + 1);
        if (!type || !gbx_value_type_parse(type, &column.type))
                return gbx_fail(err, -EINVAL, "%s: column '%s': type is not integer, decimal, text, date or boolean",
                                path, name);
        if (missing && !json_is_boolean(missing))
                return gbx_fail(err, -EINVAL, "%s: column '%s': missing is not true or false", path, name);
        for (size_t i = 0; i < columns->count; i++)
                if (strcmp(columns->columns[i].name, name) == 0)
                        return gbx_fail(err, -EINVAL, "%s: column '%s' is there twice", path, name);
        column.name = strdup(name);
        if (!column.name)
                return gbx_fail_memory(err);
        columns->columns[columns->count++] = column;
        return 0;
}

int gbx_job_schema(int root, const char *name, struct gbx_columns *ret, struct gbx_error *err) {
        gbx_auto(gbx_columns_free) struct gbx_columns columns = {};
        gbx_auto(drop_json) json_t *json = NULL;
        const json_t *list;
        char path[128];
        int r;

        if (!gbx_name_valid(name))
                return gbx_fail(err, -EINVAL, "'%s' is not the name of a dataset", name);
        (void)snprintf(path, sizeof path, "job/schema/%s.json", name);
        r = read_json(root, path, &json, err);
        if (r < 0)
                return r;
        if (r == 0)
                return gbx_fail(err, -ENOENT, "%s: there is no schema for this dataset", path);
        list = json_object_get(json, "columns");
        if (json_array_size(list) == 0 || json_array_size(list) > COLUMNS_MAX)
                return gbx_fail(err, -EINVAL, "%s: columns is not a list of 1 to %d columns", path, COLUMNS_MAX);
        columns.columns = calloc(json_array_size(list), sizeof *columns.columns);
        if (!columns.columns)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < json_array_size(list); i++) {
                r = read_column(path, json_array_get(list, i), &columns, err);
                if (r < 0)
                        return r;
        }
        *ret = columns;
        columns = (struct gbx_columns){};
        return 0;
}

static int is_schema(const struct dirent *entry) {
        const char *end = strrchr(entry->d_name, '.');

        return end && strcmp(end, ".json") == 0 && entry->d_name[0] != '.';
}

int gbx_job_names(int root, char ***ret_names, size_t *ret_count, struct gbx_error *err) {
        struct dirent **entries;
        char **names;
        int count = scandirat(root, "job/schema", &entries, is_schema, alphasort);

        if (count < 0 && errno != ENOENT)
                return gbx_fail_errno(err, "cannot list job/schema");
        if (count < 0)
                count = 0;
        names = calloc((size_t)count + 1, sizeof *names);
        for (int i = 0; i < count; i++) {
                if (names)
                        names[i] = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - strlen(".json"));
                free(entries[i]);
        }
        if (count > 0)
                free(entries);
        if (!names)
                return gbx_fail_memory(err);
        *ret_names = names;
        *ret_count = (size_t)count;
        return 0;
}

/* --- JSON to Lua ------------------------------------------------------------------ */

static int push_json(lua_State *state, const json_t *value, int depth, struct gbx_error *err) {
        int r = 0;

        if (depth > DEPTH_MAX || !lua_checkstack(state, 4))
                return gbx_fail(err, -EINVAL, "nested deeper than %d", DEPTH_MAX);
        switch (json_typeof(value)) {
        case JSON_OBJECT: {
                void *at = json_object_iter((json_t *)(uintptr_t)value);

                lua_newtable(state);
                for (; at && r >= 0; at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
                        const char *key = json_object_iter_key(at);

                        (void)lua_pushstring(state, key);
                        r = push_json(state, json_object_iter_value(at), depth + 1, err);
                        if (r >= 0)
                                lua_rawset(state, -3);
                }
                break;
        }
        case JSON_ARRAY:
                lua_newtable(state);
                for (size_t i = 0; i < json_array_size(value) && r >= 0; i++) {
                        r = push_json(state, json_array_get(value, i), depth + 1, err);
                        if (r >= 0)
                                lua_rawseti(state, -2, (lua_Integer)i + 1);
                }
                break;
        case JSON_STRING:
                (void)lua_pushlstring(state, json_string_value(value), json_string_length(value));
                break;
        case JSON_INTEGER:
                lua_pushinteger(state, json_integer_value(value));
                break;
        case JSON_REAL:
                lua_pushnumber(state, json_real_value(value));
                break;
        case JSON_TRUE:
        case JSON_FALSE:
                lua_pushboolean(state, json_is_true(value));
                break;
        case JSON_NULL:
                lua_pushnil(state);
        }
        return r;
}

int gbx_job_push_json(lua_State *state, const json_t *value, struct gbx_error *err) {
        return push_json(state, value, 0, err);
}
