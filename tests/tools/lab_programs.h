/* Copies laundered through real programs: see tests/tools/launder */
#pragma once

#include "base/buffer.h"
#include "base/file.h"
#include "tests/tools/lab_grid.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int run_launder(const char *tool, const char *program, const char *directory) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
                if (chdir(directory) == 0)
                        (void)execl(tool, tool, program, "in.csv", "out", (char *)NULL);
                _exit(127);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
                abort();
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Replaces the CSV in `table` by what the program makes of it. False: the program is not installed. */
static inline bool launder_through(const char *program, struct gbx_buffer *table) {
        char directory[] = "/tmp/gbx-launder-XXXXXX", in[64], out[64], tool[4096];
        struct gbx_error err = {};
        FILE *file;
        int r;

        if (!realpath("tests/tools/launder", tool) || !mkdtemp(directory))
                abort();
        (void)snprintf(in, sizeof in, "%s/in.csv", directory);
        (void)snprintf(out, sizeof out, "%s/out", directory);
        file = fopen(in, "we");
        if (!file || fwrite(table->data, 1, table->size, file) != table->size || fclose(file) != 0)
                abort();
        r = run_launder(tool, program, directory);
        if (r == 0) {
                gbx_buffer_clear(table);
                lab_check(gbx_read_file(AT_FDCWD, out, 1 << 28, table, &err), &err);
        }
        (void)unlink(in);
        (void)unlink(out);
        (void)rmdir(directory);
        if (r != 0 && r != 77) {
                (void)fprintf(stderr, "watermark-lab: launder %s failed with %d\n", program, r);
                abort();
        }
        return r == 0;
}
