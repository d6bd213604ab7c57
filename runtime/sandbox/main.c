/*
 * gbx-sandbox: runs one confined job (docs/sandbox.md)
 */
#include "base/text.h"
#include "runtime/sandbox/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
        "usage: gbx-sandbox run SPEC.json [--result-fd N]   run one job; SPEC may be - for standard input\n";

static int command_run(int argc, char **argv) {
        uint64_t result_fd = 0;
        bool with_result = false;

        if (argc == 4 && strcmp(argv[2], "--result-fd") == 0) {
                if (gbx_parse_u64(argv[3], &result_fd, NULL) < 0 || result_fd > 1U << 20 ||
                    fcntl((int)result_fd, F_SETFD, FD_CLOEXEC) < 0) {
                        (void)fprintf(stderr, "gbx-sandbox: --result-fd: '%s' is not an open descriptor\n", argv[3]);
                        return GBX_EXIT_USAGE;
                }
                with_result = true;
        } else if (argc != 2) {
                (void)fputs(usage, stderr);
                return GBX_EXIT_USAGE;
        }
        return gbx_run(argv[1], with_result ? (int)result_fd : -1);
}

struct command {
        const char *name;
        int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

int main(int argc, char **argv) {
        static const struct command commands[] = {
                { "run", command_run },
        };

        for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
                if (strcmp(argv[1], commands[i].name) == 0)
                        return commands[i].run(argc - 1, argv + 1);
        if (argc == 2 && strcmp(argv[1], "--help") == 0) {
                (void)fputs(usage, stdout);
                return GBX_EXIT_DONE;
        }
        (void)fputs(usage, stderr);
        return GBX_EXIT_USAGE;
}
