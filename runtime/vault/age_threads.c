#include "runtime/vault/age_threads.h"

#include "base/cleanup.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { MAX_THREADS = 64 };

struct work {
        gbx_age_cipher_function new_cipher;
        gbx_age_span_function span;
        void *context;
        uint64_t chunks;
        _Atomic uint64_t next;
        atomic_bool stop;
        pthread_mutex_t lock; /* of the result */
        int result;
        struct gbx_error error;
};

static void free_worker(struct gbx_age_worker *worker) {
        EVP_CIPHER_CTX_free(worker->cipher);
        gbx_secret_free(&worker->plain);
        free(worker->sealed);
}

static int run_worker(struct work *work, struct gbx_error *err) {
        gbx_auto(free_worker) struct gbx_age_worker worker = {};
        int r;

        worker.sealed = malloc((size_t)GBX_AGE_SPAN * GBX_AGE_SEALED_CHUNK_SIZE);
        if (!worker.sealed)
                return gbx_fail_memory(err);
        r = gbx_secret_new_locked(&worker.plain, (size_t)GBX_AGE_SPAN * GBX_AGE_CHUNK_SIZE, err);
        if (r == 0)
                r = work->new_cipher(work->context, &worker.cipher, err);
        while (r == 0 && !atomic_load(&work->stop)) {
                uint64_t first = atomic_fetch_add(&work->next, GBX_AGE_SPAN);
                uint64_t left = first < work->chunks ? work->chunks - first : 0;

                if (left == 0)
                        break;
                r = work->span(work->context, &worker, first, left < GBX_AGE_SPAN ? (size_t)left : GBX_AGE_SPAN, err);
        }
        return r;
}

static void *thread_main(void *argument) {
        struct work *work = argument;
        struct gbx_error error = {};
        int r = run_worker(work, &error);

        if (r < 0) {
                atomic_store(&work->stop, true);
                (void)pthread_mutex_lock(&work->lock);
                if (work->result == 0) {
                        work->result = r;
                        work->error = error;
                }
                (void)pthread_mutex_unlock(&work->lock);
        }
        return NULL;
}

static unsigned choose_threads(unsigned threads, uint64_t chunks) {
        uint64_t spans = (chunks + GBX_AGE_SPAN - 1) / GBX_AGE_SPAN;
        cpu_set_t cpus;

        if (threads == 0)
                threads = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus) : 1;
        if (threads > MAX_THREADS)
                threads = MAX_THREADS;
        return threads > spans ? (unsigned)spans : threads;
}

int gbx_age_on_all_chunks(gbx_age_cipher_function new_cipher, gbx_age_span_function span, void *context,
                          uint64_t chunks, unsigned threads, struct gbx_error *err) {
        struct work work = {
                .new_cipher = new_cipher,
                .span = span,
                .context = context,
                .chunks = chunks,
                .lock = PTHREAD_MUTEX_INITIALIZER,
        };
        pthread_t others[MAX_THREADS];
        unsigned started = 0;
        sigset_t all, old;

        /* Signals stay with the caller. A thread that cannot be had is one less, not a failure. */
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &old);
        threads = choose_threads(threads, chunks);
        while (started + 1 < threads && pthread_create(&others[started], NULL, thread_main, &work) == 0)
                started++;
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
        (void)thread_main(&work);
        for (unsigned i = 0; i < started; i++)
                (void)pthread_join(others[i], NULL);
        if (work.result < 0 && err)
                *err = work.error;
        return work.result;
}
