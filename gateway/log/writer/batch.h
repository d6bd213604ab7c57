/*
 * Group commit (internal to gateway/log)
 *
 * Writers put their entries into the batch that is open; one of them, the
 * leader, commits the batch while the others sleep and later writers fill the
 * next one. So the disk is flushed once for all who came while it was busy.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gbx_batch;

/* Makes `count` entries in bundle form durable, all or none; gives the number of the first. */
typedef int gbx_batch_commit(void *context, const struct gbx_buffer *payload, uint32_t count, uint64_t *ret_first,
                             struct gbx_error *err);

struct gbx_batch_queue {
        pthread_mutex_t mutex;
        struct gbx_batch *first, *last; /* not yet taken by a leader */
        bool led;                       /* some writer is the leader or was chosen to be */
        uint32_t recent;                /* writers that the last batch served */
        gbx_batch_commit *commit;
        void *context;
};

void gbx_batch_queue_init(struct gbx_batch_queue *queue, gbx_batch_commit *commit, void *context);
void gbx_batch_queue_end(struct gbx_batch_queue *queue);

/* Commits the entries, side by side, with whatever else comes at the same time; returns when it is done. */
int gbx_batch_write(struct gbx_batch_queue *queue, const struct gbx_bytes *entries, size_t count, uint64_t *ret_first,
                    struct gbx_error *err);
