/* Dataset manifests: whatever is accepted is the canonical text of what was read. */
#include "runtime/vault/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_manifest manifest;
        struct gbx_buffer text = {};

        if (gbx_manifest_parse(data, size, &manifest, NULL) < 0)
                return 0;
        if (gbx_manifest_text(&manifest, &text, NULL) < 0 || text.size != size || memcmp(text.data, data, size) != 0)
                abort();
        gbx_buffer_free(&text);
        return 0;
}
