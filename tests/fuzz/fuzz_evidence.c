/* Evidence files: no crash, whatever stands between head and digest; what is read can be judged. The digest is made right. */
#include "base/cleanup.h"
#include "gateway/tabulate/rules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        gbx_auto(gbx_evidence_freep) struct gbx_evidence *evidence = NULL;
        gbx_auto(gbx_findings_free) struct gbx_findings findings = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer file = {};
        struct gbx_error err = {};
        uint8_t digest[GBX_SHA256_SIZE];

        gbx_sha256(data, size, digest);
        if (gbx_buffer_append(&file, data, size, &err) < 0 || gbx_buffer_append(&file, digest, sizeof digest, &err) < 0)
                return 0;
        if (gbx_evidence_read(&evidence, file.data, file.size, &err) < 0)
                return 0;
        if (gbx_disclosure_apply(&gbx_disclosure_default, evidence, &findings, &err) < 0)
                abort();
        return 0;
}
