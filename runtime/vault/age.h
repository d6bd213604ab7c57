/*
 * age v1 files with X25519 recipients (c2sp.org/age)
 *
 * A file is a text header that wraps a 16-byte file key once for each
 * recipient, and a payload of 64 KiB chunks sealed with ChaCha20-Poly1305
 * (STREAM: a counter and a last-chunk flag in the nonce). Truncated, reordered
 * or altered chunks do not open. Chunks are independent: they are opened on
 * all cores, or one alone.
 *
 * What age does not say is who made a file and which one it is: that is the
 * dataset manifest's task (manifest.h).
 *
 * Bounds, since a header is untrusted until its MAC is checked and each stanza
 * costs a scalar multiplication: GBX_AGE_MAX_STANZAS, GBX_AGE_MAX_HEADER.
 * Passphrase (scrypt) files are refused. Post-quantum and other recipient
 * types are passed over, as the specification asks.
 *
 * Errors, everywhere below:
 *   -EINVAL   not an age file, or a malformed one (armor or header)
 *   -ENOKEY   none of the identities opens it
 *   -EBADMSG  header MAC or payload do not verify
 *   -EDQUOT   beyond the bounds above
 * and errno values of reading and writing. `failure`, where a function takes
 * one (NULL is allowed), receives which of the format's failures it was.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_AGE_CHUNK_SIZE = 64 * 1024, /* plaintext bytes of every chunk but the last */
        GBX_AGE_TAG_SIZE = 16,          /* what sealing adds to each */
        GBX_AGE_MAX_STANZAS = 128,
        GBX_AGE_MAX_HEADER = 256 * 1024, /* bytes */
        GBX_AGE_RECIPIENT_TEXT_SIZE = 63, /* "age1…" and a zero byte */
};

enum gbx_age_failure {
        GBX_AGE_NO_FAILURE,
        GBX_AGE_OTHER_FAILURE, /* reading, writing, memory: not the file's fault */
        GBX_AGE_ARMOR_FAILURE,
        GBX_AGE_HEADER_FAILURE,
        GBX_AGE_NO_MATCH,
        GBX_AGE_HMAC_FAILURE,
        GBX_AGE_PAYLOAD_FAILURE,
};

/* --- keys ------------------------------------------------------------------ */

/* Public: who may open a file. */
struct gbx_age_recipient {
        uint8_t public_key[32];
};

/* Secret: opens files. Kept in memory of secret.h. */
struct gbx_age_identity;

/* "age1…". -EINVAL for anything else, also for age's other recipient types. */
int gbx_age_recipient_parse(const char *text, struct gbx_age_recipient *ret, struct gbx_error *err);
void gbx_age_recipient_format(const struct gbx_age_recipient *recipient,
                              char ret_text[static GBX_AGE_RECIPIENT_TEXT_SIZE]);

int gbx_age_identity_generate(struct gbx_age_identity **ret, struct gbx_error *err);
/* "AGE-SECRET-KEY-1…", upper or lower case. Messages never repeat the text. */
int gbx_age_identity_parse(const char *text, size_t length, struct gbx_age_identity **ret, struct gbx_error *err);
/* Appends "AGE-SECRET-KEY-1…" to `buffer`, which should be a secret one. -EINVAL for an identity in a token. */
int gbx_age_identity_format(const struct gbx_age_identity *identity, struct gbx_buffer *buffer,
                            struct gbx_error *err);
/* An identity whose secret stays in a PKCS#11 token, which token.h describes; for one thread at a time. */
struct gbx_token;
/* Takes the token over, also on failure. */
int gbx_age_identity_from_token(struct gbx_token *token, struct gbx_age_identity **ret, struct gbx_error *err);
const struct gbx_age_recipient *gbx_age_identity_recipient(const struct gbx_age_identity *identity);
/* Takes NULL; returns NULL. */
struct gbx_age_identity *gbx_age_identity_free(struct gbx_age_identity *identity);
static inline void gbx_age_identity_freep(struct gbx_age_identity **identity) {
        *identity = gbx_age_identity_free(*identity);
}

/* The identities that a file is tried with, in this order. Borrowed. */
struct gbx_age_identities {
        const struct gbx_age_identity *const *list;
        size_t count;
};

struct gbx_age_recipients {
        const struct gbx_age_recipient *list;
        size_t count; /* 1 to GBX_AGE_MAX_STANZAS */
};

/* What a file turned out to be; all of it verified. */
struct gbx_age_facts {
        uint64_t plaintext_size;
        uint64_t chunks; /* at least 1: an empty plaintext is one empty chunk */
        uint64_t header_size;
        uint64_t ciphertext_size;                  /* header and payload, binary form */
        uint8_t header_digest[GBX_SHA256_SIZE];    /* over the binary header */
        uint8_t ciphertext_digest[GBX_SHA256_SIZE]; /* over the whole binary file; zero where a function says so */
};

/* --- encrypting ------------------------------------------------------------- */

/* From where `in_fd` stands to its end, to where `out_fd` stands (pipes are fine). `ret_facts` may be NULL. */
int gbx_age_encrypt_fd(int in_fd, int out_fd, struct gbx_age_recipients recipients, struct gbx_age_facts *ret_facts,
                       struct gbx_error *err);

