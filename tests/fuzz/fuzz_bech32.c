/* Bech32: whatever decodes encodes back to the same text, in lower case. */
#include "runtime/vault/age.h"
#include "runtime/vault/bech32.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const prefixes[] = { "age", "age-secret-key-" };
        const char *text = (const char *)data;
        uint8_t bytes[32];

        for (size_t i = 0; i < 2; i++) {
                struct gbx_buffer again = {};

                if (gbx_bech32_decode(prefixes[i], text, size, bytes, sizeof bytes, NULL) < 0)
                        continue;
                if (gbx_bech32_encode(prefixes[i], bytes, sizeof bytes, &again, NULL) < 0 || again.size != size)
                        abort();
                for (size_t k = 0; k < size; k++)
                        if (tolower(data[k]) != again.data[k])
                                abort();
                gbx_buffer_free(&again);
        }
        return 0;
}
