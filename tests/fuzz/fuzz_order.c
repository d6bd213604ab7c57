/* A pool's order: no crash, and what is accepted keeps the promises of order.h. */
#include "runtime/sandbox/order.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A pool's spec with what an order can refer to. */
static const char pool_spec[] =
        "{\"version\":1,\"name\":\"pool\",\"image\":{\"directory\":\"/i\"},\"argv\":[\"/bin/a\",\"b\"],\"env\":{\"TZ\":\"UTC\"},"
        "\"profile\":\"native\",\"limits\":{\"wall_ms\":1,\"memory_bytes\":1048576,\"pids\":3},"
        "\"mounts\":[{\"target\":\"/data\",\"later\":true},{\"target\":\"/out\",\"later\":true,\"writable\":true},"
        "{\"target\":\"/tmp\",\"tmpfs\":{\"bytes\":65536,\"inodes\":8}}]}";

static void check(struct gbx_order *order, const struct gbx_spec *pool, size_t descriptor_count) {
        int received[GBX_ORDER_DESCRIPTORS];
        struct gbx_spec spec = *pool;

        for (size_t i = 0; i < GBX_ORDER_DESCRIPTORS; i++)
                received[i] = i < descriptor_count ? (int)i + 100 : -1;
        if (order->mount_count > 2 || order->text_size > sizeof order->text || strlen(order->name) > 64)
                abort();
        for (size_t i = 0; i < order->mount_count; i++)
                if (order->mounts[i].mount > 1 || (size_t)order->mounts[i].position >= descriptor_count)
                        abort();
        gbx_order_apply(order, &spec, received);
        if (!spec.argv[0] || spec.argv[0][0] != '/')
                abort();
        for (size_t i = 0; i < spec.descriptor_count; i++)
                if (spec.descriptors[i].outside != GBX_SPEC_CLOSED && spec.descriptors[i].outside < 100)
                        abort();
}

/* The first byte is the number of descriptors that come with the message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct gbx_order order;
        struct gbx_spec pool = {};
        struct gbx_error err = {};
        size_t descriptors;

        if (size == 0 || gbx_spec_parse(&pool, pool_spec, sizeof pool_spec - 1, &err) < 0) {
                if (size > 0)
                        abort();
                return 0;
        }
        descriptors = data[0] % (GBX_ORDER_DESCRIPTORS + 1);
        memset(&order, 0, sizeof order);
        if (gbx_order_parse(&order, &pool, (const char *)data + 1, size - 1, descriptors, &err) == 0)
                check(&order, &pool, descriptors);
        else if (err.code >= 0 || err.message[0] == '\0')
                abort();
        gbx_spec_free(&pool);
        return 0;
}
