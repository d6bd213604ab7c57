/*
 * gbx-lua-duckdb: gbx-lua with data.query (see query.h)
 *
 *   gbx-lua-duckdb [--root DIRECTORY] SCRIPT
 *
 * Finds libduckdb.so where the dynamic loader looks (LD_LIBRARY_PATH outside,
 * /lib inside the image `engine`).
 */
#include "runtime/engine/program.h"
#include "runtime/engine/query.h"

int main(int argc, char **argv) { return gbx_engine_main(argc, argv, gbx_query_install); }
