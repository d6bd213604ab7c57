#include "gateway/log/writer/batch.h"

#include "gateway/log/writer/journal.h"
#include "gateway/log/format/tile.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { GATHER_NS = 40 * 1000 };

/* What a batch's writers wait on. */
enum state {
        WAITING,  /* some other batch is being committed */
        LEADER,   /* the first of its writers who sees this commits it */
        BUSY,     /* being committed */
        DONE,
};

struct gbx_batch {
        struct gbx_batch *next;
        struct gbx_buffer payload;
        uint32_t count;
        _Atomic uint32_t writers;
        _Atomic uint32_t state;
        _Atomic uint32_t references;
        int result;
        uint64_t first;
        struct gbx_error err;
};

static void sleep_on(struct gbx_batch *batch, uint32_t state) {
        (void)syscall(SYS_futex, &batch->state, FUTEX_WAIT_PRIVATE, state, NULL, NULL, 0);
}

static void wake(struct gbx_batch *batch, enum state state, int count) {
        atomic_store(&batch->state, state);
        (void)syscall(SYS_futex, &batch->state, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void release(struct gbx_batch *batch) {
        if (atomic_fetch_sub(&batch->references, 1) != 1)
                return;
        gbx_buffer_free(&batch->payload);
        free(batch);
}

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
 * one. No yielding: on a loaded machine that gives the processor away for milliseconds. */
static void gather(struct gbx_batch_queue *queue) {
        uint64_t deadline = now_ns() + GATHER_NS;
        struct gbx_batch *batch;
        uint32_t recent;

        (void)pthread_mutex_lock(&queue->mutex);
        batch = queue->first; /* stays first, and alive: the caller is one of its writers */
        recent = queue->recent;
        (void)pthread_mutex_unlock(&queue->mutex);
        while (atomic_load(&batch->writers) < recent && now_ns() < deadline)
                __builtin_ia32_pause();
}

/* The caller is the leader, and a writer of the first batch. */
static void lead(struct gbx_batch_queue *queue) {
        struct gbx_batch *batch, *next;

        gather(queue);
        (void)pthread_mutex_lock(&queue->mutex);
        batch = queue->first;
        queue->first = batch->next;
        if (!queue->first)
                queue->last = NULL;
        queue->recent = atomic_load(&batch->writers);
        (void)pthread_mutex_unlock(&queue->mutex);

        atomic_store(&batch->state, BUSY);
        batch->result = queue->commit(queue->context, &batch->payload, batch->count, &batch->first, &batch->err);
        wake(batch, DONE, INT32_MAX);

        (void)pthread_mutex_lock(&queue->mutex);
        next = queue->first;
        if (next)
                wake(next, LEADER, 1);
        else
                queue->led = false;
        (void)pthread_mutex_unlock(&queue->mutex);
}

static void wait_for(struct gbx_batch_queue *queue, struct gbx_batch *batch) {
        for (;;) {
                uint32_t state = atomic_load(&batch->state);

                if (state == DONE)
                        return;
                if (state == LEADER) {
                        if (atomic_compare_exchange_strong(&batch->state, &state, BUSY))
                                lead(queue);
                        continue;
                }
                sleep_on(batch, state);
        }
}

int gbx_batch_write(struct gbx_batch_queue *queue, const struct gbx_bytes *entries, size_t count, uint64_t *ret_first,
                    struct gbx_error *err) {
        struct gbx_batch *batch;
        size_t size = 0, place;
        bool leader;
        int r;

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

        (void)pthread_mutex_lock(&queue->mutex);
        batch = batch_for(queue, count, size, err);
        if (!batch) {
                (void)pthread_mutex_unlock(&queue->mutex);
                return -ENOMEM;
        }
        place = batch->count;
        for (size_t i = 0; i < count; i++) { /* cannot fail: there is room */
                uint8_t length[2] = { (uint8_t)(entries[i].size >> 8), (uint8_t)entries[i].size };

                (void)gbx_buffer_append(&batch->payload, length, sizeof length, err);
                (void)gbx_buffer_append(&batch->payload, entries[i].data, entries[i].size, err);
        }
        batch->count += (uint32_t)count;
        atomic_fetch_add(&batch->writers, 1);
        atomic_fetch_add(&batch->references, 1);
        leader = !queue->led;
        queue->led = true;
        (void)pthread_mutex_unlock(&queue->mutex);

        if (leader)
                lead(queue);
        else
                wait_for(queue, batch);
        r = batch->result;
        if (r < 0 && err)
                *err = batch->err;
        if (r == 0 && ret_first)
                *ret_first = batch->first + place;
        release(batch);
        return r;
}
