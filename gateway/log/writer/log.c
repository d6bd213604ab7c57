#include "gateway/log/writer/log.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/writer/integrate.h"
#include "gateway/log/writer/io.h"
#include "gateway/log/writer/log_internal.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/file.h>
#include <unistd.h>

static int check_origin(const char **origin, const struct gbx_note_signer *signer, struct gbx_error *err) {
        if (!*origin)
                *origin = signer->verifier.name;
        if (!gbx_note_name_valid(*origin, strlen(*origin)))
                return gbx_fail(err, -EINVAL, "'%.80s' cannot be the origin of a log: empty, too long, or with white space or '+'",
                                *origin);
        return 0;
}

/* --- locking -------------------------------------------------------------- */

static int lock_file(int fd, struct gbx_error *err) {
        while (flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return gbx_fail_errno(err, "cannot lock the log");
        return 0;
}

/* Reads the state and, if it is new, the right edge of the tree, and checks one against the other. */
static int load_state(struct gbx_log *log, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        struct gbx_checkpoint checkpoint;
        struct gbx_merkle_edge edge;
        struct gbx_hash root;
        int r = gbx_read_file(log->directory, GBX_LOG_STATE, GBX_NOTE_SIZE_MAX, &message, err);

        if (r == -ENOENT)
                return gbx_fail(err, -EBADMSG, "the log's state (%s) is missing", GBX_LOG_STATE);
        if (r < 0)
                return r;
        if (message.size == log->state.size && memcmp(message.data, log->state.data, message.size) == 0)
                return 0;
        r = gbx_checkpoint_open(gbx_buffer_text(&message), message.size, &log->signer.verifier, log->origin,
                                &checkpoint, err);
        if (r < 0)
                return gbx_context(err, r == -EINVAL ? -EBADMSG : r, "the log's state (%s)", GBX_LOG_STATE);
        if (checkpoint.size < log->edge.size)
                return gbx_fail(err, -EBADMSG, "the log's state went back from %llu to %llu entries",
                                (unsigned long long)log->edge.size, (unsigned long long)checkpoint.size);
        gbx_tree_set_size(log->tree, checkpoint.size);
        r = gbx_merkle_edge_load(gbx_tree_hash, log->tree, checkpoint.size, &edge, err);
        if (r < 0)
                return r;
        gbx_merkle_edge_root(&edge, &root);
        if (!gbx_hash_equal(&root, &checkpoint.root))
                return gbx_fail(err, -EBADMSG, "the tiles at the log's right edge do not give the root that was signed; run: gbx audit verify");
        r = gbx_log_check_growth(log, &checkpoint, err);
        if (r < 0)
                return gbx_context(err, r, "the log's state (%s) is of another history", GBX_LOG_STATE);
        gbx_buffer_free(&log->state);
        log->state = message;
        message = (struct gbx_buffer){};
        log->signed_checkpoint = checkpoint;
        log->edge = edge;
        atomic_store(&log->covered, checkpoint.size);
        return 0;
}

int gbx_log_lock(struct gbx_log *log, struct gbx_error *err) {
        int r;

        (void)pthread_mutex_lock(&log->mutex);
        r = log->failed ? gbx_fail(err, -EIO, "the disk failed the log before; open the log anew") : lock_file(log->lock, err);
        if (r < 0) {
                (void)pthread_mutex_unlock(&log->mutex);
                return r;
        }
        r = load_state(log, err);
        if (r == 0 && log->journal)
                r = gbx_journal_refresh(log->journal, log->edge.size, err);
        if (r < 0) {
                gbx_log_unlock(log);
                return r;
        }
        if (log->journal)
                atomic_store(&log->size, gbx_journal_end(log->journal));
        return 0;
}

void gbx_log_unlock(struct gbx_log *log) {
        (void)flock(log->lock, LOCK_UN);
        (void)pthread_mutex_unlock(&log->mutex);
}

/* --- appending ------------------------------------------------------------ */

static int commit(void *context, const struct gbx_buffer *payload, uint32_t count, uint64_t *ret_first,
                  struct gbx_error *err) {
        struct gbx_log *log = context;
        uint64_t first;
        int r = gbx_log_lock(log, err);

        if (r < 0)
                return r;
        first = gbx_journal_end(log->journal);
        if (first - log->edge.size >= GBX_LOG_PENDING_ENTRIES ||
            (first > log->edge.size && gbx_journal_bytes(log->journal) >= GBX_LOG_PENDING_BYTES))
                r = gbx_log_checkpoint_locked(log, err);
        if (r == 0)
                r = gbx_journal_append(log->journal, payload->data, payload->size, count, err);
        if (r == 0) {
                *ret_first = first;
                atomic_store(&log->size, first + count);
        }
        gbx_log_unlock(log);
        return r;
}

int gbx_log_append_many(struct gbx_log *log, const struct gbx_bytes *entries, size_t count, uint64_t *ret_first,
                        struct gbx_error *err) {
        return gbx_batch_write(&log->queue, entries, count, ret_first, err);
}

int gbx_log_append(struct gbx_log *log, const void *data, size_t size, uint64_t *ret_index, struct gbx_error *err) {
        struct gbx_bytes entry = { data, size };

        return gbx_log_append_many(log, &entry, 1, ret_index, err);
}

/* --- making, opening, closing --------------------------------------------- */

/* The journal, the empty tree's state and the first checkpoint; the state comes last but one, so that a log is
 * either there or can be made again. */
static int write_first(int directory, int state_directory, const char *origin, const struct gbx_note_signer *signer,
                       struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        struct gbx_checkpoint checkpoint = {};
        int r = gbx_journal_create(state_directory, signer->seed, 0, err);

        if (r < 0)
                return r;
        memcpy(checkpoint.origin, origin, strlen(origin) + 1);
        gbx_merkle_empty(&checkpoint.root);
        r = gbx_checkpoint_sign(&checkpoint, signer, &message, err);
        if (r == 0)
                r = gbx_log_put_file(directory, GBX_LOG_SCRATCH, GBX_LOG_STATE, message.data, message.size, 0600,
                                     GBX_LOG_REPLACE, err);
        if (r == 0)
                r = gbx_log_put_file(directory, GBX_LOG_SCRATCH, "checkpoint", message.data, message.size, 0644,
                                     GBX_LOG_REPLACE, err);
        return r;
}

int gbx_log_create(int directory, const char *path, const char *origin, const struct gbx_note_signer *signer,
                   struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int log = -1, state = -1, lock = -1;
        int r = check_origin(&origin, signer, err);

        if (r < 0)
                return r;
        if (gbx_log_io.mkdir(directory, path, 0755) == 0 ? fchmodat(directory, path, 0755, 0) < 0 : errno != EEXIST)
                return gbx_fail_errno(err, "cannot create the log's directory '%s'", path);
        log = gbx_open_directory(directory, path, err);
        if (log < 0)
                return log;
        if (gbx_log_io.mkdir(log, ".state", 0700) < 0 && errno != EEXIST)
                return gbx_fail_errno(err, "cannot create '%s/.state'", path);
        state = gbx_open_directory(log, ".state", err);
        if (state < 0)
                return state;
        lock = openat(state, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock < 0)
                return gbx_fail_errno(err, "cannot create '%s/.state/lock'", path);
        r = lock_file(lock, err);
        if (r < 0)
                return r;
        if (faccessat(log, GBX_LOG_STATE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
            faccessat(log, "checkpoint", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
            faccessat(log, "tile", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return gbx_fail(err, -EEXIST, "there is a log in '%s' already", path);
        r = write_first(log, state, origin, signer, err);
        if (r < 0)
                return gbx_context(err, r, "making the log '%s'", path);
        return gbx_sync_parent(directory, path, err);
}

static int open_files(struct gbx_log *log, int directory, const char *path, struct gbx_error *err) {
        int r;

        log->directory = gbx_open_directory(directory, path, err);
        if (log->directory < 0)
                return log->directory;
        log->state_directory = openat(log->directory, ".state", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (log->state_directory < 0)
                return gbx_fail_errno(err, "there is no log that can be written in '%s'", path);
        log->lock = openat(log->state_directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (log->lock < 0)
                return gbx_fail_errno(err, "cannot open '%s/.state/lock'", path);
        r = gbx_tree_open(&log->tree, directory, path, err);
        return r < 0 ? r : gbx_proven_new(&log->proven, log->tree, err);
}

/* Brings journal and checkpoint to what the state says. Locked. */
static int recover(struct gbx_log *log, struct gbx_error *err) {
        int r = gbx_journal_open(&log->journal, log->state_directory, log->signer.seed, log->edge.size, err);

        if (r == -EBADMSG && log->options.accept_journal_loss) {
                r = gbx_journal_create(log->state_directory, log->signer.seed, log->edge.size, err);
                if (r == 0)
                        r = gbx_journal_open(&log->journal, log->state_directory, log->signer.seed, log->edge.size, err);
        }
        if (r < 0)
                return r;
        atomic_store(&log->size, gbx_journal_end(log->journal));
        return gbx_log_publish(log, err);
}

int gbx_log_open(struct gbx_log **ret, int directory, const char *path, const char *origin,
                 const struct gbx_note_signer *signer, const struct gbx_log_options *options, struct gbx_error *err) {
        gbx_auto(gbx_log_freep) struct gbx_log *log = NULL;
        int r = check_origin(&origin, signer, err);

        if (r < 0)
                return r;
        log = calloc(1, sizeof *log);
        if (!log)
                return gbx_fail_memory(err);
        log->directory = log->state_directory = log->lock = -1;
        (void)pthread_mutex_init(&log->mutex, NULL);
        gbx_batch_queue_init(&log->queue, commit, log);
        log->signer = *signer;
        memcpy(log->origin, origin, strlen(origin) + 1);
        if (options)
                log->options = *options;
        if (log->options.journal_bytes == 0)
                log->options.journal_bytes = GBX_LOG_ROTATE_BYTES;
        r = open_files(log, directory, path, err);
        if (r < 0)
                return r;
        r = gbx_log_lock(log, err);
        if (r == 0) {
                r = recover(log, err);
                gbx_log_unlock(log);
        }
        if (r < 0)
                return gbx_context(err, r, "log '%s'", path);
        *ret = gbx_take_ptr(log);
        return 0;
}

struct gbx_log *gbx_log_free(struct gbx_log *log) {
        if (!log)
                return NULL;
        gbx_journal_free(log->journal);
        gbx_proven_free(log->proven);
        gbx_tree_free(log->tree);
        gbx_buffer_free(&log->state);
        gbx_close_fd(&log->directory);
        gbx_close_fd(&log->state_directory);
        gbx_close_fd(&log->lock);
        gbx_batch_queue_end(&log->queue);
        (void)pthread_mutex_destroy(&log->mutex);
        OPENSSL_cleanse(log, sizeof *log);
        free(log);
        return NULL;
}
