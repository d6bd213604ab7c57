/*
 * Reads an algorithm as `gbx algo submit` does and says what it is
 *
 *   bundle-check FILE [DIGEST | --unpack DIRECTORY]
 *
 * Prints "FORM DIGEST" and a line a file, or the reason for refusing it.
 * Exit status: 0 accepted, 5 another digest, 6 a limit, 2 anything else that was refused.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/algorithm/algorithm.h"
#include "gateway/algorithm/bundle.h"
#include "gateway/algorithm/startable.h"

#include <stdio.h>
#include <string.h>

static int unpack(const struct gbx_bundle *bundle, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = gbx_open_directory(AT_FDCWD, path, err);

        return directory < 0 ? directory : gbx_bundle_unpack(bundle, directory, err);
}

static int check(int argc, char **argv, struct gbx_error *err) {
        static const char *const forms[] = { "lua", "elf", "archive" };
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = NULL;
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;
        bool unpacking = argc == 4 && strcmp(argv[2], "--unpack") == 0;
        int r;

        if (argc < 2)
                return gbx_fail(err, -EINVAL, "usage: bundle-check FILE [DIGEST | --unpack DIRECTORY]");
        r = gbx_read_file(AT_FDCWD, argv[1], GBX_BUNDLE_MAX_BYTES, &bytes, err);
        if (r == 0)
                r = gbx_bundle_read(&bundle, bytes.data, bytes.size, argc == 3 ? argv[2] : NULL, err);
        if (r == 0)
                r = gbx_algorithm_read(&algorithm, bundle, NULL, err);
        if (r == 0)
                r = gbx_algorithm_startable(algorithm, bundle, err);
        if (r == 0 && unpacking)
                r = unpack(bundle, argv[3], err);
        if (r < 0 || !bundle)
                return r;
        printf("%s %s\n", forms[bundle->form], bundle->digest);
        for (size_t i = 0; i < bundle->count; i++)
                printf("%s %zu%s\n", bundle->files[i].path, bundle->files[i].size,
                       bundle->files[i].executable ? " executable" : "");
        return 0;
}

int main(int argc, char **argv) {
        struct gbx_error err = {};
        int r = check(argc, argv, &err);

        if (r < 0)
                (void)fprintf(stderr, "refused: %s\n", err.message);
        return r < 0 ? (int)gbx_error_exit_code(r) : 0;
}
