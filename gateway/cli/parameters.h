/*
 * What a run is asked for on the command line: --algo, --data, --purpose, and parameters as --param NAME=VALUE (typed
 * by the policy) or --params FILE (JSON).
 */
#pragma once

#include "gateway/cli/command.h"
#include "gateway/job/job.h"

/* `ret_parameters` gets an object. Types come from the policy in force for the purpose; without one, values are texts
 * and the decision will say what is wrong. */
int gbx_cli_parameters(const struct gbx_cli *cli, const char *purpose, json_t **ret_parameters, struct gbx_error *err);

/* An order with what it points to. */
struct gbx_cli_order {
        struct gbx_run_order order;
        const char *datasets[GBX_CLI_MAX_VALUES];
        json_t *parameters;
};

/* Fills `ret` from the options; `ret` stays where it is and is freed by the caller, also on failure. */
int gbx_cli_order(const struct gbx_cli *cli, struct gbx_cli_order *ret, struct gbx_error *err);
void gbx_cli_order_free(struct gbx_cli_order *order);
