#include "gateway/log/format/merkle.h"

#include <string.h>

struct prover {
        gbx_merkle_read *read;
        void *context;
        struct gbx_merkle_proof proof;
};

static uint64_t split_point(uint64_t n) { return UINT64_C(1) << (63 - __builtin_clzll(n - 1)); }

int gbx_merkle_range_root(gbx_merkle_read *read, void *context, uint64_t start, uint64_t end, struct gbx_hash *ret,
                          struct gbx_error *err) {
        uint64_t size = end - start;
        struct gbx_hash left, right;
        uint64_t split;
        int r;

        if ((size & (size - 1)) == 0) {
                unsigned level = (unsigned)__builtin_ctzll(size);

                return read(context, level, start >> level, ret, err);
        }
        split = start + split_point(size);
        r = gbx_merkle_range_root(read, context, start, split, &left, err);
        if (r < 0)
                return r;
        r = gbx_merkle_range_root(read, context, split, end, &right, err);
        if (r < 0)
                return r;
        gbx_merkle_node(&left, &right, ret);
        return 0;
}

static int push_range(struct prover *prover, uint64_t start, uint64_t end, struct gbx_error *err) {
        int r;

        if (prover->proof.count == GBX_MERKLE_PROOF_MAX)
                return gbx_fail(err, -EINVAL, "a proof of more than %d hashes is needed", GBX_MERKLE_PROOF_MAX);
        r = gbx_merkle_range_root(prover->read, prover->context, start, end, &prover->proof.hashes[prover->proof.count],
                                  err);
        if (r < 0)
                return r;
        prover->proof.count++;
        return 0;
}

static int check_sizes(uint64_t part, uint64_t whole, bool may_be_equal, struct gbx_error *err) {
        if (part > whole || (part == whole && !may_be_equal) || whole > GBX_MERKLE_SIZE_MAX)
                return gbx_fail(err, -EINVAL, "no proof for %llu in a tree of %llu leaves", (unsigned long long)part,
                                (unsigned long long)whole);
        return 0;
}

/* PATH of RFC 6962, section 2.1.1 */
static int path(struct prover *prover, uint64_t index, uint64_t start, uint64_t end, struct gbx_error *err) {
        uint64_t split;
        int r;

        if (end - start == 1)
                return 0;
        split = start + split_point(end - start);
        if (index < split) {
                r = path(prover, index, start, split, err);
                return r < 0 ? r : push_range(prover, split, end, err);
        }
        r = path(prover, index, split, end, err);
        return r < 0 ? r : push_range(prover, start, split, err);
}

int gbx_merkle_prove_inclusion(gbx_merkle_read *read, void *context, uint64_t index, uint64_t size,
                               struct gbx_merkle_proof *ret, struct gbx_error *err) {
        struct prover prover = { .read = read, .context = context };
        int r = check_sizes(index, size, false, err);

        if (r < 0)
                return r;
        r = path(&prover, index, 0, size, err);
        if (r < 0)
                return r;
        *ret = prover.proof;
        return 0;
}

/* SUBPROOF of RFC 6962, section 2.1.2; `whole` is its b: the verifier knows the root of [start, start + m) */
static int subproof(struct prover *prover, uint64_t old_end, uint64_t start, uint64_t end, bool whole,
                    struct gbx_error *err) {
        uint64_t split;
        int r;

        if (old_end == end)
                return whole ? 0 : push_range(prover, start, end, err);
        split = start + split_point(end - start);
        if (old_end <= split) {
                r = subproof(prover, old_end, start, split, whole, err);
                return r < 0 ? r : push_range(prover, split, end, err);
        }
        r = subproof(prover, old_end, split, end, false, err);
        return r < 0 ? r : push_range(prover, start, split, err);
}

