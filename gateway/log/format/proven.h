/*
 * Entries of a tree, each shown to be under a signed root
 *
 * tree.h believes what the directory holds. Here every entry is hashed, and its
 * leaf hash is followed through the tiles up to the right edge of a tree whose
 * root the caller found signed. What was edited, swapped, inserted or removed
 * is -EBADMSG, and the message has the entry's number.
 *
 * Tiles that were shown to be good are remembered (at most 5 MiB), so that a
 * walk over n entries reads n/256 tiles, each of them once.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/format/merkle.h"
#include "gateway/log/format/tree.h"

#include <stdint.h>

struct gbx_proven;

/* `tree` is borrowed; its size is set with each call. Until gbx_proven_trust nothing is under the root. */
int gbx_proven_new(struct gbx_proven **ret, struct gbx_tree *tree, struct gbx_error *err);

/* Takes NULL; returns NULL. */
struct gbx_proven *gbx_proven_free(struct gbx_proven *proven);
static inline void gbx_proven_freep(struct gbx_proven **proven) { *proven = gbx_proven_free(*proven); }

/* From now on the tree is the one with this right edge, whose root is known to be signed. What was proven before
 * stays so: the caller knows that the new tree extends the old one. */
void gbx_proven_trust(struct gbx_proven *proven, const struct gbx_merkle_edge *edge);

/* The same for whoever has a checkpoint with a good signature and no edge: it is read and compared with the root.
 * -EBADMSG: the tiles at the right edge do not give it. */
int gbx_proven_trust_checkpoint(struct gbx_proven *proven, const struct gbx_checkpoint *checkpoint, struct gbx_error *err);

/* Hash `index` of tile level `level`, which the tree must have: of a leaf (0), of the root of 256 leaves (1), … */
int gbx_proven_hash(struct gbx_proven *proven, unsigned level, uint64_t index, struct gbx_hash *ret, struct gbx_error *err);

/* Entry `index`; valid until the next call. -EINVAL: not in the tree. -EBADMSG: not what was signed. */
int gbx_proven_entry(struct gbx_proven *proven, uint64_t index, struct gbx_bytes *ret, struct gbx_error *err);
