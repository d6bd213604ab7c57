/*
 * gbx-image-digest DIGEST < FILE
 *
 * Exits with 0 if standard input has the SHA-256 digest "sha256:…", with 5 if
 * it has another. Called by gbx-sandbox (image_digest.h).
 */
#include "base/crypto.h"
#include "base/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
        uint8_t wanted[GBX_SHA256_SIZE], found[GBX_SHA256_SIZE];
        struct gbx_error err = {};

        if (gbx_process_begin("gbx-image-digest", GBX_PROCESS_OPEN_FILES) < 0)
                return GBX_EXIT_FAILED;
        if (argc != 2 || gbx_sha256_parse(argv[1], wanted, &err) < 0) {
                fprintf(stderr, "usage: gbx-image-digest sha256:DIGITS < FILE\n");
                return GBX_EXIT_USAGE;
        }
        if (gbx_sha256_fd(STDIN_FILENO, found, NULL, &err) < 0) {
                fprintf(stderr, "gbx-image-digest: %s\n", err.message);
                return GBX_EXIT_FAILED;
        }
        return memcmp(wanted, found, sizeof wanted) == 0 ? GBX_EXIT_DONE : GBX_EXIT_INTEGRITY;
}
