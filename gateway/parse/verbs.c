#include "gateway/parse/bundle_files.h"
#include "gateway/parse/parse.h"

enum { MIB = 1024 * 1024, FRAME = 512 };

/* name, CPU seconds, memory, output */
const struct gbx_parse_verb gbx_parse_archive = { "archive", 20, 3ULL * GBX_BUNDLE_MAX_UNPACKED,
                                                  GBX_BUNDLE_MAX_UNPACKED + GBX_BUNDLE_MAX_ENTRIES * FRAME };
const struct gbx_parse_verb gbx_parse_values = { "values", 600, 256 * MIB, 16 * MIB };
const struct gbx_parse_verb gbx_parse_lua = { "lua", 20, 1024 * MIB, FRAME * 4 };
const struct gbx_parse_verb gbx_parse_elf = { "elf", 5, 16 * MIB, 64 * FRAME };
