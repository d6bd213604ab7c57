/*
 * Signed notes (C2SP signed-note) and cosignatures (C2SP tlog-cosignature, v1)
 *
 * A note is a text that ends with a newline, an empty line, and signature
 * lines "— NAME BASE64(key identifier || signature)" (U+2014 in front).
 * Parsing is strict; signatures of unknown keys are kept and ignored; a wrong
 * signature by a known key condemns the whole note.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/log/format/note_key.h"

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_NOTE_SIGNATURES_MAX = 64,
        GBX_NOTE_SIZE_MAX = 64 * 1024,
};

struct gbx_note_signature {
        const char *line; /* the whole line, its newline included */
        size_t line_size;
        const char *name;
        size_t name_size;
        uint32_t id;
        size_t blob_at, blob_size; /* the signature behind the identifier, within gbx_note.blobs */
};

struct gbx_note {
        const char *text; /* up to and with the newline that ends it */
        size_t text_size;
        size_t count;
        struct gbx_note_signature signatures[GBX_NOTE_SIGNATURES_MAX];
        struct gbx_buffer blobs;
};

/* Takes a message apart. The note points into `message`, which must outlive it; free it with
 * gbx_note_free. -EINVAL: not a note; -EFBIG: above GBX_NOTE_SIZE_MAX. Nothing is verified yet. */
int gbx_note_parse(const char *message, size_t size, struct gbx_note *ret, struct gbx_error *err);
void gbx_note_free(struct gbx_note *note);

/* 0: `verifier` has signed the note; `ret_time` (may be NULL) gets the time of a cosignature in seconds
 * since 1970. GBX_NOTE_UNSIGNED: no signature by this key. -EBADMSG: a wrong signature by this key. */
enum { GBX_NOTE_UNSIGNED = 1 };
int gbx_note_check(const struct gbx_note *note, const struct gbx_note_verifier *verifier, uint64_t *ret_time,
                   struct gbx_error *err);

/* Appends the signature line for `text`. `time` (seconds since 1970) is used by cosigners only. */
int gbx_note_sign_line(const char *text, size_t size, const struct gbx_note_signer *signer, uint64_t time,
                       struct gbx_buffer *ret, struct gbx_error *err);

/* Appends a whole note: text, empty line, one signature. `text` must end with a newline. */
int gbx_note_sign(const char *text, size_t size, const struct gbx_note_signer *signer, struct gbx_buffer *ret,
                  struct gbx_error *err);
