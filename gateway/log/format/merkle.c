#include "gateway/log/format/merkle.h"

#include <string.h>

bool gbx_hash_equal(const struct gbx_hash *a, const struct gbx_hash *b) {
        return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void gbx_merkle_empty(struct gbx_hash *ret) { gbx_sha256("", 0, ret->bytes); }

void gbx_merkle_leaf(const void *entry, size_t size, struct gbx_hash *ret) {
        struct gbx_bytes parts[] = { { "\x00", 1 }, { entry, size } };

        gbx_sha256_parts(parts, 2, ret->bytes);
}

void gbx_merkle_node(const struct gbx_hash *left, const struct gbx_hash *right, struct gbx_hash *ret) {
        uint8_t block[1 + 2 * GBX_SHA256_SIZE];

        block[0] = 0x01;
        memcpy(block + 1, left->bytes, GBX_SHA256_SIZE);
        memcpy(block + 1 + GBX_SHA256_SIZE, right->bytes, GBX_SHA256_SIZE);
        gbx_sha256(block, sizeof block, ret->bytes);
}

/* The largest power of two below n; n > 1. */
static uint64_t split_point(uint64_t n) { return UINT64_C(1) << (63 - __builtin_clzll(n - 1)); }

void gbx_merkle_root_of(const struct gbx_hash *hashes, size_t count, struct gbx_hash *ret) {
        struct gbx_hash left, right;
        size_t split;

        if (count == 1) {
                *ret = *hashes;
                return;
        }
        split = (size_t)split_point(count);
        gbx_merkle_root_of(hashes, split, &left);
        gbx_merkle_root_of(hashes + split, count - split, &right);
        gbx_merkle_node(&left, &right, ret);
}

void gbx_merkle_edge_append(struct gbx_merkle_edge *edge, const struct gbx_hash *leaf) {
        struct gbx_hash carry = *leaf;
        unsigned level = 0;

        for (; edge->size >> level & 1; level++)
                gbx_merkle_node(&edge->subtrees[level], &carry, &carry);
        edge->subtrees[level] = carry;
        edge->size++;
}

void gbx_merkle_edge_root(const struct gbx_merkle_edge *edge, struct gbx_hash *ret) {
        struct gbx_hash root;
        bool started = false;

        for (unsigned level = 0; level < GBX_MERKLE_LEVELS; level++) {
                if (!(edge->size >> level & 1))
                        continue;
                if (started)
                        gbx_merkle_node(&edge->subtrees[level], &root, &root);
                else
                        root = edge->subtrees[level];
                started = true;
        }
        if (!started)
                gbx_merkle_empty(&root);
        *ret = root;
}

int gbx_merkle_edge_load(gbx_merkle_read *read, void *context, uint64_t size, struct gbx_merkle_edge *ret,
                         struct gbx_error *err) {
        struct gbx_merkle_edge edge = { .size = size };

        if (size > GBX_MERKLE_SIZE_MAX)
                return gbx_fail(err, -EINVAL, "a tree of %llu leaves is too large", (unsigned long long)size);
        for (unsigned level = 0; level < GBX_MERKLE_LEVELS; level++) {
                int r;

                if (!(size >> level & 1))
                        continue;
                r = read(context, level, (size >> level) - 1, &edge.subtrees[level], err);
                if (r < 0)
                        return r;
        }
        *ret = edge;
        return 0;
}
