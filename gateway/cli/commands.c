#include "gateway/cli/commands.h"
#include "gateway/cli/rehearsal.h"

const struct gbx_command *const gbx_command_tables[] = {
        gbx_commands_policy,
        gbx_commands_data,
        gbx_commands_algo,
        gbx_commands_rehearsal,
        gbx_commands_review,
        gbx_commands_job,
        gbx_commands_release,
        gbx_commands_flows,
        gbx_commands_trace,
        gbx_commands_audit,
        gbx_commands_evidence,
        gbx_commands_replay,
        NULL,
};
