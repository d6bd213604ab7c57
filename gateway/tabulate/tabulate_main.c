/*
 * gbx-tabulator: computes described tables, alone in a sandbox
 *
 *   gbx-tabulator [--root DIRECTORY]
 *
 * See tabulate.h for the files, docs/tabulator.md for the manual.
 */
#include "base/cleanup.h"
#include "gateway/tabulate/tabulate.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>

static const char usage[] = "usage: gbx-tabulator [--root DIRECTORY]\n"
                            "Computes the tables of job/tables.json (or tables.yaml) from data/ into out/, below DIRECTORY (default: /).\n"
                            "See docs/tabulator.md.\n";

int main(int argc, char **argv) {
        static const struct option options[] = { { "root", required_argument, NULL, 'r' }, { "help", no_argument, NULL, 'h' }, {} };
        gbx_auto(gbx_close_fd) int root = -1;
        const char *directory = "/";
        struct gbx_error err = {};
        int option, r;

        while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (option) {
                case 'r':
                        directory = optarg;
                        break;
                case 'h':
                        (void)fputs(usage, stdout);
                        return GBX_EXIT_DONE;
                default:
                        (void)fputs(usage, stderr);
                        return GBX_EXIT_USAGE;
                }
        if (optind != argc) {
                (void)fputs(usage, stderr);
                return GBX_EXIT_USAGE;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGXFSZ, SIG_IGN);
        json_object_seed(1); /* the order in JSON objects is of no interest, and needs no /dev/urandom */
        root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = root < 0 ? gbx_fail_errno(&err, "cannot open directory '%s'", directory) : gbx_tabulate(root, &err);
        if (r < 0)
                (void)fprintf(stderr, "gbx-tabulator: %s\n", err.message);
        return (int)gbx_error_exit_code(r < 0 ? r : 0);
}
