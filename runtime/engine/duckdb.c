#include "runtime/engine/duckdb.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FUNCTION(name) { "duckdb_" #name, offsetof(struct gbx_duckdb, name) }

static const struct {
        const char *name;
        size_t place;
} functions[] = {
        FUNCTION(create_config),         FUNCTION(set_config),          FUNCTION(destroy_config),
        FUNCTION(open_ext),              FUNCTION(close),               FUNCTION(connect),
        FUNCTION(disconnect),            FUNCTION(free),                FUNCTION(query),
        FUNCTION(destroy_result),        FUNCTION(result_error),        FUNCTION(column_count),
        FUNCTION(column_name),           FUNCTION(column_logical_type), FUNCTION(get_type_id),
        FUNCTION(decimal_scale),         FUNCTION(decimal_internal_type), FUNCTION(destroy_logical_type),
        FUNCTION(fetch_chunk),           FUNCTION(destroy_data_chunk),  FUNCTION(data_chunk_get_size),
        FUNCTION(data_chunk_get_vector), FUNCTION(vector_get_data),     FUNCTION(vector_get_validity),
};

int gbx_duckdb_load(struct gbx_duckdb *ret, const char *path, struct gbx_error *err) {
        struct gbx_duckdb api = {};

        api.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!api.library)
                return gbx_fail(err, -ENOENT, "cannot load DuckDB: %s; scripts/install-duckdb fetches it", dlerror());
        for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
                void *function = dlsym(api.library, functions[i].name);

                if (!function) {
                        (void)dlclose(api.library);
                        return gbx_fail(err, -EINVAL, "%s: there is no function %s", path, functions[i].name);
                }
                memcpy((char *)&api + functions[i].place, &function, sizeof function);
        }
        *ret = api;
        return 0;
}
