/* Reading entries, of the tree and of the journal alike; none is given out unproven. */
#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log_internal.h"

#include <fcntl.h>

int gbx_log_refresh(struct gbx_log *log, struct gbx_error *err) {
        int r = gbx_log_lock(log, err);

        if (r == 0)
                gbx_log_unlock(log);
        return r;
}

const struct gbx_note_verifier *gbx_log_verifier(const struct gbx_log *log) { return &log->signer.verifier; }

int gbx_log_directory(const struct gbx_log *log) { return fcntl(log->directory, F_DUPFD_CLOEXEC, 0); }

int gbx_log_open_tree(struct gbx_log *log, struct gbx_tree **ret, struct gbx_error *err) {
        int r = gbx_tree_open(ret, log->directory, ".", err);

        if (r == 0)
                gbx_tree_set_size(*ret, gbx_log_covered(log));
        return r;
}

uint64_t gbx_log_size(struct gbx_log *log) { return atomic_load(&log->size); }
uint64_t gbx_log_covered(struct gbx_log *log) { return atomic_load(&log->covered); }

int gbx_log_read_proven(struct gbx_log *log, uint64_t index, struct gbx_buffer *ret, struct gbx_error *err) {
        struct gbx_bytes entry;
        int r = gbx_log_lock(log, err); /* a checkpoint of another process may move entries out of the journal */

        if (r < 0)
                return r;
        if (index >= gbx_journal_end(log->journal)) {
                r = gbx_fail(err, -EINVAL, "there is no entry %llu; the log has %llu", (unsigned long long)index,
                             (unsigned long long)gbx_journal_end(log->journal));
        } else if (index < log->edge.size) {
                gbx_proven_trust(log->proven, &log->edge);
                r = gbx_proven_entry(log->proven, index, &entry, err);
                if (r == 0)
                        r = gbx_buffer_append(ret, entry.data, entry.size, err);
        } else {
                r = gbx_journal_read(log->journal, index, false, ret, err);
        }
        gbx_log_unlock(log);
        return r;
}

/* The part of the walk that the tree holds needs no lock: tiles do not change. */
static int each_covered(struct gbx_log *log, uint64_t first, const struct gbx_merkle_edge *edge, gbx_log_visit *visit,
                        void *context, struct gbx_error *err) {
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_proven_freep) struct gbx_proven *proven = NULL;
        int r = gbx_tree_open(&tree, log->directory, ".", err);

        if (r == 0)
                r = gbx_proven_new(&proven, tree, err);
        if (r < 0)
                return r;
        gbx_proven_trust(proven, edge);
        for (uint64_t i = first; r == 0 && i < edge->size; i++) {
                struct gbx_bytes entry;

                r = gbx_proven_entry(proven, i, &entry, err);
                if (r == 0)
                        r = visit(context, i, entry.data, entry.size, err);
        }
        return r;
}

int gbx_log_each(struct gbx_log *log, uint64_t first, gbx_log_visit *visit, void *context, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer entry = {};
        struct gbx_merkle_edge edge;
        uint64_t end;
        int r = gbx_log_lock(log, err);

        if (r < 0)
                return r;
        edge = log->edge;
        end = gbx_journal_end(log->journal);
        gbx_log_unlock(log);
        if (first < edge.size) {
                r = each_covered(log, first, &edge, visit, context, err);
                first = edge.size;
        }
        for (; r == 0 && first < end; first++) {
                gbx_buffer_clear(&entry);
                r = gbx_log_read_proven(log, first, &entry, err);
                if (r == 0)
                        r = visit(context, first, entry.data, entry.size, err);
        }
        return r;
}

int gbx_log_time(struct gbx_log *log, int64_t now, json_t *entry, json_t **ret_step, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *last = NULL;
        struct gbx_entry_times times = {};
        uint64_t size = gbx_log_size(log);
        char ignored[160];
        int r = 0;

        if (size > 0) {
                r = gbx_log_read_proven(log, size - 1, &text, err);
                if (r == 0)
                        r = gbx_entry_parse(text.data, text.size, &last, err);
                if (r < 0)
                        return gbx_context(err, r == -EINVAL ? -EBADMSG : r, "the log's last entry");
                (void)gbx_entry_times_follow(&times, last, ignored, sizeof ignored);
        }
        return gbx_entry_set_time(entry, &times, now, ret_step, err);
}
