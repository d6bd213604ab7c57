/*
 * Runs a folder of C2SP age test vectors
 *
 *   age-vectors DIR
 *
 * Prints a line a case ("pass NAME", "skip NAME: why", "FAIL NAME: why") and a
 * sum. Exit status 0 if none failed and at least one passed.
 */
#include "tests/tools/age_vectors.h"

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv) {
        static const char *const words[] = { "pass", "FAIL", "skip" };
        gbx_auto(gbx_close_directory) DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
        struct dirent *entry;
        char *names[4096];
        size_t count = 0;
        unsigned sums[3] = {};

        if (!directory) {
                (void)fprintf(stderr, "usage: age-vectors DIR (a folder of age test vectors)\n");
                return 2;
        }
        while ((entry = readdir(directory)) && count < gbx_array_size(names))
                if (entry->d_name[0] != '.' && (names[count] = strdup(entry->d_name)))
                        count++;
        qsort(names, count, sizeof names[0], compare_names);
        for (size_t i = 0; i < count; i++) {
                char message[512];
                enum case_result result = case_run_file(dirfd(directory), names[i], message);

                sums[result]++;
                printf("%s %s%s%s\n", words[result], names[i], message[0] ? ": " : "", message);
                free(names[i]);
        }
        printf("%u passed, %u failed, %u skipped\n", sums[CASE_PASS], sums[CASE_FAIL], sums[CASE_SKIP]);
        return sums[CASE_FAIL] == 0 && sums[CASE_PASS] > 0 ? 0 : 1;
}
