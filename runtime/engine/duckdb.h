/*
 * DuckDB's C API, as much of it as we use, loaded at run time
 *
 * The library comes without a header. What is declared here follows the C API
 * documentation (duckdb.org/docs/stable/clients/c/api), whose functions and
 * layouts are stable across versions 1.x. The members of struct gbx_duckdb
 * have the functions' names without "duckdb_".
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

enum { GBX_DUCKDB_SUCCESS = 0 };

/* duckdb_type */
enum gbx_duckdb_type {
        GBX_DUCKDB_BOOLEAN = 1,
        GBX_DUCKDB_TINYINT = 2,
        GBX_DUCKDB_SMALLINT = 3,
        GBX_DUCKDB_INTEGER = 4,
        GBX_DUCKDB_BIGINT = 5,
        GBX_DUCKDB_UTINYINT = 6,
        GBX_DUCKDB_USMALLINT = 7,
        GBX_DUCKDB_UINTEGER = 8,
        GBX_DUCKDB_UBIGINT = 9,
        GBX_DUCKDB_FLOAT = 10,
        GBX_DUCKDB_DOUBLE = 11,
        GBX_DUCKDB_DATE = 13,
        GBX_DUCKDB_HUGEINT = 16,
        GBX_DUCKDB_VARCHAR = 17,
        GBX_DUCKDB_DECIMAL = 19,
};

typedef void *gbx_duckdb_handle; /* duckdb_database, _connection, _config, _data_chunk, _vector, _logical_type */

/* duckdb_result: passed by value, so its size counts. */
struct gbx_duckdb_result {
        uint64_t deprecated[3];
        void *more_deprecated[2];
        void *internal;
};

/* duckdb_hugeint */
struct gbx_duckdb_hugeint {
        uint64_t lower;
        int64_t upper;
};

/* duckdb_string_t: up to 12 bytes stand in place. */
struct gbx_duckdb_string {
        union {
                struct {
                        uint32_t size;
                        char prefix[4];
                        const char *data;
                };
                struct {
                        uint32_t same_size;
                        char inlined[12];
                };
        };
};

struct gbx_duckdb {
        void *library;
        int (*create_config)(gbx_duckdb_handle *config);
        int (*set_config)(gbx_duckdb_handle config, const char *name, const char *option);
        void (*destroy_config)(gbx_duckdb_handle *config);
        int (*open_ext)(const char *path, gbx_duckdb_handle *database, gbx_duckdb_handle config, char **error);
        void (*close)(gbx_duckdb_handle *database);
        int (*connect)(gbx_duckdb_handle database, gbx_duckdb_handle *connection);
        void (*disconnect)(gbx_duckdb_handle *connection);
        void (*free)(void *memory);
        int (*query)(gbx_duckdb_handle connection, const char *sql, struct gbx_duckdb_result *result);
        void (*destroy_result)(struct gbx_duckdb_result *result);
        const char *(*result_error)(struct gbx_duckdb_result *result);
        uint64_t (*column_count)(struct gbx_duckdb_result *result);
        const char *(*column_name)(struct gbx_duckdb_result *result, uint64_t column);
        gbx_duckdb_handle (*column_logical_type)(struct gbx_duckdb_result *result, uint64_t column);
        int (*get_type_id)(gbx_duckdb_handle type);
        uint8_t (*decimal_scale)(gbx_duckdb_handle type);
        int (*decimal_internal_type)(gbx_duckdb_handle type);
        void (*destroy_logical_type)(gbx_duckdb_handle *type);
        gbx_duckdb_handle (*fetch_chunk)(struct gbx_duckdb_result result);
        void (*destroy_data_chunk)(gbx_duckdb_handle *chunk);
        uint64_t (*data_chunk_get_size)(gbx_duckdb_handle chunk);
        gbx_duckdb_handle (*data_chunk_get_vector)(gbx_duckdb_handle chunk, uint64_t column);
        void *(*vector_get_data)(gbx_duckdb_handle vector);
        uint64_t *(*vector_get_validity)(gbx_duckdb_handle vector); /* NULL: all are valid */
};

/* Loads the library and all functions above. `ret` is filled only on success. */
int gbx_duckdb_load(struct gbx_duckdb *ret, const char *path, struct gbx_error *err);
