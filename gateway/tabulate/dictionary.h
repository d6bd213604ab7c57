/*
 * Dictionaries: values numbered in the order in which they first appear
 *
 * Texts are copied. Used for the values of keys, the ids of contributors, and
 * the keys of joined datasets.
 */
#pragma once

#include "base/buffer.h"
#include "gateway/tabulate/expression/expression.h"

struct gbx_dictionary {
        struct gbx_dictionary_entry *entries;
        size_t count, capacity;
        uint32_t *slots; /* entry + 1, or 0 */
        size_t slot_count;
        struct gbx_buffer *pages; /* texts; a page never moves */
        size_t page_count;
        uint32_t last; /* the entry found last, tried first */
};

struct gbx_dictionary_entry {
        uint64_t hash;
        union {
                int64_t number;
                const char *text;
        };
        size_t size; /* of a text; 0: a number */
};

enum { GBX_DICTIONARY_MAX = UINT32_MAX - 1 };

/* The number of `value`, which is not missing; `text` says that it is a text. `ret_new` (may be NULL): it was not there.
 * -EDQUOT: too many. */
int gbx_dictionary_number(struct gbx_dictionary *dictionary, const struct gbx_scalar *value, bool text, uint32_t *ret, bool *ret_new,
                          struct gbx_error *err);
/* As above, but never adds; false if it is not there. */
bool gbx_dictionary_find(const struct gbx_dictionary *dictionary, const struct gbx_scalar *value, bool text, uint32_t *ret);
void gbx_dictionary_free(struct gbx_dictionary *dictionary);

/* A mixing of 64 bits (the finaliser of MurmurHash3, by Austin Appleby, public domain). */
static inline uint64_t gbx_mix(uint64_t x) {
        x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
        x = (x ^ (x >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
        return x ^ (x >> 33);
}
