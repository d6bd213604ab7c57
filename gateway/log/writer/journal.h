/*
 * The write-ahead journal (internal to gateway/log)
 *
 * A header, then one frame for each batch of entries that was committed:
 *
 *   header  "gbxjrnl2"  u64 base  16 bytes salt  16 bytes check  mark  mark
 *   mark    u64 entries acknowledged  16 bytes check
 *   frame   "gbxf"  u32 entries  u64 number of the first  u32 bytes  16 bytes of the check before  16 bytes check  payload
 *
 * All numbers big-endian; the payload is in the form of an entry bundle
 * (tile.h). A check is SHA-256 over a key, derived from the log's signing key
 * and the salt, and the bytes before and behind it, cut to 16 bytes: an
 * accident cannot match it, nor can somebody who lacks the key (half of the
 * hash stays unknown, so that none can be prolonged). Each frame names the
 * check before it: frames of two histories do not mix.
 *
 * A batch is whole or it is not there. When a frame is on disk, a mark says so
 * before anybody is told (the older of the two is overwritten; it needs no flush
 * of its own). So only what stands behind the marks may be torn, and is cut off;
 * a frame below them that is bad or missing is damage (-EBADMSG), and so is a
 * bad frame with a good one behind it. What no file can show is that all of the
 * directory was put back as it once was: witnesses show that. And after a cut of
 * power the newest mark may be missing, so that the last batch alone can be lost
 * to whoever cuts it off and destroys that mark.
 *
 * The caller holds the log's lock for every call that changes or refreshes.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct gbx_journal;

enum {
        GBX_JOURNAL_BATCH_ENTRIES = 65536,
        GBX_JOURNAL_BATCH_BYTES = 8 * 1024 * 1024, /* of a frame's payload */
};

/* Puts a new, empty journal in place whose first entry will be `base`. `seed` is the log's signing key. */
int gbx_journal_create(int directory, const uint8_t seed[static 32], uint64_t base, struct gbx_error *err);

/* Opens and checks the journal; a torn tail is cut off. `covered`: how many entries the tree holds, which the
 * journal must reach. */
int gbx_journal_open(struct gbx_journal **ret, int directory, const uint8_t seed[static 32], uint64_t covered,
                     struct gbx_error *err);

/* Takes NULL; returns NULL. */
struct gbx_journal *gbx_journal_free(struct gbx_journal *journal);

/* Takes in what other processes appended, and makes sure that it is on disk. */
int gbx_journal_refresh(struct gbx_journal *journal, uint64_t covered, struct gbx_error *err);

/* Number of the entry that comes next. */
uint64_t gbx_journal_end(const struct gbx_journal *journal);
/* Bytes of the file. */
uint64_t gbx_journal_bytes(const struct gbx_journal *journal);

/* Appends a batch (payload in bundle form) and flushes it to disk. After a failed write (say, -ENOSPC) the
 * journal is as before; after a failed flush it takes no more appends (-EIO). */
int gbx_journal_append(struct gbx_journal *journal, const void *payload, size_t size, uint32_t count,
                       struct gbx_error *err);

/* Appends entry `index` to `ret`; with `framed`, in bundle form. -ERANGE if the journal does not have it. */
int gbx_journal_read(struct gbx_journal *journal, uint64_t index, bool framed, struct gbx_buffer *ret,
                     struct gbx_error *err);

/* Starts a fresh file when everything in this one is covered by the tree. */
int gbx_journal_rotate(struct gbx_journal *journal, uint64_t covered, struct gbx_error *err);
