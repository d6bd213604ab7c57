/* Entry bundles: entries lie within the bundle, side by side, and nothing is left over. */
#include "gateway/log/format/tile.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_bytes rest = { data, size }, entry;
        size_t used = 0;
        int r;

        while ((r = gbx_bundle_next(&rest, &entry, NULL)) > 0) {
                if ((const uint8_t *)entry.data != data + used + 2)
                        abort();
                used += 2 + entry.size;
                if (used + rest.size != size)
                        abort();
        }
        if (r == 0 && used != size)
                abort();
        return 0;
}
