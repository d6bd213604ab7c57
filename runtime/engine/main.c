/*
 * gbx-lua: runs a Lua script on the datasets of a job
 *
 *   gbx-lua [--root DIRECTORY] SCRIPT
 *
 * Made to be the only program inside a sandbox, where the root is "/"; job.h
 * says which files it expects. It runs just as well outside, for trying scripts
 * on dummy data. Exit status: 0 done, 1 failed, 2 usage, 6 a limit was reached.
 */
#include "runtime/engine/program.h"

int main(int argc, char **argv) { return gbx_engine_main(argc, argv, NULL); }
