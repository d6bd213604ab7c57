/* add-checkpoint requests and witness policies. */
#include "gateway/log/witness/witness.h"
#include "gateway/log/format/witness_policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct gbx_witness_policy policy;
        struct gbx_witness_request request;
        struct gbx_buffer back = {}, message = {};

        if (gbx_witness_policy_parse((const char *)data, size, &policy, NULL) == 0 &&
            (policy.node_count > GBX_POLICY_NODES_MAX || policy.quorum >= (int)policy.node_count))
                abort();
        if (gbx_witness_request_parse(data, size, &request, NULL) < 0)
                return 0;
        if (gbx_buffer_append(&message, request.message, request.message_size, NULL) < 0 ||
            gbx_witness_request_format(request.old_size, &request.proof, &message, &back, NULL) < 0 || back.size != size ||
            memcmp(back.data, data, size) != 0)
                abort();
        gbx_buffer_free(&back);
        gbx_buffer_free(&message);
        return 0;
}
