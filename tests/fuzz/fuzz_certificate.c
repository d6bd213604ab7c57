/* Certificates of suppression: no crash, and what is accepted is the one form of what was read (the checker compares). */
#include "gateway/disclosure/certificate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_certificate_facts facts = {};

        if (size > 1 << 16)
                return 0;
        if (gbx_certificate_check(data, size, NULL, &facts, NULL) == 0 && facts.suppressed > facts.cells)
                abort();
        return 0;
}
