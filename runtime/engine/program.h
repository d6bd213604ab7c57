/*
 * The program around the engine: command line, job files, report, exit status
 *
 *   PROGRAM [--root DIRECTORY] SCRIPT
 *
 * Shared by gbx-lua and gbx-lua-duckdb, which differ in what they extend the
 * library with.
 */
#pragma once

#include "runtime/engine/engine.h"

/* Adds to the library of an engine that is ready to run. */
typedef int (*gbx_extension)(struct gbx_engine *engine, struct gbx_error *err);

/* What main() does; returns the exit status. `extend` may be NULL. */
int gbx_engine_main(int argc, char **argv, gbx_extension extend);