/* Appends the encrypted file to `ret_file`. */
int gbx_age_encrypt_buffer(const void *data, size_t size, struct gbx_age_recipients recipients,
                           struct gbx_buffer *ret_file, struct gbx_error *err);

/* A regular file as a whole, on `threads` threads (0: one for each CPU); `out_fd` must be an empty regular file.
 * ciphertext_digest stays zero. */
int gbx_age_encrypt_file(int in_fd, int out_fd, struct gbx_age_recipients recipients, unsigned threads,
                         struct gbx_age_facts *ret_facts, struct gbx_error *err);

/* --- decrypting, chunk by chunk ---------------------------------------------- */

enum gbx_age_form {
        GBX_AGE_DETECT, /* armored if "-----BEGIN" comes first, white space aside */
        GBX_AGE_BINARY,
        GBX_AGE_ARMORED, /* strict RFC 7468: LF or CRLF, 64 columns, canonical base64 */
};

struct gbx_age_reader;

/* Reads and verifies the header. The descriptor is borrowed and read from where it stands. */
int gbx_age_reader_new(struct gbx_age_reader **ret, int fd, enum gbx_age_form form,
                       struct gbx_age_identities identities, enum gbx_age_failure *failure, struct gbx_error *err);
/* The same on bytes that the caller keeps alive. */
int gbx_age_reader_new_memory(struct gbx_age_reader **ret, const void *data, size_t size, enum gbx_age_form form,
                              struct gbx_age_identities identities, enum gbx_age_failure *failure,
                              struct gbx_error *err);
/*
 * 1: the next chunk's plaintext, verified, in `ret_data`, valid until the next
 * call (an empty file has one empty chunk). 0: the end, which is certain: the last chunk was marked as such and
 * nothing follows it. Negative: error; nothing of the bad chunk comes out.
 */
int gbx_age_reader_next(struct gbx_age_reader *reader, const uint8_t **ret_data, size_t *ret_size,
                        struct gbx_error *err);
/* The failure behind the last error of gbx_age_reader_next. */
enum gbx_age_failure gbx_age_reader_failure(const struct gbx_age_reader *reader);
/* After the end was reached. -EINVAL before. */
int gbx_age_reader_facts(const struct gbx_age_reader *reader, struct gbx_age_facts *ret_facts, struct gbx_error *err);
struct gbx_age_reader *gbx_age_reader_free(struct gbx_age_reader *reader);
static inline void gbx_age_reader_freep(struct gbx_age_reader **reader) { *reader = gbx_age_reader_free(*reader); }

/* All of it to a sink. On failure, verified chunks before the bad one may have been written: discard them. */
int gbx_age_decrypt_fd(int in_fd, int out_fd, struct gbx_age_identities identities, struct gbx_age_facts *ret_facts,
                       struct gbx_error *err);
/* All of it appended to `ret_data`, which is put back to its old size on failure. -EFBIG above `limit` bytes. */
int gbx_age_decrypt_buffer(const void *data, size_t size, struct gbx_age_identities identities, size_t limit,
                           struct gbx_buffer *ret_data, struct gbx_error *err);

/* --- whole regular files: all cores, any chunk ------------------------------- */

struct gbx_age_file;

/* Opens a binary file from its start, by pread(2). Verifies header and last chunk, so the length is certain. */
int gbx_age_file_open(struct gbx_age_file **ret, int fd, struct gbx_age_identities identities,
                      enum gbx_age_failure *failure, struct gbx_error *err);
/* ciphertext_digest is zero. */
const struct gbx_age_facts *gbx_age_file_facts(const struct gbx_age_file *file);
/* Chunk `index` alone, into `ret_data` with room for GBX_AGE_CHUNK_SIZE bytes. -ERANGE beyond the last. */
int gbx_age_file_read(struct gbx_age_file *file, uint64_t index, uint8_t *ret_data, size_t *ret_size,
                      struct gbx_error *err);
/* Once `fd` can be read, decrypting as a whole ends with -ECANCELED between two spans of chunks; 0: it cannot be. */
void gbx_age_file_cancel(struct gbx_age_file *file, int fd);
/* All of it to the regular file `out_fd` from its offset 0, on `threads` threads (0: one for each CPU).
 * `out_fd` is emptied on failure. */
int gbx_age_file_decrypt(struct gbx_age_file *file, int out_fd, unsigned threads, struct gbx_error *err);
struct gbx_age_file *gbx_age_file_free(struct gbx_age_file *file);
static inline void gbx_age_file_freep(struct gbx_age_file **file) { *file = gbx_age_file_free(*file); }

/* --- rewrapping -------------------------------------------------------------- */

/*
 * Opens the file on `in_fd` (binary or armored) with `identities` and writes
 * to `out_fd` the same payload under a new header for `recipients`. Every
 * chunk is verified on the way; no plaintext is kept.
 *
 * A site does this once with each dataset: the copy at rest is wrapped by a
 * key of that dataset alone, so that destroying this one key makes every copy
 * unreadable. (The owner's own original stays what it was.) The facts (either
 * may be NULL) are those of the file read and of the file written.
 */
int gbx_age_rewrap(int in_fd, int out_fd, struct gbx_age_identities identities, struct gbx_age_recipients recipients,
                   struct gbx_age_facts *ret_original, struct gbx_age_facts *ret_copy, struct gbx_error *err);
