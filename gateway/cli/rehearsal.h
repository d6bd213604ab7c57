/* Rehearsals from the command line: `gbx algo try`, and the double run when an algorithm is submitted. */
#pragma once

#include "base/buffer.h"
#include "gateway/cli/command.h"

/* Whether the algorithm gave the same outputs twice on dummy data. 1: it could not be told (no policy in force for the
 * engine or several and none named by --purpose, or the rehearsal failed; `ret_why` says so). */
int gbx_cli_double_run(const struct gbx_cli *cli, const struct gbx_buffer *program, const char *engine, bool *ret_deterministic,
                       const char **ret_why, struct gbx_error *err);

extern const struct gbx_command gbx_commands_rehearsal[]; /* algo try */
