/* TLS hellos: no crash, and a name that is a host name. */
#include "gateway/egress/hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_authority host;
        struct gbx_hello hello;

        if (gbx_hello_parse(data, size, &hello, NULL) > 0 &&
            (hello.length > size || gbx_host_parse(hello.server_name, strlen(hello.server_name), &host, NULL) < 0))
                abort();
        return 0;
}
