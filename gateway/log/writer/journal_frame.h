/* The journal's header and frames as bytes (internal to gateway/log; see journal.h for the form). */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdint.h>

enum {
        GBX_JOURNAL_HEADER = 8 + 8 + 16 + 16,
        GBX_JOURNAL_FRAME = 4 + 4 + 8 + 4 + 16, /* in front of a payload */
};

struct gbx_journal_key {
        uint8_t bytes[32];
};

struct gbx_journal_frame {
        uint64_t first;
        uint32_t count, size;
};

/* Makes a header with a fresh salt. */
int gbx_journal_make_header(const uint8_t seed[static 32], uint64_t base, uint8_t ret[static GBX_JOURNAL_HEADER],
                            struct gbx_error *err);
/* -EBADMSG: damaged, or of another key. */
int gbx_journal_read_header(const uint8_t seed[static 32], const uint8_t header[static GBX_JOURNAL_HEADER],
                            uint64_t *ret_base, struct gbx_journal_key *ret_key, struct gbx_error *err);

/* Appends the frame and its payload of frame->size bytes. */
int gbx_journal_make_frame(const struct gbx_journal_key *key, const struct gbx_journal_frame *frame,
                           const void *payload, struct gbx_buffer *ret, struct gbx_error *err);

/* Reads and checks the frame at `offset` of a file of `size` bytes; `bytes` gets header and payload.
 * 0: good. GBX_JOURNAL_BAD: there is no good frame. Negative: the file cannot be read. */
enum { GBX_JOURNAL_BAD = 1 };
int gbx_journal_load_frame(int fd, const struct gbx_journal_key *key, uint64_t offset, uint64_t size,
                           struct gbx_journal_frame *ret, struct gbx_buffer *bytes, struct gbx_error *err);

/* Looks for a good frame anywhere in [from, size). 1: `ret_first` is its first entry. 0: there is none. */
int gbx_journal_find_frame(int fd, const struct gbx_journal_key *key, uint64_t from, uint64_t size,
                           uint64_t *ret_first, struct gbx_error *err);
