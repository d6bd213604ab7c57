/*
 * Asks gbx-parse for a verb, of the table or one of its misbehaving ones, and says what came of it
 *
 *   parse-run VERB FILE [CPU-SECONDS]
 *
 * Prints the number of bytes of the answer, or the error. Exit status as gbx: 0, 1, 2, 5, 6.
 * CPU-SECONDS (default 1): what the caller believes the verb may take.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/parse/parse.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
        static const struct gbx_parse_verb *const known[] = { &gbx_parse_archive, &gbx_parse_values, &gbx_parse_lua, &gbx_parse_elf };
        gbx_auto(gbx_buffer_free) struct gbx_buffer input = {}, answer = {};
        struct gbx_parse_verb verb = { .cpu_seconds = 1, .memory_bytes = 32 << 20, .output_bytes = 4096 };
        struct gbx_error err = {};
        int r;

        if (argc < 3)
                return GBX_EXIT_USAGE;
        verb.name = argv[1];
        for (size_t i = 0; i < gbx_array_size(known); i++)
                if (strcmp(known[i]->name, argv[1]) == 0)
                        verb = *known[i];
        if (argc > 3)
                verb.cpu_seconds = (unsigned)atoi(argv[3]);
        r = gbx_read_file(AT_FDCWD, argv[2], 1 << 26, &input, &err);
        if (r == 0)
                r = gbx_parse_bytes(&verb, input.data, input.size, &answer, &err);
        if (r < 0)
                (void)fprintf(stderr, "refused: %s\n", err.message);
        else
                printf("%zu bytes\n", answer.size);
        return r < 0 ? (int)gbx_error_exit_code(r) : 0;
}
