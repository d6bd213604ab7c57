/* The journal's header and frames as bytes (internal to gateway/log; see journal.h for the form). */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdint.h>

enum {
        GBX_JOURNAL_CHECK = 16,
        GBX_JOURNAL_MARK = 8 + GBX_JOURNAL_CHECK,
        GBX_JOURNAL_MARKS = 8 + 8 + 16 + GBX_JOURNAL_CHECK, /* where the two marks stand */
        GBX_JOURNAL_HEADER = GBX_JOURNAL_MARKS + 2 * GBX_JOURNAL_MARK,
        GBX_JOURNAL_FRAME = 4 + 4 + 8 + 4 + 2 * GBX_JOURNAL_CHECK, /* in front of a payload */
};

struct gbx_journal_key {
        uint8_t bytes[32];
};

struct gbx_journal_frame {
        uint64_t first;
        uint32_t count, size;
        uint8_t before[GBX_JOURNAL_CHECK]; /* the check of the frame before; of the header, if it is the first */
        uint8_t check[GBX_JOURNAL_CHECK];
};

/* Makes a header with a fresh salt; both marks are at `base`. */
int gbx_journal_make_header(const uint8_t seed[static 32], uint64_t base, uint8_t ret[static GBX_JOURNAL_HEADER],
                            struct gbx_error *err);
/* -EBADMSG: damaged, or of another key. */
int gbx_journal_read_header(const uint8_t seed[static 32], const uint8_t header[static GBX_JOURNAL_HEADER],
                            uint64_t *ret_base, struct gbx_journal_key *ret_key, uint8_t ret_check[static GBX_JOURNAL_CHECK],
                            struct gbx_error *err);

/* A mark says that all entries below `acknowledged` are on disk. */
void gbx_journal_make_mark(const struct gbx_journal_key *key, uint64_t acknowledged, uint8_t ret[static GBX_JOURNAL_MARK]);
/* Of two marks the greater good one; `ret_other` is the place (0 or 1) for the next. -EBADMSG: neither is good. */
int gbx_journal_read_marks(const struct gbx_journal_key *key, const uint8_t marks[static 2 * GBX_JOURNAL_MARK],
                           uint64_t *ret_acknowledged, unsigned *ret_other, struct gbx_error *err);

/* Appends the frame and its payload of frame->size bytes; fills in frame->check. */
int gbx_journal_make_frame(const struct gbx_journal_key *key, struct gbx_journal_frame *frame,
                           const void *payload, struct gbx_buffer *ret, struct gbx_error *err);

/* Reads and checks the frame at `offset` of a file of `size` bytes; `bytes` gets header and payload.
 * 0: good. GBX_JOURNAL_BAD: there is no good frame. Negative: the file cannot be read. */
enum { GBX_JOURNAL_BAD = 1 };
int gbx_journal_load_frame(int fd, const struct gbx_journal_key *key, uint64_t offset, uint64_t size,
                           struct gbx_journal_frame *ret, struct gbx_buffer *bytes, struct gbx_error *err);

/* Looks for a good frame anywhere in [from, size). 1: `ret_first` is its first entry. 0: there is none. */
int gbx_journal_find_frame(int fd, const struct gbx_journal_key *key, uint64_t from, uint64_t size,
                           uint64_t *ret_first, struct gbx_error *err);