int gbx_merkle_prove_consistency(gbx_merkle_read *read, void *context, uint64_t old_size, uint64_t new_size,
                                 struct gbx_merkle_proof *ret, struct gbx_error *err) {
        struct prover prover = { .read = read, .context = context };
        int r = check_sizes(old_size, new_size, true, err);

        if (r < 0)
                return r;
        if (old_size > 0)
                r = subproof(&prover, old_size, 0, new_size, true, err);
        if (r < 0)
                return r;
        *ret = prover.proof;
        return 0;
}

int gbx_merkle_verify_inclusion(uint64_t index, uint64_t size, const struct gbx_hash *leaf,
                                const struct gbx_hash *proof, size_t count, const struct gbx_hash *root,
                                struct gbx_error *err) {
        struct gbx_hash hash = *leaf;
        uint64_t node = index, last = size - 1;

        if (index >= size || size > GBX_MERKLE_SIZE_MAX)
                return gbx_fail(err, -EBADMSG, "there is no entry %llu in a tree of %llu", (unsigned long long)index,
                                (unsigned long long)size);
        for (size_t i = 0; i < count; i++) {
                if (last == 0)
                        return gbx_fail(err, -EBADMSG, "the inclusion proof is too long");
                if ((node & 1) || node == last) {
                        gbx_merkle_node(&proof[i], &hash, &hash);
                        while (!(node & 1) && node != 0) {
                                node >>= 1;
                                last >>= 1;
                        }
                } else {
                        gbx_merkle_node(&hash, &proof[i], &hash);
                }
                node >>= 1;
                last >>= 1;
        }
        if (last != 0)
                return gbx_fail(err, -EBADMSG, "the inclusion proof is too short");
        if (!gbx_hash_equal(&hash, root))
                return gbx_fail(err, -EBADMSG, "the inclusion proof of entry %llu leads to another root",
                                (unsigned long long)index);
        return 0;
}

int gbx_merkle_verify_consistency(uint64_t old_size, uint64_t new_size, const struct gbx_hash *proof, size_t count,
                                  const struct gbx_hash *old_root, const struct gbx_hash *new_root,
                                  struct gbx_error *err) {
        struct gbx_hash old_hash, new_hash;
        uint64_t node, last;
        size_t next = 0;

        if (old_size == 0 || old_size > new_size || new_size > GBX_MERKLE_SIZE_MAX)
                return gbx_fail(err, -EBADMSG, "nothing proves that a tree of %llu entries extends one of %llu",
                                (unsigned long long)new_size, (unsigned long long)old_size);
        if (old_size == new_size) {
                if (count != 0 || !gbx_hash_equal(old_root, new_root))
                        return gbx_fail(err, -EBADMSG, "two trees of %llu entries have different roots",
                                        (unsigned long long)old_size);
                return 0;
        }
        for (node = old_size - 1, last = new_size - 1; node & 1; node >>= 1)
                last >>= 1;
        if (node == 0 && (old_size & (old_size - 1)) == 0) { /* the old tree is a complete subtree of the new one */
                old_hash = *old_root;
        } else {
                if (count == 0)
                        return gbx_fail(err, -EBADMSG, "the consistency proof is too short");
                old_hash = proof[next++];
        }
        new_hash = old_hash;
        for (; next < count; next++) {
                if (last == 0)
                        return gbx_fail(err, -EBADMSG, "the consistency proof is too long");
                if ((node & 1) || node == last) {
                        gbx_merkle_node(&proof[next], &old_hash, &old_hash);
                        gbx_merkle_node(&proof[next], &new_hash, &new_hash);
                        while (!(node & 1) && node != 0) {
                                node >>= 1;
                                last >>= 1;
                        }
                } else {
                        gbx_merkle_node(&new_hash, &proof[next], &new_hash);
                }
                node >>= 1;
                last >>= 1;
        }
        if (last != 0)
                return gbx_fail(err, -EBADMSG, "the consistency proof is too short");
        if (!gbx_hash_equal(&old_hash, old_root) || !gbx_hash_equal(&new_hash, new_root))
                return gbx_fail(err, -EBADMSG, "the tree of %llu entries does not extend the one of %llu",
                                (unsigned long long)new_size, (unsigned long long)old_size);
        return 0;
}
