/*
 * Work whose cost confinement should not change
 *
 *   sandbox-work cpu | io DIRECTORY
 *
 * cpu: integer arithmetic on a small table. io: a file of 64 MiB is written,
 * read and removed, in blocks of 64 KiB, twice. Prints the processor time used
 * in ms.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void compute(void) {
        static uint32_t table[4096];
        uint32_t state = 1;

        for (unsigned i = 0; i < 120 * 1000 * 1000; i++) {
                state = state * 1664525 + 1013904223;
                table[state >> 20] ^= state;
        }
        if (table[1] == 42)
                puts("");
}

static int transfer(const char *directory) {
        static char block[65536];
        char path[256];

        snprintf(path, sizeof path, "%s/work", directory);
        for (int round = 0; round < 2; round++) {
                int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

                for (int i = 0; i < 1024; i++)
                        if (write(fd, block, sizeof block) != sizeof block)
                                return 1;
                lseek(fd, 0, SEEK_SET);
                for (int i = 0; i < 1024; i++)
                        if (read(fd, block, sizeof block) != sizeof block)
                                return 1;
                close(fd);
                unlink(path);
        }
        return 0;
}

int main(int argc, char **argv) {
        struct rusage usage;

        if (argc == 2 && strcmp(argv[1], "cpu") == 0)
                compute();
        else if (argc != 3 || transfer(argv[2]) != 0)
                return 1;
        getrusage(RUSAGE_SELF, &usage);
        printf("%.3f\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
                                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3);
        return 0;
}
