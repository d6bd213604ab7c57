/* Parameters of a job from the command line: --param NAME=VALUE (typed by the policy) or --params FILE (JSON). */
#pragma once

#include "gateway/cli/command.h"

/* `ret_parameters` gets an object. Types come from the policy in force for the purpose; without one, values are texts
 * and the decision will say what is wrong. */
int gbx_cli_parameters(const struct gbx_cli *cli, const char *purpose, json_t **ret_parameters, struct gbx_error *err);
