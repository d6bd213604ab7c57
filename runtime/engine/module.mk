# gbx-lua is one static file, so that its image needs no other (images/lua), and has no build id, which would
# make the image depend on the path of the source.
PROGRAMS += gbx-lua
gbx-lua_MAIN := runtime/engine/main.c
gbx-lua_MODULES := runtime/engine base
gbx-lua_LIBS := -llua5.4 -ljansson -lm
gbx-lua_LDFLAGS := -static-pie -Wl,--build-id=none

# With data.query. DuckDB is loaded when it starts, so it builds without; see scripts/install-duckdb.
PROGRAMS += gbx-lua-duckdb
gbx-lua-duckdb_MAIN := runtime/engine/main_duckdb.c
gbx-lua-duckdb_MODULES := runtime/engine base
gbx-lua-duckdb_LIBS := -Wl,-Bstatic -llua5.4 -ljansson -Wl,-Bdynamic -lm
gbx-lua-duckdb_LDFLAGS := -pie -Wl,--build-id=none
