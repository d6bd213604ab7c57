#include "gateway/log/writer/batch.h"

#include "gateway/log/writer/journal.h"
#include "gateway/log/format/tile.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { GATHER_NS = 40 * 1000 };

/* Somebody who waits; on the own stack. Each waits for a semaphore of its own: with one condition variable for all, those
 * who wake would queue for its mutex one behind the other, and the next batch would leave without them. */
struct writer {
        struct writer *next; /* of the same batch */
        uint32_t place;      /* of its first entry in the batch */
        sem_t told;          /* posted once, when the role is known */
        enum role { LEADER, DONE } role;
        int result;
        uint64_t first;
        struct gbx_error *err; /* may be NULL */
};

struct gbx_batch {
        struct gbx_batch *next;
        struct gbx_buffer payload;
        uint32_t count;
        struct writer *writers;
        _Atomic uint32_t writer_count;
};

void gbx_batch_queue_init(struct gbx_batch_queue *queue, gbx_batch_commit *commit, void *context) {
        *queue = (struct gbx_batch_queue){ .commit = commit, .context = context };
        (void)pthread_mutex_init(&queue->mutex, NULL);
}

void gbx_batch_queue_end(struct gbx_batch_queue *queue) { (void)pthread_mutex_destroy(&queue->mutex); }

/* The batch that `count` entries of `size` bytes (lengths included) go into; it has room for them. */
static struct gbx_batch *batch_for(struct gbx_batch_queue *queue, size_t count, size_t size, struct gbx_error *err) {
        struct gbx_batch *batch = queue->last;

        if (batch && batch->count + count <= GBX_JOURNAL_BATCH_ENTRIES &&
            batch->payload.size + size <= GBX_JOURNAL_BATCH_BYTES)
                return gbx_buffer_reserve(&batch->payload, size, err) < 0 ? NULL : batch;
        batch = calloc(1, sizeof *batch);
        if (!batch || gbx_buffer_reserve(&batch->payload, size, err) < 0) {
                free(batch);
                (void)gbx_fail_memory(err);
                return NULL;
        }
        if (queue->last)
                queue->last->next = batch;
        else
                queue->first = batch;
        queue->last = batch;
        return batch;
}

static uint64_t now_ns(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The writers of a busy batch come back one by one: waiting a moment, short beside a flush, lets them share the next
 * one. Shorter than a timer can wait, and no yielding: on a loaded machine that gives the processor away for
 * milliseconds. The caller is a writer of the first batch, which so stays first. */
static void gather(struct gbx_batch_queue *queue) {
        uint64_t deadline = now_ns() + GATHER_NS;
        const struct gbx_batch *batch;
        uint32_t recent;

        (void)pthread_mutex_lock(&queue->mutex);
        batch = queue->first;
        recent = queue->recent;
        (void)pthread_mutex_unlock(&queue->mutex);
        while (atomic_load(&batch->writer_count) < recent && now_ns() < deadline)
                ;
}

/* From here on the writer may be gone. */
static void tell(struct writer *writer, enum role role) {
        writer->role = role;
        (void)sem_post(&writer->told);
}

/* Commits the first batch, one of whose writers is the caller, and hands the lead on. */
static void lead(struct gbx_batch_queue *queue, struct writer *self) {
        struct gbx_error problem = {};
        struct gbx_batch *batch;
        struct writer *next;
        uint64_t first = 0;
        int r;

        gather(queue);
        (void)pthread_mutex_lock(&queue->mutex);
        batch = queue->first;
        queue->first = batch->next;
        if (!queue->first)
                queue->last = NULL;
        queue->recent = atomic_load(&batch->writer_count);
        (void)pthread_mutex_unlock(&queue->mutex);

        r = queue->commit(queue->context, &batch->payload, batch->count, &first, &problem);

        for (struct writer *writer = batch->writers; writer; writer = next) {
                next = writer->next;
                writer->result = r;
                writer->first = first + writer->place;
                if (r < 0 && writer->err)
                        *writer->err = problem;
                if (writer != self)
                        tell(writer, DONE);
        }
        /* After them: so they come back in time for the next batch, and it is not half of what it could be. */
        (void)pthread_mutex_lock(&queue->mutex);
        queue->led = queue->first != NULL;
        next = queue->first ? queue->first->writers : NULL;
        (void)pthread_mutex_unlock(&queue->mutex);
        if (next)
                tell(next, LEADER);
        gbx_buffer_free(&batch->payload);
        free(batch);
}

int gbx_batch_write(struct gbx_batch_queue *queue, const struct gbx_bytes *entries, size_t count, uint64_t *ret_first,
                    struct gbx_error *err) {
        struct writer self = { .err = err };
        struct gbx_batch *batch;
        size_t size = 0;
        bool leads;

        if (count == 0 || count > GBX_JOURNAL_BATCH_ENTRIES)
                return gbx_fail(err, -EINVAL, "%zu entries cannot be logged at once", count);
        for (size_t i = 0; i < count; i++) {
                if (entries[i].size > GBX_ENTRY_MAX)
                        return gbx_fail(err, -EMSGSIZE, "an entry of %zu bytes; at most %d can be logged", entries[i].size,
                                        GBX_ENTRY_MAX);
                size += 2 + entries[i].size;
        }
        if (size > GBX_JOURNAL_BATCH_BYTES)
                return gbx_fail(err, -EMSGSIZE, "%zu bytes of entries cannot be logged at once", size);

        (void)sem_init(&self.told, 0, 0);
        (void)pthread_mutex_lock(&queue->mutex);
        batch = batch_for(queue, count, size, err);
        if (!batch) {
                (void)pthread_mutex_unlock(&queue->mutex);
                return -ENOMEM;
        }
        for (size_t i = 0; i < count; i++) { /* cannot fail: there is room */
                uint8_t length[2] = { (uint8_t)(entries[i].size >> 8), (uint8_t)entries[i].size };

                (void)gbx_buffer_append(&batch->payload, length, sizeof length, err);
                (void)gbx_buffer_append(&batch->payload, entries[i].data, entries[i].size, err);
        }
        self.place = batch->count;
        self.next = batch->writers;
        batch->writers = &self;
        batch->count += (uint32_t)count;
        atomic_fetch_add(&batch->writer_count, 1);
        leads = !queue->led;
        queue->led = true;
        (void)pthread_mutex_unlock(&queue->mutex);

        if (!leads) {
                while (sem_wait(&self.told) < 0 && errno == EINTR)
                        ;
                leads = self.role == LEADER;
        }
        if (leads)
                lead(queue, &self);
        (void)sem_destroy(&self.told);
        if (self.result == 0 && ret_first)
                *ret_first = self.first;
        return self.result;
}
