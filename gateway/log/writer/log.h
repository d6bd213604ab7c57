/*
 * The action log: an append-only Merkle log in a directory
 *
 *   DIR/checkpoint, DIR/tile/...   public: the static layout of C2SP tlog-tiles (tile.h)
 *   DIR/.state/state               the newest checkpoint that was signed here
 *   DIR/.state/journal             entries that are durable and not yet in a tile
 *   DIR/.state/lock                flock(2), held for each batch and each checkpoint
 *
 * An entry is durable when gbx_log_append returns: it is in the journal, and
 * the journal is on disk. Appends that arrive while the disk is busy share the
 * next flush (group commit). gbx_log_checkpoint then moves what the journal
 * holds into bundles and tiles, signs, and publishes, in this order, each file
 * by a temporary file, fsync, rename and an fsync of the directory:
 *
 *   bundles -> tiles (low to high) -> state -> checkpoint
 *
 * A crash at any point leaves a directory from which gbx_log_open continues:
 * what was acknowledged is there, what was signed stays true. Only the torn
 * end of the last, never acknowledged batch is cut off; any other damage is
 * -EBADMSG and repairs nothing.
 *
 * Threads may share a handle; processes may share a directory, each with a
 * handle of its own. After a failed flush (EIO) a handle refuses everything
 * more: open the log anew when the disk is well again. A full disk (ENOSPC)
 * fails the append that met it and nothing else.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/format/entry_time.h"
#include "gateway/log/format/note_key.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_log;

struct gbx_log_options {
        bool keep_partials;       /* keep partial tiles when the full tile is there (byte equality with others' logs) */
        uint64_t journal_bytes;   /* a journal that is covered and larger than this starts anew; 0: 256 KiB */
        bool accept_journal_loss; /* open although the journal is missing or damaged; entries in it are lost */
};

/* Makes the directory `path` (parents must exist) with an empty log and its first checkpoint.
 * `origin` NULL: the name of the key. -EEXIST if there is a log already. */
int gbx_log_create(int directory, const char *path, const char *origin, const struct gbx_note_signer *signer,
                   struct gbx_error *err);

/* Opens a log for reading and appending, and heals what a crash left. `options` may be NULL. The signer is
 * copied. -ENOENT: there is no log; -EBADMSG: the log is damaged or not of this key; the message names what. */
int gbx_log_open(struct gbx_log **ret, int directory, const char *path, const char *origin,
                 const struct gbx_note_signer *signer, const struct gbx_log_options *options, struct gbx_error *err);

/* Takes NULL; returns NULL. */
struct gbx_log *gbx_log_free(struct gbx_log *log);
static inline void gbx_log_freep(struct gbx_log **log) { *log = gbx_log_free(*log); }

/* Appends an entry of at most 65,535 bytes; on return it is durable and `ret_index` (may be NULL) is its number. */
int gbx_log_append(struct gbx_log *log, const void *data, size_t size, uint64_t *ret_index, struct gbx_error *err);

/* Appends several entries that stand side by side; all of them or none. */
int gbx_log_append_many(struct gbx_log *log, const struct gbx_bytes *entries, size_t count, uint64_t *ret_first,
                        struct gbx_error *err);

/* Makes bundles and tiles of all durable entries, signs a checkpoint over them and publishes it. On return
 * every entry below `ret_size` (may be NULL) is covered. Nothing new: nothing is written. */
int gbx_log_checkpoint(struct gbx_log *log, uint64_t *ret_size, struct gbx_error *err);

/* Learns what other processes have appended and signed. */
int gbx_log_refresh(struct gbx_log *log, struct gbx_error *err);

/* Entries known to be durable, and how many of them the newest signed checkpoint covers. */
uint64_t gbx_log_size(struct gbx_log *log);
uint64_t gbx_log_covered(struct gbx_log *log);

/*
 * Appends entry `index` (below gbx_log_size) to `ret`, and only what was logged: the entry is hashed and followed
 * through the tiles to the root that this log's own key signed, or, while no checkpoint covers it, stands in a frame
 * of the journal that only the holder of the key can write (journal.h). -EBADMSG with the entry's number if not.
 * There is no way here to read an entry without the proof. Cheap: tiles that were proven are remembered.
 */
int gbx_log_read_proven(struct gbx_log *log, uint64_t index, struct gbx_buffer *ret, struct gbx_error *err);
static inline int gbx_log_read(struct gbx_log *log, uint64_t index, struct gbx_buffer *ret, struct gbx_error *err) {
        return gbx_log_read_proven(log, index, ret, err);
}

/* Calls `visit` for each durable entry from `first` on, in order, each proven as gbx_log_read_proven does before it is
 * shown; an entry that is not what was logged ends the walk (-EBADMSG). A positive return of `visit` ends the walk
 * and is returned; a negative one is an error. */
typedef int gbx_log_visit(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err);
int gbx_log_each(struct gbx_log *log, uint64_t first, gbx_log_visit *visit, void *context, struct gbx_error *err);

/* Gives an entry that is about to be appended its time, when the clock reads `now` (format/entry_time.h): never before
 * that of the log's last entry. The caller keeps others from appending in between, and reads the clock when it has
 * done so. 0: done. GBX_ENTRY_STEPPED: append `ret_step`, which the caller owns, first. */
int gbx_log_time(struct gbx_log *log, int64_t now, json_t *entry, json_t **ret_step, struct gbx_error *err);

/* The key that verifies the log's checkpoints; lives as long as the log. */
const struct gbx_note_verifier *gbx_log_verifier(const struct gbx_log *log);

/* Appends the newest signed checkpoint, with the cosignatures that it has. */
int gbx_log_message(struct gbx_log *log, struct gbx_buffer *ret, struct gbx_error *err);

/* Adds cosignature lines to the published checkpoint, if it is still the one over `size` entries.
 * Lines that are there already are not added again. */
int gbx_log_add_cosignatures(struct gbx_log *log, uint64_t size, const char *lines, struct gbx_error *err);

/* Opens the log's public part for reading, at the size that the newest checkpoint covers. */
struct gbx_tree;
int gbx_log_open_tree(struct gbx_log *log, struct gbx_tree **ret, struct gbx_error *err);

/* A new descriptor of the log's directory (the caller closes it), or -1 with errno. */
int gbx_log_directory(const struct gbx_log *log);

/* Appends a .tlog-proof (proof.h) of entry `index`, which the newest checkpoint must cover (-EINVAL); the entry
 * itself is its extra line. */
int gbx_log_prove(struct gbx_log *log, uint64_t index, struct gbx_buffer *ret, struct gbx_error *err);
