/*
 * Runs a fuzz target over kept inputs, without a fuzzer
 *
 *   fuzz_NAME [FILE | DIRECTORY]...
 *
 * Each input is given whole, and cut short at 16 places, and with single
 * bytes changed by a fixed generator: cheap enough for every test run.
 * Prints TAP: one line an input.
 */
#include "base/cleanup.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned tests;

/* A copy of exactly `size` bytes, so that a sanitizer sees every overrun. */
static void give(const uint8_t *data, size_t size) {
        uint8_t *copy = malloc(size ? size : 1);

        if (!copy)
                abort();
        if (size)
                memcpy(copy, data, size);
        (void)LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

static void give_variants(uint8_t *data, size_t size) {
        uint32_t state = 2463534242U;

        give(data, size);
        for (size_t i = 0; i < 16; i++)
                give(data, size * i / 16);
        for (size_t i = 0; i < 256 && size > 0; i++) {
                size_t place;
                uint8_t saved;

                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                place = state % size;
                saved = data[place];
                data[place] = (uint8_t)(state >> 24);
                give(data, size);
                data[place] = saved;
        }
}

static int replay_file(const char *path) {
        gbx_auto(gbx_close_file) FILE *file = fopen(path, "rbe");
        long size;
        uint8_t *data;

        if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0) {
                printf("not ok %u - %s: cannot read\n", ++tests, path);
                return 1;
        }
        rewind(file);
        data = malloc((size_t)size + 1);
        if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
                printf("not ok %u - %s: cannot read\n", ++tests, path);
                return 1;
        }
        give_variants(data, (size_t)size);
        free(data);
        printf("ok %u - %s\n", ++tests, path);
        return 0;
}

static int replay(const char *path) {
        struct dirent **entries;
        int count, bad = 0;
        struct stat status;

        if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode))
                return replay_file(path);
        count = scandir(path, &entries, NULL, alphasort);
        for (int i = 0; i < count; i++) {
                char inner[4096];

                (void)snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
                if (entries[i]->d_name[0] != '.')
                        bad |= replay(inner);
                free(entries[i]);
        }
        free(entries);
        return bad;
}

int main(int argc, char **argv) {
        int bad = 0;
        uint8_t nothing[1] = { 0 };

        give_variants(nothing, 0);
        printf("ok %u - empty input\n", ++tests);
        for (int i = 1; i < argc; i++)
                bad |= replay(argv[i]);
        return bad;
}
