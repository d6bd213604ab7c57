/*
 * data.query(sql): SQL over the datasets of a job, by DuckDB
 *
 * The database is in memory and holds one view for each dataset, with the
 * columns and types of its schema. Before the script starts, DuckDB may read
 * these files and no others, may write none, may load no extension, and its
 * configuration is locked. It says itself that this is no sandbox (SECURITY.md);
 * the wall is the process's sandbox, this is the second one.
 *
 * One thread, so that sums of floating-point numbers come out the same each
 * time. DuckDB's memory is half of the run's; its work is not counted, the
 * sandbox's limits hold for it.
 */
#pragma once

#include "base/error.h"
#include "runtime/engine/engine.h"

/* A gbx_extension: loads DuckDB, opens the database, adds data.query. */
int gbx_query_install(struct gbx_engine *engine, struct gbx_error *err);
