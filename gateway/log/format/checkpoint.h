/*
 * Checkpoints (C2SP tlog-checkpoint): the signed state of a log
 *
 *   origin LF  size LF  base64(root) LF  [extension lines]
 *
 * as the text of a signed note. The origin names the log and is the name of
 * its key.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/log/format/merkle.h"
#include "gateway/log/format/note.h"

#include <stddef.h>
#include <stdint.h>

struct gbx_checkpoint {
        char origin[GBX_NOTE_NAME_SIZE];
        uint64_t size; /* entries */
        struct gbx_hash root;
};

/* Reads the text of a note (without signatures). Extension lines are allowed and passed over.
 * -EINVAL: not a checkpoint. */
int gbx_checkpoint_parse(const char *text, size_t size, struct gbx_checkpoint *ret, struct gbx_error *err);

/* Appends the text. */
int gbx_checkpoint_format(const struct gbx_checkpoint *checkpoint, struct gbx_buffer *ret, struct gbx_error *err);

/* Appends the signed note. */
int gbx_checkpoint_sign(const struct gbx_checkpoint *checkpoint, const struct gbx_note_signer *signer,
                        struct gbx_buffer *ret, struct gbx_error *err);

/* Reads a signed checkpoint and requires the log's signature and `origin` (NULL: the verifier's name).
 * -EINVAL: not a checkpoint; -EBADMSG: not signed by `verifier`, or of another origin. */
int gbx_checkpoint_open(const char *message, size_t size, const struct gbx_note_verifier *verifier,
                        const char *origin, struct gbx_checkpoint *ret, struct gbx_error *err);
