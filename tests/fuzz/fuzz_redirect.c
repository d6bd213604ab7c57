/* An address that a job gave to connect(2): what is sent to the proxy for it must be a request that the proxy can read. */
#include "gateway/flows/redirect.h"
#include "gateway/egress/socks.h"

#include <arpa/inet.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct sockaddr_in proxy = { .sin_family = AF_INET, .sin_port = htons(3128), .sin_addr.s_addr = htonl(0x0ac90001) };
        uint8_t request[GBX_REDIRECT_REQUEST_SIZE];
        struct gbx_authority target;
        int reply, r = gbx_redirect_request(data, size, &proxy, request);
        size_t length;

        if (r <= 0)
                return 0;
        if (r >= 10 && request[r - 1] == 0 && request[r - 2] == 0) { /* port 0 */
                if (gbx_socks_parse_request(request, (size_t)r, &length, &target, &reply, NULL) >= 0)
                        abort();
                return 0;
        }
        if (r > GBX_REDIRECT_REQUEST_SIZE || gbx_socks_parse_request(request, (size_t)r, &length, &target, &reply, NULL) != 1 ||
            length != (size_t)r || !target.address || target.port == 0)
                abort();
        return 0;
}
