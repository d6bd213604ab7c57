/*
 * Inside of age.h: byte sources, headers, chunk sealing
 *
 * Nothing here is for users of the vault.
 */
#pragma once

#include "runtime/vault/age.h"
#include "runtime/vault/secret.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/types.h>

enum {
        GBX_AGE_FILE_KEY_SIZE = 16,
        GBX_AGE_NONCE_SIZE = 16,      /* of the payload, in front of the first chunk */
        GBX_AGE_BODY_SIZE = 32,       /* a wrapped file key with its tag */
        GBX_AGE_SEALED_CHUNK_SIZE = GBX_AGE_CHUNK_SIZE + GBX_AGE_TAG_SIZE,
};

struct gbx_age_identity {
        struct gbx_secret secret; /* 32 bytes; none with a token */
        struct gbx_token *token;  /* NULL: the secret is here */
        struct gbx_age_recipient recipient;
};

struct gbx_age_file_key {
        uint8_t bytes[GBX_AGE_FILE_KEY_SIZE];
};
void gbx_age_file_key_wipe(struct gbx_age_file_key *key);

/* --- sources: bytes of a file, freed of their armor (age_source.c, age_armor.c) --- */

enum gbx_age_armor_state { GBX_AGE_ARMOR_NONE, GBX_AGE_ARMOR_BEGIN, GBX_AGE_ARMOR_BODY, GBX_AGE_ARMOR_END };

struct gbx_age_source {
        int fd;             /* -1: memory */
        off_t offset;       /* of the next pread(2); -1: read(2) from where it stands */
        uint8_t *block;     /* what was read ahead; owned if fd >= 0 */
        const uint8_t *next;
        const uint8_t *end;
        bool at_end;        /* nothing behind `end` */
        enum gbx_age_armor_state armor;
        uint8_t line[48]; /* of armor, decoded */
        size_t line_begin, line_end;
        enum gbx_age_failure failure; /* of the last call that failed */
};

/* One of fd (with offset -1 or where to begin) and memory (fd -1). */
int gbx_age_source_open(struct gbx_age_source *ret, int fd, off_t offset, enum gbx_age_form form,
                        struct gbx_error *err);
int gbx_age_source_open_memory(struct gbx_age_source *ret, const void *data, size_t size, enum gbx_age_form form,
                               struct gbx_error *err);
void gbx_age_source_close(struct gbx_age_source *source);
/* Fills `data` up to `size` bytes; fewer only at the end. */
int gbx_age_source_read(struct gbx_age_source *source, void *data, size_t size, size_t *ret_size,
                        struct gbx_error *err);
/* The same below the armor, and one byte of it: 1 a byte, 0 the end. */
int gbx_age_source_read_raw(struct gbx_age_source *source, uint8_t *data, size_t size, size_t *ret_size,
                            struct gbx_error *err);
int gbx_age_source_byte_raw(struct gbx_age_source *source, uint8_t *ret_byte, struct gbx_error *err);
/* Decodes the next line of armor into `line`; leaves it empty at the end. */
int gbx_age_armor_fill(struct gbx_age_source *source, struct gbx_error *err);
/* Whether bytes begin an armored file: "-----BEGIN" behind at most 1 KiB of white space. */
bool gbx_age_armor_detect(const uint8_t *data, size_t size);

/* --- sinks ------------------------------------------------------------------ */

struct gbx_age_sink {
        int fd; /* -1: buffer */
        struct gbx_buffer *buffer;
        uint64_t size;
        SHA256_CTX digest;
};

void gbx_age_sink_open(struct gbx_age_sink *ret, int fd, struct gbx_buffer *buffer);
int gbx_age_sink_write(struct gbx_age_sink *sink, const void *data, size_t size, struct gbx_error *err);
void gbx_age_digest_begin(SHA256_CTX *digest);
void gbx_age_digest_add(SHA256_CTX *digest, const void *data, size_t size);
void gbx_age_digest_end(SHA256_CTX *digest, uint8_t ret_digest[static GBX_SHA256_SIZE]);

/* --- headers (age_header.c, age_stanza.c) ------------------------------------- */

