/*
 * Keys of signed notes (C2SP signed-note): names, identifiers, text forms
 *
 *   verifier   NAME+HEX8+BASE64(type || public key)
 *   signer     PRIVATE+KEY+NAME+HEX8+BASE64(type || seed)
 *
 * HEX8 is the key identifier: the first four bytes of
 * SHA-256(NAME || 0x0A || type || public key), big-endian.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gbx_note_type {
        GBX_NOTE_ED25519 = 0x01,     /* signs the text of the note */
        GBX_NOTE_COSIGNATURE = 0x04, /* Ed25519 cosignature/v1: a witness signs time and checkpoint */
};

enum { GBX_NOTE_NAME_SIZE = 256 }; /* bytes of a key name, its zero byte included */

struct gbx_note_verifier {
        char name[GBX_NOTE_NAME_SIZE];
        uint8_t type; /* enum gbx_note_type */
        uint32_t id;
        uint8_t public_key[GBX_ED25519_PUBLIC_SIZE];
};

/* Holds a secret: end its life with gbx_note_signer_clear. */
struct gbx_note_signer {
        struct gbx_note_verifier verifier;
        uint8_t seed[GBX_ED25519_SEED_SIZE];
};

/* Not empty, UTF-8, no white space of any script, no '+', no control character, under GBX_NOTE_NAME_SIZE bytes. */
bool gbx_note_name_valid(const char *name, size_t length);

/* Reads a verifier. -EINVAL for any deviation, also for a type that is not in enum gbx_note_type. */
int gbx_note_verifier_parse(const char *text, size_t length, struct gbx_note_verifier *ret, struct gbx_error *err);
int gbx_note_verifier_format(const struct gbx_note_verifier *verifier, struct gbx_buffer *ret, struct gbx_error *err);

/* Makes a new key. */
int gbx_note_signer_generate(const char *name, enum gbx_note_type type, struct gbx_note_signer *ret,
                             struct gbx_error *err);
int gbx_note_signer_from_seed(const char *name, enum gbx_note_type type,
                              const uint8_t seed[static GBX_ED25519_SEED_SIZE], struct gbx_note_signer *ret,
                              struct gbx_error *err);

/* Reads a signer; white space at the end is passed over (files end with a newline). */
int gbx_note_signer_parse(const char *text, size_t length, struct gbx_note_signer *ret, struct gbx_error *err);

/* Appends the secret text form; `ret` must be a secret buffer. */
int gbx_note_signer_format(const struct gbx_note_signer *signer, struct gbx_buffer *ret, struct gbx_error *err);

/* Reads a signer from a file. A file that others than its owner may read is refused (-EKEYREJECTED). */
int gbx_note_signer_read(int directory, const char *path, struct gbx_note_signer *ret, struct gbx_error *err);

/* The same key as a cosigner: another type and so another identifier. */
int gbx_note_signer_as_cosigner(const struct gbx_note_signer *signer, struct gbx_note_signer *ret,
                                struct gbx_error *err);

void gbx_note_signer_clear(struct gbx_note_signer *signer);
