/*
 * A copy of a log, and a log made of a copy
 *
 * The copy is the public part at a signed checkpoint, each entry and each tile
 * proven as it is read: what was altered is not copied on. It needs no lock and
 * stays whole while others append. A copy has no `.state`; whoever has the log's
 * key makes one and the log goes on from there.
 */
#pragma once

#include "base/error.h"
#include "gateway/log/writer/log.h"

/* Takes a file of the copy; `path` is relative to the log's directory. */
typedef int gbx_log_copy_put(void *context, const char *path, const void *data, size_t size, struct gbx_error *err);

/* Gives every file of the copy to `put`, the checkpoint last. `message` is a checkpoint of this log (gbx_log_message). */
int gbx_log_copy(struct gbx_log *log, const struct gbx_buffer *message, gbx_log_copy_put *put, void *context,
                 struct gbx_checkpoint *ret_checkpoint, struct gbx_error *err);

/* Makes the directory `path`, a copy that the caller has verified (verify.h), a log that can be opened and appended to.
 * -EEXIST if it is one already; -EBADMSG if its checkpoint is not of this key. */
int gbx_log_adopt(int directory, const char *path, const char *origin, const struct gbx_note_signer *signer, struct gbx_error *err);
