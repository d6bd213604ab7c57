/*
 * Keys of the fingerprint and the functions keyed by them
 *
 * All keys come from the site's root key by HKDF-SHA256 (RFC 5869), salted
 * with the family, so that nothing learnt about one table's marks helps with
 * another's. Cells are found by SipHash-2-4 with 128 bits of output
 * (Aumasson, Bernstein, INDOCRYPT 2012): OpenSSL has it too, but a call costs
 * it ten times what the function itself does. Symbols are AES-128 of the cell
 * id under the release's key, which OpenSSL does in bulk: a trace draws
 * hundreds of millions.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct gbx_sip_key {
        uint64_t half[2];
};

/* Independent keys of one family; secret. */
struct gbx_mark_keys {
        struct gbx_sip_key select; /* row key -> whether and which cells */
        struct gbx_sip_key cell;   /* row, column -> cell id */
        struct gbx_sip_key bias;   /* cell id -> bias and mask */
        struct gbx_sip_key text;   /* classes of a text column's values */
        struct gbx_sip_key sketch; /* sketches of columns in the record */
        struct gbx_sip_key layout; /* the format channel */
        uint8_t release[32];       /* from which each release's key is made */
};

struct gbx_cell_id {
        uint64_t half[2];
};

/* What is drawn for one cell of one release: 128 bits. */
struct gbx_draw {
        uint32_t symbol;    /* below the bias: symbol 1 */
        uint32_t rounding;  /* below the rest: rounded up */
        uint32_t direction; /* lowest bit: up or down */
        uint32_t spare;
};

int gbx_mark_keys_derive(const uint8_t *root, const char *family, struct gbx_mark_keys *ret, struct gbx_error *err);
void gbx_mark_keys_clear(struct gbx_mark_keys *keys);

/* The key of one release: 16 bytes. */
int gbx_mark_release_key(const struct gbx_mark_keys *keys, const char *release, const char *recipient,
                         uint8_t ret_key[static 16], struct gbx_error *err);

struct gbx_cell_id gbx_sip128(const struct gbx_sip_key *key, const void *data, size_t size);
uint64_t gbx_sip64(const struct gbx_sip_key *key, const void *data, size_t size);

/* Draws for `count` cells; ids and draws may be the same memory. */
int gbx_mark_draw(const uint8_t key[static 16], const struct gbx_cell_id *ids, size_t count, struct gbx_draw *ret_draws,
                  struct gbx_error *err);
