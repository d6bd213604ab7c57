#include "gateway/log/verify/verify.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/verify/verify_walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

enum { PROGRESS_STEP = 64 * 1024 };

/* Notes a fault that concerns a file and no single entry. */
static int file_fault(struct gbx_verify_report *report, const char *path) {
        (void)snprintf(report->bad_path, sizeof report->bad_path, "%s", path);
        return -EBADMSG;
}

static int open_message(const struct gbx_buffer *message, const struct gbx_verify_options *options, const char *path,
                        struct gbx_checkpoint *ret, struct gbx_verify_report *report, struct gbx_error *err) {
        int r = gbx_checkpoint_open(gbx_buffer_text(message), message->size, &options->verifier, options->origin, ret, err);

        if (r == -EINVAL || r == -EBADMSG)
                return gbx_context(err, file_fault(report, path), "%s", path);
        return r;
}

/* Compares the published checkpoint with the state that the log keeps for itself, where that can be read: an older
 * checkpoint that was put back shows here. */
static int check_state(int directory, const struct gbx_verify_options *options, const struct gbx_checkpoint *published,
                       struct gbx_verify_report *report, struct gbx_error *err) {
        static const char path[] = ".state/state";
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        struct gbx_checkpoint state = {};
        int r = gbx_read_file(directory, path, GBX_NOTE_SIZE_MAX, &message, err);

        if (r == -ENOENT || r == -EACCES || r == -ENOTDIR)
                return 0; /* a copy of the public part */
        if (r == 0)
                r = open_message(&message, options, path, &state, report, err);
        if (r < 0)
                return r;
        if (state.size == published->size && gbx_hash_equal(&state.root, &published->root))
                return 0;
        if (state.size > published->size)
                return gbx_fail(err, file_fault(report, "checkpoint"),
                                "the published checkpoint covers %llu entries, but one over %llu was signed: an older one was put back, or a crash left it so (opening the log publishes it)",
                                (unsigned long long)published->size, (unsigned long long)state.size);
        return gbx_fail(err, file_fault(report, path),
                        "the log's state is of %llu entries and does not fit the published checkpoint over %llu: it was put back or replaced",
                        (unsigned long long)state.size, (unsigned long long)published->size);
}

/* Reads checkpoint and state as they belong together. */
static int read_checkpoint(int directory, const struct gbx_verify_options *options, struct gbx_buffer *message,
                           struct gbx_verify_report *report, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int lock = openat(directory, ".state/lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        int r;

        if (lock >= 0)
                (void)flock(lock, LOCK_SH); /* released with the descriptor */
        r = gbx_read_file(directory, "checkpoint", GBX_NOTE_SIZE_MAX, message, err);
        if (r == -ENOENT)
                return gbx_context(err, file_fault(report, "checkpoint"), "this is not a log, or its checkpoint was removed");
        if (r == -EFBIG || r == -EINVAL)
                return file_fault(report, "checkpoint");
        if (r == 0)
                r = open_message(message, options, "checkpoint", &report->checkpoint, report, err);
        return r < 0 ? r : check_state(directory, options, &report->checkpoint, report, err);
}

static int read_against(const struct gbx_verify_options *options, struct gbx_verify_report *report, struct gbx_error *err) {
        int r = gbx_checkpoint_open(options->against, options->against_size, &options->verifier, options->origin,
                                    &report->against, err);

        if (r < 0)
                return gbx_context(err, r, "the kept checkpoint");
        if (report->against.size > report->checkpoint.size)
                return gbx_fail(err, file_fault(report, "checkpoint"),
                                "the log has %llu entries, the kept checkpoint %llu: entries were removed, or an older copy of the log was put back",
                                (unsigned long long)report->checkpoint.size, (unsigned long long)report->against.size);
        return 0;
}

static int check_witnesses(const struct gbx_buffer *message, const struct gbx_verify_options *options,
                           struct gbx_verify_report *report, struct gbx_error *err) {
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        int r = gbx_note_parse(gbx_buffer_text(message), message->size, &note, err);

        if (r == 0)
                r = gbx_witness_policy_check(options->policy, &note, &report->witnesses, err);
        if (r == GBX_WITNESS_SHORT)
                return gbx_context(err, file_fault(report, "checkpoint"), "the checkpoint over %llu entries",
                                   (unsigned long long)report->checkpoint.size);
        return r == -EBADMSG ? file_fault(report, "checkpoint") : r;
}

/* Walks to `end` in steps, so that progress can be shown. */
static int walk_to(struct gbx_walk *walk, uint64_t end, const struct gbx_verify_options *options, struct gbx_error *err) {
        while (walk->done < end) {
                uint64_t step = end - walk->done > PROGRESS_STEP ? walk->done + PROGRESS_STEP : end;
                int r = gbx_walk_to(walk, step, err);

                walk->report->entries = walk->done;
                if (r < 0)
                        return r;
                if (options->progress)
                        options->progress(options->progress_context, walk->done, walk->size);
        }
        return 0;
}

static int walk_log(struct gbx_walk *walk, const struct gbx_verify_options *options, struct gbx_error *err) {
        const struct gbx_checkpoint *against = &walk->report->against;
        struct gbx_hash root;
        int r;

        if (options->against && against->size > 0) {
                r = walk_to(walk, against->size, options, err);
                if (r < 0)
                        return r;
                gbx_walk_root(walk, &root);
                if (!gbx_hash_equal(&root, &against->root))
                        return gbx_fail(err, gbx_walk_fault(walk, 0, against->size - 1, "checkpoint"),
                                        "entries 0 to %llu: not those of the kept checkpoint; the log has another history",
                                        (unsigned long long)against->size - 1);
        }
        r = walk_to(walk, walk->size, options, err);
        if (r < 0)
                return r;
        gbx_walk_root(walk, &root);
        if (!gbx_hash_equal(&root, &walk->root)) {
                uint64_t first = against->size < walk->size ? against->size : 0;

                return gbx_fail(err, gbx_walk_fault(walk, first, walk->size - 1, ""),
                                "entries %llu to %llu: entries and tiles agree with each other, but not with the signed root: they were altered together, or the checkpoint is of another log",
                                (unsigned long long)first, (unsigned long long)walk->size - 1);
        }
        return gbx_walk_finish(walk, err);
}

static int check_log(int directory, const char *path, const struct gbx_verify_options *options,
                     struct gbx_verify_report *report, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int log = gbx_open_directory(directory, path, err);
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_free_pointer) struct gbx_walk *walk = calloc(1, sizeof *walk);
        int r;

        if (log < 0)
                return log;
        if (!walk)
                return gbx_fail_memory(err);
        r = read_checkpoint(log, options, &message, report, err);
        if (r == 0 && options->against)
                r = read_against(options, report, err);
        if (r == 0)
                r = gbx_tree_open(&tree, log, ".", err);
        if (r < 0)
                return r;
        gbx_tree_set_size(tree, report->checkpoint.size);
        *walk = (struct gbx_walk){
                .directory = log,
                .size = report->checkpoint.size,
                .root = report->checkpoint.root,
                .tree = tree,
                .report = report,
                .options = options,
        };
        r = walk_log(walk, options, err);
        if (r == 0 && options->policy)
                r = check_witnesses(&message, options, report, err);
        return r;
}

int gbx_log_verify(int directory, const char *path, const struct gbx_verify_options *options,
                   struct gbx_verify_report *ret_report, struct gbx_error *err) {
        struct gbx_verify_report report = {};
        int r = check_log(directory, path, options, &report, err);

        if (ret_report)
                *ret_report = report;
        return r;
}
