/*
 * Anchors: evidence of a checkpoint in an EVM chain, by JSON-RPC
 *
 * A transaction without value carries in its input
 *
 *   "glovebox-anchor-v1"  SHA-256(origin)  size as 8 bytes, big-endian  root
 *
 * and so the chain says when this log had this root, whoever keeps the log. The
 * account is the node's (eth_sendTransaction): no chain key is held here. Runs
 * off the commit path; a chain that is away delays evidence and nothing else.
 *
 * What it proves depends on the node that is asked: a full node of one's own
 * verifies the chain, another's must be believed.
 */
#pragma once

#include "base/error.h"
#include "gateway/log/format/checkpoint.h"

#include <jansson.h>
#include <stdint.h>

enum {
        GBX_ANCHOR_PAYLOAD = 18 + 32 + 8 + 32,
        GBX_ANCHOR_HASH_TEXT = 67, /* "0x", 64 digits, a zero byte */
};

struct gbx_anchor {
        uint64_t size;
        struct gbx_hash root;
        uint64_t chain; /* eth_chainId */
        uint64_t block;
        char transaction[GBX_ANCHOR_HASH_TEXT];
        char block_hash[GBX_ANCHOR_HASH_TEXT];
};

void gbx_anchor_payload(const struct gbx_checkpoint *checkpoint, uint8_t ret[static GBX_ANCHOR_PAYLOAD]);

/* Submits a checkpoint by the node at `url` and waits until it stands in a block, `timeout_ms` at most. `from` is an
 * account of the node; NULL: its first one. */
int gbx_anchor_submit(const char *url, const char *from, const struct gbx_checkpoint *checkpoint, unsigned timeout_ms,
                      struct gbx_anchor *ret, struct gbx_error *err);

/* Asks the node for the transaction again. 0: the chain holds it, in that block, with the input that belongs to
 * `checkpoint`. -EBADMSG: it does not. Other negative: the node cannot be asked. */
int gbx_anchor_check(const char *url, const struct gbx_anchor *anchor, const struct gbx_checkpoint *checkpoint,
                     unsigned timeout_ms, struct gbx_error *err);

/* `details` of the action anchor.receipt, from and to. The new object is the caller's. -EINVAL: not a receipt. */
int gbx_anchor_to_details(const struct gbx_anchor *anchor, json_t **ret, struct gbx_error *err);
int gbx_anchor_from_details(const json_t *details, struct gbx_anchor *ret, struct gbx_error *err);
