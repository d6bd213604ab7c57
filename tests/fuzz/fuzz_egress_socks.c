/* SOCKS messages: no crash, and lengths that stay within the input. */
#include "gateway/egress/socks.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_authority authority;
        size_t length = 0;
        int reply;

        if (gbx_socks_parse_greeting(data, size, &length, NULL) > 0) {
                if (length > size)
                        abort();
                data += length;
                size -= length;
        }
        if (gbx_socks_parse_request(data, size, &length, &authority, &reply, NULL) > 0 &&
            (length > size || authority.port == 0 || !*authority.host))
                abort();
        return 0;
}
