#include "gateway/cli/commands.h"

const struct gbx_command *const gbx_command_tables[] = {
        gbx_commands_audit,
        gbx_commands_evidence,
        gbx_commands_replay,
        NULL,
};
