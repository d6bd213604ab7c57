/* The sandbox spec: no crash, and what is accepted keeps the promises of spec.h. */
#include "runtime/sandbox/spec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_spec spec = {};
        struct gbx_error err = {};

        if (gbx_spec_parse(&spec, (const char *)data, size, &err) < 0) {
                if (err.code >= 0 || err.message[0] == '\0')
                        abort();
                return 0;
        }
        if (!spec.name || !spec.argv[0] || spec.argv[0][0] != '/' || !spec.profile || spec.layers_off != 0 ||
            spec.limits.wall_ms == 0 || spec.limits.pids == 0 || spec.limits.open_files > GBX_SPEC_MAX_OPEN_FILES ||
            spec.mount_count > GBX_SPEC_MAX_MOUNTS)
                abort();
        gbx_spec_free(&spec);
        return 0;
}
