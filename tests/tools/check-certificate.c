/*
 * check-certificate FILE [sha256:DIGEST]: checks a certificate of suppression, with no solver linked
 *
 * Ends with 0 and a line of facts, or with 5 and what is wrong.
 */
#include "gateway/disclosure/certificate.h"

#include "base/cleanup.h"

#include <stdio.h>

static int read_file(const char *path, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_close_file) FILE *file = fopen(path, "rbe");
        char block[65536];
        size_t got;

        if (!file)
                return gbx_fail_errno(err, "cannot open '%s'", path);
        while ((got = fread(block, 1, sizeof block, file)) > 0) {
                int r = gbx_buffer_append(ret, block, got, err);

                if (r < 0)
                        return r;
        }
        return ferror(file) ? gbx_fail_errno(err, "cannot read '%s'", path) : 0;
}

int main(int argc, char **argv) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = { .secret = true };
        struct gbx_certificate_facts facts = {};
        uint8_t digest[GBX_SHA256_SIZE];
        struct gbx_error err = {};
        int r;

        if (argc != 2 && argc != 3) {
                fprintf(stderr, "usage: check-certificate FILE [sha256:DIGEST]\n");
                return GBX_EXIT_USAGE;
        }
        r = argc == 3 ? gbx_sha256_parse(argv[2], digest, &err) : 0;
        if (r == 0)
                r = read_file(argv[1], &bytes, &err);
        if (r == 0)
                r = gbx_certificate_check(bytes.data, bytes.size, argc == 3 ? digest : NULL, &facts, &err);
        if (r < 0) {
                fprintf(stderr, "check-certificate: %s\n", err.message);
                return (int)gbx_error_exit_code(r);
        }
        printf("good: %zu tables, %zu cells, %zu suppressed, %zu of all unsafe, %zu equations, %zu witnesses\n", facts.tables, facts.cells,
               facts.suppressed, facts.unsafe, facts.equations, facts.witnesses);
        return GBX_EXIT_DONE;
}