enum gbx_age_stanza_type { GBX_AGE_STANZA_OTHER, GBX_AGE_STANZA_X25519, GBX_AGE_STANZA_SCRYPT };

struct gbx_age_stanza {
        enum gbx_age_stanza_type type;
        const char *problem; /* what is wrong with an X25519 stanza, or NULL */
        uint8_t share[32];
        uint8_t body[GBX_AGE_BODY_SIZE];
};

struct gbx_age_header {
        struct gbx_buffer text; /* as read, with the MAC line */
        size_t authenticated;   /* bytes of it that the MAC is over */
        uint8_t mac[GBX_SHA256_SIZE];
        struct gbx_age_stanza stanzas[GBX_AGE_MAX_STANZAS];
        size_t count;
};

/* Reads up to and with the MAC line; the MAC is not checked yet. */
int gbx_age_header_read(struct gbx_age_source *source, struct gbx_age_header *header, struct gbx_error *err);
void gbx_age_header_free(struct gbx_age_header *header);
/* Finds the file key by the identities and checks the MAC with it. Sets source->failure. */
int gbx_age_header_unwrap(struct gbx_age_source *source, const struct gbx_age_header *header,
                          struct gbx_age_identities identities, struct gbx_age_file_key *ret_key,
                          struct gbx_error *err);
/* Appends a header that wraps the file key for each recipient. */
int gbx_age_header_write(const struct gbx_age_file_key *key, struct gbx_age_recipients recipients,
                         struct gbx_buffer *buffer, struct gbx_error *err);

/* Reads one stanza whose first line (without its newline) is given; see age_header.c for the lines. */
int gbx_age_stanza_parse(const char *arguments, size_t length, const struct gbx_buffer *body,
                         struct gbx_age_stanza *ret, struct gbx_error *err);
/* 1: this is not for the identity. 0: unwrapped. */
int gbx_age_stanza_unwrap(const struct gbx_age_stanza *stanza, const struct gbx_age_identity *identity,
                          struct gbx_age_file_key *ret_key, struct gbx_error *err);
int gbx_age_stanza_write(const struct gbx_age_file_key *key, const struct gbx_age_recipient *recipient,
                         struct gbx_buffer *buffer, struct gbx_error *err);

/* --- chunks (age_cipher.c) ------------------------------------------------------ */

/* A ChaCha20-Poly1305 context with its key set. */
int gbx_age_cipher_new(EVP_CIPHER_CTX **ret, const uint8_t key[static 32], bool seal, struct gbx_error *err);
static inline void gbx_age_cipher_freep(EVP_CIPHER_CTX **cipher) { EVP_CIPHER_CTX_free(*cipher); }
/* A context for a payload: the key comes from file key and payload nonce. */
int gbx_age_payload_cipher_new(EVP_CIPHER_CTX **ret, const struct gbx_age_file_key *key,
                               const uint8_t nonce[static GBX_AGE_NONCE_SIZE], bool seal, struct gbx_error *err);
void gbx_age_chunk_nonce(uint64_t index, bool last, uint8_t ret_nonce[static 12]);
/* `ret_sealed` takes size + GBX_AGE_TAG_SIZE bytes. */
int gbx_age_seal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[static 12], const uint8_t *plain, size_t size,
                 uint8_t *ret_sealed, struct gbx_error *err);
/* `ret_plain` takes size - GBX_AGE_TAG_SIZE bytes, all zero on failure. False: the tag does not verify. */
bool gbx_age_unseal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[static 12], const uint8_t *sealed, size_t size,
                    uint8_t *ret_plain);

/* --- behind the reader, for a rewrap (age_reader.c) ------------------------------ */

const struct gbx_age_file_key *gbx_age_reader_file_key(const struct gbx_age_reader *reader);
const uint8_t *gbx_age_reader_nonce(const struct gbx_age_reader *reader);
/* The chunk that the last call of gbx_age_reader_next opened, still sealed. */
void gbx_age_reader_sealed(const struct gbx_age_reader *reader, const uint8_t **ret_data, size_t *ret_size);
