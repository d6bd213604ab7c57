/*
 * The Merkle tree of RFC 6962, section 2.1
 *
 *   empty tree   SHA-256("")
 *   leaf         SHA-256(0x00 || entry)
 *   node         SHA-256(0x01 || left || right)
 *
 * A tree of n leaves is split at the largest power of two below n. Hashes of
 * complete subtrees are addressed by (level, index): level 0 are the leaves,
 * and (l, i) covers the leaves [i * 2^l, (i + 1) * 2^l). They never change
 * when the tree grows, so whoever stores them can make every proof.
 *
 * Everything here is pure: storage is reached through a gbx_merkle_read
 * callback only. Verification follows RFC 9162, sections 2.1.3.2 and 2.1.4.2.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_MERKLE_LEVELS = 63,    /* trees hold fewer than 2^62 leaves */
        GBX_MERKLE_PROOF_MAX = 63, /* hashes of any proof; also the limit of C2SP tlog-witness */
};
#define GBX_MERKLE_SIZE_MAX (UINT64_C(1) << 62)

struct gbx_hash {
        uint8_t bytes[GBX_SHA256_SIZE];
};

struct gbx_merkle_proof {
        size_t count;
        struct gbx_hash hashes[GBX_MERKLE_PROOF_MAX];
};

bool gbx_hash_equal(const struct gbx_hash *a, const struct gbx_hash *b);

void gbx_merkle_empty(struct gbx_hash *ret);
void gbx_merkle_leaf(const void *entry, size_t size, struct gbx_hash *ret);
void gbx_merkle_node(const struct gbx_hash *left, const struct gbx_hash *right, struct gbx_hash *ret);

/* The root over `count` > 0 hashes that stand side by side at one level. */
void gbx_merkle_root_of(const struct gbx_hash *hashes, size_t count, struct gbx_hash *ret);

/* --- growing a tree ------------------------------------------------------- */

/* The right edge of a tree: one complete subtree for each bit set in `size`.
 * All that is needed to append leaves and to know the root; start from {}. */
struct gbx_merkle_edge {
        uint64_t size;
        struct gbx_hash subtrees[GBX_MERKLE_LEVELS]; /* [l] is valid where bit l of size is set */
};

void gbx_merkle_edge_append(struct gbx_merkle_edge *edge, const struct gbx_hash *leaf);
void gbx_merkle_edge_root(const struct gbx_merkle_edge *edge, struct gbx_hash *ret);

/* --- proofs --------------------------------------------------------------- */

/* Gives the hash of the complete subtree (level, index). */
typedef int gbx_merkle_read(void *context, unsigned level, uint64_t index, struct gbx_hash *ret,
                            struct gbx_error *err);

/* Loads the right edge of the tree of `size` leaves. */
int gbx_merkle_edge_load(gbx_merkle_read *read, void *context, uint64_t size, struct gbx_merkle_edge *ret,
                         struct gbx_error *err);

/* The root of the leaves [start, end), where `start` is a multiple of the smallest power of two >= end - start. */
int gbx_merkle_range_root(gbx_merkle_read *read, void *context, uint64_t start, uint64_t end, struct gbx_hash *ret,
                          struct gbx_error *err);

/* That leaf `index` is in the tree of `size` leaves. -EINVAL unless index < size. */
int gbx_merkle_prove_inclusion(gbx_merkle_read *read, void *context, uint64_t index, uint64_t size,
                               struct gbx_merkle_proof *ret, struct gbx_error *err);

/* That the tree of `old_size` leaves is a prefix of the tree of `new_size`. For old_size 0 or equal
 * sizes the proof is empty. -EINVAL unless old_size <= new_size. */
int gbx_merkle_prove_consistency(gbx_merkle_read *read, void *context, uint64_t old_size, uint64_t new_size,
                                 struct gbx_merkle_proof *ret, struct gbx_error *err);

/* 0 if the proof shows that `leaf` stands at `index`; -EBADMSG if it does not. */
int gbx_merkle_verify_inclusion(uint64_t index, uint64_t size, const struct gbx_hash *leaf,
                                const struct gbx_hash *proof, size_t count, const struct gbx_hash *root,
                                struct gbx_error *err);

/* 0 if the proof shows that the new tree extends the old one; -EBADMSG if it does not. An old size of
 * 0 proves nothing and is refused: a caller for whom "from nothing" is good says so itself. */
int gbx_merkle_verify_consistency(uint64_t old_size, uint64_t new_size, const struct gbx_hash *proof, size_t count,
                                  const struct gbx_hash *old_root, const struct gbx_hash *new_root,
                                  struct gbx_error *err);
