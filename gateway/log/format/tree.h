/*
 * A tlog-tiles directory, read
 *
 * Needs no key and trusts nothing: whoever cares about integrity compares what
 * comes out with a signed root (verify.h does). A partial tile that was
 * superseded is read from the full one. Memory: one tile a level and one bundle.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "gateway/log/format/merkle.h"

#include <stdint.h>

struct gbx_tree;

int gbx_tree_open(struct gbx_tree **ret, int directory, const char *path, struct gbx_error *err);

/* Takes NULL; returns NULL. */
struct gbx_tree *gbx_tree_free(struct gbx_tree *tree);
static inline void gbx_tree_freep(struct gbx_tree **tree) { *tree = gbx_tree_free(*tree); }

/* How many entries count; set it from a checkpoint before hashes or entries are read. */
void gbx_tree_set_size(struct gbx_tree *tree, uint64_t size);
uint64_t gbx_tree_size(const struct gbx_tree *tree);

/* Forgets what was read: the next call reads the files anew. */
void gbx_tree_forget(struct gbx_tree *tree);

/* Appends the published checkpoint as it is. -ENOENT if there is none. */
int gbx_tree_message(struct gbx_tree *tree, struct gbx_buffer *ret, struct gbx_error *err);

/* A gbx_merkle_read callback whose context is the tree. -EBADMSG: the tile is missing or of the wrong size. */
int gbx_tree_hash(void *tree, unsigned level, uint64_t index, struct gbx_hash *ret, struct gbx_error *err);

/* The first `width` hashes of the tile (level 0..7, index). The same errors. */
int gbx_tree_tile(struct gbx_tree *tree, unsigned level, uint64_t index, unsigned width, struct gbx_hash *ret_hashes,
                  struct gbx_error *err);

/* Entry `index`; valid until the next call. -EBADMSG: its bundle is missing or malformed. */
int gbx_tree_entry(struct gbx_tree *tree, uint64_t index, struct gbx_bytes *ret, struct gbx_error *err);

/* Appends a .tlog-proof (proof.h) of entry `index` under the signed checkpoint `message`, which is over the tree's
 * size. -EINVAL if it does not cover the entry. */
int gbx_tree_prove(struct gbx_tree *tree, uint64_t index, const struct gbx_buffer *message, struct gbx_buffer *ret,
                   struct gbx_error *err);
