/* The tables of commands, one a noun; each is defined in the file of its name. */
#pragma once

#include "gateway/cli/command.h"

extern const struct gbx_command gbx_commands_site[]; /* init, keys, status */
extern const struct gbx_command gbx_commands_user[];
extern const struct gbx_command gbx_commands_policy[];
extern const struct gbx_command gbx_commands_data[];
extern const struct gbx_command gbx_commands_algo[];
extern const struct gbx_command gbx_commands_review[];
extern const struct gbx_command gbx_commands_job[];
extern const struct gbx_command gbx_commands_release[];
extern const struct gbx_command gbx_commands_flows[];
extern const struct gbx_command gbx_commands_trace[];
extern const struct gbx_command gbx_commands_audit[];  /* ls, verify, prove, check-proof, export */
extern const struct gbx_command gbx_commands_evidence[]; /* audit witness, audit anchor */
extern const struct gbx_command gbx_commands_replay[]; /* audit replay, audit rebuild */
