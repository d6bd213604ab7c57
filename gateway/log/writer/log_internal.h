/* What the parts of the log share (internal to gateway/log). */
#pragma once

#include "base/buffer.h"
#include "gateway/log/writer/batch.h"
#include "gateway/log/writer/journal.h"
#include "gateway/log/writer/log.h"
#include "gateway/log/format/merkle.h"
#include "gateway/log/format/proven.h"
#include "gateway/log/format/tree.h"

#include <pthread.h>
#include <stdatomic.h>

#define GBX_LOG_STATE ".state/state"

enum {
        GBX_LOG_PENDING_ENTRIES = 65536,       /* in the journal before an append makes a checkpoint by itself */
        GBX_LOG_PENDING_BYTES = 32 * 1024 * 1024,
        GBX_LOG_ROTATE_BYTES = 256 * 1024,     /* of a journal that is covered */
};

struct gbx_log {
        int directory, state_directory, lock;
        struct gbx_log_options options;
        struct gbx_note_signer signer;
        char origin[GBX_NOTE_NAME_SIZE];

        pthread_mutex_t mutex; /* guards all of the following */
        bool failed;           /* a flush failed: what the kernel holds of these files may not be what the disk holds */
        struct gbx_journal *journal;
        struct gbx_tree *tree;
        struct gbx_proven *proven;      /* entries of `tree` under the signed root */
        struct gbx_merkle_edge edge;    /* of the signed tree */
        struct gbx_buffer state;        /* the signed checkpoint over it */
        struct gbx_checkpoint signed_checkpoint;

        struct gbx_batch_queue queue;
        _Atomic uint64_t size, covered; /* readable without the mutex */
};

/* Takes the mutex and the file lock, and learns what other processes did. On failure neither is held. */
int gbx_log_lock(struct gbx_log *log, struct gbx_error *err);
void gbx_log_unlock(struct gbx_log *log);

/* Shows by the tiles that the tree of `next` extends the one signed before. Locked. */
int gbx_log_check_growth(struct gbx_log *log, const struct gbx_checkpoint *next, struct gbx_error *err);

/* Signs the tree of log->edge and makes it the state, then publishes it. Locked. */
int gbx_log_sign(struct gbx_log *log, struct gbx_error *err);

/* Puts the state in place of the published checkpoint, unless that says the same already. Locked. */
int gbx_log_publish(struct gbx_log *log, struct gbx_error *err);

/* gbx_log_checkpoint for a caller that holds the lock. */
int gbx_log_checkpoint_locked(struct gbx_log *log, struct gbx_error *err);
