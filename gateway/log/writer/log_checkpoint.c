/* Signing and publishing what was integrated; see log.h for the order of writes. */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/writer/integrate.h"
#include "gateway/log/writer/io.h"
#include "gateway/log/writer/log_internal.h"
#include "gateway/log/format/proof.h"

#include <string.h>

int gbx_log_check_growth(struct gbx_log *log, const struct gbx_checkpoint *next, struct gbx_error *err) {
        const struct gbx_checkpoint *last = &log->signed_checkpoint;
        struct gbx_merkle_proof proof;
        int r;

        gbx_tree_set_size(log->tree, next->size);
        if (last->size == 0)
                return 0;
        r = gbx_merkle_prove_consistency(gbx_tree_hash, log->tree, last->size, next->size, &proof, err);
        if (r == 0)
                r = gbx_merkle_verify_consistency(last->size, next->size, proof.hashes, proof.count, &last->root,
                                                  &next->root, err);
        return r;
}

int gbx_log_sign(struct gbx_log *log, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        struct gbx_checkpoint next = { .size = log->edge.size };
        int r;

        memcpy(next.origin, log->origin, sizeof next.origin);
        gbx_merkle_edge_root(&log->edge, &next.root);
        r = gbx_log_check_growth(log, &next, err);
        if (r < 0)
                return gbx_context(err, r, "refused to sign");
        if (r == 0)
                r = gbx_checkpoint_sign(&next, &log->signer, &message, err);
        if (r == 0)
                r = gbx_log_put_file(log->directory, GBX_LOG_SCRATCH, GBX_LOG_STATE, message.data, message.size, 0600,
                                     GBX_LOG_REPLACE, err);
        if (r < 0)
                return r;
        gbx_buffer_free(&log->state);
        log->state = message;
        message = (struct gbx_buffer){};
        log->signed_checkpoint = next;
        atomic_store(&log->covered, next.size);
        return gbx_log_publish(log, err);
}

/* 1: the published checkpoint is the state (cosignatures aside). 0: it is missing, or older, as a crash leaves it.
 * -EBADMSG: it cannot have come about by writing this log. */
static int published_is_current(struct gbx_log *log, struct gbx_buffer *message, struct gbx_error *err) {
        struct gbx_checkpoint published = {};
        int r = gbx_read_file(log->directory, "checkpoint", GBX_NOTE_SIZE_MAX, message, err);

        if (r == -ENOENT)
                return 0;
        if (r == 0)
                r = gbx_checkpoint_open(gbx_buffer_text(message), message->size, &log->signer.verifier, log->origin,
                                        &published, err);
        if (r < 0)
                return gbx_context(err, r == -EINVAL ? -EBADMSG : r, "the published checkpoint");
        if (published.size > log->signed_checkpoint.size)
                return gbx_fail(err, -EBADMSG, "the published checkpoint covers %llu entries, the log's state only %llu: an older copy of the log was put back",
                                (unsigned long long)published.size, (unsigned long long)log->signed_checkpoint.size);
        if (published.size < log->signed_checkpoint.size)
                return 0;
        if (!gbx_hash_equal(&published.root, &log->signed_checkpoint.root))
                return gbx_fail(err, -EBADMSG, "two checkpoints over %llu entries are signed with different roots",
                                (unsigned long long)published.size);
        return 1;
}

int gbx_log_publish(struct gbx_log *log, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        int r = published_is_current(log, &message, err);

        if (r != 0)
                return r < 0 ? r : 0;
        return gbx_log_put_file(log->directory, GBX_LOG_SCRATCH, "checkpoint", log->state.data, log->state.size, 0644,
                                GBX_LOG_REPLACE, err);
}

int gbx_log_checkpoint_locked(struct gbx_log *log, struct gbx_error *err) {
        uint64_t before = log->signed_checkpoint.size;
        struct gbx_merkle_edge edge = log->edge;
        int r;

        if (gbx_journal_end(log->journal) == before)
                return gbx_log_publish(log, err);
        r = gbx_log_integrate(log->directory, log->proven, log->journal, &edge, err);
        if (r == 0) {
                struct gbx_merkle_edge saved = log->edge;

                log->edge = edge;
                r = gbx_log_sign(log, err);
                if (r < 0 && log->signed_checkpoint.size == before)
                        log->edge = saved;
        }
        if (r == 0 && gbx_journal_bytes(log->journal) >= log->options.journal_bytes)
                r = gbx_journal_rotate(log->journal, log->edge.size, err);
        if (r == 0 && !log->options.keep_partials)
                gbx_log_drop_partials(log->directory, before, log->edge.size);
        log->failed = r == -EIO;
        return r < 0 ? gbx_context(err, r, "making a checkpoint of the log") : 0;
}

int gbx_log_checkpoint(struct gbx_log *log, uint64_t *ret_size, struct gbx_error *err) {
        int r = gbx_log_lock(log, err);

        if (r < 0)
                return r;
        r = gbx_log_checkpoint_locked(log, err);
        if (r == 0 && ret_size)
                *ret_size = log->edge.size;
        gbx_log_unlock(log);
        return r;
}

static int message_locked(struct gbx_log *log, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        int r = published_is_current(log, &message, err);

        if (r < 0)
                return r;
        return r > 0 ? gbx_buffer_append(ret, message.data, message.size, err)
                     : gbx_buffer_append(ret, log->state.data, log->state.size, err);
}

int gbx_log_message(struct gbx_log *log, struct gbx_buffer *ret, struct gbx_error *err) {
        int r = gbx_log_lock(log, err);

        if (r < 0)
                return r;
        r = message_locked(log, ret, err);
        gbx_log_unlock(log);
        return r;
}

static int add_lines(struct gbx_buffer *message, const char *lines, bool *ret_added, struct gbx_error *err) {
        *ret_added = false;
        while (*lines) {
                const char *end = strchr(lines, '\n');
                size_t size = end ? (size_t)(end + 1 - lines) : strlen(lines);
                int r;

                if (!memmem(message->data, message->size, lines, size)) {
                        r = gbx_buffer_append(message, lines, size, err);
                        if (r < 0)
                                return r;
                        *ret_added = true;
                }
                lines += size;
        }
        return 0;
}

int gbx_log_add_cosignatures(struct gbx_log *log, uint64_t size, const char *lines, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        struct gbx_checkpoint checkpoint;
        bool added = false;
        int r = gbx_log_lock(log, err);

        if (r < 0)
                return r;
        if (log->signed_checkpoint.size == size) {
                r = message_locked(log, &message, err);
                if (r == 0)
                        r = add_lines(&message, lines, &added, err);
                if (r == 0 && added) /* what is published must still be a note of this log */
                        r = gbx_checkpoint_open(gbx_buffer_text(&message), message.size, &log->signer.verifier,
                                                log->origin, &checkpoint, err);
                if (r == 0 && added)
                        r = gbx_log_put_file(log->directory, GBX_LOG_SCRATCH, "checkpoint", message.data, message.size,
                                             0644, GBX_LOG_REPLACE, err);
        }
        gbx_log_unlock(log);
        return r;
}

int gbx_log_prove(struct gbx_log *log, uint64_t index, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        int r = gbx_log_lock(log, err);

        if (r < 0)
                return r;
        r = message_locked(log, &message, err);
        gbx_tree_set_size(log->tree, log->signed_checkpoint.size);
        if (r == 0)
                r = gbx_tree_prove(log->tree, index, &message, ret, err);
        gbx_log_unlock(log);
        return r;
}
