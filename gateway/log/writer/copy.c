#include "gateway/log/writer/copy.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/format/tile.h"
#include "gateway/log/writer/integrate.h"
#include "gateway/log/writer/io.h"
#include "gateway/log/writer/log_internal.h"

#include <unistd.h>

struct copy {
        struct gbx_proven *proven;
        uint64_t size;
        gbx_log_copy_put *put;
        void *context;
};

static int copy_tile(const struct copy *copy, unsigned level, uint64_t index, struct gbx_error *err) {
        unsigned width = gbx_tile_width((int)level, index, copy->size);
        struct gbx_hash hashes[GBX_TILE_WIDTH];
        char path[GBX_TILE_PATH_SIZE];
        int r = 0;

        for (unsigned i = 0; r == 0 && i < width; i++)
                r = gbx_proven_hash(copy->proven, level, index * GBX_TILE_WIDTH + i, &hashes[i], err);
        if (r < 0)
                return r;
        gbx_tile_path((int)level, index, width, path);
        return copy->put(copy->context, path, hashes, width * sizeof *hashes, err);
}

static int copy_bundle(const struct copy *copy, uint64_t index, struct gbx_error *err) {
        unsigned width = gbx_tile_width(GBX_TILE_ENTRIES, index, copy->size);
        gbx_auto(gbx_buffer_free) struct gbx_buffer bundle = {};
        char path[GBX_TILE_PATH_SIZE];
        int r = 0;

        for (unsigned i = 0; r == 0 && i < width; i++) {
                struct gbx_bytes entry;

                r = gbx_proven_entry(copy->proven, index * GBX_TILE_WIDTH + i, &entry, err);
                if (r == 0) /* in the bundle the entry stands behind its two bytes of length */
                        r = gbx_buffer_append(&bundle, (const uint8_t *)entry.data - 2, entry.size + 2, err);
        }
        if (r < 0)
                return r;
        gbx_tile_path(GBX_TILE_ENTRIES, index, width, path);
        return copy->put(copy->context, path, bundle.data, bundle.size, err);
}

static int copy_all(const struct copy *copy, struct gbx_error *err) {
        int r = 0;

        for (uint64_t i = 0; r == 0 && i * GBX_TILE_WIDTH < copy->size; i++)
                r = copy_bundle(copy, i, err);
        for (unsigned level = 0; r == 0 && level < GBX_TILE_LEVELS; level++)
                for (uint64_t i = 0; r == 0 && gbx_tile_width((int)level, i, copy->size) > 0; i++)
                        r = copy_tile(copy, level, i, err);
        return r;
}

int gbx_log_copy(struct gbx_log *log, const struct gbx_buffer *message, gbx_log_copy_put *put, void *context,
                 struct gbx_checkpoint *ret_checkpoint, struct gbx_error *err) {
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_proven_freep) struct gbx_proven *proven = NULL;
        struct gbx_checkpoint checkpoint = {};
        int r = gbx_checkpoint_open(gbx_buffer_text(message), message->size, &log->signer.verifier, log->origin, &checkpoint, err);

        if (r == 0)
                r = gbx_tree_open(&tree, log->directory, ".", err);
        if (r == 0)
                r = gbx_proven_new(&proven, tree, err);
        if (r == 0)
                r = gbx_proven_trust_checkpoint(proven, &checkpoint, err);
        if (r == 0)
                r = copy_all(&(struct copy){ proven, checkpoint.size, put, context }, err);
        if (r == 0)
                r = put(context, "checkpoint", message->data, message->size, err);
        if (r == 0)
                *ret_checkpoint = checkpoint;
        return r;
}

int gbx_log_adopt(int directory, const char *path, const char *origin, const struct gbx_note_signer *signer, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int log = gbx_open_directory(directory, path, err), state = -1;
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        struct gbx_checkpoint checkpoint;
        int r;

        if (log < 0)
                return log;
        r = gbx_read_file(log, "checkpoint", GBX_NOTE_SIZE_MAX, &message, err);
        if (r == 0)
                r = gbx_checkpoint_open(gbx_buffer_text(&message), message.size, &signer->verifier, origin, &checkpoint, err);
        if (r < 0)
                return r;
        if (gbx_log_io.mkdir(log, ".state", 0700) < 0)
                return gbx_fail_errno(err, "cannot create '%s/.state'", path);
        state = gbx_open_directory(log, ".state", err);
        if (state < 0)
                return state;
        r = gbx_journal_create(state, signer->seed, checkpoint.size, err);
        return r < 0 ? r : gbx_log_put_file(log, GBX_LOG_SCRATCH, GBX_LOG_STATE, message.data, message.size, 0600, GBX_LOG_REPLACE, err);
}
