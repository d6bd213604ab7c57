/* The program's own commands, which ask no site anything: help, completion, api. */
#pragma once

#include "gateway/cli/invocation.h"

#include <stdbool.h>

bool gbx_own_find(const char *noun);
/* Returns an exit code. `argv` begins behind the noun. */
int gbx_own_run(struct gbx_invocation *invocation, int argc, char **argv);
